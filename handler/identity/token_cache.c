#include "identity/token_cache.h"

#include "base/http_message.h"
#include "base/log.h"
#include "http/platform.h"
#include "http/retry_policy.h"
#include "http/wiped_memory.h"
#include "identity/storage_account.h"
#include "identity/token_source.h"

enum {
    MIN_INTERVAL_MS = 1000, /* between two fetches, however short the tokens' lifetimes */
};

static const struct retry_policy policy = {TOKEN_FIRST_BACKOFF_MS, TOKEN_MAX_BACKOFF_MS};

static int64_t cache_now_ms(const struct token_cache *cache) {
    return clock_now_ms(cache->platform->clock);
}

static bool is_usable(const struct token_cache *cache, int64_t now_ms) {
    return cache->token.text.length > 0 && now_ms < cache->token.expires_ms;
}

/*
 * Sets the timer to when the next fetch is due. That is the token's refresh time, which is before
 * its end, or now if there is no token (its refresh time is 0 then), but never earlier than
 * no_fetch_before_ms. While a fetch is under way nothing is set; its end calls this again.
 */
static void schedule_fetch(struct token_cache *cache) {
    if (!cache->is_fetching && !cache->is_stopped) {
        event_loop_set_timer(cache->platform->loop, &cache->timer,
                             clock_max_ms(cache->token.refresh_ms, cache->no_fetch_before_ms));
    }
}

/* ---- fetching ---- */

/* Replaces the token by a new one. */
static void store_token(struct token_cache *cache, struct token *token, int64_t now_ms) {
    if (cache->failures > 0) {
        log_event(LOG_INFORMATION, "Signed in to storage again with %s", cache->source->name);
    }
    token_cleanup(&cache->token);
    cache->token = *token;
    token_init(token);
    cache->generation++;
    cache->failures = 0;
    cache->reason = (struct error){0};
    cache->no_fetch_before_ms = now_ms + MIN_INTERVAL_MS;
    log_event(LOG_DEBUG, "Token from %s: good for %lld s, to be renewed in %lld s",
              cache->source->name, (long long)(cache->token.expires_ms - now_ms) / 1000,
              (long long)(cache->token.refresh_ms - now_ms) / 1000);
}

/* Notes and logs why a fetch failed, and how long the next one waits. */
static void note_failure(struct token_cache *cache, const struct error *reason, int64_t now_ms) {
    int asked_ms =
        reason->retry_after_ms < TOKEN_MAX_WAIT_MS ? reason->retry_after_ms : TOKEN_MAX_WAIT_MS;
    cache->failures++;
    cache->reason = *reason;
    if (reason->status == STATUS_NOT_FOUND) { /* there is no way to sign in at all */
        cache->reason.status = STATUS_UNAUTHORIZED;
    }
    int64_t wait_ms =
        retry_policy_delay_ms(&policy, cache->failures, asked_ms,
                              random_fraction(cache->platform->random), now_ms, INT64_MAX);
    cache->no_fetch_before_ms = now_ms + wait_ms;
    if (is_usable(cache, now_ms)) {
        log_event(LOG_WARNING,
                  "The token for storage could not be renewed; it is good for another %lld s: %s",
                  (long long)(cache->token.expires_ms - now_ms) / 1000, reason->message);
    } else {
        log_event(LOG_WARNING, "No token to sign in to storage with; asking again in %lld s: %s",
                  (long long)wait_ms / 1000, reason->message);
    }
}

static void end_fetch(struct token_cache *cache, enum status status) {
    cache->is_fetching = false;
    if (cache->is_stopped) {
        cache->stopped(cache->stopped_context);
    } else if (status != STATUS_CANCELLED) { /* after a cancel the network is being freed */
        schedule_fetch(cache);
    }
}

static void on_fetch_failed(struct token_cache *cache, enum status status,
                            const struct error *err) {
    if (status != STATUS_CANCELLED && !cache->is_stopped) {
        note_failure(cache, err, cache_now_ms(cache));
    }
    end_fetch(cache, status);
}

static void on_fetched(void *context, enum status status, struct token *token,
                       const struct error *err) {
    struct token_cache *cache = context;
    if (status != STATUS_OK) {
        on_fetch_failed(cache, status, err);
        return;
    }
    store_token(cache, token, cache_now_ms(cache));
    end_fetch(cache, STATUS_OK);
}

