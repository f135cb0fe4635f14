#include "inventory/reservation_list.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/*
 * Each reservation is a block of memory of its own, so a pointer to it stays valid while others
 * come and go. Three structures find it:
 *
 *   slots     An array of pointers, by expiry and id. `rows` is the part in use, with room on both
 *             sides, because reservations come at the end and go at the start as a rule. To remove
 *             one in between moves the pointers on the shorter side. To add one does so if there is
 *             a free slot in front.
 *   buckets   The customer index, a hash table. A bucket has the head of a list of reservations, by
 *             expiry and id, of all customers with that hash. The head's `earlier` is the last one
 *             of the list. The last one's `later` is NULL.
 *   extended  A tree of those that no longer expire when their ids say. One for which it had no
 *             memory is searched in the slots.
 */
enum {
    FEW_SLOTS = 8,
    SLOTS_PER_BUCKET = 4,

    /* For the static_assert. glibc's malloc adds the overhead, and rounds up to the step. */
    HEAP_STEP_BYTES = 16,
    HEAP_OVERHEAD_BYTES = 8,
    /* Slots grow by a half, and buckets with them. */
    MOST_SLOT_BYTES = sizeof(void *) * 3 / 2,
    MOST_BUCKET_BYTES = MOST_SLOT_BYTES / SLOTS_PER_BUCKET,
    USUAL_CUSTOMER_BYTES = 25 + 1,
    USUAL_BYTES =
        offsetof(struct reservation, customer_id) + USUAL_CUSTOMER_BYTES + HEAP_OVERHEAD_BYTES,
};
static_assert((USUAL_BYTES + HEAP_STEP_BYTES - 1) / HEAP_STEP_BYTES * HEAP_STEP_BYTES +
                      MOST_SLOT_BYTES + MOST_BUCKET_BYTES <=
                  128,
              "a usual reservation takes 128 bytes at most");

void reservation_list_init(struct reservation_list *list) {
    *list = (struct reservation_list){.expired_at_ms = INT64_MIN};
}

/* The tree does not own its reservations. */
static void leave_row(void *row) {
    (void)row;
}

/* Empties the list without freeing its reservations. */
static void free_slots(struct reservation_list *list) {
    tdestroy(list->extended, leave_row);
    free(list->slots);
    free(list->buckets);
    reservation_list_init(list);
}

void reservation_list_cleanup(struct reservation_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->rows[i]);
    }
    free_slots(list);
}

/* ---- the customer index ---- */

/* The hash is FNV-1a, scaled to the number of buckets. */
static struct reservation **bucket_of(const struct reservation_list *list,
                                      const char *customer_id) {
    uint32_t hash = 2166136261U;
    for (const char *byte = customer_id; *byte != '\0'; byte++) {
        hash = (hash ^ (unsigned char)*byte) * 16777619U;
    }
    return &list->buckets[(uint64_t)hash * list->bucket_count >> 32];
}

static bool stands_before(const struct reservation *left, const struct reservation *right) {
    return left->expires_ms != right->expires_ms ? left->expires_ms < right->expires_ms
                                                 : strcmp(left->id, right->id) < 0;
}

/* Links `row` into a list behind `before`, or at its head (NULL). */
static void index_link(struct reservation **head, struct reservation *before,
                       struct reservation *row) {
    struct reservation *last = (*head)->earlier;
    row->later = before == NULL ? *head : before->later;
    row->earlier = before == NULL ? last : before;
    if (row->later != NULL) {
        row->later->earlier = row;
    }
    if (before == NULL) {
        *head = row;
    } else {
        before->later = row;
    }
    if (row->later == NULL) {
        (*head)->earlier = row;
    }
}

/*
 * Adds the reservation in slot `at` to the customer index, which has all those in earlier slots.
 *
 * Its predecessor in the bucket is looked for in two ways at once: from the bucket's end, and down
 * the slots from `at`. The first way is short if the bucket has few reservations, or if this one
 * expires last, as is usual. The second way is short if the bucket has many.
 */
static void index_add(struct reservation_list *list, size_t at) {
    struct reservation *row = list->rows[at], **head = bucket_of(list, row->customer_id);
    if (*head == NULL) {
        row->earlier = row;
        row->later = NULL;
        *head = row;
        return;
    }
    struct reservation *before = (*head)->earlier;
    while (before != NULL && stands_before(row, before)) {
        before = before == *head ? NULL : before->earlier;
        if (at > 0 && bucket_of(list, list->rows[--at]->customer_id) == head) {
            before = list->rows[at];
        }
    }
    index_link(head, before, row);
}

