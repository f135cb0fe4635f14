/*
 * virtual_storage.h - a storage client in virtual time, on the test's own thread: an event loop
 * that jumps to its next timer, and a network that asks the test for each answer.
 *
 * It defines the event loop's functions itself, so a program that includes it has no other loop.
 * Each such program has one file that includes it, and defines `answer_call`.
 *
 * Rules    Storage needs no time, but a call that hangs takes its timeout. All ends once
 *          virtual_step returns false. Time stands still while the program works, but at the look
 *          at the clock that a test chooses.
 */
#ifndef SUPPORT_VIRTUAL_STORAGE_H
#define SUPPORT_VIRTUAL_STORAGE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "http/platform.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "storage/storage_client.h"

#define VIRTUAL_START_MS INT64_C(1000)
#define VIRTUAL_WALL_MS INT64_C(1737297930000) /* 2025-01-19T14:45:30Z, half past a minute */

/* ---- time and the loop ---- */

struct event_loop {
    int64_t now_ms;
    struct loop_task *first_task;
    struct timer_heap timers;
};

static struct event_loop virtual_loop;

static int virtual_looks;       /* at the clock, so far */
static int virtual_jump_at;     /* before look number ... (1, ...) time goes on; 0: at none */
static int64_t virtual_jump_ms; /* by so much */

static int64_t virtual_now_ms(const struct clock *clock) {
    (void)clock;
    if (++virtual_looks == virtual_jump_at) {
        virtual_loop.now_ms += virtual_jump_ms;
    }
    return virtual_loop.now_ms;
}

static int64_t virtual_wall_ms(const struct clock *clock) {
    (void)clock;
    return VIRTUAL_WALL_MS + virtual_loop.now_ms - VIRTUAL_START_MS;
}

static const struct clock virtual_clock = {virtual_now_ms, virtual_wall_ms};

bool event_loop_is_current(const struct event_loop *loop) {
    (void)loop;
    return true;
}

void event_loop_post(struct event_loop *loop, struct loop_task *task) {
    struct loop_task **end = &loop->first_task;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    task->next = NULL;
    *end = task;
}

void event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer, int64_t due_ms) {
    timer_heap_set(&loop->timers, &timer->entry, due_ms);
}

void event_loop_stop_timer(struct event_loop *loop, struct loop_timer *timer) {
    timer_heap_remove(&loop->timers, &timer->entry);
}

/* Does the next thing that is due. Returns false when nothing is left to do. */
static bool virtual_step(void) {
    struct loop_task *task = virtual_loop.first_task;
    if (task != NULL) {
        virtual_loop.first_task = task->next;
        task->run(task->context);
        return true;
    }
    struct loop_timer *timer = (struct loop_timer *)timer_heap_first(&virtual_loop.timers);
    if (timer == NULL) {
        return false;
    }
    virtual_loop.now_ms = clock_max_ms(virtual_loop.now_ms, timer->entry.due_ms);
    timer_heap_remove(&virtual_loop.timers, &timer->entry);
    timer->fired(timer->context);
    return true;
}

/* ---- the network ---- */

/* What a test answers a call with. */
struct virtual_answer {
    enum status refused; /* of the call's start; STATUS_OK: it was started */
    enum status lost;    /* it gets no answer but this; STATUS_OK: it gets one */
    int http_status;
    bool hangs;      /* until its timeout */
    bool is_foreign; /* it comes from something on the way */
    const char *content_type;
    const char *headers[3][2]; /* more; up to the first that is NULL */
    char body[8192];
};

/* Call number `index` (0, ...) is about to be sent; `out` is zeroed. */
static void answer_call(int index, const struct http_call *call, struct virtual_answer *out);

struct virtual_call {
    struct loop_timer timer;
    struct http_exchange *exchange;
    struct virtual_answer answer;
};

static int virtual_calls;

static void add_headers(const struct virtual_answer *answer, struct http_headers *headers) {
    http_headers_add(headers, "Content-Type",
                     answer->content_type != NULL ? answer->content_type : "application/json");
    for (size_t i = 0; i < 3 && answer->headers[i][0] != NULL; i++) {
        http_headers_add(headers, answer->headers[i][0], answer->headers[i][1]);
    }
    if (!answer->is_foreign) {
        http_headers_add(headers, "x-ms-request-id", "00000000-0000-4000-8000-000000000000");
    }
}

