/*
 * simulated_exhaustive.h - scenarios with every fault at every step, and with every pair of faults at
 * every pair of steps.
 *
 * A scenario runs once without faults, which numbers its steps. Then it runs with each fault at each
 * step. A run with a fault may have other steps than the one without; the second fault of a pair is
 * tried at each step that comes after the first in that run.
 */
#ifndef SIMULATION_SIMULATED_EXHAUSTIVE_H
#define SIMULATION_SIMULATED_EXHAUSTIVE_H

#include "simulation/simulated_run.h"

struct simulated_exhaustive_result {
    int64_t runs, failed;
    int64_t steps; /* without faults */
};

/* Runs a scenario in all ways; prints each that fails. */
void simulated_exhaustive_run(const struct simulated_scenario *scenario, bool has_pairs,
                              struct simulated_exhaustive_result *out);

#endif
