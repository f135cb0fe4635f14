/*
 * forwarder.h - brings a caller's request to the handler in one of the host's three shapes, and the
 * answer back.
 *
 * Rules        Whatever goes wrong on the way, the caller gets 500 with an empty body.
 *   proxied    YARP passes the caller's own request on. Where nothing listens it is tried again for
 *              1.9 s. Where the connection ends without an answer, a request with a body was sent
 *              once, and its caller waits just as long; one without is tried 10 times
 *              (RetryProxyHandler), a GET 4 times in each. Silence ends after 240 s. An answer that
 *              is cut off resets the caller's connection. A caller who leaves ends the call.
 *   forwarded  HttpClient sends a request that is built anew, once; a chunked body is a 500
 *              (ToHttpRequestMessage).
 *   invocation The request is told as JSON (invoker.h).
 *              UTF-8 beyond ASCII in a header is a 500 in the first two: HttpClient sends none.
 *              Bodies of up to 100 MB; larger ones are a 500.
 * Threads: the callers'.
 */
#ifndef DEVHOST_FORWARDER_H
#define DEVHOST_FORWARDER_H

#include "devhost/caller_request.h"
#include "devhost/invoker.h"
#include "devhost/route.h"

/* Serves a request to a function. False: the caller's connection is to be reset. */
bool forwarder_serve(struct invoker *invoker, const struct host_function *function,
                     const struct route_values *params, struct caller_request *request,
                     struct stream *caller);

#endif
