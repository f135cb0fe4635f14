#include <inttypes.h>
#include <stdio.h>

#include "base/utc.h"
#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/request_check.h"

static cJSON *make_body(const char *product_id, int64_t quantity, const struct reserve_result *result) {
    char message[64] = "Another operation is in progress. Please retry.";
    char expires_at[UTC_TEXT_BYTES] = "";
    if (result->reserved) {
        snprintf(message, sizeof message, "Successfully reserved %" PRId64 " units", quantity);
        utc_format_iso8601_ms(result->reservation.expires_ms, expires_at);
    } else if (result->acquired_lease) {
        snprintf(message, sizeof message, "Insufficient inventory. Available: %" PRId64, result->available);
    }
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddBoolToObject(body, "success", result->reserved) != NULL &&
                    cJSON_AddStringToObject(body, "productId", product_id) != NULL &&
                    json_add_int64(body, "requestedQuantity", quantity) &&
                    json_add_int64(body, "availableQuantity", result->available) &&
                    (result->reserved ? cJSON_AddStringToObject(body, "reservationId", result->reservation.id)
                                      : cJSON_AddNullToObject(body, "reservationId")) != NULL &&
                    (result->reserved ? cJSON_AddStringToObject(body, "expiresAt", expires_at)
                                      : cJSON_AddNullToObject(body, "expiresAt")) != NULL &&
                    cJSON_AddStringToObject(body, "message", message) != NULL &&
                    cJSON_AddBoolToObject(body, "acquiredLease", result->acquired_lease) != NULL;
    return api_answer_body(body, complete);
}

static void serve(struct inventory_service *service, const struct function_request *request,
                  struct http_response *response) {
    struct change_request change;
    if (!request_check_change(request, false, &change, response)) {
        return;
    }
    struct reserve_result result = {0};
    struct error err = {0};
    struct inventory_change wanted = {.product_id = request->product_id,
                                      .customer_id = change.customer_id,
                                      .quantity = change.quantity,
                                      .idempotency_key = request->idempotency_key.text};
    enum status status = inventory_service_reserve(service, &wanted, &result, &err);
    if (status != STATUS_OK) {
        api_answer_failure(response, status, "Reserving", request->product_id, &err);
        return;
    }
    if (!result.acquired_lease) {
        http_headers_add(&response->headers, "Retry-After", "1");
    }
    api_answer_json(response, result.reserved ? 200 : 409, make_body(request->product_id, change.quantity, &result),
                    result.version);
}

const struct function reserve_inventory_function = {
    .name = "ReserveInventory", .method = "POST", .action = "reserve", .serve = serve};
