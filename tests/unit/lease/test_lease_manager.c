/*
 * test_lease_manager.c - leases in hand: renewed, lost, waited with and released.
 */
#include "lease/lease_manager.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "support/fakes/lease_fixture.h"
#include "support/processes/check_main.h"

enum { MANY = 2000 };

/* ---- being renewed ---- */

START_TEST(a_lease_is_renewed_at_the_interval_and_its_owner_is_notified) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
    lease_fixture_advance(20000);
    struct fake_call call = lease_store_fake_call(lease_fixture.store, FAKE_RENEW, 0);
    ck_assert_str_eq(call.name, "a");
    ck_assert_str_eq(call.lease_id, lease_id(lease));
    ck_assert_int_eq(call.at_ms, LEASE_FIXTURE_START_MS + 20000);
    ck_assert_int_eq(call.limit_ms, 7000 / 4);
    clock_fake_advance(&lease_fixture.fake_clock, 300);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
    lease_observer_assert(&observer, 1, 0, 0);
    ck_assert_str_eq(observer.name, "a");
    ck_assert_str_eq(observer.id, lease_id(lease));
    ck_assert_int_eq(observer.last.time_ms, LEASE_FIXTURE_START_WALL_MS + 20300);
    ck_assert_int_eq(observer.last.expires_ms, LEASE_FIXTURE_START_WALL_MS + 20000 + 30000);
    ck_assert_int_eq(observer.last.renewal_count, 1);
    ck_assert_int_eq(lease_manager_renewal_count(lease_fixture.manager, lease), 1);
    ck_assert_int_eq(lease_manager_safe_until_ms(lease_fixture.manager, lease),
                     LEASE_FIXTURE_START_MS + 20000 + 27000);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(a_failed_renewal_is_notified_and_retried_and_at_last_the_lease_is_lost) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    lease_fixture.options.renew_max_retries = 1;
    lease_store_fake_script(lease_fixture.store, FAKE_RENEW, STATUS_UNAVAILABLE);
    lease_store_fake_script(lease_fixture.store, FAKE_RENEW, STATUS_UNAVAILABLE);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_fixture_advance(20000);
    lease_observer_await(&observer, &observer.failed, 1);
    ck_assert_int_eq(observer.last.attempt, 1);
    ck_assert(observer.last.will_retry);
    ck_assert_str_eq(observer.reason, "the fake says UNAVAILABLE");
    lease_fixture_advance(1000);
    lease_observer_await(&observer, &observer.failed, 2);
    ck_assert_int_eq(observer.last.attempt, 2);
    ck_assert(!observer.last.will_retry);
    lease_fixture_advance(5999);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
    lease_fixture_advance(1);
    lease_observer_await(&observer, &observer.lost, 1);
    ck_assert_int_eq(observer.last.time_ms, LEASE_FIXTURE_START_WALL_MS + 27000);
    ck_assert_int_eq(observer.last.last_renewal_ms, LEASE_FIXTURE_START_WALL_MS);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RENEW), 2);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
}
END_TEST

START_TEST(a_renewal_that_cannot_even_be_submitted_is_a_failed_one) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_store_fake_refuse(lease_fixture.store, FAKE_RENEW, STATUS_NO_MEMORY);
    lease_fixture_advance(20000);
    lease_observer_await(&observer, &observer.failed, 1);
    ck_assert_str_eq(observer.reason, status_text(STATUS_NO_MEMORY));
    lease_fixture_advance(1000);
    lease_observer_await(&observer, &observer.renewed, 1);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(an_infinite_lease_is_held_without_renewals) {
    struct lease *lease = lease_fixture_acquire(
        &(struct leasehold_request){.name = "a", .duration_s = LEASEHOLD_INFINITE});
    struct lease *mark = lease_fixture_acquire_named("b");
    lease_fixture_advance(20000);
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 1);
    ck_assert_str_eq(lease_store_fake_call(lease_fixture.store, FAKE_RENEW, 0).name, "b");
    clock_fake_advance(&lease_fixture.fake_clock, 1000000000);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
    lease_manager_release(lease_fixture.manager, mark);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
}
END_TEST

START_TEST(a_jump_of_the_wall_clock_changes_nothing) {
    struct lease *lease = lease_fixture_acquire_named("a");
    clock_fake_jump_wall(&lease_fixture.fake_clock, 86400000);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
    clock_fake_jump_wall(&lease_fixture.fake_clock, -2 * INT64_C(86400000));
    ck_assert_int_eq(lease_manager_safe_until_ms(lease_fixture.manager, lease),
                     LEASE_FIXTURE_START_MS + 27000);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(many_leases_are_renewed_in_one_go) {
    static struct lease *many[MANY];
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many-%d", i);
        many[i] = lease_fixture_acquire_named(name);
    }
    lease_fixture_advance(20000);
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, MANY);
    lease_store_fake_drain(lease_fixture.store);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(lease_manager_renewal_count(lease_fixture.manager, many[i]), 1);
        lease_manager_release(lease_fixture.manager, many[i]);
    }
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, MANY);
}
END_TEST

