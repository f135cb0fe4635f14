/*
 * test_lease_manager_operations.c - how acquires, breaks and the close end, from every state,
 * on the loop's thread.
 */
#include "lease/lease_manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/storage_client.h"
#include "support/fakes/lease_fixture.h"
#include "support/processes/check_main.h"

/* ---- an acquire under test ---- */

static struct acquired {
    struct lease_acquire operation;
    struct leasehold_request request;
    int end_count;
    enum status status;
    struct lease *lease;
    struct error err;
} acquired;

static void on_acquired(void *context, enum status status, struct lease *lease,
                        const struct error *err) {
    struct acquired *own = context;
    ck_assert(event_loop_is_current(lease_fixture.loop));
    ck_assert_int_eq(own->operation.state, LEASE_ACQUIRE_IDLE);
    ck_assert_int_eq(lease != NULL, status == STATUS_OK);
    ck_assert_ptr_null(correlation_current());
    own->end_count++;
    own->status = status;
    own->lease = lease;
    if (status != STATUS_OK) {
        own->err = *err;
    }
}

static void start(void *context) {
    struct acquired *own = context;
    int ended_before = own->end_count;
    lease_acquire_start(&own->operation, lease_fixture.manager, &own->request, on_acquired, own);
    ck_assert_int_eq(own->end_count, ended_before); /* never inside start */
}

static void abandon(void *context) {
    struct acquired *own = context;
    lease_acquire_abandon(&own->operation);
    ck_assert_int_eq(own->operation.state, LEASE_ACQUIRE_IDLE);
    lease_acquire_abandon(&own->operation); /* no longer under way */
}

static void begin(void) {
    lease_fixture_run(start, &acquired);
}

static void check_state(void *context) {
    ck_assert_int_eq(acquired.operation.state, *(enum lease_acquire_state *)context);
}

static void assert_state(enum lease_acquire_state state) {
    lease_fixture_run(check_state, &state);
}

static void assert_ended(enum status expected) {
    lease_fixture_settle();
    ck_assert_int_eq(acquired.end_count, 1);
    ck_assert_int_eq(acquired.status, expected);
    if (expected != STATUS_OK) {
        ck_assert_int_eq(acquired.err.status, expected);
        ck_assert_str_ne(acquired.err.message, "");
    }
}

static void assert_not_ended(void) {
    lease_fixture_settle();
    ck_assert_int_eq(acquired.end_count, 0);
}

static size_t count(enum fake_call_kind kind) {
    return lease_store_fake_count(lease_fixture.store, kind);
}

static void hold(enum fake_call_kind kind) {
    lease_store_fake_hold(lease_fixture.store, kind, true);
}

static void answer(enum fake_call_kind kind, enum status status) {
    lease_store_fake_answer(lease_fixture.store, kind, status);
}

/* Nothing of the lease is left, neither at storage nor in the manager. */
static void assert_nothing_is_left(size_t releases) {
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, false);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000), 0);
    ck_assert_uint_eq(count(FAKE_RELEASE), releases);
    ck_assert(!lease_store_fake_is_leased(lease_fixture.store, "a"));
}

static void set_up(void) {
    lease_fixture_set_up();
    acquired = (struct acquired){.request = {.name = "a"}};
}

/* ---- into each state ---- */

static void come_to_asking(void) {
    hold(FAKE_ACQUIRE);
    begin();
    assert_state(LEASE_ACQUIRE_ASKING);
}

static void come_to_backoff(void) {
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    begin();
    lease_fixture_settle();
    assert_state(LEASE_ACQUIRE_BACKOFF);
}

static void come_to_returning(void) {
    hold(FAKE_RELEASE);
    lease_manager_release(lease_fixture.manager, lease_fixture_acquire_named("a"));
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    begin();
    lease_fixture_settle();
    assert_state(LEASE_ACQUIRE_AWAITING_RELEASE);
}

/* ---- how it ends ---- */

