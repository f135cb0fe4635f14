/*
 * token_cache.h - the credential that signs with "Authorization: Bearer": one token, renewed ahead of its end by a thread of its own.
 *
 * Vocabulary   usable       there is a token, and it has not expired
 *              due          a new token is wanted: none is usable, or the present one has come to its refresh time
 *              refusal      storage's 401: whatever the token says of itself, it is worth nothing. Or its 403: storage believes the
 *                           token, but does not let it do this; a newer one may know of groups joined meanwhile
 *              generation   which token it was that a request carried; grows by one with each
 * Rules        One fetch at a time, by the cache's thread, however many wait.
 *              After a failure the next fetch waits: 1 to 2 s, then twice as long each time, 15 to 30 s at most, or as long as the
 *              endpoint asked for, a minute at most. That covers IMDS's own rules: exponential backoff for 404 and 429, at least 1 s
 *              for 5xx, up to 70 s for 410. While the present token is usable, nobody notices.
 *              A refused token is forgotten and fetched again at once, but a token that is refused within 10 s of the last refusal
 *              is kept: the next would be no better, and every request would ask. A token that was refused but believed serves on
 *              while the next is fetched, with the same 10 s between two such.
 *              authorize never blocks. Blocking sends try again until their deadline (storage_request.h).
 *              A token leaves over https alone, or over http to this machine itself.
 * Threads: authorize and refused may be called from any thread; start, stop and release from the one that owns it.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_TOKEN_CACHE_H
#define STORAGE_TOKEN_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "storage/credential.h"
#include "storage/http_transport.h"
#include "storage/token_source.h"

enum {
    TOKEN_REFUSAL_MS = 10000,
    TOKEN_FIRST_BACKOFF_MS = 2000,
    TOKEN_MAX_BACKOFF_MS = 30000,
    TOKEN_MAX_WAIT_MS = 60000
};

struct token_cache {
    struct credential base;
    struct token_source *source; /* of the thread alone */
    struct token_context context;
    struct http_call_group group;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* for the thread: look again */
    struct token token;
    unsigned generation;
    int failures;        /* since the last token */
    int64_t next_ms;     /* no fetch before */
    int64_t refused_ms;  /* the last refusal that was a 401 */
    int64_t believed_ms; /* the last one that had a token fetched and was a 403 */
    struct error reason; /* why the last fetch failed; STATUS_OK: it did not */
    bool stopping;
};

/*
 * Starts the thread, which fetches the first token at once. All is borrowed until stop.
 * STATUS_INTERNAL: no more threads or descriptors; the cache needs no release.
 */
enum status token_cache_start(struct token_cache *cache, struct token_source *source, struct http_transport *transport,
                              const struct clock *clock, struct error *err) MUST_CHECK;

/*
 * Ends the thread, whatever a fetch is waiting for; the token stays good. Before http_transport_free. Safe to repeat.
 */
void token_cache_stop(struct token_cache *cache);

/* After stop, when no request is open any more. Wipes the token. */
void token_cache_release(struct token_cache *cache);

#endif
