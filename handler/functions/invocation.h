/*
 * invocation.h - the host's JSON and our structs: what a custom handler is sent when requests are not proxied, and its
 * answer.
 *
 * Source: "Azure Functions custom handlers", request and response payload; Azure/azure-functions-host,
 * HttpRequestExtensions (GetRequestAsJObject) and DefaultHttpWorkerService.
 */
#ifndef FUNCTIONS_INVOCATION_H
#define FUNCTIONS_INVOCATION_H

#include <stdbool.h>

#include "base/http_message.h"
#include "base/json.h"
#include "base/status.h"

/*
 * A payload, read. The strings live in `root`. `body` is the caller's text; the host sends base64 in its place for
 * octet-stream and multipart alone, types that no function here takes.
 */
struct invocation {
    cJSON *root;
    const char *method;     /* NULL: a timer's */
    const char *product_id; /* Params.productId; "" if none */
    struct http_header_value content_type;
    struct http_header_value content_encoding;
    struct http_header_value idempotency_key;
    const char *body; /* "" if none */
};

/*
 * {"Data":{...},"Metadata":{...}}; with `expects_request` the Data must hold an HTTP trigger's "req".
 * STATUS_MALFORMED: not such a payload; nothing to release. STATUS_NO_MEMORY.
 */
enum status invocation_parse(const char *payload, size_t length, bool expects_request,
                             struct invocation *out, struct error *err) MUST_CHECK;
void invocation_cleanup(struct invocation *invocation);

/*
 * Wraps a function's HTTP answer: 200 and
 * {"Outputs":{"res":{"statusCode","headers","body"}},"Logs":[],"ReturnValue":null}.
 * An answer that failed for want of memory becomes a 500 itself, with which the invocation fails.
 */
void invocation_wrap_response(const struct http_response *answer, struct http_response *out);

/* A timer's answer: 200 and {"Outputs":{},"Logs":[log],"ReturnValue":...}. Takes `return_value` (NULL: 500). */
void invocation_wrap_return_value(cJSON *return_value, const char *log, struct http_response *out);

#endif
