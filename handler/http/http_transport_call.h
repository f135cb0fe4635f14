/*
 * http_transport_call.h - one HTTP call as libcurl has it: what is sent, what came back, why it was
 * given up.
 *
 * A part of http_transport, for nobody else. A call is used again for the next request: its easy
 * handle keeps the options that never change, and its buffers keep their memory.
 *
 * Threads: the loop's alone.
 */
#ifndef HTTP_HTTP_TRANSPORT_CALL_H
#define HTTP_HTTP_TRANSPORT_CALL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "http/event_loop.h"
#include "http/http_transport.h"

enum { TRANSPORT_CALL_MAX_LINES = HTTP_CALL_MAX_HEADERS + 3 }; /* some are the call's own */

struct transport_call {
    TAILQ_ENTRY(transport_call) link; /* in the transport's idle or open calls */
    struct http_transport *transport;
    struct loop_timer timeout; /* set while it is open */
    CURL *easy;

    /* What is sent. */
    CURLU *origin;             /* "http://host:port" */
    struct strbuf origin_text; /* the same; "": there is none yet */
    struct strbuf line_text;   /* the header lines, each with a NUL at its end */
    struct curl_slist lines[TRANSPORT_CALL_MAX_LINES]; /* points into line_text */
    int64_t deadline_ms;                               /* nothing is sent from here on */

    /* What came back. */
    struct http_reply reply;
    size_t header_bytes;
    bool headers_ended; /* the empty line behind them has come */
    bool sent;          /* libcurl has begun to send it */
    enum status status; /* why a callback of ours made libcurl give up; STATUS_OK: none did */
    const char *stopped_because; /* the same for people; static */
    char detail[CURL_ERROR_SIZE];

    struct http_exchange *exchange; /* whose `call` this is */
};

/*
 * Makes a call that can be filled. `ca_file` (NULL: libcurl's own choice) is borrowed.
 * STATUS_NO_MEMORY, STATUS_INTERNAL.
 */
enum status http_transport_call_new(struct transport_call **out, struct http_transport *transport,
                                    const char *ca_file) MUST_CHECK;
void http_transport_call_free(struct transport_call *call);

/*
 * Fills a new or emptied call with what is to be sent. All of `wanted` is copied but the body,
 * which is borrowed until the call is over. On failure the call has to be emptied.
 * STATUS_NO_MEMORY
 * STATUS_TOO_LARGE   more than HTTP_CALL_MAX_HEADERS
 * STATUS_INTERNAL    libcurl refused an option
 */
enum status http_transport_call_fill(struct transport_call *call,
                                     const struct http_call *wanted) MUST_CHECK;

/* Makes an answered call ready for the next one. What may have been a secret is wiped. */
void http_transport_call_empty(struct transport_call *call);

/*
 * What calls ask of their transport. Closing a socket also ends its being watched; returns close's
 * answer.
 */
int64_t http_transport_now_ms(const struct http_transport *transport);
int http_transport_open_socket(struct http_transport *transport, int family, int type,
                               int protocol);
int http_transport_close_socket(struct http_transport *transport, int fd);

#endif
