/*
 * table_read.h - reads a product and some of its reservations from the table, as a snapshot.
 *
 * A query answers in pages, and pages come from several moments. They are a snapshot if the
 * product's row has the same ETag after the last page as it had in them, because every commit
 * changes it.
 *
 *     state             event                                            then
 *     READING_PAGES     the query has one page                           CONFIRMING_TIME
 *                       it has several                                   CHECKING_ETAG
 *     CHECKING_ETAG     the product's row has the same ETag              CONFIRMING_TIME
 *                       it has another, and there are tries left         READING_PAGES
 *                       it has another, and there are none               STATUS_PRECONDITION_FAILED
 *     CONFIRMING_TIME   storage's time is not in doubt                   ended
 *                       one more request has ended, well or badly        ended
 *
 * Any other failure ends the read with its status. CONFIRMING_TIME cannot fail: rows whose time is
 * in doubt are worth more than none.
 *
 * A visitor needs the time before it gets the first reservation. If it is in doubt then, the pages
 * are dropped: CONFIRMING_TIME comes first, and leads to READING_PAGES. Later answers cannot make
 * that moment wrong. Such a read may be of 100,000 rows, so its pages are small.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_TABLE_READ_H
#define INVENTORY_TABLE_READ_H

#include "inventory/inventory_store_table.h"

/* The table store's read (inventory_store.h). */
void table_read(struct inventory_store *base, const char *product_id,
                const struct inventory_query *query, struct product_state *out,
                inventory_store_done done, void *context);

#endif
