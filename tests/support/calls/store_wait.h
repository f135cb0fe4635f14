/*
 * store_wait.h - the asynchronous operations of a store that only tests wait for the end of. The
 * others are inventory_store_wait.h's.
 *
 * Statuses and outputs are inventory_store.h's. `err` may be NULL.
 *
 * Threads: any but the loop's.
 */
#ifndef SUPPORT_STORE_WAIT_H
#define SUPPORT_STORE_WAIT_H

#include "http/loop_call.h"
#include "inventory/inventory_store_wait.h"

/* One operation and its arguments, on the stack of the thread that waits. */
struct store_wait {
    struct loop_call call;
    struct inventory_store *store;
    const struct seed_product *seeds;
    size_t seed_count;
    const char *product_id;
    const char *key_hash;
    struct idempotency_record *out_record;
    struct product_state *state;
    int64_t time_ms; /* commit: the deadline; find_expired, clean_up_expired: now */
    struct product_ids *out_products;
    int *out_count;
    enum status status;
    struct error failure;
};

static inline void store_wait_end(void *context, enum status status, const struct error *err) {
    struct store_wait *wait = context;
    wait->status = status;
    wait->failure = *err;
    loop_call_end(&wait->call);
}

static inline enum status store_wait_run(struct store_wait *wait, void (*begin)(void *context),
                                         struct error *err) {
    loop_call_run(&wait->call, wait->store->platform->loop, begin, wait);
    if (wait->status != STATUS_OK && err != NULL) {
        *err = wait->failure;
    }
    return wait->status;
}

static inline void begin_prepare_and_wait(void *context) {
    struct store_wait *own = context;
    own->store->ops->prepare(own->store, own->seeds, own->seed_count, store_wait_end, own);
}

MUST_CHECK static inline enum status
inventory_store_prepare_and_wait(struct inventory_store *store, const struct seed_product *seeds,
                                 size_t count, struct error *err) {
    struct store_wait wait = {.store = store, .seeds = seeds, .seed_count = count};
    return store_wait_run(&wait, begin_prepare_and_wait, err);
}

static inline void begin_find_record_and_wait(void *context) {
    struct store_wait *own = context;
    own->store->ops->find_record(own->store, own->product_id, own->key_hash, own->out_record,
                                 store_wait_end, own);
}

MUST_CHECK static inline enum status
inventory_store_find_record_and_wait(struct inventory_store *store, const char *product_id,
                                     const char *key_hash, struct idempotency_record *out,
                                     struct error *err) {
    struct store_wait wait = {
        .store = store, .product_id = product_id, .key_hash = key_hash, .out_record = out};
    return store_wait_run(&wait, begin_find_record_and_wait, err);
}

static inline void begin_commit_and_wait(void *context) {
    struct store_wait *own = context;
    own->store->ops->commit(own->store, own->state, own->time_ms, store_wait_end, own);
}

MUST_CHECK static inline enum status inventory_store_commit_and_wait(struct inventory_store *store,
                                                                     struct product_state *state,
                                                                     int64_t deadline_ms,
                                                                     struct error *err) {
    struct store_wait wait = {.store = store, .state = state, .time_ms = deadline_ms};
    return store_wait_run(&wait, begin_commit_and_wait, err);
}

static inline void begin_find_due_and_wait(void *context) {
    struct store_wait *own = context;
    own->store->ops->find_expired(own->store, own->time_ms, own->out_products, store_wait_end, own);
}

MUST_CHECK static inline enum status
inventory_store_find_expired_and_wait(struct inventory_store *store, int64_t now_ms,
                                      struct product_ids *out, struct error *err) {
    struct store_wait wait = {.store = store, .time_ms = now_ms, .out_products = out};
    return store_wait_run(&wait, begin_find_due_and_wait, err);
}

static inline void begin_finish_due_and_wait(void *context) {
    struct store_wait *own = context;
    own->store->ops->clean_up_expired(own->store, own->product_id, own->time_ms, own->out_count,
                                      store_wait_end, own);
}

MUST_CHECK static inline enum status
inventory_store_clean_up_expired_and_wait(struct inventory_store *store, const char *product_id,
                                          int64_t now_ms, int *out_records_deleted,
                                          struct error *err) {
    struct store_wait wait = {.store = store, .product_id = product_id, .time_ms = now_ms};
    wait.out_count = out_records_deleted;
    return store_wait_run(&wait, begin_finish_due_and_wait, err);
}

#endif
