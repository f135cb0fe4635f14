/*
 * inventory_store.h - where products and reservations are kept, and what a commit promises.
 *
 * Rules    A commit is all or nothing, and succeeds only on the version that was read. So a holder
 *          that has lost its lease without noticing cannot overwrite what another has committed.
 *          Every change to a product but its creation is made with its lease in hand.
 *
 * Asynchronous operations: all but now_ms and certain_ms
 *          They belong to the loop's thread. Each starts something and returns at once. `done` is
 *          called once, on the loop's thread, as the operation's last act, and never inside the
 *          call that started it. Its `err` is never NULL.
 *          Strings, queries, states and outputs are borrowed until `done`. A failure leaves outputs
 *          untouched, but for `out` of a read, which is empty then.
 *          An operation cannot be abandoned. It ends by its own deadlines, or when the storage
 *          client is cancelled or released: with STATUS_CANCELLED, but a commit that may have been
 *          sent with STATUS_UNAVAILABLE. Each may also end with STATUS_NO_MEMORY or
 *          STATUS_UNAUTHORIZED. The correlation that is current at the start must stay valid until
 *          `done`. inventory_store_wait.h has some of them for threads that wait.
 *
 * Threads  now_ms and certain_ms answer at once, on any thread.
 */
#ifndef INVENTORY_INVENTORY_STORE_H
#define INVENTORY_INVENTORY_STORE_H

#include "base/status.h"
#include "http/platform.h"
#include "inventory/inventory.h"

/* A product that is created where it is absent. */
struct seed_product {
    char id[PRODUCT_ID_BYTES];
    int64_t total;
};

/*
 * Which rows to read beside the product's own. Those that expire at or before `until_ms` are always
 * among them.
 */
struct inventory_query {
    bool all;                   /* every row; the rest does not matter then */
    const char *customer_id;    /* that customer's (NULL: none) */
    const char *reservation_id; /* that one (NULL: none) */
    int64_t until_ms;
    int limit;       /* so many of the customer's rows that expire later are enough; 0: all */
    bool later_only; /* rows that expire at or before until_ms are left out */
};

/* Products, each once. */
struct product_ids {
    char (*ids)[PRODUCT_ID_BYTES]; /* the owner's (free) */
    size_t count;
};

typedef void (*inventory_store_done)(void *context, enum status status, const struct error *err);

/*
 * So many operations can find no memory in one round of the loop. At most 256 requests are in hand,
 * and each starts at most two operations in a round; the rest is for reconciliation.
 */
enum { STORE_REFUSALS = 640 };

/*
 * Operations that found no memory. Their owners are told in the loop's next round
 * (store_operation.h).
 */
struct store_refusals {
    struct loop_task task;
    size_t count;
    struct store_refusal {
        inventory_store_done done;
        void *context;
    } items[STORE_REFUSALS];
};

struct inventory_store {
    const struct inventory_store_ops *ops;
    const struct platform *platform;
    struct store_refusals refused;
};

struct inventory_store_ops {
    /*
     * Makes the store usable: its table, and the seed products that are absent. Safe to repeat,
     * from several instances at once, but one store has one preparation under way. A product of
     * which other rows are there is logged as an error, and not created. Seeds are borrowed until
     * `done`.
     * STATUS_CONTAINER_NOT_FOUND  the store was there and is gone: it is not made again
     * STATUS_UNAVAILABLE, STATUS_CANCELLED, ...: some of it may have been done
     */
    void (*prepare)(struct inventory_store *store, const struct seed_product *seeds, size_t count,
                    inventory_store_done done, void *context);

    /* Storage's time, ms since 1970. */
    int64_t (*now_ms)(struct inventory_store *store);

    /*
     * A time that storage has certainly reached: now_ms, or earlier where there is doubt. It
     * decides what is deleted because its time is over.
     */
    int64_t (*certain_ms)(struct inventory_store *store);

    /*
     * Reads a product with the rows of `query` into `out` (initialized; what it held is replaced),
     * as a snapshot of one version. Its complete_until_ms is the query's until_ms; INT64_MAX with
     * `all`, and 0 with `later_only`.
     * STATUS_NOT_FOUND            there is no such product
     * STATUS_CONTAINER_NOT_FOUND  the store itself is gone, with all stock
     * STATUS_PRECONDITION_FAILED  it changed too often while its many rows were read
     * STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED (rows that cannot be read)
     */
    void (*read)(struct inventory_store *store, const char *product_id,
                 const struct inventory_query *query, struct product_state *out,
                 inventory_store_done done, void *context);

    /*
     * Reads the record under `key_hash` of a product.
     * STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED
     */
    void (*find_record)(struct inventory_store *store, const char *product_id, const char *key_hash,
                        struct idempotency_record *out, inventory_store_done done, void *context);

    /*
     * Writes the product, its marked rows and the records as one transaction with the next version.
     * Nothing is sent after `deadline_ms` (on the client's clock) but the question what happened,
     * when an answer was lost; that may take STORAGE_DEADLINE_MS longer. `state` must not change
     * meanwhile. On STATUS_OK `state` is as this commit left it, and can be committed again.
     * STATUS_ALREADY_EXISTS leaves it as it was. After any other status it must be read again.
     * STATUS_PRECONDITION_FAILED  the product has moved on; nothing was written
     * STATUS_ALREADY_EXISTS       one of the records is there already; nothing was written
     * STATUS_UNAVAILABLE          nobody knows: it happened once or not at all
     */
    void (*commit)(struct inventory_store *store, struct product_state *state, int64_t deadline_ms,
                   inventory_store_done done, void *context);

    /*
     * Makes find_expired visit the product once a reservation that expires at `expires_ms` has expired.
     * A commit that adds such a reservation does this first, unless its product's indexed_due_ms
     * says that it was done. So whoever calls this ahead, for example while the lease is acquired,
     * spares the commit a round trip: set state.product.indexed_due_ms to *out_indexed_due_ms
     * before the commit. The product need not have been read.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED: it need not be repeated;
     * the commit does it
     */
    void (*index_expiry)(struct inventory_store *store, const char *product_id, int64_t expires_ms,
                         int64_t *out_indexed_due_ms, inventory_store_done done, void *context);

    /*
     * Tells all instances that somebody waits for this product's lease. Safe to repeat.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED
     */
    void (*announce_wait)(struct inventory_store *store, const char *product_id,
                          inventory_store_done done, void *context);

    /*
     * Reads when that was announced last, in storage's time (as now_ms). 0: never.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED
     */
    void (*read_wait)(struct inventory_store *store, const char *product_id,
                      int64_t *out_announced_ms, inventory_store_done done, void *context);

    /*
     * Finds every product of which a reservation may have expired at `now_ms`, or a record may be
     * past its keeping time. They come in no particular order. The number of requests is in
     * proportion to those products. Records may be found an hour late.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED
     */
    void (*find_expired)(struct inventory_store *store, int64_t now_ms, struct product_ids *out,
                         inventory_store_done done, void *context);

    /*
     * To be called when all reservations of a product that had expired at `now_ms` have been
     * removed. Deletes its records past their keeping time, and what made find_expired find it. Needs
     * no lease; safe to repeat, and to be cut off anywhere. Deletes only what the last find_expired
     * met.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED
     */
    void (*clean_up_expired)(struct inventory_store *store, const char *product_id, int64_t now_ms,
                             int *out_records_purged, inventory_store_done done, void *context);
};

#endif
