#include "base/timer_heap.h"

/*
 * Joins two heaps: the root that is due later becomes the first child of the other, which is
 * returned. Either may be NULL.
 */
static struct timer_entry *meld(struct timer_entry *a, struct timer_entry *b) {
    if (a == NULL || b == NULL) {
        return a == NULL ? b : a;
    }
    struct timer_entry *root = b->due_ms < a->due_ms ? b : a;
    struct timer_entry *below = root == a ? b : a;
    below->next = root->child;
    below->previous = root;
    if (root->child != NULL) {
        root->child->previous = below;
    }
    root->child = below;
    root->next = NULL;
    root->previous = NULL;
    return root;
}

/*
 * Makes one heap of siblings. They are melded in pairs from left to right, and then the pairs from
 * right to left. That order keeps later removals cheap. Meanwhile the pairs are in a list of their
 * own, linked through `next`.
 */
static struct timer_entry *meld_siblings(struct timer_entry *first) {
    struct timer_entry *pairs = NULL;
    while (first != NULL) {
        struct timer_entry *second = first->next;
        struct timer_entry *rest = second == NULL ? NULL : second->next;
        struct timer_entry *pair = meld(first, second);
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    struct timer_entry *root = NULL;
    while (pairs != NULL) {
        struct timer_entry *rest = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = rest;
    }
    if (root != NULL) {
        root->previous = NULL;
    }
    return root;
}

/* Detaches an entry that is not the root from its siblings, together with its children. */
static void detach(struct timer_entry *entry) {
    if (entry->previous->child == entry) {
        entry->previous->child = entry->next;
    } else {
        entry->previous->next = entry->next;
    }
    if (entry->next != NULL) {
        entry->next->previous = entry->previous;
    }
}

void timer_heap_remove(struct timer_heap *heap, struct timer_entry *entry) {
    if (!entry->is_set) {
        return;
    }
    struct timer_entry *below = meld_siblings(entry->child);
    if (entry == heap->root) {
        heap->root = below;
    } else {
        detach(entry);
        heap->root = meld(heap->root, below);
    }
    entry->child = entry->next = entry->previous = NULL;
    entry->is_set = false;
    heap->count--;
}

void timer_heap_set(struct timer_heap *heap, struct timer_entry *entry, int64_t due_ms) {
    timer_heap_remove(heap, entry);
    entry->due_ms = due_ms;
    entry->is_set = true;
    heap->root = meld(heap->root, entry);
    heap->count++;
}
