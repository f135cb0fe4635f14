/*
 * loop_call.h - the one way in which a thread waits for something that happens on an event loop.
 *
 *     static void begin(void *context) { ... start an operation; its completion calls loop_call_end(&my->call) ... }
 *     loop_call_run(&my.call, loop, begin, &my);
 *
 * Threads  Any but the loop's own, which would wait for itself.
 */
#ifndef HTTP_LOOP_CALL_H
#define HTTP_LOOP_CALL_H

#include <semaphore.h>

#include "base/correlation.h"
#include "http/event_loop.h"

/* On the stack of the thread that waits. */
struct loop_call {
    struct loop_task task;
    sem_t ended;
    void (*begin)(void *context);
    void *context;
    const struct correlation *correlation; /* of the thread that waits */
};

/* Runs `begin` on the loop's thread, in the name of the caller's invocation, and waits for loop_call_end. */
void loop_call_run(struct loop_call *call, struct event_loop *loop, void (*begin)(void *context),
                   void *context);

/*
 * Lets the waiting thread go on; once for each call, on the loop's thread, from inside `begin` or later. What the call
 * stands in may be gone as soon as this returns.
 */
void loop_call_end(struct loop_call *call);

#endif
