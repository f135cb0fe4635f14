/*
 * simulated_found.h - runs that have failed once, in files of their own: tests/simulation/found/.
 * Tests run them again for ever.
 *
 *     # What went wrong, and which change mended it.
 *     seed 42
 *     operations 17
 *     instances 2
 *     callers 3
 *     fault 12 LOSE_ANSWER        at step 12; as many lines as there were faults, by step
 *
 * A run that was found before callers confirmed, extended and adjusted has one more line:
 *
 *     no sales
 *
 * A scenario is named in place of operations, instances and callers:
 *
 *     seed 1
 *     scenario a release of any
 *     fault 9 CRASH_SENT
 *
 * A change of the program that sends other requests makes another run of it. So what a run has
 * taught belongs into a test of its own, too.
 */
#ifndef SIMULATION_SIMULATED_FOUND_H
#define SIMULATION_SIMULATED_FOUND_H

#include "simulation/simulated_run.h"

/*
 * Reads a run, and sets `out`'s plan to `plan`, to be cleaned up with simulated_faults_cleanup.
 * Returns false if the file cannot be read, or has a line of another kind; `plan` is empty then.
 */
bool simulated_found_read(const char *path, struct simulated_run_options *out,
                          struct simulated_faults *plan);

/*
 * Whether every fault of the plan has struck. One that has not makes the file worthless: it is to
 * be recorded anew.
 */
bool simulated_found_has_struck(const struct simulated_run_options *run,
                                const struct simulated_result *result);

/* Prints what such a file would have of a run, which has a plan. */
void simulated_found_print(const struct simulated_run_options *run);

#endif
