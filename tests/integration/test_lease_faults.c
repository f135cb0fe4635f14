/*
 * test_lease_faults.c - each lease operation with each fault of the network, against real storage
 * behind a fault proxy.
 *
 * Each case disturbs the first request of one kind, and then asks storage directly, past the proxy,
 * what has become of it.
 */
#include <stdio.h>
#include <string.h>

#include "support/fakes/lease_fixture.h"
#include "support/processes/check_main.h"
#include "support/processes/lease_steps.h"

enum { DELAY_MS = 200, RETRY_AFTER_S = 1, MAX_REQUESTS = 64, ACTIONS = 4 };

struct fault {
    enum fault_kind kind;
    int status;
    const char *code;
};

/* Those that take the client's patience come last. */
static const struct fault faults[] = {
    {FAULT_NONE, 0, NULL},
    {FAULT_DELAY_REQUEST, 0, NULL},
    {FAULT_DELAY_ANSWER, 0, NULL},
    {FAULT_CLOSE_LATER, 0, NULL},
    {FAULT_TWICE, 0, NULL},
    {FAULT_WRONG_DATE, 0, NULL},
    {FAULT_NO_DATE, 0, NULL},
    {FAULT_STATUS_BEFORE, 408, NULL},
    {FAULT_STATUS_BEFORE, 429, NULL},
    {FAULT_STATUS_BEFORE, 500, "InternalError"},
    {FAULT_STATUS_BEFORE, 503, "ServerBusy"},
    {FAULT_STATUS_AFTER, 500, "OperationTimedOut"},
    {FAULT_STATUS_AFTER, 503, "ServerBusy"},
    {FAULT_RESET_BEFORE, 0, NULL},
    {FAULT_RESET_AFTER, 0, NULL},
    {FAULT_CLOSE_BEFORE, 0, NULL},
    {FAULT_CLOSE_AFTER, 0, NULL},
    {FAULT_TRUNCATE, 0, NULL},
    {FAULT_HANG_BEFORE, 0, NULL},
    {FAULT_HANG_AFTER, 0, NULL},
};

enum { FAULTS = sizeof faults / sizeof *faults, QUICK_FAULTS = FAULTS - 2 };

static struct lease_handler handler;
static bool handler_runs;
static struct lease_observer observer;

static void set_up(void) {
    start_behind_proxy(&handler, 1);
    handler_runs = true;
    observer = (struct lease_observer)LEASE_OBSERVER_INIT;
}

/* Every release has been answered when it returns. */
static void stop_handler(void) {
    if (handler_runs) {
        lease_handler_stop(&handler);
        handler_runs = false;
    }
}

static void tear_down(void) {
    stop_handler();
    close_proxy();
}

static struct lease *acquire(void) {
    struct leasehold_request request = lease_observer_request(NAME, &observer);
    return lease_handler_acquire(&handler, &request);
}

/* Lets the fault befall the first request that is as `which` says. */
static void inject(const struct fault *fault, struct fault_rule which) {
    which.kind = fault->kind;
    which.status = fault->status;
    which.error_code = fault->code;
    which.delay_ms = DELAY_MS;
    which.times = 1;
    fault_proxy_add(proxy, &which);
}

/* Whether the client gets storage's answer all the same. */
static bool is_answered(const struct fault *fault) {
    return fault->kind == FAULT_NONE || fault->kind == FAULT_DELAY_REQUEST ||
           fault->kind == FAULT_DELAY_ANSWER || fault->kind == FAULT_CLOSE_LATER ||
           fault->kind == FAULT_TWICE || fault->kind == FAULT_WRONG_DATE ||
           fault->kind == FAULT_NO_DATE;
}

/* There has been one such request, and a second if the first had no good answer. */
static void expect_requests(const struct fault *fault, const struct fault_rule *which) {
    struct fault_request got[MAX_REQUESTS];
    ck_assert_uint_eq(fault_proxy_requests(proxy, which, got, MAX_REQUESTS),
                      is_answered(fault) ? 1 : 2);
    ck_assert_int_eq((int)got[0].fault, (int)fault->kind);
}

/* Whatever hangs on its way to storage arrives there, long after its sender has given up on it. */
static void let_arrive(const struct fault_rule *which) {
    struct fault_request got[MAX_REQUESTS];
    fault_proxy_let_go(proxy);
    ck_assert_uint_gt(fault_proxy_requests(proxy, which, got, MAX_REQUESTS), 0);
    while (got[0].fault == FAULT_HANG_BEFORE && got[0].status == 0) {
        fault_proxy_requests(proxy, which, got, MAX_REQUESTS);
    }
}

