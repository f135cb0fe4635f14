#include "inventory/lease_tenure.h"

#include "inventory/product_state.h"

#include "support/processes/check_main.h"

enum { START_MS = 1000000, COMMIT_MS = 100, WINDOW_MS = COMMIT_MS / 10, CALLERS = 10 };

static struct lease_tenure tenure;

static void set_up(void) {
    lease_tenure_init(&tenure);
}

static void begin(int64_t at_ms) {
    lease_tenure_note_acquire(&tenure, START_MS + at_ms, false);
}

static void begin_after_meeting_others(int64_t at_ms) {
    lease_tenure_note_acquire(&tenure, START_MS + at_ms, true);
}

static void end(int64_t at_ms) {
    lease_tenure_note_release(&tenure, START_MS + at_ms);
}

static void note_others(int64_t at_ms) {
    lease_tenure_note_contention(&tenure, START_MS + at_ms);
}

static bool should_yield(int64_t at_ms) {
    return lease_tenure_begin_yield(&tenure, START_MS + at_ms);
}

static bool should_check(int64_t at_ms) {
    return lease_tenure_begin_check(&tenure, START_MS + at_ms);
}

/* ---- yielding ---- */

START_TEST(a_contended_lease_is_yielded_after_its_tenure) {
    begin_after_meeting_others(0);
    ck_assert(!should_yield(TENURE_MS - 1));
    ck_assert(should_yield(TENURE_MS));
}
END_TEST

START_TEST(a_sign_of_others_counts_from_the_beginning_of_the_tenure) {
    begin(0);
    ck_assert(!should_yield(2 * TENURE_MS));
    note_others(2 * TENURE_MS);
    ck_assert(should_yield(2 * TENURE_MS));
}
END_TEST

START_TEST(contention_is_over_when_there_was_no_sign_of_it_for_long) {
    note_others(0);
    begin(CONTENTION_MS - TENURE_MS - 1);
    ck_assert(should_yield(CONTENTION_MS - 1));
    set_up();
    note_others(0);
    begin(CONTENTION_MS - TENURE_MS);
    ck_assert(!should_yield(CONTENTION_MS - 1));
    ck_assert(!should_yield(CONTENTION_MS));
    ck_assert(!should_yield(CONTENTION_MS + TENURE_MS));
}
END_TEST

START_TEST(a_short_release_does_not_end_a_tenure) {
    note_others(0);
    begin(0);
    end(TENURE_MS - 100);
    begin(TENURE_MS - 100 + YIELD_MS - 1);
    ck_assert(should_yield(TENURE_MS - 100 + YIELD_MS - 1));
}
END_TEST

START_TEST(a_release_that_let_others_in_ends_a_tenure) {
    note_others(0);
    begin(0);
    end(TENURE_MS - 100);
    begin(TENURE_MS - 100 + YIELD_MS);
    ck_assert(!should_yield(2 * TENURE_MS - 100 + YIELD_MS - 1));
    ck_assert(should_yield(2 * TENURE_MS - 100 + YIELD_MS));
}
END_TEST

START_TEST(others_had_the_lease_in_a_short_release_if_they_were_met) {
    begin_after_meeting_others(0);
    end(TENURE_MS);
    begin_after_meeting_others(TENURE_MS + 10);
    ck_assert(!should_yield(2 * TENURE_MS + 9));
    ck_assert(should_yield(2 * TENURE_MS + 10));
}
END_TEST

/* For the sake of handlers that announce nothing. */
START_TEST(a_handler_that_is_alone_yields_ever_more_rarely) {
    int64_t at_ms = 0;
    for (int64_t courtesy_ms = FIRST_COURTESY_MS; courtesy_ms <= MAX_COURTESY_MS;
         courtesy_ms *= 2) {
        begin(at_ms);
        ck_assert(!should_yield(at_ms + courtesy_ms - 1));
        ck_assert(should_yield(at_ms + courtesy_ms));
        end(at_ms + courtesy_ms);
        at_ms += courtesy_ms + YIELD_MS;
    }
    begin(at_ms);
    ck_assert(!should_yield(at_ms + MAX_COURTESY_MS - 1));
    ck_assert(should_yield(at_ms + MAX_COURTESY_MS));
}
END_TEST