/* ---- being lost ---- */

START_TEST(whether_a_lease_is_held_is_a_question_to_the_clock_while_a_renewal_hangs) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
    lease_fixture_advance(20000);
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 1);
    clock_fake_advance(&lease_fixture.fake_clock, 6999);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
    clock_fake_advance(&lease_fixture.fake_clock, 1);
    ck_assert(!lease_manager_is_held(lease_fixture.manager, lease));
    ck_assert_int_eq(lease_manager_safe_until_ms(lease_fixture.manager, lease), 0);
    lease_observer_await(&observer, &observer.lost, 1);
    ck_assert_int_eq(observer.last.time_ms, LEASE_FIXTURE_START_WALL_MS + 27000);
    ck_assert_str_eq(observer.reason, "it was not renewed before its safe deadline");
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
    ck_assert(!lease_manager_is_held(lease_fixture.manager, lease));
    lease_observer_assert(&observer, 0, 0, 1);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
}
END_TEST

START_TEST(a_lease_that_storage_says_is_not_ours_is_notified_as_lost_and_not_released) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    lease_fixture_advance(20000);
    lease_observer_await(&observer, &observer.lost, 1);
    ck_assert_str_eq(observer.reason, "the fake says LEASE_LOST");
    ck_assert(!lease_manager_is_held(lease_fixture.manager, lease));
    lease_manager_release(lease_fixture.manager, lease);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000), 0);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RELEASE), 0);
}
END_TEST

static void answer_too_late(void *context) {
    (void)context;
    clock_fake_advance(&lease_fixture.fake_clock, 7000);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
}

START_TEST(a_reply_past_the_safe_deadline_is_notified_as_a_loss_with_a_reason) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
    lease_fixture_advance(20000);
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 1);
    lease_fixture_run(answer_too_late,
                      NULL); /* otherwise the loop may notice the loss first, with another reason */
    lease_observer_assert(&observer, 0, 0, 1);
    ck_assert_str_eq(observer.reason, "the reply to its renewal came after its safe deadline");
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

/* ---- being released ---- */

START_TEST(release_returns_at_once_and_is_retried_until_storage_has_confirmed) {
    struct lease *lease = lease_fixture_acquire_named("a");
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, true);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_answer(lease_fixture.store, FAKE_RELEASE, STATUS_UNAVAILABLE);
    ck_assert(lease_store_fake_is_leased(lease_fixture.store, "a"));
    lease_fixture_advance(LEASE_RELEASE_RETRY_MS);
    lease_store_fake_answer(lease_fixture.store, FAKE_RELEASE, STATUS_OK);
    ck_assert(!lease_store_fake_is_leased(lease_fixture.store, "a"));
    ck_assert_int_eq(lease_store_fake_call(lease_fixture.store, FAKE_RELEASE, 0).limit_ms,
                     LEASE_RELEASE_TIMEOUT_MS);
}
END_TEST

START_TEST(a_release_that_cannot_be_submitted_is_repeated) {
    struct lease *lease = lease_fixture_acquire_named("a");
    lease_store_fake_refuse(lease_fixture.store, FAKE_RELEASE, STATUS_NO_MEMORY);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    lease_fixture_stop_loop(); /* the failed release has ended: the retry has its time */
    lease_fixture_resume_loop();
    lease_fixture_advance(LEASE_RELEASE_RETRY_MS);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 2);
    lease_store_fake_drain(lease_fixture.store);
    ck_assert(!lease_store_fake_is_leased(lease_fixture.store, "a"));
}
END_TEST

START_TEST(releasing_nothing_is_fine) {
    lease_manager_release(lease_fixture.manager, NULL);
}
END_TEST

START_TEST(a_lease_released_while_its_renewal_is_in_flight_is_released_at_once_without_an_event) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
    lease_fixture_advance(20000);
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 1);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_LEASE_LOST);
    lease_observer_assert(&observer, 0, 0, 0);
}
END_TEST

/* With _i 1 a renewal hangs. */
START_TEST(a_loss_that_its_owner_notices_first_is_notified_when_it_releases) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
    if (_i == 1) {
        lease_fixture_advance(20000);
        lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 1);
    }
    lease_fixture_stop_loop();
    clock_fake_advance(&lease_fixture.fake_clock, _i == 1 ? 7000 : 27000);
    ck_assert(!lease_manager_is_held(lease_fixture.manager, lease));
    lease_manager_release(lease_fixture.manager, lease);
    lease_observer_assert(&observer, 0, 0, 1);
    lease_fixture_resume_loop();
    ck_assert_str_eq(observer.reason, "it was not renewed before its safe deadline");
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    if (_i == 1) {
        lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
        lease_observer_assert(&observer, 0, 0, 1);
    }
}
END_TEST

