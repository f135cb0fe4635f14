/*
 * http_server.h - an HTTP server on 127.0.0.1 for the Functions host.
 *
 * The host opens one connection for each request under way. If a connection ends without an answer,
 * it takes that for a failure of the app's, and answers an empty 500.
 *
 * Requests     The server listens on the loopback address alone, so that nobody can reach it past
 *              the host's keys. What a request says about its sender and its host (Host, Forwarded,
 *              X-Forwarded-*) is ignored.
 *              The handler sees every method, and paths and queries exactly as they were sent. A
 *              URL with this server's port loses scheme and authority. Any other target that is no
 *              path ("*", a URL with another port) is passed on as it is. Headers of one name are
 *              joined with ", ". Bodies come whole; of one over max_body_bytes the handler sees
 *              only body_too_large. The server itself takes care of chunked bodies and of Expect:
 *              100-continue.
 * Answers      The response is sent with Date, Content-Length and Connection. The `rest` of a body
 *              is read from its file when the socket takes more, 64 KiB at a time. So a slow client
 *              costs no memory. If it cannot be read, the connection ends. The body is left out
 *              for HEAD, 204 and 304. A response that cannot be sent becomes a 500, and the log
 *              says why: it exceeds max_response_bytes, has a header with a line break, or a status
 *              outside 200 to 599.
 * Refusals     Requests that never reach the handler are answered in the API's error shape:
 *                400 BadRequest   unreadable; can be read in more than one way (http_head.h); or a
 *                                 body that is cut short
 *                408, 414, 431, 505
 *                503              with Retry-After: while draining, out of memory, or with
 *                                 max_in_hand requests in hand. No request waits in a queue.
 *              A connection ends with each of these, with a body over the limit, and while
 *              draining. The answer says "Connection: close", and http_connection.h has the rest.
 * Limits       http_server_options.h has those of a URL and a head.
 *              Head and body together must come within request_timeout_ms, and the client must take
 *              an answer within as long, and of a long one (`rest`) each MiB. The handler has no
 *              limit here. A connection without a request has none either, as it costs next to
 *              nothing.
 *              As many connections may be open as the process may have descriptors, less 600 and
 *              one for each of max_in_hand; or half of them, if they are few.
 *              A request is in hand from the moment when it has come whole until its answer has
 *              been sent.
 * Threads      All work is done on the loop's thread, which must be running. The handler is called
 *              there, too. The functions below are for other threads, one at a time.
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
 * The server listens when this returns. Lets this process open as many files as it may. `loop` must
 * outlive the server.
 *
 * STATUS_UNAVAILABLE   the port is taken, or may not be listened on
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status http_server_start(struct http_server **out, struct event_loop *loop,
                              const struct http_server_options *options,
                              http_inbound_handler handler, void *context,
                              struct error *err) MUST_CHECK;

/* Returns the port that the server listens on. */
int http_server_port(const struct http_server *server);

/*
 * From now on the server refuses new requests with 503, Retry-After and Connection: close.
 */
void http_server_drain(struct http_server *server);

/*
 * Waits until every request in hand has been answered, at most `timeout_ms`. Returns false if some
 * are left.
 */
bool http_server_wait_idle(struct http_server *server, int64_t timeout_ms);

/*
 * Drains, waits until the handler has answered each request that it has, ends all connections, and
 * frees. An answer that is being written may be cut short, so call http_server_wait_idle first.
 * `server` may be NULL.
 */
void http_server_stop(struct http_server *server);

#endif