static void end_call(void *context) {
    struct virtual_call *call = context;
    struct http_exchange *exchange = call->exchange;
    struct error err = {.status = STATUS_OK};
    struct http_reply reply;
    http_reply_init(&reply);
    reply.status = call->answer.http_status;
    reply.sent_ms = reply.received_ms = virtual_loop.now_ms;
    add_headers(&call->answer, &reply.headers);
    reply.body.max_bytes = sizeof call->answer.body;
    strbuf_append_string(&reply.body, call->answer.body);
    enum status status = call->answer.hangs ? STATUS_UNAVAILABLE : call->answer.lost;
    if (status == STATUS_OK &&
        (strbuf_status(&reply.body) != STATUS_OK || reply.headers.status != STATUS_OK)) {
        status = STATUS_NO_MEMORY;
    }
    if (status != STATUS_OK) {
        error_set(&err, status, "lost on the way");
    }
    free(call);
    exchange->call = NULL;
    exchange->done(exchange->context, status, status == STATUS_OK ? &reply : NULL, &err);
    http_reply_cleanup(&reply);
}

static enum status start_call(struct http_client *client, const struct http_call *what,
                              struct http_exchange *exchange) {
    struct virtual_call *call = calloc(1, sizeof *call);
    (void)client;
    if (call == NULL) {
        return STATUS_NO_MEMORY;
    }
    ck_assert_int_gt(what->timeout_ms, 0);
    answer_call(virtual_calls++, what, &call->answer);
    if (call->answer.refused != STATUS_OK) {
        enum status refused = call->answer.refused;
        free(call);
        return refused;
    }
    call->exchange = exchange;
    call->timer = (struct loop_timer){.fired = end_call, .context = call};
    exchange->call = call;
    event_loop_set_timer(&virtual_loop, &call->timer,
                         virtual_loop.now_ms + (call->answer.hangs ? what->timeout_ms : 0));
    return STATUS_OK;
}

static void abandon_call(struct http_client *client, struct http_exchange *exchange) {
    struct virtual_call *call = exchange->call;
    (void)client;
    if (call != NULL) {
        event_loop_stop_timer(&virtual_loop, &call->timer);
        exchange->call = NULL;
        free(call);
    }
}

/*
 * Frees the calls under way, which the transport would have ended. It is for tests that close the
 * client over them.
 */
static inline void virtual_drop_calls(void) {
    while (virtual_loop.timers.root != NULL) {
        struct loop_timer *timer = (struct loop_timer *)virtual_loop.timers.root;
        timer_heap_remove(&virtual_loop.timers, &timer->entry);
        free(timer->context);
    }
}

/* ---- the client ---- */

static enum status authorize(struct credential *credential, struct credential_request *request,
                             struct error *err) {
    (void)credential, (void)request, (void)err;
    return STATUS_OK;
}

static struct platform virtual_platform;
static struct storage_client virtual_client;

static void virtual_begin(void) {
    static const struct http_client_ops ops = {start_call, abandon_call};
    static const struct storage_account account = {
        .blob_endpoint = "https://acme.blob.core.windows.net",
        .table_endpoint = "https://acme.table.core.windows.net"};
    static struct credential credential = {authorize, NULL};
    static struct http_client http;
    http.ops = &ops;
    virtual_loop = (struct event_loop){.now_ms = VIRTUAL_START_MS};
    virtual_calls = virtual_looks = virtual_jump_at = 0;
    virtual_platform = (struct platform){
        .clock = &virtual_clock, .loop = &virtual_loop, .http = &http, .random = random_system()};
    storage_client_init(&virtual_client, &virtual_platform, &account, &credential);
}

static void virtual_end(void) {
    ck_assert_ptr_null(virtual_loop.first_task);
    ck_assert_uint_eq(virtual_loop.timers.count, 0);
    storage_client_cleanup(&virtual_client);
}

#endif
