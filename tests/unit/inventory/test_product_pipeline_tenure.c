/*
 * test_product_pipeline_tenure.c - how handlers let each other in, for how long a lease lingers,
 * and for which callers the next batch waits.
 */
#include <string.h>

#include "inventory/product_pipeline.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/fakes/pipeline_states.h"
#include "support/processes/check_main.h"

enum {
    SECOND_MS = 1000,
    STEP_MS = PIPELINE_FIXTURE_STEP_MS,
    COMMIT_MS = 100,
    TIMER_MS = 1, /* a window is so much longer, because a timer may fire that early */
};

static bool has_yielded(void) {
    return fixture_pipeline()->yielded_until_ms > clock_now_ms(&fixture.clock.base);
}

/* ---- yielding ---- */

/* _i 0: a millisecond before the end of the tenure; 1: at its end */
START_TEST(
    where_others_are_expected_the_lease_is_yielded_after_a_tenure_and_left_to_them_for_a_pause) {
    struct caller first = caller_reserves(1), second = caller_reserves(1);
    pipeline_meet_others();
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    caller_submit(&second);
    fixture_let_go(SCRIPTED_COMMIT);
    int acquires = fixture_acquires();
    fixture_end_commit_after(TENURE_MS - 1 + _i);
    caller_assert_granted(&first);
    if (_i == 0) {
        fixture_advance(MAX_WINDOW_MS + TIMER_MS);
        caller_assert_granted(&second);
        return;
    }
    ck_assert_int_eq(fixture_state(), PIPELINE_YIELDING);
    ck_assert(!fixture_is_leased());
    fixture_advance(YIELD_MS - 1);
    caller_assert_waits(&second);
    ck_assert_int_eq(fixture_acquires(), acquires);
    fixture_advance(1);
    caller_assert_granted(&second);
}
END_TEST

START_TEST(who_comes_in_the_pause_waits_for_its_end_and_is_no_conflict_even_without_a_timeout) {
    struct caller before = caller_reserves(1), caller = caller_reserves(1),
                  late = caller_reserves(1);
    pipeline_meet_others();
    fixture.queues.shared.acquire_timeout_ms = 0;
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&before);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_end_commit_after(TENURE_MS);
    caller_submit(&caller);
    ck_assert_int_eq(fixture_state(), PIPELINE_YIELDING);
    fixture_advance_in_steps(YIELD_MS - STEP_MS);
    caller_submit(&late);
    caller_assert_waits(&caller);
    fixture_advance_in_steps(STEP_MS);
    caller_assert_granted(&caller);
    caller_assert_granted(&late);
}
END_TEST

START_TEST(a_tenure_goes_on_over_moments_in_which_the_lease_was_free) {
    struct caller callers[3];
    pipeline_meet_others();
    for (int i = 0; i < 3; i++) { /* at 0, 200 and 400 ms */
        callers[i] = caller_reserves(1);
        caller_submit(&callers[i]);
        caller_assert_granted(&callers[i]);
        fixture_advance(i < 2 ? TENURE_MS / 2 : 0);
    }
    struct caller next = caller_reserves(1);
    caller_submit(&next);
    ck_assert_int_eq(fixture_state(), PIPELINE_YIELDING);
    fixture_advance(YIELD_MS);
    caller_assert_granted(&next);
}
END_TEST

START_TEST(a_handler_that_is_alone_yields_once_in_a_long_while) {
    static const int64_t held_ms[] = {FIRST_COURTESY_MS - 1, FIRST_COURTESY_MS,
                                      2 * FIRST_COURTESY_MS - 1};
    struct caller caller = caller_reserves(1);
    if (_i == 2) { /* the second time it waits for twice as long */
        struct caller before = caller_reserves(1);
        fixture_hold(SCRIPTED_COMMIT);
        caller_submit(&before);
        fixture_end_commit_after(FIRST_COURTESY_MS);
        fixture_let_go(SCRIPTED_COMMIT);
        fixture_advance(YIELD_MS);
    }
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&caller);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_end_commit_after(held_ms[_i]);
    caller_assert_granted(&caller);
    ck_assert_int_eq(has_yielded(), _i == 1);
}
END_TEST

START_TEST(others_are_forgotten_10_s_after_the_last_sign_of_them) {
    struct caller caller = caller_reserves(1);
    pipeline_meet_others();
    fixture_advance(CONTENTION_MS);
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&caller);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_end_commit_after(TENURE_MS);
    ck_assert(!has_yielded());
}
END_TEST

/* ---- announcements ---- */

START_TEST(who_waits_for_others_says_so_after_150_ms_and_every_second) {
    struct caller caller = caller_reserves(1);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    caller_submit(&caller);
    fixture_creep(ANNOUNCE_AFTER_MS - 1);
    ck_assert_int_eq(fixture_count(SCRIPTED_ANNOUNCE), 0);
    fixture_plan(SCRIPTED_ANNOUNCE, STATUS_UNAVAILABLE); /* which is no harm: it is said again */
    fixture_creep(1);
    ck_assert_int_eq(fixture_count(SCRIPTED_ANNOUNCE), 1);
    fixture_advance_in_steps(ANNOUNCE_EVERY_MS);
    ck_assert_int_eq(fixture_count(SCRIPTED_ANNOUNCE), 2);
    fixture_set_holder("");
    fixture_advance_in_steps(200);
    caller_assert_granted(&caller);
    fixture_advance_in_steps(2 * ANNOUNCE_EVERY_MS);
    ck_assert_int_eq(fixture_count(SCRIPTED_ANNOUNCE), 2);
}
END_TEST

