#include <inttypes.h>
#include <stdio.h>

#include "base/utc.h"
#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/request_check.h"

struct reserve_run {
    struct function_run base;
    struct change_request change;
    struct inventory_request request;
};

static cJSON *make_body(const struct inventory_request *request) {
    bool is_reserved = request->status == STATUS_OK && request->units > 0;
    bool had_lease = request->status == STATUS_OK;
    char message[64] = "Another operation is in progress. Please retry.";
    char expires_at[UTC_TEXT_BYTES] = "";
    if (is_reserved) {
        snprintf(message, sizeof message, "Successfully reserved %" PRId64 " units", request->quantity);
        utc_format_iso8601_ms(request->reservation.expires_ms, expires_at);
    } else if (had_lease) {
        snprintf(message, sizeof message, "Insufficient inventory. Available: %" PRId64, request->available);
    }
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddBoolToObject(body, "success", is_reserved) != NULL &&
                    cJSON_AddStringToObject(body, "productId", request->product_id) != NULL &&
                    json_add_int64(body, "requestedQuantity", request->quantity) &&
                    json_add_int64(body, "availableQuantity", request->available) &&
                    (is_reserved ? cJSON_AddStringToObject(body, "reservationId", request->reservation.id)
                                 : cJSON_AddNullToObject(body, "reservationId")) != NULL &&
                    (is_reserved ? cJSON_AddStringToObject(body, "expiresAt", expires_at)
                                 : cJSON_AddNullToObject(body, "expiresAt")) != NULL &&
                    cJSON_AddStringToObject(body, "message", message) != NULL &&
                    cJSON_AddBoolToObject(body, "acquiredLease", had_lease) != NULL;
    return api_answer_body(body, complete);
}

static void answer(struct inventory_request *request) {
    struct function_run *run = request->context;
    if (request->status == STATUS_LEASE_CONFLICT) {
        http_headers_add(&run->response->headers, "Retry-After", "1");
        api_answer_json(run->response, 409, make_body(request), request->version);
    } else if (request->status == STATUS_OK) {
        api_answer_json(run->response, request->units > 0 ? 200 : 409, make_body(request), request->version);
    } else {
        api_answer_failure(run->response, request->status, "Reserving", request->product_id, &request->failure);
    }
    function_run_end(run);
}

static void start(struct function_run *run) {
    struct reserve_run *own = (struct reserve_run *)run;
    if (!request_check_change(&run->request, false, &own->change, run->response)) {
        function_run_end(run);
        return;
    }
    own->request = (struct inventory_request){.operation = &operation_reserve,
                                              .correlation = &run->correlation,
                                              .product_id = run->request.product_id,
                                              .customer_id = own->change.customer_id,
                                              .idempotency_key = run->request.idempotency_key.text,
                                              .quantity = own->change.quantity,
                                              .done = answer,
                                              .context = run};
    inventory_service_submit(run->service, &own->request);
}

const struct function reserve_inventory_function = {.name = "ReserveInventory",
                                                    .method = "POST",
                                                    .action = "reserve",
                                                    .start = start,
                                                    .run_bytes = sizeof(struct reserve_run)};
