/*
 * table_read.h - reads a product and some of its rows from the table, as a snapshot of one version.
 *
 *     state             event                                          then
 *     READING_PAGES     one page has come                              CONFIRMING_TIME
 *                       several have come, from several moments        CHECKING_ETAG
 *     CHECKING_ETAG     the product's row has the ETag it had before   CONFIRMING_TIME
 *                       it has another, and there are tries left       READING_PAGES
 *                       it has another, and there are none             STATUS_PRECONDITION_FAILED
 *     CONFIRMING_TIME   storage's time is not in doubt                 done
 *                       one more answer has come, or none              done
 *
 * Any other failure ends the read with its status. CONFIRMING_TIME never fails: a read that leaves
 * the time in doubt is worth more than none.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_TABLE_READ_H
#define INVENTORY_TABLE_READ_H

#include "inventory/inventory_store_table.h"

/* The table store's read. */
void table_read(struct inventory_store *base, const char *product_id,
                const struct inventory_query *query, struct product_state *out,
                inventory_store_done done, void *context);

#endif
