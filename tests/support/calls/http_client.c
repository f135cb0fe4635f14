#include "support/calls/http_client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "support/calls/http_send.h"

static enum status send(const struct http_ask *ask, struct http_reply *out, struct error *err) {
    char url[4096];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", ask->port, ask->path);
    struct http_headers headers;
    http_headers_init(&headers);
    const char *content_type = ask->content_type;
    if (content_type == NULL && ask->body != NULL) {
        content_type = "application/json";
    }
    if (content_type != NULL && content_type[0] != '\0') {
        http_headers_add(&headers, "Content-Type", content_type);
    }
    struct http_call call = {.method = ask->method != NULL ? ask->method
                                       : ask->body != NULL ? "POST"
                                                           : "GET",
                             .url = url,
                             .headers = &headers,
                             .body = ask->body,
                             .body_length = ask->body == NULL       ? 0
                                            : ask->body_length != 0 ? ask->body_length
                                                                    : strlen(ask->body),
                             .timeout_ms = ask->timeout_ms != 0 ? ask->timeout_ms : 60000,
                             .max_response_bytes = 64 * 1024 * 1024};
    /*
     * One for each call: a test that libcheck forks off inherits no threads, and leaves none
     * behind.
     */
    struct http_transport *transport = NULL;
    enum status status = http_transport_new(&transport, clock_system(), err);
    if (status == STATUS_OK) {
        status = http_send(transport, &call, out, err);
    }
    http_transport_free(transport);
    http_headers_cleanup(&headers);
    return status;
}

struct http_reply http_ask(struct http_ask ask) {
    struct http_reply reply;
    struct error err = {0};
    http_reply_init(&reply);
    enum status status = send(&ask, &reply, &err);
    ck_assert_msg(status == STATUS_OK, "%s: no answer: %s", ask.path, err.message);
    return reply;
}

int http_ask_status(struct http_ask ask) {
    struct http_reply reply;
    http_reply_init(&reply);
    int status = send(&ask, &reply, NULL) == STATUS_OK ? reply.status : 0;
    http_reply_cleanup(&reply);
    return status;
}

cJSON *http_reply_json(const struct http_reply *reply) {
    cJSON *json = NULL;
    struct error err = {0};
    ck_assert_msg(json_parse(reply->body.data, reply->body.length, &json, &err) == STATUS_OK,
                  "status %d, body '%s': %s", reply->status, reply->body.data, err.message);
    return json;
}