START_TEST(a_lease_is_handed_out_after_start_has_returned) {
    begin();
    assert_ended(STATUS_OK);
    ck_assert(lease_manager_is_held(lease_fixture.manager, acquired.lease));
    ck_assert_int_eq(acquired.operation.conflict_count, 0);
    lease_manager_release(lease_fixture.manager, acquired.lease);
}
END_TEST

START_TEST(an_acquire_that_cannot_be_started_at_the_store_ends_afterwards) {
    lease_store_fake_refuse(lease_fixture.store, FAKE_ACQUIRE, STATUS_NO_MEMORY);
    begin();
    assert_ended(STATUS_NO_MEMORY);
    assert_nothing_is_left(0);
}
END_TEST

START_TEST(a_later_try_that_cannot_be_started_ends_it) {
    come_to_backoff();
    lease_store_fake_refuse(lease_fixture.store, FAKE_ACQUIRE, STATUS_NO_MEMORY);
    lease_fixture_advance(1000);
    assert_ended(STATUS_NO_MEMORY);
    ck_assert_int_eq(acquired.operation.conflict_count, 1);
    lease_store_fake_set_holder(lease_fixture.store, "a", "");
    assert_nothing_is_left(0);
}
END_TEST

START_TEST(once_acquires_are_cancelled_none_begins) {
    lease_manager_cancel_acquires(lease_fixture.manager);
    begin();
    assert_ended(STATUS_CANCELLED);
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 0);
}
END_TEST

START_TEST(conflicts_are_counted) {
    acquired.request.timeout_ms = 1000;
    come_to_backoff();
    for (int i = 0; i < 20; i++) {
        lease_fixture_advance(100);
        lease_fixture_settle();
    }
    assert_ended(STATUS_LEASE_CONFLICT);
    ck_assert_int_gt(acquired.operation.conflict_count, 3);
    ck_assert_uint_eq((size_t)acquired.operation.conflict_count, count(FAKE_ACQUIRE));
}
END_TEST

START_TEST(the_next_try_is_made_to_the_millisecond) {
    lease_fixture.options.acquire_retry_ms = 70;
    come_to_backoff();
    lease_fixture_advance(69);
    lease_fixture_settle();
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 1);
    lease_store_fake_set_holder(lease_fixture.store, "a", "");
    lease_fixture_advance(1);
    assert_ended(STATUS_OK);
    ck_assert_int_eq(acquired.operation.conflict_count, 1);
    ck_assert_int_eq(lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 1).at_ms,
                     LEASE_FIXTURE_START_MS + 70);
    lease_manager_release(lease_fixture.manager, acquired.lease);
}
END_TEST

/* ---- in doubt ---- */

static const struct {
    enum status status;
    bool is_given_back;
} doubtful[] = {{STATUS_NO_MEMORY, true},           {STATUS_MALFORMED, true},
                {STATUS_TOO_LARGE, true},           {STATUS_NOT_FOUND, true},
                {STATUS_UNAUTHORIZED, true},        {STATUS_INTERNAL, true},
                {STATUS_CONTAINER_NOT_FOUND, true}, {STATUS_UNAVAILABLE, true},
                {STATUS_CANCELLED, true},           {STATUS_LEASE_CONFLICT, false}};
enum { DOUBTFUL = sizeof doubtful / sizeof doubtful[0] };

/* After a conflict the lease is somebody else's, whatever became of earlier attempts. */
static void leave_in_doubt(int i) {
    if (doubtful[i].status == STATUS_LEASE_CONFLICT) {
        lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    }
    lease_store_fake_leave_in_doubt(lease_fixture.store, FAKE_ACQUIRE);
    acquired.request.try_once = true;
    come_to_asking();
}

static void assert_given_back(int i) {
    lease_store_fake_drain(lease_fixture.store);
    ck_assert_uint_eq(count(FAKE_RELEASE), doubtful[i].is_given_back);
    if (doubtful[i].is_given_back) {
        ck_assert_str_eq(lease_store_fake_call(lease_fixture.store, FAKE_RELEASE, 0).lease_id,
                         lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 0).lease_id);
    } else {
        ck_assert(lease_store_fake_is_leased(lease_fixture.store, "a")); /* still somebody else's */
        lease_store_fake_set_holder(lease_fixture.store, "a", "");
    }
    assert_nothing_is_left(doubtful[i].is_given_back);
}

