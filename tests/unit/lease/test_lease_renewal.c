/*
 * test_lease_renewal.c - each rule of lease_renewal.h to the millisecond, on both sides of each
 * deadline.
 *
 * Unless a test says otherwise, a lease lasts 30 s from T, is renewed after 20 s, and counts as
 * lost after 27 s.
 */
#include "lease/lease_options.h"
#include "lease/lease_renewal.h"

#include <string.h>

#include "support/processes/check_main.h"

enum { T = 5000000, RENEWAL = T + 20000, SAFE_UNTIL = T + 27000, EXPIRY = T + 30000, MANY = 500 };

static struct leasehold_options options;
static struct lease_renewal renewal;
static struct lease lease;

static void start_with(struct lease *started, int duration_s, int64_t sent_ms) {
    memset(started, 0x5a, sizeof *started);
    started->duration_s = duration_s;
    lease_renewal_count_lease(&renewal);
    lease_renewal_start(&renewal, started, sent_ms);
}

static void set_up(void) {
    options = lease_options_default();
    lease_renewal_init(&renewal, &options);
    start_with(&lease, 30, T);
}

/* Replaces the lease of set_up, for other options or another duration. */
static void restart(int duration_s) {
    lease_renewal_init(&renewal, &options);
    start_with(&lease, duration_s, T);
}

static void assert_nothing_due(int64_t now_ms) {
    ck_assert_int_eq(lease_renewal_due(&renewal, now_ms).kind, LEASE_ACTION_NONE);
}

static struct lease_action due(enum lease_action_kind kind, int64_t now_ms) {
    struct lease_action action = lease_renewal_due(&renewal, now_ms);
    ck_assert_int_eq(action.kind, kind);
    ck_assert_ptr_eq(action.lease, &lease);
    return action;
}

/* Nothing is due one millisecond before `now_ms`, and the action is due at `now_ms`. */
static struct lease_action due_exactly(enum lease_action_kind kind, int64_t now_ms) {
    assert_nothing_due(now_ms - 1);
    ck_assert_int_eq(lease_renewal_next_ms(&renewal), now_ms);
    return due(kind, now_ms);
}

static enum lease_outcome reply_with_retry_after(enum status status, int retry_after_ms,
                                                 int64_t now_ms) {
    enum lease_outcome outcome =
        lease_renewal_on_renew_reply(&renewal, &lease, status, retry_after_ms, now_ms);
    if (outcome != LEASE_OUTCOME_NONE) {
        lease_renewal_notified(&lease);
    }
    return outcome;
}

static enum lease_outcome reply(enum status status, int64_t now_ms) {
    return reply_with_retry_after(status, 0, now_ms);
}

static void fail_renewal(int64_t sent_ms, int64_t answered_ms, enum lease_outcome expected) {
    due_exactly(LEASE_ACTION_RENEW, sent_ms);
    ck_assert_int_eq(reply(STATUS_UNAVAILABLE, answered_ms), expected);
}

static bool safe(int64_t now_ms) {
    return lease_is_safe(&lease, &options, now_ms);
}

/* ---- being held ---- */

START_TEST(a_lease_is_safe_until_the_threshold_of_its_duration_has_passed_since_it_was_asked_for) {
    ck_assert(safe(T));
    ck_assert(safe(SAFE_UNTIL - 1));
    ck_assert(!safe(SAFE_UNTIL));
    ck_assert_int_eq(lease_safe_until_ms(&lease, &options), SAFE_UNTIL);
    ck_assert(!lease_is_finished(&lease));
}
END_TEST

