/*
 * simulated_run.h - one run: a world, its storage, instances and callers, from the first request to
 * the verdict.
 */
#ifndef SIMULATION_SIMULATED_RUN_H
#define SIMULATION_SIMULATED_RUN_H

#include "simulation/simulated_scenario.h"
#include "torture/checker.h"

enum { SIMULATED_MAX_APPS = 5, SIMULATED_MAX_PRODUCTS = 6, SIMULATED_VERDICT_BYTES = 512 };

/* What is run. Zero instances or callers: drawn from the seed. */
struct simulated_run_options {
    uint64_t seed;
    int64_t operations; /* requests of callers */
    int app_count, caller_count;
    bool has_no_sales;                   /* callers do only what they did before there were sales */
    const struct simulated_faults *plan; /* its strikes; NULL: drawn from the seed */
    const struct simulated_scenario *scenario; /* in place of callers; needs a plan */
    bool prints;
    void (*begins)(
        const struct simulated_run_options *run); /* is told of it first; NULL: nobody is */
};

struct simulated_result {
    char violation[SIMULATED_VERDICT_BYTES]; /* "": all is well */
    const char *rule; /* the promise that is broken; the same pointer for the same promise */
    uint64_t hash;    /* of the trace */
    int64_t operations, requests;
    int64_t steps; /* that faults could have struck */
    int app_count, caller_count;
    int64_t virtual_us;
    int64_t struck[SIMULATED_FAULTS];
    struct simulated_strike *strikes; /* what struck; the caller's (free) */
    size_t strike_count;
};

void simulated_run(const struct simulated_run_options *options, struct simulated_result *out);

#endif
