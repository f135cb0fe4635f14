/*
 * wall_clock.h - a wall clock for one program that a test starts, to be set while it runs. Its
 * other clocks stay as they are.
 *
 * The program is told by tests/support/preload/wall_clock.c, which the two environment variables
 * below bring into it. Threads: set from any.
 */
#ifndef SUPPORT_WALL_CLOCK_H
#define SUPPORT_WALL_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

struct wall_clock {
    _Atomic int64_t *offset_ms;
    char path[64];
    char preload[4096];        /* "LD_PRELOAD=..." and */
    char offset_variable[128]; /* "WALL_CLOCK_OFFSET=...": for the program's environment */
};

/* Begins as the machine's. */
void wall_clock_open(struct wall_clock *wall_clock);

/* After the programs that use it have ended. A zeroed struct wall_clock is fine. */
void wall_clock_close(struct wall_clock *wall_clock);

/* From now on it is `offset_ms` ahead of the machine's (below 0: behind). */
void wall_clock_set(struct wall_clock *wall_clock, int64_t offset_ms);

/* What time the program has now: milliseconds since 1970. */
int64_t wall_clock_ms(const struct wall_clock *wall_clock);

#endif
