/*
 * reservation_list.h - a product's reservations in memory, found by expiry and by customer. It also
 * counts the units of the expired ones.
 *
 * Vocabulary
 *   reservation   Some units held for a customer until it expires. One row in the store. Where a
 *                 variable is called `row`, it is a reservation in memory.
 *   emptied       All of its units were taken. It stays in the list until it is removed.
 *   extended      It expires at another time than its id says, which is the first expiry.
 *
 * Rules       Times are milliseconds since 1970 on storage's clock (storage/storage_clock.h).
 *             The list is sorted by expiry, then by id. An id never changes. The expiry and the
 *             quantity change only by the functions below.
 * Costs       With n reservations in the list:
 *               to add at the end, or remove at either end    O(1) amortised, O(log n) comparisons
 *               to add or remove elsewhere                    the same, and O(n) pointers are moved
 *               to find by id                                 O(log n)
 *               the expired units, as time goes on            O(1) for each that expires
 *               a customer's reservations                     O(those, and a few of others)
 *               to merge m others                             O(n + m)
 *             A reservation takes at most 128 bytes, with its shares of the arrays that find it,
 *             if its customer's id has at most 25 bytes, and 32 more if it was extended.
 * Ownership   The list owns its reservations. A pointer to one is valid until it is removed.
 * Errors      On STATUS_NO_MEMORY nothing has changed.
 * Threads     A list belongs to one thread.
 */
#ifndef INVENTORY_RESERVATION_LIST_H
#define INVENTORY_RESERVATION_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

enum {
    CUSTOMER_ID_BYTES = 513, /* 1 to 128 characters of UTF-8 */
    INVENTORY_MAX_QUANTITY = 1000000,
};

/* What the next commit does with a reservation (product_state.h). */
enum reservation_mark {
    RESERVATION_STORED,
    RESERVATION_ADDED,
    RESERVATION_CHANGED,
    RESERVATION_EXTENDED, /* as CHANGED, and its expiry has moved */
    RESERVATION_REMOVED,
};

/* Outside a list a reservation has no customer_id, and this member must not be used. */
struct reservation {
    int64_t reserved_ms;
    int64_t expires_ms;
    struct reservation *earlier, *later; /* the list's: neighbours in the customer index */
    int quantity;                        /* 1 to INVENTORY_MAX_QUANTITY; 0: emptied */
    int format;                          /* its row's (product_entity.h) */
    char id[UUID_TEXT_BYTES];            /* uuid_v8_from_time of its first expires_ms */
    enum reservation_mark mark : 8;      /* product_state.h sets it; STORED at first */
    char customer_id[];
};

/* May be read anywhere. Only the functions below change it. */
struct reservation_list {
    /* All reservations, also the emptied ones, by expiry and id. */
    struct reservation **rows;
    size_t count;
    int64_t units; /* in all of them */

    /* The array that `rows` is a part of, with room on both sides. */
    struct reservation **slots;
    size_t slot_capacity;

    /* The customer index. */
    struct reservation **buckets;
    size_t bucket_count;

    /* The extended reservations, by id: a tree (tsearch), and how many had no memory in it. */
    void *extended;
    size_t unindexed_count;

    /* How many emptied reservations stand before the first one with units. */
    size_t emptied_in_front;

    /* The expired reservations, and their units, at the time that was asked for last. */
    int64_t expired_at_ms;
    size_t expired_count;
    int64_t expired_units;
};

void reservation_list_init(struct reservation_list *list);
void reservation_list_cleanup(struct reservation_list *list);

/* Adds a copy of `like` for a customer. Returns NULL if there is no memory. */
struct reservation *reservation_list_add(struct reservation_list *list,
                                         const struct reservation *like, const char *customer_id);

/*
 * Moves the reservations of `other` into `list`, and leaves `other` empty. If `list` has one with
 * the same expiry and id already, that one stays. STATUS_NO_MEMORY.
 */
enum status reservation_list_merge(struct reservation_list *list,
                                   struct reservation_list *other) MUST_CHECK;

/* Takes units, up to all, out of a reservation. */
void reservation_list_take(struct reservation_list *list, struct reservation *row, int units);

/* Frees a reservation, and the units that it still has. */
void reservation_list_remove(struct reservation_list *list, struct reservation *row);

/* Moves a reservation to where it stands with another expiry. A pointer to it stays valid. */
void reservation_list_set_expiry(struct reservation_list *list, struct reservation *row,
                                 int64_t expires_ms);

/* Frees the reservations that expire after `until_ms`, all but the last `keep` of these. */
void reservation_list_trim(struct reservation_list *list, int64_t until_ms, size_t keep);

/* Returns the reservation with that id, in lower case, or NULL. It may be an emptied one. */
struct reservation *reservation_list_find(const struct reservation_list *list, const char *id);

/* Returns true if a reservation expires at another time than its id says. */
bool reservation_list_is_extended(const struct reservation *row);

/* Return a customer's reservations by expiry, also the emptied ones, and NULL after the last. */
struct reservation *reservation_list_first_of(const struct reservation_list *list,
                                              const char *customer_id);
struct reservation *reservation_list_next_of(const struct reservation *row);

/* Returns the first reservation that is not emptied, or NULL. */
struct reservation *reservation_list_first(const struct reservation_list *list);

/*
 * Returns how many reservations have expired at `now_ms`. Emptied ones count, but not those before
 * the first one with units. O(log n).
 */
size_t reservation_list_expired_count(const struct reservation_list *list, int64_t now_ms);

/* Returns the units in reservations that have expired at `now_ms`. */
int64_t reservation_list_expired_units(struct reservation_list *list, int64_t now_ms);

#endif
