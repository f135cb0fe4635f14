/*
 * reservation_list.h - a product's reservations in memory: by expiry, by customer, and the units in those that have expired.
 *
 * Vocabulary   reservation   some units held for a customer until it expires; one row in the store
 *              emptied       all its units were taken. It stays in the list until it is removed, and counts as nothing
 * Rules        Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 *              The reservations stand by expiry, and by id where that is the same. So neither changes while one is in
 *              the list, and its quantity only through these functions.
 * Costs        With n reservations in the list:
 *                one added at the end, removed at the start or at the end       O(1) amortised, but for O(log n) comparisons
 *                one added or removed in between                                and the pointers on its nearer side move
 *                the units that have expired, asked for as time goes on         O(1) for each reservation that expires
 *                a customer's reservations                                      O(those, and a few of other customers)
 *                m others merged                                                O(n + m)
 *              A reservation takes 128 bytes at most, with all that finds it, if its customer's id has up to 25.
 * Ownership    The list owns its reservations. A pointer to one is good until that one is removed.
 * Errors       STATUS_NO_MEMORY: nothing has changed.
 * Threads: a list belongs to one thread.
 */
#ifndef INVENTORY_RESERVATION_LIST_H
#define INVENTORY_RESERVATION_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

enum {
    CUSTOMER_ID_BYTES = 513, /* 1 to 128 characters of UTF-8 */
    INVENTORY_MAX_QUANTITY = 1000000,
};

/* What the next commit does with a reservation. One that is added and removed before any commit is simply gone. */
enum reservation_mark {
    RESERVATION_STORED,
    RESERVATION_ADDED,
    RESERVATION_CHANGED,
    RESERVATION_REMOVED,
};

/* A reservation outside a list has no customer_id: it is kept apart, and must not be touched here. */
struct reservation {
    int64_t reserved_ms;
    int64_t expires_ms;
    struct reservation *earlier, *later; /* the list's own: its neighbours in the customer index */
    int quantity;                        /* 1 to INVENTORY_MAX_QUANTITY; 0 when emptied */
    int format;                          /* of its row (product_entity.h) */
    char id[UUID_TEXT_BYTES];            /* uuid_v8_from_time(expires_ms): ids sort by expiry */
    enum reservation_mark mark : 8;      /* product_state.h's; STORED when it is added */
    char customer_id[];
};

/* Only the functions below change it. */
struct reservation_list {
    struct reservation **rows; /* with the emptied ones */
    size_t count;
    int64_t units; /* in all of them */

    struct reservation **slots; /* where `rows` lies, with room before and behind it */
    size_t slot_capacity;
    struct reservation **buckets; /* the customer index */
    size_t bucket_count;
    size_t emptied_in_front; /* so many rows stand before the first that is not emptied */

    /* The cursor: the rows that had expired at the time that was asked for last, and the units in them. */
    int64_t expired_at_ms;
    size_t expired_count;
    int64_t expired_units;
};

void reservation_list_init(struct reservation_list *list);
void reservation_list_cleanup(struct reservation_list *list);

/* Adds a copy of `like` for a customer. NULL: no memory. */
struct reservation *reservation_list_add(struct reservation_list *list,
                                         const struct reservation *like, const char *customer_id);

/*
 * Moves the reservations of `other` into `list`. One that is there already, by its expiry and id, stays as it is there.
 * `other` is empty afterwards. STATUS_NO_MEMORY.
 */
enum status reservation_list_merge(struct reservation_list *list,
                                   struct reservation_list *other) MUST_CHECK;

/* Takes units, up to all, out of a reservation. */
void reservation_list_take(struct reservation_list *list, struct reservation *row, int units);

/* Frees a reservation, with the units that it still has. */
void reservation_list_remove(struct reservation_list *list, struct reservation *row);

/* Frees those that expire after `until_ms`. */
void reservation_list_trim(struct reservation_list *list, int64_t until_ms);

/* The reservation with the expiry and id of `like`, or NULL. */
struct reservation *reservation_list_find(const struct reservation_list *list,
                                          const struct reservation *like);

/* A customer's reservations by expiry, with the emptied ones; NULL when there are no more. */
struct reservation *reservation_list_first_of(const struct reservation_list *list,
                                              const char *customer_id);
struct reservation *reservation_list_next_of(const struct reservation *row);

/* The first that is not emptied, or NULL. */
struct reservation *reservation_list_first(const struct reservation_list *list);

/* How many have expired at `now_ms`. Counts those emptied in between, but not those emptied in front. O(log n). */
size_t reservation_list_expired_count(const struct reservation_list *list, int64_t now_ms);

/* The units in those that have expired at `now_ms`. */
int64_t reservation_list_expired_units(struct reservation_list *list, int64_t now_ms);

#endif
