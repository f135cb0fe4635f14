/*
 * inventory.h - the rules: what reserving, releasing and expiring do to a product. Pure: they have
 * no storage and no clock.
 *
 * The rules change a product in memory (product_state.h). A store's commit then writes the changes
 * as one transaction.
 *
 * Vocabulary
 *   active      A reservation that has not expired: now < expires.
 *   expired     now >= expires. Its units are available from that moment. A request that needs them
 *               has the row removed in its own commit, or in one before it. Otherwise a later
 *               commit removes it. No row is removed before storage has certainly reached that
 *               moment (certain_ms in inventory_store.h).
 *   available   What a caller may reserve (inventory_available): the units in no reservation, and
 *               those of expired reservations. The member product.available is only the former.
 *   change      A row that the next commit writes. There are at most INVENTORY_MAX_CHANGES.
 *   room        The changes that a commit still has left. `spare_changes` of them are not used, so
 *               that they are left for what follows.
 *
 * Rules     product.available + the units of all reservations == total, before and after every
 *           operation. Reservations that are not in memory count too. Nothing is ever negative.
 *           Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 * Threads   A state belongs to one thread.
 */
#ifndef INVENTORY_INVENTORY_H
#define INVENTORY_INVENTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/status.h"
#include "inventory/product_state.h"

/*
 * Expired reservations are removed along with other changes, in a bounded share of each commit.
 *   - Requests leave room for the expired reservations, up to half of the commit (inventory_room).
 *     So expired ones go as fast as new ones come, even if the queue never becomes empty.
 *   - After the requests of a commit, more expired ones are removed while there is room: in all as
 *     many as the requests have made changes, but at least INVENTORY_EXPIRE_FEW
 *     (inventory_expire_alongside). So they go as fast as new ones come at any size of a commit.
 *     One request on a quiet product does not pay for a backlog.
 *   - A request that needs the units of expired reservations has as many removed as it needs, and
 *     no more (inventory_expire_for).
 */
enum {
    INVENTORY_EXPIRE_SHARE = (INVENTORY_MAX_CHANGES + 1) / 2,
    INVENTORY_EXPIRE_FEW = 8,
};

/* Why the rules refuse a request. */
enum refusal {
    REFUSAL_NONE,
    REFUSAL_NOT_ENOUGH,         /* fewer units are available */
    REFUSAL_NO_RESERVATION,     /* the customer has none, or not the one that is named */
    REFUSAL_EXPIRED,            /* the reservation that is named has expired */
    REFUSAL_QUANTITY_TOO_LARGE, /* more than the reservation holds, or a total can be */
    REFUSAL_OTHER_VERSION,      /* the product's version is not the one that is expected */
};

/* Returns true if a reservation in memory has expired at `now_ms`, and was not removed yet. */
bool inventory_has_expired(const struct product_state *state, int64_t now_ms);

/*
 * Removes up to `limit` reservations that have expired at `now_ms`, the earliest first, while there
 * is room. Returns how many.
 */
int inventory_expire(struct product_state *state, int64_t now_ms, int spare_changes, int limit);

/*
 * Removes expired reservations until product.available is `quantity` or more. Returns true if it
 * is.
 */
bool inventory_expire_for(struct product_state *state, int64_t quantity, int64_t now_ms,
                          int spare_changes);

/*
 * After all requests of a commit: removes more expired reservations, as many as their share above
 * allows. Returns how many.
 */
int inventory_expire_alongside(struct product_state *state, int64_t now_ms);

/*
 * Returns how many more changes requests may make. For an empty commit that is at least
 * INVENTORY_MAX_CHANGES - INVENTORY_EXPIRE_SHARE.
 */
int inventory_room(const struct product_state *state, int64_t now_ms);

/*
 * Reserves `quantity` units for `customer_id`, from `now_ms` for `lifetime_ms`, under an id made
 * with `random`.
 * *out_reserved true: *out_reservation is the new reservation, borrowed until the state changes.
 * *out_reserved false: product.available is less, or there is no room. Nothing has changed.
 * STATUS_NO_MEMORY, STATUS_INTERNAL (no random bytes): nothing has changed.
 */
