#include "support/fakes/blocking_server.h"

#include <check.h>
#include <stdlib.h>

#include "base/clock.h"

enum { MAX_THREADS = 256 };

struct blocking_call {
    struct blocking_server *host;
    struct http_inbound *inbound;
    struct worker_job job;
    struct loop_task end;
};

static void work(void *context) {
    struct blocking_call *call = context;
    call->host->handler(call->host->context, &call->inbound->request, &call->inbound->response);
}

static void end(void *context) {
    struct blocking_call *call = context;
    struct http_inbound *inbound = call->inbound;
    free(call);
    http_inbound_answer(inbound);
}

static void hand_back(void *context) {
    struct blocking_call *call = context;
    event_loop_post(call->host->loop, &call->end);
}

static void handle(void *context, struct http_inbound *inbound) {
    struct blocking_call *call = calloc(1, sizeof *call);
    ck_assert_ptr_nonnull(call);
    *call = (struct blocking_call){.host = context,
                                   .inbound = inbound,
                                   .job = {.run = work, .finish = hand_back, .context = call},
                                   .end = {.run = end, .context = call}};
    ck_assert_int_eq(worker_pool_submit(call->host->workers, &call->job, NULL), STATUS_OK);
}

void blocking_server_open(struct blocking_server *host, blocking_handler handler, void *context) {
    *host = (struct blocking_server){.handler = handler, .context = context};
    ck_assert_int_eq(event_loop_new(&host->loop, clock_system(), NULL), STATUS_OK);
    ck_assert_int_eq(event_loop_start(host->loop, NULL), STATUS_OK);
    ck_assert_int_eq(worker_pool_new(&host->workers, MAX_THREADS, NULL), STATUS_OK);
}

void blocking_server_close(struct blocking_server *host) {
    worker_pool_free(host->workers);
    event_loop_stop(host->loop);
    event_loop_free(host->loop);
}

enum status blocking_server_start(struct blocking_server *host, struct http_server **out,
                                  const struct http_server_options *options, struct error *err) {
    return http_server_start(out, host->loop, options, handle, host, err);
}
