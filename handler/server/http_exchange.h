/*
 * http_exchange.h - the answer to one request: the handler's, or the server's own refusal, ready to be sent.
 *
 * Threads: one at a time for a connection; http_exchange_serve runs on a worker.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include "server/http_answer.h"
#include "server/http_connection.h"

/* Each fills in the connection's `out`, `ends` and `client_ends_it`. */
void http_exchange_serve(struct http_connection *connection);
void http_exchange_refuse(struct http_connection *connection, enum http_refusal refusal);

/* Returns whether the client waits for a "100 Continue" before it sends its body. */
bool http_exchange_expects_invitation(const struct http_connection *connection);

#endif
