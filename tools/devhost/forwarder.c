#include "devhost/forwarder.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "devhost/console.h"
#include "devhost/forwarder_request.h"
#include "devhost/invocation_payload.h"
#include "devhost/request_path.h"

enum {
    BLOCK_BYTES = 16 * 1024,
    MAX_PATH_BYTES = 32 * 1024,
    ACTIVITY_TIMEOUT_MS = 240 * 1000, /* DefaultHttpProxyService */
    ATTEMPTS = 10, /* RetryProxyHandler: these, with pauses of 50 ms that double up to 250 ms */
    FIRST_PAUSE_MS = 50,
    LAST_PAUSE_MS = 250,
    MAX_PAYLOAD_BYTES = 8 * CALLER_MAX_BODY_BYTES /* escapes make a body longer */
};

/* A request on its way. */
struct passage {
    struct invoker_run run;
    struct caller_request *request;
    struct stream *caller;
    uint64_t received; /* bytes of the body */
    bool succeeded;
};

static bool fail(struct passage *passage, const struct error *err) {
    console_print(LOG_ERROR, "%s", err->message);
    passage->succeeded = false;
    if (passage->received > CALLER_MAX_BODY_BYTES ||
        passage->request->length > CALLER_MAX_BODY_BYTES) {
        passage->request->keeps_alive = false;
    }
    return caller_request_answer(passage->request, passage->caller, 500);
}

static bool fail_call(struct passage *passage, enum handler_outcome outcome, int port) {
    struct error err = {0};
    if (!invoker_check_timeout(&passage->run, &err)) {
        invoker_explain(outcome, port, &err);
    }
    return fail(passage, &err);
}

static bool fail_with(struct passage *passage, const char *why) {
    struct error err;
    error_set(&err, STATUS_INTERNAL, "%s", why);
    return fail(passage, &err);
}

/* The request's body, as the handler is sent it. A handler_body_reader. */
static ssize_t read_body(void *context, char *out, size_t size) {
    struct passage *passage = context;
    ssize_t got = wire_body_read(&passage->request->body, out, size);
    passage->received += got > 0 ? (uint64_t)got : 0;
    return passage->received > CALLER_MAX_BODY_BYTES ? -1 : got;
}

/* Proxied */

static void pause_for(const struct passage *passage, int pause_ms) {
    struct pollfd caller = {.fd = passage->caller->fd, .events = POLLRDHUP};
    poll(&caller, 1, pause_ms);
}

static enum handler_outcome send_with_retries(struct passage *passage,
                                              const struct handler_call *call,
                                              struct handler_answer *answer) {
    enum handler_outcome outcome = handler_client_call(passage->run.invoker->client, call, answer);
    int pause_ms = FIRST_PAUSE_MS;
    for (int attempt = 1;
         attempt < ATTEMPTS && (outcome == HANDLER_UNREACHABLE || outcome == HANDLER_GONE);
         attempt++) {
        pause_for(passage, pause_ms);
        pause_ms = 2 * pause_ms < LAST_PAUSE_MS ? 2 * pause_ms : LAST_PAUSE_MS;
        if (outcome == HANDLER_UNREACHABLE || call->read_body == NULL) {
            outcome = handler_client_call(passage->run.invoker->client, call, answer);
        }
        /*
         * Otherwise the body cannot be read twice: other attempts fail before they send anything.
         */
    }
    return outcome;
}

/* Passes the body on while it arrives. False: it was cut off. */
static bool stream_answer(struct passage *passage, struct handler_answer *answer, bool is_chunked) {
    char block[BLOCK_BYTES];
    ssize_t got;
    bool taken = true;
    while (taken && (got = wire_body_read(&answer->body, block, sizeof block)) > 0) {
        taken = is_chunked ? wire_write_chunk(passage->caller, block, (size_t)got)
                           : stream_write(passage->caller, block, (size_t)got);
    }
    return taken && got == 0 && (!is_chunked || stream_write(passage->caller, "0\r\n\r\n", 5));
}

static bool proxy_answer(struct passage *passage, struct handler_answer *answer) {
    struct http_headers headers;
    http_headers_init(&headers);
    forwarder_request_copy_answer(&headers, &answer->headers);
    bool has_length = answer->body.kind == BODY_LENGTH || answer->body.kind == BODY_NONE;
    int64_t length = has_length ? (int64_t)answer->body.left : -1;
    bool is_chunked = !has_length && !passage->request->is_http_1_0;
    bool whole = caller_request_answer_head(passage->request, passage->caller, answer->status,
                                            answer->reason, &headers, length) &&
                 (answer->body.kind == BODY_NONE || stream_answer(passage, answer, is_chunked));
    http_headers_cleanup(&headers);
    passage->succeeded = whole;
    return whole;
}