START_TEST(a_courtesy_yield_is_made_once) {
    begin(0);
    ck_assert(should_yield(FIRST_COURTESY_MS));
    ck_assert(!should_yield(FIRST_COURTESY_MS));
    ck_assert(!should_yield(2 * FIRST_COURTESY_MS - 1));
}
END_TEST

START_TEST(a_sign_of_others_makes_courtesy_yields_frequent_again) {
    begin(0);
    ck_assert(should_yield(FIRST_COURTESY_MS));
    ck_assert(should_yield(2 * FIRST_COURTESY_MS));
    end(2 * FIRST_COURTESY_MS);
    note_others(2 * FIRST_COURTESY_MS);
    int64_t at_ms = 2 * FIRST_COURTESY_MS + CONTENTION_MS;
    begin(at_ms);
    ck_assert(!should_yield(at_ms + FIRST_COURTESY_MS - 1));
    ck_assert(should_yield(at_ms + FIRST_COURTESY_MS));
}
END_TEST

/* ---- looking for announcements ---- */

START_TEST(an_announcement_is_looked_for_now_and_then) {
    begin(0);
    ck_assert(!should_check(CHECK_MS - 1));
    ck_assert(should_check(CHECK_MS));
    ck_assert(!should_check(CHECK_MS));
    ck_assert(!should_check(2 * CHECK_MS - 1));
    ck_assert(should_check(2 * CHECK_MS));
}
END_TEST

START_TEST(a_lease_that_was_just_acquired_needs_no_look) {
    begin(0);
    end(10);
    begin(10 + YIELD_MS);
    ck_assert(!should_check(10 + YIELD_MS + CHECK_MS - 1));
    ck_assert(should_check(10 + YIELD_MS + CHECK_MS));
}
END_TEST

START_TEST(who_expects_others_does_not_look_for_them) {
    begin_after_meeting_others(0);
    ck_assert(!should_check(CHECK_MS));
    ck_assert(!should_check(CONTENTION_MS - 1));
    ck_assert(should_check(CONTENTION_MS));
}
END_TEST

/* ---- lingering ---- */

static int64_t linger(int64_t at_ms) {
    return lease_tenure_begin_linger(&tenure, START_MS + at_ms);
}

static void note_request(int64_t at_ms) {
    lease_tenure_note_request(&tenure, START_MS + at_ms);
}

START_TEST(the_lease_lingers_where_somebody_may_come_back) {
    ck_assert_int_eq(linger(0), LINGER_MS);
    note_request(LINGER_MS);
    ck_assert_int_eq(linger(100), LINGER_MS);
}
END_TEST

/* Each time a second after the one before. Returns the time. */
static int64_t linger_in_vain(int times) {
    for (int i = 0; i < times; i++) {
        ck_assert_int_eq(linger(1000 * i), LINGER_MS);
        note_request(1000 * i + LINGER_MS + 1);
    }
    return 1000 * times;
}

START_TEST(it_is_released_at_once_where_nobody_came_back_in_time_for_long) {
    int64_t at_ms = linger_in_vain(MAX_MISSED_LINGERS);
    ck_assert_int_eq(linger(at_ms), 0);
}
END_TEST

START_TEST(it_lingers_on_where_somebody_came_back_in_time_now_and_then) {
    int64_t at_ms = linger_in_vain(MAX_MISSED_LINGERS - 1);
    ck_assert_int_eq(linger(at_ms), LINGER_MS);
    note_request(at_ms + LINGER_MS);
    linger_in_vain(MAX_MISSED_LINGERS - 1);
}
END_TEST

