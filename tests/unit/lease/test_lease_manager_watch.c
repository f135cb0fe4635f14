/*
 * test_lease_manager_watch.c - how extends and holds end: abandoned, cancelled, or
 * with the lease lost or released meanwhile. And a loss is notified once, whoever notices it
 * first.
 */
#include "lease/lease_manager.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "support/fakes/lease_fixture.h"
#include "support/processes/check_main.h"

enum { NEEDED_MS = 5000, SAFE_MS = 27000, LATE_MS = 23000, HOLD_MS = 1000, RACES = 300 };

/* The extend or hold under test. */
static struct watched {
    bool is_extend;
    struct lease_extend extend;
    struct lease_pause hold;
    struct lease *lease;
    int end_count;
    enum status status;
    int64_t safe_until_ms;
    bool releases; /* its completion releases the lease */
} watched;

static void note_end(enum status status, const struct error *err) {
    ck_assert(event_loop_is_current(lease_fixture.loop));
    ck_assert(status == STATUS_OK || err->status == status);
    watched.end_count++;
    watched.status = status;
    if (watched.releases) {
        lease_manager_release(lease_fixture.manager, watched.lease);
    }
}

static void on_extended(void *context, enum status status, int64_t safe_until_ms,
                        const struct error *err) {
    ck_assert_ptr_eq(context, &watched);
    watched.safe_until_ms = safe_until_ms;
    note_end(status, err);
}

static void on_held(void *context, enum status status, const struct error *err) {
    ck_assert_ptr_eq(context, &watched);
    note_end(status, err);
}

static void start(void *context) {
    int ended_before = watched.end_count;
    (void)context;
    if (watched.is_extend) {
        lease_extend_start(&watched.extend, lease_fixture.manager, watched.lease, NEEDED_MS,
                           on_extended, &watched);
    } else {
        lease_pause_start(&watched.hold, lease_fixture.manager, watched.lease, HOLD_MS, on_held,
                          &watched);
    }
    ck_assert_int_eq(watched.end_count, ended_before); /* never inside start */
}

static void abandon(void *context) {
    (void)context;
    for (int i = 0; i < 2; i++) { /* the second time it is no longer under way */
        if (watched.is_extend) {
            lease_extend_abandon(&watched.extend);
        } else {
            lease_pause_abandon(&watched.hold);
        }
    }
}

static void release(void *context) {
    (void)context;
    lease_manager_release(lease_fixture.manager, watched.lease);
}

static void release_there(void) {
    lease_fixture_run(release, NULL);
}

/* No renewal is automatic. */
static void set_up(void) {
    lease_fixture_set_up();
    lease_fixture.options.auto_renew = false;
    watched = (struct watched){.lease = lease_fixture_acquire_named("a")};
    lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, true);
}

/* An extend that waits for its renewal, or a hold in the middle of its time. */
static void come_to_waiting(bool is_extend) {
    watched.is_extend = is_extend;
    lease_fixture_advance(LATE_MS);
    lease_fixture_run(start, NULL);
    lease_fixture_settle();
    ck_assert_int_eq(watched.end_count, 0);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RENEW), is_extend ? 1 : 0);
}

static void assert_ended(enum status expected) {
    lease_fixture_settle();
    ck_assert_int_eq(watched.end_count, 1);
    ck_assert_int_eq(watched.status, expected);
}

static void assert_not_ended(void) {
    lease_fixture_settle();
    ck_assert_int_eq(watched.end_count, 0);
}

/* Answers a renewal that is under way, so that nothing is left. */
static void answer_renewals(enum status status) {
    if (lease_store_fake_count(lease_fixture.store, FAKE_RENEW) > 0) {
        lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, status);
    }
}

/* ---- how they end ---- */