START_TEST(an_infinite_lease_is_always_safe_and_nothing_is_ever_due) {
    restart(LEASEHOLD_INFINITE);
    ck_assert(safe(INT64_MAX - 1));
    ck_assert_int_eq(lease_safe_until_ms(&lease, &options), INT64_MAX);
    ck_assert_int_eq(lease_renewal_next_ms(&renewal), INT64_MAX);
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(
    without_auto_renewal_the_loss_is_notified_at_the_safe_deadline_and_nothing_is_sent_before) {
    options.auto_renew = false;
    restart(30);
    due_exactly(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    lease_renewal_notified(&lease);
    ck_assert_int_eq(lease_renewal_next_ms(&renewal), INT64_MAX);
}
END_TEST

START_TEST(a_lease_is_small) {
    ck_assert_uint_le(sizeof lease, 512);
}
END_TEST

/* ---- renewing ---- */

START_TEST(a_renewal_is_due_at_the_interval) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(lease.state, LEASE_RENEWING);
    assert_nothing_due(SAFE_UNTIL - 1);
}
END_TEST

START_TEST(interval_and_safe_deadline_are_parts_of_the_leases_own_duration) {
    restart(15);
    ck_assert_int_eq(lease_renewal_next_ms(&renewal), T + 10000);
    ck_assert_int_eq(lease_safe_until_ms(&lease, &options), T + 13500);
    restart(60);
    ck_assert_int_eq(lease_renewal_next_ms(&renewal), T + 40000);
    ck_assert_int_eq(lease_safe_until_ms(&lease, &options), T + 54000);
}
END_TEST

START_TEST(a_renewed_lease_is_reckoned_from_before_the_renewal_was_sent) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply(STATUS_OK, RENEWAL + 700), LEASE_OUTCOME_RENEWED);
    ck_assert_int_eq(lease.renewal_count, 1);
    ck_assert_int_eq(lease.state, LEASE_HELD);
    ck_assert_int_eq(lease_safe_until_ms(&lease, &options), RENEWAL + 27000);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL + 20000);
    ck_assert_int_eq(reply(STATUS_OK, RENEWAL + 20001), LEASE_OUTCOME_RENEWED);
    ck_assert_int_eq(lease.renewal_count, 2);
}
END_TEST

START_TEST(while_a_renewal_is_under_way_the_old_one_decides_whether_the_lease_is_safe) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert(safe(SAFE_UNTIL - 1));
    ck_assert(!safe(SAFE_UNTIL));
}
END_TEST

START_TEST(the_attempts_share_the_time_that_is_left_before_the_safe_deadline) {
    options.renew_retry_ms = 10;
    restart(30);
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, RENEWAL).timeout_ms, 7000 / 4);
    reply(STATUS_UNAVAILABLE, RENEWAL + 990);
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, RENEWAL + 1000).timeout_ms, 6000 / 3);
    reply(STATUS_UNAVAILABLE, RENEWAL + 2980);
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, RENEWAL + 3000).timeout_ms, 4000 / 2);
    reply(STATUS_UNAVAILABLE, SAFE_UNTIL - 45);
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, SAFE_UNTIL - 5).timeout_ms, 5);
}
END_TEST

START_TEST(an_attempts_timeout_is_never_zero_and_never_past_the_safe_deadline) {
    options.renew_retry_ms = 1;
    restart(30);
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, SAFE_UNTIL - 1).timeout_ms, 1);
    reply(STATUS_OK, SAFE_UNTIL - 1);
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, SAFE_UNTIL - 1 + 26997).timeout_ms,
                     1); /* 3 ms for 4 attempts */
}
END_TEST

START_TEST(an_attempt_that_none_can_follow_has_all_the_time_that_is_left) {
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, SAFE_UNTIL - 1000).timeout_ms, 1000);
    restart(30);
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, SAFE_UNTIL - 1001).timeout_ms, 1001 / 4);
}
END_TEST

START_TEST(a_failed_attempt_is_repeated_after_waits_that_double) {
    options.renew_retry_ms = 300;
    options.renew_max_retries = 4;
    restart(30);
    fail_renewal(RENEWAL, RENEWAL + 10, LEASE_OUTCOME_RETRY);
    ck_assert_int_eq(lease.attempts, 1);
    fail_renewal(RENEWAL + 310, RENEWAL + 400, LEASE_OUTCOME_RETRY);
    fail_renewal(RENEWAL + 1000, RENEWAL + 1100, LEASE_OUTCOME_RETRY);
    fail_renewal(RENEWAL + 2300, RENEWAL + 2300, LEASE_OUTCOME_RETRY);
    ck_assert_int_eq(lease.attempts, 4);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL + 4700);
}
END_TEST

START_TEST(after_a_good_attempt_retries_and_waits_begin_anew) {
    fail_renewal(RENEWAL, RENEWAL, LEASE_OUTCOME_RETRY);
    fail_renewal(RENEWAL + 1000, RENEWAL + 1000, LEASE_OUTCOME_RETRY);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL + 3000);
    ck_assert_int_eq(reply(STATUS_OK, RENEWAL + 3001), LEASE_OUTCOME_RENEWED);
    int64_t second = RENEWAL + 3000 + 20000;
    fail_renewal(second, second, LEASE_OUTCOME_RETRY);
    ck_assert_int_eq(lease.attempts, 1);
    fail_renewal(second + 1000, second + 1000, LEASE_OUTCOME_RETRY);
}
END_TEST

