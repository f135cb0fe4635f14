/*
 * test_lease_manager_acquire.c - leases acquired by one thread and by many, and released when the
 * program stops.
 */
#include "lease/lease_manager.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "storage/storage_client.h"
#include "support/fakes/lease_fixture.h"
#include "support/processes/check_main.h"

enum { THREADS = 8, ROUNDS = 150, TURNS = THREADS * ROUNDS, NAMES = 3 };

/* Steps the clock by at most `ms`, until storage has received `count` acquires. */
static void advance_until_asked(size_t count, int64_t ms) {
    for (int64_t stepped_ms = 0;
         stepped_ms < ms && lease_store_fake_count(lease_fixture.store, FAKE_ACQUIRE) < count;
         stepped_ms += 10) {
        lease_fixture_advance(10);
        lease_fixture_settle();
    }
}

START_TEST(a_free_lease_is_had_with_one_request_that_proposes_its_id) {
    struct lease *lease = lease_fixture_acquire_named("a");
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_ACQUIRE), 1);
    struct fake_call call = lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 0);
    ck_assert_str_eq(call.name, "a");
    ck_assert_str_eq(call.lease_id, lease_id(lease));
    ck_assert(uuid_is_valid(lease_id(lease)));
    ck_assert_int_eq(call.duration_s, 30);
    ck_assert_int_eq(call.limit_ms, LEASE_FIXTURE_START_MS + STORAGE_DEADLINE_MS);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
    ck_assert_int_eq(lease_manager_safe_until_ms(lease_fixture.manager, lease),
                     LEASE_FIXTURE_START_MS + 27000);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(a_long_acquire_timeout_is_a_long_deadline_for_storage_too) {
    lease_fixture.options.acquire_timeout_ms = 45000;
    lease_manager_release(lease_fixture.manager, lease_fixture_acquire_named("a"));
    ck_assert_int_eq(lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 0).limit_ms,
                     LEASE_FIXTURE_START_MS + 45000);
}
END_TEST

START_TEST(a_request_may_ask_for_its_own_duration) {
    struct lease *lease =
        lease_fixture_acquire(&(struct leasehold_request){.name = "a", .duration_s = 60});
    ck_assert_int_eq(lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 0).duration_s, 60);
    ck_assert_int_eq(lease_manager_safe_until_ms(lease_fixture.manager, lease),
                     LEASE_FIXTURE_START_MS + 54000);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(one_try_is_made_when_the_timeout_is_zero_or_the_request_says_so) {
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    lease_fixture_fail_to_acquire(&(struct leasehold_request){.name = "a", .try_once = true},
                                  STATUS_LEASE_CONFLICT);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_ACQUIRE), 1);
    lease_fixture.options.acquire_timeout_ms = 0;
    lease_fixture_fail_to_acquire(&(struct leasehold_request){.name = "a"}, STATUS_LEASE_CONFLICT);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_ACQUIRE), 2);
    ck_assert_int_eq(lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 1).limit_ms,
                     LEASE_FIXTURE_START_MS + STORAGE_DEADLINE_MS);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RELEASE), 0);
}
END_TEST

START_TEST(a_held_lease_is_waited_for_and_had_when_it_is_free) {
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    struct lease_acquiring acquiring;
    lease_acquiring_begin(&acquiring, "a");
    lease_store_fake_wait(lease_fixture.store, FAKE_ACQUIRE, 1);
    lease_store_fake_set_holder(lease_fixture.store, "a", "");
    advance_until_asked(2, lease_fixture.options.acquire_timeout_ms);
    lease_acquiring_end(&acquiring, STATUS_OK);
    struct fake_call second = lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 1);
    ck_assert_int_ge(second.at_ms, LEASE_FIXTURE_START_MS + lease_fixture.options.acquire_retry_ms);
    ck_assert_str_eq(second.lease_id,
                     lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 0).lease_id);
    ck_assert_int_eq(lease_manager_safe_until_ms(lease_fixture.manager, acquiring.lease),
                     second.at_ms + 27000);
    lease_manager_release(lease_fixture.manager, acquiring.lease);
}
END_TEST

