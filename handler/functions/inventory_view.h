/*
 * inventory_view.h - a product as GetInventory shows it: its quantities and its active reservations, by expiry.
 *
 * A product may have 100,000 reservations. So its text can be written piece by piece, with other work in between.
 */
#ifndef FUNCTIONS_INVENTORY_VIEW_H
#define FUNCTIONS_INVENTORY_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"
#include "inventory/product_state.h"

struct inventory_view {
    const struct product_state
        *state;         /* borrowed; it has all rows, in the order in which they expire */
    int64_t now_ms;     /* on storage's clock */
    struct strbuf *out; /* borrowed */
    size_t next;        /* reservation, to be written if it is active */
    bool is_first;
};

/* Begins a picture: appends all but the reservations to `out`. */
void inventory_view_begin(struct inventory_view *picture, const struct product_state *state,
                          int64_t now_ms, struct strbuf *out);

/*
 * Appends at most `count` (> 0) reservations, and the end once all are written. *out_is_complete: that was done.
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE: the text is not whole, and never will be.
 */
enum status inventory_view_write(struct inventory_view *picture, size_t count,
                                 bool *out_is_complete) MUST_CHECK;

#endif