static bool proxy(struct passage *passage) {
    struct caller_request *request = passage->request;
    struct http_headers headers;
    struct strbuf target;
    forwarder_request_proxied(&headers, &target, &passage->run, request);
    bool has_body = !request->body.ended;
    struct handler_call call = {
        .port = handler_process_await(passage->run.invoker->process, HANDLER_HOLD_MS),
        .method = forwarder_request_method(request),
        .target = target.data,
        .headers = &headers,
        .read_body = has_body ? read_body : NULL,
        .body_context = passage,
        .is_chunked = request->body.kind == BODY_CHUNKED,
        .has_length = request->has_length || forwarder_request_needs_length(request) ||
                      forwarder_request_is_about_content(request),
        .length = request->length,
        .silence_ms = ACTIVITY_TIMEOUT_MS,
        .deadline_ms = passage->run.deadline_ms,
        .watch_fd = passage->caller->fd};
    call.is_repeatable = !has_body && !call.has_length;
    struct handler_answer answer;
    enum handler_outcome outcome =
        call.port != 0 ? send_with_retries(passage, &call, &answer) : HANDLER_UNREACHABLE;
    bool whole;
    if (outcome == HANDLER_ANSWERED) {
        whole = proxy_answer(passage, &answer);
        handler_client_finish(passage->run.invoker->client, &answer);
    } else {
        whole = fail_call(passage, outcome, call.port);
    }
    http_headers_cleanup(&headers);
    strbuf_cleanup(&target);
    return whole;
}

/* Forwarded */

/* HttpClient has the whole answer before anything of it is passed on. */
static bool forward_answer(struct passage *passage, struct handler_answer *answer) {
    struct strbuf body;
    strbuf_init(&body, INVOKER_MAX_ANSWER_BYTES);
    struct http_headers headers;
    http_headers_init(&headers);
    forwarder_request_copy_answer(&headers, &answer->headers);
    bool whole;
    if (wire_has_token(&answer->headers, "Connection", "close")) {
        passage->request->keeps_alive = false; /* this header, too, is passed on */
    }
    if (!invoker_read_body(answer, &body)) {
        whole = fail_call(passage, HANDLER_GONE, 1);
    } else {
        bool is_head = answer->body.kind == BODY_NONE;
        whole = caller_request_answer_head(passage->request, passage->caller, answer->status,
                                           answer->reason, &headers, (int64_t)body.length) &&
                (is_head || stream_write(passage->caller, body.data, body.length));
        passage->succeeded = whole;
    }
    http_headers_cleanup(&headers);
    strbuf_cleanup(&body);
    return whole;
}

static bool forward(struct passage *passage) {
    struct caller_request *request = passage->request;
    if (request->body.kind == BODY_CHUNKED) {
        return fail_with(
            passage,
            "'Transfer-Encoding: chunked' header can not be used when content object is null.");
    }
    struct http_headers headers;
    struct strbuf target;
    bool good = forwarder_request_forwarded(&headers, &target, &passage->run, request);
    struct handler_call call = {
        .port = handler_process_await(passage->run.invoker->process, HANDLER_HOLD_MS),
        .method = forwarder_request_method(request),
        .target = target.data,
        .host = http_headers_get(&request->headers, "Host"),
        .headers = &headers,
        .read_body = request->length > 0 ? read_body : NULL,
        .body_context = passage,
        .has_length = request->length > 0 || forwarder_request_needs_length(request),
        .length = request->length,
        .silence_ms = INT_MAX,
        .deadline_ms = passage->run.deadline_ms,
        .watch_fd = -1};
    call.is_repeatable = !call.has_length;
    struct handler_answer answer;
    enum handler_outcome outcome = HANDLER_UNREACHABLE;
    if (good && call.port != 0) {
        outcome = handler_client_call(passage->run.invoker->client, &call, &answer);
    }
    bool whole;
    if (!good) {
        whole = fail_with(passage, "The format of Content-Type or Host is invalid.");
    } else if (outcome == HANDLER_ANSWERED) {
        whole = forward_answer(passage, &answer);
        handler_client_finish(passage->run.invoker->client, &answer);
    } else {
        whole = fail_call(passage, outcome, call.port);
    }
    http_headers_cleanup(&headers);
    strbuf_cleanup(&target);
    return whole;
}

