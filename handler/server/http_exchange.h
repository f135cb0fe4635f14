/*
 * http_exchange.h - the answer to one request: the handler's, or the server's own refusal, ready to
 * be sent.
 *
 * Threads  The loop's.
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include "server/http_answer.h"
#include "server/http_connection.h"

/* Makes the connection's `inbound` ready for the handler. */
void http_exchange_begin(struct http_connection *connection);

/*
 * Each makes the answer ready: the connection's `out`, `body_bytes`, `ends` and `client_ends_it`.
 */
void http_exchange_finish(struct http_connection *connection);
void http_exchange_refuse(struct http_connection *connection, enum http_refusal refusal);

/*
 * Sends "100 Continue" if the client waits for that before it sends its body. Nothing else is being
 * sent then. Returns false if the client does not take it.
 */
bool http_exchange_invite_body(const struct http_connection *connection);

#endif
