/*
 * test_leases.c - handlers that share leases through real storage. Each has its own connection,
 * store and manager.
 *
 * Leases last 15 s and are renewed every 750 ms, so that renewals come soon.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "lease/lease_options.h"
#include "support/calls/lease_witness.h"
#include "support/fakes/lease_fixture.h"
#include "support/processes/azurite_steps.h"
#include "support/processes/check_main.h"
#include "support/processes/lease_handler.h"

enum { MANY = 40 };

static char container[STORAGE_UNIQUE_NAME_BYTES];
static struct lease_handler first;
static struct lease_handler second;
static struct error err;

static int64_t in_ms(int64_t ms) {
    return clock_now_ms(clock_system()) + ms;
}

/* What lease_handler.h sets for tests of faults is the product's default here. */
static void start_handler(struct lease_handler *handler) {
    const struct leasehold_options usual = lease_options_default();
    lease_handler_start(handler, azurite.connection_string, container);
    handler->options.renew_interval_ms = 750;
    handler->options.renew_retry_ms = usual.renew_retry_ms;
    handler->options.safety_threshold = usual.safety_threshold;
}

static void set_up(void) {
    storage_unique_name(container);
    start_handler(&first);
    start_handler(&second);
}

static void tear_down(void) {
    lease_handler_stop(&first);
    lease_handler_stop(&second);
}

static struct lease *acquire_named(struct lease_handler *handler, const char *name) {
    return lease_handler_acquire(handler, &(struct leasehold_request){.name = name});
}

static enum status try_once(struct lease_handler *handler, const char *name) {
    struct lease *lease = NULL;
    enum status status = lease_manager_acquire(
        handler->manager, &(struct leasehold_request){.name = name, .try_once = true}, &lease,
        &err);
    lease_manager_release(handler->manager, lease);
    return status;
}

/* --- acquiring --- */

START_TEST(the_first_acquire_creates_container_and_blob_with_metadata) {
    struct lease_witness witness;
    struct lease *lease = acquire_named(&first, "inventory-PROD-001");
    lease_witness_open(&witness, azurite.connection_string, container);
    lease_witness_assert_metadata(&witness, "inventory-PROD-001");
    lease_witness_close(&witness);
    lease_manager_release(first.manager, lease);
}
END_TEST

START_TEST(an_acquire_that_finds_everything_in_place_costs_one_request) {
    lease_manager_release(second.manager, acquire_named(&second, "a"));
    ck_assert_int_eq(lease_manager_close(second.manager, in_ms(LEASE_HANDLER_PATIENCE_MS)), 0);
    first.options.renew_interval_ms = 12000; /* no renewal in between */
    size_t mark = azurite_mark(&azurite);
    struct lease *lease = acquire_named(&first, "a");
    char *requests = azurite_requests_since(&azurite, mark);
    ck_assert_msg(azurite_request_count(&azurite, mark) == 1, "%s", requests);
    free(requests);
    lease_manager_release(first.manager, lease);
}
END_TEST

START_TEST(another_handler_does_not_get_a_lease_that_is_held) {
    struct lease *lease = acquire_named(&first, "a");
    second.options.acquire_timeout_ms = 300;
    struct lease *none = NULL;
    int64_t begun_ms = in_ms(0);
    ck_assert_int_eq(lease_manager_acquire(second.manager, &(struct leasehold_request){.name = "a"},
                                           &none, &err),
                     STATUS_LEASE_CONFLICT);
    ck_assert_int_ge(in_ms(0), begun_ms + 300);
    ck_assert_ptr_null(none);
    ck_assert(lease_manager_is_held(first.manager, lease));
    lease_manager_release(first.manager, lease);
}
END_TEST

static void *acquire_second(void *context) {
    *(struct lease **)context = acquire_named(&second, "a");
    return NULL;
}

START_TEST(another_handler_that_waits_gets_the_lease_soon_after_its_release) {
    struct lease *lease = acquire_named(&first, "a");
    struct lease *waited_for = NULL;
    pthread_t thread;
    size_t mark = azurite_mark(&azurite);
    ck_assert_int_eq(pthread_create(&thread, NULL, acquire_second, &waited_for), 0);
    while (azurite_request_count(&azurite, mark) == 0) { /* it has been sent away once */
        sched_yield();
    }
    int64_t released_ms = in_ms(0);
    lease_manager_release(first.manager, lease);
    pthread_join(thread, NULL);
    ck_assert_int_lt(in_ms(0), released_ms + 5000); /* it did not wait until the lease ran out */
    ck_assert(lease_manager_is_held(second.manager, waited_for));
    lease_manager_release(second.manager, waited_for);
}
END_TEST

/* --- keeping --- */

