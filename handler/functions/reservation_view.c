#include "functions/reservation_view.h"

#include "base/utc.h"
#include "functions/api_answer.h"
#include "inventory/product_state.h"

cJSON *reservation_view_new(const char *product_id, const struct reservation_terms *terms,
                            const char *customer_id) {
    char reserved_at[UTC_TEXT_BYTES], expires_at[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(terms->reserved_ms, reserved_at);
    utc_format_iso8601_ms(terms->expires_ms, expires_at);
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(body, "productId", product_id) != NULL &&
                    cJSON_AddStringToObject(body, "reservationId", terms->id) != NULL &&
                    cJSON_AddStringToObject(body, "customerId", customer_id) != NULL &&
                    json_add_int64(body, "quantity", terms->quantity) &&
                    cJSON_AddStringToObject(body, "reservedAt", reserved_at) != NULL &&
                    cJSON_AddStringToObject(body, "expiresAt", expires_at) != NULL;
    return api_answer_body(body, complete);
}
