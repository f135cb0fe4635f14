#include "fuzz/stub_transport.h"

#include "fuzz/input.h"
#include "http/event_loop.h"
#include "http/http_client.h"

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

void stub_transport_reply(int status, const struct http_headers *headers, const char *body,
                          size_t length) {
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

/* Gives the next reply, or none. */
static enum status answer(const struct http_call *call, struct http_reply *out, struct error *err) {
    REQUIRE(call->timeout_ms > 0 && call->max_response_bytes > 0);
    int index = calls++;
    if (index >= reply_count) {
        return error_set(err, STATUS_CANCELLED,
                         "there is no network here"); /* which is not tried again */
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

/* ---- a loop that does at once whatever it is given, and a client on it ---- */

struct pending {
    void (*run)(void *context);
    void *context;
    const void *owner; /* the timer, for stopping it */
};

static struct pending pending[8];
static size_t pending_count;

static void push(void (*run)(void *context), void *context, const void *owner) {
    REQUIRE(pending_count < sizeof pending / sizeof pending[0]);
    pending[pending_count++] = (struct pending){run, context, owner};
}

void event_loop_stop_timer(struct event_loop *loop, struct loop_timer *timer) {
    (void)loop;
    size_t kept = 0;
    for (size_t i = 0; i < pending_count; i++) {
        if (pending[i].owner != timer) {
            pending[kept++] = pending[i];
        }
    }
    pending_count = kept;
}

/* Time does not matter here: what waits is next. */
void event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer, int64_t due_ms) {
    (void)due_ms;
    event_loop_stop_timer(loop, timer);
    push(timer->fired, timer->context, timer);
}

bool event_loop_is_current(const struct event_loop *loop) {
    (void)loop;
    return false;
}

void stub_transport_run(void (*run)(void *context), void *context) {
    push(run, context, NULL);
    while (pending_count > 0) {
        struct pending next = pending[0];
        pending_count--;
        for (size_t i = 0; i < pending_count; i++) {
            pending[i] = pending[i + 1];
        }
        next.run(next.context);
    }
}

void event_loop_post(struct event_loop *loop, struct loop_task *task) {
    (void)loop;
    stub_transport_run(task->run, task->context);
}

static struct http_call exchanged; /* the call of the exchange that is under way */

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
    push(end_exchange, exchange, exchange);
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