START_TEST(a_lease_of_our_own_that_is_on_its_way_back_is_waited_for_without_asking_storage) {
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, true);
    lease_manager_release(lease_fixture.manager, lease_fixture_acquire_named("a"));
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    struct lease_acquiring acquiring;
    lease_acquiring_begin(&acquiring, "a");
    lease_store_fake_answer(lease_fixture.store, FAKE_RELEASE, STATUS_OK);
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, false);
    lease_acquiring_end(&acquiring, STATUS_OK);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_ACQUIRE), 2);
    lease_manager_release(lease_fixture.manager, acquiring.lease);
}
END_TEST

START_TEST(the_last_try_is_made_when_the_timeout_is_over_and_has_time_for_an_attempt) {
    lease_fixture.options.acquire_retry_ms = 60000;
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    struct lease_acquiring acquiring;
    lease_acquiring_begin(&acquiring, "a");
    lease_store_fake_wait(lease_fixture.store, FAKE_ACQUIRE, 1);
    advance_until_asked(2, lease_fixture.options.acquire_timeout_ms);
    lease_acquiring_end(&acquiring, STATUS_LEASE_CONFLICT);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_ACQUIRE), 2);
    struct fake_call last = lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 1);
    ck_assert_int_eq(last.at_ms, LEASE_FIXTURE_START_MS + lease_fixture.options.acquire_timeout_ms);
    ck_assert_int_eq(last.limit_ms, last.at_ms + STORAGE_ATTEMPT_TIMEOUT_MS);
}
END_TEST

/* Waits grow up to 200 ms, or stay at the first one if that is longer. Waits of 1 ms grow too. */
START_TEST(the_waits_grow_by_half_at_least_and_end_with_the_timeout) {
    static const int64_t first_wait_ms[] = {20, 250, 1}, longest_ms[] = {200, 250, 200},
                         timeout_ms[] = {500, 1200, 500};
    lease_fixture.options.acquire_retry_ms = first_wait_ms[_i];
    lease_fixture.options.acquire_timeout_ms = timeout_ms[_i];
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    int64_t begun_ms = lease_fixture_now_ms();
    lease_fixture_fail_to_acquire(&(struct leasehold_request){.name = "a"}, STATUS_LEASE_CONFLICT);
    ck_assert_int_ge(lease_fixture_now_ms(), begun_ms + timeout_ms[_i]);
    size_t count = lease_store_fake_count(lease_fixture.store, FAKE_ACQUIRE);
    int64_t least_ms = first_wait_ms[_i];
    ck_assert_uint_ge(count, 4);
    ck_assert_uint_le(count, 20);
    for (size_t i = 1; i + 1 < count; i++) { /* the last wait is cut short */
        int64_t wait_ms = lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, i).at_ms -
                          lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, i - 1).at_ms;
        ck_assert_int_ge(wait_ms, least_ms);
        least_ms += least_ms / 2;
        least_ms = least_ms < longest_ms[_i] ? least_ms : longest_ms[_i];
    }
    ck_assert_int_ge(lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, count - 1).at_ms,
                     begun_ms + timeout_ms[_i]);
}
END_TEST

START_TEST(a_request_may_say_how_long_it_waits) {
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    int64_t begun_ms = lease_fixture_now_ms();
    struct leasehold_request request = {.name = "a", .timeout_ms = 200};
    lease_fixture_fail_to_acquire(&request, STATUS_LEASE_CONFLICT);
    ck_assert_int_ge(lease_fixture_now_ms(), begun_ms + 200);
    ck_assert_int_lt(lease_fixture_now_ms(), begun_ms + lease_fixture.options.acquire_timeout_ms);
}
END_TEST

