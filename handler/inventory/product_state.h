/*
 * product_state.h - a product with some or all of its reservations, in memory, between a read and a commit.
 *
 * Vocabulary   product       total units, of which `available` are not in any reservation row; version counts commits
 *              reservation   a row: some units held for a customer until it expires
 *              mark          what the next commit does with a row: operations (inventory.h) set it, a store writes it
 *              record        the answer to a request with an Idempotency-Key, kept for its repeats
 *              known         a state that was read or committed and may still be the stored one: the commit's ETag tells
 * Rules        Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 *              Rows that are not in memory expire after complete_until_ms, and not before the product's due_ms.
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
    INVENTORY_COMMIT_IDS = 16, /* that the product's row names, the one that made its version first */
    INVENTORY_COMMIT_IDS_BYTES = INVENTORY_COMMIT_IDS * UUID_TEXT_BYTES,
    COMMIT_SENDER_LENGTH = sizeof "01234567-0123-4567-8901-" - 1, /* in which all commits of one store begin alike */
    INVENTORY_HASH_BYTES = 65,                                    /* SHA-256 in lower-case hexadecimal digits */
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
    int format; /* of its row, as in struct product */
    enum reservation_mark mark;
};

struct product {
    char id[PRODUCT_ID_BYTES];
    int64_t total;
    int64_t available;
    int64_t version; /* grows by one with each commit, from 1 */
    int64_t due_ms;  /* none of its rows expires before; INT64_MAX: it has none */

    /* The store's own. */
    int format; /* the newest that has written its row (product_entity.h); 0: not told */
    char commit_ids[INVENTORY_COMMIT_IDS_BYTES]; /* of the stores that committed last, the newest first */
    int64_t indexed_due_ms;  /* the time under which the store's index has its last added expiry; 0: none yet */
    int64_t indexed_keep_ms; /* the same for its last added record's keep_until_ms */
};

/* The answer to a request with an Idempotency-Key; written by the commit that carried the request out. */
struct idempotency_record {
    char key_hash[INVENTORY_HASH_BYTES];     /* of the key: what it is found by, within its product */
    char request_hash[INVENTORY_HASH_BYTES]; /* of all that the request asked for: a repeat asks for the same */
    char reservation_id[UUID_TEXT_BYTES];    /* "" for a release without one */
    int64_t quantity;                        /* units reserved, or released */
    int64_t available;                       /* units, and */
    int64_t version;                         /* version, as they were answered */
    int64_t reserved_ms, expires_ms;         /* of the reservation made; 0 for a release */
    int64_t keep_until_ms;
};

struct product_state {
    struct product product; /* as read, then as the operations left it; version is the stored one until committed */
    char token[INVENTORY_TOKEN_BYTES]; /* what the store's commit must find unchanged: the product row's ETag */
    struct reservation *reservations;  /* by expiry */
    size_t reservation_count;
    size_t reservation_capacity;
    int64_t complete_until_ms;          /* every row that expires at or before this is in `reservations` */
    struct idempotency_record *records; /* to be written by the next commit; their version is the one it makes */
    size_t record_count;
    size_t record_capacity;
    int change_count; /* rows and records that the next commit writes, and 1 for each change of the total */
};

/* Is the row, in memory, there no more? */
static inline bool reservation_is_gone(const struct reservation *row) {
    return row->mark == RESERVATION_REMOVED || row->mark == RESERVATION_DROPPED;
}

/* A stored version of a product, kept to tell what has become of it since. Zeroed: none. */
struct product_mark {
    int64_t version;
    char commit_id[UUID_TEXT_BYTES]; /* of the commit that made that version; "": not known */
    char token[INVENTORY_TOKEN_BYTES];
};

void product_state_mark(const struct product_state *state, struct product_mark *out);

/*
 * True if `state`, as it was read, can have come from the marked version by commits alone. False if
 * its row was deleted and written anew, or edited by hand, or if nothing is marked.
 */
bool product_state_follows(const struct product_state *state, const struct product_mark *mark);

void product_state_init(struct product_state *state);
void product_state_release(struct product_state *state);

/* Appends a row as it is in the store. STATUS_NO_MEMORY. */
enum status product_state_add(struct product_state *state, const struct reservation *reservation) MUST_CHECK;

/* Adds the rows of `other`, the same product at the same version, that are not there yet. STATUS_NO_MEMORY. */
enum status product_state_merge(struct product_state *state, const struct product_state *other) MUST_CHECK;

/* Forgets the rows that expire after complete_until_ms: there may be many, and due_ms stands for them. */
void product_state_trim(struct product_state *state);

/* Makes the marks history after a commit: removed rows and records go, others count as stored. */
void product_state_committed(struct product_state *state);

/* Adds a copy of a record that the next commit writes; counts as a change. STATUS_NO_MEMORY. */
enum status product_state_add_record(struct product_state *state, const struct idempotency_record *record) MUST_CHECK;

/* What a commit has to write as the product's due_ms, with the marks as they are. */
int64_t product_state_due_ms(const struct product_state *state);

/* Inserts a row behind those that expire no later. Borrowed until the state changes next. NULL: no memory. */
struct reservation *product_state_insert(struct product_state *state, const struct reservation *reservation);

#endif
