/*
 * lease_renewal.h - when a lease is renewed, released or lost: a state machine without a thread or
 * lock.
 *
 * The caller asks lease_renewal_due what to do, does it, and reports how storage replied.
 *
 * Vocabulary
 *     action         One thing to do now: send a renewal, send a release, or notify a loss.
 *     safe deadline  When the last good request was sent + threshold x duration. A lease that is
 *                    HELD or RENEWING may be relied on until then.
 *     retry          Another attempt at a renewal or release whose outcome is unknown. The first
 *                    attempt is not a retry.
 *     send slot      At most LEASE_MAX_REQUESTS_IN_FLIGHT requests are in flight. When more are due
 *                    at once, because the program was suspended or releases everything, the rest
 *                    waits here for a slot. Leases with the least time left go first.
 *
 * States
 *     HELD                       no attempt is in flight
 *     RENEWING                   an attempt is in flight; the lease is still held
 *     LOST                       storage said so, or the safe deadline has passed; the lease is
 *                                never HELD again
 *     RELEASING                  the owner has released it; storage has not confirmed that
 *     ENDED                      nothing is left to do
 *
 *     HELD <-> RENEWING          an attempt begins and is answered
 *     HELD, RENEWING -> LOST
 *     HELD, RENEWING, LOST -> RELEASING -> ENDED    the owner releases it; the request is retried
 *                                                   until it is confirmed or the lease has expired
 *     HELD, RENEWING, LOST -> ENDED                 the owner releases it, and storage no longer
 *                                                   holds it for us
 *
 * Rules
 *     Every time is an argument, on the clock that was passed in (base/clock.h now_ms).
 *     No renewal starts at or past the safe deadline, and none has a timeout that ends after it.
 *     The attempts that are still allowed share the time left. When they are used up, the lease
 *     stays HELD until the safe deadline.
 *     Waiting for a send slot is not part of an attempt: the attempt's timeout is computed when it
 *     is sent. A lease that gets no slot in time is lost at the safe deadline like any other.
 *     A Retry-After is respected. If it lies past the safe deadline, the next attempt is made
 *     LEASE_LAST_ATTEMPT_MS before the deadline, since one bad answer must not lose the lease.
 *     A reply at or past the safe deadline does not save the lease, even if storage has renewed it.
 *     The lease is lost. It is released at storage when its owner releases it.
 *     A lease may be released while its renewal is in flight. Then the reply tells only whether
 *     there is still something to release.
 *     A request with an unknown outcome may have renewed the lease at storage. That counts for how
 *     long it has to be released, never for how long it may be relied on.
 */
#ifndef LEASE_LEASE_RENEWAL_H
#define LEASE_LEASE_RENEWAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/timer_heap.h"
#include "base/uuid.h"
#include "lease/lease_names.h"
#include "lease/leasehold.h"

enum {
    /*
     * A request in flight costs about 20 KiB in the transport, a lease that waits here 0.5 KiB.
     * Some of the transport's 256 connections stay free for acquires. With answers in 50 ms, 192
     * requests in flight make 3,840 a second.
     */
    LEASE_MAX_REQUESTS_IN_FLIGHT = 192,

    /* A Retry-After past the safe deadline is cut to this long before it. */
    LEASE_LAST_ATTEMPT_MS = 1000,

    /* The wait before a release is first retried. Later waits double. */
    LEASE_RELEASE_RETRY_MS = 250,

    /* The timeout of one release, or less if the lease expires earlier. */
    LEASE_RELEASE_TIMEOUT_MS = 2000,

    /* How long the release of a lease without an end is retried. */
    LEASE_RELEASE_INFINITE_MS = 60000,
};

enum lease_state { LEASE_HELD, LEASE_RENEWING, LEASE_LOST, LEASE_RELEASING, LEASE_ENDED };

struct lease {
    struct timer_entry timer;     /* first: the lease is found from its entry in the heap */
    struct timer_entry send_slot; /* in send_queue while it waits for a slot */
    char name[LEASE_NAME_BYTES];
    char id[UUID_TEXT_BYTES];
    enum lease_state state;
    int duration_s;
    int64_t renewed_ms;      /* just before the last good acquire or renewal was sent */
    int64_t sent_ms;         /* just before the last acquire or renewal was sent, good or not */
    int64_t release_by_ms;   /* RELEASING: when the release is given up; no later retry */
    int64_t retry_ms;        /* the next wait between attempts */
    int64_t allowed_from_ms; /* no renewal is sent before: storage's Retry-After */
    int attempts;            /* failed attempts of the renewal or release under way */
    int renewal_count;       /* good renewals */
    int in_flight;           /* requests without a reply yet, and notifications that are running */
    bool is_gone;            /* storage said that it is not ours: there is nothing to release */
};

