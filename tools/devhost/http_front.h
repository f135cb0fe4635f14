/*
 * http_front.h - the host's own HTTP interface: functions by route and method, and /admin/functions/{name}.
 *
 *   no route for it, or not with that method   404, as the host answers (Azure/azure-functions-host issue #10098)
 *   the handler is not running                 503
 *   the handler did not answer                 502
 *   the handler's answer makes no response     500
 *   POST /admin/functions/{name}               202, and the timer fires; 404 for a name that does not exist
 *
 * authLevel is not enforced, as in `func start`.
 * Threads: http_front_answer runs on the server's workers, many at once.
 * Layer: devhost. May include base/, server/http_server.h, storage/http_transport.h.
 */
#ifndef DEVHOST_HTTP_FRONT_H
#define DEVHOST_HTTP_FRONT_H

#include "base/http_message.h"
#include "devhost/handler_process.h"
#include "devhost/host_config.h"
#include "devhost/route.h"
#include "devhost/timers.h"
#include "storage/http_transport.h"

enum { HTTP_FRONT_MAX_BODY_BYTES = 16 * 1024 * 1024 };

/* All borrowed. */
struct http_front {
    const struct host_config *config;
    const struct handler_process *process;
    struct timers *timers;
    struct http_transport *transport;
};

/* An http_server_handler; `context` is a struct http_front. */
void http_front_answer(void *context, const struct http_request *request, struct http_response *response);

/* The function for a request; NULL: none. `params` holds the route's parameters then. */
const struct host_function *http_front_find(const struct host_config *config, const char *method, const char *path,
                                            struct route_values *params);

#endif
