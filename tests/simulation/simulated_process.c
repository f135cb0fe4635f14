#include "simulation/simulated_process.h"

#include <stdio.h>

#include "base/correlation.h"

/* ---- clocks ---- */

enum { MILLION = 1000000 };

/* What a clock shows that began with the world. */
static int64_t drifted_ms(const struct simulated_process *process, int64_t world_us) {
    return (world_us + world_us * process->drift_ppm / MILLION) / SIMULATION_US;
}

static int64_t now_ms(const struct clock *clock) {
    const struct simulated_process *process = (const struct simulated_process *)clock;
    return drifted_ms(process, process->simulation->now_us) + process->clock_ahead_ms;
}

static int64_t wall_ms(const struct clock *clock) {
    const struct simulated_process *process = (const struct simulated_process *)clock;
    return SIMULATION_WALL_MS + process->simulation->now_us / SIMULATION_US +
           process->wall_ahead_ms;
}

int64_t simulated_process_when_us(const struct simulated_process *process, int64_t shown_ms) {
    int64_t shown_us = (shown_ms - process->clock_ahead_ms) * SIMULATION_US;
    int64_t world_us = shown_us - shown_us * process->drift_ppm / MILLION;
    while (drifted_ms(process, world_us) < shown_ms - process->clock_ahead_ms) {
        world_us += SIMULATION_US;
    }
    return world_us;
}

/* ---- the process ---- */

void simulated_process_start(struct simulated_process *process, struct simulation *simulation,
                             const char *name, uint64_t seed) {
    *process = (struct simulated_process){.clock = {now_ms, wall_ms},
                                          .simulation = simulation,
                                          .random = simulated_random_new(seed, 0),
                                          .is_running = true};
    process->loop = (struct event_loop){
        .process = process,
        .round = {.happen = simulated_process_run_round, .context = &process->loop}};
    simulated_memory_init(&process->memory);
    snprintf(process->name, sizeof process->name, "%s", name);
}

static const struct simulated_process *current;

const struct simulated_process *simulated_process_current(void) {
    return current;
}

void simulated_process_enter(struct simulated_process *process) {
    current = process;
    simulated_memory_use(&process->memory);
    correlation_use(NULL);
}

void simulated_process_leave(struct simulated_process *process) {
    current = NULL;
    correlation_use(NULL);
    simulated_memory_use(NULL);
    simulated_process_set_round(&process->loop);
}

void simulated_process_crash(struct simulated_process *process) {
    process->is_running = false;
    simulation_cancel(process->simulation, &process->loop.round);
    process->loop.first_task = process->loop.last_task = NULL;
    process->loop.timers = (struct timer_heap){.count = 0};
    simulated_memory_free_all(&process->memory);
}

void simulated_process_suspend(struct simulated_process *process, int64_t until_us) {
    process->suspended_until_us = until_us;
    simulated_process_set_round(&process->loop);
}

int64_t simulated_process_awake_us(const struct simulated_process *process, int64_t at_us) {
    return at_us > process->suspended_until_us ? at_us : process->suspended_until_us;
}