START_TEST(with_enough_left_an_extend_ends_after_start_has_returned) {
    watched.is_extend = true;
    lease_fixture_run(start, NULL);
    assert_ended(STATUS_OK);
    ck_assert_int_eq(watched.safe_until_ms, LEASE_FIXTURE_START_MS + SAFE_MS);
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RENEW), 0);
    release_there();
}
END_TEST

START_TEST(a_renewal_extends_the_lease_from_when_it_was_sent) {
    come_to_waiting(true);
    clock_fake_advance(&lease_fixture.fake_clock, 500);
    answer_renewals(STATUS_OK);
    assert_ended(STATUS_OK);
    ck_assert_int_eq(watched.safe_until_ms, LEASE_FIXTURE_START_MS + LATE_MS + SAFE_MS);
    ck_assert_int_eq(lease_manager_safe_until_ms(lease_fixture.manager, watched.lease),
                     watched.safe_until_ms);
    ck_assert_int_eq(lease_manager_renewal_count(lease_fixture.manager, watched.lease), 1);
    release_there();
}
END_TEST

START_TEST(a_hold_ends_to_the_millisecond) {
    come_to_waiting(false);
    lease_fixture_advance(HOLD_MS - 1);
    assert_not_ended();
    lease_fixture_advance(1);
    assert_ended(STATUS_OK);
    release_there();
}
END_TEST

/* _i 0: a hold; 1: an extend */
START_TEST(lost_at_the_threshold_they_end) {
    come_to_waiting(_i == 1);
    if (_i == 0) { /* a hold that would last longer than the lease */
        lease_fixture_run(abandon, NULL);
        lease_fixture_advance(SAFE_MS - LATE_MS - 1);
        lease_fixture_run(start, NULL);
        assert_not_ended();
        lease_fixture_advance(1);
    } else {
        lease_fixture_advance(SAFE_MS - LATE_MS - 1);
        assert_not_ended();
        lease_fixture_advance(1);
    }
    assert_ended(STATUS_LEASE_LOST);
    answer_renewals(STATUS_OK); /* too late */
    ck_assert(!lease_manager_is_held(lease_fixture.manager, watched.lease));
    release_there();
}
END_TEST

START_TEST(lost_at_storage_they_end_at_once) {
    lease_fixture.options.renew_max_retries = 0;
    come_to_waiting(_i == 1);
    if (_i == 0) {
        struct watched hold = watched;
        int64_t safe_until_ms;
        lease_store_fake_hold(lease_fixture.store, FAKE_RENEW, false);
        lease_store_fake_set_holder(lease_fixture.store, "a", LEASE_FIXTURE_SOMEBODY_ELSE);
        ck_assert_int_eq(lease_manager_extend_for(lease_fixture.manager, hold.lease, NEEDED_MS,
                                                  &safe_until_ms, NULL),
                         STATUS_LEASE_LOST);
    } else {
        answer_renewals(STATUS_LEASE_LOST);
    }
    assert_ended(STATUS_LEASE_LOST);
    release_there();
    ck_assert_uint_eq(lease_store_fake_count(lease_fixture.store, FAKE_RELEASE), 0);
}
END_TEST

START_TEST(a_renewal_that_cannot_be_started_and_not_be_repeated_ends_an_extend) {
    lease_fixture.options.renew_max_retries = 0;
    watched.is_extend = true;
    lease_store_fake_refuse(lease_fixture.store, FAKE_RENEW, STATUS_NO_MEMORY);
    lease_fixture_advance(LATE_MS);
    lease_fixture_run(start, NULL);
    assert_ended(STATUS_LEASE_LOST);
    ck_assert(
        lease_manager_is_held(lease_fixture.manager, watched.lease)); /* until the safe deadline */
    release_there();
}
END_TEST

/* ---- ended early ---- */

START_TEST(abandoned_they_are_not_answered) {
    come_to_waiting(_i == 1);
    lease_fixture_run(abandon, NULL);
    answer_renewals(STATUS_OK);
    lease_fixture_advance(HOLD_MS);
    assert_not_ended();
    release_there();
    lease_fixture_settle();
}
END_TEST

