/*
 * simulation.h - a simulated world: virtual time, chance from a seed, and what happens next.
 *
 * Everything in the world is an event with a time. The event that is due first happens first, on
 * the one thread that there is; time jumps from one to the next. So the same seed makes the same
 * events in the same order, however fast the machine is.
 *
 * Units    World time is microseconds since the world began. It never jumps, and no process sees
 *          it: each has clocks of its own (simulated_process.h).
 * Threads  One.
 */
#ifndef SIMULATION_SIMULATION_H
#define SIMULATION_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/timer_heap.h"

/* The wall clock when a world begins: 2026-01-01T00:00:00Z, in milliseconds. */
#define SIMULATION_WALL_MS INT64_C(1767225600000)

enum { SIMULATION_US = 1000 }; /* of a millisecond */

/* Something that happens at a time. It lives in its owner; zeroed: it is not due. */
struct simulated_event {
    struct timer_entry entry; /* its due_ms is world time in microseconds */
    void (*happen)(void *context);
    void *context;
};

struct simulation {
    int64_t now_us;
    struct timer_heap events;
    uint64_t hash; /* of all that has happened (simulation_mix) */
    bool prints;   /* what is told */
};

/* Sets when an event happens, or sets it anew: not before now. */
void simulation_schedule(struct simulation *simulation, struct simulated_event *event,
                         int64_t at_us);
void simulation_cancel(struct simulation *simulation, struct simulated_event *event);

/* Lets the next event happen, if it is due by `until_us`. Returns false if there is none. */
bool simulation_step(struct simulation *simulation, int64_t until_us);

/* Adds what has happened to the hash of the trace: runs with the same hash were the same. */
void simulation_mix(struct simulation *simulation, const void *bytes, size_t length);

/* Where the simulation `prints`, a line of the trace. `who` did or met it. */
void simulation_tell(struct simulation *simulation, const char *who, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
