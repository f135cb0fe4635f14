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
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_INVENTORY_H
#define INVENTORY_INVENTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "inventory/product_state.h"

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
                              int64_t lifetime_ms, bool *out_reserved,
                              const struct reservation **out_reservation) MUST_CHECK;

/*
 * Releases up to `quantity` units of that customer's active reservations, or of the one called `reservation_id` (NULL: any) if it
 * is that customer's; the one that expires first first, the last one split if need be; as far as changes are left with `spare_changes` left over. Returns the units released.
 */
int64_t inventory_release(struct product_state *state, const char *customer_id, const char *reservation_id,
                          int64_t quantity, int64_t now_ms, int spare_changes);

/* How many changes that would take if there were room for all of them. */
int inventory_release_changes(const struct product_state *state, const char *customer_id, const char *reservation_id,
                              int64_t quantity, int64_t now_ms);

/*
 * Makes `total` (>= 0) the product's total, and `available` larger or smaller by as much. False: more than that is in its rows (or no
 * change is left), and nothing has changed.
 */
bool inventory_set_total(struct product_state *state, int64_t total);

/* Units that a caller may be told are available: the product's, and those of expired rows that are still there. */
int64_t inventory_available(const struct product_state *state, int64_t now_ms);

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
#define PRODUCT_ID_ALLOWED "1 to 128 of A-Z a-z 0-9 . _ ~ -, no dot at the end, and not reconciliation-job"

/* Whether stored rows may be of this product: older releases also took ids with a dot at the end. */
bool inventory_is_stored_product_id(const char *id);

/* 1 to 128 characters of UTF-8 without control characters. */
bool inventory_is_customer_id(const char *id);

#endif