START_TEST(an_acquire_that_waits_is_cancelled_at_once_and_so_is_every_later_one) {
    lease_fixture.options.acquire_retry_ms = 60000;
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    struct lease_acquiring acquiring;
    lease_acquiring_begin(&acquiring, "a");
    lease_store_fake_wait(lease_fixture.store, FAKE_ACQUIRE, 1);
    lease_manager_cancel_acquires(lease_fixture.manager);
    lease_acquiring_end(&acquiring, STATUS_CANCELLED);
    lease_fixture_fail_to_acquire(&(struct leasehold_request){.name = "b"}, STATUS_CANCELLED);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000),
                     0); /* no release is under way */
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_ACQUIRE), 1);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RELEASE), 0);
}
END_TEST

START_TEST(cancelling_acquires_leaves_leases_in_hand_alone) {
    struct lease *lease = lease_fixture_acquire_named("a");
    lease_manager_cancel_acquires(lease_fixture.manager);
    ck_assert(lease_manager_is_held(lease_fixture.manager, lease));
    lease_fixture_advance(20000);
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 1);
    lease_manager_release(lease_fixture.manager, lease);
}
END_TEST

START_TEST(a_lease_that_may_have_been_granted_all_the_same_is_released) {
    static const enum status open[] = {STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_INTERNAL};
    lease_store_fake_script(lease_fixture.store, FAKE_ACQUIRE, open[_i]);
    lease_fixture_fail_to_acquire(&(struct leasehold_request){.name = "a"}, open[_i]);
    struct fake_call release = lease_store_fake_call(lease_fixture.store, FAKE_RELEASE, 0);
    ck_assert_str_eq(release.name, "a");
    ck_assert_str_eq(release.lease_id,
                     lease_store_fake_call(lease_fixture.store, FAKE_ACQUIRE, 0).lease_id);
}
END_TEST

START_TEST(a_lease_that_was_refused_is_not_released) {
    static const enum status refused[] = {STATUS_LEASE_CONFLICT, STATUS_UNAUTHORIZED,
                                          STATUS_CONTAINER_NOT_FOUND, STATUS_NO_MEMORY};
    lease_store_fake_script(lease_fixture.store, FAKE_ACQUIRE, refused[_i]);
    lease_fixture_fail_to_acquire(&(struct leasehold_request){.name = "a", .try_once = true},
                                  refused[_i]);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000), 0);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RELEASE), 0);
}
END_TEST

START_TEST(a_lease_granted_too_late_to_be_safe_is_released) {
    lease_store_fake_hold(lease_fixture.store, FAKE_ACQUIRE, true);
    struct lease_acquiring acquiring;
    lease_acquiring_begin(&acquiring, "a");
    lease_store_fake_wait(lease_fixture.store, FAKE_ACQUIRE, 1);
    clock_fake_advance(&lease_fixture.fake_clock, 27000);
    lease_store_fake_answer(lease_fixture.store, FAKE_ACQUIRE, STATUS_OK);
    lease_acquiring_end(&acquiring, STATUS_UNAVAILABLE);
    ck_assert_str_eq(lease_store_fake_call(lease_fixture.store, FAKE_RELEASE, 0).name, "a");
}
END_TEST

START_TEST(a_lease_granted_just_in_time_is_handed_out) {
    lease_store_fake_hold(lease_fixture.store, FAKE_ACQUIRE, true);
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
    struct lease_acquiring acquiring;
    lease_acquiring_begin(&acquiring, "a");
    lease_store_fake_wait(lease_fixture.store, FAKE_ACQUIRE, 1);
    clock_fake_advance(&lease_fixture.fake_clock, 26999);
    lease_store_fake_answer(lease_fixture.store, FAKE_ACQUIRE, STATUS_OK);
    lease_acquiring_end(&acquiring, STATUS_OK);
    ck_assert_int_eq(lease_manager_safe_until_ms(lease_fixture.manager, acquiring.lease),
                     LEASE_FIXTURE_START_MS + 27000);
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, STATUS_OK); /* it was already due */
    lease_manager_release(lease_fixture.manager, acquiring.lease);
}
END_TEST