START_TEST(who_waits_for_slow_storage_alone_says_nothing) {
    struct caller caller = caller_reserves(1);
    fixture_hold_acquire(true);
    caller_submit(&caller);
    fixture_advance_in_steps(2 * SECOND_MS);
    fixture_answer_acquire(STATUS_OK);
    caller_assert_granted(&caller);
    ck_assert_int_eq(fixture_count(SCRIPTED_ANNOUNCE), 0);
}
END_TEST

START_TEST(a_pipeline_is_not_idle_before_its_announcement_has_ended) {
    struct caller caller = caller_reserves(1);
    fixture.queues.shared.acquire_timeout_ms = 200;
    fixture_hold(SCRIPTED_ANNOUNCE);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    caller_submit(&caller);
    fixture_advance_in_steps(200);
    caller_assert_served(&caller, STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    ck_assert_int_eq(fixture.queues.idle_count, 0);
    fixture_end(SCRIPTED_ANNOUNCE, STATUS_OK);
    ck_assert_int_eq(fixture.queues.idle_count, 1);
}
END_TEST

static void announce_there(void *context) {
    (void)context;
    fixture.store.memory.products[0]->announced_ms =
        fixture.store.base.ops->now_ms(&fixture.store.base);
}

/*
 * A batch of a second; the next looks for an announcement, and ends when the lease has been held
 * for longer than a tenure.
 */
static void hold_for_a_second(void) {
    struct caller first = caller_reserves(1), second = caller_reserves(1);
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    caller_submit(&second);
    fixture_end_commit_after(CHECK_MS);
    fixture_advance(MAX_WINDOW_MS + TIMER_MS);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    fixture_let_go(SCRIPTED_COMMIT);
    caller_assert_granted(&first);
    caller_assert_granted(&second);
}

/*
 * _i 0: nobody has announced anything; 1: somebody just now; 2: somebody did 2 s ago; 3: just now,
 * but it cannot be read
 */
START_TEST(a_holder_looks_for_announcements_once_a_second_and_yields_to_fresh_ones) {
    if (_i > 0) {
        fixture_run(announce_there, NULL);
    }
    fixture_advance(_i == 2 ? 2 * ANNOUNCE_EVERY_MS - CHECK_MS : 0);
    fixture_plan(SCRIPTED_READ_WAIT, _i == 3 ? STATUS_UNAVAILABLE : STATUS_OK);
    hold_for_a_second();
    ck_assert_int_eq(fixture_count(SCRIPTED_READ_WAIT), 1);
    ck_assert_int_eq(has_yielded(), _i == 1);
}
END_TEST

/* ---- lingering ---- */

/* One comes, is served, and `break_ms` go by. */
static void serve_one(bool lingers, int64_t break_ms) {
    struct caller caller = caller_reserves(1);
    caller_submit(&caller);
    caller_assert_granted(&caller);
    ck_assert_int_eq(fixture_state(), lingers ? PIPELINE_LINGERING : PIPELINE_IDLE);
    fixture_advance(break_ms);
}

START_TEST(a_lease_lingers_only_where_somebody_comes_back_in_time_now_and_then) {
    serve_one(true, LINGER_MS);
    for (int i = 0; i < MAX_MISSED_LINGERS; i++) {
        serve_one(true, LINGER_MS + 1);
    }
    serve_one(false, LINGER_MS + 1);
    serve_one(false, LINGER_MS);
    serve_one(true, 0);
}
END_TEST

/* ---- the window for returning callers ---- */

START_TEST(a_batch_waits_for_the_callers_of_the_last_one_and_no_longer_than_for_them) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1), caller_reserves(1),
                               caller_reserves(1)};
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit_all(callers, 2);
    fixture_end_commit_after(COMMIT_MS);
    caller_submit(&callers[2]);
    ck_assert_int_eq(fixture_state(), PIPELINE_COLLECTING);
    fixture_advance(COMMIT_MS / 10);
    ck_assert_int_eq(fixture_state(), PIPELINE_COLLECTING);
    if (_i == 0) {
        caller_submit(&callers[3]);
    } else {
        fixture_advance(TIMER_MS);
    }
    ck_assert_int_eq(fixture_state(), PIPELINE_COMMITTING);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&callers[2]);
    ck_assert_int_eq(callers[3].served, 1 - _i);
}
END_TEST

