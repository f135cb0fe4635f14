/*
 * http_client.h - the interface of an HTTP client, and what it sends and receives.
 *
 * The handler uses http_transport.h, which implements it. Tests and the simulation have clients of
 * their own.
 *
 * Vocabulary   call       one HTTP request and its reply: one attempt, no redirects, no retries
 *              exchange   a call under way. It lives in its owner until it is answered or abandoned
 *              sent_ms    the clock before the network got the call, so nothing reached the server
 *                         earlier
 * Rules        Each exchange is answered once, on the loop's thread, never inside start. An
 *              abandoned exchange is not answered.
 */
#ifndef HTTP_HTTP_CLIENT_H
#define HTTP_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"

enum { HTTP_CALL_MAX_HEADERS = 64 };

/* What to send. The client adds Host, Content-Length and Connection. */
struct http_call {
    const char *method;                 /* "GET", "PUT", "POST", "DELETE", "HEAD", ... */
    const char *url;                    /* complete, percent-encoded */
    const struct http_headers *headers; /* at most HTTP_CALL_MAX_HEADERS; NULL: none */
    const void *body;
    size_t body_length;        /* 0: no body; Content-Length: 0 is sent where the method wants it */
    int64_t timeout_ms;        /* > 0; covers the whole call, connecting included */
    size_t max_response_bytes; /* a longer body fails the call with STATUS_TOO_LARGE */
};

/* What came back. */
struct http_reply {
    int status; /* 200 to 599 */
    struct http_headers headers;
    struct strbuf body;
    int64_t sent_ms;     /* see the vocabulary */
    int64_t received_ms; /* the clock when the last byte had arrived */
};

void http_reply_init(struct http_reply *reply);

/*
 * Both empty a reply and overwrite its content, which may be a token. _clear keeps the memory for
 * the next reply, unless that is a lot.
 */
void http_reply_clear(struct http_reply *reply);
void http_reply_cleanup(struct http_reply *reply);

/*
 * How a call ended. Any HTTP answer is STATUS_OK, whatever its status code. `reply` is NULL for
 * every other status. It is borrowed. To keep it, copy the struct and initialize the original anew.
 *
 * STATUS_UNAVAILABLE   DNS, connection, TLS, timeout, or an answer cut short: the server may or may
 *                      not have acted
 * STATUS_TOO_LARGE     the body was over max_response_bytes, or the headers over 64 KiB
 * STATUS_CANCELLED     the client is being freed
 * STATUS_NO_MEMORY
 * STATUS_INTERNAL      the network's library rejected the call
 */
typedef void (*http_done)(void *context, enum status status, struct http_reply *reply,
                          const struct error *err);

/* The owner sets `done` and `context`. */
struct http_exchange {
    http_done done;
    void *context;
    void *call; /* the client's own; NULL: no call is under way */
};

struct http_client;

struct http_client_ops {
    /*
     * Starts a call, on the loop's thread. `call` is copied with its URL and headers. The body is
     * borrowed until the exchange is over. Any status but STATUS_OK means that nothing was started:
     * STATUS_NO_MEMORY, STATUS_INTERNAL, STATUS_TOO_LARGE (too many headers), STATUS_CANCELLED.
     */
    enum status (*start)(struct http_client *client, const struct http_call *call,
                         struct http_exchange *exchange);

    /*
     * Ends an exchange without an answer, if it is under way. The server may still carry out what
     * was sent.
     */
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
