/*
 * http_exchange.h - one request on a connection, once it has come, and the answer to it: the
 * handler's, or the server's own refusal.
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/utc.h"
#include "http/http_inbound.h"
#include "server/http_answer.h"
#include "server/http_head.h"
#include "server/http_server_options.h"

struct admission;
struct event_loop;

/* What all connections and exchanges of a server share. */
struct server_shared {
    struct http_server_options options;
    http_inbound_handler handler;
    void *context; /* the handler's */
    int port;      /* that the server listens on */
    struct admission *admission;
    struct event_loop *loop;

    /* The Date header of the second `date_s`. */
    int64_t date_s;
    char date[UTC_TEXT_BYTES];
};

struct server_exchange {
    struct http_inbound inbound; /* first, so that the exchange is found by it */
    struct server_shared *shared;

    /* The request. */
    struct http_head head;
    struct http_headers headers;
    struct strbuf body;
    bool is_too_large; /* the body exceeds max_body_bytes, and is not handed on */

    /* The answer, as it is sent. Its body and the rest of it stay in the response. */
    struct strbuf out;   /* the head */
    size_t body_bytes;   /* of the body that are to be sent */
    uint64_t rest_bytes; /* of the response's `rest` that are to be sent */
    uint64_t sent_bytes; /* of all three together */
    bool ends;           /* the connection ends with this answer */
    bool client_ends_it; /* because the client has asked for that */
};

void http_exchange_init(struct server_exchange *exchange, struct server_shared *shared);
void http_exchange_cleanup(struct server_exchange *exchange);

/* Forgets the request and its answer, for the next one. Small buffers are kept. */
void http_exchange_reset(struct server_exchange *exchange);

/* Makes `inbound` ready for the handler. */
void http_exchange_begin(struct server_exchange *exchange);

/* Makes the handler's answer ready to be sent. */
void http_exchange_finish(struct server_exchange *exchange);

/* Makes a refusal ready to be sent, in place of any other answer. */
void http_exchange_refuse(struct server_exchange *exchange, enum http_refusal refusal);

/*
 * Sends "100 Continue" if the client waits for it before it sends its body. Nothing else is being
 * sent then. Returns false if the client does not take it.
 */
bool http_exchange_invite_body(const struct server_exchange *exchange, int fd);

#endif
