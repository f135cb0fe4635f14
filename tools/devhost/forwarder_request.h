/*
 * forwarder_request.h - target and headers of the request that the handler gets, and the headers
 * that come back.
 */
#ifndef DEVHOST_FORWARDER_REQUEST_H
#define DEVHOST_FORWARDER_REQUEST_H

#include "devhost/caller_request.h"
#include "devhost/invoker.h"

/*
 * YARP's: the caller's own without those of one connection (RequestUtilities), with
 * x-ms-invocation-id and X-Forwarded-* of this host, and traceparent where it is missing. Both
 * outputs are to be released.
 */
void forwarder_request_proxied(struct http_headers *headers, struct strbuf *target,
                               const struct invoker_run *run, const struct caller_request *request);

/*
 * HttpRequestExtensions.ToHttpRequestMessage's: path and query built anew, content headers gone but
 * Content-Type and Content-Length, which stay with a body; with the host's own headers
 * (invoker_add_headers). Both are to be released, also where it returns false: .NET can make no
 * request of it. Its Content-Type is no media type (two are none), or its Host no host.
 */
bool forwarder_request_forwarded(struct http_headers *headers, struct strbuf *target,
                                 const struct invoker_run *run,
                                 const struct caller_request *request);

/* The handler's headers without those of one connection and the body's framing, added to `out`. */
void forwarder_request_copy_answer(struct http_headers *out, const struct http_headers *headers);

/* Whether HttpClient sends Content-Length: 0 where there is no body. */
bool forwarder_request_needs_length(const struct caller_request *request);

/* Whether a header tells of content, so that HttpClient sends an empty one where there is none. */
bool forwarder_request_is_about_content(const struct caller_request *request);

/* The method as it is sent. */
const char *forwarder_request_method(const struct caller_request *request);

/* Whether all values are ASCII. */
bool forwarder_request_is_ascii(const struct http_headers *headers);

#endif