START_TEST(when_the_retries_are_used_up_the_lease_is_held_until_the_safe_deadline_and_then_lost) {
    options.renew_max_retries = 1;
    restart(30);
    fail_renewal(RENEWAL, RENEWAL, LEASE_OUTCOME_RETRY);
    fail_renewal(RENEWAL + 1000, RENEWAL + 1000, LEASE_OUTCOME_NO_RETRY);
    ck_assert_int_eq(lease.state, LEASE_HELD);
    ck_assert(safe(SAFE_UNTIL - 1));
    due_exactly(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    ck_assert_int_eq(lease.state, LEASE_LOST);
}
END_TEST

START_TEST(without_retries_the_first_failure_is_the_last) {
    options.renew_max_retries = 0;
    restart(30);
    ck_assert_int_eq(due(LEASE_ACTION_RENEW, RENEWAL).timeout_ms, 7000);
    ck_assert_int_eq(reply(STATUS_UNAVAILABLE, RENEWAL + 100), LEASE_OUTCOME_NO_RETRY);
    due_exactly(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
}
END_TEST

START_TEST(an_attempt_that_would_start_at_the_safe_deadline_is_not_made) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply(STATUS_UNAVAILABLE, SAFE_UNTIL - 1000), LEASE_OUTCOME_NO_RETRY);
    due_exactly(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
}
END_TEST

START_TEST(an_attempt_that_can_start_just_before_the_safe_deadline_is_made) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply(STATUS_UNAVAILABLE, SAFE_UNTIL - 1001), LEASE_OUTCOME_RETRY);
    due_exactly(LEASE_ACTION_RENEW, SAFE_UNTIL - 1);
}
END_TEST

START_TEST(a_process_that_wakes_past_the_safe_deadline_notifies_the_loss_and_does_not_renew) {
    due(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(retry_after_is_waited_for_when_it_is_longer_than_the_backoff) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply_with_retry_after(STATUS_UNAVAILABLE, 3000, RENEWAL + 10),
                     LEASE_OUTCOME_RETRY);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL + 3010);
    ck_assert_int_eq(reply_with_retry_after(STATUS_UNAVAILABLE, 1000, RENEWAL + 3020),
                     LEASE_OUTCOME_RETRY);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL + 5020);
}
END_TEST

START_TEST(retry_after_that_ends_just_before_the_safe_deadline_is_waited_for) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply_with_retry_after(STATUS_UNAVAILABLE, 6999, RENEWAL),
                     LEASE_OUTCOME_RETRY);
    ck_assert_int_eq(due_exactly(LEASE_ACTION_RENEW, SAFE_UNTIL - 1).timeout_ms, 1);
}
END_TEST

START_TEST(retry_after_past_the_safe_deadline_does_not_lose_the_lease_untried) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply_with_retry_after(STATUS_UNAVAILABLE, 7000 + 3600000 * _i, RENEWAL),
                     LEASE_OUTCOME_RETRY);
    due_exactly(LEASE_ACTION_RENEW, SAFE_UNTIL - LEASE_LAST_ATTEMPT_MS);
    ck_assert_int_eq(reply(STATUS_OK, SAFE_UNTIL - LEASE_LAST_ATTEMPT_MS + 50),
                     LEASE_OUTCOME_RENEWED);
}
END_TEST

START_TEST(retry_after_past_the_safe_deadline_does_not_hurry_the_backoff) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply_with_retry_after(STATUS_UNAVAILABLE, 60000, SAFE_UNTIL - 1500),
                     LEASE_OUTCOME_RETRY);
    due_exactly(LEASE_ACTION_RENEW, SAFE_UNTIL - 500);
    ck_assert_int_eq(reply_with_retry_after(STATUS_UNAVAILABLE, 60000, SAFE_UNTIL - 400),
                     LEASE_OUTCOME_NO_RETRY);
}
END_TEST

START_TEST(refusals_and_surprises_of_storage_are_repeated_like_failures) {
    static const enum status unknown[] = {
        STATUS_UNAVAILABLE, STATUS_UNAUTHORIZED, STATUS_INTERNAL,      STATUS_CANCELLED,
        STATUS_NO_MEMORY,   STATUS_TOO_LARGE,    STATUS_LEASE_CONFLICT};
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply(unknown[_i], RENEWAL), LEASE_OUTCOME_RETRY);
}
END_TEST

/* ---- renew_now ---- */

START_TEST(a_lease_whose_owner_needs_more_is_renewed_at_once) {
    lease_renewal_renew_now(&renewal, &lease, T + 5000);
    ck_assert(lease_renewal_is_coming(&renewal, &lease));
    due(LEASE_ACTION_RENEW, T + 5000);
    ck_assert_int_eq(reply(STATUS_OK, T + 5010), LEASE_OUTCOME_RENEWED);
    due_exactly(LEASE_ACTION_RENEW, T + 25000);
}
END_TEST