START_TEST(breaking_asks_the_store) {
    lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
    ck_assert_int_eq(lease_manager_break(lease_fixture.manager, "a", NULL), STATUS_OK);
    ck_assert(!lease_store_fake_is_leased(lease_fixture.store, "a"));
    ck_assert_int_eq(lease_manager_break(lease_fixture.manager, "a", NULL), STATUS_LEASE_LOST);
    ck_assert_int_eq(lease_store_fake_call(lease_fixture.store, FAKE_BREAK, 0).limit_ms,
                     LEASE_FIXTURE_START_MS + STORAGE_DEADLINE_MS);
}
END_TEST

/* ---- stopping ---- */

static void free_fixture(void) {
    http_transport_stop(lease_fixture.transport);
    lease_manager_free(lease_fixture.manager);
    http_transport_free(lease_fixture.transport);
    lease_store_fake_free(lease_fixture.store);
}

START_TEST(closing_gives_back_every_lease_and_owners_may_still_release_theirs) {
    struct lease_observer observer = LEASE_OBSERVER_INIT;
    struct leasehold_request request = lease_observer_request("b", &observer);
    struct lease *first = lease_fixture_acquire_named("a");
    struct lease *second = lease_fixture_acquire(&request);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000), 0);
    ck_assert(!lease_store_fake_is_leased(lease_fixture.store, "a"));
    ck_assert(!lease_store_fake_is_leased(lease_fixture.store, "b"));
    ck_assert(!lease_manager_is_held(lease_fixture.manager, first));
    ck_assert_int_eq(lease_manager_pause(lease_fixture.manager, second, 1, NULL),
                     STATUS_LEASE_LOST);
    lease_fixture_fail_to_acquire(&(struct leasehold_request){.name = "c"}, STATUS_CANCELLED);
    lease_manager_release(lease_fixture.manager, first);
    lease_manager_release(lease_fixture.manager, second);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RELEASE), 2);
    lease_observer_assert(&observer, 0, 0, 0);
}
END_TEST

START_TEST(closing_ends_at_its_deadline_and_says_how_many_are_left) {
    struct lease *lease = lease_fixture_acquire_named("a");
    struct lease *forgotten = lease_fixture_acquire_named("b");
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, true);
    lease_manager_release(lease_fixture.manager, lease);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms()), 2);
    size_t sent = lease_store_fake_count(
        lease_fixture.store, FAKE_RELEASE); /* the second may have been sent just before the end */
    for (size_t i = 0; i < sent; i++) {
        lease_store_fake_answer(lease_fixture.store, FAKE_RELEASE, STATUS_UNAVAILABLE);
    }
    lease_manager_release(lease_fixture.manager, forgotten);
    lease_fixture_advance(LEASE_RELEASE_RETRY_MS);
    http_transport_stop(lease_fixture.transport);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RELEASE), sent);
    free_fixture();
    lease_fixture_set_up(); /* for lease_fixture_tear_down */
}
END_TEST

START_TEST(a_lease_that_is_granted_while_the_manager_closes_is_released) {
    lease_store_fake_hold(lease_fixture.store, FAKE_ACQUIRE, true);
    struct lease_acquiring acquiring;
    lease_acquiring_begin(&acquiring, "a");
    lease_store_fake_wait(lease_fixture.store, FAKE_ACQUIRE, 1);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms()), 1);
    lease_store_fake_answer(lease_fixture.store, FAKE_ACQUIRE, STATUS_OK);
    lease_acquiring_end(&acquiring, STATUS_CANCELLED);
    ck_assert_ptr_null(acquiring.lease);
    free_fixture();
    lease_fixture_set_up();
}
END_TEST

START_TEST(freeing_waits_for_no_answer) {
    lease_store_fake_hold(lease_fixture.store, FAKE_RELEASE, true);
    lease_manager_release(lease_fixture.manager, lease_fixture_acquire_named("a"));
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms()), 1);
    free_fixture();
    lease_fixture_set_up(); /* for tear_down */
}
END_TEST

