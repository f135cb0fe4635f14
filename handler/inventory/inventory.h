/*
 * inventory.h - the rules: what reserving, releasing and expiring do to a product. Pure: no storage, no clock.
 *
 * Operations change a product's state in memory (product_state.h), marking the rows that a store's commit must then write in
 * one transaction.
 *
 * Vocabulary   active   not expired: now < expires
 * Rules        available + the sum over all rows == total, before and after every operation, and nothing is ever negative.
 *              A reservation counts as released from the moment it expires; its row is taken away by whichever operation
 *              comes by next. At most INVENTORY_MAX_CHANGES rows change between two commits.
 *              Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 * Threads: a state belongs to one thread.
 */
#ifndef INVENTORY_INVENTORY_H
#define INVENTORY_INVENTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/status.h"
#include "inventory/product_state.h"

/*
 * How expired reservations leave: on the way with other changes, in a bounded share of each commit. A commit has
 * INVENTORY_MAX_CHANGES of them.
 *   - Requests leave room for as many as have expired, up to half of the commit: inventory_room. So a queue that never
 *     gets shorter does not keep them there; and however many requests wait, expired ones go as fast as new ones come.
 *   - As many go as the requests themselves change, and a few in any case: inventory_expire_alongside. So they go as fast as
 *     new ones come at any size of a commit, and one customer's request on a quiet product is not slowed by a backlog.
 *   - A request that needs their units has as many released as it needs, and no more: inventory_expire_for.
 */
enum {
    INVENTORY_EXPIRE_SHARE = (INVENTORY_MAX_CHANGES + 1) / 2,
    INVENTORY_EXPIRE_FEW = 8,
};

/*
 * Releases reservations that have expired at `now_ms`, the first first, `limit` at most, as far as changes are left with
 * `spare_changes` left over for what follows. Returns how many; inventory_has_expired tells if there are more.
 */
int inventory_expire(struct product_state *state, int64_t now_ms, int spare_changes, int limit);
bool inventory_has_expired(const struct product_state *state, int64_t now_ms);

/* The same until `quantity` units are available in the product. Returns whether they are. */
bool inventory_expire_for(struct product_state *state, int64_t quantity, int64_t now_ms,
                          int spare_changes);

/* The same after all requests of a commit, within its share. */
int inventory_expire_alongside(struct product_state *state, int64_t now_ms);

/* How many more changes requests may make in the next commit. More than half of a commit if nothing is changed yet. */
int inventory_room(const struct product_state *state, int64_t now_ms);

/*
 * Reserves `quantity` units for `customer_id` from `now_ms` for `lifetime_ms`, under an id made with
 * `random`. True: *out_reservation is the new row, borrowed until the state changes next. False: not
 * enough is available (or no change is left), and nothing has changed.
 * STATUS_NO_MEMORY, STATUS_INTERNAL (no random bytes): nothing has changed.
 */
enum status inventory_reserve(struct product_state *state, const char *customer_id,
                              int64_t quantity, int64_t now_ms, int64_t lifetime_ms,
                              const struct random_source *random, bool *out_reserved,
                              const struct reservation **out_reservation) MUST_CHECK;

/* What its maker is told of a reservation. */
struct reservation_terms inventory_terms(const struct reservation *reservation);

/*
 * Releases up to `quantity` units of that customer's active reservations, or of the one called `reservation_id` (NULL: any) if it
 * is that customer's; the one that expires first first, the last one split if need be; as far as changes are left with `spare_changes` left over. Returns the units released.
 */
int64_t inventory_release(struct product_state *state, const char *customer_id,
                          const char *reservation_id, int64_t quantity, int64_t now_ms,
                          int spare_changes);

/* How many changes that would take if there were room for all of them. */
int inventory_release_changes(const struct product_state *state, const char *customer_id,
                              const char *reservation_id, int64_t quantity, int64_t now_ms);

/*
 * Makes `total` (>= 0) the product's total, and `available` larger or smaller by as much. False: more than that is in its rows (or no
 * change is left), and nothing has changed.
 */
bool inventory_set_total(struct product_state *state, int64_t total);

/*
 * Units that a caller may be told are available: the product's, and those of expired rows that are still there. Remembers
 * how far it has counted, so that the next call costs only what has expired in between.
 */
int64_t inventory_available(struct product_state *state, int64_t now_ms);

/* Of a state that holds all rows: units in active reservations. The total is that and inventory_available together. */
int64_t inventory_reserved(const struct product_state *state, int64_t now_ms);

/* Of a state that holds all rows: do the rows add up with `available` to the total? Not so: it was read in the middle of a commit. */
bool inventory_adds_up(const struct product_state *state);

/*
 * Checks a state, as it was read, against its own rows. With all rows in memory (complete_until_ms
 * INT64_MAX) they add up with `available` to the total; with some of them, to no more than the
 * total.
 * STATUS_MALFORMED   they do not: nothing may be sold from it. `err` says what an operator has to
 *                    do
 */
enum status inventory_check(const struct product_state *state, struct error *err) MUST_CHECK;

/*
 * [A-Za-z0-9._~-]{1,128}, but not "reconciliation-job", whose lease would be the job's own (inventory/reconcile.h). The id is a
 * part of a lease's name and keeps its rules: the lease of "A." would be that of "A", because Azure drops dots at a name's end.
 */
bool inventory_is_product_id(const char *id);

/* For messages: what it allows. */
#define PRODUCT_ID_ALLOWED \
    "1 to 128 of A-Z a-z 0-9 . _ ~ -, no dot at the end, and not reconciliation-job"

/* Whether stored rows may be of this product: older releases also took ids with a dot at the end. */
bool inventory_is_stored_product_id(const char *id);

/* 1 to 128 characters of UTF-8 without control characters. */
bool inventory_is_customer_id(const char *id);

#endif
