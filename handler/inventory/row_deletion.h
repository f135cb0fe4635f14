/*
 * row_deletion.h - deletes many rows of one partition, as many at a time as storage allows.
 *
 * Other handlers may delete the same rows. A row that is gone, or that was replaced since it was
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
 * The deletion ends when no rows are left. Any other failure ends it with its status. Only
 * row_deletion_start_expired_records begins with LISTING.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_ROW_DELETION_H
#define INVENTORY_ROW_DELETION_H

#include <stddef.h>

#include "inventory/product_entity.h"
#include "storage/table_client.h"

struct row_to_delete {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    char etag[INVENTORY_ETAG_BYTES]; /* "*": delete it at any version */
};

/* A deletion under way. Its owner must keep it until `done`. */
struct row_deletion {
    /* Rows that this deletion has certainly deleted. Valid in `done`, also after a failure. */
    int deleted_count;

    struct storage_client *client;
    const char *table;
    const char *partition_key;
    const struct row_to_delete *rows;
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
    struct row_to_delete *listed;
    size_t listed_capacity;
};

/*
 * Deletes `count` rows (at least one) of one partition. All arguments are borrowed until `done`,
 * which is called as table_client.h says. STATUS_UNAVAILABLE, STATUS_CANCELLED, ...
 */
void row_deletion_start(struct row_deletion *deletion, struct storage_client *client,
                        const char *table, const char *partition_key,
                        const struct row_to_delete *rows, size_t count, table_done done,
                        void *context);

/*
 * Deletes the records of a product that have expired at `now_ms`, if there are any. Otherwise as
 * row_deletion_start.
 */
void row_deletion_start_expired_records(struct row_deletion *deletion,
                                        struct storage_client *client, const char *table,
                                        const char *product_id, int64_t now_ms, table_done done,
                                        void *context);

#endif
