#include "base/timer_heap.h"

#include <assert.h>
#include <stdlib.h>

/* Places count from 1, as in timer_entry: the children of place p are at 2p and 2p + 1. */
static struct timer_entry *entry_at(const struct timer_heap *heap, size_t place) {
    return heap->entries[place - 1];
}

static void put(struct timer_heap *heap, size_t place, struct timer_entry *entry) {
    heap->entries[place - 1] = entry;
    entry->position = place;
}

/* The free place moves up from `place` until `entry` may stand in it. */
static void sift_up(struct timer_heap *heap, size_t place, struct timer_entry *entry) {
    while (place > 1 && entry_at(heap, place / 2)->due_ms > entry->due_ms) {
        put(heap, place, entry_at(heap, place / 2));
        place /= 2;
    }
    put(heap, place, entry);
}

static void sift_down(struct timer_heap *heap, size_t place, struct timer_entry *entry) {
    for (;;) {
        size_t child = place * 2;
        if (child < heap->count && entry_at(heap, child + 1)->due_ms < entry_at(heap, child)->due_ms) {
            child++;
        }
        if (child > heap->count || entry_at(heap, child)->due_ms >= entry->due_ms) {
            put(heap, place, entry);
            return;
        }
        put(heap, place, entry_at(heap, child));
        place = child;
    }
}

/* Finds the entry's place, starting from a place that is free. */
static void settle(struct timer_heap *heap, size_t place, struct timer_entry *entry) {
    if (place > 1 && entry_at(heap, place / 2)->due_ms > entry->due_ms) {
        sift_up(heap, place, entry);
    } else {
        sift_down(heap, place, entry);
    }
}

void timer_heap_init(struct timer_heap *heap) {
    *heap = (struct timer_heap){0};
}

void timer_heap_release(struct timer_heap *heap) {
    free(heap->entries);
    timer_heap_init(heap);
}

enum status timer_heap_reserve(struct timer_heap *heap, size_t count) {
    if (count <= heap->capacity) {
        return STATUS_OK;
    }
    size_t capacity = count > heap->capacity * 2 ? count : heap->capacity * 2;
    struct timer_entry **entries = reallocarray(heap->entries, capacity, sizeof *entries);
    if (entries == NULL) {
        return STATUS_NO_MEMORY;
    }
    heap->entries = entries;
    heap->capacity = capacity;
    return STATUS_OK;
}

void timer_heap_set(struct timer_heap *heap, struct timer_entry *entry, int64_t due_ms) {
    entry->due_ms = due_ms;
    if (entry->position == 0) {
        assert(heap->count < heap->capacity);
        heap->count++;
        sift_up(heap, heap->count, entry);
        return;
    }
    settle(heap, entry->position, entry);
}

void timer_heap_remove(struct timer_heap *heap, struct timer_entry *entry) {
    size_t place = entry->position;
    if (place == 0) {
        return;
    }
    struct timer_entry *last = entry_at(heap, heap->count);
    heap->count--;
    entry->position = 0;
    if (last != entry) {
        settle(heap, place, last);
    }
}

struct timer_entry *timer_heap_first(const struct timer_heap *heap) {
    return heap->count > 0 ? heap->entries[0] : NULL;
}