START_TEST(a_lease_is_renewed_again_and_again) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_handler_acquire(&first, &request);
    int64_t safe_until_ms = lease_manager_safe_until_ms(first.manager, lease);
    lease_observer_await(&observer, &observer.renewed, 3);
    ck_assert_int_ge(lease_manager_renewal_count(first.manager, lease), 3);
    ck_assert_int_ge(lease_manager_safe_until_ms(first.manager, lease), safe_until_ms + 2250);
    ck_assert_int_gt(observer.last.expires_ms, clock_wall_ms(clock_system()));
    ck_assert_int_eq(try_once(&second, "a"), STATUS_LEASE_CONFLICT);
    lease_manager_release(first.manager, lease);
}
END_TEST

START_TEST(many_leases_are_renewed_side_by_side) {
    static struct lease_observer observer[MANY];
    struct lease *leases[MANY];
    char name[32];
    for (int i = 0; i < MANY; i++) {
        observer[i] = (struct lease_observer)LEASE_OBSERVER_INIT;
        snprintf(name, sizeof name, "many-%d", i);
        struct leasehold_request request = lease_observer_request(name, &observer[i]);
        leases[i] = lease_handler_acquire(&first, &request);
    }
    for (int i = 0; i < MANY; i++) {
        lease_observer_await(&observer[i], &observer[i].renewed, 2);
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert(lease_manager_is_held(first.manager, leases[i]));
        lease_manager_release(first.manager, leases[i]);
    }
}
END_TEST

START_TEST(a_lease_that_an_operator_breaks_is_told_lost) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    struct lease *lease = lease_handler_acquire(&first, &request);
    ck_assert_int_eq(lease_manager_break(second.manager, "a", &err), STATUS_OK);
    lease_observer_await(&observer, &observer.lost, 1);
    ck_assert_str_ne(observer.reason, "");
    ck_assert(!lease_manager_is_held(first.manager, lease));
    ck_assert_int_eq(lease_manager_pause(first.manager, lease, 1000, &err), STATUS_LEASE_LOST);
    lease_manager_release(first.manager, lease);
    ck_assert_int_eq(lease_manager_break(second.manager, "unheard-of", &err), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_former_holder_cannot_take_the_lease_from_the_next) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("a", &observer);
    first.options.auto_renew = false; /* so that it does not notice */
    struct lease *stale = acquire_named(&first, "a");
    ck_assert_int_eq(lease_manager_break(second.manager, "a", &err), STATUS_OK);
    struct lease *lease = lease_handler_acquire(&second, &request);
    lease_manager_release(first.manager, stale);
    ck_assert_int_eq(lease_manager_close(first.manager, in_ms(LEASE_HANDLER_PATIENCE_MS)), 0);
    lease_observer_await(&observer, &observer.renewed, 2);
    ck_assert(lease_manager_is_held(second.manager, lease));
    lease_manager_release(second.manager, lease);
}
END_TEST

START_TEST(an_infinite_lease_is_held_until_it_is_released) {
    struct lease *lease = lease_handler_acquire(
        &first, &(struct leasehold_request){.name = "a", .duration_s = LEASEHOLD_INFINITE});
    ck_assert_int_eq(try_once(&second, "a"), STATUS_LEASE_CONFLICT);
    lease_manager_release(first.manager, lease);
    lease_manager_release(second.manager, acquire_named(&second, "a"));
}
END_TEST

START_TEST(closing_gives_every_lease_back) {
    struct lease *leases[MANY];
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "held-%d", i);
        leases[i] = acquire_named(&first, name);
    }
    ck_assert_int_eq(lease_manager_close(first.manager, in_ms(LEASE_HANDLER_PATIENCE_MS)), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "held-%d", i);
        ck_assert_int_eq(try_once(&second, name), STATUS_OK);
        lease_manager_release(first.manager, leases[i]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("leases");
    TCase *tests = tcase_create("two handlers");
    tcase_add_unchecked_fixture(tests, start_azurite, release_azurite);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_first_acquire_creates_container_and_blob_with_metadata);
    tcase_add_test(tests, an_acquire_that_finds_everything_in_place_costs_one_request);
    tcase_add_test(tests, another_handler_does_not_get_a_lease_that_is_held);
    tcase_add_test(tests, another_handler_that_waits_gets_the_lease_soon_after_its_release);
    tcase_add_test(tests, a_lease_is_renewed_again_and_again);
    tcase_add_test(tests, many_leases_are_renewed_side_by_side);
    tcase_add_test(tests, a_lease_that_an_operator_breaks_is_told_lost);
    tcase_add_test(tests, a_former_holder_cannot_take_the_lease_from_the_next);
    tcase_add_test(tests, an_infinite_lease_is_held_until_it_is_released);
    tcase_add_test(tests, closing_gives_every_lease_back);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