static void expect_heard(int failed, int lost) {
    pthread_mutex_lock(&observer.lock);
    ck_assert_int_eq(observer.failed, failed);
    ck_assert_int_eq(observer.lost, lost);
    pthread_mutex_unlock(&observer.lock);
}

/* --- every operation with every fault --- */

START_TEST(an_acquire_has_the_lease_once_and_under_its_own_id) {
    const struct fault *fault = &faults[_i];
    const struct fault_rule acquires = {.lease_action = "acquire"};
    lease_witness_prepare(&witness, NAME);
    inject(fault, acquires);
    struct lease *lease = acquire();
    ck_assert(lease_manager_is_held(handler.manager, lease));
    lease_witness_assert_holder(&witness, NAME, lease_id(lease));
    expect_requests(fault, &acquires);
    lease_manager_release(handler.manager, lease);
    lease_witness_await_free(&witness, NAME);
}
END_TEST

static const struct fault_rule creations[] = {
    {.method = "PUT", .query_contains = "restype=container"},
    {.method = "PUT", .path_contains = "/lease-", .lease_action = ""}};

START_TEST(what_is_missing_is_created_for_an_acquire) {
    const struct fault *fault = &faults[_i / 2];
    inject(fault, creations[_i % 2]);
    struct lease *lease = acquire();
    lease_witness_assert_holder(&witness, NAME, lease_id(lease));
    lease_witness_assert_metadata(&witness, NAME);
    expect_requests(fault, &creations[_i % 2]);
    lease_manager_release(handler.manager, lease);
}
END_TEST

START_TEST(a_renewal_is_tried_again_and_the_lease_kept) {
    const struct fault *fault = &faults[_i];
    inject(fault, (struct fault_rule){.lease_action = "renew"});
    struct lease *lease = acquire();
    int64_t safe_until_ms = lease_manager_safe_until_ms(handler.manager, lease);
    lease_observer_await(&observer, &observer.renewed, 1);
    expect_heard(is_answered(fault) ? 0 : 1, 0);
    ck_assert(lease_manager_is_held(handler.manager, lease));
    ck_assert_int_gt(lease_manager_safe_until_ms(handler.manager, lease), safe_until_ms);
    lease_witness_assert_holder(&witness, NAME, lease_id(lease));
    lease_manager_release(handler.manager, lease);
    lease_witness_await_free(&witness, NAME);
}
END_TEST

START_TEST(a_release_is_repeated_until_storage_knows_and_harms_nobody) {
    const struct fault *fault = &faults[_i];
    const struct fault_rule releases = {.lease_action = "release"};
    struct lease *lease = acquire();
    inject(fault, releases);
    lease_manager_release(handler.manager, lease);
    lease_witness_await_free(&witness, NAME);
    stop_handler();
    expect_requests(fault, &releases);
    let_arrive(&releases);
    ck_assert(lease_witness_holds(&witness, NAME, LEASE_WITNESS_OUTSIDER));
}
END_TEST

START_TEST(a_break_ends_the_lease_and_says_so) {
    const struct fault *fault = &faults[_i];
    const struct fault_rule breaks = {.lease_action = "break"};
    lease_witness_prepare(&witness, NAME);
    lease_witness_take(&witness, NAME);
    inject(fault, breaks);
    ck_assert_int_eq(lease_manager_break(handler.manager, NAME, &err), STATUS_OK);
    ck_assert(!lease_witness_holds(&witness, NAME, LEASE_WITNESS_OUTSIDER));
    expect_requests(fault, &breaks);
    struct lease *lease = acquire();
    lease_witness_assert_holder(&witness, NAME, lease_id(lease));
    lease_manager_release(handler.manager, lease);
}
END_TEST

START_TEST(connections_that_were_closed_while_idle_cost_nothing) {
    struct lease *lease = acquire();
    while (fault_proxy_close_idle(proxy) ==
           0) { /* the answer is here a little before the connection is idle */
    }
    lease_observer_await(&observer, &observer.renewed, 1);
    while (fault_proxy_close_idle(proxy) == 0) {
    }
    lease_observer_await(&observer, &observer.renewed, 2);
    expect_heard(0, 0);
    lease_manager_release(handler.manager, lease);
}
END_TEST

/* --- when storage asks for time --- */

static const char *const actions[ACTIONS] = {"acquire", "renew", "release", "break"};

/* Makes the handler do one of each; every request has been answered in the end. */
static void do_everything(void) {
    struct lease *lease = acquire();
    lease_observer_await(&observer, &observer.renewed, 1);
    lease_manager_release(handler.manager, lease);
    lease_witness_await_free(&witness, NAME);
    ck_assert_int_eq(lease_manager_break(handler.manager, NAME, &err), STATUS_OK);
    stop_handler();
}

