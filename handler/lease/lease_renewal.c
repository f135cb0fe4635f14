#include "lease/lease_renewal.h"

#include <assert.h>
#include <stddef.h>

#include "base/clock.h"
#include "lease/lease_options.h"

void lease_renewal_init(struct lease_renewal *renewal, const struct leasehold_options *options) {
    *renewal = (struct lease_renewal){.options = options};
}

void lease_renewal_count_lease(struct lease_renewal *renewal) {
    renewal->count++;
}

void lease_renewal_uncount_lease(struct lease_renewal *renewal) {
    assert(renewal->count > 0);
    renewal->count--;
}

int64_t lease_safe_until_ms(const struct lease *lease, const struct leasehold_options *options) {
    int64_t safe_for_ms = lease_options_safe_for_ms(options, lease->duration_s);
    return safe_for_ms == INT64_MAX ? INT64_MAX : lease->renewed_ms + safe_for_ms;
}

static bool is_held(const struct lease *lease) {
    return lease->state == LEASE_HELD || lease->state == LEASE_RENEWING;
}

bool lease_is_safe(const struct lease *lease, const struct leasehold_options *options,
                   int64_t now_ms) {
    return is_held(lease) && now_ms < lease_safe_until_ms(lease, options);
}

bool lease_is_finished(const struct lease *lease) {
    return lease->state == LEASE_ENDED && lease->in_flight == 0;
}

/* Whether storage has said that the lease is no longer ours (lease_store.h). */
static bool is_not_ours(enum status status) {
    return status == STATUS_LEASE_LOST || status == STATUS_NOT_FOUND ||
           status == STATUS_CONTAINER_NOT_FOUND || status == STATUS_PRECONDITION_FAILED;
}

/*
 * Sets the timer of a held lease for its next attempt at `attempt_ms`, or for the safe deadline if
 * that is earlier: there a loss is noticed. INT64_MAX stands for no attempt. While it is held, a
 * lease without an end has no timer.
 */
static void schedule_attempt(struct lease_renewal *renewal, struct lease *lease,
                             int64_t attempt_ms) {
    int64_t due_ms = clock_min_ms(attempt_ms, lease_safe_until_ms(lease, renewal->options));
    if (due_ms != INT64_MAX) {
        timer_heap_set(&renewal->heap, &lease->timer, due_ms);
    }
}

/* The lease was granted or renewed by a request sent at `sent_ms`. */
static void enter_held(struct lease_renewal *renewal, struct lease *lease, int64_t sent_ms) {
    const struct leasehold_options *options = renewal->options;
    bool renews = options->auto_renew && lease->duration_s != LEASEHOLD_INFINITE;
    lease->state = LEASE_HELD;
    lease->renewed_ms = sent_ms;
    lease->allowed_from_ms = sent_ms;
    lease->attempts = 0;
    lease->retry_ms = options->renew_retry_ms;
    schedule_attempt(renewal, lease,
                     renews ? sent_ms + lease_options_renew_after_ms(options, lease->duration_s)
                            : INT64_MAX);
}

static void enter_lost(struct lease_renewal *renewal, struct lease *lease) {
    lease->state = LEASE_LOST;
    timer_heap_remove(&renewal->heap, &lease->timer);
}

static void enter_ended(struct lease_renewal *renewal, struct lease *lease) {
    lease->state = LEASE_ENDED;
    timer_heap_remove(&renewal->heap, &lease->timer);
    timer_heap_remove(&renewal->send_queue, &lease->send_slot);
    lease_renewal_uncount_lease(renewal);
}

void lease_renewal_start(struct lease_renewal *renewal, struct lease *lease, int64_t sent_ms) {
    lease->timer = (struct timer_entry){.is_set = false};
    lease->send_slot = (struct timer_entry){.is_set = false};
    lease->renewal_count = 0;
    lease->in_flight = 0;
    lease->is_gone = false;
    lease->sent_ms = sent_ms;
    enter_held(renewal, lease, sent_ms);
}

/*
 * Returns when a release is given up. By then a lease with an end has expired at storage. That
 * counts from the last request that was sent, because storage may have granted that one although
 * its reply was lost.
 */
static int64_t release_deadline_ms(const struct lease *lease, int64_t now_ms) {
    if (lease->duration_s == LEASEHOLD_INFINITE) {
        return now_ms + LEASE_RELEASE_INFINITE_MS;
    }
    return lease->sent_ms + (int64_t)lease->duration_s * 1000;
}

void lease_renewal_release(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms) {
    if (lease->state == LEASE_RELEASING || lease->state == LEASE_ENDED) {
        return;
    }
    lease->release_by_ms = release_deadline_ms(lease, now_ms);
    if (lease->is_gone || now_ms >= lease->release_by_ms) {
        enter_ended(renewal, lease);
        return;
    }
    lease->state = LEASE_RELEASING;
    lease->attempts = 0;
    lease->retry_ms = LEASE_RELEASE_RETRY_MS;
    timer_heap_set(&renewal->heap, &lease->timer, now_ms);
}

