/*
 * lease_renewal.h - when a lease is renewed, given back, or known to be lost: a state machine without a thread or lock.
 *
 * Vocabulary   action    one thing to do now: send a renewal, send a release, tell of a loss
 *              safety    sent + threshold x duration of the last good renewal: the last moment at which the lease may
 *                        be relied on. Whether a lease is held is this comparison and nothing else; no request is
 *                        asked.
 *              turn      when very much is due at once (the program was stopped for a while, all is given back) no more
 *                        than LEASE_MAX_SENDING requests are in flight; the rest waits in here for its turn, those that
 *                        have least time left in front
 *              retry     another attempt at a renewal whose outcome is unknown; attempt 1 is none
 * States       HELD -> RENEWING -> HELD ...                 RENEWING: an attempt is in flight; HELD: none is
 *              HELD, RENEWING -> LOST                        storage said so, or safety passed; final
 *              HELD, RENEWING, LOST -> RELEASING -> ENDED    the owner gave it up; tried again until it has run out
 *              HELD, RENEWING, LOST -> ENDED                 the same, with nothing left to release
 * Rules        Every time comes in as an argument, on the injected clock (base/clock.h now_ms).
 *              No renewal starts at or past safety, and none has a timeout that lasts past it: the attempts still
 *              allowed share the time that is left. When they are used up the lease stays HELD until safety.
 *              Waiting for a turn is not part of an attempt: the timeout is reckoned when it is sent, and a lease whose
 *              turn does not come in time is lost at safety like any other.
 *              Retry-After is waited for. One that lies past safety would give the lease up for a single bad answer: the
 *              next attempt is then made LEASE_LAST_ATTEMPT_MS before safety.
 *              An answer that comes at or past safety changes nothing: the lease is lost even if it was renewed at
 *              storage, whether the loss has been told yet or not. It is then released there all the same.
 *              A lease may be given up while its renewal is in flight; the answer is then of no interest.
 *              What a request may have done at storage is believed for releasing, never for relying on the lease.
 * Threads: none; it belongs to one.
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
    /* A request that waits costs some 20 KiB in the transport, a lease here 0.5; of the transport's 256 connections some
     * stay free for those who acquire. At 50 ms an answer it lets through 3,840 a second. */
    LEASE_MAX_SENDING = 192,
    LEASE_LAST_ATTEMPT_MS =
        1000, /* before safety: where a Retry-After that lies past it is cut short */
    LEASE_RELEASE_RETRY_MS = 250,    /* the first wait between attempts at a release; doubles */
    LEASE_RELEASE_TIMEOUT_MS = 2000, /* of one attempt, or what is left of the lease */
    LEASE_RELEASE_INFINITE_MS =
        60000, /* how long the release of a lease without end is attempted */
};

enum lease_state { LEASE_HELD, LEASE_RENEWING, LEASE_LOST, LEASE_RELEASING, LEASE_ENDED };

struct lease {
    struct timer_entry timer; /* first: found from its entry in the heap */
    struct timer_entry turn;  /* in `turns` while it waits for its turn */
    char name[LEASE_NAME_BYTES];
    char id[UUID_TEXT_BYTES];
    enum lease_state state;
    int duration_s;
    int64_t renewed_ms; /* before the request of the last good acquire or renewal was sent */
    int64_t sent_ms;    /* before the last acquire or renewal was sent, whatever came of it */
    int64_t
        release_by_ms; /* RELEASING: the lease has run out at storage, and no attempt is worth it from here on */
    int64_t retry_ms;  /* the next wait between attempts */
    int attempts;      /* failed attempts of the renewal or release under way */
    int renewal_count; /* good renewals */
    int in_flight;     /* requests not yet answered, and callbacks running */
    bool gone;         /* storage said that it is not ours: nothing to release */
};

struct lease_renewal {
    struct timer_heap heap;
    struct timer_heap turns; /* by when they have to be sent at the latest */
    size_t sending;          /* requests in flight */
    size_t count;            /* places taken: leases that have not ENDED, and reservations */
    const struct leasehold_options *options;
};