/* The first attempt was granted but had no reply. The last one ends in any way. */
START_TEST(a_lease_that_an_earlier_attempt_may_have_got_is_released) {
    leave_in_doubt(_i);
    answer(FAKE_ACQUIRE, doubtful[_i].status);
    assert_ended(doubtful[_i].status);
    assert_given_back(_i);
}
END_TEST

START_TEST(abandoned_too_a_lease_that_an_earlier_attempt_may_have_got_is_released) {
    leave_in_doubt(_i);
    lease_fixture_run(abandon, &acquired);
    answer(FAKE_ACQUIRE, doubtful[_i].status);
    assert_not_ended();
    assert_given_back(_i);
}
END_TEST

/* ---- AWAITING_RELEASE ---- */

START_TEST(a_lease_on_its_way_back_that_arrives_lets_the_acquire_go_on_at_once) {
    come_to_returning();
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 1);
    answer(FAKE_RELEASE, STATUS_OK);
    assert_ended(STATUS_OK);
    ck_assert_int_eq(lease_fixture_now_ms(), LEASE_FIXTURE_START_MS);
    ck_assert_int_eq(acquired.operation.conflict_count, 0);
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, false);
    lease_manager_release(lease_fixture.manager, acquired.lease);
}
END_TEST

START_TEST(a_release_that_is_tried_again_is_waited_for_but_not_for_ever) {
    acquired.request.try_once = true;
    come_to_returning();
    answer(FAKE_RELEASE, STATUS_UNAVAILABLE);
    lease_fixture_advance(LEASE_RELEASE_RETRY_MS);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 2);
    assert_state(LEASE_ACQUIRE_AWAITING_RELEASE);
    lease_fixture_advance(LEASE_RELEASE_TIMEOUT_MS - LEASE_RELEASE_RETRY_MS - 1);
    assert_not_ended();
    lease_fixture_advance(1);
    assert_ended(STATUS_LEASE_CONFLICT); /* the conflict is with our own lease */
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 2);
    answer(FAKE_RELEASE, STATUS_OK);
    assert_nothing_is_left(2);
}
END_TEST

/* With so many names, some share a bucket with the one being released. */
START_TEST(a_lease_on_its_way_back_holds_up_no_other_name) {
    char name[32];
    hold(FAKE_RELEASE);
    lease_manager_release(lease_fixture.manager, lease_fixture_acquire_named("a"));
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, false);
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof name, "other-%d", i);
        lease_manager_release(lease_fixture.manager, lease_fixture_acquire_named(name));
    }
    ck_assert_int_eq(lease_fixture_now_ms(), LEASE_FIXTURE_START_MS);
    answer(FAKE_RELEASE, STATUS_OK);
}
END_TEST

/* ---- abandoned, in each state ---- */

START_TEST(abandoned_before_it_ends_it_is_not_answered) {
    lease_manager_cancel_acquires(lease_fixture.manager);
    lease_fixture_settle();
    lease_fixture_stop_loop();
    struct loop_task starting = {.run = start, .context = &acquired};
    struct loop_task abandoning = {.run = abandon, .context = &acquired};
    event_loop_post(lease_fixture.loop, &starting);
    event_loop_post(lease_fixture.loop, &abandoning);
    lease_fixture_resume_loop();
    assert_not_ended();
    assert_nothing_is_left(0);
}
END_TEST

START_TEST(abandoned_while_it_backs_off_it_never_asks_again) {
    come_to_backoff();
    lease_fixture_run(abandon, &acquired);
    lease_store_fake_set_holder(lease_fixture.store, "a", "");
    lease_fixture_advance(20000);
    assert_not_ended();
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 1);
    assert_nothing_is_left(0);
}
END_TEST

