/*
 * test_product_pipeline.c - the states of a pipeline when all goes well: their order, who is served
 * with whom, in which order, and what closing does in each of them.
 */
#include "inventory/product_pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "inventory/expiry_index.h"
#include "inventory/inventory.h"
#include "support/calls/store_wait.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/fakes/pipeline_states.h"
#include "support/processes/check_main.h"

enum { MANY = 120, EXPIRED = 250, WORK_MS = 1000, MINUTE_MS = 60000 };

/* ---- one request's way ---- */

START_TEST(a_request_goes_from_state_to_state_and_its_lease_is_kept_for_a_moment) {
    struct caller caller = caller_reserves(3);
    fixture_hold_acquire(true);
    fixture_hold(SCRIPTED_READ);
    fixture_hold(SCRIPTED_COMMIT);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    caller_submit(&caller);
    ck_assert_int_eq(fixture_state(), PIPELINE_ACQUIRING);
    fixture_answer_acquire(STATUS_OK);
    ck_assert_int_eq(fixture_state(), PIPELINE_READING);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    ck_assert_int_eq(fixture_state(), PIPELINE_COMMITTING);
    caller_assert_waits(&caller);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&caller);
    ck_assert_int_eq(caller.request.available, PIPELINE_FIXTURE_UNITS - 3);
    ck_assert_int_eq(caller.request.version, 2);
    ck_assert_int_eq(fixture_state(), PIPELINE_LINGERING);
    ck_assert(fixture_is_leased());
    fixture_advance(LINGER_MS);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    ck_assert(!fixture_is_leased());
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 3, 2, 1);
}
END_TEST

START_TEST(processing_time_goes_by_once_for_a_batch_between_the_read_and_the_commit) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1)};
    fixture.queues.shared.processing_time_ms = WORK_MS;
    caller_submit_all(callers, 2);
    ck_assert_int_eq(fixture_state(), PIPELINE_WORKING);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
    fixture_advance(WORK_MS - 1);
    ck_assert_int_eq(fixture_state(), PIPELINE_WORKING);
    caller_assert_waits(&callers[0]);
    fixture_advance(1);
    caller_assert_granted(&callers[0]);
    caller_assert_granted(&callers[1]);
    ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), 1);
}
END_TEST

START_TEST(processing_time_is_not_for_what_no_customer_waits_for) {
    struct caller caller = caller_sets_total(10);
    fixture.queues.shared.processing_time_ms = WORK_MS;
    caller_submit(&caller);
    caller_assert_served(&caller, STATUS_OK);
    ck_assert(caller.request.is_set);
}
END_TEST

START_TEST(processing_time_goes_by_once_although_the_product_has_to_be_read_again) {
    struct caller caller = caller_reserves(1);
    fixture.queues.shared.processing_time_ms = WORK_MS;
    pipeline_warm_up();
    fixture_others_reserve(1);
    caller_submit(&caller);
    fixture_advance(WORK_MS);
    caller_assert_granted(&caller);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
}
END_TEST

START_TEST(the_rows_of_the_first_release_come_with_the_product_and_those_of_others_beside_it) {
    fixture_add_reservations("alice", 2, MINUTE_MS);
    fixture_add_reservations("bob", 2, MINUTE_MS);
    struct caller callers[] = {caller_releases("alice", 1), caller_releases("bob", 2)};
    fixture_hold(SCRIPTED_READ);
    caller_submit_all(callers, 2);
    ck_assert_int_eq(fixture_state(), PIPELINE_READING);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    ck_assert_int_eq(fixture_state(), PIPELINE_LOOKING_UP);
    ck_assert_int_eq(fixture_held(SCRIPTED_READ), 1);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    caller_assert_granted(&callers[0]);
    caller_assert_granted(&callers[1]);
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 1, 4, 1);
}
END_TEST

START_TEST(what_single_requests_need_is_looked_up_at_once) {
    static const char *const customers[] = {"alice", "bob", "carol", "dave"};
    struct caller callers[4];
    for (int i = 0; i < 4; i++) {
        fixture_add_reservations(customers[i], 1, MINUTE_MS);
        callers[i] = caller_releases(customers[i], 1);
    }
    pipeline_warm_up();
    fixture_hold(SCRIPTED_READ);
    caller_submit_all(callers, 4);
    ck_assert_int_eq(fixture_state(), PIPELINE_LOOKING_UP);
    ck_assert_int_eq(fixture_held(SCRIPTED_READ), 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(fixture_state(), PIPELINE_LOOKING_UP);
        fixture_end(SCRIPTED_READ, STATUS_OK);
    }
    for (int i = 0; i < 4; i++) {
        caller_assert_granted(&callers[i]);
    }
}
END_TEST