/* ---- actions ---- */

/*
 * The attempts that are still allowed share the time until the safe deadline. An attempt that no
 * retry can follow gets all of it.
 */
static int64_t attempt_timeout_ms(const struct lease_renewal *renewal, const struct lease *lease,
                                  int64_t now_ms) {
    int64_t left_ms = lease_safe_until_ms(lease, renewal->options) - now_ms;
    int attempts_left = renewal->options->renew_max_retries + 1 - lease->attempts;
    return lease->retry_ms >= left_ms ? left_ms : left_ms / attempts_left;
}

static struct lease_action begin_renewal(struct lease_renewal *renewal, struct lease *lease,
                                         int64_t now_ms) {
    int64_t timeout_ms = attempt_timeout_ms(renewal, lease, now_ms);
    lease->state = LEASE_RENEWING;
    lease->sent_ms = now_ms;
    lease->in_flight++;
    renewal->sending_count++;
    schedule_attempt(renewal, lease, INT64_MAX);
    return (struct lease_action){LEASE_ACTION_RENEW, lease, clock_max_ms(timeout_ms, 1)};
}

static struct lease_action begin_release(struct lease_renewal *renewal, struct lease *lease,
                                         int64_t now_ms) {
    int64_t timeout_ms = clock_min_ms(lease->release_by_ms - now_ms, LEASE_RELEASE_TIMEOUT_MS);
    lease->in_flight++;
    renewal->sending_count++;
    timer_heap_remove(&renewal->heap, &lease->timer);
    return (struct lease_action){LEASE_ACTION_RELEASE, lease, clock_max_ms(timeout_ms, 1)};
}

/* The lease counts as in flight until its owner has been notified. */
static struct lease_action begin_loss(struct lease_renewal *renewal, struct lease *lease) {
    enter_lost(renewal, lease);
    lease->in_flight++;
    return (struct lease_action){.kind = LEASE_ACTION_NOTIFY_LOSS, .lease = lease};
}

static struct lease_action begin_action(struct lease_renewal *renewal, struct lease *lease,
                                        int64_t now_ms) {
    timer_heap_remove(&renewal->send_queue, &lease->send_slot);
    if (lease->state == LEASE_RELEASING) {
        return begin_release(renewal, lease, now_ms);
    }
    assert(is_held(lease));
    return lease_is_safe(lease, renewal->options, now_ms) ? begin_renewal(renewal, lease, now_ms)
                                                          : begin_loss(renewal, lease);
}

/* ---- what is due ---- */

/* Returns the most urgent lease that waits for a send slot, if a slot is free. */
static struct lease *first_in_send_queue(const struct lease_renewal *renewal) {
    struct timer_entry *first = timer_heap_first(&renewal->send_queue);
    if (first == NULL || renewal->sending_count >= LEASE_MAX_REQUESTS_IN_FLIGHT) {
        return NULL;
    }
    return (struct lease *)(void *)((char *)first - offsetof(struct lease, send_slot));
}

static struct lease *first_due(const struct lease_renewal *renewal, int64_t now_ms) {
    struct timer_entry *first = timer_heap_first(&renewal->heap);
    return first != NULL && first->due_ms <= now_ms ? (struct lease *)first : NULL;
}

/* The timer stays set for the safe deadline, so that a loss is noticed on time all the same. */
static void wait_for_send_slot(struct lease_renewal *renewal, struct lease *lease) {
    bool releasing = lease->state == LEASE_RELEASING;
    int64_t safe_until_ms = lease_safe_until_ms(lease, renewal->options);
    timer_heap_set(&renewal->heap, &lease->timer, releasing ? INT64_MAX : safe_until_ms);
    timer_heap_set(&renewal->send_queue, &lease->send_slot,
                   releasing ? lease->release_by_ms : safe_until_ms);
}

/*
 * Leases that already wait for a slot go before those that fall due now. A loss needs no slot,
 * since nothing is sent for it.
 */
struct lease_action lease_renewal_due(struct lease_renewal *renewal, int64_t now_ms) {
    struct lease *lease = first_in_send_queue(renewal);
    while (lease == NULL && (lease = first_due(renewal, now_ms)) != NULL) {
        bool sends =
            lease->state == LEASE_RELEASING || lease_is_safe(lease, renewal->options, now_ms);
        if (sends && renewal->sending_count >= LEASE_MAX_REQUESTS_IN_FLIGHT) {
            wait_for_send_slot(renewal, lease);
            lease = NULL;
        }
    }
    return lease != NULL ? begin_action(renewal, lease, now_ms)
                         : (struct lease_action){.kind = LEASE_ACTION_NONE};
}

