#include "storage/token_cache.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/condition.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/thread.h"
#include "storage/retry_policy.h"
#include "storage/wiped_memory.h"

enum {
    MIN_INTERVAL_MS = 1000,    /* between two fetches, however short a token lasts */
    LOOK_AGAIN_MS = 60 * 1000, /* condition.h's waits do not see suspended time */
    NEVER_REFUSED = -TOKEN_REFUSAL_MS,
};

static const struct retry_policy policy = {TOKEN_FIRST_BACKOFF_MS, TOKEN_MAX_BACKOFF_MS};

/* --- what the state says; with the lock held --- */

static bool is_usable(const struct token_cache *cache, int64_t now_ms) {
    return cache->token.text.length > 0 && now_ms < cache->token.expires_ms;
}

/* When the next fetch is due. */
static int64_t due_ms(const struct token_cache *cache, int64_t now_ms) {
    int64_t wanted_ms = is_usable(cache, now_ms) ? cache->token.refresh_ms : cache->next_ms;
    return wanted_ms > cache->next_ms ? wanted_ms : cache->next_ms;
}

static void take(struct token_cache *cache, struct token *token, int64_t now_ms) {
    if (cache->failures > 0) {
        log_event(LOG_INFORMATION, "Signed in to storage again with %s", cache->source->name);
    }
    token_release(&cache->token);
    cache->token = *token;
    token_init(token);
    cache->generation++;
    cache->failures = 0;
    cache->reason = (struct error){0};
    cache->next_ms = now_ms + MIN_INTERVAL_MS;
    log_event(LOG_DEBUG, "Token from %s: good for %lld s, to be renewed in %lld s", cache->source->name,
              (long long)(cache->token.expires_ms - now_ms) / 1000,
              (long long)(cache->token.refresh_ms - now_ms) / 1000);
}

static double random_part(void) {
    uint32_t bits;
    return crypto_random(&bits, sizeof bits) == STATUS_OK ? (double)bits / UINT32_MAX : 1;
}

static void give_up(struct token_cache *cache, const struct error *reason, int64_t now_ms) {
    int asked_ms = reason->retry_after_ms < TOKEN_MAX_WAIT_MS ? reason->retry_after_ms : TOKEN_MAX_WAIT_MS;
    cache->failures++;
    cache->reason = *reason;
    if (reason->status == STATUS_NOT_FOUND) { /* the last resort is not there either */
        cache->reason.status = STATUS_UNAUTHORIZED;
    }
    int64_t wait_ms = retry_policy_delay_ms(&policy, cache->failures, asked_ms, random_part(), now_ms, INT64_MAX);
    cache->next_ms = now_ms + wait_ms;
    if (is_usable(cache, now_ms)) {
        log_event(LOG_WARNING, "The token for storage could not be renewed; it is good for another %lld s: %s",
                  (long long)(cache->token.expires_ms - now_ms) / 1000, reason->message);
    } else {
        log_event(LOG_WARNING, "No token to sign in to storage with; asking again in %lld s: %s",
                  (long long)wait_ms / 1000, reason->message);
    }
}

/* --- the thread --- */

/* With the lock held; it is let go while the source is asked. */
static void fetch(struct token_cache *cache) {
    struct token token;
    struct error reason;
    token_init(&token);
    error_set(&reason, STATUS_INTERNAL, "no reason given");
    pthread_mutex_unlock(&cache->lock);
    enum status status = cache->source->fetch(cache->source, &cache->context, &token, &reason);
    pthread_mutex_lock(&cache->lock);
    int64_t now_ms = clock_now_ms(cache->context.clock);
    if (status == STATUS_OK) {
        take(cache, &token, now_ms);
    } else if (!cache->stopping) {
        reason.status = status;
        give_up(cache, &reason, now_ms);
    }
    token_release(&token);
}

static void *run(void *user) {
    struct token_cache *cache = user;
    pthread_mutex_lock(&cache->lock);
    while (!cache->stopping) {
        int64_t now_ms = clock_now_ms(cache->context.clock);
        int64_t wait_ms = due_ms(cache, now_ms) - now_ms;
        if (wait_ms <= 0) {
            fetch(cache);
            continue;
        }
        struct timespec until = condition_deadline(wait_ms < LOOK_AGAIN_MS ? wait_ms : LOOK_AGAIN_MS);
        condition_wait_until(&cache->changed, &cache->lock, &until);
    }
    pthread_mutex_unlock(&cache->lock);
    return NULL;
}

/* --- the credential --- */

