/*
 * retry_policy.h - when to try again: exponential backoff with jitter, Retry-After, and one deadline over all attempts.
 *
 * Pure: no clock, no randomness of its own.
 */
#ifndef HTTP_RETRY_POLICY_H
#define HTTP_RETRY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
    int64_t first_backoff_ms; /* > 0 */
    int64_t max_backoff_ms;   /* >= first_backoff_ms */
};

/*
 * How long to wait after failed attempt number `attempt` (1, 2, ...), in milliseconds, or -1: give up.
 * The backoff is first_backoff_ms, and doubles with each attempt up to max_backoff_ms; half of it is fixed, half is scaled by `random` (0 to 1), so that
 * clients that failed together do not come back together. `retry_after_ms` (0: none) is a lower bound.
 * Gives up when the wait would reach `deadline_ms`.
 */
int64_t retry_policy_delay_ms(const struct retry_policy *policy, int attempt, int retry_after_ms,
                              double random, int64_t now_ms, int64_t deadline_ms);

/* What came of one attempt of a request. */
struct retry_outcome {
    bool was_sent;       /* it left, and so may have been carried out */
    bool is_unavailable; /* it says nothing about what storage did (STATUS_UNAVAILABLE) */
    bool renews_token;   /* storage refused the token, and another is to be had */
    int retry_after_ms;  /* what storage asked for; 0: nothing */
};

/* A request's attempts so far. Zeroed at first. */
struct retry_state {
    int attempts;       /* all of them */
    int counted;        /* those that count against max_attempts */
    bool renewed_token; /* one was refused its token, and another was had */
    bool in_doubt; /* one that was sent may have been carried out, though it was not answered */
};

enum retry_verdict {
    RETRY_WAIT,    /* try again after the wait */
    RETRY_FINAL,   /* the outcome stands: another attempt would not help, or is not allowed */
    RETRY_NO_TIME, /* another attempt might help, but its time would be over */
};

/*
 * Decides whether a request may be tried again after an attempt that failed, and when; notes the attempt in `state`.
 *
 *     outcome                                  then
 *     the token was refused, for the first     again; the attempt does not count, for nothing was done
 *     time, and another is to be had
 *     unavailable, not sent (no token yet)     again; it does not count
 *     unavailable, sent                        again, unless that was the last of `max_attempts` (0: no limit)
 *     anything else                            final
 *
 * `random`, `now_ms` and `deadline_ms` as for retry_policy_delay_ms. `out_delay_ms` is set for RETRY_WAIT alone.
 */
enum retry_verdict retry_policy_decide(const struct retry_policy *policy, struct retry_state *state,
                                       const struct retry_outcome *outcome, int max_attempts,
                                       double random, int64_t now_ms, int64_t deadline_ms,
                                       int64_t *out_delay_ms);

/* Is an HTTP status worth another try with the same request: 408, 429, 5xx? */
bool retry_policy_is_transient(int http_status);

/* Reads a Retry-After header: seconds, or an HTTP date against `wall_ms`. 0 if NULL, in the past or neither; at most 1 hour. */
int retry_policy_parse_retry_after_ms(const char *value, int64_t wall_ms);

#endif
