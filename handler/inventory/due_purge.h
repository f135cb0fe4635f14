/*
 * due_purge.h - takes rows away that nobody needs any more, as many at a time as storage allows.
 *
 * Others may be at the same rows: one that is gone, or is not the one that was seen, is passed over.
 * Threads: any.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_DUE_PURGE_H
#define INVENTORY_DUE_PURGE_H

#include <stddef.h>

#include "inventory/product_entity.h"
#include "storage/storage_request.h"

struct due_purge_row {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    char etag[INVENTORY_ETAG_BYTES]; /* "*": whatever it is */
};

/* Deletes rows of one partition; adds to *deleted those of which it is sure. STATUS_UNAVAILABLE, STATUS_CANCELLED, ... */
enum status due_purge_rows(struct storage_client *client, const char *table, const char *partition_key,
                           const struct due_purge_row *rows, size_t count, int *deleted, struct error *err) MUST_CHECK;

/* Deletes the records of a product that are kept until `now_ms` or less; the same. */
enum status due_purge_records(struct storage_client *client, const char *table, const char *product_id, int64_t now_ms,
                              int *deleted, struct error *err) MUST_CHECK;

#endif
