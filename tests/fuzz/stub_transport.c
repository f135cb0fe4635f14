#include "fuzz/stub_transport.h"

#include "fuzz/input.h"
#include "storage/http_transport.h"

enum { MOST_REPLIES = 8 };

static struct {
    int status;
    const struct http_headers *headers;
    const char *body;
    size_t length;
} replies[MOST_REPLIES];

static int reply_count, calls;

void stub_transport_begin(void) {
    reply_count = 0;
    calls = 0;
}

void stub_transport_reply(int status, const struct http_headers *headers, const char *body, size_t length) {
    REQUIRE(reply_count < MOST_REPLIES);
    replies[reply_count].status = status;
    replies[reply_count].headers = headers;
    replies[reply_count].body = body;
    replies[reply_count].length = length;
    reply_count++;
}

int stub_transport_calls(void) {
    return calls;
}

void http_reply_init(struct http_reply *reply) {
    *reply = (struct http_reply){0};
    http_headers_init(&reply->headers);
    strbuf_init(&reply->body, SIZE_MAX);
}

void http_reply_release(struct http_reply *reply) {
    http_headers_release(&reply->headers);
    strbuf_release(&reply->body);
}

enum status http_transport_send(struct http_transport *transport, const struct http_call *call, struct http_reply *out,
                                struct error *err) {
    (void)transport;
    REQUIRE(call->timeout_ms > 0 && call->max_response_bytes > 0);
    int index = calls++;
    if (index >= reply_count) {
        return error_set(err, STATUS_UNAVAILABLE, "there is no network here");
    }
    out->status = replies[index].status;
    for (size_t i = 0; i < replies[index].headers->count; i++) {
        http_headers_add(&out->headers, replies[index].headers->items[i].name, replies[index].headers->items[i].value);
    }
    strbuf_append(&out->body, replies[index].body, replies[index].length);
    return STATUS_OK;
}

enum status http_transport_submit(struct http_transport *transport, const struct http_call *call,
                                  http_transport_done done, void *context) {
    (void)transport;
    (void)call;
    (void)done;
    (void)context;
    return STATUS_CANCELLED;
}

void http_transport_cancel(struct http_transport *transport, struct http_call_group *group) {
    (void)transport;
    group->cancelled = true;
}