static void on_closed(void *context, int unreleased) {
    *(int *)context = unreleased;
}

/* The machine wakes up after the safe deadline, and the program's first act is to close. */
static void wake_up_and_close(void *unreleased) {
    clock_fake_advance(&lease_fixture.fake_clock, 27000);
    lease_manager_close_start(lease_fixture.manager, lease_fixture_now_ms() + 1000, on_closed,
                              unreleased);
}

START_TEST(losses_that_close_is_the_first_to_notice_are_notified) {
    struct lease_observer observers[] = {LEASE_OBSERVER_INIT, LEASE_OBSERVER_INIT};
    struct leasehold_request requests[] = {lease_observer_request("a", &observers[0]),
                                           lease_observer_request("b", &observers[1])};
    int unreleased = -1;
    struct lease *first = lease_fixture_acquire(&requests[0]);
    observers[0].release = first; /* inside its event */
    struct lease *second = lease_fixture_acquire(&requests[1]);
    lease_fixture_run(wake_up_and_close, &unreleased);
    lease_fixture_settle();
    lease_observer_assert(&observers[0], 0, 0, 1);
    lease_observer_assert(&observers[1], 0, 0, 1);
    ck_assert_int_eq(unreleased, 0);
    lease_manager_release(lease_fixture.manager, second);
}
END_TEST

/* Storage is out for longer than its release is retried. It is held for ever then. */
START_TEST(close_counts_a_lease_without_an_end_whose_release_was_given_up) {
    struct lease *lease = lease_fixture_acquire(
        &(struct leasehold_request){.name = "a", .duration_s = LEASEHOLD_INFINITE});
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, true);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    lease_fixture_advance(LEASE_RELEASE_INFINITE_MS);
    lease_store_fake_answer(lease_fixture.store, FAKE_RELEASE, STATUS_UNAVAILABLE);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000), 1);
    ck_assert(lease_store_fake_is_leased(lease_fixture.store, "a"));
}
END_TEST

START_TEST(a_lease_released_in_time_is_not_notified_as_lost) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_fixture_acquire(&request);
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
    clock_fake_advance(&lease_fixture.fake_clock, 26999);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    lease_observer_assert(&observer, 0, 0, 0);
}
END_TEST

START_TEST(a_lease_may_be_released_from_inside_each_of_its_events) {
    static const enum status answers[] = {STATUS_OK, STATUS_UNAVAILABLE, STATUS_LEASE_LOST};
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    observer.release = lease_fixture_acquire(&request);
    lease_store_fake_script(lease_fixture.store, FAKE_RENEW, answers[_i]);
    lease_fixture_advance(20000);
    lease_observer_await(&observer,
                         answers[_i] == STATUS_OK           ? &observer.renewed
                         : answers[_i] == STATUS_LEASE_LOST ? &observer.lost
                                                            : &observer.failed,
                         1);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000), 0);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RELEASE),
                      answers[_i] == STATUS_LEASE_LOST ? 0 : 1);
}
END_TEST

/* ---- waiting with a lease in hand ---- */

struct waiting {
    pthread_t thread;
    struct lease *lease;
    int64_t duration_ms;
    atomic_bool begun;
    enum status status;
};

static void *wait_there(void *context) {
    struct waiting *waiting = context;
    atomic_store(&waiting->begun, true);
    waiting->status =
        lease_manager_pause(lease_fixture.manager, waiting->lease, waiting->duration_ms, NULL);
    return NULL;
}

static void begin_wait(struct waiting *waiting, struct lease *lease, int64_t duration_ms) {
    waiting->lease = lease;
    waiting->duration_ms = duration_ms;
    atomic_init(&waiting->begun, false);
    ck_assert_int_eq(pthread_create(&waiting->thread, NULL, wait_there, waiting), 0);
}

static enum status end_wait(struct waiting *waiting) {
    pthread_join(waiting->thread, NULL);
    return waiting->status;
}

