/* inventory_adds_up.h - whether a product's numbers agree with its reservations. */
#ifndef SUPPORT_INVENTORY_ADDS_UP_H
#define SUPPORT_INVENTORY_ADDS_UP_H

#include "inventory/product_state.h"

/* Returns true if product.available and all reservations make the total. All rows are in memory. */
static inline bool inventory_adds_up(const struct product_state *state) {
    return state->product.available + state->reservations.units == state->product.total;
}

#endif
