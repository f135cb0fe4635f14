/*
 * expiry_index.h - the table's index of expiries. Reconciliation finds what has expired without
 * reading the products.
 *
 * Vocabulary
 *   expiry row   a row of the index (product_entity.h). It says that reservations of a product
 *                expire in a certain minute, or that records of it expire in a certain hour.
 *   visit        what reconciliation does with a product that the index names
 *
 * Rules
 *   An expiry row is in the table before the commit that it is for is sent. A stale row costs one
 *   visit that finds nothing; a missing row loses an expiry. For the same reason a row is deleted
 *   last, after the reservations and records that it is for.
 *   The product's row says which expiry rows were written last (indexed_due_ms, indexed_keep_ms).
 *   While they stay the same, a commit needs no further row. So the busiest product costs one
 *   insert a minute for its reservations, and one an hour for its records.
 *   An extended reservation gets the row of its new minute. The row of its old one is stale, and
 *   costs a visit that finds the reservation active.
 *   A row for reservations is deleted EXPIRY_GRACE_MS after the end of its minute. Until then a
 *   commit that was decided before the expiry, and relies on the row, may still be on its way.
 *   A commit has a deadline of seconds. Should one arrive even after the grace time, the product's
 *   due_ms still shows the expired reservation, and the next expiry row brings a visit.
 *   A row for records is found, and deleted, when its hour has ended. Records are kept for a day
 *   and more, so no commit that is under way can rely on such a row. A record is deleted up to an
 *   hour late, and one visit deletes all records of an hour.
 *
 * Interruptions. Nothing is lost if the process ends between two requests:
 *   after a row was inserted, before its commit     the row costs a visit that finds nothing
 *   after reservations were removed, before the row  the same
 *   after some records were deleted                  the row still exists; the next round goes on
 *   after some rows were deleted                     the next round finds the others
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_EXPIRY_INDEX_H
#define INVENTORY_EXPIRY_INDEX_H

#include "inventory/inventory_store.h"
#include "inventory/product_entity.h"
#include "storage/table_client.h"

enum { EXPIRY_GRACE_MS = 2 * 60 * 1000 };

struct expiry_index {
    struct inventory_store *store; /* whose operations these are */
    struct storage_client *client;
    const char *table;
    /*
     * The rows of the last find_expired, sorted by product. Their keys sort by time, so no query
     * could find a product's rows without reading all the others.
     */
    struct expiry_row *found;
    size_t found_count;
};

/* All arguments are borrowed, and must outlive the index. */
void expiry_index_init(struct expiry_index *index, struct inventory_store *store,
                       struct storage_client *client, const char *table);
void expiry_index_cleanup(struct expiry_index *index);

/* Returns the minute in which a reservation expires: the time_ms of its expiry row. */
int64_t expiry_index_minute_ms(int64_t expires_ms);

/*
 * Finds the next expiry row to insert before `state` is committed. Returns false if there is none
 * left. `at` is the cursor: 0 before the first call.
 * Marks the row as written in `after`, the product as the commit leaves it (indexed_due_ms or
 * indexed_keep_ms). So the commit may be sent only if the row was inserted.
 */
bool expiry_index_next_row(const struct product_state *state, struct product *after, size_t *at,
                           struct expiry_row *out);

/*
 * Inserts a row.
 * STATUS_ALREADY_EXISTS  as good as STATUS_OK
 * STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_CONTAINER_NOT_FOUND, STATUS_NO_MEMORY
 */
void expiry_index_insert_start(struct expiry_index *index, struct table_call *call,
                               const struct expiry_row *row, int64_t deadline_ms, table_done done,
                               void *context);

/* A store's find_expired. Costs one request for each 1,000 rows. */
void expiry_index_find_expired(struct expiry_index *index, int64_t now_ms, struct product_ids *out,
                               inventory_store_done done, void *context);

/*
 * A store's clean_up_expired, for the rows of the last find_expired. Costs one request for each 100
 * expiry rows. If rows for records are among them, it also costs one query, and one request for
 * each 100 records.
 */
void expiry_index_clean_up_expired(struct expiry_index *index, const char *product_id,
                                   int64_t now_ms, int *out_records_deleted,
                                   inventory_store_done done, void *context);

#endif
