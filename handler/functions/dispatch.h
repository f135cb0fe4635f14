/*
 * dispatch.h - gives each request of the host's to the function that it is for, in every shape.
 *
 *   proxied, forwarded   the caller's own request: POST /api/inventory/PROD-001/reserve
 *   invocation           POST /ReserveInventory with {"Data":{"req":{...}},"Metadata":{...}};
 *                        a timer's call always comes so
 *   GET /                the host's readiness poll
 *
 * The caller's answer is the same, byte for byte, in all of them. In the invocation shape whatever
 * is for a caller stands inside the envelope, the server's own refusals and a payload that cannot
 * be read too: the host makes an empty 500 of anything else. A timer has no caller: its failure is
 * any status but 200, with the reason in the status line.
 *
 * Every answer carries the invocation's id as x-ms-request-id, and every log line on the way to it
 * names that, too.
 *
 * Routes match as ASP.NET's do: literals in any case, one trailing slash tolerated, {productId} one
 * non-empty segment.
 *
 * Threads  The loop's.
 */
#ifndef FUNCTIONS_DISPATCH_H
#define FUNCTIONS_DISPATCH_H

#include "base/http_message.h"
#include "base/random.h"
#include "functions/function.h"
#include "http/event_loop.h"
#include "http/http_inbound.h"
#include "inventory/inventory_service.h"

/* A payload wraps a body of MAX_BODY_BYTES, escaped, with headers and claims. */
enum { MAX_INVOCATION_BYTES = 1024 * 1024 };

struct dispatch {
    const struct function *const *functions; /* function_table */
    struct inventory_service *service;
    const struct random_source *random; /* for the ids of requests that come without one */
    const char *route_prefix;           /* host.json's extensions.http.routePrefix; may be "" */
};

/* Answers one request of the host's: an http_inbound_handler. `context` is a struct dispatch. */
void dispatch_request(void *context, struct http_inbound *inbound);

/* Puts a refusal of the server's own into the shape that the request was in. */
void dispatch_refusal(void *context, const struct http_request *request,
                      struct http_response *response);

#endif
