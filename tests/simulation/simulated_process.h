/*
 * simulated_process.h - one process in a simulated world: its clocks, its event loop, its memory.
 *
 * Its loop takes the place of handler/http/event_loop.c: a program that links stub_event_loop.c has
 * no other. All code of the process runs inside events of the world, one callback in each, so
 * anything else can happen between any two of them: also the process's end.
 *
 * Crash    simulated_process_crash ends the process between two callbacks. Nothing of it runs
 *          any more, and its memory is gone (simulated_memory.h).
 * Suspend  While it is suspended nothing of it runs; its clocks go on.
 */
#ifndef SIMULATION_SIMULATED_PROCESS_H
#define SIMULATION_SIMULATED_PROCESS_H

#include "base/clock.h"
#include "http/event_loop.h"
#include "simulation/simulated_memory.h"
#include "simulation/simulated_random.h"
#include "simulation/simulation.h"

struct event_loop {
    struct simulated_process *process;
    struct loop_task *first_task, *last_task;
    struct timer_heap timers;
    struct simulated_event round; /* the next callback */
};

struct simulated_process {
    struct clock clock; /* first: its functions find the process by it */
    struct simulation *simulation;
    struct event_loop loop;
    struct simulated_random random;
    struct simulated_memory memory;
    char name[32];
    int64_t clock_ahead_ms; /* of its clock that does not jump: where its zero is */
    int64_t wall_ahead_ms;  /* its wall clock is wrong by so much */
    int64_t drift_ppm;      /* the clock that does not jump runs too fast by so many millionths */
    int64_t suspended_until_us;
    bool is_running;
};

/* `seed` for its random numbers. It has no code yet. */
void simulated_process_start(struct simulated_process *process, struct simulation *simulation,
                             const char *name, uint64_t seed);

/*
 * Whoever runs code of the process does it between these two: its memory and log lines are its own
 * then.
 */
void simulated_process_enter(struct simulated_process *process);
void simulated_process_leave(struct simulated_process *process);

/* The process whose code runs; NULL: none. */
const struct simulated_process *simulated_process_current(void);

void simulated_process_crash(struct simulated_process *process);
void simulated_process_suspend(struct simulated_process *process, int64_t until_us);

/* The first moment of world time at which the clock that does not jump shows so much. */
int64_t simulated_process_when_us(const struct simulated_process *process, int64_t shown_ms);

/*
 * When something that reaches the process at `at_us` can be seen by it: later if it is suspended
 * then.
 */
int64_t simulated_process_awake_us(const struct simulated_process *process, int64_t at_us);

/* Of stub_event_loop.c: sets when the loop's next callback is due; and calls it. */
void simulated_process_set_round(struct event_loop *loop);
void simulated_process_run_round(void *context);

#endif
