/*
 * inventory_store.h - the interface of a store: where products and reservations are kept.
 *
 * There are two stores: the table (inventory_store_table.h) and memory (inventory_store_memory.h).
 *
 * Vocabulary
 *   version    counts the commits of a product. Each stored version also has an ETag.
 *   record     an idempotency record: the stored answer to a request with an Idempotency-Key
 *   snapshot   the rows of one read, as they were at one version of the product
 *   expired    of a reservation: its time is over, and its units are available again. Of a record:
 *              the time for which it must be kept is over
 *
 * Rules
 *   A commit is all or nothing. It succeeds only on the version that was read. A holder that has
 *   lost its lease without noticing therefore cannot overwrite another's commit.
 *   Only the holder of a product's lease changes its row, changes its reservations or adds records.
 *   To create a product, to delete expired records and to write other partitions needs no lease.
 *
 * Asynchronous operations (all but now_ms and certain_ms)
 *   They are called on the loop's thread. Each starts something and returns at once.
 *   `done` is called once, on the loop's thread, as the operation's last act. It is never called
 *   inside the call that started the operation. Its `err` is never NULL.
 *   Strings, queries, states and outputs are borrowed until `done`. A failure leaves outputs
 *   untouched, with one exception: `out` of a failed read is empty.
 *   An operation cannot be abandoned. At its deadline it ends with STATUS_UNAVAILABLE. If the
 *   storage client is cancelled or cleaned up, it ends with STATUS_CANCELLED. A commit that has
 *   begun its transaction ends with STATUS_UNAVAILABLE instead.
 *   Every operation may also end with STATUS_NO_MEMORY or STATUS_UNAUTHORIZED.
 *   The correlation that is current at the start must stay valid until `done`.
 *   inventory_store_wait.h offers some operations to threads that wait.
 *
 * Threads
 *   now_ms and certain_ms answer at once, on any thread.
 */
#ifndef INVENTORY_INVENTORY_STORE_H
#define INVENTORY_INVENTORY_STORE_H

#include "base/status.h"
#include "http/platform.h"
#include "inventory/inventory.h"

/*
 * Receives the reservations of a read one by one, so that nobody has to hold all of them. The
 * callbacks are called on the loop's thread.
 */
struct reservation_visitor {
    /*
     * A try of the read begins. What was visited before is void, because the product has changed
     * meanwhile. `now_ms` is storage's time, at which the product was as this try shows it. It is
     * not after the query's until_ms, unless all rows are read: some that expire later are missing.
     */
    void (*begin)(struct reservation_visitor *visitor, int64_t now_ms);

    /*
     * Receives one reservation. It and the customer's id are borrowed for the call. Any status but
     * STATUS_OK ends the read with that status.
     */
    enum status (*visit)(struct reservation_visitor *visitor, const struct reservation *row,
                         const char *customer_id, struct error *err);

    /* The store's: the units in the reservations that this try has visited. */
    int64_t units;
};

/* A product to create if it is absent. */
struct seed_product {
    char id[PRODUCT_ID_BYTES];
    int64_t total;
};

/*
 * Which reservations to read with a product. It selects those that expire at or before `until_ms`,
 * and in addition those of `customer_id` and the one called `reservation_id`.
 */
struct inventory_query {
    /* NULL: no customer. */
    const char *customer_id;
    /* NULL: no single reservation. */
    const char *reservation_id;
    int64_t until_ms;
    /*
     * The read may stop when it has this many of the customer's reservations that expire after
     * until_ms: those that expire first, and perhaps others. 0: it takes all of them. Only with a
     * customer_id.
     */
    int limit;
    /* Selects every reservation. Nothing else but the visitor matters then. */
    bool all;
    /* Leaves out the reservations that expire at or before until_ms, except reservation_id's. */
    bool later_only;
    /*
     * Receives the reservations, and `out` gets none. NULL: they go to `out`. The rest of `out` is
     * the same in both cases.
     */
    struct reservation_visitor *visitor;
};

/* Returns the time that a visitor of the query is told at `now_ms`. */
static inline int64_t inventory_query_moment_ms(const struct inventory_query *query,
                                                int64_t now_ms) {
    return query->all || now_ms < query->until_ms ? now_ms : query->until_ms;
}

/* A set of product ids, each listed once. */
struct product_ids {
    char (*ids)[PRODUCT_ID_BYTES]; /* the owner frees it */
    size_t count;
};

typedef void (*inventory_store_done)(void *context, enum status status, const struct error *err);

/*
 * The most operations that can fail to start in one round of the loop. main.c takes at most
 * MAX_IN_HAND (256) requests at once, and each starts at most two operations in a round. main.c
 * asserts that there is room for these. The rest is for reconciliation.
 */
enum { STORE_MAX_FAILED_STARTS = 640 };

/*
 * Operations for which there was no memory. Their owners are notified in the loop's next round
 * (store_operation.h). The room for them is part of the store, because memory is what is missing.
 */
struct store_failed_starts {
    struct loop_task task;
    size_t count;
    struct store_failed_start {
        inventory_store_done done;
        void *context;
    } items[STORE_MAX_FAILED_STARTS];
};

struct inventory_store {
    const struct inventory_store_ops *ops;
    const struct platform *platform;
    struct store_failed_starts failed_starts;
};

