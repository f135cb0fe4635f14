#include "functions/inventory_picture.h"

#include "base/utc.h"
#include "functions/api_answer.h"
#include "inventory/inventory.h"

static bool add_reservation(cJSON *array, const struct reservation *reservation) {
    char reserved_at[UTC_TEXT_BYTES], expires_at[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(reservation->reserved_ms, reserved_at);
    utc_format_iso8601_ms(reservation->expires_ms, expires_at);
    cJSON *item = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(item, "reservationId", reservation->id) != NULL &&
                    cJSON_AddStringToObject(item, "customerId", reservation->customer_id) != NULL &&
                    json_add_int64(item, "quantity", reservation->quantity) &&
                    cJSON_AddStringToObject(item, "reservedAt", reserved_at) != NULL &&
                    cJSON_AddStringToObject(item, "expiresAt", expires_at) != NULL;
    return cJSON_AddItemToArray(array, api_answer_body(item, complete));
}

/* The state has its reservations by expiry, and so has the answer. */
static bool add_active_reservations(cJSON *body, const struct product_state *state, int64_t now_ms) {
    cJSON *array = cJSON_AddArrayToObject(body, "activeReservations");
    bool complete = array != NULL;
    for (size_t i = 0; complete && i < state->reservations.count; i++) {
        if (state->reservations.rows[i]->expires_ms > now_ms) {
            complete = add_reservation(array, state->reservations.rows[i]);
        }
    }
    return complete;
}

cJSON *inventory_picture_json(const struct product_state *state, int64_t now_ms) {
    int64_t total = state->product.total, reserved = inventory_reserved(state, now_ms);
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(body, "productId", state->product.id) != NULL &&
                    json_add_int64(body, "totalQuantity", total) &&
                    json_add_int64(body, "availableQuantity", total - reserved) &&
                    json_add_int64(body, "reservedQuantity", reserved) && add_active_reservations(body, state, now_ms);
    return api_answer_body(body, complete);
}
