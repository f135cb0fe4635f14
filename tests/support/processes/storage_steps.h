/*
 * storage_steps.h - the steps that tests of the clients of storage have in common: an Azurite, and
 * a connection to it.
 *
 * Each file that includes it has its own `azurite`, `storage` and `err`.
 */
#ifndef SUPPORT_STORAGE_STEPS_H
#define SUPPORT_STORAGE_STEPS_H

#include "support/processes/azurite_steps.h"
#include "support/processes/storage_connection.h"

enum { TIMEOUT_MS = 30000 };

static struct storage_connection storage;
static struct error err;

static inline void open_connection(void) {
    storage_connection_open(&storage, azurite.connection_string);
}

static inline void close_connection(void) {
    storage_connection_close(&storage);
}

static inline int64_t deadline(void) {
    return storage_connection_deadline(&storage, TIMEOUT_MS);
}

#endif