int64_t lease_renewal_next_ms(const struct lease_renewal *renewal) {
    const struct timer_entry *first = timer_heap_first(&renewal->heap);
    if (first_in_send_queue(renewal) != NULL) {
        return INT64_MIN;
    }
    return first != NULL ? first->due_ms : INT64_MAX;
}

void lease_renewal_renew_now(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms) {
    bool waits_for_retry = lease->attempts > 0 && lease_renewal_is_coming(renewal, lease);
    if (lease->state != LEASE_HELD || lease->duration_s == LEASEHOLD_INFINITE || waits_for_retry) {
        return;
    }
    lease->attempts = 0;
    lease->retry_ms = renewal->options->renew_retry_ms;
    schedule_attempt(renewal, lease, clock_max_ms(now_ms, lease->allowed_from_ms));
}

bool lease_renewal_is_coming(const struct lease_renewal *renewal, const struct lease *lease) {
    bool is_due =
        lease->timer.is_set && lease->timer.due_ms < lease_safe_until_ms(lease, renewal->options);
    return lease->state == LEASE_RENEWING ||
           (lease->state == LEASE_HELD && (is_due || lease->send_slot.is_set));
}

/* ---- replies ---- */

/*
 * The lease was lost or released while the renewal was in flight. The reply may still say that
 * there is nothing to release.
 */
static enum lease_outcome on_late_reply(struct lease_renewal *renewal, struct lease *lease,
                                        enum status status) {
    lease->in_flight--;
    lease->is_gone = lease->is_gone || is_not_ours(status);
    bool release_waits = lease->state == LEASE_RELEASING && lease->timer.is_set;
    if (lease->is_gone && release_waits) {
        enter_ended(renewal, lease);
    }
    return LEASE_OUTCOME_NONE;
}

/*
 * Returns the time from which storage's Retry-After allows the next attempt. If that is past the
 * safe deadline, returns the last moment that is worth an attempt.
 */
static int64_t allowed_from_ms(int64_t safe_until_ms, int retry_after_ms, int64_t now_ms) {
    int64_t requested_ms = now_ms + retry_after_ms;
    return requested_ms >= safe_until_ms ? safe_until_ms - LEASE_LAST_ATTEMPT_MS : requested_ms;
}

static enum lease_outcome on_failed_reply(struct lease_renewal *renewal, struct lease *lease,
                                          int retry_after_ms, int64_t now_ms) {
    int64_t safe_until_ms = lease_safe_until_ms(lease, renewal->options);
    lease->allowed_from_ms = allowed_from_ms(safe_until_ms, retry_after_ms, now_ms);
    int64_t attempt_ms = clock_max_ms(now_ms + lease->retry_ms, lease->allowed_from_ms);
    lease->state = LEASE_HELD;
    lease->attempts++;
    lease->retry_ms *= 2;
    bool retries =
        lease->attempts <= renewal->options->renew_max_retries && attempt_ms < safe_until_ms;
    schedule_attempt(renewal, lease, retries ? attempt_ms : INT64_MAX);
    return retries ? LEASE_OUTCOME_RETRY : LEASE_OUTCOME_NO_RETRY;
}

enum lease_outcome lease_renewal_on_renew_reply(struct lease_renewal *renewal, struct lease *lease,
                                                enum status status, int retry_after_ms,
                                                int64_t now_ms) {
    assert(lease->in_flight > 0 && renewal->sending_count > 0);
    renewal->sending_count--;
    if (lease->state != LEASE_RENEWING) {
        return on_late_reply(renewal, lease, status);
    }
    lease->is_gone = is_not_ours(status);
    if (lease->is_gone || !lease_is_safe(lease, renewal->options, now_ms)) {
        enter_lost(renewal, lease);
        return LEASE_OUTCOME_LOST;
    }
    if (status != STATUS_OK) {
        return on_failed_reply(renewal, lease, retry_after_ms, now_ms);
    }
    lease->renewal_count++;
    enter_held(renewal, lease, lease->sent_ms);
    return LEASE_OUTCOME_RENEWED;
}

void lease_renewal_notified(struct lease *lease) {
    assert(lease->in_flight > 0);
    lease->in_flight--;
}

bool lease_renewal_on_release_reply(struct lease_renewal *renewal, struct lease *lease,
                                    enum status status, int retry_after_ms, int64_t now_ms) {
    assert(lease->state == LEASE_RELEASING && lease->in_flight > 0 && renewal->sending_count > 0);
    lease->in_flight--;
    renewal->sending_count--;
    bool is_done = status == STATUS_OK || is_not_ours(status) || lease->is_gone;
    int64_t attempt_ms = now_ms + clock_max_ms(lease->retry_ms, retry_after_ms);
    if (is_done || attempt_ms >= lease->release_by_ms) {
        enter_ended(renewal, lease);
        return is_done;
    }
    lease->attempts++;
    lease->retry_ms *= 2;
    timer_heap_set(&renewal->heap, &lease->timer, attempt_ms);
    return true;
}
