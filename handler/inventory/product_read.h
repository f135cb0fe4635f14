/*
 * product_read.h - reads a product and checks it against its rows, for all who sell from it or show
 * it.
 *
 * Rules        A row that contradicts its reservations is never sold from: it was made anew beside
 *              old rows, or edited by hand. A read in the middle of somebody's commit looks the
 *              same, so it is repeated a few times first.
 * Threads: the loop's.
 */
#ifndef INVENTORY_PRODUCT_READ_H
#define INVENTORY_PRODUCT_READ_H

#include "inventory/inventory_store.h"

/*
 * inventory_store.h's read, with its rules and statuses, and a check of what was read.
 * STATUS_MALFORMED   also if the rows contradict each other; `err` says what an operator has to do
 */
void product_read(struct inventory_store *store, const char *product_id,
                  const struct inventory_query *query, struct product_state *out,
                  inventory_store_done done, void *context);

#endif