START_TEST(a_window_is_50_ms_at_most) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1), caller_reserves(1)};
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit_all(callers, 2);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_end_commit_after(3 * SECOND_MS);
    caller_submit(&callers[2]);
    fixture_advance(MAX_WINDOW_MS);
    caller_assert_waits(&callers[2]);
    fixture_advance(TIMER_MS);
    caller_assert_granted(&callers[2]);
}
END_TEST

START_TEST(a_window_goes_on_while_callers_return_for_three_times_its_length_at_most) {
    enum { LENGTH_MS = COMMIT_MS / 10 + TIMER_MS, SHORT_MS = LENGTH_MS - 1, CALLERS = 9 };
    struct caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = caller_reserves(1);
    }
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit_all(callers, 5);
    fixture_end_commit_after(COMMIT_MS);
    for (int i = 5; i < 8; i++) { /* one after the other, each just before the window would end */
        ck_assert_int_eq(fixture_state(), PIPELINE_COLLECTING);
        fixture_advance(i == 7 ? SHORT_MS - 1 : SHORT_MS);
        caller_submit(&callers[i]);
    }
    ck_assert_int_eq(fixture_state(), PIPELINE_COLLECTING);
    fixture_advance(3 * LENGTH_MS - (3 * SHORT_MS - 1));
    ck_assert_int_eq(fixture_state(), PIPELINE_COMMITTING);
    caller_submit(&callers[8]); /* too late for this batch */
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&callers[7]);
    caller_assert_waits(&callers[8]);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_advance(MAX_WINDOW_MS + TIMER_MS);
    caller_assert_granted(&callers[8]);
}
END_TEST

START_TEST(a_lone_caller_waits_for_nobody) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1)};
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&callers[0]);
    fixture_end_commit_after(COMMIT_MS);
    ck_assert_int_eq(fixture_state(), PIPELINE_COLLECTING);
    caller_submit(&callers[1]);
    ck_assert_int_eq(fixture_state(), PIPELINE_COMMITTING);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
}
END_TEST

START_TEST(where_storage_takes_no_time_callers_that_come_back_at_once_are_one_batch) {
    struct caller callers[3];
    fixture.resubmissions = 30;
    for (int i = 0; i < 3; i++) {
        callers[i] = caller_reserves(1);
        callers[i].then = caller_submit_again;
    }
    caller_submit_all(callers, 3);
    ck_assert_int_eq(fixture.served_count, 33);
    ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), 11);
}
END_TEST

/* Answers four, none of which comes back in time. Returns whether there is a window for them. */
static bool opens_window(void) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1), caller_reserves(1),
                               caller_reserves(1)};
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit_all(callers, 4);
    fixture_end_commit_after(COMMIT_MS);
    fixture_let_go(SCRIPTED_COMMIT);
    bool is_open = fixture_state() == PIPELINE_COLLECTING;
    fixture_advance(MAX_WINDOW_MS + TIMER_MS);
    fixture_advance(LINGER_MS);
    return is_open;
}

START_TEST(where_callers_do_not_come_back_they_are_waited_for_ever_more_rarely) {
    char opened[32] = "";
    for (size_t i = 0; i < 21; i++) {
        opened[i] = opens_window() ? 'w' : '-';
    }
    ck_assert_str_eq(opened, "w--w----w--------w---");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_pipeline_tenure");
    TCase *tcase = tcase_create("tenure");
    tcase_add_checked_fixture(tcase, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_loop_test(
        tcase,
        where_others_are_expected_the_lease_is_yielded_after_a_tenure_and_left_to_them_for_a_pause,
        0, 2);
    tcase_add_test(
        tcase, who_comes_in_the_pause_waits_for_its_end_and_is_no_conflict_even_without_a_timeout);
    tcase_add_test(tcase, a_tenure_goes_on_over_moments_in_which_the_lease_was_free);
    tcase_add_loop_test(tcase, a_handler_that_is_alone_yields_once_in_a_long_while, 0, 3);
    tcase_add_test(tcase, others_are_forgotten_10_s_after_the_last_sign_of_them);
    tcase_add_test(tcase, who_waits_for_others_says_so_after_150_ms_and_every_second);
    tcase_add_test(tcase, who_waits_for_slow_storage_alone_says_nothing);
    tcase_add_test(tcase, a_pipeline_is_not_idle_before_its_announcement_has_ended);
    tcase_add_loop_test(
        tcase, a_holder_looks_for_announcements_once_a_second_and_yields_to_fresh_ones, 0, 4);
    tcase_add_test(tcase, a_lease_lingers_only_where_somebody_comes_back_in_time_now_and_then);
    tcase_add_loop_test(
        tcase, a_batch_waits_for_the_callers_of_the_last_one_and_no_longer_than_for_them, 0, 2);
    tcase_add_test(tcase, a_window_is_50_ms_at_most);
    tcase_add_test(tcase, a_window_goes_on_while_callers_return_for_three_times_its_length_at_most);
    tcase_add_test(tcase, a_lone_caller_waits_for_nobody);
    tcase_add_test(tcase, where_storage_takes_no_time_callers_that_come_back_at_once_are_one_batch);
    tcase_add_test(tcase, where_callers_do_not_come_back_they_are_waited_for_ever_more_rarely);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
