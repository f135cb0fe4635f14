/*
 * test_product_pipeline_waits.c - how long requests wait: for a lease that others hold, and for
 * this handler's own batches.
 */
#include "inventory/product_pipeline.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/fakes/pipeline_states.h"
#include "support/processes/check_main.h"

enum {
    EXPIRED = 250,
    SECOND_MS = 1000,
    STEP_MS = PIPELINE_FIXTURE_STEP_MS,
    TIMEOUT_MS = PIPELINE_FIXTURE_TIMEOUT_MS
};

/* ---- others hold the lease ---- */

START_TEST(a_lease_that_others_hold_is_waited_for_until_the_timeout_and_then_is_a_conflict) {
    struct caller caller = caller_reserves(1);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    caller_submit(&caller);
    fixture_advance_in_steps(TIMEOUT_MS - STEP_MS);
    fixture_advance(STEP_MS - 1);
    caller_assert_waits(&caller);
    fixture_advance(1);
    caller_assert_served(&caller, STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    int acquires = fixture_acquires();
    fixture_advance_in_steps(SECOND_MS);
    ck_assert_int_eq(fixture_acquires(), acquires);
}
END_TEST

/* _i 0: others hold it; 1: it is free. Either answer comes late: nobody is told anything before. */
START_TEST(without_a_timeout_the_lease_is_tried_once_however_long_storage_takes) {
    struct caller caller = caller_reserves(1);
    fixture.queues.shared.acquire_timeout_ms = 0;
    fixture_hold_acquire(true);
    caller_submit(&caller);
    fixture_advance_in_steps(SECOND_MS);
    caller_assert_waits(&caller);
    fixture_answer_acquire(_i == 0 ? STATUS_LEASE_CONFLICT : STATUS_OK);
    caller_assert_served(&caller, _i == 0 ? STATUS_LEASE_CONFLICT : STATUS_OK);
    ck_assert_int_eq(fixture_acquires(), 1);
}
END_TEST

START_TEST(storage_that_has_not_answered_by_the_timeout_may_still_grant) {
    struct caller caller = caller_reserves(1);
    fixture_hold_acquire(true);
    caller_submit(&caller);
    fixture_advance_in_steps(TIMEOUT_MS + SECOND_MS);
    caller_assert_waits(&caller);
    fixture_answer_acquire(STATUS_OK);
    caller_assert_granted(&caller);
}
END_TEST

/* The second comes when the first has waited for 2 s. */
START_TEST(each_waits_as_long_as_the_timeout_however_long_those_before_it_have_waited) {
    struct caller first = caller_reserves(1), second = caller_reserves(1);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    caller_submit(&first);
    fixture_advance_in_steps(2 * SECOND_MS);
    caller_submit(&second);
    fixture_advance_in_steps(TIMEOUT_MS - 2 * SECOND_MS);
    caller_assert_served(&first, STATUS_LEASE_CONFLICT);
    caller_assert_waits(&second);
    fixture_advance_in_steps(2 * SECOND_MS - 250);
    caller_assert_waits(&second);
    fixture_set_holder(_i == 0 ? PIPELINE_FIXTURE_OTHER : "");
    fixture_advance_in_steps(250);
    caller_assert_served(&second, _i == 0 ? STATUS_LEASE_CONFLICT : STATUS_OK);
}
END_TEST

/* _i 1: others still hold the lease when storage answers it. */
START_TEST(a_try_that_is_on_its_way_when_the_time_is_over_decides) {
    struct caller caller = caller_reserves(1);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    caller_submit(&caller);
    fixture_hold_acquire(true);
    fixture_advance_in_steps(TIMEOUT_MS);
    ck_assert_int_eq(fixture_state(), PIPELINE_ACQUIRING);
    fixture_hold_acquire(false);
    fixture_set_holder(_i == 0 ? "" : PIPELINE_FIXTURE_OTHER);
    fixture_answer_acquire(_i == 0 ? STATUS_OK : STATUS_LEASE_CONFLICT);
    if (_i == 0) {
        caller_assert_granted(&caller);
    } else {
        caller_assert_served(&caller, STATUS_LEASE_CONFLICT);
        ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    }
}
END_TEST

START_TEST(a_lease_that_becomes_free_is_had_within_a_fifth_of_a_second) {
    struct caller caller = caller_reserves(1);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    caller_submit(&caller);
    fixture_advance_in_steps(2 * SECOND_MS);
    fixture_set_holder("");
    fixture_advance_in_steps(200);
    caller_assert_granted(&caller);
}
END_TEST

START_TEST(who_comes_back_inside_a_conflict_waits_anew_even_without_a_timeout) {
    struct caller caller = caller_reserves(1);
    caller.then = caller_submit_again;
    fixture.resubmissions = 3;
    fixture.queues.shared.acquire_timeout_ms = 0;
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    caller_submit(&caller);
    fixture_advance_in_steps(SECOND_MS);
    caller_assert_served(&caller, STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(fixture.served_count, 4);
    ck_assert_int_eq(fixture_acquires(), 4);
}
END_TEST

/* ---- this handler holds the lease itself ---- */

START_TEST(
    who_waits_behind_a_batch_of_this_handler_is_served_with_the_next_also_after_the_timeout) {
    struct caller first = caller_reserves(1), second = caller_reserves(1);
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    caller_submit(&second);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_advance_in_steps(TIMEOUT_MS + SECOND_MS);
    caller_assert_waits(&second);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    fixture_advance(MAX_WINDOW_MS + 1);
    caller_assert_granted(&second);
}
END_TEST

/* _i 0: with a timeout of 5 s; 1: of 15 s */
START_TEST(behind_a_batch_of_this_handler_one_waits_10_s_at_least) {
    struct caller first = caller_reserves(1), second = caller_reserves(1);
    int64_t wait_ms = _i == 0 ? 10 * SECOND_MS : 15 * SECOND_MS;
    fixture.queues.shared.acquire_timeout_ms = _i == 0 ? TIMEOUT_MS : wait_ms;
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    caller_submit(&second);
    fixture_advance(wait_ms - 1);
    caller_assert_waits(&second);
    fixture_advance(1);
    caller_assert_served(&second, STATUS_LEASE_CONFLICT);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&first);
}
END_TEST

/*
 * The lease is lost in a batch of 6 s: the next has waited for longer than the timeout, so it is
 * tried once.
 */
START_TEST(when_the_lease_is_lost_those_behind_the_batch_try_once_at_least) {
    struct caller first = caller_reserves(1), second = caller_reserves(1);
    fixture.lease_options.renew_interval_ms = 3000;
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    caller_submit(&second);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    fixture_advance(TIMEOUT_MS + SECOND_MS);
    fixture_set_holder(_i == 0 ? PIPELINE_FIXTURE_OTHER : "");
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&first);
    caller_assert_served(&second, _i == 0 ? STATUS_LEASE_CONFLICT : STATUS_OK);
    ck_assert_int_eq(fixture_acquires(), 2);
}
END_TEST

