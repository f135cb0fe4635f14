/*
 * expiry_cleanup.h - deletes many rows of one partition, as many at a time as storage allows.
 *
 * Other instances may delete the same rows. A row that is gone, or that was replaced since it was
 * listed, is skipped.
 *
 *     state      event                                          then
 *     LISTING    the expired records are listed                 DELETING the first
 *     DELETING   the rows are deleted                           DELETING the next
 *                one of several rows is gone or was replaced    DELETING them one by one
 *                a single row is gone or was replaced           DELETING the next; not counted
 *                storage is unavailable, and there is time      WAITING
 *     WAITING    the wait is over                               DELETING the same rows again
 *
 * The cleanup ends when no rows are left.
 *
 * Any other failure ends the cleanup with its status. Only expiry_cleanup_records_start begins with
 * LISTING.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_EXPIRY_CLEANUP_H
#define INVENTORY_EXPIRY_CLEANUP_H

#include <stddef.h>

#include "inventory/product_entity.h"
#include "storage/table_client.h"

struct expiry_cleanup_row {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    char etag[INVENTORY_ETAG_BYTES]; /* "*": delete it at any version */
};

/* A cleanup under way. Its owner must keep it until `done`. */
struct expiry_cleanup {
    /* Rows that this cleanup has certainly deleted. Valid in `done`, also after a failure. */
    int deleted_count;

    struct storage_client *client;
    const char *table;
    const char *partition_key;
    const struct expiry_cleanup_row *rows;
    size_t count;
    /* Rows before `next` need no more work. Rows before `single_until` are deleted one by one. */
    size_t next;
    size_t single_until;
    /* Of the request that deletes the next rows. */
    int64_t deadline_ms;
    int attempts;
    struct error failure;
    table_done done;
    void *context;
    struct table_call call;
    struct storage_operation wait;

    /* LISTING */
    struct strbuf filter;
    struct expiry_cleanup_row *listed;
    size_t listed_capacity;
};

/*
 * Deletes `count` rows (at least one) of one partition. All arguments are borrowed until `done`,
 * which is called as table_client.h says. STATUS_UNAVAILABLE, STATUS_CANCELLED, ...
 */
void expiry_cleanup_rows_start(struct expiry_cleanup *cleanup, struct storage_client *client,
                               const char *table, const char *partition_key,
                               const struct expiry_cleanup_row *rows, size_t count, table_done done,
                               void *context);

/*
 * Deletes the records of a product that have expired at `now_ms`, if there are any. Otherwise as
 * expiry_cleanup_rows_start.
 */
void expiry_cleanup_records_start(struct expiry_cleanup *cleanup, struct storage_client *client,
                                  const char *table, const char *product_id, int64_t now_ms,
                                  table_done done, void *context);

#endif
