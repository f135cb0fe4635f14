/* test_reservation_list.c - reservations in memory: what finds them, and what that costs. */
#include "inventory/reservation_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/processes/check_main.h"

static struct reservation_list list;

static void set_up(void) {
    reservation_list_init(&list);
}

static void tear_down(void) {
    reservation_list_cleanup(&list);
}

static struct reservation *add(struct reservation_list *to, const char *id, int64_t expires_ms,
                               const char *customer) {
    struct reservation like = {
        .quantity = 5, .expires_ms = expires_ms, .mark = RESERVATION_REMOVED};
    snprintf(like.id, sizeof like.id, "%s", id);
    struct reservation *row = reservation_list_add(to, &like, customer);
    ck_assert_ptr_nonnull(row);
    return row;
}

static void assert_rows(const char *ids) {
    char found[64] = "";
    for (size_t i = 0; i < list.count; i++) {
        strcat(found, list.rows[i]->id);
    }
    ck_assert_str_eq(found, ids);
}

START_TEST(a_reservation_is_copied_with_its_customer_and_counts_as_stored) {
    char longest[CUSTOMER_ID_BYTES];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    struct reservation *row = add(&list, "a", 10, longest);
    longest[0] = 'y';
    ck_assert_uint_eq(strlen(row->customer_id), CUSTOMER_ID_BYTES - 1);
    ck_assert_int_eq(row->customer_id[0], 'x');
    ck_assert_int_eq(row->mark, RESERVATION_STORED);
    ck_assert_str_eq(add(&list, "b", 10, "")->customer_id, "");
}
END_TEST

START_TEST(a_customers_reservations_come_by_expiry) {
    add(&list, "b", 20, "C1");
    add(&list, "c", 30, "C2");
    add(&list, "a", 10, "C1");
    add(&list, "d", 40, "C1");
    struct reservation *row = reservation_list_first_of(&list, "C1");
    ck_assert_str_eq(row->id, "a");
    ck_assert_str_eq((row = reservation_list_next_of(row))->id, "b");
    ck_assert_str_eq((row = reservation_list_next_of(row))->id, "d");
    ck_assert_ptr_null(reservation_list_next_of(row));
    ck_assert_ptr_null(reservation_list_first_of(&list, "C3"));
}
END_TEST

