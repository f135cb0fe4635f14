/*
 * test_lease_manager_extend.c - the gate before a step that rests on a lease. Either enough time is
 * left, or the lease is renewed first.
 *
 * A lease is safe for 27 s. A test asks for NEEDED_MS when 4 s are left.
 */
#include "lease/lease_manager.h"

#include <pthread.h>

#include "support/fakes/lease_fixture.h"
#include "support/processes/check_main.h"

enum { NEEDED_MS = 5000, SAFE_MS = 27000, LATE_MS = 23000 };

/* The gate on a thread of its own. */
struct gate {
    pthread_t thread;
    struct lease *lease;
    int64_t needed_ms;
    int64_t safe_until_ms;
    enum status status;
};

static struct lease *lease;
static struct gate gate;

static void *enter_there(void *context) {
    struct gate *entered = context;
    entered->status = lease_manager_extend_for(lease_fixture.manager, entered->lease,
                                               entered->needed_ms, &entered->safe_until_ms, NULL);
    return NULL;
}

static void enter(void) {
    gate = (struct gate){.lease = lease, .needed_ms = NEEDED_MS};
    ck_assert_int_eq(pthread_create(&gate.thread, NULL, enter_there, &gate), 0);
}

static void assert_left_with(enum status expected) {
    pthread_join(gate.thread, NULL);
    ck_assert_int_eq(gate.status, expected);
}

/* No renewal is automatic, so the gate has requested each one that is seen. */
static void set_up(void) {
    lease_fixture_set_up();
    lease_fixture.options.auto_renew = false;
    lease = lease_fixture_acquire_named("a");
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
}

static void tear_down(void) {
    lease_manager_release(lease_fixture.manager, lease);
    lease_fixture_tear_down();
}

static void become_late(void) {
    lease_fixture_advance(LATE_MS);
    enter();
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 1);
}

START_TEST(with_enough_left_nothing_is_sent) {
    clock_fake_advance(&lease_fixture.fake_clock, SAFE_MS - NEEDED_MS);
    enter();
    assert_left_with(STATUS_OK);
    ck_assert_int_eq(gate.safe_until_ms, LEASE_FIXTURE_START_MS + SAFE_MS);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RENEW), 0);
}
END_TEST

START_TEST(with_one_millisecond_too_little_it_is_renewed_first) {
    clock_fake_advance(&lease_fixture.fake_clock, SAFE_MS - NEEDED_MS + 1);
    enter();
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
    assert_left_with(STATUS_OK);
    ck_assert_int_eq(gate.safe_until_ms, lease_fixture_now_ms() + SAFE_MS);
    ck_assert_int_eq(lease_manager_renewal_count(lease_fixture.manager, lease), 1);
}
END_TEST

START_TEST(a_failed_attempt_is_repeated_while_the_gate_waits) {
    become_late();
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_UNAVAILABLE);
    lease_fixture_advance(1000);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
    assert_left_with(STATUS_OK);
}
END_TEST

START_TEST(a_lease_that_storage_says_is_not_ours_is_lost) {
    become_late();
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_LEASE_LOST);
    assert_left_with(STATUS_LEASE_LOST);
}
END_TEST

START_TEST(when_the_attempts_are_used_up_the_step_does_not_begin_although_the_lease_is_held) {
    lease_fixture.options.renew_max_retries = 0;
    become_late();
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_UNAVAILABLE);
    assert_left_with(STATUS_LEASE_LOST);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
}
END_TEST

START_TEST(a_renewal_that_took_too_long_does_not_let_the_step_begin) {
    lease_fixture.options.auto_renew =
        true; /* the next renewal is due, but too late for this step */
    lease_fixture.options.safety_threshold = 6.0 / 30;
    lease_fixture.options.renew_interval_ms = 5000;
    clock_fake_advance(&lease_fixture.fake_clock, 1001);
    enter();
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 1);
    clock_fake_advance(&lease_fixture.fake_clock, 1001);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
    assert_left_with(STATUS_LEASE_LOST);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
}
END_TEST

START_TEST(the_gate_opens_at_the_safe_deadline_at_the_latest_while_the_renewal_hangs) {
    become_late();
    clock_fake_advance(&lease_fixture.fake_clock, SAFE_MS - LATE_MS);
    assert_left_with(STATUS_LEASE_LOST);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
}
END_TEST

START_TEST(stopping_opens_the_gate) {
    become_late();
    lease_manager_cancel_waits(lease_fixture.manager);
    assert_left_with(STATUS_CANCELLED);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
}
END_TEST

START_TEST(two_that_wait_at_the_gate_share_one_renewal) {
    become_late();
    struct gate other = {.lease = lease, .needed_ms = NEEDED_MS};
    ck_assert_int_eq(pthread_create(&other.thread, NULL, enter_there, &other), 0);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK);
    assert_left_with(STATUS_OK);
    pthread_join(other.thread, NULL);
    ck_assert_int_eq(other.status, STATUS_OK);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RENEW), 1);
}
END_TEST

START_TEST(an_infinite_lease_always_has_enough_left) {
    struct lease *infinite = lease_fixture_acquire(
        &(struct leasehold_request){.name = "b", .duration_s = LEASEHOLD_INFINITE});
    int64_t safe_until_ms = 0;
    ck_assert_int_eq(lease_manager_extend_for(lease_fixture.manager, infinite, INT64_C(1) << 40,
                                              &safe_until_ms, NULL),
                     STATUS_OK);
    ck_assert_int_eq(safe_until_ms, INT64_MAX);
    lease_manager_release(lease_fixture.manager, infinite);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_manager_extend_for");
    TCase *tests = tcase_create("the gate");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, with_enough_left_nothing_is_sent);
    tcase_add_test(tests, with_one_millisecond_too_little_it_is_renewed_first);
    tcase_add_test(tests, a_failed_attempt_is_repeated_while_the_gate_waits);
    tcase_add_test(tests, a_lease_that_storage_says_is_not_ours_is_lost);
    tcase_add_test(
        tests, when_the_attempts_are_used_up_the_step_does_not_begin_although_the_lease_is_held);
    tcase_add_test(tests, a_renewal_that_took_too_long_does_not_let_the_step_begin);
    tcase_add_test(tests,
                   the_gate_opens_at_the_safe_deadline_at_the_latest_while_the_renewal_hangs);
    tcase_add_test(tests, stopping_opens_the_gate);
    tcase_add_test(tests, two_that_wait_at_the_gate_share_one_renewal);
    tcase_add_test(tests, an_infinite_lease_always_has_enough_left);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
