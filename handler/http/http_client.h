/*
 * http_client.h - how requests leave this program: the interface to the network, and what is sent and received.
 *
 * http_transport.h is the client that ships. Tests and the simulation bring clients of their own.
 *
 * Vocabulary   call       one HTTP request and its reply: exactly one attempt, no redirects, no retries
 *              exchange   a call under way. It lives with whoever started it until it is answered or abandoned
 *              sent_ms    the clock before the call was handed to the network: nothing reached the server earlier
 * Rules        Each exchange is answered once, on the loop's thread, never inside start. One that was abandoned is not
 *              answered.
 */
#ifndef HTTP_HTTP_CLIENT_H
#define HTTP_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"

enum { HTTP_CALL_MAX_HEADERS = 64 };

/*
 * What to send. It has at most HTTP_CALL_MAX_HEADERS headers of its own; Host, Content-Length and
 * Connection are the client's.
 */
struct http_call {
    const char *method;                 /* "GET", "PUT", "POST", "DELETE", "HEAD", ... */
    const char *url;                    /* complete, encoded */
    const struct http_headers *headers; /* NULL: none of its own */
    const void *body;
    size_t body_length;        /* 0: none; Content-Length: 0 is sent where the method wants it */
    int64_t timeout_ms;        /* > 0: the whole call; connecting counts too */
    size_t max_response_bytes; /* a longer body fails the call with STATUS_TOO_LARGE */
};

/* What came back. */
struct http_reply {
    int status; /* 200 to 599 */
    struct http_headers headers;
    struct strbuf body;
    int64_t sent_ms;     /* see above */
    int64_t received_ms; /* the clock when the last byte was here */
};

void http_reply_init(struct http_reply *reply);

/*
 * Both empty it and wipe what was in it: that may be a token. _clear keeps the memory for the next
 * reply, unless it is much.
 */
void http_reply_clear(struct http_reply *reply);
void http_reply_cleanup(struct http_reply *reply);

/*
 * `reply` is NULL unless status is STATUS_OK, which any HTTP answer is, whatever its status code. It is borrowed; whoever
 * wants to keep it takes it away and leaves an initialized one in its place.
 *
 * STATUS_UNAVAILABLE   DNS, connection, TLS, timeout, or an answer cut short: the server may or may not have acted
 * STATUS_TOO_LARGE     the answer was over max_response_bytes, or its headers over 64 KiB
 * STATUS_CANCELLED     the client is being freed
 * STATUS_NO_MEMORY, STATUS_INTERNAL (the network's library refused the call)
 */
typedef void (*http_done)(void *context, enum status status, struct http_reply *reply,
                          const struct error *err);

/* `done` and `context` are set by the owner. */
struct http_exchange {
    http_done done;
    void *context;
    void *call; /* the client's own; NULL: none is under way */
};

struct http_client;

struct http_client_ops {
    /*
     * Starts a call; on the loop's thread. `call` with its URL and headers is copied. The body is borrowed until the
     * exchange is over. STATUS_NO_MEMORY, STATUS_INTERNAL, STATUS_TOO_LARGE (too many headers), STATUS_CANCELLED: it
     * was not started.
     */
    enum status (*start)(struct http_client *client, const struct http_call *call,
                         struct http_exchange *exchange);

    /* Ends an exchange without an answer, if it is under way. What was sent may still be carried out. */
    void (*abandon)(struct http_client *client, struct http_exchange *exchange);
};

struct http_client {
    const struct http_client_ops *ops;
};

static inline enum status http_client_start(struct http_client *client,
                                            const struct http_call *call,
                                            struct http_exchange *exchange) {
    return client->ops->start(client, call, exchange);
}

static inline void http_client_abandon(struct http_client *client, struct http_exchange *exchange) {
    client->ops->abandon(client, exchange);
}

#endif
