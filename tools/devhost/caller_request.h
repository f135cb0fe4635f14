/*
 * caller_request.h - a caller's request as Kestrel, the host's own server, reads it, and the
 * answers of the host itself.
 *
 * Rules        Accepted: an empty line before the request, LF without CR, a whole URL of the same
 *              Host as target, Content-Length beside chunked (which wins; the other becomes
 *              X-Content-Length), extensions of chunks. 400: a head that is malformed, a header
 *              byte that is no UTF-8, %00 in the path, a second Host, none in HTTP/1.1. 408: the
 *              head takes longer than 30 s. 414: a request line over 8 KiB. 431: over 32 KiB or 100
 *              headers. 505: neither HTTP/1.0 nor HTTP/1.1.
 *              Source: dotnet/aspnetcore, Kestrel's HttpParser, Http1Connection, HttpRequestHeaders
 *              and KestrelServerLimits.
 * Threads: those of the stream.
 */
#ifndef DEVHOST_CALLER_REQUEST_H
#define DEVHOST_CALLER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"
#include "devhost/wire.h"

/*
 * Larger bodies are refused: ScriptConstants.DefaultMaxRequestBodySize of
 * Azure/azure-functions-host.
 */
enum { CALLER_MAX_BODY_BYTES = 104857600, CALLER_MAX_LINE_BYTES = 8 * 1024 };

struct caller_request {
    char *method;
    char *authority;     /* of a target that is a whole URL, or CONNECT's; NULL: it has none */
    struct strbuf path;  /* canonical, see request_path.h */
    struct strbuf query; /* as sent, without '?' */
    struct http_headers headers;
    bool is_http_1_0;
    bool keeps_alive;
    bool has_length; /* a Content-Length that counts */
    uint64_t length;
    struct body body;
    bool answered; /* a head was sent to the caller */
};

/*
 * Reads one head. Returns 0, or the status to refuse it with; -1: there is nobody to answer.
 * Release it in each case.
 */
int caller_request_read(struct caller_request *out, struct stream *stream);
void caller_request_cleanup(struct caller_request *request);

/* Whether the method is that one, in any case, as ASP.NET compares them. */
bool caller_request_is(const struct caller_request *request, const char *method);

/* Sends 100 Continue where the caller waits for it: to be called before the body is read. */
bool caller_request_continue(struct caller_request *request);

/*
 * Writes a head: `headers` without framing, and Date and Server where they are missing. `length`:
 * of the body, -1 for chunked (or, for HTTP/1.0, up to the connection's end). The body follows
 * unless the request is a HEAD or the status has none.
 */
bool caller_request_answer_head(struct caller_request *request, struct stream *stream, int status,
                                const char *reason, const struct http_headers *headers,
                                int64_t length);

/* Answers without a body. */
bool caller_request_answer(struct caller_request *request, struct stream *stream, int status);

#endif
