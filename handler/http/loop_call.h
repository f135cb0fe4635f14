/*
 * loop_call.h - lets a thread wait for an operation of the event loop. It is the only way to do so.
 *
 *     static void begin(void *context) {
 *         ... start an operation; its completion calls loop_call_end(&my->call) ...
 *     }
 *     loop_call_run(&my.call, loop, begin, &my);
 *
 * Threads  Any but the loop's, which would wait for itself.
 */
#ifndef HTTP_LOOP_CALL_H
#define HTTP_LOOP_CALL_H

#include <semaphore.h>

#include "base/correlation.h"
#include "http/event_loop.h"

/* It lives on the stack of the waiting thread. */
struct loop_call {
    struct loop_task task;
    sem_t ended;
    void (*begin)(void *context);
    void *context;
    const struct correlation *correlation; /* of the waiting thread */
};

/*
 * Runs `begin` on the loop's thread, under the caller's correlation (base/correlation.h), and waits
 * for loop_call_end.
 */
void loop_call_run(struct loop_call *call, struct event_loop *loop, void (*begin)(void *context),
                   void *context);

/*
 * Wakes the waiting thread. Call it once for each loop_call_run, on the loop's thread, inside
 * `begin` or later. Do not touch the call afterwards: its stack frame may be gone.
 */
void loop_call_end(struct loop_call *call);

#endif