/* _i 0: while it lingers, 1: when it has been released. */
START_TEST(a_known_product_is_not_read_again_and_a_lease_in_hand_not_acquired_again) {
    struct caller first = caller_reserves(1), second = caller_reserves(1);
    caller_submit(&first);
    fixture_advance(_i * LINGER_MS);
    caller_submit(&second);
    caller_assert_granted(&second);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
    ck_assert_int_eq(fixture_acquires(), 1 + _i);
}
END_TEST

/* _i 1: the pipeline was idle in between. */
START_TEST(a_reservation_just_made_is_sold_without_a_look_up) {
    struct caller maker = caller_reserves(3), buyer = caller_reserves(1);
    caller_submit(&maker);
    caller_assert_granted(&maker);
    fixture_advance(_i * LINGER_MS);
    ck_assert_int_eq(fixture_state(), _i == 0 ? PIPELINE_LINGERING : PIPELINE_IDLE);
    buyer.request.operation = &operation_confirm;
    buyer.request.customer_id = NULL;
    buyer.request.reservation_id = maker.request.reservation.id;
    buyer.request.quantity = 2;
    caller_submit(&buyer);
    caller_assert_served(&buyer, STATUS_OK);
    ck_assert_int_eq(buyer.request.units, 2);
    ck_assert_int_eq(buyer.request.remaining, 1);
    ck_assert_int_eq(buyer.request.total, PIPELINE_FIXTURE_UNITS - 2);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 3, 3, 1);
}
END_TEST

START_TEST(a_snapshot_is_taken_in_its_batch) {
    struct caller callers[] = {caller_reserves(2), caller_expires()};
    struct product_state snapshot;
    product_state_init(&snapshot);
    callers[1].request.operation = &operation_snapshot;
    callers[1].request.snapshot = &snapshot;
    caller_submit_all(callers, 2);
    caller_assert_granted(&callers[0]);
    caller_assert_served(&callers[1], STATUS_OK);
    ck_assert_int_eq(snapshot.product.version, 1);
    ck_assert_int_eq(callers[1].request.version, 2);
    product_state_cleanup(&snapshot);
}
END_TEST

/* ---- the row of the expiry index that is begun while the lease is acquired ---- */

START_TEST(the_index_row_of_a_known_product_is_written_while_the_lease_is_acquired) {
    pipeline_warm_up();
    fixture_advance(MINUTE_MS);
    struct caller caller = caller_reserves(1);
    fixture_hold(SCRIPTED_INDEX);
    fixture_hold_acquire(true);
    caller_submit(&caller);
    ck_assert_int_eq(fixture_state(), PIPELINE_ACQUIRING);
    ck_assert_int_eq(fixture_held(SCRIPTED_INDEX), 1);
    fixture_answer_acquire(STATUS_OK);
    ck_assert_int_eq(fixture_state(), PIPELINE_INDEXING);
    fixture_end(SCRIPTED_INDEX, STATUS_OK);
    caller_assert_granted(&caller);
    int64_t expires_ms = caller.request.reservation.expires_ms;
    ck_assert_int_eq(fixture_pipeline()->cache.state.product.indexed_due_ms,
                     expiry_index_minute_ms(expires_ms));
}
END_TEST

START_TEST(an_index_row_that_was_ready_first_is_not_waited_for) {
    pipeline_warm_up();
    fixture_advance(MINUTE_MS);
    struct caller caller = caller_reserves(1);
    fixture_hold_acquire(true);
    caller_submit(&caller);
    fixture_hold(SCRIPTED_COMMIT);
    fixture_answer_acquire(STATUS_OK);
    ck_assert_int_eq(fixture_state(), PIPELINE_COMMITTING);
    ck_assert_int_eq(fixture_count(SCRIPTED_INDEX), 1);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&caller);
}
END_TEST

