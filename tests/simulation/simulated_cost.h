/*
 * simulated_cost.h - what one passing fault may cost a caller. Everything else is absorbed: the
 * caller is answered as if nothing had gone wrong.
 */
#ifndef SIMULATION_SIMULATED_COST_H
#define SIMULATION_SIMULATED_COST_H

#include <stdbool.h>

#include "simulation/simulated_faults.h"

/* Whether a request may be answered `status` (0: not at all) because this fault has struck once. */
bool simulated_cost_allows(enum simulated_fault fault, int status);

#endif
