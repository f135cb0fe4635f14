/*
 * dispatch.h - takes each request of the host's to the function that it calls.
 *
 * The host calls in one of these shapes (host.json decides which):
 *
 *   proxied, forwarded   the caller's own request: POST /api/inventory/PROD-001/reserve
 *   invocation           POST /ReserveInventory with {"Data":{"req":{...}},"Metadata":{...}}; a
 *                        timer's function is always called in this shape
 *
 * Besides, it polls GET / until the handler is ready.
 *
 * Rules   A caller gets the same answer, byte for byte, in all shapes. In the invocation shape the
 *         answer is wrapped in an envelope. Errors are wrapped as well, because in this shape the
 *         host turns an unwrapped answer into an empty 500.
 *         A timer's function has no caller. Its failure is any status but 200, with the reason in
 *         the status line.
 *         Every answer carries the invocation's id as x-ms-request-id. So does every log line that
 *         is written on the way to it.
 *         Routes match as base/route_template.h says.
 *
 * Threads The loop's.
 */
#ifndef FUNCTIONS_DISPATCH_H
#define FUNCTIONS_DISPATCH_H

#include "functions/function.h"

struct http_inbound;
struct http_request;
struct http_response;
struct random_source;

/* A payload wraps a body of MAX_BODY_BYTES, escaped, with headers and claims. */
enum { MAX_INVOCATION_BYTES = 1024 * 1024 };

/* All borrowed. */
struct dispatch {
    const struct function *functions; /* the last has no name: function_table */
    struct inventory_service *service;
    const struct random_source *random; /* for the ids of requests that come without one */
    const char *route_prefix;           /* host.json's extensions.http.routePrefix; may be "" */
    const char *temp_folder;            /* for answers that are too long for memory; NULL: none */
};

/* Answers one request of the host's: an http_inbound_handler. `context` is a struct dispatch. */
void dispatch_request(void *context, struct http_inbound *inbound);

/*
 * Changes a response in which the server refuses a request: puts it into the shape that the
 * request had. `context` is a struct dispatch.
 */
void dispatch_refusal(void *context, const struct http_request *request,
                      struct http_response *response);

#endif
