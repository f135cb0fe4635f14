#include "http/retry_policy.h"

#include <string.h>

#include "base/random.h"
#include "base/utc.h"

enum { MAX_RETRY_AFTER_MS = 3600 * 1000 };

static int64_t backoff_ms(const struct retry_policy *policy, int attempt) {
    int64_t backoff = policy->first_backoff_ms;
    for (int i = 1; i < attempt && backoff < policy->max_backoff_ms; i++) {
        backoff *= 2;
    }
    return backoff < policy->max_backoff_ms ? backoff : policy->max_backoff_ms;
}

int64_t retry_policy_delay_ms(const struct retry_policy *policy, int attempt, int retry_after_ms,
                              double random, int64_t now_ms, int64_t deadline_ms) {
    int64_t backoff = backoff_ms(policy, attempt);
    int64_t delay = backoff - backoff / 2 + random_jitter_ms(backoff, random);
    if (delay < retry_after_ms) {
        delay = retry_after_ms;
    }
    return delay < deadline_ms - now_ms ? delay : -1;
}

/*
 *     outcome          leaves doubt   counts   may be tried again
 *     NOT_SENT         no             no       always
 *     TOKEN_REJECTED   no             no       the first time, as nothing was done
 *     UNANSWERED       yes            yes      until max_attempts are counted
 *     UNREADABLE       yes            -        never
 *     DECIDED          no             -        never
 *
 * A request that may be tried again waits for its backoff, unless that would reach the deadline.
 */
struct retry_decision retry_policy_decide(struct retry_state *state, enum attempt_outcome outcome,
                                          int retry_after_ms, double random, int64_t now_ms) {
    bool may_repeat = false;
    state->attempts++;
    switch (outcome) {
    case ATTEMPT_NOT_SENT:
        may_repeat = true;
        break;
    case ATTEMPT_TOKEN_REJECTED:
        may_repeat = !state->token_was_renewed;
        state->token_was_renewed = true;
        break;
    case ATTEMPT_UNANSWERED:
        state->is_in_doubt = true;
        state->counted++;
        may_repeat = state->counted != state->max_attempts;
        break;
    case ATTEMPT_UNREADABLE:
        state->is_in_doubt = true;
        break;
    case ATTEMPT_DECIDED:
        break;
    }
    if (!may_repeat) {
        return (struct retry_decision){.verdict = RETRY_FINAL};
    }
    int64_t delay_ms = retry_policy_delay_ms(state->policy, state->attempts, retry_after_ms, random,
                                             now_ms, state->deadline_ms);
    if (delay_ms < 0) {
        return (struct retry_decision){.verdict = RETRY_NO_TIME};
    }
    return (struct retry_decision){.verdict = RETRY_WAIT, .delay_ms = delay_ms};
}

bool retry_policy_is_transient(int http_status) {
    return http_status == 408 || http_status == 429 || (http_status >= 500 && http_status <= 599);
}

/* RFC 9110 section 10.2.3: delay-seconds is digits alone. */
static bool parse_seconds(const char *value, int64_t *out_ms) {
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || value[digits] != '\0') {
        return false;
    }
    int64_t ms = 0;
    for (size_t i = 0; i < digits && ms < MAX_RETRY_AFTER_MS; i++) {
        ms = ms * 10 + (int64_t)1000 * (value[i] - '0');
    }
    *out_ms = ms;
    return true;
}

int retry_policy_parse_retry_after_ms(const char *value, int64_t wall_ms) {
    int64_t ms;
    if (value == NULL) {
        return 0;
    }
    if (!parse_seconds(value, &ms)) {
        int64_t until_ms;
        if (!utc_parse_http(value, &until_ms)) {
            return 0;
        }
        ms = until_ms - wall_ms;
    }
    if (ms < 0) {
        return 0;
    }
    return ms < MAX_RETRY_AFTER_MS ? (int)ms : MAX_RETRY_AFTER_MS;
}
