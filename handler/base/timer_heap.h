/*
 * timer_heap.h - due times in order: a binary heap of entries that live inside their owners.
 *
 * Rules        An entry is in at most one heap. Adding, moving and removing cost O(log n); the earliest is at hand.
 *              Entries due at the same time come out in no particular order.
 * Ownership: the heap owns its array, never the entries.
 * Threads: none of its own; the owner's lock guards it.
 * Layer: base.
 */
#ifndef BASE_TIMER_HEAP_H
#define BASE_TIMER_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct timer_entry {
    int64_t due_ms;
    size_t position; /* 1-based place in the heap; 0: in none */
};

struct timer_heap {
    struct timer_entry **entries;
    size_t count;
    size_t capacity;
};

void timer_heap_init(struct timer_heap *heap);

/* Frees the array. Entries that are still in are not touched: their owners may be gone. */
void timer_heap_release(struct timer_heap *heap);

/* Makes sure that `count` entries fit, so that setting them cannot fail. STATUS_NO_MEMORY. */
enum status timer_heap_reserve(struct timer_heap *heap, size_t count) MUST_CHECK;

/* Adds the entry, or moves it if it is in already. There must be room (timer_heap_reserve). */
void timer_heap_set(struct timer_heap *heap, struct timer_entry *entry, int64_t due_ms);

/* Takes the entry out; nothing happens if it is not in. */
void timer_heap_remove(struct timer_heap *heap, struct timer_entry *entry);

/* The entry that is due first, or NULL. */
struct timer_entry *timer_heap_first(const struct timer_heap *heap);

#endif
