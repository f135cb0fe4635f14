/*
 * blocking_server.h - HTTP servers whose handler may block: it runs on a worker, as the app's
 * blocking functions do.
 *
 * Threads  A test's own.
 */
#ifndef SUPPORT_BLOCKING_SERVER_H
#define SUPPORT_BLOCKING_SERVER_H

#include "http/event_loop.h"
#include "server/http_server.h"
#include "support/processes/worker_pool.h"

/* An event loop, and workers. All servers on it have the same handler. */
struct blocking_server {
    struct event_loop *loop;
    struct worker_pool *workers;
    void (*handler)(void *context, const struct http_request *request,
                    struct http_response *response);
    void *context;
};

typedef void (*blocking_handler)(void *context, const struct http_request *request,
                                 struct http_response *response);

void blocking_server_open(struct blocking_server *host, blocking_handler handler, void *context);

/* Its servers have been stopped. */
void blocking_server_close(struct blocking_server *host);

/* Starts a server, which http_server_stop stops. What http_server_start returns. */
enum status blocking_server_start(struct blocking_server *host, struct http_server **out,
                                  const struct http_server_options *options,
                                  struct error *err) MUST_CHECK;

#endif
