/*
 * product_state.h - a product with some or all of its reservations, in memory, between a read and a commit.
 *
 * Vocabulary   product       total units, of which `available` are not in any reservation; version counts commits
 *              mark          what the next commit does with a reservation: operations (inventory.h) set it, a store writes it
 *              record        the answer to a request with an Idempotency-Key, kept for its repeats
 * Rules        Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 *              Reservations that are not in memory expire after complete_until_ms, and not before the product's due_ms.
 *              A removed reservation is emptied, and stays in the list until it is committed.
 * Costs        As reservation_list.h has them: none but a merge takes time in proportion to what is in memory. A commit
 *              costs what it changes.
 * Ownership    A state owns its reservations. A pointer to one is good until that one is removed and committed, or the
 *              state is trimmed or cleaned up.
 * Threads: a state belongs to one thread.
 */
#ifndef INVENTORY_PRODUCT_STATE_H
#define INVENTORY_PRODUCT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "inventory/reservation_list.h"

enum {
    PRODUCT_ID_BYTES = 129, /* 1 to 128 of A-Z a-z 0-9 . _ ~ - */
    INVENTORY_ETAG_BYTES = 128,
    INVENTORY_COMMIT_IDS =
        16, /* that the product's row names, the one that made its version first */
    INVENTORY_COMMIT_IDS_BYTES = INVENTORY_COMMIT_IDS * UUID_TEXT_BYTES,
    COMMIT_SENDER_LENGTH =
        sizeof "01234567-0123-4567-8901-" - 1, /* in which all commits of one store begin alike */
    INVENTORY_HASH_BYTES = 65,                 /* SHA-256 in lower-case hexadecimal digits */
    INVENTORY_MAX_CHANGES =
        99, /* a transaction holds 100 operations; one is the product's own row */
};

/* What the maker of a reservation is told of it. */
struct reservation_terms {
    char id[UUID_TEXT_BYTES];
    int64_t quantity;
    int64_t reserved_ms;
    int64_t expires_ms;
};

struct product {
    char id[PRODUCT_ID_BYTES];
    int64_t total;
    int64_t available;
    int64_t version; /* grows by one with each commit, from 1 */
    int64_t due_ms;  /* none of its rows expires before; INT64_MAX: it has none */

    /* The store's own. */
    int format; /* the newest that has written its row (product_entity.h); 0: not told */
    char commit_ids
        [INVENTORY_COMMIT_IDS_BYTES]; /* of the stores that committed last, the newest first */
    int64_t
        indexed_due_ms; /* the time under which the store's index has its last added expiry; 0: none yet */
    int64_t indexed_keep_ms; /* the same for its last added record's keep_until_ms */
};

/* The answer to a request with an Idempotency-Key; written by the commit that carried the request out. */
struct idempotency_record {
    char key_hash[INVENTORY_HASH_BYTES]; /* of the key: what it is found by, within its product */
    char request_hash
        [INVENTORY_HASH_BYTES]; /* of all that the request asked for: a repeat asks for the same */
    char reservation_id[UUID_TEXT_BYTES]; /* "" for a release without one */
    int64_t quantity;                     /* units reserved, or released */
    int64_t available;                    /* units, and */
    int64_t version;                      /* version, as they were answered */
    int64_t reserved_ms, expires_ms;      /* of the reservation made; 0 for a release */
    int64_t keep_until_ms;
};

struct product_state {
    struct product
        product; /* as read, then as the operations left it; version is the stored one until committed */
    char etag
        [INVENTORY_ETAG_BYTES]; /* what the store's commit must find unchanged: the product row's ETag */
    struct reservation_list reservations;
    struct reservation *
        *changed; /* those with another mark than STORED, in the order of their first changes */
    size_t changed_count;
    size_t changed_capacity;
    int64_t complete_until_ms; /* every reservation that expires at or before this is in memory */
    struct idempotency_record
        *records; /* to be written by the next commit; their version is the one it makes */
    size_t record_count;
    size_t record_capacity;
    int change_count; /* rows and records that the next commit writes, and 1 for each change of the total */
    int expired_changes; /* so many of them remove what has expired */
};

/* Whether a reservation goes with the next commit. */
static inline bool reservation_is_removed(const struct reservation *reservation) {
    return reservation->mark == RESERVATION_REMOVED;
}

/* A stored version of a product, kept to tell what has become of it since. Zeroed: none. */
struct product_checkpoint {
    int64_t version;
    char commit_id[UUID_TEXT_BYTES]; /* of the commit that made that version; "": not known */
    char etag[INVENTORY_ETAG_BYTES];
};

void product_state_take_checkpoint(const struct product_state *state,
                                   struct product_checkpoint *out);

/*
 * True if `state`, as it was read, can have come from the marked version by commits alone. False if
 * its row was deleted and written anew, or edited by hand, or if nothing is marked.
 */
bool product_state_follows(const struct product_state *state,
                           const struct product_checkpoint *mark);

void product_state_init(struct product_state *state);
void product_state_cleanup(struct product_state *state);

/* Adds a copy of a reservation as it is in the store. STATUS_NO_MEMORY. */
enum status product_state_add(struct product_state *state, const struct reservation *like,
                              const char *customer_id) MUST_CHECK;

/* Adds a copy of a new one, which the next commit writes: a change. NULL: no memory. */
struct reservation *product_state_insert(struct product_state *state,
                                         const struct reservation *like, const char *customer_id);

/*
 * Moves the reservations of `other`, the same product at the same version as it was read, into `state`. One that is there
 * already stays as it is there. STATUS_NO_MEMORY: both are as they were.
 */
enum status product_state_merge(struct product_state *state,
                                struct product_state *other) MUST_CHECK;

/*
 * Takes `units`, up to all, out of a reservation, and makes them available. With its last unit it is removed: marked, or
 * freed if no commit has written it yet. There is room for the change.
 */
void product_state_take(struct product_state *state, struct reservation *reservation, int units);

/* Adds a copy of a record that the next commit writes; counts as a change. STATUS_NO_MEMORY. */
enum status product_state_add_record(struct product_state *state,
                                     const struct idempotency_record *record) MUST_CHECK;

/* What a commit has to write as the product's due_ms, with the marks as they are. */
int64_t product_state_due_ms(const struct product_state *state);

/* Makes the marks history after a commit: removed reservations and records go, others count as stored. */
void product_state_committed(struct product_state *state);

/* Forgets those that expire after complete_until_ms: there may be many, and due_ms stands for them. None is marked. */
void product_state_trim(struct product_state *state);

#endif