START_TEST(an_index_row_that_failed_is_left_to_the_commit) {
    pipeline_warm_up();
    fixture_advance(MINUTE_MS);
    struct caller caller = caller_reserves(1);
    fixture_plan(SCRIPTED_INDEX, STATUS_UNAVAILABLE);
    caller_submit(&caller);
    caller_assert_granted(&caller);
    ck_assert_int_eq(fixture_pipeline()->cache.state.product.indexed_due_ms, 0);
}
END_TEST

START_TEST(an_index_row_is_not_written_again_in_the_same_minute_or_for_what_adds_no_reservation) {
    pipeline_warm_up();
    fixture_advance(MINUTE_MS);
    struct caller callers[] = {caller_reserves(1), caller_reserves(1), caller_sets_total(2000)};
    for (int i = 0; i < 3; i++) {
        caller_submit(&callers[i]);
        fixture_advance(LINGER_MS);
        fixture_advance(i < 1 ? 0 : MINUTE_MS);
        caller_assert_served(&callers[i], STATUS_OK);
    }
    ck_assert_int_eq(fixture_count(SCRIPTED_INDEX), 1);
}
END_TEST

/* The batch adds nothing after all, so nobody waits for the row. */
START_TEST(a_pipeline_is_not_idle_before_its_late_index_row_has_ended) {
    pipeline_warm_up();
    fixture_advance(MINUTE_MS);
    struct caller caller = caller_reserves(PIPELINE_FIXTURE_UNITS + 1);
    fixture_hold(SCRIPTED_INDEX);
    caller_submit(&caller);
    caller_assert_refused(&caller, PIPELINE_FIXTURE_UNITS - 1);
    fixture_advance(LINGER_MS);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    ck_assert_int_eq(fixture.queues.idle_count, 0);
    fixture_end(SCRIPTED_INDEX, STATUS_OK);
    ck_assert_int_eq(fixture.queues.idle_count, 1);
}
END_TEST

START_TEST(a_release_does_not_wait_for_a_row_of_the_index) {
    pipeline_warm_up();
    fixture_advance(MINUTE_MS);
    struct caller refused = caller_reserves(PIPELINE_FIXTURE_UNITS + 1),
                  release = caller_releases("alice", 1);
    fixture_hold(SCRIPTED_INDEX);
    caller_submit(&refused);
    caller_assert_served(&refused, STATUS_OK);
    caller_submit(&release);
    caller_assert_served(&release, STATUS_OK);
    ck_assert_int_eq(release.request.units, 1);
    fixture_end(SCRIPTED_INDEX, STATUS_OK);
}
END_TEST

/* ---- together ---- */

START_TEST(those_who_wait_together_are_one_commit_in_order_of_arrival_under_the_same_lease) {
    struct caller first = caller_reserves(1), others[5];
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    for (int i = 0; i < 5; i++) {
        others[i] = caller_reserves(1);
        caller_submit(&others[i]);
    }
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&first);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    for (int i = 0; i < 5; i++) {
        caller_assert_granted(&others[i]);
        ck_assert_int_eq(others[i].place, i + 2);
        ck_assert_int_eq(others[i].request.available, PIPELINE_FIXTURE_UNITS - 2 - i);
        ck_assert_int_eq(others[i].request.version, 3);
    }
    ck_assert_int_eq(fixture_acquires(), 1);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
}
END_TEST

START_TEST(more_than_a_transaction_holds_goes_into_the_next) {
    struct caller callers[MANY];
    for (int i = 0; i < MANY; i++) {
        callers[i] = caller_reserves(1);
    }
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit_all(callers, MANY);
    ck_assert_int_eq(fixture.store.last_change_count, INVENTORY_MAX_CHANGES);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&callers[INVENTORY_MAX_CHANGES - 1]);
    caller_assert_waits(&callers[INVENTORY_MAX_CHANGES]);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    for (int i = 0; i < MANY; i++) {
        caller_assert_granted(&callers[i]);
        ck_assert_int_eq(callers[i].place, i + 1);
    }
    ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), 2);
}
END_TEST

/*
 * With a key each needs two rows, so only a half of them fits; one more comes behind them
 * meanwhile.
 */