struct lease_renewal {
    struct timer_heap heap;       /* leases by when something is due */
    struct timer_heap send_queue; /* leases that wait for a slot, by when they must be sent */
    size_t sending_count;         /* requests in flight */
    size_t count;                 /* leases that have not ENDED, or are about to be acquired */
    const struct leasehold_options *options;
};

enum lease_action_kind {
    LEASE_ACTION_NONE,
    LEASE_ACTION_RENEW,
    LEASE_ACTION_RELEASE,
    LEASE_ACTION_NOTIFY_LOSS,
};

struct lease_action {
    enum lease_action_kind kind;
    struct lease *lease;
    int64_t timeout_ms; /* RENEW, RELEASE: at least 1 */
};

/* What the reply to a renewal means for the owner. */
enum lease_outcome {
    LEASE_OUTCOME_NONE, /* nothing: it had been lost or released before */
    LEASE_OUTCOME_RENEWED,
    LEASE_OUTCOME_RETRY,    /* the attempt failed and will be retried */
    LEASE_OUTCOME_NO_RETRY, /* the attempt failed; the lease is lost at the safe deadline */
    LEASE_OUTCOME_LOST,
};

/* Borrows the options. */
void lease_renewal_init(struct lease_renewal *renewal, const struct leasehold_options *options);

/*
 * Counts a lease that is about to be acquired. If it is granted, it counts until it has ENDED.
 * Otherwise the caller takes it out of the count.
 */
void lease_renewal_count_lease(struct lease_renewal *renewal);
void lease_renewal_uncount_lease(struct lease_renewal *renewal);

/*
 * Begins a lease that was granted to a request sent at `sent_ms`. The caller has set its name, id
 * and duration_s, and has counted the lease.
 */
void lease_renewal_start(struct lease_renewal *renewal, struct lease *lease, int64_t sent_ms);

/*
 * Ends the owner's use of the lease. It is not renewed any more, and a release is due at once
 * unless there is nothing to release. A second call does nothing.
 */
void lease_renewal_release(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms);

/*
 * Returns what to do at `now_ms`. Call it until it returns LEASE_ACTION_NONE. The action's lease
 * counts as in flight until lease_renewal_on_renew_reply, lease_renewal_on_release_reply or, for
 * NOTIFY_LOSS, lease_renewal_notified.
 */
struct lease_action lease_renewal_due(struct lease_renewal *renewal, int64_t now_ms);

/*
 * Returns when lease_renewal_due will have something to do. INT64_MIN means now, INT64_MAX never as
 * things are.
 */
int64_t lease_renewal_next_ms(const struct lease_renewal *renewal);

/*
 * Makes a renewal due at once, or when storage's Retry-After is over, because the owner needs more
 * time than is left. Does so whether or not auto_renew is set. Does nothing if an attempt is in
 * flight or a retry is scheduled, or if the lease has no end or is not held.
 */
void lease_renewal_renew_now(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms);

/* Whether a renewal is in flight, or due before the safe deadline. */
bool lease_renewal_is_coming(const struct lease_renewal *renewal, const struct lease *lease);

/*
 * Reports the reply to a LEASE_ACTION_RENEW. `retry_after_ms` is storage's Retry-After, or 0.
 * Unless NONE is returned, the lease stays in flight while its owner is notified, until
 * lease_renewal_notified. On RETRY and NO_RETRY, lease->attempts is the number of the attempt.
 */
enum lease_outcome lease_renewal_on_renew_reply(struct lease_renewal *renewal, struct lease *lease,
                                                enum status status, int retry_after_ms,
                                                int64_t now_ms);

/* The owner has been notified. */
void lease_renewal_notified(struct lease *lease);

/*
 * Reports the reply to a LEASE_ACTION_RELEASE. Returns false if the release failed and will not be
 * retried, so that the lease has to expire, or to be broken if it has no end.
 */
bool lease_renewal_on_release_reply(struct lease_renewal *renewal, struct lease *lease,
                                    enum status status, int retry_after_ms, int64_t now_ms);

/* Returns the safe deadline, on the clock. INT64_MAX for a lease without an end. */
int64_t lease_safe_until_ms(const struct lease *lease, const struct leasehold_options *options);

/* Whether the owner may rely on the lease: it is held and the safe deadline has not come. */
bool lease_is_safe(const struct lease *lease, const struct leasehold_options *options,
                   int64_t now_ms);

/* Whether it may be freed: it has ENDED and nothing is in flight. */
bool lease_is_finished(const struct lease *lease);

#endif
