/*
 * tick_timer.h - one timer of the I/O thread that any thread may set: a function that runs at the times asked for.
 *
 * Rules        The tick runs on the loop's thread, with no lock held.
 * Threads: wake_at may be called from any thread; set from any but the loop's; init before the loop starts, release
 *          after it has stopped.
 */
#ifndef STORAGE_TICK_TIMER_H
#define STORAGE_TICK_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "http/event_loop.h"

/* Runs at or after the time asked for; answers when it wants to run again: a time on the clock, or INT64_MAX for never. */
typedef int64_t (*tick_function)(void *context, int64_t now_ms);

struct tick_timer {
    struct event_loop *loop;
    const struct clock *clock;
    struct loop_timer timer; /* of the loop's thread */
    struct loop_task look;   /* posted by wake_at: looks at due_ms anew */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    tick_function tick;
    void *context;
    bool is_running;
    bool is_posted; /* `look` is */
    int64_t due_ms; /* INT64_MAX: never */
};

void tick_timer_init(struct tick_timer *timer, struct event_loop *loop, const struct clock *clock);
void tick_timer_release(struct tick_timer *timer);

/* Sets the tick; NULL takes it away, with the time asked for. Returns when no tick is running. */
void tick_timer_set(struct tick_timer *timer, tick_function tick, void *context);

/* Makes the tick run at `due_ms` or, if it is due earlier already, then. */
void tick_timer_wake_at(struct tick_timer *timer, int64_t due_ms);

#endif
