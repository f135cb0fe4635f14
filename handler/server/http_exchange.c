#include "server/http_exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_HEAD_MAX_BYTES = 256 * 1024, DEFAULT_PORT = 80 };
#define SCHEME "http://"

/* An absolute target that names this server loses scheme and authority; any other is handed on as it is. */
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
                                 .body_length = connection->is_too_large ? 0 : connection->body.length,
                                 .body_too_large = connection->is_too_large};
}

static bool client_wants_end(const struct http_connection *connection) {
    const char *wish = http_headers_get(&connection->headers, "Connection");
    if (wish != NULL) {
        return strcasestr(wish, "keep-alive") == NULL && (connection->head.is_1_0 || strcasestr(wish, "close") != NULL);
    }
    return connection->head.is_1_0;
}

/* Head and body leave in one write: one packet where they fit. */
static void write_answer(struct http_connection *connection) {
    struct http_response *response = &connection->response;
    strbuf_init(&connection->out, response->body.length + ANSWER_HEAD_MAX_BYTES);
    http_answer_append(&connection->out, response, strcmp(connection->head.method, "HEAD") == 0, connection->ends);
    http_response_release(response);
}

static void make_refusal(struct http_connection *connection, enum http_refusal refusal) {
    const struct http_connections *all = connection->all;
    const struct http_request request = describe(connection);
    http_answer_refuse(&connection->response, refusal);
    if (all->options.on_refusal != NULL) {
        all->options.on_refusal(all->context, &request, &connection->response);
    }
}

void http_exchange_serve(struct http_connection *connection) {
    const struct http_connections *all = connection->all;
    const struct http_request request = describe(connection);
    http_response_init(&connection->response, all->options.max_response_bytes);
    all->handler(all->context, &request, &connection->response);
    connection->client_ends_it = client_wants_end(connection);
    connection->ends = connection->client_ends_it || connection->is_too_large || admission_is_draining(all->admission);
    if (!http_answer_is_sendable(&connection->response)) {
        make_refusal(connection, HTTP_REFUSAL_OWN_FAULT);
    }
    write_answer(connection);
}

void http_exchange_refuse(struct http_connection *connection, enum http_refusal refusal) {
    make_refusal(connection, refusal);
    connection->ends = true;
    write_answer(connection);
}

bool http_exchange_expects_invitation(const struct http_connection *connection) {
    const char *expected = http_headers_get(&connection->headers, "Expect");
    return expected != NULL && strcasecmp(expected, "100-continue") == 0;
}