START_TEST(who_does_not_fit_into_a_batch_stands_at_the_front_of_the_next) {
    struct caller callers[INVENTORY_MAX_CHANGES], last = caller_reserves(1);
    for (int i = 0; i < INVENTORY_MAX_CHANGES; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        callers[i] = caller_reserves_with_key(1, key);
    }
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit_all(callers, INVENTORY_MAX_CHANGES);
    caller_submit(&last);
    for (int i = 0; i < 3; i++) {
        fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    }
    for (int i = 0; i < INVENTORY_MAX_CHANGES; i++) {
        caller_assert_granted(&callers[i]);
        ck_assert_int_eq(callers[i].place, i + 1);
        ck_assert_int_eq(callers[i].request.version, 2 + i / (INVENTORY_MAX_CHANGES / 2));
    }
    ck_assert_int_eq(last.place, INVENTORY_MAX_CHANGES + 1);
}
END_TEST

START_TEST(who_needs_several_batches_goes_to_the_end_of_the_queue_after_each) {
    fixture_add_reservations("old", EXPIRED, 0);
    struct caller expires = caller_expires(), callers[3];
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&expires);
    for (int i = 0; i < 3; i++) {
        callers[i] = caller_reserves(1);
        caller_submit(&callers[i]);
        fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    }
    while (fixture_held(SCRIPTED_COMMIT) > 0) {
        fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    }
    caller_assert_granted(&callers[0]);
    caller_assert_served(&expires, STATUS_OK);
    ck_assert_int_lt(callers[0].place, expires.place);
    ck_assert_int_le(expires.request.committed_units, EXPIRED);
    ck_assert_int_ge(expires.request.committed_units, 2 * INVENTORY_MAX_CHANGES);
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 3,
                          fixture_pipeline()->cache.state.product.version, 3);
}
END_TEST

START_TEST(products_do_not_wait_for_each_other) {
    static const struct seed_product seed = {"Q", 10};
    struct inventory_store *memory = &fixture.store.memory.base;
    ck_assert_int_eq(inventory_store_prepare_and_wait(memory, &seed, 1, NULL), STATUS_OK);
    struct caller here = caller_reserves(1), there = caller_reserves(1);
    there.request.product_id = "Q";
    fixture_hold(SCRIPTED_READ);
    caller_submit(&here);
    fixture_let_go(SCRIPTED_READ);
    caller_submit(&there);
    caller_assert_granted(&there);
    caller_assert_waits(&here);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    caller_assert_granted(&here);
}
END_TEST

/* ---- callers that come back inside their own answers ---- */

START_TEST(a_request_may_be_submitted_again_inside_its_own_answer) {
    struct caller caller = caller_reserves(1);
    caller.then = caller_submit_again;
    fixture.resubmissions = 9;
    caller_submit(&caller);
    caller_assert_granted(&caller);
    ck_assert_int_eq(fixture.served_count, 10);
    fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 10, 11, 10);
    ck_assert_int_eq(fixture_acquires(), 1);
}
END_TEST

static void free_it(struct caller *caller) {
    free(caller);
}

START_TEST(a_request_may_be_freed_inside_its_answer_with_its_correlation) {
    for (int i = 0; i < 3; i++) {
        struct caller *caller = malloc(sizeof *caller);
        ck_assert_ptr_nonnull(caller);
        *caller = caller_reserves(i == 1 ? PIPELINE_FIXTURE_UNITS : 1);
        caller_set_invocation(caller, "gone");
        caller->then = free_it;
        fixture_plan(SCRIPTED_COMMIT, i == 2 ? STATUS_UNAVAILABLE : STATUS_OK);
        caller_submit(caller);
    }
    fixture_advance(MINUTE_MS);
    ck_assert_int_eq(fixture.served_count, 3);
}
END_TEST

/* ---- closed ---- */

/*
 * In each state: whoever waits is cancelled, whoever is in a batch is served, and the lease is
 * released.
 */
