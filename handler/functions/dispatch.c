#include "functions/dispatch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/correlation.h"
#include "base/hex.h"
#include "base/log.h"
#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/invocation.h"
#include "functions/request_check.h"

static const struct function *const functions[] = {
    &reserve_inventory_function,
    &release_inventory_function,
    &get_inventory_function,
    &reconcile_inventory_function,
};
enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0], MAX_WRAPPED_REFUSAL_BYTES = 16 * 1024 };

#define REQUEST_ID_HEADER "x-ms-request-id"

static void refuse_method(struct http_response *response, const char *allowed) {
    http_headers_add(&response->headers, "Allow", allowed);
    api_answer_error(response, 405, "MethodNotAllowed", "Only %s is allowed here.", allowed);
}

static void refuse_path(struct http_response *response) {
    api_answer_error(response, 404, "NotFound", "There is nothing at this path.");
}

/* Any answer will do for the host, which asks until one comes. */
static void answer_poll(const char *method, struct http_response *response) {
    if (strcmp(method, "GET") != 0) {
        refuse_method(response, "GET");
        return;
    }
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(body, "status", "ok") != NULL;
    api_answer_json(response, 200, api_answer_body(body, complete), 0);
}

static void serve(const struct dispatch *dispatch, const struct function *function, const char *method,
                  const struct function_request *request, struct http_response *response) {
    if (strcmp(method, function->method) == 0) {
        function->serve(dispatch->service, request, response);
    } else {
        refuse_method(response, function->method);
    }
}

/* The invocation shape */

static const struct function *find_by_path(const char *path) {
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        if (path[0] == '/' && strcmp(path + 1, functions[i]->name) == 0) {
            return functions[i];
        }
    }
    return NULL;
}

/* Puts the envelope around an answer for a caller. */
static void wrap(struct http_response *response, size_t max_body_bytes) {
    struct http_response answer = *response;
    http_response_init(response, max_body_bytes);
    invocation_wrap_response(&answer, response);
    http_response_release(&answer);
}

static void serve_caller(const struct dispatch *dispatch, const struct function *function,
                         const struct invocation *invocation, struct http_response *response) {
    const struct function_request request = {
        .product_id = invocation->product_id,
        .content_type = invocation->content_type,
        .content_encoding = invocation->content_encoding,
        .idempotency_key = invocation->idempotency_key,
        .body = invocation->body,
        .body_length = strlen(invocation->body),
    };
    serve(dispatch, function, invocation->method, &request, response);
}

/* A function's answer, not yet wrapped. */
static void answer_invocation(const struct dispatch *dispatch, const struct function *function,
                              const struct http_request *request, struct http_response *response) {
    struct invocation invocation;
    struct error err = {0};
    enum status status =
        invocation_parse(request->body, request->body_length, function->serve != NULL, &invocation, &err);
    if (status == STATUS_NO_MEMORY) {
        api_answer_json(response, 500, NULL, 0);
        return;
    }
    if (status != STATUS_OK) {
        api_answer_error(response, 400, "InvalidJson", "The payload is not an invocation's.");
        return;
    }
    if (function->serve != NULL) {
        serve_caller(dispatch, function, &invocation, response);
    } else {
        function->run(dispatch->service, response);
    }
    invocation_release(&invocation);
}

/*
 * The host drops the body of a timer's failed invocation, and logs the reason phrase.
 * Source: Azure/azure-functions-host, DefaultHttpWorkerService.ProcessDefaultInvocationRequest (EnsureSuccessStatusCode).
 */
static void give_reason(struct http_response *response) {
    cJSON *body = cJSON_ParseWithLength(response->body.data, response->body.length);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(body, "error");
    const char *code = json_string(error, "code");
    const char *message = json_string(error, "message");
    if (code != NULL && message != NULL) {
        char reason[HTTP_REASON_BYTES];
        snprintf(reason, sizeof reason, "%s: %s", code, message);
        http_response_set_reason(response, reason);
    }
    cJSON_Delete(body);
}

static void finish_invocation(const struct function *function, struct http_response *response, size_t max_body_bytes) {
    if (function->serve != NULL) {
        wrap(response, max_body_bytes);
    } else if (response->status != 200) {
        give_reason(response);
    }
}

static void serve_invocation(const struct dispatch *dispatch, const struct function *function,
                             const struct http_request *request, struct http_response *response) {
    if (strcmp(request->method, "POST") != 0) { /* not the host's */
        refuse_method(response, "POST");
        return;
    }
    if (request->body_too_large) { /* it wraps a body over our limit */
        request_refuse_size(response);
    } else {
        answer_invocation(dispatch, function, request, response);
    }
    finish_invocation(function, response, response->body.max_bytes);
}

static void refuse(const struct http_request *request, struct http_response *response) {
    const struct function *function = find_by_path(request->path);
    if (function == NULL || strcmp(request->method, "POST") != 0) {
        return;
    }
    finish_invocation(function, response, MAX_WRAPPED_REFUSAL_BYTES);
    if (function->serve == NULL) {
        log_event(LOG_WARNING, "%s was refused: %s", function->name, response->reason);
    }
}

