/*
 * simulated_random.h - numbers that follow from a seed (SplitMix64).
 *
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
 */
#ifndef SIMULATION_SIMULATED_RANDOM_H
#define SIMULATION_SIMULATED_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

/* A random_source, too. */
struct simulated_random {
    struct random_source base;
    uint64_t state;
};

/* A stream of its own for each name, so that one that draws more does not shift the others. */
struct simulated_random simulated_random_new(uint64_t seed, uint64_t name);

int64_t simulated_random_below(struct simulated_random *random, int64_t limit); /* 0 to limit - 1 */
bool simulated_random_chance(struct simulated_random *random, double probability);

/* From `low` to `high`, as many between 1 and 10 as between 10 and 100. `low` > 0. */
int64_t simulated_random_spread(struct simulated_random *random, int64_t low, int64_t high);

#endif