START_TEST(closing_cancels_those_who_wait_and_finishes_the_batch) {
    enum pipeline_state state =
        _i == PIPELINE_DECIDING ? PIPELINE_READING : (enum pipeline_state)_i;
    struct caller caller = {.place = 0}, waiting = caller_reserves(1);
    pipeline_drive_to(state, &caller);
    bool is_batch = state >= PIPELINE_READING && state <= PIPELINE_COMMITTING;
    if (is_batch) {
        caller_submit(&waiting);
    }
    ck_assert_int_eq(fixture_state(), state);
    fixture_close();
    if (is_batch) {
        caller_assert_served(&waiting, STATUS_CANCELLED);
        ck_assert_int_eq(fixture_state(), state);
        pipeline_end_state(state);
    }
    if (state < PIPELINE_COLLECTING || state == PIPELINE_LINGERING) {
        ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    }
    if (state == PIPELINE_YIELDING || state == PIPELINE_ACQUIRING) {
        caller_assert_served(&caller, STATUS_CANCELLED);
        fixture_hold_acquire(false);
        lease_store_fake_script(fixture.lease_service, FAKE_ACQUIRE, STATUS_OK);
        if (state == PIPELINE_ACQUIRING) { /* what is granted all the same is released */
            fixture_answer_acquire(STATUS_OK);
        }
    } else {
        ck_assert_int_eq(caller.served, state == PIPELINE_IDLE ? 0 : 1);
        ck_assert_int_eq(caller.request.status, STATUS_OK);
    }
    fixture_advance(MAX_WINDOW_MS);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    ck_assert(!fixture_is_leased());
}
END_TEST

START_TEST(after_closing_the_rest_of_a_long_work_is_cancelled) {
    fixture_add_reservations("old", EXPIRED, 0);
    struct caller expires = caller_expires();
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&expires);
    fixture_close();
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_served(&expires, STATUS_CANCELLED);
    ck_assert_int_eq(expires.request.committed_units, INVENTORY_MAX_CHANGES);
    fixture_advance(MAX_WINDOW_MS);
    ck_assert(!fixture_is_leased());
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_pipeline");
    TCase *way = tcase_create("way");
    tcase_add_checked_fixture(way, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_test(way, a_request_goes_from_state_to_state_and_its_lease_is_kept_for_a_moment);
    tcase_add_test(way, processing_time_goes_by_once_for_a_batch_between_the_read_and_the_commit);
    tcase_add_test(way, processing_time_is_not_for_what_no_customer_waits_for);
    tcase_add_test(way, processing_time_goes_by_once_although_the_product_has_to_be_read_again);
    tcase_add_test(
        way, the_rows_of_the_first_release_come_with_the_product_and_those_of_others_beside_it);
    tcase_add_test(way, what_single_requests_need_is_looked_up_at_once);
    tcase_add_loop_test(way, a_reservation_just_made_is_sold_without_a_look_up, 0, 2);
    tcase_add_loop_test(
        way, a_known_product_is_not_read_again_and_a_lease_in_hand_not_acquired_again, 0, 2);
    tcase_add_test(way, a_snapshot_is_taken_in_its_batch);
    tcase_add_test(way, the_index_row_of_a_known_product_is_written_while_the_lease_is_acquired);
    tcase_add_test(way, an_index_row_that_was_ready_first_is_not_waited_for);
    tcase_add_test(way, an_index_row_that_failed_is_left_to_the_commit);
    tcase_add_test(
        way, an_index_row_is_not_written_again_in_the_same_minute_or_for_what_adds_no_reservation);
    tcase_add_test(way, a_pipeline_is_not_idle_before_its_late_index_row_has_ended);
    tcase_add_test(way, a_release_does_not_wait_for_a_row_of_the_index);
    suite_add_tcase(suite, way);
    TCase *together = tcase_create("together");
    tcase_add_checked_fixture(together, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_test(together,
                   those_who_wait_together_are_one_commit_in_order_of_arrival_under_the_same_lease);
    tcase_add_test(together, more_than_a_transaction_holds_goes_into_the_next);
    tcase_add_test(together, who_does_not_fit_into_a_batch_stands_at_the_front_of_the_next);
    tcase_add_test(together, who_needs_several_batches_goes_to_the_end_of_the_queue_after_each);
    tcase_add_test(together, products_do_not_wait_for_each_other);
    tcase_add_test(together, a_request_may_be_submitted_again_inside_its_own_answer);
    tcase_add_test(together, a_request_may_be_freed_inside_its_answer_with_its_correlation);
    suite_add_tcase(suite, together);
    TCase *closed = tcase_create("closed");
    tcase_add_checked_fixture(closed, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_loop_test(closed, closing_cancels_those_who_wait_and_finishes_the_batch,
                        PIPELINE_IDLE, PIPELINE_LINGERING + 1);
    tcase_add_test(closed, after_closing_the_rest_of_a_long_work_is_cancelled);
    suite_add_tcase(suite, closed);
    return check_main(suite);
}