START_TEST(abandoned_before_they_look_they_are_not_answered) {
    watched.is_extend = _i == 1;
    struct loop_task starting = {.run = start}, abandoning = {.run = abandon};
    lease_fixture_stop_loop();
    event_loop_post(lease_fixture.loop, &starting);
    event_loop_post(lease_fixture.loop, &abandoning);
    lease_fixture_resume_loop();
    assert_not_ended();
    release_there();
}
END_TEST

START_TEST(waiting_they_are_cancelled) {
    come_to_waiting(_i == 1);
    lease_manager_cancel_waits(lease_fixture.manager);
    assert_ended(STATUS_CANCELLED);
    answer_renewals(STATUS_OK);
    ck_assert(lease_manager_is_held(lease_fixture.manager, watched.lease));
    release_there();
}
END_TEST

/* An owner should not release while they wait. The lease stays until they have ended. */
START_TEST(a_lease_released_meanwhile_is_lost_to_them) {
    come_to_waiting(_i == 1);
    release_there();
    assert_ended(STATUS_LEASE_LOST);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
    answer_renewals(STATUS_LEASE_LOST);
}
END_TEST

START_TEST(a_close_ends_them) {
    come_to_waiting(_i == 1);
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager, lease_fixture_now_ms() + 1000), 0);
    assert_ended(STATUS_LEASE_LOST);
    answer_renewals(STATUS_LEASE_LOST);
    release_there();
}
END_TEST

START_TEST(the_lease_may_be_released_in_their_completions) {
    watched.releases = true;
    come_to_waiting(_i == 1);
    lease_fixture_advance(HOLD_MS);
    answer_renewals(STATUS_OK);
    assert_ended(STATUS_OK);
    lease_store_fake_wait(lease_fixture.store, FAKE_RELEASE, 1);
}
END_TEST

/* ---- a loss is notified once ---- */

static atomic_int notified_count;

static void on_lost(void *context, const struct leasehold_event *event) {
    (void)context;
    ck_assert_int_ge(event->time_ms, event->last_renewal_ms);
    atomic_fetch_add(&notified_count, 1);
}

static void set_up_races(void) {
    lease_fixture_set_up_in_real_time();
    lease_fixture.options.auto_renew = false;
    lease_fixture.options.safety_threshold = 0.0001; /* 3 ms */
}

/*
 * The owner releases at the moment when the loop notices the loss: one of the two notifies it. If
 * the owner releases earlier, neither does.
 */
START_TEST(a_loss_is_notified_once_whoever_notices_it_first) {
    for (int i = 0; i < RACES; i++) {
        struct leasehold_request request = {
            .name = "a", .try_once = true, .listener = {.lost = on_lost}};
        struct lease *lease = NULL;
        atomic_store(&notified_count, 0);
        if (lease_manager_acquire(lease_fixture.manager, &request, &lease, NULL) != STATUS_OK) {
            continue; /* the acquire took so long that the lease is already lost */
        }
        int64_t until_ms = lease_manager_safe_until_ms(lease_fixture.manager, lease);
        while (lease_fixture_now_ms() < until_ms - i % 2) {
        }
        bool was_held = lease_manager_is_held(lease_fixture.manager, lease);
        lease_manager_release(lease_fixture.manager, lease);
        lease_fixture_settle();
        ck_assert_int_le(atomic_load(&notified_count), 1);
        ck_assert(was_held || atomic_load(&notified_count) == 1);
    }
}
END_TEST

static int event_count;

static void count_event(void *context, const struct leasehold_event *event) {
    (void)context, (void)event;
    event_count++;
}

static void answer_renewal(void *context) {
    lease_store_fake_answer(lease_fixture.store, FAKE_RENEW, *(enum status *)context);
}

