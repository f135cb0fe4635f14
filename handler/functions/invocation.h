/*
 * invocation.h - the payloads of the invocation shape: what the host posts, and what it wants back.
 *
 * Source: https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers, "Request
 * payload" and "Response payload"; Azure/azure-functions-host, HttpRequestExtensions
 * (GetRequestAsJObject) and DefaultHttpWorkerService.
 */
#ifndef FUNCTIONS_INVOCATION_H
#define FUNCTIONS_INVOCATION_H

#include <stdbool.h>

#include "base/http_message.h"
#include "base/json.h"
#include "base/status.h"

/* A payload that has been read. All strings lie in `root`. */
struct invocation {
    cJSON *root;
    const cJSON *params; /* the route's parameters by name; NULL if there are none */
    const char *method;  /* NULL: it is a timer's */
    struct http_header_value content_type;
    struct http_header_value content_encoding;
    struct http_header_value idempotency_key;
    struct http_header_value if_match;
    struct http_header_value if_none_match;
    const char *query; /* as the caller sent it, without '?' */
    /*
     * The caller's text; "" if there is none. The host sends base64 in its place for octet-stream
     * and multipart, but no function here takes those types.
     */
    const char *body;
    bool lacks_body; /* the caller has sent one in chunks, which the host does not hand on */
};

/*
 * Reads {"Data":{...},"Metadata":{...}}. With `expects_request` the Data must hold "req", an HTTP
 * trigger's request. `out` is to be cleaned up after STATUS_OK alone.
 *
 * STATUS_MALFORMED   it is no such payload
 * STATUS_NO_MEMORY
 */
enum status invocation_parse(const char *payload, size_t length, bool expects_request,
                             struct invocation *out, struct error *err) MUST_CHECK;
void invocation_cleanup(struct invocation *invocation);

/* Returns the value of a route's parameter, decoded; "" if it has none, or no text. */
const char *invocation_param(const struct invocation *invocation, const char *name);

/*
 * Wraps a function's answer for a caller: 200 and
 * {"Outputs":{"res":{"statusCode","headers","body"}},"Logs":[],"ReturnValue":null}.
 * If the answer has a `rest`, that must have been written for the envelope (body_spool.h), and it
 * moves to `out`. If the answer is incomplete for want of memory, `out` becomes a 500, which fails
 * the invocation.
 */
void invocation_wrap_response(struct http_response *answer, struct http_response *out);

/*
 * What stands behind the body in the envelope. A body_spool for the envelope ends with it.
 */
#define INVOCATION_AFTER_BODY "\"}},\"Logs\":[],\"ReturnValue\":null}"

/*
 * Writes the answer of a timer's function: 200 and {"Outputs":{},"Logs":[log],"ReturnValue":...}.
 * Takes `return_value`; NULL means out of memory, and makes a 500.
 */
void invocation_wrap_return_value(cJSON *return_value, const char *log, struct http_response *out);

#endif
