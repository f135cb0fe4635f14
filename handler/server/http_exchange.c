#include "server/http_exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/utc.h"

enum { DEFAULT_PORT = 80 };
#define SCHEME "http://"

/*
 * An absolute target that names this server loses scheme and authority; any other is handed on as
 * it is.
 */
static const char *path_of(const struct http_connection *connection) {
    const char *target = connection->head.target;
    if (strncasecmp(target, SCHEME, strlen(SCHEME)) != 0) {
        return target;
    }
    const char *authority = target + strlen(SCHEME);
    size_t length = strcspn(authority, "/");
    const char *colon = memrchr(authority, ':', length);
    long port = colon == NULL ? DEFAULT_PORT : strtol(colon + 1, NULL, 10);
    if (port != connection->all->port && !connection->all->options.tolerant) {
        return target;
    }
    return authority[length] == '\0' ? "/" : authority + length;
}

static struct http_request describe(const struct http_connection *connection) {
    return (struct http_request){.method = connection->head.method,
                                 .path = path_of(connection),
                                 .query = connection->head.query,
                                 .headers = &connection->headers,
                                 .body = connection->is_too_large ? "" : connection->body.data,
                                 .body_length =
                                     connection->is_too_large ? 0 : connection->body.length,
                                 .body_too_large = connection->is_too_large};
}

static bool client_wants_end(const struct http_connection *connection) {
    const char *wish = http_headers_get(&connection->headers, "Connection");
    if (wish != NULL) {
        return strcasestr(wish, "keep-alive") == NULL &&
               (connection->head.is_1_0 || strcasestr(wish, "close") != NULL);
    }
    return connection->head.is_1_0;
}

/* Written anew once a second. */
static const char *date_of(struct http_connections *all) {
    int64_t now_ms = clock_wall_ms(event_loop_clock(all->loop));
    if (all->date[0] == '\0' || now_ms / 1000 != all->date_s) {
        all->date_s = now_ms / 1000;
        utc_format_http(now_ms, all->date);
    }
    return all->date;
}

/* The body stays in the response; both leave in one system call. */
static void write_head(struct http_connection *connection) {
    const struct http_response *response = &connection->inbound.response;
    bool is_head = strcmp(connection->head.method, "HEAD") == 0;
    http_answer_append_head(&connection->out, response, date_of(connection->all), connection->ends);
    connection->body_bytes = http_answer_has_body(response, is_head) ? response->body.length : 0;
}

static void make_refusal(struct http_connection *connection, enum http_refusal refusal) {
    const struct http_connections *all = connection->all;
    const struct http_request request = describe(connection);
    http_answer_refuse(&connection->inbound.response, refusal);
    if (all->options.on_refusal != NULL) {
        all->options.on_refusal(all->context, &request, &connection->inbound.response);
    }
}

void http_exchange_begin(struct http_connection *connection) {
    connection->inbound.request = describe(connection);
    http_response_init(&connection->inbound.response, connection->all->options.max_response_bytes);
}

void http_exchange_finish(struct http_connection *connection) {
    connection->client_ends_it = client_wants_end(connection);
    connection->ends = connection->client_ends_it || connection->is_too_large ||
                       admission_is_draining(connection->all->admission);
    if (!http_answer_is_sendable(&connection->inbound.response)) {
        make_refusal(connection, HTTP_REFUSAL_OWN_FAULT);
    }
    write_head(connection);
}

void http_exchange_refuse(struct http_connection *connection, enum http_refusal refusal) {
    make_refusal(connection, refusal);
    connection->ends = true;
    write_head(connection);
}

bool http_exchange_invite_body(const struct http_connection *connection) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const ssize_t length = sizeof go_on - 1;
    const char *expected = http_headers_get(&connection->headers, "Expect");
    if (expected == NULL || strcasecmp(expected, "100-continue") != 0) {
        return true;
    }
    return send(connection->source.fd, go_on, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           length;
}