START_TEST(abandoned_while_a_lease_is_on_its_way_back_it_does_not_ask) {
    come_to_returning();
    lease_fixture_run(abandon, &acquired);
    answer(FAKE_RELEASE, STATUS_OK);
    assert_not_ended();
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 1);
    assert_nothing_is_left(1);
}
END_TEST

/* What storage may have granted is released. */
START_TEST(abandoned_while_storage_is_asked_it_leaves_nothing_behind) {
    static const struct {
        enum status status;
        size_t releases;
    } answers[] = {{STATUS_OK, 1},       {STATUS_UNAVAILABLE, 1},    {STATUS_CANCELLED, 1},
                   {STATUS_INTERNAL, 1}, {STATUS_LEASE_CONFLICT, 0}, {STATUS_UNAUTHORIZED, 0},
                   {STATUS_NO_MEMORY, 0}};
    come_to_asking();
    lease_fixture_run(abandon, &acquired);
    answer(FAKE_ACQUIRE, answers[_i].status);
    assert_not_ended();
    lease_store_fake_drain(lease_fixture.store);
    ck_assert_uint_eq(count(FAKE_RELEASE), answers[_i].releases);
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 1);
    assert_nothing_is_left(answers[_i].releases);
}
END_TEST

START_TEST(abandoned_it_may_be_started_again_while_its_first_call_is_under_way) {
    come_to_asking();
    lease_fixture_run(abandon, &acquired);
    begin();
    answer(FAKE_ACQUIRE, STATUS_OK); /* of the first acquire; its lease is released at once */
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    lease_store_fake_drain(lease_fixture.store);
    assert_not_ended();
    answer(FAKE_ACQUIRE, STATUS_OK);
    assert_ended(STATUS_OK);
    ck_assert_str_eq(lease_id(acquired.lease),
                     lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 1).lease_id);
    ck_assert_str_eq(lease_store_fake_call(lease_fixture.store, FAKE_RELEASE, 0).lease_id,
                     lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 0).lease_id);
    lease_manager_release(lease_fixture.manager, acquired.lease);
}
END_TEST

START_TEST(an_abandoned_acquire_is_waited_for_by_the_close) {
    come_to_asking();
    lease_fixture_run(abandon, &acquired);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms()), 1);
    answer(FAKE_ACQUIRE, STATUS_LEASE_CONFLICT);
    assert_nothing_is_left(0);
}
END_TEST

/* ---- cancelled, in each state ---- */

START_TEST(cancelled_while_it_backs_off_it_ends) {
    come_to_backoff();
    lease_manager_cancel_acquires(lease_fixture.manager);
    assert_ended(STATUS_CANCELLED);
    lease_store_fake_set_holder(lease_fixture.store, "a", "");
    assert_nothing_is_left(0);
}
END_TEST

START_TEST(cancelled_while_a_lease_is_on_its_way_back_it_ends) {
    come_to_returning();
    lease_manager_cancel_acquires(lease_fixture.manager);
    assert_ended(STATUS_CANCELLED);
    answer(FAKE_RELEASE, STATUS_OK);
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 1);
    assert_nothing_is_left(1);
}
END_TEST

START_TEST(cancelled_while_storage_is_asked_it_gets_what_storage_says_and_asks_no_more) {
    static const enum status answers[] = {STATUS_OK, STATUS_LEASE_CONFLICT},
                             ends[] = {STATUS_OK, STATUS_CANCELLED};
    come_to_asking();
    lease_manager_cancel_acquires(lease_fixture.manager);
    assert_not_ended();
    answer(FAKE_ACQUIRE, answers[_i]);
    assert_ended(ends[_i]);
    lease_manager_release(lease_fixture.manager, acquired.lease);
    assert_nothing_is_left(_i == 0 ? 1 : 0);
}
END_TEST