/* Invocation */

static bool append_payload(struct passage *passage, const struct route_values *params,
                           struct strbuf *payload) {
    struct caller_request *request = passage->request;
    const struct invocation_sys sys = {.id = passage->run.id,
                                       .now_ms = clock_wall_ms(clock_system())};
    struct strbuf body;
    strbuf_init(&body, CALLER_MAX_BODY_BYTES);
    char block[BLOCK_BYTES];
    ssize_t got = 0;
    while (request->body.kind == BODY_LENGTH &&
           (got = read_body(passage, block, sizeof block)) > 0) {
        strbuf_append(&body, block, (size_t)got);
    }
    struct strbuf path;
    strbuf_init(&path, MAX_PATH_BYTES);
    request_path_component(&path, request->path.data);
    const struct http_request told = {.method = request->method,
                                      .path = path.data,
                                      .query = request->query.data,
                                      .headers = &request->headers,
                                      .body = body.data,
                                      .body_length = body.length};
    const char *host = http_headers_get(&request->headers, "Host");
    invocation_payload_http(payload, passage->run.function, &told, host != NULL ? host : "", params,
                            &sys);
    strbuf_cleanup(&path);
    strbuf_cleanup(&body);
    return got == 0 && strbuf_status(payload) == STATUS_OK;
}

/* RawScriptResult does not tell the length: the body is chunked. */
static bool write_response(struct passage *passage, const struct http_response *response) {
    bool bodiless = caller_request_is(passage->request, "HEAD") || response->status == 204 ||
                    response->status == 304;
    const char *body = response->body.data;
    size_t length = response->body.length;
    passage->succeeded = true;
    if (!caller_request_answer_head(passage->request, passage->caller, response->status, "",
                                    &response->headers, -1)) {
        return false;
    }
    if (bodiless || passage->request->is_http_1_0) {
        return bodiless || stream_write(passage->caller, body, length);
    }
    return (length == 0 || wire_write_chunk(passage->caller, body, length)) &&
           stream_write(passage->caller, "0\r\n\r\n", 5);
}

static bool answer_as_told(struct passage *passage, const cJSON *answer) {
    struct error err;
    struct http_response response;
    http_response_init(&response, INVOKER_MAX_ANSWER_BYTES);
    const char *output = passage->run.function->output_name;
    bool good =
        output == NULL || invocation_payload_response(answer, output, &response, &err) == STATUS_OK;
    bool whole = good ? write_response(passage, &response) : fail(passage, &err);
    http_response_cleanup(&response);
    return whole;
}

static bool invoke(struct passage *passage, const struct route_values *params) {
    struct strbuf payload;
    strbuf_init(&payload, MAX_PAYLOAD_BYTES);
    struct error err = {0};
    cJSON *answer = NULL;
    bool whole;
    if (!append_payload(passage, params, &payload)) {
        whole = fail_with(passage, "the caller's body was cut off");
    } else if (!invoker_call(&passage->run, &payload, &answer, &err)) {
        whole = fail(passage, &err);
    } else {
        whole = answer_as_told(passage, answer);
    }
    cJSON_Delete(answer);
    strbuf_cleanup(&payload);
    return whole;
}

/* All three */

static bool pass(struct passage *passage, const struct route_values *params) {
    const struct caller_request *request = passage->request;
    enum host_shape shape = passage->run.invoker->config->shape;
    if (request->length > CALLER_MAX_BODY_BYTES) {
        return fail_with(passage,
                         "Request body too large. The max request body size is 104857600 bytes.");
    }
    if (shape == HOST_SHAPE_INVOCATION) {
        return invoke(passage, params);
    }
    if (!forwarder_request_is_ascii(&request->headers)) {
        return fail_with(passage, "Request headers must contain only ASCII characters.");
    }
    return shape == HOST_SHAPE_PROXY ? proxy(passage) : forward(passage);
}

bool forwarder_serve(struct invoker *invoker, const struct host_function *function,
                     const struct route_values *params, struct caller_request *request,
                     struct stream *caller) {
    struct passage passage = {.request = request, .caller = caller};
    if (!caller_request_continue(request)) {
        return false;
    }
    if (!invoker_begin(invoker, &passage.run, function,
                       "This function was programmatically called via the host APIs.")) {
        return caller_request_answer(request, caller, 500);
    }
    passage.run.caller_headers = &request->headers;
    bool whole = pass(&passage, params);
    invoker_end(&passage.run, passage.succeeded);
    return whole;
}