START_TEST(an_empty_list_has_nothing) {
    struct reservation_list other;
    reservation_list_init(&other);
    ck_assert_ptr_null(reservation_list_first(&list));
    ck_assert_ptr_null(reservation_list_first_of(&list, "C1"));
    ck_assert_ptr_null(reservation_list_find(&list, "a"));
    ck_assert_int_eq(reservation_list_expired_units(&list, INT64_MAX), 0);
    ck_assert_uint_eq(reservation_list_expired_count(&list, INT64_MAX), 0);
    reservation_list_trim(&list, 0, 0);
    ck_assert_int_eq(reservation_list_merge(&list, &other), STATUS_OK);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(the_units_that_have_expired_follow_the_time_both_ways) {
    add(&list, "a", 10, "C1");
    struct reservation *second = add(&list, "b", 20, "C1");
    ck_assert_int_eq(reservation_list_expired_units(&list, 9), 0);
    ck_assert_int_eq(reservation_list_expired_units(&list, 20), 10);
    reservation_list_take(&list, second, 2);
    ck_assert_int_eq(reservation_list_expired_units(&list, 20), 8);
    add(&list, "c", 15, "C2");
    ck_assert_int_eq(reservation_list_expired_units(&list, 20), 13);
    ck_assert_int_eq(reservation_list_expired_units(&list, 14), 5);
    reservation_list_remove(&list, second);
    ck_assert_int_eq(reservation_list_expired_units(&list, 20), 10);
    ck_assert_int_eq(list.units, 10);
}
END_TEST

START_TEST(the_first_that_is_not_emptied_is_first) {
    struct reservation *a = add(&list, "a", 10, "C1"), *b = add(&list, "b", 20, "C1");
    add(&list, "c", 30, "C1");
    reservation_list_take(&list, b, 5);
    ck_assert_str_eq(reservation_list_first(&list)->id, "a");
    ck_assert_uint_eq(reservation_list_expired_count(&list, 30), 3);
    reservation_list_take(&list, a, 5);
    ck_assert_str_eq(reservation_list_first(&list)->id, "c");
    ck_assert_uint_eq(reservation_list_expired_count(&list, 30), 1);
    add(&list, "0", 5, "C1");
    ck_assert_str_eq(reservation_list_first(&list)->id, "0");
}
END_TEST

START_TEST(a_merge_keeps_what_is_there_and_takes_the_rest) {
    struct reservation_list other;
    reservation_list_init(&other);
    struct reservation *b = add(&list, "b", 20, "C1");
    add(&list, "d", 40, "C1");
    reservation_list_take(&list, b, 1);
    add(&other, "a", 10, "C1");
    add(&other, "b", 20, "C1");
    add(&other, "c", 30, "C2");
    add(&other, "e", 50, "C1");
    ck_assert_int_eq(reservation_list_merge(&list, &other), STATUS_OK);
    assert_rows("abcde");
    ck_assert_ptr_eq(list.rows[1], b);
    ck_assert_int_eq(b->quantity, 4);
    ck_assert_int_eq(list.units, 24);
    ck_assert_uint_eq(other.count, 0);
    ck_assert_str_eq(reservation_list_next_of(reservation_list_first_of(&list, "C1"))->id, "b");
    reservation_list_cleanup(&other);
}
END_TEST

static struct reservation *add_by_time(int64_t expires_ms) {
    char id[UUID_TEXT_BYTES];
    ck_assert_int_eq(uuid_v8_from_time(random_system(), expires_ms, id), STATUS_OK);
    return add(&list, id, expires_ms, "C1");
}

START_TEST(a_reservation_moves_to_where_its_other_expiry_belongs) {
    struct reservation *a = add(&list, "a", 10, "C1");
    add(&list, "b", 20, "C2");
    add(&list, "c", 30, "C1");
    ck_assert_int_eq(reservation_list_expired_units(&list, 15), 5);
    reservation_list_set_expiry(&list, a, 40);
    assert_rows("bca");
    ck_assert_ptr_eq(list.rows[2], a);
    ck_assert_int_eq(a->expires_ms, 40);
    ck_assert_int_eq(reservation_list_expired_units(&list, 15), 0);
    ck_assert_int_eq(reservation_list_expired_units(&list, 40), 15);
    ck_assert_int_eq(list.units, 15);
    struct reservation *first = reservation_list_first_of(&list, "C1");
    ck_assert_str_eq(first->id, "c");
    ck_assert_ptr_eq(reservation_list_next_of(first), a);
    ck_assert_str_eq(reservation_list_first(&list)->id, "b");
}
END_TEST

/* The slots are full, so that there is no room behind the last. */
START_TEST(every_reservation_of_a_full_list_can_be_moved_to_its_end) {
    for (int i = 0; i < 64; i++) {
        add_by_time(1000 + i);
    }
    for (int i = 0; i < 200; i++) {
        struct reservation *first = list.rows[i % 5];
        reservation_list_set_expiry(&list, first, 2000 + i);
        ck_assert_ptr_eq(list.rows[63], first);
        ck_assert_uint_eq(list.count, 64);
        ck_assert_uint_le((size_t)(list.rows - list.slots) + list.count, list.slot_capacity);
    }
}
END_TEST

START_TEST(a_reservation_is_found_by_its_id_before_and_after_it_was_extended) {
    struct reservation *rows[20];
    for (int i = 0; i < 20; i++) {
        rows[i] = add_by_time(1000 + i / 2);
    }
    ck_assert_ptr_null(list.extended);
    reservation_list_set_expiry(&list, rows[3], 5000);
    reservation_list_set_expiry(&list, rows[4], 1009);
    ck_assert_uint_eq(list.unindexed_count, 0);
    ck_assert(reservation_list_is_extended(rows[3]) && !reservation_list_is_extended(rows[5]));
    for (int i = 0; i < 20; i++) {
        ck_assert_ptr_eq(reservation_list_find(&list, rows[i]->id), rows[i]);
    }
    char gone[UUID_TEXT_BYTES];
    memcpy(gone, rows[3]->id, sizeof gone);
    reservation_list_remove(&list, rows[3]);
    ck_assert_ptr_null(reservation_list_find(&list, gone));
    char longer[UUID_TEXT_BYTES + 1];
    snprintf(longer, sizeof longer, "%sx", rows[4]->id);
    ck_assert_ptr_eq(reservation_list_find(&list, rows[4]->id), rows[4]);
    ck_assert_ptr_null(reservation_list_find(&list, longer));
    reservation_list_set_expiry(&list, rows[4], 1002); /* as its id says, again */
    ck_assert_ptr_null(list.extended);
}
END_TEST

/* No store has two rows of one id, but a damaged one might. */
START_TEST(two_extended_reservations_of_one_id_do_no_harm) {
    struct reservation *first = add(&list, "a", 10, "C1"), *second = add(&list, "a", 20, "C1");
    ck_assert_uint_eq(list.unindexed_count, 1);
    reservation_list_remove(&list, first);
    ck_assert_ptr_eq(reservation_list_find(&list, "a"), second);
    reservation_list_remove(&list, second);
    ck_assert_uint_eq(list.unindexed_count, 0);
    ck_assert_ptr_null(list.extended);
}
END_TEST

START_TEST(trimming_keeps_what_expires_soon_and_what_expires_last) {
    for (int i = 0; i < 9; i++) {
        char id[] = {(char)('a' + i), '\0'};
        add(&list, id, 10 * i, "C1");
    }
    reservation_list_trim(&list, 20, 3);
    assert_rows("abcghi");
    ck_assert_int_eq(list.units, 30);
    reservation_list_trim(&list, 20, 3);
    assert_rows("abcghi");
    reservation_list_trim(&list, 60, 3);
    assert_rows("abcghi");
    reservation_list_trim(&list, 20, 0);
    assert_rows("abc");
}
END_TEST

/* ---- costs ---- */

enum { FEW = 100, MANY = 100000, ROUNDS = 2000, TRIES = 7 };

/*
 * Beside the growth of what is looked at, memory far away costs more than memory at hand: hence the
 * margin.
 */
enum { MOST_RATIO = 10 };

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t next_ms;

static void add_next(const char *customer) {
    char id[UUID_TEXT_BYTES];
    snprintf(id, sizeof id, "%012lld", (long long)next_ms);
    add(&list, id, next_ms++, customer);
}

static void fill(int count) {
    reservation_list_cleanup(&list);
    next_ms = 1;
    for (int i = 0; i < count; i++) {
        char customer[24];
        snprintf(customer, sizeof customer, "CUST-%d", i);
        add_next(customer);
    }
}

/*
 * One expires, is released and goes; a new one comes, is released by its customer and goes; a third
 * stays.
 */
static void live_on(int64_t first_ms) {
    for (int i = 0; i < ROUNDS; i++) {
        reservation_list_expired_units(&list, first_ms + i);
        reservation_list_expired_count(&list, first_ms + i);
        struct reservation *first = reservation_list_first(&list);
        reservation_list_take(&list, first, first->quantity);
        reservation_list_remove(&list, first);
        add_next("RARE");
        reservation_list_remove(&list, reservation_list_first_of(&list, "RARE"));
        add_next("LASTING");
    }
}

/* As live_on, where the newest are extended and found, as those who pay do. */
static void extend_and_find(int64_t first_ms) {
    for (int i = 0; i < ROUNDS; i++) {
        add_next("PAYING");
        struct reservation *row = list.rows[list.count - 1];
        reservation_list_set_expiry(&list, row, ++next_ms);
        ck_assert_ptr_eq(reservation_list_find(&list, row->id), row);
        reservation_list_remove(&list, list.rows[0]);
    }
    (void)first_ms;
}

static double cost_with(int count, void (*use)(int64_t)) {
    double least = 1e9;
    fill(count);
    for (int i = 0; i < TRIES; i++) {
        double before_s = now_s();
        use(list.rows[0]->expires_ms);
        double took_s = now_s() - before_s;
        least = took_s < least ? took_s : least;
    }
    return least;
}

START_TEST(what_goes_on_all_the_time_costs_the_same_with_a_thousand_times_as_many) {
    double few = cost_with(FEW, live_on), many = cost_with(MANY, live_on);
    ck_assert_msg(many < few * MOST_RATIO, "%.3f ms with few, %.3f ms with many", few * 1e3,
                  many * 1e3);
}
END_TEST

START_TEST(to_extend_and_find_the_newest_costs_the_same_with_a_thousand_times_as_many) {
    double few = cost_with(FEW, extend_and_find), many = cost_with(MANY, extend_and_find);
    ck_assert_msg(many < few * MOST_RATIO, "%.3f ms with few, %.3f ms with many", few * 1e3,
                  many * 1e3);
}
END_TEST

/* A release's rows: at the end, of one customer, and most of them not there yet. */
static void merge_some(int64_t first_ms) {
    (void)first_ms;
    for (int i = 0; i < 50; i++) {
        struct reservation_list other;
        reservation_list_init(&other);
        for (int j = 0; j < 100; j++) {
            char id[UUID_TEXT_BYTES];
            snprintf(id, sizeof id, "%012d", i * 50 + j);
            add(&other, id, next_ms + i * 50 + j, "C");
        }
        ck_assert_int_eq(reservation_list_merge(&list, &other), STATUS_OK);
    }
    reservation_list_trim(&list, next_ms - 1, 0);
}

START_TEST(a_merge_at_the_end_costs_the_same_with_a_thousand_times_as_many) {
    double few = cost_with(FEW, merge_some), many = cost_with(MANY, merge_some);
    ck_assert_msg(many < few * MOST_RATIO, "%.3f ms with few, %.3f ms with many", few * 1e3,
                  many * 1e3);
}
END_TEST

START_TEST(a_merge_in_between_is_linear) {
    double took_s[2];
    for (int i = 0; i < 2; i++) {
        struct reservation_list other;
        int count = i == 0 ? 2000 : 64000;
        reservation_list_cleanup(&list);
        reservation_list_init(&other);
        for (int j = 0; j < count; j++) {
            char id[UUID_TEXT_BYTES];
            snprintf(id, sizeof id, "%012d", j);
            add(&list, id, 3 * j, "C");
            add(&other, id, j % 3 == 0 ? 3 * j : 3 * j + 1, "C");
        }
        double before_s = now_s();
        ck_assert_int_eq(reservation_list_merge(&list, &other), STATUS_OK);
        took_s[i] = now_s() - before_s;
        ck_assert_uint_eq(list.count, (size_t)(2 * count - (count + 2) / 3));
    }
    ck_assert_msg(took_s[1] < took_s[0] * 32 * 12, "%.3f ms and %.3f ms", took_s[0] * 1e3,
                  took_s[1] * 1e3);
}
END_TEST

START_TEST(what_was_needed_for_many_is_freed) {
    fill(MANY);
    reservation_list_trim(&list, 10, 0);
    ck_assert_uint_eq(list.count, 10);
    ck_assert_uint_lt(list.slot_capacity, 100);
    add_next("CUST-3");
    ck_assert_ptr_nonnull(reservation_list_next_of(reservation_list_first_of(&list, "CUST-3")));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reservation_list");
    TCase *tests = tcase_create("list"), *costs = tcase_create("costs");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_reservation_is_copied_with_its_customer_and_counts_as_stored);
    tcase_add_test(tests, a_customers_reservations_come_by_expiry);
    tcase_add_test(tests, an_empty_list_has_nothing);
    tcase_add_test(tests, the_units_that_have_expired_follow_the_time_both_ways);
    tcase_add_test(tests, the_first_that_is_not_emptied_is_first);
    tcase_add_test(tests, a_merge_keeps_what_is_there_and_takes_the_rest);
    tcase_add_test(tests, a_reservation_moves_to_where_its_other_expiry_belongs);
    tcase_add_test(tests, every_reservation_of_a_full_list_can_be_moved_to_its_end);
    tcase_add_test(tests, a_reservation_is_found_by_its_id_before_and_after_it_was_extended);
    tcase_add_test(tests, two_extended_reservations_of_one_id_do_no_harm);
    tcase_add_test(tests, trimming_keeps_what_expires_soon_and_what_expires_last);
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(costs, set_up, tear_down);
    tcase_set_timeout(costs, 60);
    tcase_add_test(costs, what_goes_on_all_the_time_costs_the_same_with_a_thousand_times_as_many);
    tcase_add_test(costs,
                   to_extend_and_find_the_newest_costs_the_same_with_a_thousand_times_as_many);
    tcase_add_test(costs, a_merge_at_the_end_costs_the_same_with_a_thousand_times_as_many);
    tcase_add_test(costs, a_merge_in_between_is_linear);
    tcase_add_test(costs, what_was_needed_for_many_is_freed);
    suite_add_tcase(suite, costs);
    return check_main(suite);
}
