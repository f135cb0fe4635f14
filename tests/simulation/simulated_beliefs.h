/*
 * simulated_beliefs.h - which leases an instance of the app believes to hold, and until when.
 *
 * It looks into the lease manager. It is a file of its own because the manager and the simulated
 * storage both have an `enum lease_state`: nobody can include the headers of both.
 */
#ifndef SIMULATION_SIMULATED_BELIEFS_H
#define SIMULATION_SIMULATED_BELIEFS_H

#include <stdint.h>

struct lease_manager;

struct simulated_belief {
    const char *lease_name, *lease_id;
    int64_t until_ms; /* on the instance's clock */
};

/* Calls `judge` for each lease that is believed to be held at this moment. */
void simulated_beliefs_each(struct lease_manager *leases,
                            void (*judge)(void *context, const struct simulated_belief *belief),
                            void *context);

/*
 * How long before that end a renewal may be sent although storage asked for more time
 * (lease_renewal.h).
 */
int64_t simulated_beliefs_last_attempt_ms(void);

#endif
