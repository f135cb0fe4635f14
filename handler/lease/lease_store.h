/*
 * lease_store.h - what the lease manager needs of a lease service.
 *
 * Names are lease names ("inventory-PROD-001"). How they become blobs is the store's affair.
 *
 * Calls        Everything happens on the event loop's thread. A call that was started is answered
 *              once, never inside start, unless it is abandoned. Answering is the last that the
 *              store does with it, so its owner may start it again there, or free it.
 * Attempts     renew and release make one attempt; the engine tries them again.
 * Ownership    Names and ids are copied. acquire copies correlation_current() at its start, too,
 *              because it may outlive whoever started it. break_lease needs it until it has ended.
 *              renew and release are started without one.
 */
#ifndef LEASE_LEASE_STORE_H
#define LEASE_LEASE_STORE_H

#include <stdint.h>

#include "base/status.h"

/* How a call ended. `err` is borrowed; it means nothing on STATUS_OK. */
typedef void (*lease_store_done)(void *context, enum status status, const struct error *err);

/* A call under way. It lives with its owner, who sets `done` and `context`. Zeroed at first. */
struct lease_store_call {
    lease_store_done done;
    void *context;
    int64_t
        sent_ms; /* acquire, STATUS_OK: the clock before the request that was granted was sent */
    void *own;   /* the store's; NULL: none is under way */
};

struct lease_store {
    const struct lease_store_ops *ops;
};

/* Each start returns STATUS_OK, or STATUS_NO_MEMORY: it was not started, and is not answered. */
struct lease_store_ops {
    /*
     * Takes the lease for `duration_s` under the id proposed, creating what it needs to stand on when that is missing.
     * Tries again while storage is unwell, at most until `deadline_ms`.
     *
     * STATUS_LEASE_CONFLICT       somebody else holds it
     * STATUS_UNAVAILABLE          storage kept failing; it may be ours all the same
     * STATUS_CANCELLED            the network is closed; likewise
     * STATUS_CONTAINER_NOT_FOUND  and it may not be created
     * STATUS_NOT_FOUND            there is nothing by that name that a lease would be for
     * STATUS_UNAUTHORIZED, ...
     */
    enum status (*acquire)(struct lease_store *store, struct lease_store_call *call,
                           const char *name, const char *lease_id, int duration_s,
                           int64_t deadline_ms);

    /*
     * STATUS_OK: renewed. STATUS_LEASE_LOST, STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, STATUS_PRECONDITION_FAILED:
     * it is not ours any more. Anything else: unknown.
     */
    enum status (*renew)(struct lease_store *store, struct lease_store_call *call, const char *name,
                         const char *lease_id, int64_t timeout_ms);

    /* STATUS_OK and those that mean "not ours any more": done. Anything else: unknown. */
    enum status (*release)(struct lease_store *store, struct lease_store_call *call,
                           const char *name, const char *lease_id, int64_t timeout_ms);

    /* Ends anybody's lease at once. STATUS_LEASE_LOST: there was none; STATUS_NOT_FOUND: there is no such blob. */
    enum status (*break_lease)(struct lease_store *store, struct lease_store_call *call,
                               const char *name, int64_t deadline_ms);

    /* Ends a call without an answer, if it is under way. What was sent may still be carried out. */
    void (*abandon)(struct lease_store *store, struct lease_store_call *call);
};

#endif
