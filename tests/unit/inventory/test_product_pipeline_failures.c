/*
 * test_product_pipeline_failures.c - every failure of every step of a pipeline: who is answered
 * what, what is stored, and that the next request is served.
 */
#include <string.h>

#include "inventory/inventory.h"
#include "inventory/product_pipeline.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/fakes/pipeline_states.h"
#include "support/processes/check_main.h"

enum { MINUTE_MS = 60000, WORK_MS = 1000, MAX_READS = 5 };

/* Whatever went wrong before: the next request reads the product anew, and is served. */
static void assert_serves_next(void) {
    struct caller next = caller_reserves(1);
    int reads = fixture_count(SCRIPTED_READ);
    fixture.queues.shared.processing_time_ms = 0;
    caller_submit(&next);
    caller_assert_granted(&next);
    ck_assert_int_gt(fixture_count(SCRIPTED_READ), reads);
}

/* ---- the lease is acquired ---- */

static const enum status acquire_failures[] = {
    STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_UNAUTHORIZED, STATUS_NOT_FOUND, STATUS_NO_MEMORY};

START_TEST(a_failure_of_the_acquire_is_of_all_who_wait) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1), caller_reserves(1)};
    fixture_hold_acquire(true);
    caller_submit_all(callers, 2);
    caller_submit(&callers[2]);
    fixture_hold_acquire(false);
    fixture_answer_acquire(acquire_failures[_i]);
    for (int i = 0; i < 3; i++) {
        caller_assert_served(&callers[i], acquire_failures[_i]);
        ck_assert_int_eq(callers[i].place, i + 1);
    }
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    assert_serves_next();
}
END_TEST

START_TEST(an_acquire_that_cannot_even_be_started_fails) {
    struct caller caller = caller_reserves(1);
    lease_store_fake_refuse(fixture.lease_service, FAKE_ACQUIRE, STATUS_NO_MEMORY);
    caller_submit(&caller);
    caller_assert_served(&caller, STATUS_NO_MEMORY);
    assert_serves_next();
}
END_TEST

static struct caller follower;

static void submit_follower(struct caller *caller) {
    (void)caller;
    caller_submit_there(&follower);
}

START_TEST(who_comes_while_others_are_told_of_a_failed_acquire_does_not_share_it) {
    struct caller caller = caller_reserves(1);
    follower = caller_reserves(2);
    caller.then = submit_follower;
    lease_store_fake_script(fixture.lease_service, FAKE_ACQUIRE, STATUS_UNAUTHORIZED);
    caller_submit(&caller);
    caller_assert_served(&caller, STATUS_UNAUTHORIZED);
    caller_assert_granted(&follower);
}
END_TEST

START_TEST(a_lease_that_is_granted_too_late_is_not_used) {
    struct caller caller = caller_reserves(1);
    fixture_hold_acquire(true);
    caller_submit(&caller);
    fixture_advance(28000);
    fixture_hold_acquire(false);
    fixture_answer_acquire(STATUS_OK);
    caller_assert_served(&caller, STATUS_UNAVAILABLE);
    ck_assert(!fixture_is_leased());
    assert_serves_next();
}
END_TEST

/* ---- the product is read ---- */

struct failure {
    enum status of_storage, of_requests;
};

static const struct failure read_failures[] = {
    {STATUS_NOT_FOUND, STATUS_NOT_FOUND},
    {STATUS_CONTAINER_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND},
    {STATUS_UNAVAILABLE, STATUS_UNAVAILABLE},
    {STATUS_CANCELLED, STATUS_CANCELLED},
    {STATUS_NO_MEMORY, STATUS_NO_MEMORY},
    {STATUS_MALFORMED, STATUS_MALFORMED},
    {STATUS_PRECONDITION_FAILED, STATUS_LEASE_LOST},
};

