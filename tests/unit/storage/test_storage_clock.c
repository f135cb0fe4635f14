#include "storage/storage_clock.h"

#include "base/utc.h"
#include "support/fakes/clock_fake.h"
#include "support/processes/check_main.h"

static struct clock_fake local;
static struct storage_clock storage;

#define NOON "Sun, 19 Jan 2025 12:00:00 GMT"
#define NOON_MS INT64_C(1737288000000)
#define ONE "Sun, 19 Jan 2025 13:00:00 GMT"
#define IN_TWO_DAYS "Tue, 21 Jan 2025 12:00:00 GMT"
#define TWO_DAYS_AGO "Fri, 17 Jan 2025 12:00:00 GMT"

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

/* The wall clock is right, unless a test sets it. */
static void set_up(void) {
    clock_fake_init(&local, 1000000, NOON_MS);
    storage_clock_init(&storage, &local.base);
}

static void tear_down(void) {
    storage_clock_cleanup(&storage);
}

static int64_t date_ms(const char *date) {
    int64_t ms = -1;
    ck_assert(utc_parse_http(date, &ms));
    return ms;
}

static void observe(const char *date) {
    storage_clock_observe(&storage, date, 1000000, 1000000);
}

START_TEST(before_storage_has_been_heard_the_wall_clock_stands_in) {
    clock_fake_jump_wall(&local, 500);
    ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS + 500);
    observe(NULL);
    observe("yesterday");
    ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS + 500);
    ck_assert_int_eq(storage_clock_certain_ms(&storage), NOON_MS + 500);
    ck_assert_int_eq(storage_clock_signing_ms(&storage), NOON_MS + 500);
    ck_assert(!storage_clock_is_in_doubt(&storage));
}
END_TEST

START_TEST(a_date_is_carried_forward_on_our_clock_whatever_the_wall_clock_does) {
    storage_clock_observe(&storage, NOON, 1000000, 1000000);
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON));
    clock_fake_advance(&local, 1500);
    clock_fake_jump_wall(&local, 3600000);
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON) + 1500);
}
END_TEST

START_TEST(the_time_is_never_ahead_of_storages) {
    /* The answer took 400 ms. The Date may have been set at its end, early in that second. */
    storage_clock_observe(&storage, NOON, 1000000 - 400, 1000000);
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON));
}
END_TEST

START_TEST(answers_narrow_the_bounds) {
    storage_clock_observe(&storage, NOON, 1000000, 1000000);
    clock_fake_advance(&local, 300);
    /* After 0.3 s the Date is a second later, so the first answer was made at 12:00:00.7. */
    storage_clock_observe(&storage, "Sun, 19 Jan 2025 12:00:01 GMT", 1000300, 1000300);
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON) + 1000);
    /* A slow answer, whose bounds are wider, changes nothing. */
    storage_clock_observe(&storage, "Sun, 19 Jan 2025 12:00:01 GMT", 1000000, 1000300);
    storage_clock_observe(&storage, NOON, 1000000, 1000300);
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON) + 1000);
}
END_TEST

START_TEST(bounds_that_just_touch_do_not_contradict) {
    storage_clock_observe(&storage, "Sun, 19 Jan 2025 12:00:01 GMT", 1000000, 1000000);
    storage_clock_observe(&storage, NOON, 999999,
                          999999); /* one point in common: 12:00:01 at 1000000 */
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON) + 1000);
    storage_clock_observe(&storage, NOON, 1000000, 1000000); /* none */
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON));
    int64_t max_ms = storage.accepted.max_ms;
    storage_clock_observe(&storage, "Sun, 19 Jan 2025 12:00:01 GMT", 1000001,
                          1000001); /* one point on the other side */
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON) + 999);
    ck_assert_int_eq(storage.accepted.max_ms, max_ms);
}
END_TEST

/* The clocks of storage's servers differ a little. */
START_TEST(a_small_contradiction_is_settled_by_the_newest_answer) {
    observe(NOON);
    observe("Sun, 19 Jan 2025 12:00:02 GMT");
    ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS + 2000);
    observe(NOON);
    ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS);
    ck_assert(!storage_clock_is_in_doubt(&storage));
}
END_TEST

static const char *const wrong_dates[] = {ONE,
                                          IN_TWO_DAYS,
                                          TWO_DAYS_AGO,
                                          "Sun, 19 Jan 2025 12:00:03 GMT",
                                          "Sun, 19 Jan 2025 11:59:56 GMT",
                                          "Thu, 01 Jan 1970 00:00:00 GMT",
                                          "Fri, 31 Dec 9999 23:59:59 GMT"};
enum { WRONG_DATES = sizeof wrong_dates / sizeof wrong_dates[0] };

static void assert_noon(void) {
    ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS);
    ck_assert_int_eq(storage_clock_signing_ms(&storage), NOON_MS);
    ck_assert_int_le(storage_clock_certain_ms(&storage), NOON_MS);
}

/* Whether it is the first answer or a later one. */
START_TEST(one_wrong_date_moves_nothing) {
    const char *wrong = wrong_dates[_i / 2];
    if (_i % 2 == 0) {
        observe(NOON);
        observe(wrong);
        assert_noon();
        ck_assert(storage_clock_is_in_doubt(&storage));
    } else {
        observe(wrong);
        ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS); /* by the wall clock */
        ck_assert_int_le(storage_clock_certain_ms(&storage), NOON_MS);
    }
    observe(NOON);
    assert_noon();
    ck_assert(!storage_clock_is_in_doubt(&storage));
    observe(wrong); /* the same again; each time it is the only one */
    observe(NOON);
    observe(wrong);
    assert_noon();
}
END_TEST

