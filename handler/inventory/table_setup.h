/*
 * table_setup.h - makes the table ready, and lets operators add and list products. Works without
 * the products' leases.
 *
 * Threads  The loop's. Each operation is one of a store's (inventory_store.h): it is allocated when
 *          it starts, `done` is called once, never inside that call, and nothing can abandon it.
 */
#ifndef INVENTORY_TABLE_SETUP_H
#define INVENTORY_TABLE_SETUP_H

#include "inventory/inventory_store_table.h"

/*
 * The table store's prepare. A few seeds are created at once. The first is created alone if this
 * process has not seen the table, which is created with it if need be. After a failure no further
 * seed is begun, and those under way are finished. The next preparation, which must have the same
 * seeds, leaves out those that were created or met: what was seeded once is not seeded again.
 */
void table_setup_prepare(struct inventory_store *base, const struct seed_product *seeds,
                         size_t count, inventory_store_done done, void *context);

/*
 * Creates a product for an operator, and the table if need be. If several add the same product at
 * once, one succeeds. `product` is borrowed until `done`.
 * STATUS_ALREADY_EXISTS  it is there, and was not changed
 * STATUS_PRECONDITION_FAILED  other rows of it are there; nothing was changed, and `err` says what
 *                             to do
 * STATUS_UNAVAILABLE     nobody knows: it was added once or not at all
 */
void table_setup_add(struct inventory_store_table *store, const struct seed_product *product,
                     inventory_store_done done, void *context);

/*
 * Takes one product's row, without reservations, on the loop's thread. Any status but STATUS_OK
 * ends the list with it.
 */
typedef enum status (*table_setup_visitor)(void *context, const struct product *product,
                                           struct error *err);

/*
 * Visits every product for an operator, in the order of ids. Reads the table from end to end, so
 * the cost is in proportion to all its rows. A product whose row cannot be read is logged as an
 * error, and left out. `context` is the visitor's and that of `done`.
 * STATUS_CONTAINER_NOT_FOUND  there is no table
 * STATUS_UNAVAILABLE, STATUS_CANCELLED
 */
void table_setup_list(struct inventory_store_table *store, table_setup_visitor visit,
                      inventory_store_done done, void *context);

#endif
