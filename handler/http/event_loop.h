/*
 * event_loop.h - one thread that waits for everything: descriptors, timers, and tasks from other threads.
 *
 * Everything that the loop calls runs on its thread, one callback after the other, with no lock held. So what only
 * callbacks touch needs no lock. A callback must not block: everything else waits for it.
 *
 * Order    In each round the loop runs, first, the tasks that were posted, then the timers that are due, then the
 *          callbacks of descriptors. What these post runs in the next round, before the loop sleeps again.
 * Time     Timers are due on the clock that was given. The loop sleeps on CLOCK_BOOTTIME, which counts suspended
 *          time: what fell due while the machine was suspended fires on waking.
 * Threads  event_loop_post and event_loop_is_current may be called from any thread. Everything else belongs to the
 *          loop's thread, but may also be called before start and after stop.
 */
#ifndef HTTP_EVENT_LOOP_H
#define HTTP_EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "base/timer_heap.h"

struct event_loop;

/* A function that runs once on the loop's thread. It lives in its owner, and is in a queue until it runs. */
struct loop_task {
    struct loop_task *next; /* the loop's own */
    void (*run)(void *context);
    void *context;
};

/* A function that runs at a time. Zero `entry` at first. */
struct loop_timer {
    struct timer_entry entry; /* the loop's own */
    void (*fired)(void *context);
    void *context;
};

/* What a descriptor is watched for, and what its source is told of. */
enum loop_events {
    LOOP_READABLE = 1 << 0,
    LOOP_WRITABLE = 1 << 1,
    LOOP_PEER_ENDED = 1 << 2, /* the peer of a stream socket sends no more */
    LOOP_FAILED =
        1
        << 3, /* an error, or nothing goes either way any more: told of, whether watched for or not */
    LOOP_EDGE_TRIGGERED =
        1
        << 4, /* watching alone: tells of changes, so that whoever is told must go on to the end */
};

/* A descriptor and the function that is told when it is ready. It lives in its owner; zero `events` at first. */
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
 * Ends the thread, once no task is left and no timer is due. Not on the loop's thread. Does nothing if it never ran.
 */
void event_loop_stop(struct event_loop *loop);

/* Frees a loop that was stopped. Timers that are still in do not fire. NULL is fine. */
void event_loop_free(struct event_loop *loop);

/* Whether the caller is on the loop's thread. */
bool event_loop_is_current(const struct event_loop *loop);

/* The clock that it was given. */
const struct clock *event_loop_clock(const struct event_loop *loop);

/* Queues a task, which must not be in a queue already. */
void event_loop_post(struct event_loop *loop, struct loop_task *task);

/* Sets a timer, or sets it anew. It fires once, at `due_ms` or as soon as possible afterwards; never inside this call. */
void event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer, int64_t due_ms);
void event_loop_stop_timer(struct event_loop *loop, struct loop_timer *timer);

/* Watches a source for `events`, in place of those before. Returns false if that failed. */
bool event_loop_watch(struct event_loop *loop, struct loop_source *source,
                      unsigned events) MUST_CHECK;

/*
 * Ends that; before the descriptor is closed. What the loop knew of the source already is not told any more, so that
 * it may be freed at once. Does nothing to a source that is not watched.
 */
void event_loop_unwatch(struct event_loop *loop, struct loop_source *source);

#endif
