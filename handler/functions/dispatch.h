/*
 * dispatch.h - from a request of the host's to the function that it is for, in each shape in which the host calls.
 *
 *   proxied, forwarded   the caller's own request: POST /api/inventory/PROD-001/reserve
 *   invocation           POST /ReserveInventory with {"Data":{"req":{...}},"Metadata":{...}}; timers always so
 *   GET /                the host's readiness poll
 *
 * The caller's answer is the same, byte for byte, in all of them. In the invocation shape whatever is for a caller stands inside the
 * envelope, the server's own refusals and a payload that cannot be read too: the host makes an empty 500 of anything else. A
 * timer has no caller: its failure is any status but 200, with the reason in the status line.
 *
 * Every answer carries the invocation's id as x-ms-request-id, and every log line on the way to it names that, too.
 *
 * Routes match as ASP.NET's do: literals in any case, one trailing slash tolerated, {productId} one non-empty segment.
 * Threads: any, several at once.
 * Layer: functions. May include inventory/, lease/, storage/, base/.
 */
#ifndef FUNCTIONS_DISPATCH_H
#define FUNCTIONS_DISPATCH_H

#include "base/http_message.h"
#include "inventory/inventory_service.h"

/* A payload wraps a body of MAX_BODY_BYTES, escaped, with headers and claims. */
enum { MAX_INVOCATION_BYTES = 1024 * 1024 };

struct dispatch {
    struct inventory_service *service;
    const char *route_prefix; /* host.json's extensions.http.routePrefix, "api" unless it says otherwise; may be "" */
};

/* Answers one request of the host's. An http_server_handler with a struct dispatch as its context. */
void dispatch_request(void *context, const struct http_request *request, struct http_response *response);

/* Puts a refusal of the server's own into the shape that the request was in. */
void dispatch_refusal(void *context, const struct http_request *request, struct http_response *response);

#endif
