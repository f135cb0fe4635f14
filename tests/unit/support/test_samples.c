#include "support/load/samples.h"

#include <math.h>

#include "support/processes/check_main.h"

static struct samples samples;

static void release(void) {
    samples_cleanup(&samples);
}

/* `count`, ..., 2, 1: the wrong way round. */
static void add_down_from(int count) {
    for (int i = count; i > 0; i--) {
        samples_add(&samples, i);
    }
}

START_TEST(a_percentile_is_a_value_that_was_measured_and_not_exceeded_by_so_many) {
    add_down_from(1000);
    ck_assert_double_eq(samples_percentile(&samples, 0), 1);
    ck_assert_double_eq(samples_percentile(&samples, 0.1), 1);
    ck_assert_double_eq(samples_percentile(&samples, 50), 500);
    ck_assert_double_eq(samples_percentile(&samples, 50.01), 501);
    ck_assert_double_eq(samples_percentile(&samples, 99), 990);
    ck_assert_double_eq(samples_percentile(&samples, 100), 1000);
}
END_TEST

START_TEST(a_rank_that_doubles_cannot_hold_is_not_rounded_up) {
    add_down_from(100);
    ck_assert_double_eq(samples_percentile(&samples, 7), 7);
    ck_assert_double_eq(samples_percentile(&samples, 55), 55);
}
END_TEST

START_TEST(of_few_values_the_99th_percentile_is_the_greatest) {
    add_down_from(64);
    ck_assert_double_eq(samples_percentile(&samples, 99), 64);
    ck_assert_double_eq(samples_percentile(&samples, 90), 58);
}
END_TEST

START_TEST(the_median_of_an_even_number_lies_between_the_two_in_the_middle) {
    add_down_from(4);
    ck_assert_double_eq(samples_median(&samples), 2.5);
    samples_add(&samples, -7);
    ck_assert_double_eq(samples_median(&samples), 2);
}
END_TEST

START_TEST(a_value_added_after_a_question_counts_in_the_next) {
    add_down_from(3);
    ck_assert_double_eq(samples_percentile(&samples, 100), 3);
    samples_add(&samples, 0.5);
    ck_assert_double_eq(samples_percentile(&samples, 0), 0.5);
    ck_assert_double_eq(samples_percentile(&samples, 100), 3);
}
END_TEST

START_TEST(without_values_there_is_no_number) {
    ck_assert(isnan(samples_percentile(&samples, 50)));
    ck_assert(isnan(samples_median(&samples)));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("samples");
    TCase *tcase = tcase_create("samples");
    tcase_add_checked_fixture(tcase, NULL, release);
    tcase_add_test(tcase, a_percentile_is_a_value_that_was_measured_and_not_exceeded_by_so_many);
    tcase_add_test(tcase, a_rank_that_doubles_cannot_hold_is_not_rounded_up);
    tcase_add_test(tcase, of_few_values_the_99th_percentile_is_the_greatest);
    tcase_add_test(tcase, the_median_of_an_even_number_lies_between_the_two_in_the_middle);
    tcase_add_test(tcase, a_value_added_after_a_question_counts_in_the_next);
    tcase_add_test(tcase, without_values_there_is_no_number);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
