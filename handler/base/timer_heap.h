/*
 * timer_heap.h - due times in order: a pairing heap of entries that live inside their owners.
 *
 * Setting an entry never allocates, so it cannot fail. Setting costs O(1); taking out costs O(log n) on average.
 * The earliest entry is always at hand. Entries that are due at the same time come out in no particular order, but
 * the same calls always lead to the same order.
 *
 * An entry is in at most one heap. The heap owns nothing. The owner's lock or thread guards it.
 * Source of the algorithm: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap" (1986).
 */
#ifndef BASE_TIMER_HEAP_H
#define BASE_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: in no heap. */
struct timer_entry {
    int64_t due_ms;
    bool is_set;               /* it is in a heap */
    struct timer_entry *child; /* the first of those below it, none of which is due earlier */
    struct timer_entry *next;  /* the next of its siblings */
    struct timer_entry
        *previous; /* the sibling before it; for the first child, its parent; NULL for the root */
};

/* Zeroed: empty. */
struct timer_heap {
    struct timer_entry *root;
    size_t count;
};

/* Adds the entry, or moves it if it is in already. */
void timer_heap_set(struct timer_heap *heap, struct timer_entry *entry, int64_t due_ms);

/* Takes the entry out. Does nothing if it is not in. */
void timer_heap_remove(struct timer_heap *heap, struct timer_entry *entry);

/* Returns the entry that is due first, or NULL. */
static inline struct timer_entry *timer_heap_first(const struct timer_heap *heap) {
    return heap->root;
}

#endif
