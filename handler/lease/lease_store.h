/*
 * lease_store.h - what the lease engine needs of a lease service.
 *
 * Rules        Names are lease names ("inventory-PROD-001"); how they become blobs is the store's affair.
 *              renew and release make one attempt, answer on the I/O thread and are tried again by the engine alone.
 * Threads: all may be called from any thread.
 * Layer: lease. May include storage/, base/.
 */
#ifndef LEASE_LEASE_STORE_H
#define LEASE_LEASE_STORE_H

#include <stdint.h>

#include "base/status.h"

/* How a renewal or release ended. */
typedef void (*lease_store_done)(void *context, enum status status, const struct error *err);

struct lease_store {
    const struct lease_store_ops *ops;
};

struct lease_store_ops {
    /*
     * Takes the lease for `duration_s` under the id proposed, creating what it needs to stand on when that is missing.
     * Blocks, trying again while storage is unwell, at most until `deadline_ms`. `out_sent_ms`: the clock before the
     * request that was granted was sent; untouched on failure.
     *
     * STATUS_LEASE_CONFLICT       somebody else holds it
     * STATUS_UNAVAILABLE          storage kept failing; it may be ours all the same
     * STATUS_CANCELLED            the program is stopping; likewise
     * STATUS_CONTAINER_NOT_FOUND  and it may not be created
     * STATUS_NOT_FOUND            there is nothing by that name that a lease would be for
     * STATUS_UNAUTHORIZED, ...
     */
    enum status (*acquire)(struct lease_store *store, const char *name, const char *lease_id, int duration_s,
                           int64_t deadline_ms, int64_t *out_sent_ms, struct error *err);

    /*
     * STATUS_OK: renewed. STATUS_LEASE_LOST, STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, STATUS_PRECONDITION_FAILED:
     * it is not ours any more. Anything else: unknown. When submit itself fails, `done` is not called.
     */
    enum status (*renew)(struct lease_store *store, const char *name, const char *lease_id, int64_t timeout_ms,
                         lease_store_done done, void *context);

    /* STATUS_OK and those that mean "not ours any more": done. Anything else: unknown. */
    enum status (*release)(struct lease_store *store, const char *name, const char *lease_id, int64_t timeout_ms,
                           lease_store_done done, void *context);

    /* Ends anybody's lease at once. STATUS_LEASE_LOST: there was none; STATUS_NOT_FOUND: there is no such blob. */
    enum status (*break_lease)(struct lease_store *store, const char *name, int64_t deadline_ms, struct error *err);
};

#endif
