#include "simulation/simulated_beliefs.h"

#include "lease/lease_manager.h"
#include "lease/lease_manager_internal.h"

void simulated_beliefs_each(struct lease_manager *leases,
                            void (*judge)(void *context, const struct simulated_belief *belief),
                            void *context) {
    const struct managed_lease *managed;
    LIST_FOREACH(managed, &leases->held, link) {
        int64_t until_ms = lease_manager_safe_until_ms(leases, &managed->lease);
        if (until_ms != 0 && managed->lease.duration_s != LEASEHOLD_INFINITE) {
            judge(context,
                  &(struct simulated_belief){managed->lease.name, managed->lease.id, until_ms});
        }
    }
}

int64_t simulated_beliefs_last_attempt_ms(void) {
    return LEASE_LAST_ATTEMPT_MS;
}
