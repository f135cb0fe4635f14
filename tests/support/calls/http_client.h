/*
 * http_client.h - plain HTTP calls to what a test has started on 127.0.0.1.
 *
 * What should not happen to a test (no answer at all where one is expected) aborts it with a
 * message. Threads: http_ask may be called from any thread.
 */
#ifndef SUPPORT_HTTP_CLIENT_H
#define SUPPORT_HTTP_CLIENT_H

#include <stddef.h>

#include "base/json.h"
#include "http/http_transport.h"

/* One call; zero members are left out. */
struct http_ask {
    int port;
    const char *method; /* NULL: POST with a body, GET without */
    const char *path;   /* "/api/inventory/PROD-001", as it is to be sent */
    const char *body;
    size_t body_length;       /* 0: strlen(body) */
    const char *content_type; /* NULL: application/json with a body; "": none */
    int64_t timeout_ms;       /* 0: 60 s */
};

/* The answer; the caller's (http_reply_cleanup). */
struct http_reply http_ask(struct http_ask ask);

/* The answer's status, or 0 when there was none (refused, reset, cut short). */
int http_ask_status(struct http_ask ask);

/* The body as JSON, checked to be that; the caller's (cJSON_Delete). */
cJSON *http_reply_json(const struct http_reply *reply);

#endif