START_TEST(a_failure_of_the_read_is_of_the_batch_but_not_of_those_behind_it) {
    const struct failure *failure = &read_failures[_i];
    struct caller callers[] = {caller_reserves(1), caller_expires()}, behind = caller_reserves(1);
    fixture_hold(SCRIPTED_READ);
    caller_submit_all(callers, 2);
    caller_submit(&behind);
    fixture_let_go(SCRIPTED_READ);
    fixture_end(SCRIPTED_READ, failure->of_storage);
    caller_assert_served(&callers[0], failure->of_requests);
    caller_assert_served(&callers[1], failure->of_requests);
    caller_assert_granted(&behind);
    ck_assert_int_eq(fixture_acquires(), 1);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
}
END_TEST

/* It is read with the rows of one customer; without them it can be read. */
START_TEST(rows_that_cannot_be_read_are_no_failure_of_those_they_are_read_with) {
    fixture_add_reservations("alice", 2, MINUTE_MS);
    struct caller poisoned = caller_releases("alice", 1), good = caller_reserves(1);
    struct caller callers[] = {poisoned, good};
    fixture_plan(SCRIPTED_READ, STATUS_MALFORMED);
    fixture_plan(SCRIPTED_READ, STATUS_OK);
    fixture_plan(SCRIPTED_READ, STATUS_MALFORMED);
    caller_submit_all(callers, 2);
    caller_assert_served(&callers[0], STATUS_MALFORMED);
    caller_assert_granted(&callers[1]);
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 3, 3, 3);
}
END_TEST

START_TEST(a_product_that_cannot_be_read_alone_either_is_malformed) {
    fixture_add_reservations("alice", 2, MINUTE_MS);
    struct caller callers[] = {caller_releases("alice", 1), caller_reserves(1)};
    fixture_plan(SCRIPTED_READ, STATUS_MALFORMED);
    fixture_plan(SCRIPTED_READ, STATUS_MALFORMED);
    caller_submit_all(callers, 2);
    caller_assert_served(&callers[0], STATUS_MALFORMED);
    caller_assert_served(&callers[1], STATUS_MALFORMED);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
    assert_serves_next();
}
END_TEST

START_TEST(a_product_that_was_malformed_is_checked_anew_with_all_rows) {
    struct caller caller = caller_reserves(1);
    pipeline_warm_up();
    fixture_others_reserve(1);
    fixture_plan(SCRIPTED_READ, STATUS_MALFORMED);
    caller_submit(&caller);
    caller_assert_served(&caller, STATUS_MALFORMED);
    ck_assert_int_eq(fixture.store.reads_of_all, 1);
    assert_serves_next();
    ck_assert_int_eq(fixture.store.reads_of_all, 2);
}
END_TEST

START_TEST(a_product_is_read_with_all_rows_once_and_after_that_followed) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1)};
    pipeline_warm_up();
    fixture_others_reserve(1);
    for (int i = 0; i < 2; i++) {
        caller_submit(&callers[i]);
        caller_assert_granted(&callers[i]);
    }
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
    ck_assert_int_eq(fixture.store.reads_of_all, 1);
}
END_TEST

/* Its row was written anew by hand: it no longer follows from what was checked. */
START_TEST(a_product_that_does_not_follow_from_the_one_that_was_checked_is_read_with_all_rows) {
    struct caller caller = caller_reserves(1);
    fixture_others_reserve(1);
    pipeline_warm_up();
    fixture.store.memory.products[0]->state.product.version = 1;
    caller_submit(&caller);
    caller_assert_granted(&caller);
    ck_assert_int_eq(fixture.store.reads_of_all, 2);
    ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), 3);
}
END_TEST

/* ---- ProcessingTime ---- */

START_TEST(processing_time_ends_early_when_the_program_stops) {
    struct caller caller = caller_reserves(1);
    fixture.queues.shared.processing_time_ms = WORK_MS;
    caller_submit(&caller);
    ck_assert_int_eq(fixture_state(), PIPELINE_WORKING);
    lease_manager_cancel_acquires(fixture.leases);
    lease_manager_cancel_waits(fixture.leases);
    fixture_settle();
    caller_assert_served(&caller, STATUS_CANCELLED);
    ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), 0);
    fixture_advance(LINGER_MS);
    ck_assert(!fixture_is_leased());
}
END_TEST