struct inventory_store_ops {
    /*
     * Makes the store usable: creates its table, and the seed products that are absent. Several
     * handlers may do this at once, and it may be repeated. One store has one preparation under
     * way at a time. `seeds` is borrowed until `done`.
     * A product whose own row is missing while other rows of it exist is logged as an error, and
     * not created.
     * STATUS_CONTAINER_NOT_FOUND  this handler has seen the table before, and it is gone; it is not
     *                             created again
     * STATUS_UNAVAILABLE, STATUS_CANCELLED, ...  part of it may have been done
     */
    void (*prepare)(struct inventory_store *store, const struct seed_product *seeds, size_t count,
                    inventory_store_done done, void *context);

    /* Returns storage's time, in milliseconds since 1970. */
    int64_t (*now_ms)(struct inventory_store *store);

    /*
     * Returns a time that storage has certainly reached: now_ms, or an earlier time while now_ms is
     * in doubt. Rows are deleted by this time, because a deletion cannot be undone.
     */
    int64_t (*certain_ms)(struct inventory_store *store);

    /*
     * Reads a product and the reservations of `query` into `out`, as a snapshot. `out` is
     * initialized; what it held is replaced. Its complete_until_ms becomes the query's until_ms,
     * INT64_MAX with `all`, or 0 with `later_only`. A visitor gets the reservations in about the
     * order in which they expire.
     * STATUS_NOT_FOUND            the product does not exist
     * STATUS_CONTAINER_NOT_FOUND  the table is gone, with all stock
     * STATUS_PRECONDITION_FAILED  the product changed too often while its many rows were read
     * STATUS_MALFORMED            a row cannot be read
     * STATUS_UNAVAILABLE, STATUS_CANCELLED, and the visitor's own
     */
    void (*read)(struct inventory_store *store, const char *product_id,
                 const struct inventory_query *query, struct product_state *out,
                 inventory_store_done done, void *context);

    /*
     * Reads the record that a product has under `key_hash`.
     * STATUS_NOT_FOUND  there is no such record
     * STATUS_MALFORMED  it cannot be read
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED
     */
    void (*find_record)(struct inventory_store *store, const char *product_id, const char *key_hash,
                        struct idempotency_record *out, inventory_store_done done, void *context);

    /*
     * Writes the product, its marked reservations and its new records in one transaction. The
     * version grows by one. `state` must not change until `done`.
     * `deadline_ms` is a time on the clock (base/clock.h now_ms). No attempt to write starts after
     * it. If an answer was lost, storage is asked for the outcome; this may take
     * STORAGE_DEADLINE_MS longer.
     * STATUS_OK                   `state` is as committed, and can be changed and committed again.
     *                             If its ETag is "", others have committed since: read it again
     *                             before the next commit
     * STATUS_ALREADY_EXISTS       one of the records already exists; nothing was written, and
     *                             `state` is unchanged
     * After any other status `state` must be read again:
     * STATUS_PRECONDITION_FAILED  another commit came first; nothing was written
     * STATUS_UNAVAILABLE          the outcome is unknown: it was committed once or not at all
     * STATUS_CONTAINER_NOT_FOUND  the table is gone, with all stock
     * STATUS_CANCELLED            the storage client was cancelled before the transaction was begun
     * any other                   storage rejected it, or it was not sent; nothing was written
     */
    void (*commit)(struct inventory_store *store, struct product_state *state, int64_t deadline_ms,
                   inventory_store_done done, void *context);

    /*
     * Lets find_expired find the product after `expires_ms`, when a reservation has expired. A
     * commit that adds or extends a reservation does this first, unless its product's
     * indexed_due_ms says that it is done. A caller can do it earlier, for example while it
     * acquires the lease, and so save the commit a round trip. It then sets
     * state.product.indexed_due_ms to *out_indexed_due_ms before the commit. The product need not
     * have been read. After a failure it need not be repeated, because the commit does it.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED
     */
    void (*index_expiry)(struct inventory_store *store, const char *product_id, int64_t expires_ms,
                         int64_t *out_indexed_due_ms, inventory_store_done done, void *context);

    /*
     * Announces to all handlers that this one waits for the product's lease. Safe to repeat.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED
     */
    void (*announce_wait)(struct inventory_store *store, const char *product_id,
                          inventory_store_done done, void *context);

    /*
     * Reads the time of the last announcement, in storage's time (as now_ms). 0: there was none.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED
     */
    void (*read_wait)(struct inventory_store *store, const char *product_id,
                      int64_t *out_announced_ms, inventory_store_done done, void *context);

    /*
     * Lists every product that may have an expired reservation or record at `now_ms`, in no
     * particular order. Records may be found up to an hour late. The number of requests is in
     * proportion to the products listed, not to all products.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED
     */
    void (*find_expired)(struct inventory_store *store, int64_t now_ms, struct product_ids *out,
                         inventory_store_done done, void *context);

    /*
     * Deletes a product's expired records, and the index rows through which find_expired found the
     * product. Call it after all reservations that had expired at `now_ms` were removed. It covers
     * only what the last find_expired has found. It needs no lease, and is safe to repeat and to
     * interrupt at any point.
     * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_MALFORMED
     */
    void (*clean_up_expired)(struct inventory_store *store, const char *product_id, int64_t now_ms,
                             int *out_records_deleted, inventory_store_done done, void *context);
};

#endif
