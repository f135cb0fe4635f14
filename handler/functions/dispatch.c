#include "functions/dispatch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/correlation.h"
#include "base/log.h"
#include "base/percent.h"
#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/invocation.h"
#include "functions/request_check.h"

const struct function *const function_table[] = {
    &reserve_inventory_function,
    &release_inventory_function,
    &get_inventory_function,
    &reconcile_inventory_function,
    NULL,
};

enum { MAX_WRAPPED_REFUSAL_BYTES = 16 * 1024 };

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

/* Answers to invocations */

/* Puts the envelope around an answer for a caller. */
static void wrap(struct http_response *response, size_t max_body_bytes) {
    struct http_response answer = *response;
    http_response_init(response, max_body_bytes);
    invocation_wrap_response(&answer, response);
    http_response_cleanup(&answer);
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

static void finish_invocation(const struct function *function, struct http_response *response,
                              size_t max_body_bytes) {
    if (function->method != NULL) {
        wrap(response, max_body_bytes);
    } else if (response->status != 200) {
        give_reason(response);
    }
}

/* Runs */

/*
 * A request that is for a function, until it is answered. The run lies at its end, as long as the
 * function wants it.
 */
struct dispatched {
    const struct dispatch *dispatch;
    const struct function *function;
    struct http_inbound *inbound;
    /* The run's request borrows from the invocation, or from the path. */
    bool is_invocation;
    struct invocation invocation;
    char *path;
    max_align_t run[];
};

static struct function_run *run_of(struct dispatched *call) {
    return (struct function_run *)call->run;
}

static struct dispatched *call_of(struct function_run *run) {
    return (struct dispatched *)((char *)run - offsetof(struct dispatched, run));
}

/* Returns NULL if there is no memory for it. */
static struct dispatched *call_new(const struct dispatch *dispatch, const struct function *function,
                                   struct http_inbound *inbound) {
    struct dispatched *call = calloc(1, sizeof *call + function->run_bytes);
    if (call == NULL) {
        return NULL;
    }
    call->dispatch = dispatch;
    call->function = function;
    call->inbound = inbound;
    struct function_run *run = run_of(call);
    run->service = dispatch->service;
    run->response = &inbound->response;
    run->correlation = *correlation_current();
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
    correlation_use(NULL); /* the run's goes with it */
    call_free(call);
    http_inbound_answer(inbound);
}

/* Takes the call. */
static void begin_call(struct dispatched *call, const char *method) {
    const struct function *function = call->function;
    struct function_run *run = run_of(call);
    if (function->method != NULL && strcmp(method, function->method) != 0) {
        refuse_method(run->response, function->method);
        function_run_end(run);
    } else {
        const struct correlation *before =
            correlation_use(&run->correlation); /* it outlives `start` */
        function->start(run);
        correlation_use(before);
    }
}

/* The invocation shape */

static const struct function *find_by_path(const struct dispatch *dispatch, const char *path) {
    for (const struct function *const *at = dispatch->functions; path[0] == '/' && *at != NULL;
         at++) {
        if (strcmp(path + 1, (*at)->name) == 0) {
            return *at;
        }
    }
    return NULL;
}

static struct function_request request_of(const struct invocation *invocation) {
    return (struct function_request){
        .product_id = invocation->product_id,
        .content_type = invocation->content_type,
        .content_encoding = invocation->content_encoding,
        .idempotency_key = invocation->idempotency_key,
        .body = invocation->body,
        .body_length = strlen(invocation->body),
    };
}

/* Reads the payload into the call. Returns false if the answer says why that failed. */
static bool read_invocation(struct dispatched *call) {
    const struct http_request *request = &call->inbound->request;
    struct http_response *response = &call->inbound->response;
    if (request->body_too_large) { /* it wraps a body over our limit */
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
    if (strcmp(inbound->request.method, "POST") != 0) { /* not the host's */
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
    if (!read_invocation(call)) {
        function_run_end(run_of(call));
        return;
    }
    if (function->method != NULL) {
        run_of(call)->request = request_of(&call->invocation);
    }
    begin_call(call, call->invocation.method);
}

static void refuse(const struct dispatch *dispatch, const struct http_request *request,
                   struct http_response *response) {
    const struct function *function = find_by_path(dispatch, request->path);
    if (function == NULL || strcmp(request->method, "POST") != 0) {
        return;
    }
    finish_invocation(function, response, MAX_WRAPPED_REFUSAL_BYTES);
    if (function->method == NULL) {
        log_event(LOG_WARNING, "%s was refused: %s", function->name, response->reason);
    }
}

/* The proxied shape */

/*
 * The next segment of `*path`, decoded in place; NULL at the end. A %2F does not end one: splitting
 * comes first.
 */
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
        if (segment == NULL || strlen(segment) != length ||
            strncasecmp(segment, literals, length) != 0) {
            return false;
        }
        literals += length;
        literals += *literals == '/';
    }
    return true;
}

static const struct function *find_by_action(const struct dispatch *dispatch, const char *action) {
    for (const struct function *const *at = dispatch->functions; *at != NULL; at++) {
        if ((*at)->action != NULL && strcasecmp((*at)->action, action) == 0) {
            return *at;
        }
    }
    return NULL;
}

/*
 * PREFIX/inventory/{productId}[/action]; NULL: no such route. Cuts `path`, in which *out_product_id
 * lies.
 */
static const struct function *find_by_route(const struct dispatch *dispatch, char *path,
                                            const char **out_product_id) {
    if (path[0] != '/') {
        return NULL;
    }
    size_t length = strlen(path);
    if (length > 1 && path[length - 1] == '/') {
        path[length - 1] = '\0';
    }
    char *rest = path + 1;
    if (!take_literals(&rest, dispatch->route_prefix) || !take_literals(&rest, "inventory")) {
        return NULL;
    }
    const char *product_id = take_segment(&rest);
    const char *action = take_segment(&rest);
    if (product_id == NULL || product_id[0] == '\0' || (action != NULL && action[0] == '\0') ||
        rest != NULL) {
        return NULL;
    }
    *out_product_id = product_id;
    return find_by_action(dispatch, action == NULL ? "" : action);
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
    bool is_call =
        strcmp(request->method, "POST") == 0 && strrchr(request->path, '/') == request->path &&
        invocation_parse(request->body, request->body_length, true, &invocation, NULL) == STATUS_OK;
    if (is_call) {
        invocation_cleanup(&invocation);
    }
    return is_call;
}

/* The function that is called by this path, for a call that takes the path. Cuts it. */
static void begin_routed(const struct dispatch *dispatch, const struct function *function,
                         const char *product_id, char *path, struct http_inbound *inbound) {
    const struct http_request *request = &inbound->request;
    struct dispatched *call = call_new(dispatch, function, inbound);
    if (call == NULL) {
        free(path);
        api_answer_json(&inbound->response, 500, NULL, 0);
        http_inbound_answer(inbound);
        return;
    }
    call->path = path;
    size_t mark = byte_order_mark_bytes(request);
    run_of(call)->request = (struct function_request){
        .product_id = product_id,
        .content_type = http_headers_single(request->headers, "Content-Type"),
        .content_encoding = http_headers_single(request->headers, "Content-Encoding"),
        .idempotency_key = http_headers_single(request->headers, "Idempotency-Key"),
        .body = request->body + mark,
        .body_length = request->body_length - mark,
        .body_too_large = request->body_too_large != 0,
    };
    begin_call(call, request->method);
}

static void begin_route(const struct dispatch *dispatch, struct http_inbound *inbound) {
    struct http_response *response = &inbound->response;
    const char *product_id = NULL;
    char *path = strdup(inbound->request.path);
    const struct function *function =
        path == NULL ? NULL : find_by_route(dispatch, path, &product_id);
    if (function != NULL) {
        begin_routed(dispatch, function, product_id, path, inbound);
        return;
    }
    if (path == NULL) {
        api_answer_json(response, 500, NULL, 0);
    } else {
        refuse_path(response);
        if (is_invocation(&inbound->request)) {
            wrap(response, response->body.max_bytes);
        }
    }
    free(path);
    http_inbound_answer(inbound);
}

static void begin(const struct dispatch *dispatch, struct http_inbound *inbound) {
    const struct http_request *request = &inbound->request;
    const struct function *function = find_by_path(dispatch, request->path);
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
    refuse(dispatch, request, response);
    correlation_use(before);
}
