/*
 * azurite_steps.h - one Azurite in memory, which all tests of a program use.
 *
 * Each file that includes it has its own `azurite`.
 */
#ifndef SUPPORT_AZURITE_STEPS_H
#define SUPPORT_AZURITE_STEPS_H

#include "support/processes/azurite.h"

static struct azurite azurite;

static inline void start_azurite(void) {
    azurite_start(&azurite, AZURITE_IN_MEMORY);
}

static inline void release_azurite(void) {
    azurite_cleanup(&azurite);
}

#endif
