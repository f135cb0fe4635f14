/*
 * tick_timer.h - the one timer of the I/O thread: a function that runs at the times it was asked for.
 *
 * Poll's timeout does not count suspended time, but leases run out in it. So the next time is armed in a descriptor
 * (timerfd on CLOCK_BOOTTIME) that the thread polls: what fell into a suspension runs on waking.
 *
 * Rules        The tick runs inside tick_timer_run, with no lock held.
 * Threads: run belongs to the I/O thread; set must not be called there; wake_at may be called from any thread.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_TICK_TIMER_H
#define STORAGE_TICK_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"

/* Runs at or after the time asked for; answers when it wants to run again: a time on the clock, or INT64_MAX for never. */
typedef int64_t (*tick_function)(void *context, int64_t now_ms);

struct tick_timer {
    const struct clock *clock;
    int fd;           /* readable when tick_timer_run should be called */
    int64_t armed_ms; /* of the I/O thread alone: what fd is set to; INT64_MAX: nothing */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    tick_function tick;
    void *context;
    bool running;
    int64_t due_ms; /* INT64_MAX: never */
};

/* STATUS_INTERNAL: the system has no more descriptors. */
enum status tick_timer_init(struct tick_timer *timer, const struct clock *clock, struct error *err) MUST_CHECK;
void tick_timer_release(struct tick_timer *timer);

/* Sets the tick; NULL takes it away, with the time asked for. Returns when no tick is running. */
void tick_timer_set(struct tick_timer *timer, tick_function tick, void *context);

/* Makes the tick run at `due_ms` or, if it is due earlier already, then. The I/O thread must be woken for it to be noticed. */
void tick_timer_wake_at(struct tick_timer *timer, int64_t due_ms);

/* Runs the tick if it is due, and arms the descriptor for the next time. */
void tick_timer_run(struct tick_timer *timer);

#endif