START_TEST(
    cancelled_for_good_while_storage_is_asked_it_ends_and_is_released_although_nobody_knows) {
    come_to_asking();
    lease_manager_cancel_acquires(lease_fixture.manager);
    lease_manager_cancel_waits(lease_fixture.manager);
    assert_ended(STATUS_CANCELLED);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    ck_assert_str_eq(lease_store_fake_call(lease_fixture.store, FAKE_RELEASE, 0).lease_id,
                     lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 0).lease_id);
    answer(FAKE_ACQUIRE, STATUS_LEASE_CONFLICT); /* there is no completion */
    assert_ended(STATUS_CANCELLED);
    assert_nothing_is_left(1);
}
END_TEST

START_TEST(a_cancelled_acquire_may_be_abandoned_before_it_ends) {
    come_to_backoff();
    lease_fixture_stop_loop();
    lease_manager_cancel_acquires(lease_fixture.manager);
    struct loop_task abandoning = {.run = abandon, .context = &acquired};
    event_loop_post(lease_fixture.loop, &abandoning);
    lease_fixture_resume_loop();
    assert_not_ended();
    lease_store_fake_set_holder(lease_fixture.store, "a", "");
    assert_nothing_is_left(0);
}
END_TEST

/* ---- its last act ---- */

static void start_again(void *context, enum status status, struct lease *lease,
                        const struct error *err) {
    struct acquired *own = context;
    ck_assert_int_eq(status, STATUS_OK);
    (void)err;
    lease_manager_release(lease_fixture.manager, lease);
    lease_acquire_start(&own->operation, lease_fixture.manager, &own->request, on_acquired, own);
}

static void start_first(void *context) {
    struct acquired *own = context;
    lease_acquire_start(&own->operation, lease_fixture.manager, &own->request, start_again, own);
}

START_TEST(it_may_be_started_again_in_its_completion_after_the_release_of_what_it_got) {
    lease_fixture_run(start_first, &acquired);
    assert_ended(STATUS_OK);
    ck_assert_uint_eq(count(FAKE_ACQUIRE), 2);
    ck_assert_uint_eq(count(FAKE_RELEASE), 1);
    ck_assert_int_eq(acquired.operation.conflict_count,
                     0); /* the second had no conflict with the first */
    lease_manager_release(lease_fixture.manager, acquired.lease);
}
END_TEST

static void free_it(void *context, enum status status, struct lease *lease,
                    const struct error *err) {
    (void)status, (void)lease, (void)err;
    acquired.end_count++;
    free(context);
}

static void start_freed(void *context) {
    struct lease_acquire *operation = calloc(1, sizeof *operation);
    ck_assert_ptr_nonnull(operation);
    lease_acquire_start(operation, lease_fixture.manager, context, free_it, operation);
}

/* _i: success, a failure of storage, a failure of start, and a cancel. */
START_TEST(it_may_be_freed_in_its_completion) {
    acquired.request.try_once = true;
    if (_i == 0) {
        lease_store_fake_script(lease_fixture.store, FAKE_ACQUIRE, STATUS_UNAVAILABLE);
    } else if (_i == 1) {
        lease_store_fake_refuse(lease_fixture.store, FAKE_ACQUIRE, STATUS_NO_MEMORY);
    } else {
        lease_manager_cancel_acquires(lease_fixture.manager);
    }
    lease_fixture_run(start_freed, &acquired.request);
    lease_fixture_settle();
    ck_assert_int_eq(acquired.end_count, 1);
}
END_TEST

/* ---- breaks ---- */

static struct broken {
    struct lease_break operation;
    int end_count;
    enum status status;
} broken;

static void on_broken(void *context, enum status status, const struct error *err) {
    struct broken *own = context;
    ck_assert(status == STATUS_OK || err->status == status);
    own->end_count++;
    own->status = status;
}

static void start_break(void *context) {
    struct broken *own = context;
    *own = (struct broken){.end_count = 0};
    lease_break_start(&own->operation, lease_fixture.manager, "a", on_broken, own);
    ck_assert_int_eq(own->end_count, 0);
}

static void abandon_break(void *context) {
    struct broken *own = context;
    lease_break_abandon(&own->operation);
    lease_break_abandon(&own->operation);
}