/*
 * It is lost after 3 s. Each of the two that wait behind the batch has the timeout, from its own
 * arrival on.
 */
START_TEST(when_the_lease_is_lost_those_behind_the_batch_wait_for_others_as_anybody_does) {
    struct caller first = caller_reserves(1), second = caller_reserves(1),
                  third = caller_reserves(1);
    fixture.lease_options.renew_interval_ms = 3000;
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    caller_submit(&second);
    fixture_advance_in_steps(2 * SECOND_MS);
    caller_submit(&third);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    fixture_advance_in_steps(SECOND_MS);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    fixture_advance_in_steps(2 * SECOND_MS - STEP_MS);
    caller_assert_waits(&second);
    fixture_advance_in_steps(STEP_MS);
    caller_assert_served(&second, STATUS_LEASE_CONFLICT);
    fixture_advance_in_steps(2 * SECOND_MS - STEP_MS);
    caller_assert_waits(&third);
    fixture_advance_in_steps(STEP_MS);
    caller_assert_served(&third, STATUS_LEASE_CONFLICT);
}
END_TEST

/* The first of its batches takes 6 s, in which the lease is lost. */
START_TEST(the_wait_of_a_long_work_begins_anew_with_each_of_its_batches) {
    struct caller expires = caller_expires();
    fixture_add_reservations("old", EXPIRED, 0);
    fixture.lease_options.renew_interval_ms = 3000;
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&expires);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    fixture_end_commit_after(TIMEOUT_MS + SECOND_MS);
    fixture_advance_in_steps(TIMEOUT_MS - STEP_MS);
    caller_assert_waits(&expires);
    fixture_advance_in_steps(STEP_MS);
    caller_assert_served(&expires, STATUS_LEASE_CONFLICT);
    ck_assert_int_gt(expires.request.committed_units, 0);
}
END_TEST

