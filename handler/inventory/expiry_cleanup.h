/*
 * expiry_cleanup.h - takes rows away that nobody needs any more, as many at a time as storage allows.
 *
 * Others may be at the same rows: one that is gone, or is not the one that was seen, is passed
 * over.
 *
 *     state      event                                        then
 *     FINDING    the records are listed                       DELETING; with none: done
 *     DELETING   the rows are gone                            DELETING the next; with none: done
 *                one of several is not the one that was seen  DELETING them one by one
 *                a single row is not the one that was seen    as if it were gone, but not counted
 *                storage is unavailable, and there is time    WAITING
 *     WAITING    the wait is over                             DELETING the same again
 *
 * Any other failure ends it with its status. Only expiry_cleanup_records_start begins with FINDING.
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
    char etag[INVENTORY_ETAG_BYTES]; /* "*": whatever it is */
};

/* A purge under way. Its owner must keep it until `done`. */
struct expiry_cleanup {
    int deleted; /* rows of which it is sure; readable in `done`, also after a failure */

    struct storage_client *client;
    const char *table;
    const char *partition_key;
    const struct expiry_cleanup_row *rows;
    size_t count;
    size_t at;           /* rows before it are done */
    size_t singly_until; /* rows before it are deleted one by one */
    int64_t deadline_ms; /* of the rows that are being deleted */
    int attempts;        /* at these */
    struct error failure;
    table_done done;
    void *context;
    struct table_call call;
    struct storage_operation wait;

    /* FINDING */
    struct strbuf filter;
    struct expiry_cleanup_row *found;
    size_t found_capacity;
};

/*
 * Deletes `count` rows (at least one) of one partition. All arguments are borrowed until `done`,
 * which is called as table_client.h says. STATUS_UNAVAILABLE, STATUS_CANCELLED, ...
 */
void expiry_cleanup_rows_start(struct expiry_cleanup *purge, struct storage_client *client,
                               const char *table, const char *partition_key,
                               const struct expiry_cleanup_row *rows, size_t count, table_done done,
                               void *context);

/*
 * Deletes the records of a product that are kept until `now_ms` or less, if there are any; the
 * same.
 */
void expiry_cleanup_records_start(struct expiry_cleanup *purge, struct storage_client *client,
                                  const char *table, const char *product_id, int64_t now_ms,
                                  table_done done, void *context);

#endif
