#include "functions/dispatch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/percent.h"
#include "functions/api_answer.h"
#include "functions/invocation.h"
#include "functions/request_check.h"
#include "http/http_inbound.h"

enum { MAX_WRAPPED_REFUSAL_BYTES = 16 * 1024, ALLOWED_BYTES = 64 };

#define REQUEST_ID_HEADER "x-ms-request-id"

static void refuse_method(struct http_response *response, const char *allowed) {
    http_headers_add(&response->headers, "Allow", allowed);
    api_answer_error(response, 405, "MethodNotAllowed", "Only %s is allowed here.", allowed);
}

/* Answers with the methods of all functions that have this function's route. */
static void refuse_other_method(const struct dispatch *dispatch, const struct function *function,
                                struct http_response *response) {
    char allowed[ALLOWED_BYTES] = "";
    size_t length = 0;
    for (const struct function *at = dispatch->functions; at->name != NULL; at++) {
        if (length < ALLOWED_BYTES && at->route != NULL &&
            strcmp(at->route, function->route) == 0) {
            length += (size_t)snprintf(allowed + length, ALLOWED_BYTES - length, "%s%s",
                                       length == 0 ? "" : ", ", at->method);
        }
    }
    refuse_method(response, allowed);
}

static void refuse_path(struct http_response *response) {
    api_answer_error(response, 404, "NotFound", "There is nothing at this path.");
}

/* The host polls until any answer comes. */
static void answer_poll(const char *method, struct http_response *response) {
    if (strcmp(method, "GET") != 0) {
        refuse_method(response, "GET");
        return;
    }
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(body, "status", "ok") != NULL;
    api_answer_json(response, 200, api_answer_body(body, complete), 0);
}

/* ---- answers to invocations ---- */

/* Puts the invocation envelope around an answer for a caller. */
static void wrap_answer(struct http_response *response, size_t max_body_bytes) {
    struct http_response answer = *response;
    http_response_init(response, max_body_bytes);
    invocation_wrap_response(&answer, response);
    http_response_cleanup(&answer);
}

/*
 * Copies a timer's failure into the status line. The host drops the body of a timer's failed
 * invocation and logs the reason phrase.
 * Source: Azure/azure-functions-host, DefaultHttpWorkerService.ProcessDefaultInvocationRequest
 * (EnsureSuccessStatusCode).
 */