/* ---- what single requests need is looked up ---- */

static const enum status look_up_failures[] = {STATUS_UNAVAILABLE, STATUS_CANCELLED,
                                               STATUS_NO_MEMORY, STATUS_CONTAINER_NOT_FOUND};

/* All at once: the first of them decides, and the batch ends with the last. */
START_TEST(a_look_up_that_fails_fails_the_batch_once_the_others_have_ended) {
    fixture_add_reservations("alice", 1, MINUTE_MS);
    fixture_add_reservations("bob", 1, MINUTE_MS);
    struct caller callers[] = {caller_releases("alice", 1), caller_reserves(1),
                               caller_releases("bob", 1)};
    pipeline_warm_up();
    fixture_hold(SCRIPTED_READ);
    caller_submit_all(callers, 3);
    fixture_let_go(SCRIPTED_READ);
    ck_assert_int_eq(fixture_held(SCRIPTED_READ), 2);
    fixture_end(SCRIPTED_READ, look_up_failures[_i]);
    caller_assert_waits(&callers[0]);
    fixture_end(SCRIPTED_READ, STATUS_INTERNAL);
    for (int i = 0; i < 3; i++) {
        caller_assert_served(&callers[i], look_up_failures[_i]);
    }
    ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), 1);
    assert_serves_next();
}
END_TEST

START_TEST(rows_that_keep_changing_while_they_are_looked_up_mean_that_the_lease_is_lost) {
    fixture_add_reservations("alice", 1, MINUTE_MS);
    struct caller caller = caller_releases("alice", 1);
    pipeline_warm_up();
    fixture_plan(SCRIPTED_READ, STATUS_PRECONDITION_FAILED);
    caller_submit(&caller);
    caller_assert_served(&caller, STATUS_LEASE_LOST);
    assert_serves_next();
}
END_TEST

/* _i 0: rows, 1: the record of a key */
START_TEST(what_cannot_be_read_for_one_request_fails_it_alone) {
    fixture_add_reservations("alice", 1, MINUTE_MS);
    struct caller callers[] = {_i == 0 ? caller_releases("alice", 1)
                                       : caller_reserves_with_key(PIPELINE_FIXTURE_UNITS, "key"),
                               caller_reserves(PIPELINE_FIXTURE_UNITS)};
    pipeline_warm_up();
    for (int i = 0; i < 4;
         i++) { /* by itself, then with the product, which can be read without it, then by itself */
        fixture_plan(SCRIPTED_READ, _i == 0 && i != 2 ? STATUS_MALFORMED : STATUS_OK);
    }
    fixture_plan(SCRIPTED_FIND_RECORD, STATUS_MALFORMED);
    caller_submit_all(callers, 2);
    caller_assert_served(&callers[0], STATUS_MALFORMED);
    caller_assert_refused(&callers[1], PIPELINE_FIXTURE_UNITS - 2);
}
END_TEST

/* _i: a failure that would be everybody's if it were not of a snapshot. */
START_TEST(a_snapshot_that_cannot_be_taken_fails_alone) {
    struct caller callers[] = {caller_expires(), caller_reserves(1)};
    struct product_state snapshot;
    product_state_init(&snapshot);
    callers[0].request.operation = &operation_snapshot;
    callers[0].request.snapshot = &snapshot;
    pipeline_warm_up();
    fixture_plan(SCRIPTED_READ, read_failures[_i].of_storage);
    caller_submit_all(callers, 2);
    caller_assert_served(&callers[0], read_failures[_i].of_storage);
    caller_assert_granted(&callers[1]);
    product_state_cleanup(&snapshot);
}
END_TEST