enum status inventory_reserve(struct product_state *state, const char *customer_id,
                              int64_t quantity, int64_t now_ms, int64_t lifetime_ms,
                              const struct random_source *random, bool *out_reserved,
                              const struct reservation **out_reservation) MUST_CHECK;

/* Returns what the caller that made a reservation is told of it. */
struct reservation_terms inventory_terms(const struct reservation *reservation);

/*
 * Releases up to `quantity` units of the customer's active reservations, in the order in which they
 * expire, while there is room. The last one may keep a part of its units. With a `reservation_id`
 * (NULL: any) only that one is touched, if it is the customer's. Returns the units released.
 */
int64_t inventory_release(struct product_state *state, const char *customer_id,
                          const char *reservation_id, int64_t quantity, int64_t now_ms,
                          int spare_changes);

/* Returns how many changes such a release would make with enough room. */
int inventory_release_changes(const struct product_state *state, const char *customer_id,
                              const char *reservation_id, int64_t quantity, int64_t now_ms);

/*
 * Finds the active reservation that a request names. With a `customer_id` (NULL: any) it must be
 * that customer's. Returns NULL if there is none, and sets *out_refusal: EXPIRED if it has expired,
 * whoever's it is, or if no such row is found and the first expiry in the id has passed; else
 * NO_RESERVATION. So the answer does not depend on when an expired row is removed. The state must
 * hold the row, if storage has it.
 */
struct reservation *inventory_find_named(const struct product_state *state,
                                         const char *reservation_id, const char *customer_id,
                                         int64_t now_ms, enum refusal *out_refusal);

/*
 * Makes `units` (1 to all) of an active reservation a sale: they leave it and the total, and
 * product.available stays. The reservation may be freed. The caller has checked that there is room
 * for one change.
 */
void inventory_confirm(struct product_state *state, struct reservation *reservation, int units);

/*
 * Lets an active reservation expire at `expires_ms`, but never earlier than before. The caller has
 * checked that there is room for one change.
 */
void inventory_extend(struct product_state *state, struct reservation *reservation,
                      int64_t expires_ms);

/*
 * Sets the product's total (>= 0), and changes product.available by the difference. Returns false
 * if more units than that are in reservations, also expired ones, or there is no room. Then nothing
 * has changed.
 */
bool inventory_set_total(struct product_state *state, int64_t total);

/*
 * Returns the units that a caller may reserve: product.available, and the units of expired
 * reservations. Counts on from the last call, so it costs only what has expired in between.
 */
int64_t inventory_available(struct product_state *state, int64_t now_ms);

/*
 * Returns the units in active reservations. With inventory_available they make the total. The state
 * must hold all rows.
 */
int64_t inventory_reserved(const struct product_state *state, int64_t now_ms);

/*
 * Checks a state, as it was read, against its own rows: `units` is what the reservations hold that
 * were read. If all were read (complete_until_ms is INT64_MAX), they and product.available must
 * make the total. If only some were, they must not exceed it.
 * STATUS_MALFORMED   they do not: nothing may be sold from it. `err` says what an operator can do
 */
enum status inventory_check(const struct product_state *state, int64_t units,
                            struct error *err) MUST_CHECK;

/*
 * Returns true for [A-Za-z0-9._~-]{1,128}, with two exceptions. "reconciliation-job" would share
 * its lease with the job (RECONCILIATION_LEASE_NAME in inventory_service.h). "A." would share its
 * lease with "A", because Azure drops dots at the end of a blob's name.
 */
bool inventory_is_product_id(const char *id);

/* The same, for messages. */
#define PRODUCT_ID_ALLOWED \
    "1 to 128 of A-Z a-z 0-9 . _ ~ -, no dot at the end, and not reconciliation-job"

/*
 * Returns true if stored rows may be of this product: older versions of this program also took ids
 * with a dot at the end.
 */
bool inventory_is_stored_product_id(const char *id);

/* Returns true for 1 to 128 characters of UTF-8 without control characters. */
bool inventory_is_customer_id(const char *id);

#endif