START_TEST(it_lingers_again_when_somebody_came_back_soon) {
    int64_t at_ms = linger_in_vain(MAX_MISSED_LINGERS);
    ck_assert_int_eq(linger(at_ms), 0);
    note_request(at_ms + LINGER_MS);
    ck_assert_int_eq(linger(at_ms + 100), LINGER_MS);
}
END_TEST

START_TEST(only_the_first_request_tells_whether_somebody_came_back) {
    int64_t at_ms = linger_in_vain(MAX_MISSED_LINGERS - 1);
    ck_assert_int_eq(linger(at_ms), LINGER_MS);
    note_request(at_ms + 1);
    note_request(at_ms + 1000);
    ck_assert_int_eq(linger(at_ms + 1100), LINGER_MS);
}
END_TEST

/* ---- windows ---- */

static void note_batch(int answered, int waiting) {
    lease_tenure_note_batch(&tenure, answered, waiting, COMMIT_MS);
}

static int64_t window_ms(int waiting) {
    return lease_tenure_window_ms(&tenure, waiting);
}

static void note_window(int waiting) {
    lease_tenure_note_window(&tenure, waiting);
}

START_TEST(without_a_batch_before_it_none_waits) {
    ck_assert_int_eq(window_ms(0), 0);
    ck_assert(!lease_tenure_expects_callers(&tenure, 0));
}
END_TEST

START_TEST(a_batch_waits_for_those_of_the_last_and_those_who_came_meanwhile) {
    note_batch(7, 3);
    ck_assert_int_eq(window_ms(9), WINDOW_MS);
    ck_assert(lease_tenure_expects_callers(&tenure, 9));
    ck_assert_int_eq(window_ms(10), 0);
    ck_assert(!lease_tenure_expects_callers(&tenure, 10));
    ck_assert_int_eq(window_ms(11), 0);
}
END_TEST

START_TEST(no_more_callers_are_waited_for_than_a_batch_holds) {
    note_batch(INVENTORY_MAX_CHANGES, 150);
    ck_assert(lease_tenure_expects_callers(&tenure, INVENTORY_MAX_CHANGES - 1));
    ck_assert(!lease_tenure_expects_callers(&tenure, INVENTORY_MAX_CHANGES));
}
END_TEST

START_TEST(a_lone_caller_waits_for_nobody) {
    note_batch(1, 0);
    ck_assert_int_eq(window_ms(1), 0);
}
END_TEST

START_TEST(a_window_is_a_tenth_of_what_commits_take_lately) {
    lease_tenure_note_batch(&tenure, CALLERS, 0, 100);
    ck_assert_int_eq(window_ms(0), 10);
    lease_tenure_note_batch(&tenure, CALLERS, 0, 900);
    ck_assert_int_eq(window_ms(0), 20); /* an eighth of the way */
    lease_tenure_note_batch(&tenure, CALLERS, 0, 0);
    ck_assert_int_eq(window_ms(0), 17);
}
END_TEST

START_TEST(no_window_is_longer_than_the_longest) {
    lease_tenure_note_batch(&tenure, CALLERS, 0, 10 * MAX_WINDOW_MS + 10);
    ck_assert_int_eq(window_ms(0), MAX_WINDOW_MS);
}
END_TEST

START_TEST(fast_storage_has_no_window) {
    lease_tenure_note_batch(&tenure, CALLERS, 0, 9);
    ck_assert_int_eq(window_ms(0), 0);
    ck_assert(lease_tenure_expects_callers(&tenure, 0));
}
END_TEST

START_TEST(a_window_that_is_over_is_not_opened_again) {
    note_batch(CALLERS, 0);
    note_window(CALLERS - 1);
    ck_assert_int_eq(window_ms(0), 0);
}
END_TEST

START_TEST(who_has_released_the_lease_waits_for_nobody) {
    begin(0);
    note_batch(CALLERS, 0);
    end(10);
    begin(20);
    ck_assert_int_eq(window_ms(0), 0);
}
END_TEST

/*
 * Batches as the pipeline has them: a window after each, however short. Returns how many have none
 * before the next has.
 */
