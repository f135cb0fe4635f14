#include "simulation/simulated_exhaustive.h"

#include <stdio.h>
#include <stdlib.h>

#include "simulation/simulated_found.h"

enum { SEED = 1, MOST_FAILURES_SHOWN = 5 };

/* One run with up to two faults. Returns how many steps it had. */
static int64_t run_with(const struct simulated_scenario *scenario,
                        const struct simulated_exhaustive_options *options,
                        struct simulated_strike *strikes, size_t count,
                        struct simulated_exhaustive_result *out) {
    const struct simulated_faults plan = {.is_planned = true, .strikes = strikes, .count = count};
    const struct simulated_run_options run = {
        .seed = SEED, .scenario = scenario, .plan = &plan, .begins = options->begins};
    struct simulated_result result;
    simulated_run(&run, &result);
    out->runs++;
    if (result.violation[0] != '\0' && out->failed++ < MOST_FAILURES_SHOWN) {
        printf("simulate: %s: %s\nsimulate: the run, as a file for tests/simulation/found/:\n",
               scenario->name, result.violation);
        simulated_found_print(&run);
    }
    return result.steps;
}

static void try_pairs(const struct simulated_scenario *scenario,
                      const struct simulated_exhaustive_options *options,
                      struct simulated_strike first, int64_t steps,
                      struct simulated_exhaustive_result *out) {
    for (int64_t step = first.step + 1; step <= steps; step++) {
        for (int fault = 1; fault < SIMULATED_FAULTS; fault++) {
            struct simulated_strike strikes[] = {first, {step, (enum simulated_fault)fault}};
            run_with(scenario, options, strikes, 2, out);
        }
    }
}

void simulated_exhaustive_run(const struct simulated_scenario *scenario,
                              const struct simulated_exhaustive_options *options,
                              struct simulated_exhaustive_result *out) {
    int64_t singles = 0;
    *out = (struct simulated_exhaustive_result){.runs = 0};
    out->steps = run_with(scenario, options, NULL, 0, out);
    for (int64_t step = 1; step <= out->steps; step++) {
        for (int fault = 1; fault < SIMULATED_FAULTS; fault++) {
            struct simulated_strike strike = {step, (enum simulated_fault)fault};
            if (options->parts > 0 && singles++ % options->parts != options->part) {
                continue;
            }
            int64_t steps = run_with(scenario, options, &strike, 1, out);
            if (options->has_pairs) {
                try_pairs(scenario, options, strike, steps, out);
            }
        }
    }
}
