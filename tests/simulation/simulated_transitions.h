/*
 * simulated_transitions.h - which steps the state machines of a product's pipeline and of a lease
 * have taken, and how often.
 *
 * A table has every step that can be taken (simulated_transitions.c). One that is not in it breaks
 * a promise. One that is never taken is a gap in the faults, or dead code: simulate.c names it
 * after 200,000 operations, and fails after 10,000,000.
 *
 * The linker puts functions of this file in the place of those that change a state (Makefile). Each
 * counts the step, and calls the function that it stands for.
 */
#ifndef SIMULATION_SIMULATED_TRANSITIONS_H
#define SIMULATION_SIMULATED_TRANSITIONS_H

#include <stdbool.h>

/* A run begins. */
void simulated_transitions_begin(void);

/*
 * The first step of this run that is in no table; NULL: none. The text is good until the next run.
 */
const char *simulated_transitions_unknown(void);

/*
 * Prints how often each step was taken in all runs so far, and if `lists_gaps` names those that
 * never were. Returns how many these are.
 */
int simulated_transitions_print(bool lists_gaps);

#endif