static void on_due(void *context) {
    struct token_cache *cache = context;
    struct error err;
    cache->is_fetching = true;
    enum status status =
        token_source_start(cache->source, cache->platform, on_fetched, cache, &err);
    if (status != STATUS_OK) {
        on_fetch_failed(cache, status, &err);
    }
}

/* ---- the credential ---- */

/* Reports that there is no usable token. */
static enum status set_no_token(const struct token_cache *cache, struct error *err) {
    bool is_final = cache->reason.status == STATUS_UNAUTHORIZED;
    return error_set(err, is_final ? STATUS_UNAUTHORIZED : STATUS_UNAVAILABLE,
                     "no token to sign in with%s%s",
                     cache->reason.status == STATUS_OK ? " yet" : ": ", cache->reason.message);
}

static enum status token_authorize(struct credential *credential,
                                   struct credential_request *request, struct error *err) {
    struct token_cache *cache = (struct token_cache *)credential;
    if (!storage_endpoint_is_private(request->url->data)) {
        return error_set(err, STATUS_INTERNAL, "a token may not be sent over http");
    }
    if (!is_usable(cache, cache_now_ms(cache))) {
        return set_no_token(cache, err);
    }
    http_headers_addf(request->headers, "Authorization", "Bearer %s", cache->token.text.data);
    request->token_generation = cache->generation;
    if (request->headers->status != STATUS_OK) {
        return error_set(err, request->headers->status, "no memory for the token");
    }
    return STATUS_OK;
}

/*
 * Drops a rejected token, and has another fetched at once, unless fetches are failing. Returns
 * false, and does nothing, if a token was dropped a short time ago.
 */
static bool try_drop_token(struct token_cache *cache, int64_t now_ms) {
    if (now_ms - cache->last_dropped_ms < TOKEN_REJECTION_MS) {
        return false;
    }
    token_cleanup(&cache->token);
    cache->last_dropped_ms = now_ms;
    cache->no_fetch_before_ms = cache->failures == 0 ? now_ms : cache->no_fetch_before_ms;
    schedule_fetch(cache);
    return true;
}

/*
 * Has another token fetched, and keeps the forbidden one meanwhile. No request waits for the new
 * token. It helps those that are sent later, such as the next renewal of a lease.
 */
static void refresh_early(struct token_cache *cache, int64_t now_ms) {
    if (now_ms - cache->forbidden_ms >= TOKEN_REJECTION_MS && cache->token.refresh_ms > now_ms) {
        cache->forbidden_ms = now_ms;
        cache->token.refresh_ms = now_ms;
        schedule_fetch(cache);
    }
}

static bool on_token_rejected(struct credential *credential, unsigned token_generation,
                              bool is_authenticated) {
    struct token_cache *cache = (struct token_cache *)credential;
    if (token_generation != cache->generation || cache->token.text.length == 0) {
        return true; /* a newer token is there or being fetched */
    }
    if (is_authenticated) {
        refresh_early(cache, cache_now_ms(cache));
        return false;
    }
    return try_drop_token(cache, cache_now_ms(cache));
}

/* ---- life cycle ---- */

void token_cache_init(struct token_cache *cache, struct token_source *source,
                      const struct platform *platform) {
    int64_t now_ms = clock_now_ms(platform->clock);
    wiped_memory_expect_secrets();
    *cache = (struct token_cache){
        .base = {.authorize = token_authorize, .on_rejected = on_token_rejected},
        .source = source,
        .platform = platform,
        .timer = {.fired = on_due, .context = cache},
        .no_fetch_before_ms = now_ms,
        /* Long enough ago for the first rejection to count. */
        .last_dropped_ms = now_ms - TOKEN_REJECTION_MS,
        .forbidden_ms = now_ms - TOKEN_REJECTION_MS,
    };
    token_init(&cache->token);
}

void token_cache_start(struct token_cache *cache) {
    schedule_fetch(cache);
}

void token_cache_stop(struct token_cache *cache, void (*stopped)(void *context), void *context) {
    cache->is_stopped = true;
    cache->stopped = stopped;
    cache->stopped_context = context;
    event_loop_stop_timer(cache->platform->loop, &cache->timer);
    /* Cancelled in any case: a file of an earlier fetch may still hang. */
    bool was_fetching = cache->is_fetching;
    token_source_cancel(cache->source);
    if (!was_fetching) {
        stopped(context);
    }
}

void token_cache_cleanup(struct token_cache *cache) {
    token_cleanup(&cache->token);
}
