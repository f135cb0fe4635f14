#include "fuzz/stub_transport.h"

#include "fuzz/input.h"
#include "fuzz/stub_loop.h"
#include "http/http_client.h"

enum { MAX_REPLIES = 8 };

static struct {
    int status;
    const struct http_headers *headers;
    const char *body;
    size_t length;
} replies[MAX_REPLIES];

static int reply_count, calls;

void stub_transport_begin(void) {
    reply_count = 0;
    calls = 0;
}

void stub_transport_reply(int status, const struct http_headers *headers, const char *body,
                          size_t length) {
    REQUIRE(reply_count < MAX_REPLIES);
    replies[reply_count].status = status;
    replies[reply_count].headers = headers;
    replies[reply_count].body = body;
    replies[reply_count].length = length;
    reply_count++;
}

int stub_transport_calls(void) {
    return calls;
}

/* Gives the next reply. Returns STATUS_CANCELLED if none is left. */
static enum status answer(const struct http_call *call, struct http_reply *out, struct error *err) {
    REQUIRE(call->timeout_ms > 0 && call->max_response_bytes > 0);
    int index = calls++;
    if (index >= reply_count) {
        /* Of all failures this one is not tried again. */
        return error_set(err, STATUS_CANCELLED, "there is no network here");
    }
    out->status = replies[index].status;
    for (size_t i = 0; i < replies[index].headers->count; i++) {
        http_headers_add(&out->headers, replies[index].headers->items[i].name,
                         replies[index].headers->items[i].value);
    }
    out->body.max_bytes = call->max_response_bytes;
    strbuf_append(&out->body, replies[index].body, replies[index].length);
    return STATUS_OK;
}

/* The call of the exchange that is under way. */
static struct http_call exchanged;

static void end_exchange(void *context) {
    struct http_exchange *exchange = context;
    struct http_reply reply;
    struct error err = {.status = STATUS_OK};
    http_reply_init(&reply);
    exchange->call = NULL;
    enum status status = answer(&exchanged, &reply, &err);
    exchange->done(exchange->context, status, status == STATUS_OK ? &reply : NULL, &err);
    http_reply_cleanup(&reply);
}

static enum status start_exchange(struct http_client *client, const struct http_call *call,
                                  struct http_exchange *exchange) {
    (void)client;
    exchanged = *call;
    exchange->call = &exchanged;
    stub_loop_defer(end_exchange, exchange);
    return STATUS_OK;
}

static void abandon_exchange(struct http_client *client, struct http_exchange *exchange) {
    (void)client;
    exchange->call = NULL;
}

struct http_client *stub_transport_client(void) {
    static const struct http_client_ops ops = {start_exchange, abandon_exchange};
    static struct http_client client = {.ops = &ops};
    return &client;
}
