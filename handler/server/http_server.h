/*
 * http_server.h - an HTTP server on 127.0.0.1. http_server.c is the one file that knows civetweb.
 *
 * Rules        Listens on the loopback address alone: nobody may reach us past the host's keys.
 *              The handler sees every method that civetweb knows (GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, ...), paths and
 *              queries exactly as they were sent, bodies whole and within max_body_bytes (of a longer one, body_too_large is set
 *              and the connection ends after the answer). Chunked bodies and Expect: 100-continue are taken care of.
 *              What it leaves in the response goes out with Date, Content-Length and Connection; the body is left out for HEAD,
 *              204 and 304. A response that cannot be sent (over max_response_bytes, a header with a line break, a status
 *              outside 200 to 599) becomes a 500, told in the log.
 *              What never reaches the handler is answered in the same error shape as the rest of the API: 400 BadRequest
 *              (unreadable, an unknown method, a body that is cut short or whose end is ambiguous), 431, 505, and 503 while
 *              draining or out of memory.
 *              A connection holds a thread while it is open; the last quarter of them serves one request a connection, so
 *              that idle ones keep nobody out.
 * Threads: the handler runs on civetweb's workers, thread_count of them at once.
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

struct http_server_options {
    int port;         /* 0 to 65535; 0: any free one */
    int thread_count; /* > 0: how many requests are handled at once */
    size_t max_body_bytes;
    size_t max_response_bytes;
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
