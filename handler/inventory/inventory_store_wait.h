/*
 * inventory_store_wait.h - operations of a store, for threads that wait until they end. leasectl
 * uses them.
 *
 * Statuses and outputs are those of inventory_store.h and table_setup.h. `err` may be NULL.
 *
 * Threads  Any but the loop's.
 */
#ifndef INVENTORY_INVENTORY_STORE_WAIT_H
#define INVENTORY_INVENTORY_STORE_WAIT_H

#include "inventory/inventory_store.h"
#include "inventory/table_setup.h"

/* A store's read. */
enum status inventory_store_read_and_wait(struct inventory_store *store, const char *product_id,
                                          const struct inventory_query *query,
                                          struct product_state *out, struct error *err) MUST_CHECK;

/* table_setup_add. */
enum status inventory_store_add_and_wait(struct inventory_store_table *store,
                                         const struct seed_product *product,
                                         struct error *err) MUST_CHECK;

/* table_setup_list. `visit` is called on the loop's thread. */
enum status inventory_store_list_and_wait(struct inventory_store_table *store,
                                          table_setup_visitor visit, void *context,
                                          struct error *err) MUST_CHECK;

#endif
