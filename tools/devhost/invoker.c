#include "devhost/invoker.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/crypto.h"
#include "base/hex.h"
#include "base/timespan.h"
#include "devhost/console.h"
#include "devhost/invocation_payload.h"

enum { BLOCK_BYTES = 16 * 1024, MAX_URL_BYTES = 512 };

void invoker_init(struct invoker *invoker, const struct host_config *config,
                  struct handler_process *process, struct handler_client *client) {
    *invoker = (struct invoker){.config = config, .process = process, .client = client};
    pthread_mutex_init(&invoker->lock, NULL);
    condition_init(&invoker->stopped);
}

void invoker_cleanup(struct invoker *invoker) {
    pthread_cond_destroy(&invoker->stopped);
    pthread_mutex_destroy(&invoker->lock);
}

void invoker_stop(struct invoker *invoker) {
    pthread_mutex_lock(&invoker->lock);
    invoker->stopping = true;
    pthread_cond_broadcast(&invoker->stopped);
    pthread_mutex_unlock(&invoker->lock);
}

/* Runs */

bool invoker_begin(struct invoker *invoker, struct invoker_run *run,
                   const struct host_function *function, const char *reason) {
    *run = (struct invoker_run){.invoker = invoker,
                                .function = function,
                                .started_ms = clock_now_ms(clock_system()),
                                .deadline_ms = INT64_MAX};
    if (invoker->config->function_timeout_ms > 0) {
        run->deadline_ms = run->started_ms + invoker->config->function_timeout_ms;
    }
    if (uuid_v4(random_system(), run->id) != STATUS_OK) {
        return false;
    }
    console_print(LOG_INFORMATION, "Executing 'Functions.%s' (Reason='%s', Id=%s)", function->name,
                  reason, run->id);
    return true;
}

void invoker_end(const struct invoker_run *run, bool succeeded) {
    console_print(succeeded ? LOG_INFORMATION : LOG_ERROR,
                  "Executed 'Functions.%s' (%s, Id=%s, Duration=%" PRId64 "ms)",
                  run->function->name, succeeded ? "Succeeded" : "Failed", run->id,
                  clock_now_ms(clock_system()) - run->started_ms);
}

void invoker_add_traceparent(struct http_headers *headers) {
    unsigned char id[24];
    if (http_headers_get(headers, "traceparent") != NULL ||
        crypto_random(id, sizeof id) != STATUS_OK) {
        return;
    }
    char text[2 * sizeof id + 1];
    hex_encode(id, sizeof id, text);
    http_headers_addf(headers, "traceparent", "00-%.32s-%.16s-00", text, text + 32);
}

/* Continues the caller's trace with a span of this host's. */
static void continue_trace(const struct http_headers *caller, struct http_headers *headers) {
    const char *parent = http_headers_get(caller, "traceparent");
    const char *state = http_headers_get(caller, "tracestate");
    unsigned char span[8];
    if (parent == NULL || strlen(parent) != 55 || crypto_random(span, sizeof span) != STATUS_OK) {
        return;
    }
    char text[2 * sizeof span + 1];
    hex_encode(span, sizeof span, text);
    http_headers_addf(headers, "traceparent", "%.36s%s%s", parent, text, parent + 52);
    if (state != NULL) {
        http_headers_add(headers, "tracestate", state);
    }
}

void invoker_add_headers(const struct invoker_run *run, struct http_headers *headers) {
    http_headers_add(headers, "X-Azure-Functions-HostVersion", INVOKER_HOST_VERSION);
    http_headers_add(headers, "X-Azure-Functions-InvocationId", run->id);
    http_headers_add(headers, "User-Agent", "Azure-Functions-Host/" INVOKER_HOST_VERSION);
    invoker_add_traceparent(headers);
}

bool invoker_check_timeout(const struct invoker_run *run, struct error *err) {
    if (clock_now_ms(clock_system()) < run->deadline_ms) {
        return false;
    }
    char timeout[TIMESPAN_TEXT_BYTES];
    timespan_format(run->invoker->config->function_timeout_ms, timeout);
    error_set(err, STATUS_UNAVAILABLE,
              "Timeout value of %s exceeded by function 'Functions.%s' (Id: '%s').", timeout,
              run->function->name, run->id);
    handler_process_ask_restart(run->invoker->process);
    return true;
}

void invoker_explain(enum handler_outcome outcome, int port, struct error *err) {
    if (port == 0) {
        error_set(err, STATUS_UNAVAILABLE, "the handler is not running");
    } else if (outcome == HANDLER_UNREACHABLE) {
        error_set(err, STATUS_UNAVAILABLE, "Connection refused (127.0.0.1:%d)", port);
    } else if (outcome == HANDLER_SILENT) {
        error_set(err, STATUS_UNAVAILABLE, "the handler did not answer in time");
    } else if (outcome == HANDLER_CALLER_GONE) {
        error_set(err, STATUS_CANCELLED,
                  "the caller went away, or its body was cut off or too large");
    } else {
        error_set(err, STATUS_UNAVAILABLE, "the handler ended the connection without an answer");
    }
}

/* Calls */

struct memory_body {
    const char *data;
    size_t left;
};

