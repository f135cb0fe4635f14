/*
 * table_setup.h - creates and lists products in the table, without their leases: the seeds at
 * start, and for operators.
 *
 * Rules    A product is created only in a partition without rows. Beside reservations of an earlier
 *          life it would sell their units again. No transaction can check that a partition is
 *          empty, so it is queried first. Rows that come between the query and the insert are found
 *          by product_read.h's check, when the product is first used. The table is created only by
 *          a process that has never seen it. When it disappears, its stock is lost, and must not
 *          come back as if unsold.
 * Threads  Those that may wait for storage, never the loop's.
 */
#ifndef INVENTORY_TABLE_SETUP_H
#define INVENTORY_TABLE_SETUP_H

#include "inventory/inventory_store_table.h"

/* inventory_store.h's prepare. */
enum status table_setup_prepare(struct inventory_store_table *store, const struct seed_product *seeds, size_t count,
                                struct error *err) MUST_CHECK;

/*
 * Creates a product for an operator, and the table if need be. If several add the same product at
 * once, one succeeds.
 * STATUS_ALREADY_EXISTS  it is there, and was not changed
 * STATUS_PRECONDITION_FAILED  other rows of it are there; nothing was changed, and `err` says what
 *                             to do
 * STATUS_UNAVAILABLE     nobody knows: it was added once or not at all
 */
enum status table_setup_add(struct inventory_store_table *store, const struct seed_product *product,
                            struct error *err) MUST_CHECK;

/* Takes one product's row, without reservations. Any status but STATUS_OK ends the list with it. */
typedef enum status (*table_setup_visitor)(void *context, const struct product *product, struct error *err);

/*
 * Visits every product for an operator, in the order of ids. Reads the table from end to end, so
 * the cost is in proportion to all its rows. A product whose row cannot be read is logged as an
 * error, and left out.
 * STATUS_CONTAINER_NOT_FOUND  there is no table
 * STATUS_UNAVAILABLE, STATUS_CANCELLED
 */
enum status table_setup_list(struct inventory_store_table *store, table_setup_visitor visit, void *context,
                             struct error *err) MUST_CHECK;

#endif