static void index_remove(struct reservation_list *list, struct reservation *row) {
    struct reservation **head = bucket_of(list, row->customer_id);
    if (row->later != NULL) {
        row->later->earlier = row->earlier;
    } else {
        (*head)->earlier = row->earlier;
    }
    if (*head == row) {
        *head = row->later;
    } else {
        row->earlier->later = row->later;
    }
}

static struct reservation *first_of_customer(struct reservation *row, const char *customer_id) {
    while (row != NULL && strcmp(row->customer_id, customer_id) != 0) {
        row = row->later;
    }
    return row;
}

struct reservation *reservation_list_first_of(const struct reservation_list *list,
                                              const char *customer_id) {
    return list->bucket_count == 0 ? NULL
                                   : first_of_customer(*bucket_of(list, customer_id), customer_id);
}

struct reservation *reservation_list_next_of(const struct reservation *row) {
    return first_of_customer(row->later, row->customer_id);
}

/* ---- room ---- */

/* Gives the list other slots and buckets. STATUS_NO_MEMORY: nothing has changed. */
static enum status resize(struct reservation_list *list, size_t slot_capacity) {
    size_t bucket_count = (slot_capacity + SLOTS_PER_BUCKET - 1) / SLOTS_PER_BUCKET;
    struct reservation **slots = malloc(slot_capacity * sizeof *slots);
    struct reservation **buckets = calloc(bucket_count, sizeof *buckets);
    if (slots == NULL || buckets == NULL) {
        free(slots);
        free(buckets);
        return STATUS_NO_MEMORY;
    }
    if (list->count > 0) {
        memcpy(slots, list->rows, list->count * sizeof *slots);
    }
    free(list->slots);
    free(list->buckets);
    list->slots = list->rows = slots;
    list->slot_capacity = slot_capacity;
    list->buckets = buckets;
    list->bucket_count = bucket_count;
    for (size_t i = 0; i < list->count; i++) {
        index_add(list, i);
    }
    return STATUS_OK;
}

static void move_to_front(struct reservation_list *list) {
    memmove(list->slots, list->rows, list->count * sizeof *list->slots);
    list->rows = list->slots;
}

/* Makes room for `more` behind the last: moves all to the front if that pays, or gets new slots. */
static enum status make_room(struct reservation_list *list, size_t more) {
    size_t in_front = (size_t)(list->rows - list->slots), needed = list->count + more;
    if (in_front + needed <= list->slot_capacity) {
        return STATUS_OK;
    }
    if (needed <= list->slot_capacity && in_front >= list->slot_capacity / 4) {
        move_to_front(list);
        return STATUS_OK;
    }
    size_t grown = list->slot_capacity + list->slot_capacity / 2;
    grown = grown < FEW_SLOTS ? FEW_SLOTS : grown;
    return resize(list, grown < needed ? needed : grown);
}

/* Opens a slot at `at`. The caller has made room behind the last one. */
static void open_slot(struct reservation_list *list, size_t at) {
    size_t behind = list->count - at;
    if (at < behind && list->rows > list->slots) {
        memmove(list->rows - 1, list->rows, at * sizeof *list->rows);
        list->rows--;
    } else {
        memmove(&list->rows[at + 1], &list->rows[at], behind * sizeof *list->rows);
    }
    list->count++;
}

static void close_slot(struct reservation_list *list, size_t at) {
    size_t behind = list->count - at - 1;
    if (at < behind) {
        memmove(list->rows + 1, list->rows, at * sizeof *list->rows);
        list->rows++;
    } else {
        memmove(&list->rows[at], &list->rows[at + 1], behind * sizeof *list->rows);
    }
    list->count--;
}

/* ---- order ---- */

/*
 * Returns how many of the first `end` reservations stand before `row`. Looks from the end in steps
 * that double, because that is where new ones go, and then bisects the last step.
 */
