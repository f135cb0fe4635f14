/*
 * retry_policy.h - when to try again: exponential backoff with jitter, Retry-After, and one deadline over all attempts.
 *
 * Pure: no clock, no randomness of its own.
 * Threads: any.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_RETRY_POLICY_H
#define STORAGE_RETRY_POLICY_H

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
int64_t retry_policy_delay_ms(const struct retry_policy *policy, int attempt, int retry_after_ms, double random,
                              int64_t now_ms, int64_t deadline_ms);

/* Is an HTTP status worth another try with the same request: 408, 429, 5xx? */
bool retry_policy_is_transient(int http_status);

/* Reads a Retry-After header: seconds, or an HTTP date against `wall_ms`. 0 if NULL, in the past or neither; at most 1 hour. */
int retry_policy_parse_retry_after_ms(const char *value, int64_t wall_ms);

#endif
