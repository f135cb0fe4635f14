/*
 * simulated_shrink.h - makes a run that fails smaller, for as long as it breaks the same promise.
 *
 * Requests are left out, then faults, callers and instances. It ends when nothing more can go, or
 * after 2,000 runs.
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