static size_t place_of(const struct reservation_list *list, const struct reservation *row,
                       size_t end) {
    size_t step = 1;
    while (step <= end && !stands_before(list->rows[end - step], row)) {
        step *= 2;
    }
    size_t low = step <= end ? end - step + 1 : 0, high = end - step / 2;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stands_before(list->rows[middle], row)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_same(const struct reservation *left, const struct reservation *right) {
    return left->expires_ms == right->expires_ms && strcmp(left->id, right->id) == 0;
}

/* ---- extended ---- */

bool reservation_list_is_extended(const struct reservation *row) {
    int64_t first_expiry_ms = 0;
    return !uuid_v8_time(row->id, &first_expiry_ms) || first_expiry_ms != row->expires_ms;
}

static int compare_ids(const void *left, const void *right) {
    const struct reservation *a = left, *b = right;
    return strcmp(a->id, b->id);
}

static void note_extended(struct reservation_list *list, struct reservation *row) {
    struct reservation **node =
        reservation_list_is_extended(row) ? tsearch(row, &list->extended, compare_ids) : &row;
    list->unindexed_count += node == NULL || *node != row;
}

static void forget_extended(struct reservation_list *list, const struct reservation *row) {
    if (!reservation_list_is_extended(row)) {
        return;
    }
    struct reservation **node = tfind(row, &list->extended, compare_ids);
    if (node != NULL && *node == row) {
        tdelete(row, &list->extended, compare_ids);
    } else {
        list->unindexed_count--;
    }
}

static struct reservation *find_extended(const struct reservation_list *list,
                                         const struct reservation *like) {
    struct reservation *const *found = tfind(like, &list->extended, compare_ids);
    if (found != NULL) {
        return *found;
    }
    for (size_t i = list->unindexed_count > 0 ? list->count : 0; i > 0; i--) {
        if (compare_ids(list->rows[i - 1], like) == 0) {
            return list->rows[i - 1];
        }
    }
    return NULL;
}

struct reservation *reservation_list_find(const struct reservation_list *list, const char *id) {
    struct reservation like = {0};
    size_t bytes = strlen(id) + 1;
    if (bytes > sizeof like.id) {
        return NULL;
    }
    memcpy(like.id, id, bytes);
    if (uuid_v8_time(id, &like.expires_ms)) {
        size_t at = place_of(list, &like, list->count);
        if (at < list->count && is_same(list->rows[at], &like)) {
            return list->rows[at];
        }
    }
    return find_extended(list, &like);
}

struct reservation *reservation_list_first(const struct reservation_list *list) {
    return list->emptied_in_front < list->count ? list->rows[list->emptied_in_front] : NULL;
}

static void skip_emptied(struct reservation_list *list) {
    while (list->emptied_in_front < list->count &&
           list->rows[list->emptied_in_front]->quantity == 0) {
        list->emptied_in_front++;
    }
}

/* ---- expired ---- */

/* Returns the number of the first reservation from `low` on that expires after `until_ms`. */
static size_t first_after(const struct reservation_list *list, size_t low, int64_t until_ms) {
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->rows[middle]->expires_ms <= until_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t reservation_list_expired_count(const struct reservation_list *list, int64_t now_ms) {
    return first_after(list, list->emptied_in_front, now_ms) - list->emptied_in_front;
}

/* `now_ms` may also be earlier than the last time: storage's clock is corrected now and then. */
int64_t reservation_list_expired_units(struct reservation_list *list, int64_t now_ms) {
    while (list->expired_count < list->count &&
           list->rows[list->expired_count]->expires_ms <= now_ms) {
        list->expired_units += list->rows[list->expired_count++]->quantity;
    }
    while (list->expired_count > 0 && list->rows[list->expired_count - 1]->expires_ms > now_ms) {
        list->expired_units -= list->rows[--list->expired_count]->quantity;
    }
    list->expired_at_ms = now_ms;
    return list->expired_units;
}

static void add_units(struct reservation_list *list, const struct reservation *row, int64_t units) {
    list->units += units;
    if (row->expires_ms <= list->expired_at_ms) {
        list->expired_units += units;
    }
}

/* ---- add and remove ---- */

/* Enters a reservation that is in its slot into the index and the sums. */
static void enter_row(struct reservation_list *list, size_t at) {
    struct reservation *row = list->rows[at];
    index_add(list, at);
    add_units(list, row, row->quantity);
    list->expired_count += row->expires_ms <= list->expired_at_ms;
    note_extended(list, row);
}

/* Puts a reservation into its place. The caller has made room. */
static void insert_row(struct reservation_list *list, struct reservation *row) {
    size_t at = place_of(list, row, list->count);
    open_slot(list, at);
    list->rows[at] = row;
    if (list->emptied_in_front > at) {
        list->emptied_in_front = at;
    }
    enter_row(list, at);
}

static struct reservation *reservation_new(const struct reservation *like,
                                           const char *customer_id) {
    size_t customer_bytes = strlen(customer_id) + 1;
    size_t bytes = offsetof(struct reservation, customer_id) + customer_bytes;
    struct reservation *row = malloc(bytes < sizeof *row ? sizeof *row : bytes);
    if (row != NULL) {
        *row = *like;
        row->mark = RESERVATION_STORED;
        memcpy(row->customer_id, customer_id, customer_bytes);
    }
    return row;
}

struct reservation *reservation_list_add(struct reservation_list *list,
                                         const struct reservation *like, const char *customer_id) {
    struct reservation *row =
        make_room(list, 1) == STATUS_OK ? reservation_new(like, customer_id) : NULL;
    if (row == NULL) {
        return NULL;
    }
    insert_row(list, row);
    return row;
}

/*
 * Merges the slots of two sorted lists, from their ends, into the room behind the first. A row that
 * is in both lists is freed, and leaves one slot too many. So all rows that were moved close up at
 * the end. Returns the first slot that may have another row than before.
 */
static size_t merge_slots(struct reservation_list *list, struct reservation_list *other) {
    size_t from = list->count, end = from + other->count, to = end;
    for (size_t i = other->count; i-- > 0;) {
        struct reservation *row = other->rows[i];
        size_t at = place_of(list, row, from);
        bool is_there = at < from && is_same(list->rows[at], row);
        to -= from - at;
        memmove(&list->rows[to], &list->rows[at], (from - at) * sizeof *list->rows);
        from = at;
        if (is_there) {
            free(row);
            other->rows[i] = NULL;
        } else {
            list->rows[--to] = row;
        }
    }
    memmove(&list->rows[from], &list->rows[to], (end - to) * sizeof *list->rows);
    list->count = end - (to - from);
    return from;
}

enum status reservation_list_merge(struct reservation_list *list, struct reservation_list *other) {
    if (other->count == 0) {
        return STATUS_OK;
    }
    if (make_room(list, other->count) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    size_t at = merge_slots(list, other);
    for (size_t i = 0; i < other->count; i++) {
        if (other->rows[i] != NULL) {
            while (list->rows[at] != other->rows[i]) {
                at++;
            }
            enter_row(list, at);
        }
    }
    list->emptied_in_front = 0;
    skip_emptied(list);
    free_slots(other);
    return STATUS_OK;
}

void reservation_list_take(struct reservation_list *list, struct reservation *row, int units) {
    assert(units > 0 && units <= row->quantity);
    row->quantity -= units;
    add_units(list, row, -(int64_t)units);
    skip_emptied(list);
}

/* Takes the reservation in slot `at` out of the list, and returns it. */
static struct reservation *take_out(struct reservation_list *list, size_t at) {
    struct reservation *row = list->rows[at];
    add_units(list, row, -(int64_t)row->quantity);
    index_remove(list, row);
    list->expired_count -= at < list->expired_count;
    forget_extended(list, row);
    list->emptied_in_front -= at < list->emptied_in_front;
    close_slot(list, at);
    skip_emptied(list);
    return row;
}

void reservation_list_remove(struct reservation_list *list, struct reservation *row) {
    size_t at = place_of(list, row, list->count);
    assert(list->rows[at] == row);
    free(take_out(list, at));
}

/* Without memory for more slots, the one that it leaves is room enough. */
void reservation_list_set_expiry(struct reservation_list *list, struct reservation *row,
                                 int64_t expires_ms) {
    size_t at = place_of(list, row, list->count);
    assert(list->rows[at] == row);
    take_out(list, at);
    if (make_room(list, 1) != STATUS_OK) {
        move_to_front(list);
    }
    row->expires_ms = expires_ms;
    insert_row(list, row);
}

void reservation_list_trim(struct reservation_list *list, int64_t until_ms, size_t keep) {
    size_t first = first_after(list, 0, until_ms);
    while (list->count - first > keep) {
        free(take_out(list, first));
    }
    size_t enough = list->count + list->count / 2 + FEW_SLOTS;
    if (list->slot_capacity / 4 > enough) {
        (void)resize(list, enough); /* if there is no memory, the list keeps its slots */
    }
}