static void *answer_acquire_when_cancelled(void *context) {
    (void)context;
    struct lease *lease;
    while (lease_manager_acquire(lease_fixture.manager,
                                 &(struct leasehold_request){.name = "mark", .try_once = true},
                                 &lease, NULL) != STATUS_CANCELLED) {
        lease_manager_release(lease_fixture.manager, lease);
    }
    lease_store_fake_answer(lease_fixture.store, FAKE_ACQUIRE, STATUS_OK);
    return NULL;
}

START_TEST(closing_waits_for_an_acquire_under_way) {
    lease_store_fake_hold(lease_fixture.store, FAKE_ACQUIRE, true);
    struct lease_acquiring acquiring;
    lease_acquiring_begin(&acquiring, "a");
    lease_store_fake_wait(lease_fixture.store, FAKE_ACQUIRE, 1);
    lease_store_fake_hold(lease_fixture.store, FAKE_ACQUIRE, false);
    pthread_t answerer; /* answers once the manager has begun to close */
    ck_assert_int_eq(pthread_create(&answerer, NULL, answer_acquire_when_cancelled, NULL), 0);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000), 0);
    pthread_join(answerer, NULL);
    lease_acquiring_end(&acquiring, STATUS_CANCELLED);
    ck_assert(!lease_store_fake_is_leased(lease_fixture.store, "a"));
}
END_TEST

/* ---- threads ---- */

static pthread_barrier_t barrier;
static atomic_int holders[NAMES];
static atomic_int had;

/* Queries the lease while it is renewed a few times. It is held all along. */
static bool watch(struct lease *lease) {
    bool held = true;
    int64_t until_ms = lease_fixture_now_ms() + 15;
    while (held && lease_fixture_now_ms() < until_ms) {
        held = lease_manager_is_held(lease_fixture.manager, lease) &&
               lease_manager_safe_until_ms(lease_fixture.manager, lease) > until_ms &&
               lease_manager_renewal_count(lease_fixture.manager, lease) >= 0;
    }
    return held && lease_manager_pause(lease_fixture.manager, lease, 5, NULL) == STATUS_OK;
}

/*
 * Acquires and releases leases beside the other threads, with renewals every few milliseconds. No
 * two threads ever hold the same lease.
 */
static void *contend(void *context) {
    static struct lease_observer observer = LEASE_OBSERVER_INIT;
    unsigned thread = *(const unsigned *)context;
    char name[32];
    pthread_barrier_wait(&barrier);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned which = (thread + round * 7) % NAMES;
        snprintf(name, sizeof name, "name-%u", which);
        struct leasehold_request request = lease_observer_request(name, &observer);
        struct lease *lease;
        if (lease_manager_acquire(lease_fixture.manager, &request, &lease, NULL) != STATUS_OK) {
            return NULL;
        }
        if (atomic_fetch_add(&holders[which], 1) == 0) {
            atomic_fetch_add(&had, 1);
        }
        bool kept =
            round % 16 == 0 ? watch(lease) : lease_manager_is_held(lease_fixture.manager, lease);
        atomic_fetch_sub(&holders[which], 1);
        lease_manager_release(lease_fixture.manager, lease);
        if (!kept) {
            return NULL;
        }
    }
    return NULL;
}

START_TEST(threads_that_contend_hold_one_after_the_other_and_all_get_the_lease) {
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    lease_fixture.options.renew_interval_ms = 6;
    lease_fixture.options.acquire_retry_ms = 1;
    lease_fixture.options.acquire_timeout_ms = 60000;
    atomic_store(&had, 0);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, contend, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    ck_assert_int_eq(atomic_load(&had), TURNS);
    ck_assert_uint_gt(lease_store_fake_count(lease_fixture.store, FAKE_RENEW), 0);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager,
                                         lease_fixture_now_ms() + LEASE_FIXTURE_PATIENCE_MS),
                     0);
    for (int i = 0; i < NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, "name-%d", i);
        ck_assert(!lease_store_fake_is_leased(lease_fixture.store, name));
    }
}
END_TEST