static int batches_without_window(void) {
    int count = 0;
    note_batch(CALLERS, 0);
    while (window_ms(0) == 0) {
        note_window(0);
        note_batch(CALLERS, 0);
        count++;
    }
    return count;
}

START_TEST(where_few_come_back_it_is_tried_ever_more_rarely) {
    static const int skipped[] = {2, 4, 8, 16, 32, 32, 32};
    ck_assert_int_eq(batches_without_window(), 0);
    for (size_t i = 0; i < sizeof skipped / sizeof skipped[0]; i++) {
        note_window(CALLERS / 2 - 1);
        ck_assert_int_eq(batches_without_window(), skipped[i]);
    }
}
END_TEST

START_TEST(where_half_come_back_it_is_worth_the_wait) {
    ck_assert_int_eq(batches_without_window(), 0);
    note_window(CALLERS / 2);
    ck_assert_int_eq(batches_without_window(), 0);
}
END_TEST

START_TEST(one_window_that_paid_makes_up_for_all_that_did_not) {
    ck_assert_int_eq(batches_without_window(), 0);
    note_window(0);
    ck_assert_int_eq(batches_without_window(), 2);
    note_window(0);
    ck_assert_int_eq(batches_without_window(), 4);
    note_window(CALLERS);
    ck_assert_int_eq(batches_without_window(), 0);
    note_window(0);
    ck_assert_int_eq(batches_without_window(), 2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_tenure");
    TCase *tests = tcase_create("lease_tenure");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, a_contended_lease_is_yielded_after_its_tenure);
    tcase_add_test(tests, a_sign_of_others_counts_from_the_beginning_of_the_tenure);
    tcase_add_test(tests, contention_is_over_when_there_was_no_sign_of_it_for_long);
    tcase_add_test(tests, a_short_release_does_not_end_a_tenure);
    tcase_add_test(tests, a_release_that_let_others_in_ends_a_tenure);
    tcase_add_test(tests, others_had_the_lease_in_a_short_release_if_they_were_met);
    tcase_add_test(tests, a_handler_that_is_alone_yields_ever_more_rarely);
    tcase_add_test(tests, a_courtesy_yield_is_made_once);
    tcase_add_test(tests, a_sign_of_others_makes_courtesy_yields_frequent_again);
    tcase_add_test(tests, an_announcement_is_looked_for_now_and_then);
    tcase_add_test(tests, a_lease_that_was_just_acquired_needs_no_look);
    tcase_add_test(tests, who_expects_others_does_not_look_for_them);
    tcase_add_test(tests, the_lease_lingers_where_somebody_may_come_back);
    tcase_add_test(tests, it_is_released_at_once_where_nobody_came_back_in_time_for_long);
    tcase_add_test(tests, it_lingers_on_where_somebody_came_back_in_time_now_and_then);
    tcase_add_test(tests, it_lingers_again_when_somebody_came_back_soon);
    tcase_add_test(tests, only_the_first_request_tells_whether_somebody_came_back);
    tcase_add_test(tests, without_a_batch_before_it_none_waits);
    tcase_add_test(tests, a_batch_waits_for_those_of_the_last_and_those_who_came_meanwhile);
    tcase_add_test(tests, no_more_callers_are_waited_for_than_a_batch_holds);
    tcase_add_test(tests, a_lone_caller_waits_for_nobody);
    tcase_add_test(tests, a_window_is_a_tenth_of_what_commits_take_lately);
    tcase_add_test(tests, no_window_is_longer_than_the_longest);
    tcase_add_test(tests, fast_storage_has_no_window);
    tcase_add_test(tests, a_window_that_is_over_is_not_opened_again);
    tcase_add_test(tests, who_has_released_the_lease_waits_for_nobody);
    tcase_add_test(tests, where_few_come_back_it_is_tried_ever_more_rarely);
    tcase_add_test(tests, where_half_come_back_it_is_worth_the_wait);
    tcase_add_test(tests, one_window_that_paid_makes_up_for_all_that_did_not);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