enum lease_action_kind {
    LEASE_ACTION_NONE,
    LEASE_ACTION_RENEW,
    LEASE_ACTION_RELEASE,
    LEASE_ACTION_TELL_LOST
};

struct lease_action {
    enum lease_action_kind kind;
    struct lease *lease;
    int64_t timeout_ms; /* RENEW, RELEASE: >= 1 */
};

/* What the answer to a renewal means for its owner. */
enum lease_outcome {
    LEASE_OUTCOME_NONE, /* nothing: it was lost, or given up, before */
    LEASE_OUTCOME_RENEWED,
    LEASE_OUTCOME_RETRY,    /* failed; will be tried again */
    LEASE_OUTCOME_NO_RETRY, /* failed; held until safety, and then lost */
    LEASE_OUTCOME_LOST,
};

/* Borrows the options. */
void lease_renewal_init(struct lease_renewal *renewal, const struct leasehold_options *options);

/*
 * Counts a lease that is about to be asked for. Used up by lease_renewal_start, given back by lease_renewal_unreserve.
 */
void lease_renewal_reserve(struct lease_renewal *renewal);
void lease_renewal_unreserve(struct lease_renewal *renewal);

/* Takes in a lease granted to a request that was sent at `sent_ms`. Name, id and duration_s are set by the caller. */
void lease_renewal_start(struct lease_renewal *renewal, struct lease *lease, int64_t sent_ms);

/*
 * The owner gives the lease up: no renewal from now on; a release is due at once unless there is nothing to release.
 * Nothing happens the second time.
 */
void lease_renewal_release(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms);

/*
 * The next thing to do at `now_ms`, or LEASE_ACTION_NONE. The action's lease counts as in flight
 * until lease_renewal_on_renew_reply or _on_release_reply or, for TELL_LOST,
 * lease_renewal_notified. Call until NONE.
 */
struct lease_action lease_renewal_due(struct lease_renewal *renewal, int64_t now_ms);

/* When lease_renewal_due will have something to do; INT64_MIN: now; INT64_MAX: never as things are. */
int64_t lease_renewal_next_ms(const struct lease_renewal *renewal);

/*
 * Its owner needs more of the lease than is left: a renewal is due at once, unless one is under way or waits to be tried
 * again. AutoRenew or not; a lease without end or not in hand stays as it is.
 */
void lease_renewal_renew_now(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms);

/* Whether a renewal is in flight, or due before safety. */
bool lease_renewal_is_coming(const struct lease_renewal *renewal, const struct lease *lease);

/*
 * The answer to a LEASE_ACTION_RENEW; `retry_after_ms`: what storage asked for (0: nothing). On any
 * outcome but NONE the lease stays in flight while its owner is told, until lease_renewal_notified;
 * on RETRY and NO_RETRY lease->attempts says which attempt failed.
 */
enum lease_outcome lease_renewal_on_renew_reply(struct lease_renewal *renewal, struct lease *lease,
                                                enum status status, int retry_after_ms,
                                                int64_t now_ms);

/* Its owner has been told. */
void lease_renewal_notified(struct lease *lease);

/* The answer to a LEASE_ACTION_RELEASE. False: it failed and will not be tried again; the lease has to run out. */
bool lease_renewal_on_release_reply(struct lease_renewal *renewal, struct lease *lease,
                                    enum status status, int retry_after_ms, int64_t now_ms);

/* Until when it may be relied on, on the clock; INT64_MAX for an infinite lease. */
int64_t lease_safety_ms(const struct lease *lease, const struct leasehold_options *options);

/* Whether its owner may rely on it: not once it is lost or given up, nor at or past safety. */
bool lease_is_safe(const struct lease *lease, const struct leasehold_options *options,
                   int64_t now_ms);

/* Whether it may be freed: it has ENDED, with nothing in flight. */
bool lease_is_finished(const struct lease *lease);

#endif
