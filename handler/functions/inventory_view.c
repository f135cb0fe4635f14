#include "functions/inventory_view.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/utc.h"

static void append_reservation(struct strbuf *out, const struct reservation *row,
                               const char *customer_id) {
    char reserved_at[UTC_TEXT_BYTES], expires_at[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(row->reserved_ms, reserved_at);
    utc_format_iso8601_ms(row->expires_ms, expires_at);
    strbuf_appendf(out, "{\"reservationId\":\"%s\",\"customerId\":", row->id);
    json_append_string(out, customer_id);
    strbuf_appendf(out, ",\"quantity\":%d,\"reservedAt\":\"%s\",\"expiresAt\":\"%s\"}",
                   row->quantity, reserved_at, expires_at);
}

/* A product id needs no escapes: inventory.h allows none of the characters that JSON escapes. */
static void append_sums(struct strbuf *out, const struct product *product, int64_t available) {
    strbuf_appendf(out,
                   "{\"productId\":\"%s\",\"totalQuantity\":%" PRId64
                   ",\"availableQuantity\":%" PRId64 ",\"reservedQuantity\":%" PRId64,
                   product->id, product->total, available, product->total - available);
}

static void append_list_start(struct strbuf *out) {
    strbuf_append_string(out, ",\"activeReservations\":[");
}

void inventory_view_write_sums(struct product_state *state, int64_t now_ms, struct strbuf *out) {
    append_sums(out, &state->product, inventory_available(state, now_ms));
    strbuf_append_char(out, '}');
}

void inventory_view_write_all(struct product_state *state, int64_t now_ms, struct strbuf *out) {
    const struct reservation_list *list = &state->reservations;
    const char *separator = "";
    append_sums(out, &state->product, inventory_available(state, now_ms));
    append_list_start(out);
    for (size_t i = 0; i < list->count; i++) {
        if (list->rows[i]->expires_ms > now_ms) {
            strbuf_append_string(out, separator);
            append_reservation(out, list->rows[i], list->rows[i]->customer_id);
            separator = ",";
        }
    }
    strbuf_append_string(out, "]}");
}

/* ---- a view that is filled by a read ---- */

static void begin_view(struct reservation_visitor *visitor, int64_t now_ms) {
    struct inventory_view *view = (struct inventory_view *)visitor;
    body_spool_clear(&view->spool);
    view->now_ms = now_ms;
    view->expired = 0;
    view->is_first = true;
}

static enum status view_reservation(struct reservation_visitor *visitor,
                                    const struct reservation *row, const char *customer_id,
                                    struct error *err) {
    struct inventory_view *view = (struct inventory_view *)visitor;
    if (row->expires_ms <= view->now_ms) {
        view->expired += row->quantity;
        return STATUS_OK;
    }
    if (view->customer_id != NULL && strcmp(customer_id, view->customer_id) != 0) {
        return STATUS_OK;
    }
    strbuf_append_string(&view->spool.text, view->is_first ? "" : ",");
    append_reservation(&view->spool.text, row, customer_id);
    view->is_first = false;
    return body_spool_added(&view->spool, err);
}

void inventory_view_init(struct inventory_view *view, const struct function_run *run,
                         const char *customer_id) {
    *view = (struct inventory_view){.visitor = {.begin = begin_view, .visit = view_reservation},
                                    .customer_id = customer_id,
                                    .is_first = true};
    body_spool_init(&view->spool, run);
}

void inventory_view_cleanup(struct inventory_view *view) {
    body_spool_cleanup(&view->spool);
}

enum status inventory_view_finish(struct inventory_view *view, const struct product *product,
                                  struct http_response *response, struct error *err) {
    append_sums(&response->body, product, product->available + view->expired);
    append_list_start(&response->body);
    return body_spool_finish(&view->spool, "]}", response, err);
}