/* Two wait behind a batch whose lease is lost to others: they have waited for different times. */
static void wait_for_others(struct caller *before, struct caller *second, struct caller *third) {
    *before = caller_reserves(1), *second = caller_reserves(1), *third = caller_reserves(1);
    fixture.lease_options.renew_interval_ms = 3000;
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(before);
    caller_submit(second);
    fixture_advance(1);
    caller_submit(third);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    fixture_advance_in_steps(3 * SECOND_MS);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(before);
    ck_assert_int_eq(fixture_state(), PIPELINE_ACQUIRING);
}

/* The timer of the first one's deadline may fire when the last one's has passed as well. */
static const struct {
    int before_ms; /* until the holder lets go */
    int late_ms;   /* the clock's next step: a pause of the process, or a timer that is 1 ms late */
} late_timers[] = {{500, 10 * SECOND_MS}, {TIMEOUT_MS - 1, 2}};

START_TEST(nothing_is_acquired_any_more_once_all_have_given_up) {
    struct caller first, second, third;
    wait_for_others(&first, &second, &third);
    int64_t until_ms = second.request.arrived_ms + late_timers[_i].before_ms;
    while (clock_now_ms(&fixture.clock.base) < until_ms) {
        fixture_advance(1);
    }
    fixture_set_holder("");
    fixture_advance(late_timers[_i].late_ms);
    fixture_advance(1);
    caller_assert_served(&second, STATUS_LEASE_CONFLICT);
    caller_assert_served(&third, STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
}
END_TEST

START_TEST(a_missing_container_of_leases_is_storage_that_cannot_be_had) {
    struct caller first = caller_reserves(1), second = caller_reserves(1);
    lease_store_fake_script(fixture.lease_service, FAKE_ACQUIRE, STATUS_CONTAINER_NOT_FOUND);
    caller_submit(&first);
    caller_assert_served(&first, STATUS_UNAVAILABLE);
    caller_submit(&second);
    caller_assert_granted(&second);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_pipeline_waits");
    TCase *tcase = tcase_create("waits");
    tcase_add_checked_fixture(tcase, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_test(tcase,
                   a_lease_that_others_hold_is_waited_for_until_the_timeout_and_then_is_a_conflict);
    tcase_add_loop_test(tcase, without_a_timeout_the_lease_is_tried_once_however_long_storage_takes,
                        0, 2);
    tcase_add_test(tcase, storage_that_has_not_answered_by_the_timeout_may_still_grant);
    tcase_add_loop_test(
        tcase, each_waits_as_long_as_the_timeout_however_long_those_before_it_have_waited, 0, 2);
    tcase_add_loop_test(tcase, a_try_that_is_on_its_way_when_the_time_is_over_decides, 0, 2);
    tcase_add_test(tcase, a_lease_that_becomes_free_is_had_within_a_fifth_of_a_second);
    tcase_add_test(tcase, who_comes_back_inside_a_conflict_waits_anew_even_without_a_timeout);
    tcase_add_test(
        tcase,
        who_waits_behind_a_batch_of_this_handler_is_served_with_the_next_also_after_the_timeout);
    tcase_add_loop_test(tcase, behind_a_batch_of_this_handler_one_waits_10_s_at_least, 0, 2);
    tcase_add_loop_test(tcase, when_the_lease_is_lost_those_behind_the_batch_try_once_at_least, 0,
                        2);
    tcase_add_test(tcase,
                   when_the_lease_is_lost_those_behind_the_batch_wait_for_others_as_anybody_does);
    tcase_add_test(tcase, the_wait_of_a_long_work_begins_anew_with_each_of_its_batches);
    tcase_add_loop_test(tcase, nothing_is_acquired_any_more_once_all_have_given_up, 0, 2);
    tcase_add_test(tcase, a_missing_container_of_leases_is_storage_that_cannot_be_had);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
