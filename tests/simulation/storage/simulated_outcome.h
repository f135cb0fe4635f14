/*
 * simulated_outcome.h - what a request was, and what became of it, for whoever counts or checks.
 */
#ifndef SIMULATION_STORAGE_SIMULATED_OUTCOME_H
#define SIMULATION_STORAGE_SIMULATED_OUTCOME_H

#include <stddef.h>

enum simulated_kind {
    SIMULATED_UNKNOWN, /* nothing that is served */
    SIMULATED_UNSIGNED,
    SIMULATED_CONTAINER,
    SIMULATED_BLOB,
    SIMULATED_LEASE_ACQUIRE,
    SIMULATED_LEASE_RENEW,
    SIMULATED_LEASE_CHANGE,
    SIMULATED_LEASE_RELEASE,
    SIMULATED_LEASE_BREAK,
    SIMULATED_TABLE,
    SIMULATED_ENTITY_READ,
    SIMULATED_QUERY,
    SIMULATED_ENTITY_WRITE,
    SIMULATED_TRANSACTION,
};

struct row_change;

/*
 * `http_status` and `code` ("": none) are the request's, or of a transaction those of its parts.
 * `changes` are what a write or a transaction asks for, made or not. All is good until the next
 * request.
 */
struct simulated_outcome {
    enum simulated_kind kind;
    int http_status;
    const char *code;
    const struct row_change *changes;
    size_t change_count;
};

#endif