static void set_reason(struct http_response *response) {
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

static void finish_invocation(const struct function *function, struct http_response *response,
                              size_t max_body_bytes) {
    if (function->method != NULL) {
        wrap_answer(response, max_body_bytes);
    } else if (response->status != 200) {
        set_reason(response);
    }
}

/* ---- runs ---- */

/* A request that calls a function, until it is answered. */
struct dispatched {
    const struct dispatch *dispatch;
    const struct function *function;
    struct http_inbound *inbound;
    /* The run's request borrows from the invocation or, where the request is proxied, the path. */
    bool is_invocation;
    struct invocation invocation;
    char *path;
    max_align_t run[]; /* the function's own struct, of run_bytes */
};

static struct function_run *run_of(struct dispatched *call) {
    return (struct function_run *)call->run;
}

static struct dispatched *call_of(struct function_run *run) {
    return (struct dispatched *)((char *)run - offsetof(struct dispatched, run));
}

/* Returns NULL without memory. */
static struct dispatched *call_new(const struct dispatch *dispatch, const struct function *function,
                                   struct http_inbound *inbound) {
    struct dispatched *call = calloc(1, sizeof *call + function->handler->run_bytes);
    if (call == NULL) {
        return NULL;
    }
    call->dispatch = dispatch;
    call->function = function;
    call->inbound = inbound;
    struct function_run *run = run_of(call);
    run->service = dispatch->service;
    run->response = &inbound->response;
    run->temp_folder = dispatch->temp_folder;
    run->correlation = *correlation_current();
    run->request.route = function->route;
    return call;
}

static void call_free(struct dispatched *call) {
    if (call->is_invocation) {
        invocation_cleanup(&call->invocation);
    }
    free(call->path);
    free(call);
}

void function_run_end(struct function_run *run) {
    struct dispatched *call = call_of(run);
    struct http_inbound *inbound = call->inbound;
    if (call->is_invocation) {
        finish_invocation(call->function, &inbound->response, inbound->response.body.max_bytes);
    }
    correlation_use(NULL); /* the run's is freed with the call */
    call_free(call);
    http_inbound_answer(inbound);
}

/* Starts the run. It frees the call when it ends, which may be at once. */
static void start_run(struct dispatched *call) {
    struct function_run *run = run_of(call);
    /* The run may end, and its correlation with it, before `start` returns. */
    const struct correlation *before = correlation_use(&run->correlation);
    call->function->handler->start(run);
    correlation_use(before);
}

/* ---- the invocation shape ---- */

static const struct function *find_by_name(const struct dispatch *dispatch, const char *path) {
    const struct function *function = dispatch->functions;
    while (function->name != NULL && (path[0] != '/' || strcmp(path + 1, function->name) != 0)) {
        function++;
    }
    return function->name != NULL ? function : NULL;
}

static void fill_from_invocation(struct function_request *request,
                                 const struct invocation *invocation) {
    char name[ROUTE_NAME_BYTES];
    for (size_t i = 0; route_template_param(request->route, i, name); i++) {
        request->params[i] = invocation_param(invocation, name);
    }
    request->content_type = invocation->content_type;
    request->content_encoding = invocation->content_encoding;
    request->idempotency_key = invocation->idempotency_key;
    request->if_match = invocation->if_match;
    request->if_none_match = invocation->if_none_match;
    request->query = invocation->query;
    request->body = invocation->body;
    request->body_length = strlen(invocation->body);
    request->lacks_body = invocation->lacks_body;
}

/* Reads the payload into the call. Returns false if it is refused; the response says why. */
static bool read_invocation(struct dispatched *call) {
    const struct http_request *request = &call->inbound->request;
    struct http_response *response = &call->inbound->response;
    if (request->body_too_large) { /* so the caller's body in it is, too */
        request_refuse_size(response);
        return false;
    }
    struct error err = {0};
    bool has_caller = call->function->method != NULL;
    enum status status =
        invocation_parse(request->body, request->body_length, has_caller, &call->invocation, &err);
    if (status == STATUS_NO_MEMORY) {
        api_answer_json(response, 500, NULL, 0);
    } else if (status != STATUS_OK) {
        api_answer_error(response, 400, "InvalidJson", "The payload is not an invocation's.");
    }
    return status == STATUS_OK;
}

static void begin_invocation(const struct dispatch *dispatch, const struct function *function,
                             struct http_inbound *inbound) {
    if (strcmp(inbound->request.method, "POST") != 0) { /* the host always posts */
        refuse_method(&inbound->response, "POST");
        http_inbound_answer(inbound);
        return;
    }
    struct dispatched *call = call_new(dispatch, function, inbound);
    if (call == NULL) {
        api_answer_json(&inbound->response, 500, NULL, 0);
        finish_invocation(function, &inbound->response, inbound->response.body.max_bytes);
        http_inbound_answer(inbound);
        return;
    }
    call->is_invocation = true;
    run_of(call)->is_invocation = true;
    if (!read_invocation(call)) {
        function_run_end(run_of(call));
    } else if (function->method == NULL) {
        start_run(call);
    } else if (strcmp(call->invocation.method, function->method) != 0) {
        refuse_other_method(dispatch, function, &inbound->response);
        function_run_end(run_of(call));
    } else {
        fill_from_invocation(&run_of(call)->request, &call->invocation);
        start_run(call);
    }
}

static void wrap_refusal(const struct dispatch *dispatch, const struct http_request *request,
                         struct http_response *response) {
    const struct function *function = find_by_name(dispatch, request->path);
    if (function == NULL || strcmp(request->method, "POST") != 0) {
        return;
    }
    finish_invocation(function, response, MAX_WRAPPED_REFUSAL_BYTES);
    if (function->method == NULL) {
        log_event(LOG_WARNING, "%s was refused: %s", function->name, response->reason);
    }
}

/* ---- the proxied shape ---- */

/*
 * Finds the function for a path and a method. If the path is that of functions with other methods,
 * returns the first of them. Returns NULL if it is no function's.
 */
static const struct function *find_by_route(const struct dispatch *dispatch,
                                            const struct http_request *request,
                                            struct route_match *out_match) {
    const char *rest = route_template_skip(dispatch->route_prefix, request->path);
    const struct function *found = NULL;
    for (const struct function *at = dispatch->functions; rest != NULL && at->name != NULL; at++) {
        if (at->route != NULL && route_template_matches(at->route, rest, out_match)) {
            if (strcmp(at->method, request->method) == 0) {
                return at;
            }
            found = found == NULL ? at : found;
        }
    }
    return found;
}

/* In the invocation shape the host has taken the mark away. */
static size_t byte_order_mark_bytes(const struct http_request *request) {
    static const char mark[] = "\xEF\xBB\xBF";
    size_t length = sizeof mark - 1;
    return request->body_length >= length && memcmp(request->body, mark, length) == 0 ? length : 0;
}

/* Returns true if the request invokes, for a caller, a function that this app does not have. */
static bool looks_like_invocation(const struct http_request *request) {
    struct invocation invocation;
    bool is_call =
        strcmp(request->method, "POST") == 0 && strrchr(request->path, '/') == request->path &&
        invocation_parse(request->body, request->body_length, true, &invocation, NULL) == STATUS_OK;
    if (is_call) {
        invocation_cleanup(&invocation);
    }
    return is_call;
}

/* Returns true in the forwarded shape. Such a host breaks off an answer that may have no body. */
static bool is_forwarded(const struct http_headers *headers) {
    return http_headers_get(headers, "x-ms-invocation-id") == NULL &&
           http_headers_get(headers, "X-Azure-Functions-InvocationId") != NULL;
}

static void fill_from_path(struct dispatched *call, const struct route_match *match) {
    const struct http_request *request = &call->inbound->request;
    struct function_request *out = &run_of(call)->request;
    for (size_t i = 0; i < match->count; i++) {
        char *value = call->path + (match->values[i] - request->path);
        value[match->lengths[i]] = '\0';
        percent_decode(value); /* a '%' that stays is refused later, with the parameter */
        out->params[i] = value;
    }
    out->content_type = http_headers_single(request->headers, "Content-Type");
    out->content_encoding = http_headers_single(request->headers, "Content-Encoding");
    out->idempotency_key = http_headers_single(request->headers, "Idempotency-Key");
    out->if_match = http_headers_single(request->headers, "If-Match");
    out->if_none_match = http_headers_single(request->headers, "If-None-Match");
    out->query = request->query;
    size_t mark_bytes = byte_order_mark_bytes(request);
    out->body = request->body + mark_bytes;
    out->body_length = request->body_length - mark_bytes;
    out->body_too_large = request->body_too_large != 0;
    out->needs_answer = is_forwarded(request->headers);
}

static void begin_proxied(const struct dispatch *dispatch, const struct function *function,
                          const struct route_match *match, struct http_inbound *inbound) {
    struct dispatched *call = call_new(dispatch, function, inbound);
    char *path = strdup(inbound->request.path);
    if (call == NULL || path == NULL) {
        free(call);
        free(path);
        api_answer_json(&inbound->response, 500, NULL, 0);
        http_inbound_answer(inbound);
        return;
    }
    call->path = path;
    fill_from_path(call, match);
    start_run(call);
}

static void begin_route(const struct dispatch *dispatch, struct http_inbound *inbound) {
    struct http_response *response = &inbound->response;
    struct route_match match;
    const struct function *function = find_by_route(dispatch, &inbound->request, &match);
    if (function != NULL && strcmp(function->method, inbound->request.method) == 0) {
        begin_proxied(dispatch, function, &match, inbound);
        return;
    }
    if (function != NULL) {
        refuse_other_method(dispatch, function, response);
    } else {
        refuse_path(response);
        if (looks_like_invocation(&inbound->request)) {
            wrap_answer(response, response->body.max_bytes);
        }
    }
    http_inbound_answer(inbound);
}

static void begin(const struct dispatch *dispatch, struct http_inbound *inbound) {
    const struct http_request *request = &inbound->request;
    const struct function *function = find_by_name(dispatch, request->path);
    if (strcmp(request->path, "/") == 0) {
        answer_poll(request->method, &inbound->response);
        http_inbound_answer(inbound);
    } else if (function != NULL) {
        begin_invocation(dispatch, function, inbound);
    } else {
        begin_route(dispatch, inbound);
    }
}

void dispatch_request(void *context, struct http_inbound *inbound) {
    const struct dispatch *dispatch = context;
    struct correlation correlation;
    correlation_read(inbound->request.headers, dispatch->random, &correlation);
    const struct correlation *before = correlation_use(&correlation);
    http_headers_add(&inbound->response.headers, REQUEST_ID_HEADER, correlation.invocation_id);
    begin(dispatch, inbound);
    correlation_use(before);
}

void dispatch_refusal(void *context, const struct http_request *request,
                      struct http_response *response) {
    const struct dispatch *dispatch = context;
    struct correlation correlation;
    correlation_read(request->headers, dispatch->random, &correlation);
    const struct correlation *before = correlation_use(&correlation);
    http_headers_add(&response->headers, REQUEST_ID_HEADER, correlation.invocation_id);
    wrap_refusal(dispatch, request, response);
    correlation_use(before);
}
