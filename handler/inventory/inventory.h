/*
 * inventory.h - the rules: what reserving, releasing and expiring do to a product. Pure: no storage, no clock.
 *
 * Vocabulary   product       total units, of which `available` are not in any reservation row; version counts commits
 *              reservation   a row: some units held for a customer until it expires
 *              active        not expired: now < expires
 *              state         a product with some or all of its reservations, in memory: operations change it, marking the rows
 *                            that a store's commit must then write in one transaction
 * Rules        available + the sum over all rows == total, before and after every operation, and nothing is ever negative.
 *              A reservation counts as released from the moment it expires; its row is taken away by whichever operation
 *              comes by next. At most INVENTORY_MAX_CHANGES rows change between two commits.
 *              Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 * Threads: a state belongs to one thread.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_INVENTORY_H
#define INVENTORY_INVENTORY_H

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
    struct product product;             /* as read, then as the operations left it; version is the stored one until committed */
    char token[INVENTORY_TOKEN_BYTES];  /* what the store's commit must find unchanged: the product row's ETag */
    struct reservation *reservations;   /* by expiry */
    size_t reservation_count;
    size_t reservation_capacity;
    int change_count;                   /* rows that the next commit writes */
};

void product_state_init(struct product_state *state);
void product_state_release(struct product_state *state);

/* Appends a row as it is in the store. STATUS_NO_MEMORY. */
enum status product_state_add(struct product_state *state, const struct reservation *reservation) MUST_CHECK;

/* Makes the marks history after a commit: removed rows go, others count as stored. */
void product_state_committed(struct product_state *state);

/*
 * Releases the rows that have expired at `now_ms`, as many as may still change with `spare_changes` left over for what follows.
 * Returns how many; there are more when inventory_has_expired says so afterwards.
 */
int inventory_expire(struct product_state *state, int64_t now_ms, int spare_changes);
bool inventory_has_expired(const struct product_state *state, int64_t now_ms);

/*
 * Reserves `quantity` units for `customer_id` from `now_ms` for `lifetime_ms`. True: *out_reservation is the new row, borrowed until
 * the state changes next. False: not enough is available (or no change is left), and nothing has changed.
 * STATUS_NO_MEMORY, STATUS_INTERNAL (no random bytes): nothing has changed.
 */
enum status inventory_reserve(struct product_state *state, const char *customer_id, int64_t quantity, int64_t now_ms,
                              int64_t lifetime_ms, bool *out_reserved, const struct reservation **out_reservation) MUST_CHECK;

/*
 * Releases up to `quantity` units of that customer's active reservations, or of the one called `reservation_id` (NULL: any) if it
 * is that customer's; the one that expires first first, the last one split if need be; as far as changes are left. Returns the units released.
 */
int64_t inventory_release(struct product_state *state, const char *customer_id, const char *reservation_id, int64_t quantity,
                          int64_t now_ms);

/* Units that a caller may be told are available: the product's, and those of expired rows that are still there. */
int64_t inventory_available(const struct product_state *state, int64_t now_ms);

/* Of a state that holds all rows: units in active reservations. The total is that and inventory_available together. */
int64_t inventory_reserved(const struct product_state *state, int64_t now_ms);

/* Of a state that holds all rows: do the rows add up with `available` to the total? Not so: it was read in the middle of a commit. */
bool inventory_adds_up(const struct product_state *state);

/* [A-Za-z0-9._~-]{1,128} */
bool product_id_is_valid(const char *id);

/* 1 to 128 characters of UTF-8 without control characters. */
bool customer_id_is_valid(const char *id);

#endif
