/*
 * expiry_index.h - the table's own list of what falls due when: reconciliation reads it instead of the products.
 *
 * Vocabulary   bucket   the minute in which reservations expire, or the hour within which records are kept
 *              row      "something of this product falls into this bucket"; product_entity.h has its layout
 * Rules        A row is in the table before the commit that adds what it speaks of is sent. The commit writes the bucket into the product's
 *              row (indexed_due_ms, indexed_keep_ms), and while that stays the same no further row is needed: the busiest product
 *              costs one insert a minute, and one an hour for its records.
 *              A row without anything behind it is harmless: a visit that finds nothing, and then it is taken away. The converse
 *              must not be, so rows go last: after the reservations and the records that they speak of.
 *              A row for reservations goes once its minute has been over for EXPIRY_GRACE_MS. Until then a commit that was
 *              decided before the expiry can still be on its way, and it relies on the row; commits are given seconds.
 *              Should one come later even so, the product's due_ms tells all who use the product, and its next row brings reconciliation by.
 *              Records are kept for a day and more, so no commit under way can rely on a row of theirs that goes. Their bucket is found when
 *              the hour has ended: a record is purged at most that much late, and a product is visited once for an hour's records.
 * Cut off      between any two requests, nothing is lost:
 *                row inserted, no commit        a visit that finds nothing
 *                reservations released, row left   the same
 *                some records purged               the row is still there, and the next round purges the rest
 *                some rows taken away              the rest is found by the next round
 * Threads      The loop's.
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
    struct expiry_row
        *seen; /* the rows that the last find met, by product: so finish needs no query */
    size_t seen_count;
};

/* Borrows all of them, which must outlive it. */
void expiry_index_init(struct expiry_index *index, struct inventory_store *store,
                       struct storage_client *client, const char *table);
void expiry_index_cleanup(struct expiry_index *index);

/*
 * Gives the index rows that a commit of `state` as `after` needs, one with each call, until it
 * returns false. `at` is zero at first. `after` then says that the row is there. So if it cannot be
 * inserted, the commit must not be sent.
 */
bool expiry_index_next_row(const struct product_state *state, struct product *after, size_t *at,
                           struct expiry_row *out);

/*
 * Returns the minute in which a reservation expires. indexed_due_ms may be set to it once its row
 * is there.
 */
int64_t expiry_index_minute_ms(int64_t expires_ms);

/*
 * Inserts a row.
 * STATUS_ALREADY_EXISTS  it was there already; as good as STATUS_OK
 * STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_CONTAINER_NOT_FOUND, STATUS_NO_MEMORY
 */
void expiry_index_insert_start(struct expiry_index *index, struct table_call *call,
                               const struct expiry_row *row, int64_t deadline_ms, table_done done,
                               void *context);

/* A store's find_expired, in one query (a request for each 1,000 rows). */
void expiry_index_find(struct expiry_index *index, int64_t now_ms, struct product_ids *out,
                       inventory_store_done done, void *context);

/*
 * A store's clean_up_expired, for the rows that the last find met (others it leaves to the next one): a request for each 100 rows,
 * and, if there are rows for records among them, a query and a request for each 100 records.
 */
void expiry_index_clean_up(struct expiry_index *index, const char *product_id, int64_t now_ms,
                         int *out_records_deleted, inventory_store_done done, void *context);

#endif
