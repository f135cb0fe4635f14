/*
 * inventory_store_steps.h - one step of a test of inventory stores per function; for the files of
 * the contract alone.
 *
 * Each file that includes it has its own `store`, with products A (100 units) and B (50), and
 * `state`, read anew by most steps.
 */
#ifndef SUPPORT_INVENTORY_STORE_STEPS_H
#define SUPPORT_INVENTORY_STORE_STEPS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/loop_call.h"
#include "inventory/inventory_store.h"
#include "support/calls/store_wait.h"
#include "support/checks/inventory_adds_up.h"

enum {
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    LIFETIME_MS = 30 * MINUTE_MS,
    DEADLINE_MS = 10000
};

static struct inventory_store *(*open_store)(void);
static void (*close_store)(void);
static struct inventory_store *store;
static struct product_state state;
static struct error err;

/* To be called once before set_up. */
static inline void use_store(struct inventory_store *(*open)(void), void (*close)(void)) {
    open_store = open;
    close_store = close;
}

static inline void set_up(void) {
    store = open_store();
    product_state_init(&state);
    static const struct seed_product seeds[] = {{"B", 50}, {"A", 100}};
    ck_assert_int_eq(inventory_store_prepare_and_wait(store, seeds, 2, &err), STATUS_OK);
}

static inline void tear_down(void) {
    product_state_cleanup(&state);
    close_store();
}

static inline int64_t now_ms(void) {
    return store->ops->now_ms(store);
}

static inline enum status read_as(const char *id, struct inventory_query query,
                                  struct product_state *out) {
    if (query.until_ms == 0) {
        query.until_ms = now_ms();
    }
    return inventory_store_read_and_wait(store, id, &query, out, &err);
}

static inline void read_all(const char *id) {
    ck_assert_msg(read_as(id, (struct inventory_query){.all = true}, &state) == STATUS_OK, "%s",
                  err.message);
    ck_assert(inventory_adds_up(&state));
}

static inline enum status commit(struct product_state *what) {
    return inventory_store_commit_and_wait(store, what, clock_now_ms(clock_system()) + DEADLINE_MS,
                                           &err);
}

static inline void reserve_in_memory(const char *customer, int64_t quantity, int64_t at_ms) {
    bool reserved = false;
    const struct reservation *row = NULL;
    ck_assert_int_eq(inventory_reserve(&state, customer, quantity, at_ms, LIFETIME_MS,
                                       random_system(), &reserved, &row),
                     STATUS_OK);
    ck_assert(reserved);
}

static inline void reserve_and_commit(const char *product, const char *customer, int64_t quantity,
                                      int64_t at_ms) {
    read_all(product);
    reserve_in_memory(customer, quantity, at_ms);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
}

/* What a record may hold; its version does not matter to who writes it. */
static const struct idempotency_record sample = {
    .request_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    .reservation_id = "0194a0b1-2345-8678-9abc-def012345678",
    .quantity = 3,
    .available = 97,
    .version = 1000,
    .reserved_ms = 1737297930123,
    .expires_ms = 1737299730123,
};

static inline void add_record(const char *key_hash, int64_t keep_until_ms) {
    struct idempotency_record record = sample;
    strcpy(record.key_hash, key_hash);
    record.keep_until_ms = keep_until_ms;
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
}

static inline enum status find(const char *product, const char *key_hash,
                               struct idempotency_record *out) {
    return inventory_store_find_record_and_wait(store, product, key_hash, out, &err);
}

static inline void assert_found(const char *product, const char *key_hash, bool expected) {
    struct idempotency_record found;
    ck_assert_int_eq(find(product, key_hash, &found), expected ? STATUS_OK : STATUS_NOT_FOUND);
}

static inline struct product_ids find_expired(int64_t at_ms) {
    struct product_ids due = {.ids = NULL};
    ck_assert_msg(inventory_store_find_expired_and_wait(store, at_ms, &due, &err) == STATUS_OK,
                  "%s", err.message);
    return due;
}

static inline int clean_up_expired(const char *product, int64_t at_ms) {
    int purged = -1;
    ck_assert_msg(inventory_store_clean_up_expired_and_wait(store, product, at_ms, &purged, &err) ==
                      STATUS_OK,
                  "%s", err.message);
    return purged;
}

static inline int by_name(const void *left, const void *right) {
    return strcmp(left, right);
}

/* What is due then: "A B ", in order of id. */
static inline void assert_due(int64_t at_ms, const char *expected) {
    struct product_ids due = find_expired(at_ms);
    char found[64] = "", *end = found;
    qsort(due.ids, due.count, sizeof *due.ids, by_name);
    for (size_t i = 0; i < due.count; i++) {
        end += sprintf(end, "%s ", due.ids[i]);
    }
    free(due.ids);
    ck_assert_str_eq(found, expected);
}

/* An operation, started on the loop's thread. It must not end inside its start. */
struct store_call {
    struct loop_call call;
    void (*start)(struct store_call *own);
    bool is_starting;
    const char *product;
    int64_t in_ms, out_ms;
    enum status status;
};

static inline void note_call_end(void *context, enum status status, const struct error *failure) {
    struct store_call *own = context;
    ck_assert(!own->is_starting);
    own->status = status;
    err = *failure;
    loop_call_end(&own->call);
}

static inline void start_call(void *context) {
    struct store_call *own = context;
    own->is_starting = true;
    own->start(own);
    own->is_starting = false;
}

static inline int64_t ran(struct store_call own) {
    loop_call_run(&own.call, store->platform->loop, start_call, &own);
    ck_assert_msg(own.status == STATUS_OK, "%s", err.message);
    return own.out_ms;
}

static inline void start_index_expiry(struct store_call *own) {
    store->ops->index_expiry(store, own->product, own->in_ms, &own->out_ms, note_call_end, own);
}

static inline void start_announce_wait(struct store_call *own) {
    store->ops->announce_wait(store, own->product, note_call_end, own);
}

static inline void start_read_wait(struct store_call *own) {
    store->ops->read_wait(store, own->product, &own->out_ms, note_call_end, own);
}

static inline int64_t index_expiry(const char *product, int64_t expires_ms) {
    return ran(
        (struct store_call){.start = start_index_expiry, .product = product, .in_ms = expires_ms});
}

static inline void announce_wait(const char *product) {
    (void)ran((struct store_call){.start = start_announce_wait, .product = product});
}

static inline int64_t read_wait(const char *product) {
    return ran((struct store_call){.start = start_read_wait, .product = product, .out_ms = -1});
}

#endif
