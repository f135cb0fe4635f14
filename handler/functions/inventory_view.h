/*
 * inventory_view.h - a product as GetInventory shows it: its quantities, and its active
 * reservations, in the order in which the store hands them over: about that in which they expire.
 *
 * A product may have 100,000 reservations. So a view receives them one by one, and keeps only their
 * text (body_spool.h). All rows are shown as they were at one moment, which the store tells before
 * the first row.
 */
#ifndef FUNCTIONS_INVENTORY_VIEW_H
#define FUNCTIONS_INVENTORY_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "functions/body_spool.h"
#include "inventory/inventory_store.h"

struct inventory_view {
    struct reservation_visitor visitor; /* first: hand it to a read */
    struct body_spool spool;
    const char *customer_id; /* borrowed; whose reservations are listed; NULL: all */
    int64_t now_ms;          /* on storage's clock: what expires later is active */
    int64_t expired;         /* units in the expired reservations so far */
    bool is_first;           /* no reservation has been written yet */
};

/* Begins a view for the run's response. Call inventory_view_cleanup in the end. */
void inventory_view_init(struct inventory_view *view, const struct function_run *run,
                         const char *customer_id);
void inventory_view_cleanup(struct inventory_view *view);

/*
 * Writes the view into the response, which has no body yet, after the read has ended. The read
 * covers what is listed, and all that has expired. The statuses are those of body_spool_finish.
 */
enum status inventory_view_finish(struct inventory_view *view, const struct product *product,
                                  struct http_response *response, struct error *err) MUST_CHECK;

/* Both append a whole view of a product in memory: without the list, or with all of it. */
void inventory_view_write_sums(struct product_state *state, int64_t now_ms, struct strbuf *out);
void inventory_view_write_all(struct product_state *state, int64_t now_ms, struct strbuf *out);

#endif
