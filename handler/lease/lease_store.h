/*
 * lease_store.h - what the lease manager needs of a lease service.
 *
 * Names are lease names ("inventory-PROD-001"). The store decides how they become blobs.
 *
 * Calls        Everything happens on the event loop's thread. A call that was started is answered
 *              once, never inside start, unless it is abandoned. The store does not touch a call
 *              after it has answered it, so its owner may start it again there, or free it.
 * Attempts     renew and release make one attempt; the lease manager retries them.
 * Ownership    Names and ids are copied. acquire copies correlation_current() when it starts,
 *              because it may outlive its caller. break_lease uses the caller's correlation until
 *              it has ended. renew and release are started without one.
 */
#ifndef LEASE_LEASE_STORE_H
#define LEASE_LEASE_STORE_H

#include <stdint.h>

#include "base/status.h"

/* How a call ended. `err` is borrowed and means nothing on STATUS_OK. */
typedef void (*lease_store_done)(void *context, enum status status, const struct error *err);

/* A call under way. It is zeroed at first. Its owner keeps it and sets `done` and `context`. */
struct lease_store_call {
    lease_store_done done;
    void *context;
    int64_t sent_ms; /* acquire, STATUS_OK: read just before the granted request was sent */
    void *own;       /* the store's; NULL if no call is under way */
};

struct lease_store {
    const struct lease_store_ops *ops;
};

/*
 * Each start returns STATUS_OK, or STATUS_NO_MEMORY: then nothing was started, and `done` is not
 * called. The comments below list the statuses that `done` receives.
 */
struct lease_store_ops {
    /*
     * Acquires the lease for `duration_s` with the given id, and creates the blob if it is missing.
     * Retries until `deadline_ms` while storage fails.
     *
     * STATUS_LEASE_CONFLICT       somebody else holds it
     * STATUS_UNAVAILABLE          storage kept failing
     * STATUS_CANCELLED            the network is closed
     * STATUS_CONTAINER_NOT_FOUND  the container is missing and may not be created
     * STATUS_NOT_FOUND            nothing exists that a lease of that name would guard
     * STATUS_UNAUTHORIZED, ...    rejected
     * STATUS_NO_MEMORY, STATUS_TOO_LARGE
     *                             before a request was sent, or while the reply was read
     *
     * After any failure but a conflict, the lease may be ours all the same if
     * err->may_have_happened is set: the reply to at least one attempt is unknown.
     */
    enum status (*acquire)(struct lease_store *store, struct lease_store_call *call,
                           const char *name, const char *lease_id, int duration_s,
                           int64_t deadline_ms);

    /*
     * STATUS_OK                    renewed
     * STATUS_LEASE_LOST, STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, STATUS_PRECONDITION_FAILED
     *                              the lease is no longer ours
     * any other                    the outcome is unknown
     */
    enum status (*renew)(struct lease_store *store, struct lease_store_call *call, const char *name,
                         const char *lease_id, int64_t timeout_ms);

    /* STATUS_OK and those that mean "no longer ours" are final. Any other outcome is unknown. */
    enum status (*release)(struct lease_store *store, struct lease_store_call *call,
                           const char *name, const char *lease_id, int64_t timeout_ms);

    /*
     * Ends anybody's lease at once.
     * STATUS_LEASE_LOST   there was no lease
     * STATUS_NOT_FOUND    there is no such blob
     */
    enum status (*break_lease)(struct lease_store *store, struct lease_store_call *call,
                               const char *name, int64_t deadline_ms);

    /* Ends a call under way without an answer. What was sent may still be carried out. */
    void (*abandon)(struct lease_store *store, struct lease_store_call *call);
};

#endif
