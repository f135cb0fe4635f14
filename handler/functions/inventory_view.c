#include "functions/inventory_view.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "base/utc.h"
#include "functions/api_answer.h"
#include "inventory/inventory.h"
#include "inventory/product_state.h"

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

static enum status append_reservation(struct inventory_view *view,
                                      const struct reservation *reservation) {
    cJSON *item = make_reservation(reservation);
    char *text = item == NULL ? NULL : cJSON_PrintUnformatted(item);
    cJSON_Delete(item);
    if (text == NULL) {
        return STATUS_NO_MEMORY;
    }
    strbuf_append_string(view->out, view->is_first ? "" : ",");
    strbuf_append_string(view->out, text);
    view->is_first = false;
    cJSON_free(text);
    return STATUS_OK;
}

/* A product id needs no escapes: inventory.h allows none of the characters that JSON escapes. */
static void append_sums(struct product_state *state, int64_t now_ms, struct strbuf *out) {
    int64_t total = state->product.total, available = inventory_available(state, now_ms);
    strbuf_appendf(out,
                   "{\"productId\":\"%s\",\"totalQuantity\":%" PRId64
                   ",\"availableQuantity\":%" PRId64 ",\"reservedQuantity\":%" PRId64,
                   state->product.id, total, available, total - available);
}

void inventory_view_write_sums(struct product_state *state, int64_t now_ms, struct strbuf *out) {
    append_sums(state, now_ms, out);
    strbuf_append_char(out, '}');
}

void inventory_view_begin(struct inventory_view *view, struct product_state *state,
                          const char *customer_id, int64_t now_ms, struct strbuf *out) {
    *view = (struct inventory_view){
        .state = state, .customer_id = customer_id, .now_ms = now_ms, .out = out, .is_first = true};
    append_sums(state, now_ms, out);
    strbuf_append_string(out, ",\"activeReservations\":[");
}

static bool is_listed(const struct inventory_view *view, const struct reservation *reservation) {
    return reservation->expires_ms > view->now_ms &&
           (view->customer_id == NULL || strcmp(reservation->customer_id, view->customer_id) == 0);
}

enum status inventory_view_write(struct inventory_view *view, size_t count, bool *out_is_complete) {
    const struct reservation_list *list = &view->state->reservations;
    enum status status = STATUS_OK;
    for (; status == STATUS_OK && count > 0 && view->next < list->count; count--, view->next++) {
        if (is_listed(view, list->rows[view->next])) {
            status = append_reservation(view, list->rows[view->next]);
        }
    }
    *out_is_complete = view->next == list->count;
    if (*out_is_complete) {
        strbuf_append_string(view->out, "]}");
    }
    return status == STATUS_OK ? strbuf_status(view->out) : status;
}
