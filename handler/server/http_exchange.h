/*
 * http_exchange.h - one request on its way through the server: read, checked, handed over, answered.
 *
 * Only http_server.c calls it, from civetweb's callbacks. What it takes and refuses is said in http_server.h.
 * Threads: civetweb's workers.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include "server/admission.h"
#include "server/connection_table.h"
#include "server/http_server.h"

struct mg_connection;

/* What all exchanges of a server share. */
struct http_exchange_rules {
    http_server_handler handler;
    void *context;
    size_t max_body_bytes;
    size_t max_response_bytes;
    int max_kept_connections; /* with more than these open, one ends with its answer */
    struct admission *admission;
    struct connection_table *connections;
};

/* Serves a request that civetweb has read. Answers the status that went out. */
int http_exchange_serve(const struct http_exchange_rules *rules, struct mg_connection *conn);

/* Answers what civetweb would refuse with `status`; the connection ends. */
void http_exchange_refuse(const struct http_exchange_rules *rules, struct mg_connection *conn, int status);

/* On a connection that is about to be closed: answers a request that civetweb has read and told nobody of, if there is one. */
void http_exchange_catch_up(const struct http_exchange_rules *rules, const struct mg_connection *conn);

#endif