static enum status refuse(const struct token_cache *cache, struct error *err) {
    bool is_final = cache->reason.status == STATUS_UNAUTHORIZED;
    return error_set(err, is_final ? STATUS_UNAUTHORIZED : STATUS_UNAVAILABLE, "no token to sign in with%s%s",
                     cache->reason.status == STATUS_OK ? " yet" : ": ", cache->reason.message);
}

static enum status authorize(struct credential *credential, struct credential_request *request, struct error *err) {
    struct token_cache *cache = (struct token_cache *)credential;
    if (!storage_endpoint_is_private(request->url->data)) {
        return error_set(err, STATUS_INTERNAL, "a token may not be sent over http");
    }
    pthread_mutex_lock(&cache->lock);
    int64_t now_ms = clock_now_ms(cache->context.clock);
    enum status status = STATUS_OK;
    if (now_ms >= due_ms(cache, now_ms)) {
        pthread_cond_signal(&cache->changed); /* its own wait may last longer, over a suspension */
    }
    if (is_usable(cache, now_ms)) {
        http_headers_addf(request->headers, "Authorization", "Bearer %s", cache->token.text.data);
        request->generation = cache->generation;
        if (request->headers->status != STATUS_OK) {
            status = error_set(err, request->headers->status, "no memory for the token");
        }
    } else {
        status = refuse(cache, err);
    }
    pthread_mutex_unlock(&cache->lock);
    return status;
}

/* True: the token is forgotten, and there will be another. */
static bool forget(struct token_cache *cache, int64_t now_ms) {
    if (now_ms - cache->refused_ms < TOKEN_REFUSAL_MS) {
        return false;
    }
    token_release(&cache->token);
    cache->refused_ms = now_ms;
    cache->next_ms = cache->failures == 0 ? now_ms : cache->next_ms;
    pthread_cond_signal(&cache->changed);
    return true;
}

/* Nobody waits for the next token: what is done again without being told to, as a renewal is, will carry it. */
static void refresh_early(struct token_cache *cache, int64_t now_ms) {
    if (now_ms - cache->believed_ms >= TOKEN_REFUSAL_MS && cache->token.refresh_ms > now_ms) {
        cache->believed_ms = now_ms;
        cache->token.refresh_ms = now_ms;
        pthread_cond_signal(&cache->changed);
    }
}

static bool refused(struct credential *credential, unsigned generation, bool is_believed) {
    struct token_cache *cache = (struct token_cache *)credential;
    bool retry = true;
    pthread_mutex_lock(&cache->lock);
    int64_t now_ms = clock_now_ms(cache->context.clock);
    if (generation == cache->generation && cache->token.text.length > 0) { /* else a newer one is there or on its way */
        if (is_believed) {
            refresh_early(cache, now_ms);
            retry = false;
        } else {
            retry = forget(cache, now_ms);
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return retry;
}

/* --- life cycle --- */

enum status token_cache_start(struct token_cache *cache, struct token_source *source, struct http_transport *transport,
                              const struct clock *clock, struct error *err) {
    int64_t now_ms = clock_now_ms(clock);
    wiped_memory_expect_secrets();
    *cache = (struct token_cache){.base = {.authorize = authorize, .refused = refused},
                                  .source = source,
                                  .next_ms = now_ms,
                                  .refused_ms = now_ms + NEVER_REFUSED,
                                  .believed_ms = now_ms + NEVER_REFUSED};
    cache->context = (struct token_context){.transport = transport,
                                            .clock = clock,
                                            .group = &cache->group,
                                            .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (cache->context.stop_fd < 0) {
        return error_set(err, STATUS_INTERNAL, "a descriptor for the token's thread: %s", strerror(errno));
    }
    token_init(&cache->token);
    pthread_mutex_init(&cache->lock, NULL);
    condition_init(&cache->changed);
    enum status status = thread_start(&cache->thread, run, cache, err);
    if (status != STATUS_OK) {
        token_cache_release(cache);
        return status;
    }
    cache->running = true;
    return STATUS_OK;
}

void token_cache_stop(struct token_cache *cache) {
    if (!cache->running) {
        return;
    }
    pthread_mutex_lock(&cache->lock);
    cache->stopping = true;
    pthread_cond_signal(&cache->changed);
    pthread_mutex_unlock(&cache->lock);
    eventfd_write(cache->context.stop_fd, 1);
    http_transport_cancel(cache->context.transport, &cache->group);
    pthread_join(cache->thread, NULL);
    cache->running = false;
}

void token_cache_release(struct token_cache *cache) {
    token_release(&cache->token);
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->lock);
    close(cache->context.stop_fd);
}