START_TEST(without_auto_renewal_too_but_that_once_only) {
    options.auto_renew = false;
    restart(30);
    ck_assert(!lease_renewal_is_coming(&renewal, &lease));
    lease_renewal_renew_now(&renewal, &lease, T + 5000);
    due(LEASE_ACTION_RENEW, T + 5000);
    ck_assert_int_eq(reply(STATUS_OK, T + 5010), LEASE_OUTCOME_RENEWED);
    due_exactly(LEASE_ACTION_NOTIFY_LOSS, T + 5000 + 27000);
}
END_TEST

START_TEST(a_renewal_in_flight_is_not_sent_twice) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    lease_renewal_renew_now(&renewal, &lease, RENEWAL + 1);
    ck_assert(lease_renewal_is_coming(&renewal, &lease));
    assert_nothing_due(SAFE_UNTIL - 1);
}
END_TEST

START_TEST(a_retry_that_waits_is_not_hurried) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply_with_retry_after(STATUS_UNAVAILABLE, 3000, RENEWAL),
                     LEASE_OUTCOME_RETRY);
    lease_renewal_renew_now(&renewal, &lease, RENEWAL + 1);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL + 3000);
}
END_TEST

START_TEST(when_the_retries_are_used_up_it_is_a_new_renewal_with_retries_of_its_own) {
    options.renew_max_retries = 1;
    restart(30);
    fail_renewal(RENEWAL, RENEWAL, LEASE_OUTCOME_RETRY);
    fail_renewal(RENEWAL + 1000, RENEWAL + 1000, LEASE_OUTCOME_NO_RETRY);
    ck_assert(!lease_renewal_is_coming(&renewal, &lease));
    lease_renewal_renew_now(&renewal, &lease, RENEWAL + 2000);
    fail_renewal(RENEWAL + 2000, RENEWAL + 2000, LEASE_OUTCOME_RETRY);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL + 3000);
    ck_assert_int_eq(reply(STATUS_OK, RENEWAL + 3001), LEASE_OUTCOME_RENEWED);
}
END_TEST

START_TEST(when_the_retries_are_used_up_a_new_renewal_still_waits_for_retry_after) {
    options.renew_max_retries = 0;
    restart(30);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply_with_retry_after(STATUS_UNAVAILABLE, 3000, RENEWAL),
                     LEASE_OUTCOME_NO_RETRY);
    lease_renewal_renew_now(&renewal, &lease, RENEWAL + 1);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL + 3000);
}
END_TEST