/* The reply arrives before the loop knows of the release. _i: renewed, failed, lost */
START_TEST(after_a_release_no_reply_to_a_renewal_is_notified) {
    static enum status statuses[] = {STATUS_OK, STATUS_UNAVAILABLE, STATUS_LEASE_LOST};
    struct loop_task answering = {.run = answer_renewal, .context = &statuses[_i]};
    struct leasehold_request request = {
        .name = "b",
        .listener = {.renewed = count_event, .renewal_failed = count_event, .lost = count_event}};
    lease_manager_release(lease_fixture.manager, watched.lease);
    watched.lease = lease_fixture_acquire(&request);
    event_count = 0;
    come_to_waiting(true);
    lease_fixture_run(abandon, NULL);
    lease_fixture_stop_loop();
    event_loop_post(lease_fixture.loop, &answering);
    lease_manager_release(lease_fixture.manager, watched.lease);
    lease_fixture_resume_loop();
    lease_fixture_settle();
    ck_assert_int_eq(event_count, 0);
}
END_TEST

/*
 * The lease is renewed hundreds of times while other threads query it. No thread ever reads an
 * older value than it has read before.
 */
static struct lease *renewed;
static atomic_bool is_over;

static void *ask_all_the_time(void *context) {
    int64_t safe_until_ms = 0;
    int count = 0;
    while (!atomic_load(&is_over)) {
        int64_t now_until_ms = lease_manager_safe_until_ms(lease_fixture.manager, renewed);
        int now_count = lease_manager_renewal_count(lease_fixture.manager, renewed);
        if (now_until_ms < safe_until_ms || now_count < count) {
            return context;
        }
        safe_until_ms = now_until_ms;
        count = now_count;
    }
    return NULL;
}

START_TEST(other_threads_see_every_renewal_and_none_undone) {
    pthread_t threads[2];
    lease_fixture.options.renew_interval_ms = 2;
    renewed = lease_fixture_acquire_named("a");
    atomic_store(&is_over, false);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_all_the_time, &renewed), 0);
    }
    lease_store_fake_wait(lease_fixture.store, FAKE_RENEW, 100);
    atomic_store(&is_over, true);
    for (int i = 0; i < 2; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    lease_manager_release(lease_fixture.manager, renewed);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name, SFun before) {
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, before, lease_fixture_tear_down);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("lease_manager_watch");
    TCase *tests = new_case(suite, "watches", set_up);
    tcase_add_test(tests, with_enough_left_an_extend_ends_after_start_has_returned);
    tcase_add_test(tests, a_renewal_extends_the_lease_from_when_it_was_sent);
    tcase_add_test(tests, a_hold_ends_to_the_millisecond);
    tcase_add_loop_test(tests, lost_at_the_threshold_they_end, 0, 2);
    tcase_add_loop_test(tests, lost_at_storage_they_end_at_once, 0, 2);
    tcase_add_test(tests, a_renewal_that_cannot_be_started_and_not_be_repeated_ends_an_extend);
    tcase_add_loop_test(tests, abandoned_they_are_not_answered, 0, 2);
    tcase_add_loop_test(tests, abandoned_before_they_look_they_are_not_answered, 0, 2);
    tcase_add_loop_test(tests, waiting_they_are_cancelled, 0, 2);
    tcase_add_loop_test(tests, a_lease_released_meanwhile_is_lost_to_them, 0, 2);
    tcase_add_loop_test(tests, a_close_ends_them, 0, 2);
    tcase_add_loop_test(tests, the_lease_may_be_released_in_their_completions, 0, 2);
    tcase_add_loop_test(tests, after_a_release_no_reply_to_a_renewal_is_notified, 0, 3);
    TCase *races = new_case(suite, "losses", set_up_races);
    tcase_add_test(races, a_loss_is_notified_once_whoever_notices_it_first);
    TCase *renewals = new_case(suite, "renewals", lease_fixture_set_up_in_real_time);
    tcase_add_test(renewals, other_threads_see_every_renewal_and_none_undone);
    return check_main(suite);
}
