#include <inttypes.h>
#include <stdio.h>

#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/request_check.h"

struct release_run {
    struct function_run base;
    struct change_request change;
    struct inventory_request request;
};

static cJSON *make_body(const struct inventory_request *request) {
    int64_t units = request->status == STATUS_OK ? request->units : 0;
    char message[64] = "No active reservations found for this customer";
    if (units > 0) {
        snprintf(message, sizeof message, "Successfully released %" PRId64 " units", units);
    } else if (request->status != STATUS_OK) {
        snprintf(message, sizeof message, "Could not acquire lease. Please retry.");
    }
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddBoolToObject(body, "success", units > 0) != NULL &&
                    cJSON_AddStringToObject(body, "productId", request->product_id) != NULL &&
                    json_add_int64(body, "releasedQuantity", units) &&
                    json_add_int64(body, "newAvailableQuantity", request->available) &&
                    cJSON_AddStringToObject(body, "message", message) != NULL;
    return api_answer_body(body, complete);
}

static void answer(struct inventory_request *request) {
    struct function_run *run = request->context;
    if (request->status == STATUS_LEASE_CONFLICT) {
        http_headers_add(&run->response->headers, "Retry-After", "1");
        api_answer_json(run->response, 409, make_body(request), request->version);
    } else if (request->status == STATUS_OK) {
        api_answer_json(run->response, request->units > 0 ? 200 : 404, make_body(request), request->version);
    } else {
        api_answer_failure(run->response, request->status, "Releasing", request->product_id, &request->failure);
    }
    function_run_end(run);
}

static void start(struct function_run *run) {
    struct release_run *own = (struct release_run *)run;
    if (!request_check_change(&run->request, true, &own->change, run->response)) {
        function_run_end(run);
        return;
    }
    const struct change_request *change = &own->change;
    own->request =
        (struct inventory_request){.operation = &operation_release,
                                   .correlation = &run->correlation,
                                   .product_id = run->request.product_id,
                                   .customer_id = change->customer_id,
                                   .reservation_id = change->reservation_id[0] == '\0' ? NULL : change->reservation_id,
                                   .idempotency_key = run->request.idempotency_key.text,
                                   .quantity = change->quantity,
                                   .done = answer,
                                   .context = run};
    inventory_service_submit(run->service, &own->request);
}

const struct function release_inventory_function = {.name = "ReleaseInventory",
                                                    .method = "POST",
                                                    .action = "release",
                                                    .start = start,
                                                    .run_bytes = sizeof(struct release_run)};
