/*
 * product_state.h - a product with some or all of its reservations, in memory, between a read and a commit.
 *
 * Vocabulary   product       total units, of which `available` are not in any reservation row; version counts commits
 *              reservation   a row: some units held for a customer until it expires
 *              mark          what the next commit does with a row: operations (inventory.h) set it, a store writes it
 * Rules        Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 * Threads: a state belongs to one thread.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_PRODUCT_STATE_H
#define INVENTORY_PRODUCT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

enum {
    PRODUCT_ID_BYTES = 129,  /* 1 to 128 of A-Z a-z 0-9 . _ ~ - */
    CUSTOMER_ID_BYTES = 513, /* 1 to 128 characters of UTF-8 */
    INVENTORY_TOKEN_BYTES = 128,
    INVENTORY_MAX_QUANTITY = 1000000,
    INVENTORY_MAX_CHANGES = 99, /* a transaction holds 100 operations; one is the product's own row */
};

/* What the next commit does with a reservation's row. DROPPED: added and removed since the last one, so nothing. */
enum reservation_mark {
    RESERVATION_STORED,
    RESERVATION_ADDED,
    RESERVATION_CHANGED,
    RESERVATION_REMOVED,
    RESERVATION_DROPPED,
};

struct reservation {
    char id[UUID_TEXT_BYTES]; /* uuid_v8_from_time(expires_ms): ids sort by expiry */
    char customer_id[CUSTOMER_ID_BYTES];
    int64_t quantity; /* 1 to INVENTORY_MAX_QUANTITY */
    int64_t reserved_ms;
    int64_t expires_ms;
    enum reservation_mark mark;
};

struct product {
    char id[PRODUCT_ID_BYTES];
    int64_t total;
    int64_t available;
    int64_t version;                 /* grows by one with each commit, from 1 */
    char commit_id[UUID_TEXT_BYTES]; /* of the commit that made this version */
};

struct product_state {
    struct product product; /* as read, then as the operations left it; version is the stored one until committed */
    char token[INVENTORY_TOKEN_BYTES]; /* what the store's commit must find unchanged: the product row's ETag */
    struct reservation *reservations;  /* by expiry */
    size_t reservation_count;
    size_t reservation_capacity;
    int change_count; /* rows that the next commit writes */
};

/* Is the row, in memory, there no more? */
static inline bool reservation_is_gone(const struct reservation *row) {
    return row->mark == RESERVATION_REMOVED || row->mark == RESERVATION_DROPPED;
}

void product_state_init(struct product_state *state);
void product_state_release(struct product_state *state);

/* Appends a row as it is in the store. STATUS_NO_MEMORY. */
enum status product_state_add(struct product_state *state, const struct reservation *reservation) MUST_CHECK;

/* Makes the marks history after a commit: removed rows go, others count as stored. */
void product_state_committed(struct product_state *state);

/* Makes room for one more row, so that it can be written at [reservation_count]. STATUS_NO_MEMORY. */
enum status product_state_reserve_row(struct product_state *state) MUST_CHECK;

#endif
