#include "functions/inventory_view.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/utc.h"
#include "functions/api_answer.h"
#include "inventory/inventory.h"

static cJSON *make_reservation(const struct reservation *reservation) {
    char reserved_at[UTC_TEXT_BYTES], expires_at[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(reservation->reserved_ms, reserved_at);
    utc_format_iso8601_ms(reservation->expires_ms, expires_at);
    cJSON *item = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(item, "reservationId", reservation->id) != NULL &&
                    cJSON_AddStringToObject(item, "customerId", reservation->customer_id) != NULL &&
                    json_add_int64(item, "quantity", reservation->quantity) &&
                    cJSON_AddStringToObject(item, "reservedAt", reserved_at) != NULL &&
                    cJSON_AddStringToObject(item, "expiresAt", expires_at) != NULL;
    return api_answer_body(item, complete);
}

static enum status append_reservation(struct inventory_view *picture,
                                      const struct reservation *reservation) {
    cJSON *item = make_reservation(reservation);
    char *text = item == NULL ? NULL : cJSON_PrintUnformatted(item);
    cJSON_Delete(item);
    if (text == NULL) {
        return STATUS_NO_MEMORY;
    }
    strbuf_append_string(picture->out, picture->is_first ? "" : ",");
    strbuf_append_string(picture->out, text);
    picture->is_first = false;
    cJSON_free(text);
    return STATUS_OK;
}

void inventory_view_begin(struct inventory_view *picture, const struct product_state *state,
                          int64_t now_ms, struct strbuf *out) {
    *picture =
        (struct inventory_view){.state = state, .now_ms = now_ms, .out = out, .is_first = true};
    int64_t total = state->product.total, reserved = inventory_reserved(state, now_ms);
    /* No character that a product's id may have needs an escape (inventory.h). */
    strbuf_appendf(out,
                   "{\"productId\":\"%s\",\"totalQuantity\":%" PRId64
                   ",\"availableQuantity\":%" PRId64 ",\"reservedQuantity\":%" PRId64
                   ",\"activeReservations\":[",
                   state->product.id, total, total - reserved, reserved);
}

enum status inventory_view_write(struct inventory_view *picture, size_t count,
                                 bool *out_is_complete) {
    const struct reservation_list *list = &picture->state->reservations;
    enum status status = STATUS_OK;
    for (; status == STATUS_OK && count > 0 && picture->next < list->count;
         count--, picture->next++) {
        if (list->rows[picture->next]->expires_ms > picture->now_ms) {
            status = append_reservation(picture, list->rows[picture->next]);
        }
    }
    *out_is_complete = picture->next == list->count;
    if (*out_is_complete) {
        strbuf_append_string(picture->out, "]}");
    }
    return status == STATUS_OK ? strbuf_status(picture->out) : status;
}
