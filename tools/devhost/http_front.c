#include "devhost/http_front.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "devhost/console.h"
#include "devhost/invocation_payload.h"

enum {
    CALL_TIMEOUT_MS = 230 * 1000, /* Azure's load balancer waits no longer for a response */
    MAX_URL_BYTES = 80 * 1024,
    MAX_PAYLOAD_BYTES = 8 * HTTP_FRONT_MAX_BODY_BYTES /* escapes make a body longer */
};

#define ADMIN_PREFIX "/admin/functions/"

/* One HTTP function being invoked. */
struct invocation {
    const struct http_front *front;
    const struct host_function *function;
    const struct http_request *request;
    const struct route_values *params;
    int port;
    char id[UUID_TEXT_BYTES];
};

static void refuse(struct http_response *response, int status, const char *code, const char *message) {
    http_response_release(response);
    http_response_init(response, HTTP_FRONT_MAX_BODY_BYTES);
    response->status = status;
    http_headers_add(&response->headers, "Content-Type", "application/json");
    strbuf_appendf(&response->body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
}

/* Finding the function */

static bool allows(const struct host_function *function, const char *method) {
    for (size_t i = 0; i < function->method_count; i++) {
        if (strcasecmp(function->methods[i], method) == 0) {
            return true;
        }
    }
    return function->method_count == 0;
}

const struct host_function *http_front_find(const struct host_config *config, const char *method, const char *path,
                                            struct route_values *params) {
    for (size_t i = 0; i < config->function_count; i++) {
        const struct host_function *function = &config->functions[i];
        if (function->trigger == HOST_TRIGGER_HTTP && allows(function, method) &&
            route_matches(function->route, path, params)) {
            return function;
        }
    }
    return NULL;
}

/* The two directions of the caller's own request */

/* Belongs to one connection, or is written anew by whoever sends the message (RFC 9110 section 7.6.1). */
static bool is_hop_by_hop(const char *name) {
    static const char *const names[] = {"Connection",        "Keep-Alive", "Proxy-Connection", "TE",     "Trailer",
                                        "Transfer-Encoding", "Upgrade",    "Content-Length",   "Expect", "Host"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void copy_end_to_end_headers(struct http_headers *out, const struct http_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        if (!is_hop_by_hop(headers->items[i].name)) {
            http_headers_add(out, headers->items[i].name, headers->items[i].value);
        }
    }
}

static void pass_on_reply(const struct http_reply *reply, struct http_response *response) {
    response->status = reply->status;
    copy_end_to_end_headers(&response->headers, &reply->headers);
    strbuf_append(&response->body, reply->body.data, reply->body.length);
}

/* Calls to the handler */

/* Sends a call and tells the caller where it gets no answer. */
static bool call_handler(const struct invocation *invocation, const struct http_call *call, struct http_reply *reply,
                         struct http_response *response) {
    struct error err = {0};
    if (http_transport_send(invocation->front->transport, call, reply, &err) == STATUS_OK) {
        return true;
    }
    console_print(LOG_ERROR, "The handler did not answer %s: %s", invocation->function->name, err.message);
    refuse(response, 502, "HandlerUnavailable", "The handler did not answer. The host's log says more.");
    return false;
}

static bool forward(const struct invocation *invocation, struct http_response *response) {
    const struct http_request *request = invocation->request;
    struct strbuf url;
    strbuf_init(&url, MAX_URL_BYTES);
    strbuf_appendf(&url, "http://127.0.0.1:%d%s%s%s", invocation->port, request->path,
                   request->query[0] != '\0' ? "?" : "", request->query);
    struct http_headers headers;
    http_headers_init(&headers);
    copy_end_to_end_headers(&headers, request->headers);
    http_headers_add(&headers, "X-Azure-Functions-InvocationId", invocation->id);
    const struct http_call call = {.method = request->method,
                                   .url = url.data,
                                   .headers = &headers,
                                   .body = request->body,
                                   .body_length = request->body_length,
                                   .timeout_ms = CALL_TIMEOUT_MS,
                                   .max_response_bytes = HTTP_FRONT_MAX_BODY_BYTES};
    struct http_reply reply;
    http_reply_init(&reply);
    bool answered = call_handler(invocation, &call, &reply, response);
    if (answered) {
        pass_on_reply(&reply, response);
    }
    http_reply_release(&reply);
    http_headers_release(&headers);
    strbuf_release(&url);
    return answered;
}

/* Reads the handler's description of a response. */
static bool read_answer(const struct invocation *invocation, const struct http_reply *reply,
                        struct http_response *response) {
    struct error err;
    cJSON *answer = NULL;
    enum status status = STATUS_INTERNAL;
    if (reply->status < 200 || reply->status > 299) {
        error_set(&err, status, "it answered %d: %.300s", reply->status, reply->body.data);
    } else {
        status = invocation_payload_parse(reply->body.data, reply->body.length, &answer, &err);
    }
    const char *line;
    for (int i = 0; status == STATUS_OK && (line = invocation_payload_log(answer, i)) != NULL; i++) {
        console_print(LOG_INFORMATION, "%s", line);
    }
    if (status == STATUS_OK && invocation->function->output_name != NULL) {
        status = invocation_payload_response(answer, invocation->function->output_name, response, &err);
    }
    cJSON_Delete(answer);
    if (status != STATUS_OK) {
        console_print(LOG_ERROR, "The handler's answer for %s is no response: %s", invocation->function->name,
                      err.message);
        refuse(response, 500, "InternalError", "The handler's answer could not be used. The host's log says more.");
    }
    return status == STATUS_OK;
}

static bool invoke(const struct invocation *invocation, struct http_response *response) {
    const struct invocation_sys sys = {.id = invocation->id, .now_ms = clock_wall_ms(clock_system())};
    const char *host = http_headers_get(invocation->request->headers, "Host");
    struct strbuf payload;
    strbuf_init(&payload, MAX_PAYLOAD_BYTES);
    invocation_payload_http(&payload, invocation->function, invocation->request, host != NULL ? host : "localhost",
                            invocation->params, &sys);
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Content-Type", "application/json; charset=utf-8");
    http_headers_add(&headers, "X-Azure-Functions-InvocationId", invocation->id);
    char url[512];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", invocation->port, invocation->function->name);
    const struct http_call call = {.method = "POST",
                                   .url = url,
                                   .headers = &headers,
                                   .body = payload.data,
                                   .body_length = payload.length,
                                   .timeout_ms = CALL_TIMEOUT_MS,
                                   .max_response_bytes = MAX_PAYLOAD_BYTES};
    struct http_reply reply;
    http_reply_init(&reply);
    bool succeeded = call_handler(invocation, &call, &reply, response) && read_answer(invocation, &reply, response);
    http_reply_release(&reply);
    http_headers_release(&headers);
    strbuf_release(&payload);
    return succeeded;
}

/* Requests */

static void run_function(struct invocation *invocation, struct http_response *response) {
    invocation->port = handler_process_port(invocation->front->process);
    if (invocation->port == 0) {
        refuse(response, 503, "HandlerUnavailable", "The handler is not running. The host's log says why.");
        return;
    }
    if (uuid_v4(invocation->id) != STATUS_OK) {
        refuse(response, 500, "InternalError", "No random bytes.");
        return;
    }
    const char *name = invocation->function->name;
    int64_t started_ms = clock_now_ms(clock_system());
    console_print(
        LOG_INFORMATION,
        "Executing 'Functions.%s' (Reason='This function was programmatically called via the host APIs.', Id=%s)", name,
        invocation->id);
    bool succeeded = invocation->front->config->shape == HOST_SHAPE_INVOCATION ? invoke(invocation, response)
                                                                               : forward(invocation, response);
    console_print(succeeded ? LOG_INFORMATION : LOG_ERROR,
                  "Executed 'Functions.%s' (%s, Id=%s, Duration=%" PRId64 "ms)", name,
                  succeeded ? "Succeeded" : "Failed", invocation->id, clock_now_ms(clock_system()) - started_ms);
}

static void answer_admin(const struct http_front *front, const struct http_request *request,
                         struct http_response *response) {
    const struct host_function *function = host_config_find(front->config, request->path + strlen(ADMIN_PREFIX));
    struct error err;
    if (function == NULL || strcmp(request->method, "POST") != 0) {
        response->status = 404;
    } else if (function->trigger != HOST_TRIGGER_TIMER) {
        refuse(response, 400, "BadRequest", "Only timers are fired here; call HTTP functions by their route.");
    } else if (timers_fire(front->timers, function, &err) != STATUS_OK) {
        refuse(response, 503, "HandlerUnavailable", "The timer could not be fired: the handler is not running.");
    } else {
        response->status = 202;
    }
}

void http_front_answer(void *context, const struct http_request *request, struct http_response *response) {
    const struct http_front *front = context;
    struct route_values params;
    struct invocation invocation = {.front = front, .request = request, .params = &params};
    if (strncasecmp(request->path, ADMIN_PREFIX, strlen(ADMIN_PREFIX)) == 0) {
        answer_admin(front, request, response);
        return;
    }
    invocation.function = http_front_find(front->config, request->method, request->path, &params);
    if (invocation.function == NULL) {
        response->status = 404;
    } else if (request->body_too_large) {
        refuse(response, 413, "PayloadTooLarge", "The host takes bodies of up to 16 MiB.");
    } else {
        run_function(&invocation, response);
    }
}
