/*
 * http_server.h - an HTTP server on 127.0.0.1. http_server.c and http_exchange.c are the files that know civetweb.
 *
 * Rules        Listens on the loopback address alone: nobody may reach us past the host's keys. What a request says about who
 *              sent it and to whom (Host, Forwarded, X-Forwarded-*) is read by nobody here.
 *              The handler sees every method, those that civetweb does not know as well (without headers and body, as what
 *              it cannot be for), paths and queries exactly as they were sent, bodies whole and within max_body_bytes (of a longer
 *              one, body_too_large is set and the connection ends after the answer). Chunked bodies and Expect: 100-continue are
 *              taken care of. A target that is no path ("*", another server's URL) is passed on as it is, like an unknown method.
 *              What it leaves in the response goes out with Date, Content-Length and Connection; the body is left out for HEAD,
 *              204 and 304. A response that cannot be sent (over max_response_bytes, a header with a line break, a status
 *              outside 200 to 599) becomes a 500, told in the log.
 *              What never reaches the handler is answered in the same error shape as the rest of the API, and ends its connection:
 *              400 BadRequest (unreadable; a head or a body's end that can be read in more than one way, see http_framing.h; a
 *              body that is cut short; a head over one and a half times its limit), 408, 414, 431, 505, and 503 with Retry-After while
 *              draining, out of memory, or with thread_count requests in the handler's hands: at once, none waits in a queue.
 * Limits       A URL has at most HTTP_SERVER_MAX_URL_BYTES; a head HTTP_SERVER_MAX_HEAD_BYTES and 63 headers.
 *              Head and body together must come within request_timeout_ms of the connection; on a connection that is kept, the next
 *              head within 130 s of the last answer, and its body within request_timeout_ms of it. An answer must be taken in
 *              request_timeout_ms. Who is slower is told 408, if anything, and the connection ends. The handler has no limit here.
 *              A connection holds a thread while it is open. There are thread_count of them for requests and a sixteenth more for
 *              those who are turned away. While more than thread_count connections are open, the one that we have longest waited for,
 *              silent or in mid-request, is ended, with 503 if it had begun (connection_table.h). The last quarter of thread_count
 *              serves one request a connection.
 * Threads: the handler runs on civetweb's workers, on thread_count of them at once.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/status.h"

struct http_server;

enum {
    HTTP_SERVER_MAX_URL_BYTES = 8 * 1024,
    HTTP_SERVER_MAX_HEAD_BYTES = 64 * 1024,
    HTTP_SERVER_REQUEST_TIMEOUT_MS = 30 * 1000
};

struct http_server_options {
    int port;         /* 0 to 65535; 0: any free one */
    int thread_count; /* > 0: how many requests are handled at once */
    size_t max_body_bytes;
    size_t max_response_bytes;
    int request_timeout_ms; /* 0: HTTP_SERVER_REQUEST_TIMEOUT_MS */
};

typedef void (*http_server_handler)(void *context, const struct http_request *request, struct http_response *response);

/*
 * Listens when it returns. Ignores SIGPIPE from then on (civetweb's threads do).
 *
 * STATUS_UNAVAILABLE   the port is taken, or may not be listened on
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status http_server_start(struct http_server **out, const struct http_server_options *options,
                              http_server_handler handler, void *context, struct error *err) MUST_CHECK;

/* The port that it listens on. */
int http_server_port(const struct http_server *server);

/* From now on new requests are answered 503 with Retry-After and Connection: close, without the handler. */
void http_server_drain(struct http_server *server);

/* Waits until every request in hand has been answered, at most `timeout_ms`. Is none left? Later ones count unless it drains. */
bool http_server_wait_idle(struct http_server *server, int64_t timeout_ms);

/*
 * Drains, ends all connections once their handlers have returned, and frees. Idle connections hold nothing up, but an answer
 * that is being written may be cut short: wait_idle first. Not from a handler. NULL is fine.
 */
void http_server_stop(struct http_server *server);

#endif