/* _i 0: the cache is old; 1: the product was read under this very lease. */
START_TEST(an_etag_that_changed_while_rows_were_looked_up_is_a_change_by_others) {
    fixture_add_reservations("alice", 1, MINUTE_MS);
    fixture_add_reservations("bob", 1, MINUTE_MS);
    struct caller callers[] = {caller_releases("alice", 1), caller_releases("bob", 1)};
    if (_i == 0) {
        pipeline_warm_up();
    }
    fixture_hold(SCRIPTED_READ);
    caller_submit_all(callers, 2);
    if (_i == 1) {
        fixture_end(SCRIPTED_READ, STATUS_OK);
    }
    ck_assert_int_eq(fixture_state(), PIPELINE_LOOKING_UP);
    fixture_others_reserve(5);
    fixture_let_go(SCRIPTED_READ);
    while (fixture_held(SCRIPTED_READ) > 0) {
        fixture_end(SCRIPTED_READ, STATUS_OK);
    }
    for (int i = 0; i < 2; i++) {
        caller_assert_served(&callers[i], _i == 0 ? STATUS_OK : STATUS_LEASE_LOST);
    }
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - (_i == 0 ? 6 : 7), _i == 0 ? 6 : 4,
                          _i == 0 ? 2 : 3);
}
END_TEST

/* ---- the commit ---- */

static const enum status commit_failures[] = {STATUS_UNAVAILABLE, STATUS_CANCELLED,
                                              STATUS_NO_MEMORY, STATUS_CONTAINER_NOT_FOUND,
                                              STATUS_UNAUTHORIZED};

START_TEST(a_failure_of_the_commit_is_of_the_batch_and_what_is_known_is_forgotten) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(PIPELINE_FIXTURE_UNITS)};
    fixture_plan(SCRIPTED_COMMIT, commit_failures[_i]);
    caller_submit_all(callers, 2);
    caller_assert_served(&callers[0], commit_failures[_i]);
    caller_assert_served(&callers[1], commit_failures[_i]);
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS, 1, 0);
    assert_serves_next();
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 1, 2, 1);
}
END_TEST

START_TEST(a_commit_whose_answer_was_lost_is_not_counted_on) {
    struct caller caller = caller_reserves(1);
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&caller);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_end_unheard(SCRIPTED_COMMIT, STATUS_UNAVAILABLE);
    caller_assert_served(&caller, STATUS_UNAVAILABLE);
    assert_serves_next();
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 2, 3, 2);
}
END_TEST

START_TEST(a_product_known_from_before_that_others_have_changed_is_read_again) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(2)};
    pipeline_warm_up();
    fixture_others_reserve(5);
    caller_submit_all(callers, 2);
    caller_assert_granted(&callers[0]);
    caller_assert_granted(&callers[1]);
    ck_assert_int_eq(callers[1].request.available, PIPELINE_FIXTURE_UNITS - 9);
    ck_assert_int_eq(callers[1].request.version, 4);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
    ck_assert(fixture_pipeline()->tenure.contended_until_ms > clock_now_ms(&fixture.clock.base));
}
END_TEST

START_TEST(after_others_were_met_the_next_lease_begins_with_a_read_and_no_commit_in_vain) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1), caller_reserves(1)};
    static const int commits[] = {3, 4, 5}, reads[] = {2, 3, 3};
    pipeline_warm_up();
    for (int i = 0; i < 3; i++) {
        if (i < 2) {
            fixture_others_reserve(1);
        }
        caller_submit(&callers[i]);
        caller_assert_granted(&callers[i]);
        fixture_advance(LINGER_MS);
        fixture_advance(YIELD_MS);
        ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), commits[i]);
        ck_assert_int_eq(fixture_count(SCRIPTED_READ), i == 2 ? reads[2] + 1 : reads[i]);
    }
}
END_TEST

/*
 * A product that was read under this lease can change under it only if the lease is not ours any
 * more.
 */
START_TEST(a_product_that_others_change_under_our_lease_means_that_it_is_lost) {
    struct caller caller = caller_reserves(1);
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&caller);
    fixture_others_reserve(5);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_served(&caller, STATUS_LEASE_LOST);
    ck_assert_ptr_nonnull(strstr(caller.request.failure.message, "another handler"));
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 5, 2, 1);
    assert_serves_next();
}
END_TEST

