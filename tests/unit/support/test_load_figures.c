#include "support/load/load_figures.h"

#include <string.h>

#include "support/processes/check_main.h"

enum { BEGUN_US = 5000000, MAX_ANSWERS = 16 };

static struct load_answer answers[MAX_ANSWERS];
static struct load_result result;

static void begin(void) {
    result = (struct load_result){
        .answers = answers, .begun_us = BEGUN_US, .ended_us = BEGUN_US + 4000000};
}

/* An answer, its times in ms from the beginning. */
static void add(int sent_ms, int received_ms, int status, int target, int version) {
    answers[result.count++] = (struct load_answer){.sent_us = BEGUN_US + sent_ms * 1000,
                                                   .received_us = BEGUN_US + received_ms * 1000,
                                                   .status = status,
                                                   .target = target,
                                                   .version = version};
}

START_TEST(the_rate_counts_what_was_answered_between_warm_up_and_end) {
    add(0, 999, 200, 0, 2);
    add(900, 1000, 200, 0, 3);
    add(1000, 3999, 200, 0, 4);
    add(1000, 2000, 409, 0, 4);
    add(3000, 4000, 200, 0, 5);
    ck_assert_double_eq_tol(load_per_second(&result, 1000), 2.0 / 3, 1e-9);
    ck_assert_double_eq_tol(load_per_second(&result, 0), 3.0 / 4, 1e-9);
}
END_TEST

START_TEST(latencies_are_those_of_all_that_was_sent_however_it_ended) {
    struct samples latencies = {.count = 0};
    add(999, 3000, 200, 0, 2);
    add(1000, 1010, 200, 0, 3);
    add(2000, 12000, 409, 0, 0);
    add(3000, 34000, 0, 0, 0);
    load_add_latencies(&result, 1000, &latencies);
    ck_assert_uint_eq(latencies.count, 3);
    ck_assert_double_eq(samples_median(&latencies), 10000);
    ck_assert_double_eq(samples_percentile(&latencies, 100), 31000);
    ck_assert_double_eq(load_longest_ms(&result), 31000);
    samples_cleanup(&latencies);
}
END_TEST

START_TEST(only_a_200_is_a_reservation_and_all_else_is_told) {
    add(0, 1, 200, 0, 2);
    add(0, 1, 200, 1, 2);
    add(0, 1, 409, 1, 2);
    add(0, 1, 503, 1, 0);
    add(0, 1, 0, 1, 0);
    ck_assert_int_eq(load_reservations(&result, LOAD_ALL_TARGETS), 2);
    ck_assert_int_eq(load_reservations(&result, 1), 1);
    ck_assert_int_eq(load_reservations(&result, 2), 0);
    ck_assert_int_eq(load_refusals(&result), 3);
}
END_TEST

START_TEST(a_commit_is_the_reservations_that_share_a_version_in_whatever_order_they_came) {
    struct samples sizes = {.count = 0};
    add(0, 1, 200, 0, 10);
    add(0, 1, 200, 1, 9);
    add(0, 2, 200, 0, 11);
    add(0, 2, 200, 0, 10);
    add(0, 3, 409, 0, 11);
    add(0, 4, 200, 0, 10);
    load_add_commit_sizes(&result, LOAD_ALL_TARGETS, &sizes);
    ck_assert_uint_eq(sizes.count, 3);
    ck_assert_double_eq(samples_percentile(&sizes, 100), 3);
    ck_assert_double_eq(samples_median(&sizes), 1);
    samples_cleanup(&sizes);
    load_add_commit_sizes(&result, 0, &sizes);
    ck_assert_uint_eq(sizes.count, 2);
    samples_cleanup(&sizes);
    load_add_commit_sizes(&result, 2, &sizes);
    ck_assert_uint_eq(sizes.count, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("load_figures");
    TCase *tcase = tcase_create("load_figures");
    tcase_add_checked_fixture(tcase, begin, NULL);
    tcase_add_test(tcase, the_rate_counts_what_was_answered_between_warm_up_and_end);
    tcase_add_test(tcase, latencies_are_those_of_all_that_was_sent_however_it_ended);
    tcase_add_test(tcase, only_a_200_is_a_reservation_and_all_else_is_told);
    tcase_add_test(tcase,
                   a_commit_is_the_reservations_that_share_a_version_in_whatever_order_they_came);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
