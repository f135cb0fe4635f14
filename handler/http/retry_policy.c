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

enum retry_verdict retry_policy_decide(const struct retry_policy *policy, struct retry_state *state,
                                       const struct retry_outcome *outcome, int max_attempts,
                                       double random, int64_t now_ms, int64_t deadline_ms,
                                       int64_t *out_delay_ms) {
    bool renews = outcome->renews_token && !state->renewed_token;
    bool counts = outcome->was_sent && !renews;
    state->attempts++;
    state->counted += counts;
    state->renewed_token = state->renewed_token || renews;
    state->in_doubt = state->in_doubt || (outcome->was_sent && outcome->is_unavailable);
    bool may_repeat =
        renews || (outcome->is_unavailable && !(counts && state->counted == max_attempts));
    if (!may_repeat) {
        return RETRY_FINAL;
    }
    int64_t delay_ms = retry_policy_delay_ms(policy, state->attempts, outcome->retry_after_ms,
                                             random, now_ms, deadline_ms);
    if (delay_ms < 0) {
        return RETRY_NO_TIME;
    }
    *out_delay_ms = delay_ms;
    return RETRY_WAIT;
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
    if (!value) {
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
