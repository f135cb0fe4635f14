/*
 * http_send.h - calls of a test's or a checker's own threads: an HTTP client belongs to its loop's
 * thread.
 *
 * Threads: any but the loop's for http_send, any for http_submit.
 */
#ifndef SUPPORT_HTTP_SEND_H
#define SUPPORT_HTTP_SEND_H

#include "http/http_transport.h"

/*
 * Sends a call and waits for its answer. Statuses of http_done; `out` (initialized) is filled on
 * STATUS_OK alone.
 */
enum status http_send(struct http_transport *transport, const struct http_call *call,
                      struct http_reply *out, struct error *err) MUST_CHECK;

/*
 * Has a call sent. `done` is called once, on the loop's thread, also where the client does not
 * start it. What the call points to is borrowed until then.
 */
void http_submit(struct http_transport *transport, const struct http_call *call, http_done done,
                 void *context);

#endif
