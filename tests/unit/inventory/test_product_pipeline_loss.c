/*
 * test_product_pipeline_loss.c - the lease renewed before a commit, and lost in every state:
 * nothing is committed afterwards, and those who wait are served under the next.
 */
#include <assert.h>

#include "inventory/product_pipeline.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/fakes/pipeline_states.h"
#include "support/processes/check_main.h"

enum { RENEW_MS = 3000 };

static_assert((int)RENEW_MS < (int)STATE_WORK_MS, "the lease is lost while ProcessingTime goes by");

START_TEST(a_lease_that_would_end_before_the_commit_can_is_renewed_first) {
    struct caller caller = {.place = 0};
    pipeline_drive_to(PIPELINE_EXTENDING, &caller);
    ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), 0);
    pipeline_end_state(PIPELINE_EXTENDING);
    caller_assert_granted(&caller);
    ck_assert_int_eq(caller.request.renewal_count, 1);
}
END_TEST

static void assert_lost(const struct caller *caller, enum pipeline_state state) {
    if (state == PIPELINE_COMMITTING || state >= PIPELINE_LINGERING ||
        state == PIPELINE_COLLECTING) {
        caller_assert_granted(caller); /* storage has carried it out */
    } else if (state == PIPELINE_LOOKING_UP) {
        caller_assert_refused(
            caller, PIPELINE_FIXTURE_UNITS); /* what it was read to be, after the request came */
    } else {
        caller_assert_served(caller, STATUS_LEASE_LOST);
        ck_assert_int_eq(fixture_count(SCRIPTED_COMMIT), state == PIPELINE_INDEXING ? 1 : 0);
    }
}

/*
 * In each state of a batch: nothing is committed afterwards, and those who wait are served under
 * the next lease.
 */
START_TEST(a_lost_lease_commits_nothing_and_others_are_served_under_the_next) {
    enum pipeline_state state = (enum pipeline_state)_i;
    struct caller caller = {.place = 0}, behind = caller_reserves(1);
    fixture.lease_options.renew_interval_ms = state == PIPELINE_EXTENDING ? 20000 : 3000;
    pipeline_drive_to(state, &caller);
    caller_submit(&behind);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    if (state == PIPELINE_EXTENDING) {
        lease_store_fake_hold(fixture.lease_service, FAKE_RENEW, false);
        lease_store_fake_answer(fixture.lease_service, FAKE_RENEW, STATUS_LEASE_LOST);
        fixture_settle();
    } else {
        fixture_advance(RENEW_MS);
    }
    if (caller.served == 0) {
        pipeline_end_state(state);
    }
    assert_lost(&caller, state);
    caller_assert_waits(&behind);
    fixture.queues.shared.processing_time_ms = 0;
    fixture_set_holder("");
    fixture_creep(250);
    caller_assert_granted(&behind);
}
END_TEST

/*
 * _i 0: in the window for returning callers; 1: while it lingers. Nobody waits; then somebody
 * comes.
 */
START_TEST(a_lease_lost_between_two_batches_is_not_used_for_the_next) {
    struct caller first = caller_reserves(1), next = caller_reserves(1);
    fixture.lease_options.renew_interval_ms = 3000;
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_advance(RENEW_MS - 2);
    if (_i == 1) { /* the commit took no time, so there is no window */
        fixture_pipeline()->commit_started_ms = clock_now_ms(&fixture.clock.base);
    }
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&first);
    ck_assert_int_eq(fixture_state(), _i == 0 ? PIPELINE_COLLECTING : PIPELINE_LINGERING);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    fixture_advance(3);
    ck_assert_int_eq(fixture_state(), _i == 0 ? PIPELINE_COLLECTING : PIPELINE_LINGERING);
    caller_submit(&next);
    ck_assert_int_eq(fixture_state(), PIPELINE_ACQUIRING);
    caller_assert_waits(&next);
    fixture_set_holder("");
    fixture_creep(250);
    caller_assert_granted(&next);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_pipeline_loss");
    TCase *tcase = tcase_create("loss");
    tcase_add_checked_fixture(tcase, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_test(tcase, a_lease_that_would_end_before_the_commit_can_is_renewed_first);
    tcase_add_loop_test(tcase, a_lost_lease_commits_nothing_and_others_are_served_under_the_next,
                        PIPELINE_READING, PIPELINE_COMMITTING + 1);
    tcase_add_loop_test(tcase, a_lease_lost_between_two_batches_is_not_used_for_the_next, 0, 2);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
