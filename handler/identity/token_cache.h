/*
 * token_cache.h - the credential that sends a token ("Authorization: Bearer").
 *
 * It keeps one token, and replaces it before it ends.
 *
 * Vocabulary   usable      there is a token, and it has not expired
 *              due         there is no usable token, or its refresh time has come
 *              rejected    storage did not accept the token (401, or 403 AuthenticationFailed)
 *              forbidden   storage accepted the token but not the request (any other 403). A newer
 *                          token may help if the caller has joined a group meanwhile
 *              generation  the number of a token; it tells which token a request carried
 * Rules        There is one fetch at a time, however many requests wait. A timer starts it, never a
 *              request. A fetch that fell due while the machine was suspended starts at once.
 *              After a failure the next fetch waits 1 to 2 s, then twice as long each time, up to
 *              15 to 30 s. If the endpoint asks for more, it waits that long, a minute at most.
 *              This covers the rules of IMDS: exponential backoff for 404 and 429, at least 1 s for
 *              5xx, up to 70 s for 410. A failure does no harm while the present token is usable.
 *              A rejected token is dropped, and another is fetched at once. If a token was dropped
 *              less than 10 s ago, the rejected one is kept. Otherwise a token that is always
 *              rejected would cause one fetch per request.
 *              A forbidden token stays in use while the next one is fetched, again at most once in
 *              10 s.
 *              authorize never waits. A request that finds no token tries again
 *              (storage_client.h), unless the last fetch ended with UNAUTHORIZED or NOT_FOUND:
 *              then it fails at once, with STATUS_UNAUTHORIZED. A token is only sent over https, or
 *              over http to this machine.
 * Threads      The loop's. init and cleanup may also be called while the loop does not use the
 *              cache.
 */
#ifndef IDENTITY_TOKEN_CACHE_H
#define IDENTITY_TOKEN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "http/event_loop.h"
#include "identity/credential.h"
#include "identity/token_answer.h"

struct platform;
struct token_source;

enum {
    TOKEN_REJECTION_MS = 10000, /* between two fetches that rejections cause */
    TOKEN_FIRST_BACKOFF_MS = 2000,
    TOKEN_MAX_BACKOFF_MS = 30000,
    TOKEN_MAX_WAIT_MS = 60000
};

struct token_cache {
    struct credential base;
    struct token_source *source;
    const struct platform *platform;
    struct loop_timer timer; /* set between two fetches, to when the next is due */
    bool is_fetching;
    bool is_stopped;
    void (*stopped)(void *context);
    void *stopped_context;

    struct token token;
    unsigned generation;
    int failures;               /* since the last token */
    int64_t no_fetch_before_ms; /* no fetch starts earlier */
    int64_t last_dropped_ms;    /* when a token was last dropped because it was rejected */
    int64_t forbidden_ms;       /* when a fetch was last caused by a forbidden token */
    struct error reason;        /* why the last fetch failed; STATUS_OK: it succeeded */
};

/* The source is borrowed until cleanup, the platform until the cache has stopped. */
void token_cache_init(struct token_cache *cache, struct token_source *source,
                      const struct platform *platform);

/* Starts fetching tokens, the first one at once, but not inside this call. */
void token_cache_start(struct token_cache *cache);

/*
 * Stops fetching, and cancels a fetch under way. `stopped` is called when that fetch has ended:
 * inside this call, or a little later if az must end first. The present token stays in use. After
 * `stopped` the cache may be stopped again.
 */
void token_cache_stop(struct token_cache *cache, void (*stopped)(void *context), void *context);

/* Overwrites the token. Call it after stop, when no request is open any more. */
void token_cache_cleanup(struct token_cache *cache);

#endif