START_TEST(nothing_is_repeated_before_retry_after_is_over) {
    struct fault_rule which = {.lease_action = actions[_i], .retry_after_s = RETRY_AFTER_S};
    const struct fault fault = {FAULT_STATUS_BEFORE, _i % 2 == 0 ? 503 : 429, "ServerBusy"};
    struct fault_request got[MAX_REQUESTS];
    lease_witness_prepare(&witness, NAME);
    inject(&fault, which);
    do_everything();
    ck_assert_uint_ge(fault_proxy_requests(proxy, &which, got, MAX_REQUESTS), 2);
    ck_assert_int_ge(got[1].arrived_ms - got[0].arrived_ms, RETRY_AFTER_S * 1000);
}
END_TEST

/* --- when storage refuses --- */

static const int refusals[] = {401, 403};

START_TEST(a_renewal_that_is_refused_once_is_tried_again) {
    const struct fault fault = {FAULT_STATUS_BEFORE, refusals[_i], "AuthenticationFailed"};
    inject(&fault, (struct fault_rule){.lease_action = "renew"});
    struct lease *lease = acquire();
    lease_observer_await(&observer, &observer.renewed, 2);
    expect_heard(1, 0);
    lease_witness_assert_holder(&witness, NAME, lease_id(lease));
    lease_manager_release(handler.manager, lease);
}
END_TEST

START_TEST(an_acquire_that_is_refused_is_an_error_at_once) {
    struct fault_rule rule = {.lease_action = "acquire",
                              .kind = FAULT_STATUS_BEFORE,
                              .status = refusals[_i],
                              .error_code = "AuthenticationFailed"};
    struct fault_request got[MAX_REQUESTS];
    struct lease *lease = NULL;
    lease_witness_prepare(&witness, NAME);
    fault_proxy_add(proxy, &rule);
    ck_assert_int_eq(lease_manager_acquire(handler.manager,
                                           &(struct leasehold_request){.name = NAME}, &lease, &err),
                     STATUS_UNAUTHORIZED);
    ck_assert_ptr_null(lease);
    ck_assert_int_eq(err.http_status, refusals[_i]);
    ck_assert_str_eq(err.code, "AuthenticationFailed");
    ck_assert_uint_eq(fault_proxy_requests(proxy, &rule, got, MAX_REQUESTS), 1);
    ck_assert(lease_witness_try_take(&witness, NAME));
}
END_TEST

/* The handler's lease lasts 30 s: somebody who gets it within 10 has been left it. */
START_TEST(a_lease_granted_in_an_answer_that_was_lost_is_released_when_the_repeat_is_refused) {
    struct lease *lease = NULL;
    lease_witness_prepare(&witness, NAME);
    inject(&(struct fault){FAULT_CLOSE_AFTER, 0, NULL},
           (struct fault_rule){.lease_action = "acquire"});
    inject(&(struct fault){FAULT_STATUS_BEFORE, refusals[_i], "AuthorizationPermissionMismatch"},
           (struct fault_rule){.lease_action = "acquire"});
    ck_assert_int_eq(lease_manager_acquire(handler.manager,
                                           &(struct leasehold_request){.name = NAME}, &lease, &err),
                     STATUS_UNAUTHORIZED);
    lease_witness_await_free(&witness, NAME);
}
END_TEST

static TCase *make_case(Suite *suite, const char *name) {
    TCase *tests = tcase_create(name);
    tcase_add_unchecked_fixture(tests, start_azurite, release_azurite);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("lease_faults");
    TCase *tests = make_case(suite, "lease faults");
    tcase_add_loop_test(tests, an_acquire_has_the_lease_once_and_under_its_own_id, 0, FAULTS);
    tcase_add_loop_test(tests, what_is_missing_is_created_for_an_acquire, 0, QUICK_FAULTS * 2);
    tcase_add_loop_test(tests, a_renewal_is_tried_again_and_the_lease_kept, 0, FAULTS);
    tcase_add_loop_test(tests, a_release_is_repeated_until_storage_knows_and_harms_nobody, 0,
                        FAULTS);
    tcase_add_loop_test(tests, a_break_ends_the_lease_and_says_so, 0, FAULTS);
    tcase_add_test(tests, connections_that_were_closed_while_idle_cost_nothing);
    tcase_add_loop_test(tests, nothing_is_repeated_before_retry_after_is_over, 0, ACTIONS);
    tcase_add_loop_test(tests, a_renewal_that_is_refused_once_is_tried_again, 0, 2);
    tcase_add_loop_test(
        tests, a_lease_granted_in_an_answer_that_was_lost_is_released_when_the_repeat_is_refused, 0,
        2);
    tcase_add_loop_test(tests, an_acquire_that_is_refused_is_an_error_at_once, 0, 2);
    return check_main(suite);
}
