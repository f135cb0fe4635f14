/*
 * http_transport_call.h - one HTTP call as libcurl sees it: what is sent, what came back, and why
 * it was stopped.
 *
 * A part of http_transport, for nobody else. A call is reused for the next request. Its easy handle
 * keeps the options that never change, and its buffers keep their memory.
 *
 * Threads  The loop's.
 */
#ifndef HTTP_HTTP_TRANSPORT_CALL_H
#define HTTP_HTTP_TRANSPORT_CALL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "http/event_loop.h"
#include "http/http_client.h"

/* The call adds three header lines: User-Agent, Expect and an empty Content-Type. */
enum { TRANSPORT_CALL_MAX_LINES = HTTP_CALL_MAX_HEADERS + 3 };

struct http_transport;
struct transport_sockets;

struct transport_call {
    /* The transport's own: its list of idle or open calls, and the timer of an open one. */
    struct http_transport *transport;
    TAILQ_ENTRY(transport_call) link;
    struct loop_timer timeout;

    CURL *easy;
    struct transport_sockets *sockets; /* opens and closes its connections, and has the clock */

    /* What is sent. */
    CURLU *origin;                                     /* "http://host:port" */
    struct strbuf origin_text;                         /* the same as text; "": not set yet */
    struct strbuf line_text;                           /* the header lines, each ended by a NUL */
    struct curl_slist lines[TRANSPORT_CALL_MAX_LINES]; /* points into line_text */
    int64_t deadline_ms;                               /* nothing is sent from here on */

    /* What came back. */
    struct http_reply reply;
    size_t header_bytes;
    bool headers_ended; /* the empty line after the headers has arrived */
    bool was_sent;      /* libcurl has begun to send the request */

    /* Why one of our callbacks made libcurl stop, for programs and for people (static). */
    enum status stop_status; /* STATUS_OK: none did */
    const char *stop_reason;

    char curl_message[CURL_ERROR_SIZE]; /* libcurl's own explanation of a failure */

    struct http_exchange *exchange; /* whose `call` this is */
};

/*
 * Makes a call, ready to be filled. `sockets` is borrowed for its whole life, `ca_file` only now.
 * `ca_file` NULL: libcurl's default.
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status http_transport_call_new(struct transport_call **out, struct transport_sockets *sockets,
                                    const char *ca_file) MUST_CHECK;
void http_transport_call_free(struct transport_call *call);

/*
 * Fills a new or emptied call with a request. All of `wanted` is copied but the body, which is
 * borrowed until the call is over. After a failure the call must be emptied.
 * STATUS_NO_MEMORY
 * STATUS_TOO_LARGE   more than HTTP_CALL_MAX_HEADERS headers
 * STATUS_INTERNAL    libcurl rejected an option
 */
enum status http_transport_call_fill(struct transport_call *call,
                                     const struct http_call *wanted) MUST_CHECK;

/* Empties a call for the next request. Everything that may be secret is overwritten. */
void http_transport_call_empty(struct transport_call *call);

#endif
