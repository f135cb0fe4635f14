/*
 * http_server.h - an HTTP server on 127.0.0.1 for the Functions host, which opens one connection
 * for each request under way and takes any that is ended without an answer for a failure of the
 * app's (500, with nothing in it).
 *
 * Rules        Listens on the loopback address alone: nobody may reach us past the host's keys.
 *              What a request says about who sent it and to whom (Host, Forwarded, X-Forwarded-*)
 *              is read by nobody here.
 *              The handler sees every method, paths and queries exactly as they were sent, headers
 *              of one name joined with ", ", and bodies whole and within max_body_bytes (of a
 *              longer one, body_too_large is set). Chunked bodies and Expect: 100-continue are
 *              taken care of. A target that is no path ("*", another server's URL) is passed on as
 *              it is.
 *              What it leaves in the response goes out with Date, Content-Length and Connection;
 *              the body is left out for HEAD, 204 and 304. A response that cannot be sent (over
 *              max_response_bytes, a header with a line break, a status outside 200 to 599) becomes
 *              a 500, told in the log.
 *              What never reaches the handler is answered in the same error shape as the rest of
 *              the API: 400 BadRequest (unreadable; a head or a body's end that can be read in more
 *              than one way, see http_head.h; a body that is cut short), 408, 414, 431, 505, and
 *              503 with Retry-After while draining, out of memory, or with max_in_hand requests in
 *              hand: at once, none waits in a queue.
 *              A connection ends with each of these, with a body over the limit, and while
 *              draining: the answer says "Connection: close", and what still comes is read until
 *              the client closes (http_connection.h).
 * Limits       A URL has at most HTTP_SERVER_MAX_URL_BYTES, a head HTTP_SERVER_MAX_HEAD_BYTES and
 *              HTTP_SERVER_MAX_HEADERS.
 *              Head and body together must come within request_timeout_ms, and an answer must be
 *              taken in as long. The handler has no limit here. A connection without a request has
 *              none either: it costs next to nothing.
 *              As many connections may be open as the process may have descriptors, less 600, or
 *              half of them if they are few.
 *              A request is in hand from the moment when it has come whole until its answer has
 *              been sent.
 * Threads      All work is done on the loop's thread, which must be running; the handler is called
 *              there, too. What is declared here is for other threads, and for one at a time.
 */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "http/http_inbound.h"
#include "server/http_server_options.h"

struct event_loop;
struct http_server;

/*
 * Listens when it returns. Allows this process as many open files as it may have. `loop` must
 * outlive the server.
 *
 * STATUS_UNAVAILABLE   the port is taken, or may not be listened on
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status http_server_start(struct http_server **out, struct event_loop *loop,
                              const struct http_server_options *options,
                              http_inbound_handler handler, void *context,
                              struct error *err) MUST_CHECK;

/* The port that it listens on. */
int http_server_port(const struct http_server *server);

/*
 * From now on new requests are answered 503 with Retry-After and Connection: close, without the
 * handler.
 */
void http_server_drain(struct http_server *server);

/*
 * Waits until every request in hand has been answered, at most `timeout_ms`. Returns whether none
 * is left.
 */
bool http_server_wait_idle(struct http_server *server, int64_t timeout_ms);

/*
 * Drains, waits until the handler has answered each request that it has, ends all connections, and
 * frees. Idle connections hold nothing up, but an answer that is being written may be cut short:
 * wait_idle first. NULL is fine.
 */
void http_server_stop(struct http_server *server);

#endif
