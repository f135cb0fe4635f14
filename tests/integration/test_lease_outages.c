/*
 * test_lease_outages.c - held leases while storage is unreachable for long or fails for many,
 * behind a fault proxy.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/fakes/lease_fixture.h"
#include "support/processes/check_main.h"
#include "support/processes/lease_steps.h"

enum { MANY = 10, MAX_REQUESTS = 64, STORM_ROUNDS = 8 };

static struct lease_handler handler;
static struct lease_observer observer[MANY];
static struct lease *leases[MANY];

static void set_up(void) {
    start_behind_proxy(&handler, 1);
}

static void tear_down(void) {
    lease_handler_stop(&handler);
    close_proxy();
}

static int64_t now_ms(void) {
    return clock_now_ms(clock_system());
}

/* --- renewals that are never answered --- */

static _Atomic int64_t told_ms; /* when the loss was told; 0: not yet */

static void on_lost(void *context, const struct leasehold_event *event) {
    (void)context;
    ck_assert_str_eq(event->lease_name, NAME);
    atomic_store(&told_ms, now_ms());
}

/* Both are in time, and neither waits for a request that hangs. */
static void expect_loss_at(struct lease *lease, int64_t safe_until_ms) {
    int64_t last_held_ms = 0;
    ck_assert_int_eq(
        lease_manager_pause(handler.manager, lease, safe_until_ms - 100 - now_ms(), &err),
        STATUS_OK);
    for (int64_t before_ms = now_ms(); lease_manager_is_held(handler.manager, lease);
         before_ms = now_ms()) {
        last_held_ms = before_ms;
    }
    int64_t not_held_ms = now_ms();
    ck_assert_int_lt(last_held_ms,
                     safe_until_ms); /* no question asked from then on was answered yes */
    ck_assert_int_ge(not_held_ms, safe_until_ms);
    while (atomic_load(&told_ms) == 0 && now_ms() < safe_until_ms + LEASE_HANDLER_PATIENCE_MS) {
    }
    ck_assert_int_ge(atomic_load(&told_ms), safe_until_ms);
    ck_assert_int_le(atomic_load(&told_ms), safe_until_ms + 100);
}

/* Those that hung arrive at storage, one and all; how they are answered there. */
static void let_arrive(int expected_status) {
    struct fault_request got[MAX_REQUESTS];
    const struct fault_rule renewals = {.lease_action = "renew"};
    size_t count = fault_proxy_requests(proxy, &renewals, got, MAX_REQUESTS);
    ck_assert_uint_le(count, MAX_REQUESTS);
    fault_proxy_let_go(proxy);
    for (size_t i = 0; i < count; i++) {
        while (got[i].status == 0) {
            fault_proxy_requests(proxy, &renewals, got, MAX_REQUESTS);
        }
        ck_assert_int_eq(got[i].status, expected_status);
    }
}

static void run_into_black_hole(enum fault_kind kind, int max_retries) {
    handler.options.renew_interval_ms = 4500;
    handler.options.renew_max_retries = max_retries;
    atomic_store(&told_ms, 0);
    int rule = fault_proxy_add(proxy, &(struct fault_rule){.lease_action = "renew", .kind = kind});
    struct leasehold_request request = {.name = NAME, .listener = {.lost = on_lost}};
    struct lease *lease = lease_handler_acquire(&handler, &request);
    expect_loss_at(lease, lease_manager_safe_until_ms(handler.manager, lease));
    ck_assert_int_eq(fault_proxy_applied(proxy, rule),
                     max_retries + 1);                            /* and all of them hang still */
    lease_witness_assert_holder(&witness, NAME, lease_id(lease)); /* storage does not know */
    lease_manager_release(handler.manager, lease);
    lease_witness_await_free(&witness, NAME);
}

START_TEST(a_renewal_that_never_reaches_storage_loses_the_lease_on_time_and_may_come_late) {
    run_into_black_hole(FAULT_HANG_BEFORE, 0);
    let_arrive(409);
    ck_assert(lease_witness_holds(&witness, NAME, LEASE_WITNESS_OUTSIDER));
}
END_TEST

START_TEST(renewals_that_storage_grants_but_never_answers_lose_the_lease_on_time) {
    run_into_black_hole(FAULT_HANG_AFTER, 2);
}
END_TEST

/* --- many leases --- */

static void name_of(int i, char out[32]) {
    snprintf(out, 32, "/lease-many-%02d", i);
}

static void acquire_many(void) {
    char name[32];
    for (int i = 0; i < MANY; i++) {
        observer[i] = (struct lease_observer)LEASE_OBSERVER_INIT;
        name_of(i, name);
        struct leasehold_request request =
            lease_observer_request(name + strlen("/lease-"), &observer[i]);
        leases[i] = lease_handler_acquire(&handler, &request);
    }
}

/* Each has been renewed so often since it was acquired, none is lost, and storage thinks so too. */
static void expect_many_held(int renewals) {
    char name[32];
    for (int i = 0; i < MANY; i++) {
        lease_observer_await(&observer[i], &observer[i].renewed, renewals);
        pthread_mutex_lock(&observer[i].lock);
        ck_assert_int_eq(observer[i].lost, 0);
        pthread_mutex_unlock(&observer[i].lock);
        ck_assert(lease_manager_is_held(handler.manager, leases[i]));
        name_of(i, name);
        lease_witness_assert_holder(&witness, name + strlen("/lease-"), lease_id(leases[i]));
        lease_manager_release(handler.manager, leases[i]);
    }
}

START_TEST(a_storm_of_503s_for_every_second_renewal_loses_nothing) {
    char name[32];
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        for (int round = 1; round <= STORM_ROUNDS;
             round++) { /* a rule sees what those before it have left over */
            fault_proxy_add(proxy, &(struct fault_rule){.lease_action = "renew",
                                                        .path_contains = name,
                                                        .skip = round,
                                                        .times = 1,
                                                        .kind = FAULT_STATUS_BEFORE,
                                                        .error_code = "ServerBusy"});
        }
    }
    acquire_many();
    expect_many_held(STORM_ROUNDS + 1);
    ck_assert_int_ge(fault_proxy_applied_kind(proxy, FAULT_STATUS_BEFORE), MANY * STORM_ROUNDS);
}
END_TEST

START_TEST(an_outage_that_is_over_before_the_retries_are_loses_nothing) {
    handler.options.renew_retry_ms = 500;
    acquire_many();
    int rule = fault_proxy_add(proxy, &(struct fault_rule){.kind = FAULT_RESET_BEFORE});
    fault_proxy_await(proxy, rule, 2 * MANY); /* about two attempts of each, of four */
    fault_proxy_clear(proxy);
    expect_many_held(2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_outages");
    TCase *tests = tcase_create("lease outages");
    tcase_add_unchecked_fixture(tests, start_azurite, release_azurite);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests,
                   a_renewal_that_never_reaches_storage_loses_the_lease_on_time_and_may_come_late);
    tcase_add_test(tests, renewals_that_storage_grants_but_never_answers_lose_the_lease_on_time);
    tcase_add_test(tests, a_storm_of_503s_for_every_second_renewal_loses_nothing);
    tcase_add_test(tests, an_outage_that_is_over_before_the_retries_are_loses_nothing);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
