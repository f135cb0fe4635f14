#include "lease/lease_renewal.h"

#include <assert.h>
#include <stddef.h>

#include "base/clock.h"
#include "lease/lease_options.h"

void lease_renewal_init(struct lease_renewal *renewal, const struct leasehold_options *options) {
    *renewal = (struct lease_renewal){.options = options};
}

void lease_renewal_reserve(struct lease_renewal *renewal) {
    renewal->count++;
}

void lease_renewal_unreserve(struct lease_renewal *renewal) {
    assert(renewal->count > 0);
    renewal->count--;
}

int64_t lease_safety_ms(const struct lease *lease, const struct leasehold_options *options) {
    int64_t safe_for_ms = lease_options_safe_for_ms(options, lease->duration_s);
    return safe_for_ms == INT64_MAX ? INT64_MAX : lease->renewed_ms + safe_for_ms;
}

bool lease_is_safe(const struct lease *lease, const struct leasehold_options *options,
                   int64_t now_ms) {
    bool in_hand = lease->state == LEASE_HELD || lease->state == LEASE_RENEWING;
    return in_hand && now_ms < lease_safety_ms(lease, options);
}

bool lease_is_finished(const struct lease *lease) {
    return lease->state == LEASE_ENDED && lease->in_flight == 0;
}

/* Has storage said that the lease is not ours any more (see lease_store.h)? */
static bool is_not_ours(enum status status) {
    return status == STATUS_LEASE_LOST || status == STATUS_NOT_FOUND ||
           status == STATUS_CONTAINER_NOT_FOUND || status == STATUS_PRECONDITION_FAILED;
}

/* A lease in hand is looked at again when its next attempt is due, and at safety in any case. INT64_MAX: no attempt. */
static void schedule(struct lease_renewal *renewal, struct lease *lease, int64_t attempt_ms) {
    int64_t safety_ms = lease_safety_ms(lease, renewal->options);
    int64_t due_ms = attempt_ms < safety_ms ? attempt_ms : safety_ms;
    if (due_ms == INT64_MAX) {
        timer_heap_remove(&renewal->heap, &lease->timer);
    } else {
        timer_heap_set(&renewal->heap, &lease->timer, due_ms);
    }
}

/* The lease is good from `sent_ms` on: nothing is due before its renewal. */
static void hold(struct lease_renewal *renewal, struct lease *lease, int64_t sent_ms) {
    const struct leasehold_options *options = renewal->options;
    bool renews = options->auto_renew && lease->duration_s != LEASEHOLD_INFINITE;
    lease->state = LEASE_HELD;
    lease->renewed_ms = sent_ms;
    lease->attempts = 0;
    lease->retry_ms = options->renew_retry_ms;
    schedule(renewal, lease,
             renews ? sent_ms + lease_options_renew_after_ms(options, lease->duration_s)
                    : INT64_MAX);
}

static void end(struct lease_renewal *renewal, struct lease *lease) {
    lease->state = LEASE_ENDED;
    timer_heap_remove(&renewal->heap, &lease->timer);
    timer_heap_remove(&renewal->turns, &lease->turn);
    lease_renewal_unreserve(renewal);
}

void lease_renewal_start(struct lease_renewal *renewal, struct lease *lease, int64_t sent_ms) {
    lease->timer = (struct timer_entry){.is_set = false};
    lease->turn = (struct timer_entry){.is_set = false};
    lease->renewal_count = 0;
    lease->in_flight = 0;
    lease->gone = false;
    lease->sent_ms = sent_ms;
    hold(renewal, lease, sent_ms);
}

/* When the lease has run out at storage, should the last renewal have been granted there without our knowing. */
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
    if (lease->gone || now_ms >= lease->release_by_ms) {
        end(renewal, lease);
        return;
    }
    lease->state = LEASE_RELEASING;
    lease->attempts = 0;
    lease->retry_ms = LEASE_RELEASE_RETRY_MS;
    timer_heap_set(&renewal->heap, &lease->timer, now_ms);
}

/* The attempts that are still allowed share the time that is left; one that none can follow has all of it. */
static int64_t attempt_timeout_ms(const struct lease_renewal *renewal, const struct lease *lease,
                                  int64_t now_ms) {
    int64_t left_ms = lease_safety_ms(lease, renewal->options) - now_ms;
    int attempts_left = renewal->options->renew_max_retries + 1 - lease->attempts;
    return lease->retry_ms >= left_ms ? left_ms : left_ms / attempts_left;
}