static void *keep_until_closed(void *context) {
    struct leasehold_request request = {.name = context};
    struct lease *lease;
    pthread_barrier_wait(&barrier);
    while (lease_manager_acquire(lease_fixture.manager, &request, &lease, NULL) == STATUS_OK) {
        enum status status = lease_manager_pause(lease_fixture.manager, lease, 3, NULL);
        lease_manager_release(lease_fixture.manager, lease);
        if (status != STATUS_OK) {
            break;
        }
    }
    return NULL;
}

START_TEST(closing_under_load_leaves_nothing_leased) {
    static char names[THREADS][32];
    pthread_t threads[THREADS];
    lease_fixture.options.renew_interval_ms = 3;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        snprintf(names[i], sizeof names[i], "loaded-%d", i);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_until_closed, names[i]), 0);
    }
    pthread_barrier_wait(&barrier);
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 50);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager,
                                         lease_fixture_now_ms() + LEASE_FIXTURE_PATIENCE_MS),
                     0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(!lease_store_fake_is_leased(lease_fixture.store, names[i]));
    }
    pthread_barrier_destroy(&barrier);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name, SFun before) {
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, before, lease_fixture_tear_down);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_acquiring(Suite *suite) {
    TCase *tests = new_case(suite, "acquiring", lease_fixture_set_up);
    tcase_add_test(tests, a_free_lease_is_had_with_one_request_that_proposes_its_id);
    tcase_add_test(tests, a_long_acquire_timeout_is_a_long_deadline_for_storage_too);
    tcase_add_test(tests, a_request_may_ask_for_its_own_duration);
    tcase_add_test(tests, one_try_is_made_when_the_timeout_is_zero_or_the_request_says_so);
    tcase_add_test(tests, a_held_lease_is_waited_for_and_had_when_it_is_free);
    tcase_add_test(tests,
                   a_lease_of_our_own_that_is_on_its_way_back_is_waited_for_without_asking_storage);
    tcase_add_test(tests,
                   the_last_try_is_made_when_the_timeout_is_over_and_has_time_for_an_attempt);
    tcase_add_test(tests, an_acquire_that_waits_is_cancelled_at_once_and_so_is_every_later_one);
    tcase_add_test(tests, cancelling_acquires_leaves_leases_in_hand_alone);
    tcase_add_loop_test(tests, a_lease_that_may_have_been_granted_all_the_same_is_released, 0, 3);
    tcase_add_loop_test(tests, a_lease_that_was_refused_is_not_released, 0, 4);
    tcase_add_test(tests, a_lease_granted_too_late_to_be_safe_is_released);
    tcase_add_test(tests, a_lease_granted_just_in_time_is_handed_out);
    tcase_add_test(tests, breaking_asks_the_store);
}

static void add_stopping(Suite *suite) {
    TCase *tests = new_case(suite, "stopping", lease_fixture_set_up);
    tcase_add_test(tests, closing_gives_back_every_lease_and_owners_may_still_release_theirs);
    tcase_add_test(tests, closing_ends_at_its_deadline_and_says_how_many_are_left);
    tcase_add_test(tests, a_lease_that_is_granted_while_the_manager_closes_is_released);
    tcase_add_test(tests, closing_waits_for_an_acquire_under_way);
    tcase_add_test(tests, freeing_waits_for_no_answer);
}

int main(void) {
    Suite *suite = suite_create("lease_manager_acquire");
    add_acquiring(suite);
    add_stopping(suite);
    TCase *real = new_case(suite, "in real time", lease_fixture_set_up_in_real_time);
    tcase_add_loop_test(real, the_waits_grow_by_half_at_least_and_end_with_the_timeout, 0, 3);
    tcase_add_test(real, a_request_may_say_how_long_it_waits);
    tcase_add_test(real, threads_that_contend_hold_one_after_the_other_and_all_get_the_lease);
    tcase_add_test(real, closing_under_load_leaves_nothing_leased);
    return check_main(suite);
}
