#include <inttypes.h>
#include <stdio.h>

#include "base/utc.h"
#include "functions/api_answer.h"
#include "functions/change_run.h"
#include "functions/function_table.h"

static cJSON *make_body(const struct inventory_request *request) {
    bool is_reserved = request->status == STATUS_OK && request->units > 0;
    bool had_lease = request->status == STATUS_OK;
    char message[64] = "Another operation is in progress. Please retry.";
    char expires_at[UTC_TEXT_BYTES] = "";
    if (is_reserved) {
        snprintf(message, sizeof message, "Successfully reserved %" PRId64 " units",
                 request->quantity);
        utc_format_iso8601_ms(request->reservation.expires_ms, expires_at);
    } else if (had_lease) {
        snprintf(message, sizeof message, "Insufficient inventory. Available: %" PRId64,
                 request->available);
    }
    cJSON *body = cJSON_CreateObject();
    bool complete =
        cJSON_AddBoolToObject(body, "success", is_reserved) != NULL &&
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

static void start_reserve(struct function_run *run) {
    static const struct change_kind reserve = {.operation = &operation_reserve,
                                               .parts = CHANGE_QUANTITY | CHANGE_CUSTOMER |
                                                        CHANGE_MAY_HAVE_LIFETIME,
                                               .own_refusal = REFUSAL_NOT_ENOUGH,
                                               .refused_http_status = 409,
                                               .activity = "Reserving",
                                               .make_body = make_body};
    change_run_start(run, &reserve);
}

const struct function_handler reserve_inventory = {.start = start_reserve,
                                                   .run_bytes = sizeof(struct change_run)};
