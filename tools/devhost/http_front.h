/*
 * http_front.h - the host's own HTTP interface: functions by route and method, and
 * /admin/functions/{name}.
 *
 *   no route for it, or not with that method   404, as the host answers (Azure/azure-functions-host
 *                                              issue #10098)
 *   POST /admin/functions/{name}               400 unless the body is a JSON object, 404 for a name
 *                                              that does not exist, else 202, and a timer fires
 *                                              (FunctionsController.Invoke)
 *   a function                                 see forwarder.h
 *
 * authLevel is not enforced, as in `func start`.
 * Threads: http_front_answer runs on the callers' threads, many at once.
 */
#ifndef DEVHOST_HTTP_FRONT_H
#define DEVHOST_HTTP_FRONT_H

#include "devhost/caller_request.h"
#include "devhost/host_config.h"
#include "devhost/invoker.h"
#include "devhost/route.h"
#include "devhost/timers.h"

/* All borrowed. */
struct http_front {
    struct invoker *invoker;
    struct timers *timers;
};

/* A front_server_handler; `context` is a struct http_front. */
bool http_front_answer(void *context, struct caller_request *request, struct stream *caller);

/*
 * The function for a request; NULL: none. `params` holds the route's parameters then. `path` is
 * canonical (request_path.h).
 */
const struct host_function *http_front_find(const struct host_config *config, const char *method,
                                            const char *path, struct route_values *params);

#endif
