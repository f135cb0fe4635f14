/*
 * https_storage_steps.h - one Azurite over https, which all tests of a program use.
 *
 * Each file that includes it has its own `certificates` and `azurite`.
 */
#ifndef SUPPORT_HTTPS_STORAGE_STEPS_H
#define SUPPORT_HTTPS_STORAGE_STEPS_H

#include "support/processes/azurite.h"
#include "support/processes/certificates.h"

static struct certificates certificates;
static struct azurite azurite;

static inline void start_storage(void) {
    certificates_make(&certificates);
    azurite_start_https(&azurite, AZURITE_IN_MEMORY, &certificates.server);
}

static inline void stop_storage(void) {
    azurite_cleanup(&azurite);
    certificates_remove(&certificates);
}

#endif