START_TEST(at_the_safe_deadline_it_is_lost_instead) {
    lease_renewal_renew_now(&renewal, &lease, SAFE_UNTIL);
    due(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    ck_assert(!lease_renewal_is_coming(&renewal, &lease));
    lease_renewal_renew_now(&renewal, &lease, SAFE_UNTIL);
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(an_infinite_lease_and_a_released_one_are_not_renewed) {
    restart(LEASEHOLD_INFINITE);
    lease_renewal_renew_now(&renewal, &lease, T + 1);
    assert_nothing_due(INT64_MAX - 1);
    restart(30);
    lease_renewal_release(&renewal, &lease, T + 1);
    lease_renewal_renew_now(&renewal, &lease, T + 1);
    due(LEASE_ACTION_RELEASE, T + 1);
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

/* ---- being lost ---- */

START_TEST(a_lease_that_storage_says_is_not_ours_is_lost_at_once_and_not_released) {
    static const enum status not_ours[] = {STATUS_LEASE_LOST, STATUS_NOT_FOUND,
                                           STATUS_CONTAINER_NOT_FOUND, STATUS_PRECONDITION_FAILED};
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply(not_ours[_i], RENEWAL + 5), LEASE_OUTCOME_LOST);
    ck_assert(!safe(RENEWAL + 5));
    ck_assert_int_eq(lease_renewal_next_ms(&renewal), INT64_MAX);
    lease_renewal_release(&renewal, &lease, RENEWAL + 6);
    ck_assert(lease_is_finished(&lease));
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(the_loss_is_notified_at_the_safe_deadline_while_a_renewal_hangs) {
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    due_exactly(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    lease_renewal_notified(&lease);
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(a_good_answer_after_the_loss_changes_nothing) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    due(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    lease_renewal_notified(&lease);
    ck_assert_int_eq(reply(STATUS_OK, SAFE_UNTIL + 1), LEASE_OUTCOME_NONE);
    ck_assert_int_eq(lease.state, LEASE_LOST);
    ck_assert_int_eq(lease.renewal_count, 0);
    ck_assert(!safe(SAFE_UNTIL + 1));
}
END_TEST

START_TEST(a_good_reply_at_the_safe_deadline_before_the_loss_was_notified_is_too_late) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply(STATUS_OK, SAFE_UNTIL), LEASE_OUTCOME_LOST);
    ck_assert(!safe(SAFE_UNTIL));
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(a_good_reply_one_millisecond_before_the_safe_deadline_is_in_time) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(reply(STATUS_OK, SAFE_UNTIL - 1), LEASE_OUTCOME_RENEWED);
    ck_assert(safe(SAFE_UNTIL));
}
END_TEST

START_TEST(a_lost_lease_is_released_all_the_same_because_it_may_live_on_at_storage) {
    due(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    lease_renewal_notified(&lease);
    lease_renewal_release(&renewal, &lease, EXPIRY - 1);
    ck_assert_int_eq(due(LEASE_ACTION_RELEASE, EXPIRY - 1).timeout_ms, 1);
}
END_TEST

START_TEST(a_lost_lease_that_has_run_out_is_not_released) {
    due(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    lease_renewal_notified(&lease);
    lease_renewal_release(&renewal, &lease, EXPIRY);
    ck_assert(lease_is_finished(&lease));
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(a_renewal_without_an_answer_may_have_prolonged_the_lease_that_is_released) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    due(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    lease_renewal_notified(&lease);
    ck_assert_int_eq(reply(STATUS_UNAVAILABLE, SAFE_UNTIL), LEASE_OUTCOME_NONE);
    lease_renewal_release(&renewal, &lease, RENEWAL + 29999);
    due(LEASE_ACTION_RELEASE, RENEWAL + 29999);
}
END_TEST

START_TEST(a_late_answer_that_the_lease_is_gone_makes_its_release_needless) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    due(LEASE_ACTION_NOTIFY_LOSS, SAFE_UNTIL);
    lease_renewal_notified(&lease);
    ck_assert_int_eq(reply(STATUS_LEASE_LOST, SAFE_UNTIL + 1), LEASE_OUTCOME_NONE);
    lease_renewal_release(&renewal, &lease, SAFE_UNTIL + 2);
    ck_assert(lease_is_finished(&lease));
}
END_TEST

START_TEST(a_lease_whose_owner_is_being_notified_is_not_finished) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    ck_assert_int_eq(lease_renewal_on_renew_reply(&renewal, &lease, STATUS_LEASE_LOST, 0, RENEWAL),
                     LEASE_OUTCOME_LOST);
    lease_renewal_release(&renewal, &lease, RENEWAL);
    ck_assert_int_eq(lease.state, LEASE_ENDED);
    ck_assert(!lease_is_finished(&lease));
    lease_renewal_notified(&lease);
    ck_assert(lease_is_finished(&lease));
}
END_TEST

/* ---- being released ---- */

START_TEST(a_released_lease_is_released_at_storage_at_once_and_not_renewed_again) {
    lease_renewal_release(&renewal, &lease, T + 100);
    ck_assert(!safe(T + 100));
    ck_assert_int_eq(due(LEASE_ACTION_RELEASE, T + 100).timeout_ms, LEASE_RELEASE_TIMEOUT_MS);
    assert_nothing_due(INT64_MAX - 1);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_OK, 0, T + 150));
    ck_assert(lease_is_finished(&lease));
    assert_nothing_due(INT64_MAX - 1);
    ck_assert_uint_eq(renewal.count, 0);
}
END_TEST

START_TEST(a_lease_released_twice_is_released_at_storage_once) {
    lease_renewal_release(&renewal, &lease, T + 100);
    due(LEASE_ACTION_RELEASE, T + 100);
    lease_renewal_release(&renewal, &lease, T + 101);
    assert_nothing_due(T + 101);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_OK, 0, T + 150));
    lease_renewal_release(&renewal, &lease, T + 200);
    assert_nothing_due(INT64_MAX - 1);
    ck_assert_uint_eq(renewal.count, 0);
}
END_TEST

START_TEST(a_lease_released_while_its_renewal_is_in_flight_ignores_the_reply) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    lease_renewal_release(&renewal, &lease, RENEWAL + 10);
    due(LEASE_ACTION_RELEASE, RENEWAL + 10);
    ck_assert_int_eq(reply(STATUS_OK, RENEWAL + 20), LEASE_OUTCOME_NONE);
    ck_assert_int_eq(lease.renewal_count, 0);
    assert_nothing_due(INT64_MAX - 1);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_OK, 0, RENEWAL + 30));
    ck_assert(lease_is_finished(&lease));
}
END_TEST

