/*
 * table_setup.h - prepares the table, and lets operators add and list products. It needs no
 * product's lease.
 *
 * Each operation is one of a store's (inventory_store.h): `done` is called once, never inside the
 * call that started it, and the operation cannot be abandoned.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_TABLE_SETUP_H
#define INVENTORY_TABLE_SETUP_H

#include "inventory/inventory_store_table.h"

/*
 * The table store's prepare. Creates a few seeds at a time. If this handler has not yet seen the
 * table, the first seed is created alone, and the table with it.
 * After a failure no further seed is begun, and those under way are finished. The next preparation,
 * which must have the same seeds, skips the seeds that exist by then. So a seed that was
 * deleted in between is not created again.
 */
void table_setup_prepare(struct inventory_store *base, const struct seed_product *seeds,
                         size_t count, inventory_store_done done, void *context);

/*
 * Adds a product for an operator, and the table if need be. If several calls add the same product
 * at once, one succeeds. `product` is borrowed until `done`.
 * STATUS_ALREADY_EXISTS       the product exists, and was not changed
 * STATUS_PRECONDITION_FAILED  other rows of it exist; nothing was changed, and `err` says what to
 *                             do
 * STATUS_UNAVAILABLE          the outcome is unknown: it was added once or not at all
 */
void table_setup_add(struct inventory_store_table *store, const struct seed_product *product,
                     inventory_store_done done, void *context);

/*
 * Receives one product's row, without its reservations, on the loop's thread. Any status but
 * STATUS_OK ends the list with that status.
 */
typedef enum status (*table_setup_visitor)(void *context, const struct product *product,
                                           struct error *err);

/*
 * Visits every product for an operator, in the order of ids. It reads the whole table, so it costs
 * time in proportion to all rows. A product whose row cannot be read is logged as an error, and
 * left out. `visit` and `done` receive the same `context`.
 * STATUS_CONTAINER_NOT_FOUND  there is no table
 * STATUS_UNAVAILABLE, STATUS_CANCELLED
 */
void table_setup_list(struct inventory_store_table *store, table_setup_visitor visit,
                      inventory_store_done done, void *context);

#endif
