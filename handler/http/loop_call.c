#include "http/loop_call.h"

#include <assert.h>

static void loop_call_begin(void *context) {
    struct loop_call *call = context;
    const struct correlation *before = correlation_use(call->correlation);
    call->begin(call->context);
    correlation_use(before);
}

void loop_call_run(struct loop_call *call, struct event_loop *loop, void (*begin)(void *context),
                   void *context) {
    assert(!event_loop_is_current(loop));
    *call = (struct loop_call){
        .begin = begin, .context = context, .correlation = correlation_current()};
    call->task = (struct loop_task){.run = loop_call_begin, .context = call};
    sem_init(&call->ended, 0, 0);
    event_loop_post(loop, &call->task);
    while (sem_wait(&call->ended) != 0) { /* interrupted by a signal */
    }
    sem_destroy(&call->ended);
}

void loop_call_end(struct loop_call *call) {
    sem_post(&call->ended);
}