START_TEST(a_lease_is_not_finished_while_its_renewal_hangs) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    lease_renewal_release(&renewal, &lease, RENEWAL + 10);
    due(LEASE_ACTION_RELEASE, RENEWAL + 10);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_OK, 0, RENEWAL + 30));
    ck_assert(!lease_is_finished(&lease));
    ck_assert_int_eq(reply(STATUS_CANCELLED, RENEWAL + 40), LEASE_OUTCOME_NONE);
    ck_assert(lease_is_finished(&lease));
}
END_TEST

START_TEST(a_release_waits_for_retry_after) {
    lease_renewal_release(&renewal, &lease, T);
    due(LEASE_ACTION_RELEASE, T);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 4000, T + 10));
    due_exactly(LEASE_ACTION_RELEASE, T + 4010);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 100, T + 4010));
    due_exactly(LEASE_ACTION_RELEASE, T + 4010 + 2 * LEASE_RELEASE_RETRY_MS);
    ck_assert(
        !lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 25000, T + 5000));
    ck_assert(lease_is_finished(&lease));
}
END_TEST

START_TEST(a_late_renewal_that_says_gone_ends_a_release_that_waits_to_be_tried_again) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    lease_renewal_release(&renewal, &lease, RENEWAL + 10);
    due(LEASE_ACTION_RELEASE, RENEWAL + 10);
    ck_assert(
        lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 0, RENEWAL + 20));
    ck_assert_int_eq(reply(STATUS_LEASE_LOST, RENEWAL + 30), LEASE_OUTCOME_NONE);
    ck_assert(lease_is_finished(&lease));
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(a_late_renewal_that_says_gone_ends_a_release_in_flight_with_its_answer) {
    due(LEASE_ACTION_RENEW, RENEWAL);
    lease_renewal_release(&renewal, &lease, RENEWAL + 10);
    due(LEASE_ACTION_RELEASE, RENEWAL + 10);
    ck_assert_int_eq(reply(STATUS_LEASE_LOST, RENEWAL + 30), LEASE_OUTCOME_NONE);
    ck_assert(!lease_is_finished(&lease));
    ck_assert(
        lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 0, RENEWAL + 40));
    ck_assert(lease_is_finished(&lease));
}
END_TEST

START_TEST(what_storage_says_of_a_lease_that_is_not_ours_ends_its_release) {
    static const enum status not_ours[] = {STATUS_LEASE_LOST, STATUS_NOT_FOUND,
                                           STATUS_CONTAINER_NOT_FOUND, STATUS_PRECONDITION_FAILED};
    lease_renewal_release(&renewal, &lease, T);
    due(LEASE_ACTION_RELEASE, T);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, not_ours[_i], 0, T + 1));
    ck_assert(lease_is_finished(&lease));
}
END_TEST

START_TEST(a_release_is_repeated_after_waits_that_double) {
    lease_renewal_release(&renewal, &lease, T);
    int64_t now_ms = T;
    for (int64_t wait_ms = LEASE_RELEASE_RETRY_MS; wait_ms <= INT64_C(8) * LEASE_RELEASE_RETRY_MS;
         wait_ms *= 2) {
        due_exactly(LEASE_ACTION_RELEASE, now_ms);
        ck_assert(
            lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 0, now_ms + 3));
        now_ms += 3 + wait_ms;
    }
    due_exactly(LEASE_ACTION_RELEASE, now_ms);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_OK, 0, now_ms));
    ck_assert(lease_is_finished(&lease));
}
END_TEST

START_TEST(a_release_ends_when_its_next_attempt_would_find_the_lease_expired) {
    lease_renewal_release(&renewal, &lease, T + 10);
    due(LEASE_ACTION_RELEASE, T + 10);
    ck_assert(!lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 0,
                                              EXPIRY - LEASE_RELEASE_RETRY_MS));
    ck_assert(lease_is_finished(&lease));
    assert_nothing_due(INT64_MAX - 1);
}
END_TEST

START_TEST(a_release_is_repeated_as_long_as_its_next_attempt_finds_the_lease) {
    lease_renewal_release(&renewal, &lease, T + 10);
    due(LEASE_ACTION_RELEASE, T + 10);
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 0,
                                             EXPIRY - LEASE_RELEASE_RETRY_MS - 1));
    ck_assert_int_eq(due_exactly(LEASE_ACTION_RELEASE, EXPIRY - 1).timeout_ms, 1);
}
END_TEST