static struct lease_action begin_renewal(struct lease_renewal *renewal, struct lease *lease,
                                         int64_t now_ms) {
    int64_t share_ms = attempt_timeout_ms(renewal, lease, now_ms);
    lease->state = LEASE_RENEWING;
    lease->sent_ms = now_ms;
    lease->in_flight++;
    renewal->sending++;
    schedule(renewal, lease, INT64_MAX);
    return (struct lease_action){LEASE_ACTION_RENEW, lease, share_ms > 1 ? share_ms : 1};
}

static struct lease_action begin_release(struct lease_renewal *renewal, struct lease *lease,
                                         int64_t now_ms) {
    int64_t left_ms = lease->release_by_ms - now_ms;
    int64_t timeout_ms = left_ms < LEASE_RELEASE_TIMEOUT_MS ? left_ms : LEASE_RELEASE_TIMEOUT_MS;
    lease->in_flight++;
    renewal->sending++;
    timer_heap_remove(&renewal->heap, &lease->timer);
    return (struct lease_action){LEASE_ACTION_RELEASE, lease, timeout_ms > 1 ? timeout_ms : 1};
}

static void lose(struct lease_renewal *renewal, struct lease *lease) {
    lease->state = LEASE_LOST;
    timer_heap_remove(&renewal->heap, &lease->timer);
}

/*
 * Returns true if a lease in hand has passed safety. Then it is LOST from now on, and in flight
 * until its owner has been notified.
 */
static bool notice_loss(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms) {
    bool in_hand = lease->state == LEASE_HELD || lease->state == LEASE_RENEWING;
    if (!in_hand || lease_is_safe(lease, renewal->options, now_ms)) {
        return false;
    }
    timer_heap_remove(&renewal->turns, &lease->turn);
    lose(renewal, lease);
    lease->in_flight++;
    return true;
}

static struct lease_action act(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms) {
    timer_heap_remove(&renewal->turns, &lease->turn);
    if (lease->state == LEASE_RELEASING) {
        return begin_release(renewal, lease, now_ms);
    }
    assert(lease->state == LEASE_HELD || lease->state == LEASE_RENEWING);
    if (notice_loss(renewal, lease, now_ms)) {
        return (struct lease_action){.kind = LEASE_ACTION_TELL_LOST, .lease = lease};
    }
    return begin_renewal(renewal, lease, now_ms);
}

/* The one that has to be sent soonest of those that wait for their turn, if there is room for it. */
static struct lease *next_turn(const struct lease_renewal *renewal) {
    struct timer_entry *first = timer_heap_first(&renewal->turns);
    if (first == NULL || renewal->sending >= LEASE_MAX_SENDING) {
        return NULL;
    }
    return (struct lease *)(void *)((char *)first - offsetof(struct lease, turn));
}

static struct lease *first_due(const struct lease_renewal *renewal, int64_t now_ms) {
    struct timer_entry *first = timer_heap_first(&renewal->heap);
    return first != NULL && first->due_ms <= now_ms ? (struct lease *)first : NULL;
}

/* It has something to send, but not now. Its loss is told on time all the same. */
static void wait_for_turn(struct lease_renewal *renewal, struct lease *lease) {
    bool releasing = lease->state == LEASE_RELEASING;
    int64_t safety_ms = lease_safety_ms(lease, renewal->options);
    timer_heap_set(&renewal->heap, &lease->timer, releasing ? INT64_MAX : safety_ms);
    timer_heap_set(&renewal->turns, &lease->turn, releasing ? lease->release_by_ms : safety_ms);
}

struct lease_action lease_renewal_due(struct lease_renewal *renewal, int64_t now_ms) {
    struct lease *lease = next_turn(renewal);
    while (lease == NULL && (lease = first_due(renewal, now_ms)) != NULL) {
        bool sends =
            lease->state == LEASE_RELEASING || lease_is_safe(lease, renewal->options, now_ms);
        if (sends && renewal->sending >= LEASE_MAX_SENDING) {
            wait_for_turn(renewal, lease);
            lease = NULL;
        }
    }
    return lease != NULL ? act(renewal, lease, now_ms)
                         : (struct lease_action){.kind = LEASE_ACTION_NONE};
}

int64_t lease_renewal_next_ms(const struct lease_renewal *renewal) {
    const struct timer_entry *first = timer_heap_first(&renewal->heap);
    if (next_turn(renewal) != NULL) {
        return INT64_MIN;
    }
    return first != NULL ? first->due_ms : INT64_MAX;
}

