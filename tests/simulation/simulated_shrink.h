/*
 * simulated_shrink.h - makes a run that fails smaller, until every part of it is needed.
 *
 * First faults are left out, then requests, callers and instances; in each step the run that is left
 * must still break the same promise.
 */
#ifndef SIMULATION_SIMULATED_SHRINK_H
#define SIMULATION_SIMULATED_SHRINK_H

#include "simulation/simulated_run.h"

struct simulated_shrunk {
    struct simulated_run_options options; /* its plan is `faults` */
    struct simulated_faults faults;
    const char *rule; /* the promise */
    int runs;         /* that it took */
};

/* `failed` is the result of `options`, whose strikes are taken over. To be cleaned up. */
void simulated_shrink(const struct simulated_run_options *options, struct simulated_result *failed,
                      struct simulated_shrunk *out);
void simulated_shrunk_cleanup(struct simulated_shrunk *shrunk);

#endif