START_TEST(the_release_of_an_infinite_lease_is_tried_for_a_minute) {
    restart(LEASEHOLD_INFINITE);
    lease_renewal_release(&renewal, &lease, T + 7);
    ck_assert_int_eq(due(LEASE_ACTION_RELEASE, T + 7).timeout_ms, LEASE_RELEASE_TIMEOUT_MS);
    int64_t end_ms = T + 7 + LEASE_RELEASE_INFINITE_MS;
    ck_assert(lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 0,
                                             end_ms - LEASE_RELEASE_RETRY_MS - 1));
    due_exactly(LEASE_ACTION_RELEASE, end_ms - 1);
    ck_assert(!lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 0, end_ms - 1));
    ck_assert(lease_is_finished(&lease));
}
END_TEST

START_TEST(a_release_that_wakes_up_late_is_still_sent_once) {
    lease_renewal_release(&renewal, &lease, T + 10);
    ck_assert_int_eq(due(LEASE_ACTION_RELEASE, EXPIRY + 5000).timeout_ms, 1);
    ck_assert(
        !lease_renewal_on_release_reply(&renewal, &lease, STATUS_UNAVAILABLE, 0, EXPIRY + 5001));
    ck_assert(lease_is_finished(&lease));
}
END_TEST

/* ---- many ---- */

START_TEST(
    many_leases_are_renewed_in_the_order_of_their_due_times_whatever_the_order_they_came_in) {
    static struct lease many[MANY];
    for (int i = 0; i < MANY; i++) {
        start_with(&many[i], 30, T + 1 + (i * 7919) % MANY);
    }
    ck_assert_uint_eq(renewal.count, MANY + 1);
    due_exactly(LEASE_ACTION_RENEW, RENEWAL);
    for (int i = 1; i <= MANY; i++) {
        assert_nothing_due(RENEWAL + i - 1);
        struct lease_action action = lease_renewal_due(&renewal, RENEWAL + i);
        ck_assert_int_eq(action.kind, LEASE_ACTION_RENEW);
        ck_assert_int_eq(action.lease->renewed_ms, T + i);
        ck_assert_int_eq(
            lease_renewal_on_renew_reply(&renewal, action.lease, STATUS_OK, 0, RENEWAL + i),
            LEASE_OUTCOME_RENEWED);
    }
}
END_TEST

START_TEST(a_lease_that_is_not_granted_is_not_counted_any_more) {
    lease_renewal_count_lease(&renewal);
    ck_assert_uint_eq(renewal.count, 2);
    lease_renewal_uncount_lease(&renewal);
    ck_assert_uint_eq(renewal.count, 1);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name) {
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, set_up, NULL);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_held_and_renewing(Suite *suite) {
    TCase *held = new_case(suite, "held");
    tcase_add_test(
        held,
        a_lease_is_safe_until_the_threshold_of_its_duration_has_passed_since_it_was_asked_for);
    tcase_add_test(held, an_infinite_lease_is_always_safe_and_nothing_is_ever_due);
    tcase_add_test(
        held,
        without_auto_renewal_the_loss_is_notified_at_the_safe_deadline_and_nothing_is_sent_before);
    tcase_add_test(held, a_lease_is_small);
    TCase *renewing = new_case(suite, "renewing");
    tcase_add_test(renewing, a_renewal_is_due_at_the_interval);
    tcase_add_test(renewing, interval_and_safe_deadline_are_parts_of_the_leases_own_duration);
    tcase_add_test(renewing, a_renewed_lease_is_reckoned_from_before_the_renewal_was_sent);
    tcase_add_test(renewing,
                   while_a_renewal_is_under_way_the_old_one_decides_whether_the_lease_is_safe);
    tcase_add_test(renewing, the_attempts_share_the_time_that_is_left_before_the_safe_deadline);
    tcase_add_test(renewing, an_attempts_timeout_is_never_zero_and_never_past_the_safe_deadline);
    tcase_add_test(renewing, a_failed_attempt_is_repeated_after_waits_that_double);
    tcase_add_test(renewing, after_a_good_attempt_retries_and_waits_begin_anew);
    tcase_add_test(
        renewing,
        when_the_retries_are_used_up_the_lease_is_held_until_the_safe_deadline_and_then_lost);
    tcase_add_test(renewing, without_retries_the_first_failure_is_the_last);
    tcase_add_test(renewing, an_attempt_that_would_start_at_the_safe_deadline_is_not_made);
    tcase_add_test(renewing, an_attempt_that_can_start_just_before_the_safe_deadline_is_made);
    tcase_add_test(
        renewing, a_process_that_wakes_past_the_safe_deadline_notifies_the_loss_and_does_not_renew);
    tcase_add_test(renewing, an_attempt_that_none_can_follow_has_all_the_time_that_is_left);
    tcase_add_test(renewing, retry_after_is_waited_for_when_it_is_longer_than_the_backoff);
    tcase_add_test(renewing, retry_after_that_ends_just_before_the_safe_deadline_is_waited_for);
    tcase_add_loop_test(renewing,
                        retry_after_past_the_safe_deadline_does_not_lose_the_lease_untried, 0, 2);
    tcase_add_test(renewing, retry_after_past_the_safe_deadline_does_not_hurry_the_backoff);
    tcase_add_loop_test(renewing, refusals_and_surprises_of_storage_are_repeated_like_failures, 0,
                        7);
}

