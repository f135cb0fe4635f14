/*
 * token_cache.h - the credential that signs with "Authorization: Bearer": one token, renewed ahead
 * of its end.
 *
 * Vocabulary   usable       there is a token, and it has not expired
 *              due          a new token is wanted: none is usable, or the present one has come to
 *                           its refresh time
 *              refusal      storage's 401: whatever the token says of itself, it is worth nothing.
 *                           Or its 403: storage believes the token, but does not let it do this; a
 *                           newer one may know of groups joined meanwhile
 *              generation   which token it was that a request carried; grows by one with each
 * Rules        One fetch at a time, however many wait. A timer starts it, never a request. What
 *              fell due while the machine was suspended is fetched at once.
 *              After a failure the next fetch waits: 1 to 2 s, then twice as long each time, 15 to
 *              30 s at most, or as long as the endpoint asked for, a minute at most. That covers
 *              IMDS's own rules: exponential backoff for 404 and 429, at least 1 s for 5xx, up to
 *              70 s for 410. While the present token is usable, nobody notices.
 *              A refused token is forgotten and fetched again at once, but a token that is refused
 *              within 10 s of the last refusal is kept: the next would be no better, and every
 *              request would ask. A token that was refused but believed serves on while the next is
 *              fetched, with the same 10 s between two such.
 *              authorize never waits: who finds no token tries again (storage_request.h).
 *              A token leaves over https alone, or over http to this machine itself.
 * Threads      All of it belongs to the loop's thread, but init and cleanup may be called while the
 *              loop does not know of the cache.
 */
#ifndef IDENTITY_TOKEN_CACHE_H
#define IDENTITY_TOKEN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "http/platform.h"
#include "identity/credential.h"
#include "identity/token_source.h"

enum {
    TOKEN_REFUSAL_MS = 10000,
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
    void (*stopped)(void *context); /* whom stop tells */
    void *stopped_context;

    struct token token;
    unsigned generation;
    int failures;        /* since the last token */
    int64_t next_ms;     /* no fetch before */
    int64_t refused_ms;  /* the last refusal that was a 401 */
    int64_t believed_ms; /* the last one that had a token fetched and was a 403 */
    struct error reason; /* why the last fetch failed; STATUS_OK: it did not */
};

/* The source is borrowed until cleanup, the platform until the cache has stopped. */
void token_cache_init(struct token_cache *cache, struct token_source *source,
                      const struct platform *platform);

/*
 * From now on there is a token whenever there can be. The first is fetched at once, but not inside
 * this call.
 */
void token_cache_start(struct token_cache *cache);

/*
 * Nothing is fetched any more, and what is under way is cancelled. `stopped` is called once that
 * has ended: inside this call or, where az has to be gone first, soon afterwards. The token stays
 * good. Safe to repeat afterwards.
 */
void token_cache_stop(struct token_cache *cache, void (*stopped)(void *context), void *context);

/* After stop, when no request is open any more. Wipes the token. */
void token_cache_cleanup(struct token_cache *cache);

#endif
