/*
 * clock_fake.h - a clock that stands still until a test moves it.
 */
#ifndef SUPPORT_CLOCK_FAKE_H
#define SUPPORT_CLOCK_FAKE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"
#include "http/event_loop.h"

struct clock_fake {
    struct clock base; /* first: &fake.base is the clock */
    _Atomic int64_t now_ms;
    _Atomic int64_t wall_ms;
    struct event_loop *loop; /* NULL: none is woken */
    struct loop_task look;
    atomic_bool is_posted; /* `look` is */
};

void clock_fake_init(struct clock_fake *fake, int64_t now_ms, int64_t wall_ms);

/* From now on, whoever moves the clock wakes the loop, which would sleep on otherwise. */
void clock_fake_wake(struct clock_fake *fake, struct event_loop *loop);

/* Both clocks go on by `ms`. */
void clock_fake_advance(struct clock_fake *fake, int64_t ms);

/* Somebody sets the machine's time: the wall clock alone jumps by `ms`, which may be negative. */
void clock_fake_jump_wall(struct clock_fake *fake, int64_t ms);

#endif