static void add_hastened(Suite *suite) {
    TCase *hastened = new_case(suite, "hastened");
    tcase_add_test(hastened, a_lease_whose_owner_needs_more_is_renewed_at_once);
    tcase_add_test(hastened, without_auto_renewal_too_but_that_once_only);
    tcase_add_test(hastened, a_renewal_in_flight_is_not_sent_twice);
    tcase_add_test(hastened, a_retry_that_waits_is_not_hurried);
    tcase_add_test(hastened,
                   when_the_retries_are_used_up_it_is_a_new_renewal_with_retries_of_its_own);
    tcase_add_test(hastened,
                   when_the_retries_are_used_up_a_new_renewal_still_waits_for_retry_after);
    tcase_add_test(hastened, at_the_safe_deadline_it_is_lost_instead);
    tcase_add_test(hastened, an_infinite_lease_and_a_released_one_are_not_renewed);
}

static void add_lost_and_given_up(Suite *suite) {
    TCase *lost = new_case(suite, "lost");
    tcase_add_loop_test(
        lost, a_lease_that_storage_says_is_not_ours_is_lost_at_once_and_not_released, 0, 4);
    tcase_add_test(lost, the_loss_is_notified_at_the_safe_deadline_while_a_renewal_hangs);
    tcase_add_test(lost, a_good_answer_after_the_loss_changes_nothing);
    tcase_add_test(lost,
                   a_good_reply_at_the_safe_deadline_before_the_loss_was_notified_is_too_late);
    tcase_add_test(lost, a_good_reply_one_millisecond_before_the_safe_deadline_is_in_time);
    tcase_add_test(lost, a_lost_lease_is_released_all_the_same_because_it_may_live_on_at_storage);
    tcase_add_test(lost, a_lost_lease_that_has_run_out_is_not_released);
    tcase_add_test(lost, a_renewal_without_an_answer_may_have_prolonged_the_lease_that_is_released);
    tcase_add_test(lost, a_late_answer_that_the_lease_is_gone_makes_its_release_needless);
    tcase_add_test(lost, a_lease_whose_owner_is_being_notified_is_not_finished);
    TCase *given_up = new_case(suite, "given up");
    tcase_add_test(given_up, a_released_lease_is_released_at_storage_at_once_and_not_renewed_again);
    tcase_add_test(given_up, a_lease_released_twice_is_released_at_storage_once);
    tcase_add_test(given_up, a_lease_released_while_its_renewal_is_in_flight_ignores_the_reply);
    tcase_add_test(given_up, a_lease_is_not_finished_while_its_renewal_hangs);
    tcase_add_test(given_up, a_release_waits_for_retry_after);
    tcase_add_test(given_up,
                   a_late_renewal_that_says_gone_ends_a_release_that_waits_to_be_tried_again);
    tcase_add_test(given_up,
                   a_late_renewal_that_says_gone_ends_a_release_in_flight_with_its_answer);
    tcase_add_loop_test(given_up, what_storage_says_of_a_lease_that_is_not_ours_ends_its_release, 0,
                        4);
    tcase_add_test(given_up, a_release_is_repeated_after_waits_that_double);
    tcase_add_test(given_up, a_release_ends_when_its_next_attempt_would_find_the_lease_expired);
    tcase_add_test(given_up, a_release_is_repeated_as_long_as_its_next_attempt_finds_the_lease);
    tcase_add_test(given_up, the_release_of_an_infinite_lease_is_tried_for_a_minute);
    tcase_add_test(given_up, a_release_that_wakes_up_late_is_still_sent_once);
}

int main(void) {
    Suite *suite = suite_create("lease_renewal");
    add_held_and_renewing(suite);
    add_hastened(suite);
    add_lost_and_given_up(suite);
    TCase *many = new_case(suite, "many");
    tcase_add_test(
        many,
        many_leases_are_renewed_in_the_order_of_their_due_times_whatever_the_order_they_came_in);
    tcase_add_test(many, a_lease_that_is_not_granted_is_not_counted_any_more);
    return check_main(suite);
}
