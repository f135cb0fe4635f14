/*
 * simulated_identity.h - the instance metadata service (IMDS) of a simulated world: it gives access
 * tokens, which storage takes until they end or are revoked.
 *
 * Source: "How to use managed identities for Azure resources on an Azure VM to acquire an access
 * token".
 */
#ifndef SIMULATION_SIMULATED_IDENTITY_H
#define SIMULATION_SIMULATED_IDENTITY_H

#include "base/strbuf.h"
#include "simulation/simulation.h"
#include "simulation/storage/text.h"

#define SIMULATED_IDENTITY_HOST "http://169.254.169.254"

enum { SIMULATED_MOST_TOKENS = 4096 }; /* that are good at a time */

struct simulated_identity {
    const struct simulation *simulation;
    int64_t lifetime_us; /* of a token */
    int64_t
        ends_us[SIMULATED_MOST_TOKENS]; /* when the newest end: number n at n modulo their count */
    int count;                          /* of all that were given */
};

/* Appends the answer to a request for a token: a new one each time. */
void simulated_identity_answer(struct simulated_identity *identity, struct strbuf *out);

/* For simulated_storage.accepts_token. */
bool simulated_identity_accepts(void *context, struct text token);

/* No token is good any more. */
void simulated_identity_revoke_all(struct simulated_identity *identity);

#endif