static void assert_broken(int end_count, enum status status) {
    lease_fixture_settle();
    ck_assert_int_eq(broken.end_count, end_count);
    ck_assert(end_count == 0 || broken.status == status);
}

START_TEST(a_break_ends_with_what_storage_says) {
    lease_store_fake_script(lease_fixture.store, FAKE_BREAK, STATUS_NOT_FOUND);
    lease_fixture_run(start_break, &broken);
    assert_broken(1, STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_break_that_cannot_be_started_ends_afterwards) {
    lease_store_fake_refuse(lease_fixture.store, FAKE_BREAK, STATUS_NO_MEMORY);
    lease_fixture_run(start_break, &broken);
    assert_broken(1, STATUS_NO_MEMORY);
}
END_TEST

START_TEST(a_break_may_be_abandoned) {
    hold(FAKE_BREAK);
    lease_fixture_run(start_break, &broken);
    lease_fixture_run(abandon_break, &broken);
    answer(FAKE_BREAK, STATUS_OK);
    assert_broken(0, STATUS_OK);
}
END_TEST

START_TEST(breaks_are_cancelled_now_and_later) {
    hold(FAKE_BREAK);
    lease_fixture_run(start_break, &broken);
    lease_manager_cancel_waits(lease_fixture.manager);
    assert_broken(1, STATUS_CANCELLED);
    answer(FAKE_BREAK, STATUS_OK);
    assert_broken(1, STATUS_CANCELLED);
    lease_fixture_run(start_break, &broken);
    assert_broken(1, STATUS_CANCELLED);
    ck_assert_uint_eq(count(FAKE_BREAK), 1);
}
END_TEST

/* ---- the close ---- */

static struct closed {
    int64_t deadline_ms;
    int end_count;
    int unreleased;
} closed;

static void on_closed(void *context, int unreleased) {
    struct closed *own = context;
    own->end_count++;
    own->unreleased = unreleased;
}

static void start_close(void *context) {
    struct closed *own = context;
    own->end_count = 0;
    lease_manager_close_start(lease_fixture.manager, own->deadline_ms, on_closed, own);
    ck_assert_int_eq(own->end_count, 0);
}

START_TEST(a_close_without_leases_ends_after_start_has_returned) {
    closed.deadline_ms = lease_fixture_now_ms() + 1000;
    lease_fixture_run(start_close, &closed);
    lease_fixture_settle();
    ck_assert_int_eq(closed.end_count, 1);
    ck_assert_int_eq(closed.unreleased, 0);
}
END_TEST

START_TEST(a_close_ends_at_its_deadline_to_the_millisecond) {
    struct lease *lease = lease_fixture_acquire_named("a");
    hold(FAKE_RELEASE);
    closed.deadline_ms = lease_fixture_now_ms() + 1000;
    lease_fixture_run(start_close, &closed);
    lease_fixture_advance(999);
    lease_fixture_settle();
    ck_assert_int_eq(closed.end_count, 0);
    lease_fixture_advance(1);
    lease_fixture_settle();
    ck_assert_int_eq(closed.end_count, 1);
    ck_assert_int_eq(closed.unreleased, 1);
    answer(FAKE_RELEASE, STATUS_UNAVAILABLE);
    lease_fixture_advance(LEASE_RELEASE_RETRY_MS);
    lease_fixture_settle();
    ck_assert_uint_eq(count(FAKE_RELEASE), 1); /* nothing is sent after the close */
    lease_manager_release(lease_fixture.manager, lease);
    lease_fixture_settle();
}
END_TEST

static void tear_down_unreleased(void) {
    for (int kind = 0; kind < FAKE_KINDS; kind++) {
        lease_store_fake_hold(lease_fixture.store, (enum fake_call_kind)kind, false);
    }
    http_transport_stop(lease_fixture.transport);
    lease_manager_free(lease_fixture.manager);
    http_transport_free(lease_fixture.transport);
    lease_store_fake_free(lease_fixture.store);
}

static TCase *new_case(Suite *suite, const char *name, SFun after) {
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, set_up, after);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_ends(Suite *suite) {
    TCase *tests = new_case(suite, "ends", lease_fixture_tear_down);
    tcase_add_test(tests, a_lease_is_handed_out_after_start_has_returned);
    tcase_add_test(tests, an_acquire_that_cannot_be_started_at_the_store_ends_afterwards);
    tcase_add_test(tests, a_later_try_that_cannot_be_started_ends_it);
    tcase_add_test(tests, once_acquires_are_cancelled_none_begins);
    tcase_add_test(tests, conflicts_are_counted);
    tcase_add_test(tests, the_next_try_is_made_to_the_millisecond);
    tcase_add_test(tests, a_lease_on_its_way_back_that_arrives_lets_the_acquire_go_on_at_once);
    tcase_add_test(tests, a_release_that_is_tried_again_is_waited_for_but_not_for_ever);
    tcase_add_test(tests, a_lease_on_its_way_back_holds_up_no_other_name);
    tcase_add_test(tests,
                   it_may_be_started_again_in_its_completion_after_the_release_of_what_it_got);
    tcase_add_loop_test(tests, it_may_be_freed_in_its_completion, 0, 3);
}

static void add_doubtful(Suite *suite) {
    TCase *tests = new_case(suite, "in doubt", lease_fixture_tear_down);
    tcase_add_loop_test(tests, a_lease_that_an_earlier_attempt_may_have_got_is_released, 0,
                        DOUBTFUL);
    tcase_add_loop_test(
        tests, abandoned_too_a_lease_that_an_earlier_attempt_may_have_got_is_released, 0, DOUBTFUL);
}

static void add_abandoned(Suite *suite) {
    TCase *tests = new_case(suite, "abandoned", lease_fixture_tear_down);
    tcase_add_test(tests, abandoned_before_it_ends_it_is_not_answered);
    tcase_add_test(tests, abandoned_while_it_backs_off_it_never_asks_again);
    tcase_add_test(tests, abandoned_while_a_lease_is_on_its_way_back_it_does_not_ask);
    tcase_add_loop_test(tests, abandoned_while_storage_is_asked_it_leaves_nothing_behind, 0, 7);
    tcase_add_test(tests, abandoned_it_may_be_started_again_while_its_first_call_is_under_way);
    tcase_add_test(tests, an_abandoned_acquire_is_waited_for_by_the_close);
}

static void add_cancelled(Suite *suite) {
    TCase *tests = new_case(suite, "cancelled", lease_fixture_tear_down);
    tcase_add_test(tests, cancelled_while_it_backs_off_it_ends);
    tcase_add_test(tests, cancelled_while_a_lease_is_on_its_way_back_it_ends);
    tcase_add_loop_test(
        tests, cancelled_while_storage_is_asked_it_gets_what_storage_says_and_asks_no_more, 0, 2);
    tcase_add_test(
        tests,
        cancelled_for_good_while_storage_is_asked_it_ends_and_is_released_although_nobody_knows);
    tcase_add_test(tests, a_cancelled_acquire_may_be_abandoned_before_it_ends);
}

static void add_others(Suite *suite) {
    TCase *tests = new_case(suite, "breaks and close", lease_fixture_tear_down);
    tcase_add_test(tests, a_break_ends_with_what_storage_says);
    tcase_add_test(tests, a_break_that_cannot_be_started_ends_afterwards);
    tcase_add_test(tests, a_break_may_be_abandoned);
    tcase_add_test(tests, breaks_are_cancelled_now_and_later);
    tcase_add_test(tests, a_close_without_leases_ends_after_start_has_returned);
    TCase *unreleased = new_case(suite, "close without an answer", tear_down_unreleased);
    tcase_add_test(unreleased, a_close_ends_at_its_deadline_to_the_millisecond);
}

int main(void) {
    Suite *suite = suite_create("lease_manager_operations");
    add_ends(suite);
    add_doubtful(suite);
    add_abandoned(suite);
    add_cancelled(suite);
    add_others(suite);
    return check_main(suite);
}