static ssize_t read_memory(void *context, char *out, size_t size) {
    struct memory_body *body = context;
    size_t taken = body->left < size ? body->left : size;
    memcpy(out, body->data, taken);
    body->data += taken;
    body->left -= taken;
    return (ssize_t)taken;
}

bool invoker_read_body(struct handler_answer *answer, struct strbuf *out) {
    char block[BLOCK_BYTES];
    ssize_t got;
    while ((got = wire_body_read(&answer->body, block, sizeof block)) > 0 &&
           strbuf_status(out) == STATUS_OK) {
        strbuf_append(out, block, (size_t)got);
    }
    return got == 0 && strbuf_status(out) == STATUS_OK;
}

/* Hangs until functionTimeout, as a run does whose answer says nothing. */
static void hang(const struct invoker_run *run) {
    struct invoker *invoker = run->invoker;
    int64_t left_ms =
        run->deadline_ms == INT64_MAX ? INT32_MAX : run->deadline_ms - clock_now_ms(clock_system());
    const struct timespec until = condition_deadline(left_ms > 0 ? left_ms : 0);
    pthread_mutex_lock(&invoker->lock);
    while (!invoker->stopping && condition_wait_until(&invoker->stopped, &invoker->lock, &until)) {
    }
    pthread_mutex_unlock(&invoker->lock);
}

static bool is_json(const struct http_headers *headers) {
    const char *type = http_headers_get(headers, "Content-Type");
    size_t length = type != NULL ? strcspn(type, "; \t") : 0;
    return (length == 16 && strncasecmp(type, "application/json", 16) == 0) ||
           (length == 9 && strncasecmp(type, "text/json", 9) == 0);
}

/* JSON's null, or nothing but white space. */
static bool says_nothing(const struct strbuf *body) {
    static const char blank[] = " \t\r\n";
    const char *text = body->data + strspn(body->data, blank);
    if (strncmp(text, "null", 4) == 0) {
        text += 4;
    }
    return text[strspn(text, blank)] == '\0' && strlen(body->data) == body->length;
}

/* Makes sense of a whole answer. */
static bool read_answer(const struct invoker_run *run, const struct handler_answer *answer,
                        const struct strbuf *body, cJSON **out, struct error *err) {
    if (answer->status < 200 || answer->status > 299) {
        error_set(err, STATUS_INTERNAL, "Response status code does not indicate success: %d (%s).",
                  answer->status, answer->reason);
        return false;
    }
    if (body->length > 0 && !is_json(&answer->headers)) {
        error_set(err, STATUS_MALFORMED, "the handler's answer is not application/json");
        return false;
    }
    if (says_nothing(body)) {
        console_print(LOG_WARNING,
                      "The handler's answer for %s says nothing: it hangs until functionTimeout.",
                      run->function->name);
        hang(run);
        if (!invoker_check_timeout(run, err)) {
            error_set(err, STATUS_CANCELLED, "the host stops");
        }
        return false;
    }
    if (invocation_payload_parse(body->data, body->length, out, err) != STATUS_OK) {
        error_wrap(err, "the handler's answer cannot be read");
        return false;
    }
    return true;
}

static void print_logs(const cJSON *answer) {
    const char *line;
    for (int i = 0; (line = invocation_payload_log(answer, i)) != NULL; i++) {
        console_print(LOG_INFORMATION, "%s", line);
    }
}

static bool receive(const struct invoker_run *run, struct handler_answer *answer, cJSON **out,
                    struct error *err) {
    struct strbuf body;
    strbuf_init(&body, INVOKER_MAX_ANSWER_BYTES);
    bool good = invoker_read_body(answer, &body);
    if (!good) {
        error_set(err, STATUS_UNAVAILABLE, "the handler's answer was cut off");
        invoker_check_timeout(run, err);
    } else {
        good = read_answer(run, answer, &body, out, err);
    }
    strbuf_cleanup(&body);
    return good;
}

bool invoker_call(const struct invoker_run *run, const struct strbuf *payload, cJSON **out,
                  struct error *err) {
    struct memory_body body = {payload->data, payload->length};
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Content-Type", "application/json; charset=utf-8");
    if (run->caller_headers != NULL) {
        continue_trace(run->caller_headers, &headers);
    }
    invoker_add_headers(run, &headers);
    char target[MAX_URL_BYTES];
    snprintf(target, sizeof target, "/%s", run->function->name);
    struct handler_call call = {.port =
                                    handler_process_await(run->invoker->process, HANDLER_HOLD_MS),
                                .method = "POST",
                                .target = target,
                                .headers = &headers,
                                .read_body = read_memory,
                                .body_context = &body,
                                .is_chunked = true,
                                .silence_ms = INT_MAX,
                                .deadline_ms = run->deadline_ms,
                                .watch_fd = -1};
    struct handler_answer answer;
    enum handler_outcome outcome = HANDLER_UNREACHABLE;
    if (call.port != 0) {
        outcome = handler_client_call(run->invoker->client, &call, &answer);
    }
    bool succeeded = false;
    if (outcome == HANDLER_ANSWERED) {
        succeeded = receive(run, &answer, out, err);
        handler_client_finish(run->invoker->client, &answer);
    } else if (!invoker_check_timeout(run, err)) {
        invoker_explain(outcome, call.port, err);
    }
    if (succeeded) {
        print_logs(*out);
    }
    http_headers_cleanup(&headers);
    return succeeded;
}
