#include "server/http_exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/temp_file.h"
#include "http/event_loop.h"
#include "server/admission.h"

enum {
    DEFAULT_PORT = 80,
    KEPT_BYTES = 4096, /* a larger buffer is not kept for the next request */
    ANSWER_HEAD_MAX_BYTES = 256 * 1024
};

#define SCHEME "http://"

/*
 * Returns the target as the handler gets it. A URL with this server's port loses its scheme and
 * authority; the host name does not matter. Any other target stays as it is.
 */
static const char *path_of(const struct server_exchange *exchange) {
    const char *target = exchange->head.target;
    if (strncasecmp(target, SCHEME, strlen(SCHEME)) != 0) {
        return target;
    }
    const char *authority = target + strlen(SCHEME);
    size_t length = strcspn(authority, "/");
    const char *colon = memrchr(authority, ':', length);
    long port = colon == NULL ? DEFAULT_PORT : strtol(colon + 1, NULL, 10);
    if (port != exchange->shared->port) {
        return target;
    }
    return authority[length] == '\0' ? "/" : authority + length;
}

static struct http_request request_of(const struct server_exchange *exchange) {
    return (struct http_request){.method = exchange->head.method,
                                 .path = path_of(exchange),
                                 .query = exchange->head.query,
                                 .headers = &exchange->headers,
                                 .body = exchange->is_too_large ? "" : exchange->body.data,
                                 .body_length = exchange->is_too_large ? 0 : exchange->body.length,
                                 .body_too_large = exchange->is_too_large};
}

/* Returns true if the client wants the connection to end with the answer. */
static bool is_end_wanted(const struct server_exchange *exchange) {
    const char *wanted = http_headers_get(&exchange->headers, "Connection");
    if (wanted != NULL) {
        return strcasestr(wanted, "keep-alive") == NULL &&
               (exchange->head.is_1_0 || strcasestr(wanted, "close") != NULL);
    }
    return exchange->head.is_1_0;
}

static const char *date_of(struct server_shared *shared) {
    int64_t now_ms = clock_wall_ms(event_loop_clock(shared->loop));
    if (shared->date[0] == '\0' || now_ms / 1000 != shared->date_s) {
        shared->date_s = now_ms / 1000;
        utc_format_http(now_ms, shared->date);
    }
    return shared->date;
}

static void write_head(struct server_exchange *exchange) {
    const struct http_response *response = &exchange->inbound.response;
    bool is_head = strcmp(exchange->head.method, "HEAD") == 0;
    http_answer_append_head(&exchange->out, response, date_of(exchange->shared), exchange->ends);
    bool has_body = http_answer_has_body(response, is_head);
    exchange->body_bytes = has_body ? response->body.length : 0;
    exchange->rest_bytes = has_body && response->rest != NULL ? response->rest->length : 0;
}

/* Puts a refusal in the place of the response. */
static void make_refusal(struct server_exchange *exchange, enum http_refusal refusal) {
    const struct server_shared *shared = exchange->shared;
    const struct http_request request = request_of(exchange);
    http_answer_refuse(&exchange->inbound.response, refusal);
    if (shared->options.on_refusal != NULL) {
        shared->options.on_refusal(shared->context, &request, &exchange->inbound.response);
    }
}

static void clear_buffer(struct strbuf *buffer) {
    if (buffer->capacity > KEPT_BYTES) {
        strbuf_cleanup(buffer);
    } else {
        strbuf_clear(buffer);
    }
}

void http_exchange_init(struct server_exchange *exchange, struct server_shared *shared) {
    exchange->shared = shared;
    exchange->head = (struct http_head){.method = "", .target = "", .query = ""};
    http_headers_init(&exchange->headers);
    strbuf_init(&exchange->body, shared->options.max_body_bytes);
    strbuf_init(&exchange->out, ANSWER_HEAD_MAX_BYTES);
    http_response_init(&exchange->inbound.response, 0);
}

void http_exchange_reset(struct server_exchange *exchange) {
    exchange->head = (struct http_head){.method = "", .target = "", .query = ""};
    http_headers_cleanup(&exchange->headers);
    clear_buffer(&exchange->body);
    exchange->is_too_large = false;
    http_response_cleanup(&exchange->inbound.response);
    clear_buffer(&exchange->out);
    exchange->body_bytes = 0;
    exchange->rest_bytes = 0;
    exchange->sent_bytes = 0;
}

void http_exchange_cleanup(struct server_exchange *exchange) {
    http_exchange_reset(exchange);
    strbuf_cleanup(&exchange->body);
    strbuf_cleanup(&exchange->out);
}

void http_exchange_begin(struct server_exchange *exchange) {
    exchange->inbound.request = request_of(exchange);
    http_response_init(&exchange->inbound.response, exchange->shared->options.max_response_bytes);
}

void http_exchange_finish(struct server_exchange *exchange) {
    exchange->client_ends_it = is_end_wanted(exchange);
    exchange->ends = exchange->client_ends_it || exchange->is_too_large ||
                     admission_is_draining(exchange->shared->admission);
    if (!http_answer_is_sendable(&exchange->inbound.response)) {
        make_refusal(exchange, HTTP_REFUSAL_OWN_FAULT);
    }
    write_head(exchange);
}

void http_exchange_refuse(struct server_exchange *exchange, enum http_refusal refusal) {
    make_refusal(exchange, refusal);
    exchange->ends = true;
    write_head(exchange);
}

bool http_exchange_invite_body(const struct server_exchange *exchange, int fd) {
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const ssize_t length = sizeof interim - 1;
    const char *expected = http_headers_get(&exchange->headers, "Expect");
    if (expected == NULL || strcasecmp(expected, "100-continue") != 0) {
        return true;
    }
    return send(fd, interim, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}
