/*
 * inventory_store.h - where products and reservations are kept, and what a commit promises.
 *
 * Rules        A commit is all or nothing, and only on the very version that was read: a holder that lost its lease unnoticed cannot
 *              overwrite what another has committed.
 *              Every change to a product but its creation is made with its lease in hand.
 * Threads: any.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_INVENTORY_STORE_H
#define INVENTORY_INVENTORY_STORE_H

#include "base/status.h"
#include "inventory/inventory.h"

/* A product that is created where it is absent. */
struct seed_product {
    char id[PRODUCT_ID_BYTES];
    int64_t total;
};

/* Which rows to read beside the product itself; those that expire at or before `until_ms` always come too. */
struct inventory_query {
    bool all;                   /* every row */
    const char *customer_id;    /* that customer's (NULL: none) */
    const char *reservation_id; /* that one (NULL: none) */
    int64_t until_ms;
};

/* One product in which something is due. Any status but STATUS_OK ends the search with it. */
typedef enum status (*inventory_product_visitor)(void *context, const char *product_id, struct error *err);

struct inventory_store {
    const struct inventory_store_ops *ops;
};

struct inventory_store_ops {
    /*
     * Makes the store usable: its table, and the seed products that are absent. Safe to repeat,
     * from several instances at once. A product of which other rows are there is logged as an
     * error, and not created.
     * STATUS_CONTAINER_NOT_FOUND  the store was there and is gone: it is not made again
     * STATUS_UNAVAILABLE, ...
     */
    enum status (*prepare)(struct inventory_store *store, const struct seed_product *seeds, size_t count,
                           struct error *err);

    /* Storage's time, ms since 1970. */
    int64_t (*now_ms)(struct inventory_store *store);

    /* A time that storage has reached for certain: now_ms, or earlier where there is doubt. What is deleted because its time is over is judged by it. */
    int64_t (*certain_ms)(struct inventory_store *store);

    /*
     * Reads a product with the rows of `query` into `state` (initialized; replaced), as one picture of one version.
     * STATUS_NOT_FOUND            there is no such product
     * STATUS_CONTAINER_NOT_FOUND  the store itself is gone, with all stock
     * STATUS_PRECONDITION_FAILED  it changed too often while its many rows were read: no picture could be taken
     * STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED (rows that cannot be read)
     */
    enum status (*read)(struct inventory_store *store, const char *product_id, const struct inventory_query *query,
                        struct product_state *state, struct error *err);

    /*
     * Reads the record under `key_hash` of a product.
     * STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED
     */
    enum status (*find_record)(struct inventory_store *store, const char *product_id, const char *key_hash,
                               struct idempotency_record *out, struct error *err);

    /*
     * Writes the product, its marked rows and the records as one transaction with the next version, starting nothing after
     * `deadline_ms` (on the clock). When the answer is lost it reads what happened. On STATUS_OK `state` is as this commit left it,
     * and can be committed again; else it must be read again, but for STATUS_ALREADY_EXISTS, which leaves it as it was.
     * STATUS_PRECONDITION_FAILED  the product has moved on; nothing was written
     * STATUS_ALREADY_EXISTS       one of the records is there already; nothing was written
     * STATUS_UNAVAILABLE          nobody knows: it happened once or not at all
     */
    enum status (*commit)(struct inventory_store *store, struct product_state *state, int64_t deadline_ms,
                          struct error *err);

    /*
     * Visits every product of which a reservation may have expired, or a record may be past its keeping time, at `now_ms`; each
     * once, in no particular order. Costs requests in proportion to those. Records may be found an hour late.
     */
    enum status (*find_due)(struct inventory_store *store, int64_t now_ms, inventory_product_visitor visit,
                            void *context, struct error *err);

    /*
     * All reservations of a product that had expired at `now_ms` have been taken away: takes away its records past their
     * keeping time, and what made find_due visit it. Needs no lease; safe to repeat, and to be cut off anywhere. Belongs
     * to the last find_due: what that did not meet is left for the next one.
     */
    enum status (*finish_due)(struct inventory_store *store, const char *product_id, int64_t now_ms,
                              int *out_records_purged, struct error *err);
};

#endif