START_TEST(a_wait_ends_when_its_time_is_over) {
    struct lease *lease = lease_fixture_acquire(
        &(struct leasehold_request){.name = "a", .duration_s = LEASEHOLD_INFINITE});
    struct waiting waiting;
    begin_wait(&waiting, lease, 5000);
    while (pthread_tryjoin_np(waiting.thread, NULL) !=
           0) { /* the loop reads the clock when it gets to the wait */
        clock_fake_advance(&lease_fixture.fake_clock, 1000);
    }
    ck_assert_int_eq(waiting.status, STATUS_OK);
    ck_assert_int_eq(lease_manager_pause(lease_fixture.manager, lease, 0, NULL), STATUS_OK);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(a_wait_lasts_as_long_as_was_asked) {
    struct lease *lease = lease_fixture_acquire_named("a");
    int64_t begun_ms = lease_fixture_now_ms();
    ck_assert_int_eq(lease_manager_pause(lease_fixture.manager, lease, 300, NULL), STATUS_OK);
    ck_assert_int_ge(lease_fixture_now_ms(), begun_ms + 300);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(a_wait_ends_when_the_lease_is_lost) {
    struct lease *lease = lease_fixture_acquire_named("a");
    lease_store_fake_script(lease_fixture.store, FAKE_RENEW, STATUS_LEASE_LOST);
    struct waiting waiting;
    begin_wait(&waiting, lease, 25000);
    lease_fixture_advance(20000);
    ck_assert_int_eq(end_wait(&waiting), STATUS_LEASE_LOST);
    ck_assert_int_eq(lease_fixture_now_ms(), LEASE_FIXTURE_START_MS + 20000);
    ck_assert_int_eq(lease_manager_pause(lease_fixture.manager, lease, 1000, NULL),
                     STATUS_LEASE_LOST);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(a_wait_ends_at_the_safe_deadline_whatever_requests_do) {
    struct lease *lease = lease_fixture_acquire_named("a");
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
    struct waiting waiting;
    begin_wait(&waiting, lease, 100000);
    clock_fake_advance(&lease_fixture.fake_clock,
                       27000); /* the transport is not woken; the waiter reads the clock itself */
    ck_assert_int_eq(end_wait(&waiting), STATUS_LEASE_LOST);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(waits_are_cancelled_now_and_later) {
    struct lease *lease = lease_fixture_acquire_named("a");
    struct waiting waiting;
    begin_wait(&waiting, lease, 25000);
    lease_manager_cancel_waits(lease_fixture.manager);
    ck_assert_int_eq(end_wait(&waiting), STATUS_CANCELLED);
    ck_assert_int_eq(lease_manager_pause(lease_fixture.manager, lease, 1, NULL), STATUS_CANCELLED);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name, SFun before) {
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, before, lease_fixture_tear_down);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_keeping(Suite *suite) {
    TCase *tests = new_case(suite, "keeping", lease_fixture_set_up);
    tcase_add_test(tests, a_lease_is_renewed_at_the_interval_and_its_owner_is_notified);
    tcase_add_test(tests, a_failed_renewal_is_notified_and_retried_and_at_last_the_lease_is_lost);
    tcase_add_test(tests, a_renewal_that_cannot_even_be_submitted_is_a_failed_one);
    tcase_add_test(tests, an_infinite_lease_is_held_without_renewals);
    tcase_add_test(tests, a_jump_of_the_wall_clock_changes_nothing);
    tcase_add_test(tests, many_leases_are_renewed_in_one_go);
    tcase_add_test(tests, whether_a_lease_is_held_is_a_question_to_the_clock_while_a_renewal_hangs);
    tcase_add_test(tests,
                   a_lease_that_storage_says_is_not_ours_is_notified_as_lost_and_not_released);
    tcase_add_test(tests, a_reply_past_the_safe_deadline_is_notified_as_a_loss_with_a_reason);
    tcase_add_test(tests, release_returns_at_once_and_is_retried_until_storage_has_confirmed);
    tcase_add_test(tests, a_release_that_cannot_be_submitted_is_repeated);
    tcase_add_test(tests, releasing_nothing_is_fine);
    tcase_add_test(
        tests,
        a_lease_released_while_its_renewal_is_in_flight_is_released_at_once_without_an_event);
    tcase_add_loop_test(tests, a_loss_that_its_owner_notices_first_is_notified_when_it_releases, 0,
                        2);
    tcase_add_test(tests, losses_that_close_is_the_first_to_notice_are_notified);
    tcase_add_test(tests, close_counts_a_lease_without_an_end_whose_release_was_given_up);
    tcase_add_test(tests, a_lease_released_in_time_is_not_notified_as_lost);
    tcase_add_loop_test(tests, a_lease_may_be_released_from_inside_each_of_its_events, 0, 3);
    tcase_add_test(tests, a_wait_ends_when_its_time_is_over);
    tcase_add_test(tests, a_wait_ends_when_the_lease_is_lost);
    tcase_add_test(tests, a_wait_ends_at_the_safe_deadline_whatever_requests_do);
    tcase_add_test(tests, waits_are_cancelled_now_and_later);
}

int main(void) {
    Suite *suite = suite_create("lease_manager");
    add_keeping(suite);
    TCase *real = new_case(suite, "in real time", lease_fixture_set_up_in_real_time);
    tcase_add_test(real, a_wait_lasts_as_long_as_was_asked);
    return check_main(suite);
}
