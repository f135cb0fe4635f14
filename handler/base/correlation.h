/*
 * correlation.h - the request that a thread works on. Its ids go into our log lines and into the
 * requests to storage, so that both can be searched by them.
 *
 * Vocabulary   invocation id   the host's name for one call; callers see it as x-ms-request-id
 *              trace id        names the distributed trace that the call belongs to (W3C Trace
 *                              Context, traceparent)
 * Rules        The current request is the only thread-local variable of the program. Code that
 *              serves a request sets it before, and restores the previous one after. A batch that
 *              works for several requests sets each of them while it works for it. No decision
 *              depends on it.
 * Threads      Each thread has its own. A struct correlation must live as long as it is current.
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
 * Reads the ids from a request's headers. The invocation id is x-ms-invocation-id or
 * X-Azure-Functions-InvocationId; the trace id comes from traceparent.
 *
 * An invocation id is valid if it is short enough and consists of letters, digits, '-' and '_'. A
 * missing or invalid one is replaced by a new one, made with `random`. An invalid trace id becomes
 * "".
 */
void correlation_read(const struct http_headers *headers, const struct random_source *random,
                      struct correlation *out);

/* Makes `correlation` (NULL: none) the current one of this thread, and returns the previous one. */
const struct correlation *correlation_use(const struct correlation *correlation);

/* Returns the current one of this thread, or NULL if it works on no request. */
const struct correlation *correlation_current(void);

#endif
