/*
 * product_state.h - a product with some or all of its reservations, in memory.
 *
 * A store reads a state, the rules change it (inventory.h), and a store commits the changes.
 *
 * Vocabulary
 *   available   The product's units that are in no reservation, not even in one that has expired
 *               and whose row still exists. With the units in reservations they make its total.
 *               What callers may reserve is more (inventory_available in inventory.h).
 *   version     Counts the product's commits, from 1.
 *   mark        What the next commit does with a reservation. The rules set it, a store writes it.
 *   change      A row that the next commit writes: a marked reservation or a record.
 *   record      The stored answer to a request with an Idempotency-Key, kept for its repeats.
 *   complete    Every reservation that expires at or before complete_until_ms is in memory. Later
 *               ones may be missing.
 *   due         No reservation of the product expires before due_ms. It is a lower bound: the first
 *               may expire later.
 *
 * Rules       Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 *             A removed reservation has no units, and stays in the list until it is committed.
 * Costs       See reservation_list.h. A commit costs what it changes.
 * Ownership   A state owns its reservations. A pointer to one is valid until that reservation is
 *             removed and committed, or the state is trimmed or cleaned up.
 * Threads     A state belongs to one thread.
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
    /* The product's row names the last commit of each of the handlers that committed last. */
    INVENTORY_COMMIT_IDS = 16,
    INVENTORY_COMMIT_IDS_BYTES = INVENTORY_COMMIT_IDS * UUID_TEXT_BYTES,
    /* The ids of one handler's commits begin with the same characters, this many. */
    COMMIT_SENDER_LENGTH = sizeof "01234567-0123-4567-8901-" - 1,
    INVENTORY_HASH_BYTES = 65, /* SHA-256 in lower-case hexadecimal digits */
    /* A transaction holds 100 operations, and one is the product's own row. */
    INVENTORY_MAX_CHANGES = 99,
};

/* The most that a total can be: half of the range, so that a sum of two cannot overflow. */
#define INVENTORY_MAX_TOTAL (INT64_MAX / 2)

/* What the caller that makes a reservation is told of it. */
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
    int64_t version;
    int64_t due_ms; /* INT64_MAX: it has no reservations */

    /* ---- the store's ---- */

    /* The format of its row (product_entity.h); 0: the row does not say. */
    int format;

    /* The ids of the last commits, one of each handler, the newest first. */
    char commit_ids[INVENTORY_COMMIT_IDS_BYTES];

    /* The times of the expiry rows written last, for reservations and for records. 0: none. */
    int64_t indexed_due_ms;
    int64_t indexed_keep_ms;
};

/* The commit that carries out a request with an Idempotency-Key also writes its record. */
struct idempotency_record {
    char key_hash[INVENTORY_HASH_BYTES];     /* the record is found by it, within its product */
    char request_hash[INVENTORY_HASH_BYTES]; /* of all that was asked for; a repeat's is the same */

    /* ---- the answer ---- */
    char reservation_id[UUID_TEXT_BYTES]; /* "": it named none */
    char customer_id[CUSTOMER_ID_BYTES];  /* confirm, extend: the reservation's; else "" */
    int64_t quantity;                     /* units, as request->units */
    int64_t available;
    int64_t total;     /* confirm, adjust; else 0 */
    int64_t remaining; /* confirm: units that stay reserved; else 0 */
    int64_t version;
    int64_t reserved_ms; /* of the reservation; 0: the answer has none */
    int64_t expires_ms;

    int64_t keep_until_ms;
};

struct product_state {
    /* As the rules have left it. Its version stays the stored one until the commit. */
    struct product product;

    /* The ETag of the product's row. A commit succeeds only if storage still has it. */
    char etag[INVENTORY_ETAG_BYTES];

    struct reservation_list reservations;
    int64_t complete_until_ms;

    /* Reservations with another mark than STORED, in the order of their first changes. */
    struct reservation **changed;
    size_t changed_count;
    size_t changed_capacity;

    /* Records that the next commit adds. Their version is the one that it makes. */
    struct idempotency_record *records;
    size_t record_count;
    size_t record_capacity;

    /*
     * How many changes the next commit has, and how many of them remove expired reservations. A
     * change of the total counts as one, although it is no row of its own.
     */
    int change_count;
    int expired_changes;
};

/* Returns true if the next commit removes the reservation. */
static inline bool reservation_is_removed(const struct reservation *reservation) {
    return reservation->mark == RESERVATION_REMOVED;
}

/* Returns true if the next commit gives the reservation an expiry that it has not had before. */
static inline bool reservation_needs_index(const struct reservation *reservation) {
    return reservation->mark == RESERVATION_ADDED || reservation->mark == RESERVATION_EXTENDED;
}

/* One stored version of a product. A later read is compared with it. Zeroed: none. */
struct product_checkpoint {
    int64_t version;
    char commit_id[UUID_TEXT_BYTES]; /* the commit that made that version; "": unknown */
    char etag[INVENTORY_ETAG_BYTES];
};

void product_state_take_checkpoint(const struct product_state *state,
                                   struct product_checkpoint *out);

/*
 * Returns true if `state`, as it was read, can have come from the checkpoint by commits alone.
 * False: its row was deleted and made anew, or edited by hand, or there is no checkpoint.
 */
bool product_state_follows(const struct product_state *state,
                           const struct product_checkpoint *checkpoint);

void product_state_init(struct product_state *state);
void product_state_cleanup(struct product_state *state);

/* Adds a copy of a stored reservation. It is no change. STATUS_NO_MEMORY. */
enum status product_state_add(struct product_state *state, const struct reservation *like,
                              const char *customer_id) MUST_CHECK;

/* Adds a copy of a new reservation, as a change. Returns NULL if there is no memory. */
struct reservation *product_state_insert(struct product_state *state,
                                         const struct reservation *like, const char *customer_id);

/*
 * Moves the reservations of `other` into `state`, which is then complete until the later of both
 * times. Nothing in `other` may be marked. A reservation that `state` has already stays as it is.
 * STATUS_NO_MEMORY: both are unchanged.
 */
enum status product_state_merge(struct product_state *state,
                                struct product_state *other) MUST_CHECK;

/*
 * Takes `units` out of a reservation and makes them available. A reservation without units is
 * removed: it is marked, or freed at once if no commit has written it yet. The caller has checked
 * that there is room for the change.
 */
void product_state_take(struct product_state *state, struct reservation *reservation, int units);

/*
 * Moves a reservation's expiry to a later time, as a change. A pointer to it stays valid. The
 * caller has checked that there is room for the change.
 */
void product_state_extend(struct product_state *state, struct reservation *reservation,
                          int64_t expires_ms);

/* Adds a copy of a record, as a change. STATUS_NO_MEMORY. */
enum status product_state_add_record(struct product_state *state,
                                     const struct idempotency_record *record) MUST_CHECK;

/* Returns the due_ms that the next commit has to write. */
int64_t product_state_due_ms(const struct product_state *state);

/* After a commit: frees removed reservations, forgets the records, marks the rest as stored. */
void product_state_committed(struct product_state *state);

/*
 * Keeps the last `keep` of the reservations that expire after complete_until_ms, of which there may
 * be many, and frees the others of these. Nothing may be marked.
 */
void product_state_trim(struct product_state *state, size_t keep);

#endif