START_TEST(a_second_answer_confirms_a_jump) {
    observe(NOON);
    observe(ONE);
    ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS);
    clock_fake_advance(&local, 5000);
    storage_clock_observe(&storage, "Sun, 19 Jan 2025 13:00:05 GMT", 1005000, 1005000);
    ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS + HOUR_MS + 5000);
    ck_assert_int_eq(storage_clock_certain_ms(&storage), NOON_MS + HOUR_MS + 5000);
    ck_assert(!storage_clock_is_in_doubt(&storage));
}
END_TEST

START_TEST(two_different_wrong_dates_confirm_nothing) {
    observe(NOON);
    for (int i = 0; i < 4; i++) {
        observe(i % 2 == 0 ? IN_TWO_DAYS : ONE);
        ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS);
    }
}
END_TEST

START_TEST(the_earlier_time_counts_while_there_is_doubt) {
    observe(NOON);
    observe(IN_TWO_DAYS);
    ck_assert_int_eq(storage_clock_certain_ms(&storage), NOON_MS);
    observe(TWO_DAYS_AGO);
    ck_assert_int_eq(storage_clock_certain_ms(&storage), NOON_MS - 2 * DAY_MS);
    ck_assert_int_eq(storage_clock_ms(&storage), NOON_MS);
    observe(NOON);
    ck_assert_int_eq(storage_clock_certain_ms(&storage), NOON_MS);
}
END_TEST

/*
 * Our clock is wrong by 20 minutes. The first request is rejected, the second has the right date,
 * and the third may judge expiry.
 */
START_TEST(a_wrong_wall_clock_is_found_out_by_the_second_answer) {
    clock_fake_jump_wall(&local, 20 * 60 * 1000);
    observe(NOON);
    ck_assert_int_eq(storage_clock_signing_ms(&storage), NOON_MS);
    ck_assert_int_eq(storage_clock_certain_ms(&storage), NOON_MS);
    ck_assert(storage_clock_is_in_doubt(&storage));
    observe(NOON);
    assert_noon();
    ck_assert(!storage_clock_is_in_doubt(&storage));
}
END_TEST

START_TEST(what_is_certain_is_no_later_than_what_many_answers_say) {
    observe("Sun, 19 Jan 2025 12:00:01 GMT");
    storage_clock_observe(&storage, NOON, 999999, 999999);
    ck_assert_int_eq(storage_clock_certain_ms(&storage),
                     storage_clock_ms(&storage)); /* no doubt: the same */
}
END_TEST

START_TEST(bounds_widen_as_our_clock_may_drift) {
    storage_clock_observe(&storage, NOON, 1000000, 1000000);
    clock_fake_advance(&local, 1999);
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON) + 1999);
    for (int i = 0; i < 100; i++) { /* asking often does not lose it */
        clock_fake_advance(&local, 20);
        (void)storage_clock_ms(&storage);
    }
    clock_fake_advance(&local, 1);
    ck_assert_int_eq(storage_clock_ms(&storage), date_ms(NOON) + 4000 - 2);
}
END_TEST

/* Returns the same numbers in every run, from a linear congruential generator's upper bits. */
static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 16;
}

/*
 * At all times the truth stays between the bounds, and the estimate is behind by a second and the
 * round trip at most.
 */
START_TEST(over_many_answers_the_time_is_right_and_gets_exact) {
    const int64_t true_offset_ms = NOON_MS - 1000000 + 123;
    unsigned seed = 1;
    for (int i = 0; i < 2000; i++) {
        clock_fake_advance(&local, (int)next_random(&seed) % 50);
        int64_t sent_ms = local.now_ms, stamped_ms = sent_ms + (int)next_random(&seed) % 5,
                received_ms = stamped_ms + (int)next_random(&seed) % 5;
        char date[UTC_TEXT_BYTES];
        utc_format_http(stamped_ms + true_offset_ms, date);
        clock_fake_advance(&local, received_ms - sent_ms);
        storage_clock_observe(&storage, date, sent_ms, received_ms);
        int64_t behind_ms = local.now_ms + true_offset_ms - storage_clock_ms(&storage);
        ck_assert_int_ge(behind_ms, 0);
        ck_assert_int_lt(behind_ms, i < 200 ? 1000 + 10 : 100);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("storage_clock");
    TCase *tcase = tcase_create("storage_clock");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, before_storage_has_been_heard_the_wall_clock_stands_in);
    tcase_add_test(tcase, a_date_is_carried_forward_on_our_clock_whatever_the_wall_clock_does);
    tcase_add_test(tcase, the_time_is_never_ahead_of_storages);
    tcase_add_test(tcase, answers_narrow_the_bounds);
    tcase_add_test(tcase, bounds_that_just_touch_do_not_contradict);
    tcase_add_test(tcase, a_small_contradiction_is_settled_by_the_newest_answer);
    tcase_add_loop_test(tcase, one_wrong_date_moves_nothing, 0, 2 * WRONG_DATES);
    tcase_add_test(tcase, a_second_answer_confirms_a_jump);
    tcase_add_test(tcase, two_different_wrong_dates_confirm_nothing);
    tcase_add_test(tcase, the_earlier_time_counts_while_there_is_doubt);
    tcase_add_test(tcase, a_wrong_wall_clock_is_found_out_by_the_second_answer);
    tcase_add_test(tcase, what_is_certain_is_no_later_than_what_many_answers_say);
    tcase_add_test(tcase, bounds_widen_as_our_clock_may_drift);
    tcase_add_test(tcase, over_many_answers_the_time_is_right_and_gets_exact);
    return check_main(suite);
}