/* An answer that nobody waits for any more. It can still say that there is nothing to release. */
static enum lease_outcome on_late_reply(struct lease_renewal *renewal, struct lease *lease,
                                        enum status status) {
    lease->in_flight--;
    lease->gone = lease->gone || is_not_ours(status);
    bool release_waits = lease->state == LEASE_RELEASING && lease->timer.is_set;
    if (lease->gone && release_waits) {
        end(renewal, lease);
    }
    return LEASE_OUTCOME_NONE;
}

void lease_renewal_renew_now(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms) {
    bool waits_for_retry = lease->attempts > 0 && lease_renewal_is_coming(renewal, lease);
    if (lease->state != LEASE_HELD || lease->duration_s == LEASEHOLD_INFINITE || waits_for_retry) {
        return;
    }
    lease->attempts = 0;
    lease->retry_ms = renewal->options->renew_retry_ms;
    schedule(renewal, lease, now_ms);
}

bool lease_renewal_is_coming(const struct lease_renewal *renewal, const struct lease *lease) {
    bool is_due =
        lease->timer.is_set && lease->timer.due_ms < lease_safety_ms(lease, renewal->options);
    bool waits_for_turn = lease->turn.is_set;
    return lease->state == LEASE_RENEWING ||
           (lease->state == LEASE_HELD && (is_due || waits_for_turn));
}

static int64_t next_attempt_ms(const struct lease *lease, int64_t safety_ms, int retry_after_ms,
                               int64_t now_ms) {
    int64_t backoff_end_ms = now_ms + lease->retry_ms;
    int64_t asked_ms = now_ms + retry_after_ms;
    if (asked_ms >= safety_ms) {
        asked_ms = safety_ms - LEASE_LAST_ATTEMPT_MS;
    }
    return clock_max_ms(backoff_end_ms, asked_ms);
}

static enum lease_outcome on_failed_reply(struct lease_renewal *renewal, struct lease *lease,
                                          int retry_after_ms, int64_t now_ms) {
    int64_t safety_ms = lease_safety_ms(lease, renewal->options);
    int64_t attempt_ms = next_attempt_ms(lease, safety_ms, retry_after_ms, now_ms);
    lease->state = LEASE_HELD;
    lease->attempts++;
    lease->retry_ms *= 2;
    bool again = lease->attempts <= renewal->options->renew_max_retries && attempt_ms < safety_ms;
    schedule(renewal, lease, again ? attempt_ms : INT64_MAX);
    return again ? LEASE_OUTCOME_RETRY : LEASE_OUTCOME_NO_RETRY;
}

enum lease_outcome lease_renewal_on_renew_reply(struct lease_renewal *renewal, struct lease *lease,
                                                enum status status, int retry_after_ms,
                                                int64_t now_ms) {
    assert(lease->in_flight > 0 && renewal->sending > 0);
    renewal->sending--;
    if (lease->state != LEASE_RENEWING) {
        return on_late_reply(renewal, lease, status);
    }
    lease->gone = is_not_ours(status);
    if (lease->gone || !lease_is_safe(lease, renewal->options, now_ms)) {
        lose(renewal, lease);
        return LEASE_OUTCOME_LOST;
    }
    if (status != STATUS_OK) {
        return on_failed_reply(renewal, lease, retry_after_ms, now_ms);
    }
    lease->renewal_count++;
    hold(renewal, lease, lease->sent_ms);
    return LEASE_OUTCOME_RENEWED;
}

void lease_renewal_notified(struct lease *lease) {
    assert(lease->in_flight > 0);
    lease->in_flight--;
}

bool lease_renewal_on_release_reply(struct lease_renewal *renewal, struct lease *lease,
                                    enum status status, int retry_after_ms, int64_t now_ms) {
    assert(lease->state == LEASE_RELEASING && lease->in_flight > 0 && renewal->sending > 0);
    lease->in_flight--;
    renewal->sending--;
    bool done = status == STATUS_OK || is_not_ours(status) || lease->gone;
    int64_t attempt_ms = now_ms + clock_max_ms(lease->retry_ms, retry_after_ms);
    if (done || attempt_ms >= lease->release_by_ms) {
        end(renewal, lease);
        return done;
    }
    lease->attempts++;
    lease->retry_ms *= 2;
    timer_heap_set(&renewal->heap, &lease->timer, attempt_ms);
    return true;
}