/* The proxied shape */

/* In place. What is no escape, and %00, stays as it is: '%' is in no literal of ours and in no valid product id. */
static void percent_decode(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        int high = *from == '%' ? hex_digit(from[1]) : -1;
        int low = high < 0 ? -1 : hex_digit(from[2]);
        if (low >= 0 && high + low > 0) {
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* The next segment of `*path`, decoded in place; NULL at the end. A %2F does not end one: splitting comes first. */
static char *take_segment(char **path) {
    char *segment = strsep(path, "/");
    if (segment != NULL) {
        percent_decode(segment);
    }
    return segment;
}

/* Moves past segments that must be `literals` ("api", "v1/api", ""). */
static bool take_literals(char **path, const char *literals) {
    while (*literals != '\0') {
        size_t length = strcspn(literals, "/");
        const char *segment = take_segment(path);
        if (segment == NULL || strlen(segment) != length || strncasecmp(segment, literals, length) != 0) {
            return false;
        }
        literals += length;
        literals += *literals == '/';
    }
    return true;
}

static const struct function *find_by_action(const char *action) {
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        if (functions[i]->action != NULL && strcasecmp(functions[i]->action, action) == 0) {
            return functions[i];
        }
    }
    return NULL;
}

/* PREFIX/inventory/{productId}[/action]; NULL: no such route. Cuts `path`, in which *out_product_id lies. */
static const struct function *find_by_route(const char *prefix, char *path, const char **out_product_id) {
    if (path[0] != '/') {
        return NULL;
    }
    size_t length = strlen(path);
    if (length > 1 && path[length - 1] == '/') {
        path[length - 1] = '\0';
    }
    char *rest = path + 1;
    if (!take_literals(&rest, prefix) || !take_literals(&rest, "inventory")) {
        return NULL;
    }
    const char *product_id = take_segment(&rest);
    const char *action = take_segment(&rest);
    if (product_id == NULL || product_id[0] == '\0' || (action != NULL && action[0] == '\0') || rest != NULL) {
        return NULL;
    }
    *out_product_id = product_id;
    return find_by_action(action == NULL ? "" : action);
}

/* In the invocation shape the host has taken it away. */
static size_t byte_order_mark_bytes(const struct http_request *request) {
    static const char mark[] = "\xEF\xBB\xBF";
    size_t length = sizeof mark - 1;
    return request->body_length >= length && memcmp(request->body, mark, length) == 0 ? length : 0;
}

/* Whether it is the call of a function that is not among ours, for a caller. */
static bool is_invocation(const struct http_request *request) {
    struct invocation invocation;
    bool is_call = strcmp(request->method, "POST") == 0 && strrchr(request->path, '/') == request->path &&
                   invocation_parse(request->body, request->body_length, true, &invocation, NULL) == STATUS_OK;
    if (is_call) {
        invocation_release(&invocation);
    }
    return is_call;
}

static void serve_route(const struct dispatch *dispatch, const struct http_request *request,
                        struct http_response *response) {
    char *path = strdup(request->path);
    if (path == NULL) {
        api_answer_json(response, 500, NULL, 0);
        return;
    }
    size_t mark = byte_order_mark_bytes(request);
    struct function_request forwarded = {
        .content_type = http_headers_single(request->headers, "Content-Type"),
        .content_encoding = http_headers_single(request->headers, "Content-Encoding"),
        .idempotency_key = http_headers_single(request->headers, "Idempotency-Key"),
        .body = request->body + mark,
        .body_length = request->body_length - mark,
        .body_too_large = request->body_too_large != 0,
    };
    const struct function *function = find_by_route(dispatch->route_prefix, path, &forwarded.product_id);
    if (function != NULL) {
        serve(dispatch, function, request->method, &forwarded, response);
    } else {
        refuse_path(response);
        if (is_invocation(request)) {
            wrap(response, response->body.max_bytes);
        }
    }
    free(path);
}

static void answer(const struct dispatch *dispatch, const struct http_request *request,
                   struct http_response *response) {
    const struct function *function = find_by_path(request->path);
    if (strcmp(request->path, "/") == 0) {
        answer_poll(request->method, response);
    } else if (function != NULL) {
        serve_invocation(dispatch, function, request, response);
    } else {
        serve_route(dispatch, request, response);
    }
}

void dispatch_request(void *context, const struct http_request *request, struct http_response *response) {
    struct correlation correlation;
    correlation_read(request->headers, &correlation);
    const struct correlation *before = correlation_use(&correlation);
    http_headers_add(&response->headers, REQUEST_ID_HEADER, correlation.invocation_id);
    answer(context, request, response);
    correlation_use(before);
}

void dispatch_refusal(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    struct correlation correlation;
    correlation_read(request->headers, &correlation);
    const struct correlation *before = correlation_use(&correlation);
    http_headers_add(&response->headers, REQUEST_ID_HEADER, correlation.invocation_id);
    refuse(request, response);
    correlation_use(before);
}
