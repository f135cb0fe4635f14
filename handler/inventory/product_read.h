/*
 * product_read.h - reads a product and checks it against its reservations. Whoever sells from a
 * product, or answers what it has, reads it here. leasectl's list reads products without the check.
 *
 * A product that contradicts its reservations is never sold from: it was created anew beside old
 * rows, or edited by hand. A read in the middle of another commit looks the same. So the read is
 * repeated a few times before it fails.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_PRODUCT_READ_H
#define INVENTORY_PRODUCT_READ_H

#include "inventory/inventory_store.h"

/*
 * A store's read, with its rules and statuses (inventory_store.h), and the check.
 * STATUS_MALFORMED  also if the rows contradict each other; `err` says what an operator has to do
 */
void product_read(struct inventory_store *store, const char *product_id,
                  const struct inventory_query *query, struct product_state *out,
                  inventory_store_done done, void *context);

#endif
