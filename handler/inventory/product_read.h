/*
 * product_read.h - reads a product and checks it against its rows, for all who sell from it or show
 * it.
 *
 * Rules        A row that contradicts its reservations is never sold from: it was made anew beside
 *              old rows, or edited by hand. A read in the middle of somebody's commit looks the
 *              same, so it is repeated a few times first.
 * Threads: any.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_PRODUCT_READ_H
#define INVENTORY_PRODUCT_READ_H

#include "inventory/inventory_store.h"

/*
 * A store's read, checked.
 * STATUS_MALFORMED   also: the rows contradict each other; `state` is empty, and `err` says what an
 *                    operator has to do
 * and those of inventory_store.h's read.
 */
enum status product_read(struct inventory_store *store, const char *product_id, const struct inventory_query *query,
                         struct product_state *state, struct error *err) MUST_CHECK;

#endif
