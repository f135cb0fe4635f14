/*
 * transaction.h - an entity group transaction: read from its multipart body, checked as a whole,
 * then made.
 *
 * Source: "Performing entity group transactions": 100 operations, 4 MiB, one partition, no entity
 * twice; all or nothing. The answer is 202, whatever became of it; a failure is its only part.
 */
#ifndef SIMULATION_STORAGE_TRANSACTION_H
#define SIMULATION_STORAGE_TRANSACTION_H

#include "simulation/storage/row_change.h"
#include "simulation/storage/simulated_outcome.h"
#include "simulation/storage/simulated_request.h"

enum {
    TRANSACTION_MAX_OPERATIONS = 100,
    TRANSACTION_MAX_BYTES = 4 * 1024 * 1024,
    TRANSACTION_SLOTS = 256
};

/* What a transaction is read into. Kept from one to the next for its memory. */
struct transaction {
    const char *account_path; /* "/account", or "" */
    struct row_change changes[TRANSACTION_MAX_OPERATIONS];
    bool wants_content
        [TRANSACTION_MAX_OPERATIONS]; /* an insert without "Prefer: return-no-content" */
    size_t count;
    struct simulated_refusal refusal;
    size_t refused_at;
    const char *seen[TRANSACTION_SLOTS]; /* row keys, open addressing */
};

void transaction_serve(struct transaction *transaction, struct rows *rows,
                       const struct simulated_request *request, struct simulated_answer *answer,
                       struct simulated_outcome *outcome);

#endif
