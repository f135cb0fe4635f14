/*
 * correlation.h - whose request a thread works on, so that log lines and storage's own logs can be found by it.
 *
 * Vocabulary   invocation id   the host's name for one call; it is the caller's x-ms-request-id, too
 *              trace id        of the distributed trace that the call belongs to (W3C Trace Context, traceparent)
 * Rules        The one thread-local variable of the program. Whoever serves a request sets it around that, and whoever does
 *              work for another's request (a batch) names that one while it does. No decision depends on it.
 * Threads: each has its own; a struct correlation must stay while it is in use.
 */
#ifndef BASE_CORRELATION_H
#define BASE_CORRELATION_H

#include "base/http_message.h"
#include "base/random.h"

enum { INVOCATION_ID_BYTES = 65, TRACE_ID_BYTES = 33 };

struct correlation {
    char invocation_id[INVOCATION_ID_BYTES];
    char trace_id[TRACE_ID_BYTES]; /* "": none */
};

/*
 * What a request's headers say: x-ms-invocation-id or X-Azure-Functions-InvocationId, and
 * traceparent. An id that is missing, too long or made of more than letters, digits, '-' and '_' is
 * replaced by a new one, made with `random`; such a trace id counts as none.
 */
void correlation_read(const struct http_headers *headers, const struct random_source *random,
                      struct correlation *out);

/* Makes it this thread's, and returns the one before. NULL: none. */
const struct correlation *correlation_use(const struct correlation *correlation);

/* This thread's; NULL: it works on no request. */
const struct correlation *correlation_current(void);

#endif
