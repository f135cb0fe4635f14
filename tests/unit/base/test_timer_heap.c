#include "base/timer_heap.h"

#include <stdbool.h>

#include "support/processes/check_main.h"

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Counts an entry, its children and its later siblings, and checks their links and order. */
static size_t check_siblings(const struct timer_entry *first, const struct timer_entry *parent) {
    size_t count = 0;
    const struct timer_entry *previous = parent;
    for (const struct timer_entry *entry = first; entry != NULL; entry = entry->next) {
        bool in_order = parent == NULL || parent->due_ms <= entry->due_ms;
        if (!entry->is_set || entry->previous != previous || !in_order) {
            ck_abort_msg("an entry due at %lld is linked wrongly", (long long)entry->due_ms);
        }
        count += 1 + check_siblings(entry->child, entry);
        previous = entry;
    }
    return count;
}

static void check_heap(const struct timer_heap *heap) {
    ck_assert(heap->root == NULL || heap->root->next == NULL);
    ck_assert_uint_eq(check_siblings(heap->root, NULL), heap->count);
}

START_TEST(an_empty_heap_has_no_first) {
    struct timer_heap heap = {0};
    struct timer_entry entry = {.due_ms = 5};
    ck_assert_ptr_null(timer_heap_first(&heap));
    timer_heap_remove(&heap, &entry); /* it is in no heap */
    ck_assert_uint_eq(heap.count, 0);
}
END_TEST

START_TEST(entries_come_out_by_due_time) {
    const int64_t due[] = {50, INT64_MIN, 20, 20, INT64_MAX, 0, 10, 40};
    enum { COUNT = sizeof due / sizeof due[0] };
    struct timer_entry entries[COUNT] = {0};
    struct timer_heap heap = {0};
    for (int i = 0; i < COUNT; i++) {
        timer_heap_set(&heap, &entries[i], due[i]);
    }
    int64_t last = INT64_MIN;
    for (int left = COUNT; left > 0; left--) {
        struct timer_entry *first = timer_heap_first(&heap);
        ck_assert_int_ge(first->due_ms, last);
        last = first->due_ms;
        timer_heap_remove(&heap, first);
        ck_assert(!first->is_set);
    }
    ck_assert_int_eq(last, INT64_MAX);
    ck_assert_ptr_null(timer_heap_first(&heap));
}
END_TEST

START_TEST(an_entry_that_is_in_is_moved_both_ways) {
    struct timer_entry a = {0}, b = {0};
    struct timer_heap heap = {0};
    timer_heap_set(&heap, &a, 10);
    timer_heap_set(&heap, &b, 20);
    timer_heap_set(&heap, &a, 30);
    ck_assert_uint_eq(heap.count, 2);
    ck_assert_ptr_eq(timer_heap_first(&heap), &b);
    timer_heap_set(&heap, &a, 5);
    ck_assert_ptr_eq(timer_heap_first(&heap), &a);
}
END_TEST

enum { MODEL_COUNT = 40 };

static int64_t earliest(const struct timer_entry *entries, const int64_t *due, size_t *out_count) {
    int64_t first = INT64_MAX;
    *out_count = 0;
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        if (entries[i].is_set) {
            (*out_count)++;
            first = due[i] < first ? due[i] : first;
        }
    }
    return first;
}

/* There are few different times, so that equal ones are frequent. The model is a plain list. */
START_TEST(random_changes_agree_with_a_list) {
    uint32_t state = (uint32_t)_i * 7919 + 1;
    struct timer_entry entries[MODEL_COUNT] = {0};
    int64_t due[MODEL_COUNT] = {0};
    bool is_in[MODEL_COUNT] = {false};
    struct timer_heap heap = {0};
    for (int step = 0; step < 2000; step++) {
        size_t chosen = next_random(&state) % MODEL_COUNT;
        is_in[chosen] = next_random(&state) % 3 != 0;
        if (is_in[chosen]) {
            due[chosen] = (int64_t)(next_random(&state) % 60);
            timer_heap_set(&heap, &entries[chosen], due[chosen]);
        } else {
            timer_heap_remove(&heap, &entries[chosen]);
        }
        size_t count;
        int64_t first_due = earliest(entries, due, &count);
        check_heap(&heap);
        ck_assert_int_eq(entries[chosen].is_set, is_in[chosen]);
        ck_assert_uint_eq(heap.count, count);
        ck_assert(count == 0 ? timer_heap_first(&heap) == NULL
                             : timer_heap_first(&heap)->due_ms == first_due);
    }
}
END_TEST

/* Melding a hundred thousand siblings must not recurse, or the stack overflows. */
START_TEST(very_many_entries_need_no_stack) {
    enum { COUNT = 100000 };
    static struct timer_entry entries[COUNT];
    struct timer_heap heap = {0};
    for (int i = 0; i < COUNT; i++) {
        timer_heap_set(&heap, &entries[i], i);
    }
    for (int i = 0; i < COUNT; i++) {
        ck_assert_ptr_eq(timer_heap_first(&heap), &entries[i]);
        timer_heap_remove(&heap, &entries[i]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("timer_heap");
    TCase *tcase = tcase_create("timer_heap");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_empty_heap_has_no_first);
    tcase_add_test(tcase, entries_come_out_by_due_time);
    tcase_add_test(tcase, an_entry_that_is_in_is_moved_both_ways);
    tcase_add_loop_test(tcase, random_changes_agree_with_a_list, 0, 20);
    tcase_add_test(tcase, very_many_entries_need_no_stack);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