/* Each answer of the store blames a key; whatever the cause is, there is an end. */
START_TEST(a_batch_is_not_tried_for_ever) {
    struct caller caller = caller_reserves_with_key(1, "key");
    for (int i = 0; i < SCRIPTED_PLANS; i++) {
        fixture_plan(SCRIPTED_COMMIT, STATUS_ALREADY_EXISTS);
    }
    caller_submit(&caller);
    caller_assert_served(&caller, STATUS_LEASE_LOST);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), MAX_READS);
    ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), MAX_READS);
}
END_TEST

START_TEST(a_commit_may_take_5_s_but_not_beyond_the_lease) {
    struct caller caller = {.place = 0};
    pipeline_drive_to(PIPELINE_COMMITTING, &caller);
    ck_assert_int_eq(fixture.store.last_deadline_ms - clock_now_ms(&fixture.clock.base), 5000);
    pipeline_end_state(PIPELINE_COMMITTING);
    caller_assert_granted(&caller);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_pipeline_failures");
    TCase *tcase = tcase_create("failures");
    tcase_add_checked_fixture(tcase, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_loop_test(tcase, a_failure_of_the_acquire_is_of_all_who_wait, 0,
                        sizeof acquire_failures / sizeof acquire_failures[0]);
    tcase_add_test(tcase, an_acquire_that_cannot_even_be_started_fails);
    tcase_add_test(tcase, who_comes_while_others_are_told_of_a_failed_acquire_does_not_share_it);
    tcase_add_test(tcase, a_lease_that_is_granted_too_late_is_not_used);
    tcase_add_loop_test(tcase, a_failure_of_the_read_is_of_the_batch_but_not_of_those_behind_it, 0,
                        sizeof read_failures / sizeof read_failures[0]);
    tcase_add_test(tcase, rows_that_cannot_be_read_are_no_failure_of_those_they_are_read_with);
    tcase_add_test(tcase, a_product_that_cannot_be_read_alone_either_is_malformed);
    tcase_add_test(tcase, a_product_that_was_malformed_is_checked_anew_with_all_rows);
    tcase_add_test(tcase, a_product_is_read_with_all_rows_once_and_after_that_followed);
    tcase_add_test(
        tcase, a_product_that_does_not_follow_from_the_one_that_was_checked_is_read_with_all_rows);
    tcase_add_test(tcase, processing_time_ends_early_when_the_program_stops);
    tcase_add_loop_test(tcase, a_look_up_that_fails_fails_the_batch_once_the_others_have_ended, 0,
                        sizeof look_up_failures / sizeof look_up_failures[0]);
    tcase_add_test(tcase,
                   rows_that_keep_changing_while_they_are_looked_up_mean_that_the_lease_is_lost);
    tcase_add_loop_test(tcase, what_cannot_be_read_for_one_request_fails_it_alone, 0, 2);
    tcase_add_loop_test(tcase, a_snapshot_that_cannot_be_taken_fails_alone, 0,
                        sizeof read_failures / sizeof read_failures[0]);
    tcase_add_loop_test(tcase, an_etag_that_changed_while_rows_were_looked_up_is_a_change_by_others,
                        0, 2);
    tcase_add_loop_test(tcase,
                        a_failure_of_the_commit_is_of_the_batch_and_what_is_known_is_forgotten, 0,
                        sizeof commit_failures / sizeof commit_failures[0]);
    tcase_add_test(tcase, a_commit_whose_answer_was_lost_is_not_counted_on);
    tcase_add_test(tcase, a_product_known_from_before_that_others_have_changed_is_read_again);
    tcase_add_test(tcase,
                   after_others_were_met_the_next_lease_begins_with_a_read_and_no_commit_in_vain);
    tcase_add_test(tcase, a_product_that_others_change_under_our_lease_means_that_it_is_lost);
    tcase_add_test(tcase, a_batch_is_not_tried_for_ever);
    tcase_add_test(tcase, a_commit_may_take_5_s_but_not_beyond_the_lease);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
