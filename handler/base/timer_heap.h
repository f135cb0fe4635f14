/*
 * timer_heap.h - entries sorted by due time: a pairing heap of entries that live in their owners.
 *
 * Setting an entry never allocates, so it cannot fail. It costs O(1); removal costs O(log n) on
 * average. The earliest entry is always at hand. Entries that are due at the same time come out in
 * no particular order, but the same calls always lead to the same order.
 *
 * An entry is in at most one heap. The heap owns nothing. The owner's lock or thread guards it.
 * Source of the algorithm: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap" (1986).
 */
#ifndef BASE_TIMER_HEAP_H
#define BASE_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A zeroed entry is in no heap. Entries form a tree, in which no child is due earlier than its
 * parent. `child` is the first child, `next` the next sibling. `previous` is the sibling before;
 * for the first child it is the parent, and for the root NULL.
 */
struct timer_entry {
    int64_t due_ms;
    bool is_set; /* it is in a heap */
    struct timer_entry *child;
    struct timer_entry *next;
    struct timer_entry *previous;
};

/* A zeroed heap is empty. */
struct timer_heap {
    struct timer_entry *root;
    size_t count;
};

/* Adds the entry, or moves it if it is already in. */
void timer_heap_set(struct timer_heap *heap, struct timer_entry *entry, int64_t due_ms);

/* Removes the entry. Does nothing if it is not in. */
void timer_heap_remove(struct timer_heap *heap, struct timer_entry *entry);

/* Returns the entry that is due first, or NULL. */
static inline struct timer_entry *timer_heap_first(const struct timer_heap *heap) {
    return heap->root;
}

#endif
