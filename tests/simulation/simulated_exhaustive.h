/*
 * simulated_exhaustive.h - scenarios with every fault at every step, and with every pair of faults
 * at every pair of steps.
 *
 * A scenario runs once without faults, which numbers its steps. Then it runs with each fault at
 * each step. A run with a fault may have other steps than the one without; the second fault of a
 * pair is tried at each step that comes after the first in that run.
 *
 * Parts    Pairs are so many that they can be tried in parts: part 0 of 50 has every 50th single
 *          fault, and all pairs that begin with it. All parts together have every run once, but for
 *          those without faults.
 */
#ifndef SIMULATION_SIMULATED_EXHAUSTIVE_H
#define SIMULATION_SIMULATED_EXHAUSTIVE_H

#include "simulation/simulated_run.h"

struct simulated_exhaustive_options {
    bool has_pairs;
    int part, parts; /* 0: all */
    void (*begins)(
        const struct simulated_run_options *run); /* as in struct simulated_run_options */
};

struct simulated_exhaustive_result {
    int64_t runs, failed;
    int64_t steps; /* without faults */
};

/* Runs a scenario in all these ways; prints those that fail. */
void simulated_exhaustive_run(const struct simulated_scenario *scenario,
                              const struct simulated_exhaustive_options *options,
                              struct simulated_exhaustive_result *out);

#endif
