#include <inttypes.h>
#include <stdio.h>

#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/request_check.h"

static cJSON *make_body(const char *product_id, const struct release_result *result) {
    bool released = result->acquired_lease && result->released > 0;
    char message[64] = "No active reservations found for this customer";
    if (released) {
        snprintf(message, sizeof message, "Successfully released %" PRId64 " units", result->released);
    } else if (!result->acquired_lease) {
        snprintf(message, sizeof message, "Could not acquire lease. Please retry.");
    }
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddBoolToObject(body, "success", released) != NULL &&
                    cJSON_AddStringToObject(body, "productId", product_id) != NULL &&
                    json_add_int64(body, "releasedQuantity", released ? result->released : 0) &&
                    json_add_int64(body, "newAvailableQuantity", result->available) &&
                    cJSON_AddStringToObject(body, "message", message) != NULL;
    return api_answer_body(body, complete);
}

static void serve(struct inventory_service *service, const struct function_request *request,
                  struct http_response *response) {
    struct change_request change;
    if (!request_check_change(request, true, &change, response)) {
        return;
    }
    struct inventory_change wanted = {
        .product_id = request->product_id,
        .customer_id = change.customer_id,
        .reservation_id = change.reservation_id[0] == '\0' ? NULL : change.reservation_id,
        .quantity = change.quantity,
        .idempotency_key = request->idempotency_key.text,
    };
    struct release_result result = {0};
    struct error err = {0};
    enum status status = inventory_service_release_units(service, &wanted, &result, &err);
    if (status != STATUS_OK) {
        api_answer_failure(response, status, "Releasing", request->product_id, &err);
        return;
    }
    if (!result.acquired_lease) {
        http_headers_add(&response->headers, "Retry-After", "1");
    }
    int http_status = !result.acquired_lease ? 409 : result.released > 0 ? 200 : 404;
    api_answer_json(response, http_status, make_body(request->product_id, &result), result.version);
}

const struct function release_inventory_function = {
    .name = "ReleaseInventory", .method = "POST", .action = "release", .serve = serve};
