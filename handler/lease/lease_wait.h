/*
 * lease_wait.h - the lease manager's operations for threads that block.
 *
 * Each function starts an operation of lease_manager.h on the loop and waits for its end.
 * Threads  Any but the loop's own, which would wait for itself. The loop is running.
 */
#ifndef LEASE_LEASE_WAIT_H
#define LEASE_LEASE_WAIT_H

#include "lease/lease_manager.h"

/* lease_acquire_start. `out` is untouched on failure. */
enum status lease_manager_acquire(struct lease_manager *manager,
                                  const struct leasehold_request *request, struct lease **out,
                                  struct error *err) MUST_CHECK;

/* lease_pause_start */
enum status lease_manager_pause(struct lease_manager *manager, struct lease *lease,
                                int64_t duration_ms, struct error *err) MUST_CHECK;

/* lease_extend_start. `out_safe_until_ms` is untouched on failure. */
enum status lease_manager_extend_for(struct lease_manager *manager, struct lease *lease,
                                     int64_t needed_ms, int64_t *out_safe_until_ms,
                                     struct error *err) MUST_CHECK;

/* lease_break_start */
enum status lease_manager_break(struct lease_manager *manager, const char *name,
                                struct error *err) MUST_CHECK;

/* lease_manager_close_start. Returns `unreleased`. */
int lease_manager_close(struct lease_manager *manager, int64_t deadline_ms);

#endif
