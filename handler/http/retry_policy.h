/*
 * retry_policy.h - whether a failed request may be tried again, and when.
 *
 * It has exponential backoff with jitter, Retry-After, and one deadline over all attempts. Pure:
 * time and random numbers are passed in.
 *
 * Vocabulary   attempt     one HTTP call
 *              in doubt    an attempt was sent and its reply is unknown, so the server may have
 *                          carried out the request
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
 * Returns how long to wait after failed attempt number `attempt` (1, 2, ...), in milliseconds.
 * Returns -1 if the wait would reach `deadline_ms`.
 *
 * The backoff is first_backoff_ms and doubles with each attempt, up to max_backoff_ms. Half of it
 * is fixed. The other half is scaled by `random` (0 to 1), so that clients that failed together do
 * not return together. `retry_after_ms` is a lower bound; 0: none.
 */
int64_t retry_policy_delay_ms(const struct retry_policy *policy, int attempt, int retry_after_ms,
                              double random, int64_t now_ms, int64_t deadline_ms);

/* How an attempt ended, if not with success, and what follows. */
enum attempt_outcome {
    /* Nothing was sent, but it may work later: there is no token yet. Retried, and not counted. */
    ATTEMPT_NOT_SENT,
    /* The token was rejected, and the credential can get another. Retried once, and not counted. */
    ATTEMPT_TOKEN_REJECTED,
    /*
     * Sent; the answer is missing, or does not tell what the server did. From now on the request is
     * in doubt. Retried until max_attempts are counted.
     */
    ATTEMPT_UNANSWERED,
    /*
     * Sent; the reply could not be read for lack of memory, was too large, or is no longer waited
     * for. The request is in doubt as well. Never retried.
     */
    ATTEMPT_UNREADABLE,
    /* Any other answer or failure. Never retried. */
    ATTEMPT_DECIDED,
};

/* The attempts of one request so far. Its owner sets the first three fields and zeroes the rest. */
struct retry_state {
    const struct retry_policy *policy;
    int max_attempts; /* counted ones; 0: no limit */
    int64_t deadline_ms;

    int attempts; /* all */
    int counted;  /* those that count against max_attempts */
    bool token_was_renewed;
    bool is_in_doubt;
};

enum retry_verdict {
    RETRY_WAIT,    /* try again after the delay */
    RETRY_FINAL,   /* another attempt would not help, or is not allowed */
    RETRY_NO_TIME, /* another attempt might help, but the wait would reach the deadline */
};

struct retry_decision {
    enum retry_verdict verdict;
    int64_t delay_ms; /* 0 unless RETRY_WAIT */
};

/*
 * Decides what follows a failed attempt, and counts the attempt in `state`. `retry_after_ms` is
 * what the server asked for; 0: nothing. `random` is from 0 to 1.
 */
struct retry_decision retry_policy_decide(struct retry_state *state, enum attempt_outcome outcome,
                                          int retry_after_ms, double random, int64_t now_ms);

/* Whether the same request may succeed later, after this HTTP status. True for 408, 429 and 5xx. */
bool retry_policy_is_transient(int http_status);

/*
 * Reads a Retry-After header: seconds, or an HTTP date, which is compared with `wall_ms`. Returns
 * at most an hour. Returns 0 for NULL, for a date in the past, and for any other text.
 */
int retry_policy_parse_retry_after_ms(const char *value, int64_t wall_ms);

#endif
