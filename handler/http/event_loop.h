/*
 * event_loop.h - one thread that waits for descriptors, timers, and tasks from other threads.
 *
 * All callbacks run on the loop's thread, one after the other, with no lock held. So data that only
 * callbacks touch needs no lock. A callback must not block, because everything else would wait.
 *
 * Order    Each round runs the posted tasks, then the timers that are due, then the callbacks of
 *          descriptors. Whatever these post runs in the next round, before the loop sleeps again.
 * Time     Timers are due on the clock that was given. The loop sleeps on CLOCK_BOOTTIME, which
 *          counts suspended time. Timers that fell due while the machine was suspended fire on
 *          waking.
 * Threads  event_loop_post and event_loop_is_current may be called from any thread. Everything else
 *          belongs to the loop's thread, but may also be called before start and after stop.
 */
#ifndef HTTP_EVENT_LOOP_H
#define HTTP_EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "base/timer_heap.h"

struct event_loop;

/* A function to run once on the loop's thread. It lives in its owner, and is queued until then. */
struct loop_task {
    struct loop_task *next; /* the loop's own */
    void (*run)(void *context);
    void *context;
};

/* A function to run at a given time. Zero `entry` before first use. */
struct loop_timer {
    struct timer_entry entry; /* the loop's own */
    void (*fired)(void *context);
    void *context;
};

/* What to watch a descriptor for, and what its callback is called with. */
enum loop_events {
    LOOP_READABLE = 1 << 0,
    LOOP_WRITABLE = 1 << 1,

    /* The peer of a stream socket has finished sending. */
    LOOP_PEER_ENDED = 1 << 2,

    /* An error, or both directions are closed. It is reported even if nobody watches for it. */
    LOOP_FAILED = 1 << 3,

    /*
     * Only for watching: reports changes, not states. The callback must read or write until it
     * would block, as it is not called again for what it leaves.
     */
    LOOP_EDGE_TRIGGERED = 1 << 4,
};

/* A descriptor and its callback. It lives in its owner. Zero `events` before first use. */
struct loop_source {
    int fd;
    void (*ready)(void *context, unsigned events);
    void *context;
    unsigned events; /* the loop's own: what it is watched for; 0: it is not watched */
};

/* `clock` must outlive the loop. STATUS_NO_MEMORY, STATUS_INTERNAL (no descriptors). */
enum status event_loop_new(struct event_loop **out, const struct clock *clock,
                           struct error *err) MUST_CHECK;

/* Starts the thread. STATUS_NO_THREAD: the system allows no more. */
enum status event_loop_start(struct event_loop *loop, struct error *err) MUST_CHECK;

/*
 * Ends the thread once no task is queued and no timer is due. Never call it on the loop's thread.
 * Does nothing to a loop that does not run.
 */
void event_loop_stop(struct event_loop *loop);

/* Frees a stopped loop. Timers that are still set do not fire. NULL is fine. */
void event_loop_free(struct event_loop *loop);

/* Returns true on the loop's thread. */
bool event_loop_is_current(const struct event_loop *loop);

/* Returns the clock that was given to event_loop_new. */
const struct clock *event_loop_clock(const struct event_loop *loop);

/* Queues a task, which must not be queued already. */
void event_loop_post(struct event_loop *loop, struct loop_task *task);

/*
 * Sets a timer, or moves it. It fires once, at `due_ms` or as soon as possible afterwards, never
 * inside this call.
 */
void event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer, int64_t due_ms);
void event_loop_stop_timer(struct event_loop *loop, struct loop_timer *timer);

/* Watches a source for `events`, in place of earlier ones. Returns false if the system refuses. */
bool event_loop_watch(struct event_loop *loop, struct loop_source *source,
                      unsigned events) MUST_CHECK;

/*
 * Stops watching; call it before the descriptor is closed. Events that this round has already
 * collected for the source are dropped, so it may be freed at once. Does nothing to a source that
 * is not watched.
 */
void event_loop_unwatch(struct event_loop *loop, struct loop_source *source);

#endif
