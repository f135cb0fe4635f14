/*
 * inventory_view.h - a product as GetInventory shows it: its quantities, and its active
 * reservations in the order in which they expire.
 *
 * A product may have 100,000 reservations. So a view is written in pieces, and the loop does other
 * work between them.
 */
#ifndef FUNCTIONS_INVENTORY_VIEW_H
#define FUNCTIONS_INVENTORY_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct product_state;
struct strbuf;

struct inventory_view {
    const struct product_state *state; /* borrowed; its rows are in order of expiry */
    const char *customer_id;           /* borrowed; whose reservations are listed; NULL: all */
    int64_t now_ms;                    /* on storage's clock */
    struct strbuf *out;                /* borrowed */
    size_t next;                       /* index of the next reservation to look at */
    bool is_first;                     /* no reservation has been written yet */
};

/* Appends a whole view without the list of reservations. */
void inventory_view_write_sums(struct product_state *state, int64_t now_ms, struct strbuf *out);

/*
 * Begins a view: appends everything but the reservations to `out`. The state has the rows of a
 * snapshot that covers what is listed (inventory_service.h).
 */
void inventory_view_begin(struct inventory_view *view, struct product_state *state,
                          const char *customer_id, int64_t now_ms, struct strbuf *out);

/*
 * Looks at the next `count` (> 0) reservations and appends those that are active. After the last
 * one it ends the text, and sets *out_is_complete.
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE: the text is incomplete and cannot be completed.
 */
enum status inventory_view_write(struct inventory_view *view, size_t count,
                                 bool *out_is_complete) MUST_CHECK;

#endif
