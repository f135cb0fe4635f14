/*
 * lease_manager.h - leases for the rest of the program: acquired with patience, kept alive, given back without fail.
 *
 *     struct lease *lease;
 *     struct lease_request request = {.name = "inventory-PROD-001"};
 *     if (lease_manager_acquire(manager, &request, &lease, err) != STATUS_OK) ...
 *     ... work; ask lease_manager_is_held(manager, lease) before each step that rests on it ...
 *     lease_manager_release(manager, lease);
 *
 * Life         acquire makes a lease; release ends the caller's part in it and returns at once: the request to storage
 *              goes out on the I/O thread and is repeated until storage has heard it or the lease has run out.
 * Events       renewed, renewal_failed and lost come on the I/O thread with no lock held; a loss that its owner is the first
 *              to notice comes on the owner's, inside release. They must not block. From
 *              inside one, every function here but acquire, wait, ensure, break and close may be called, release of that very
 *              lease too. After release has returned, no new event of that lease begins; one that is running may still
 *              run.
 * Locks        One mutex guards the engine (lease_renewal); it is never held while storage, a callback or the transport
 *              is called.
 * Threads: any, but for the exceptions above.
 * Layer: lease. May include storage/, base/.
 */
#ifndef LEASE_LEASE_MANAGER_H
#define LEASE_LEASE_MANAGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "lease/lease_options.h"
#include "lease/lease_renewal.h"
#include "lease/lease_store.h"
#include "storage/http_transport.h"

struct lease_manager;

/* What listeners are told; all borrowed for the call. */
struct lease_event {
    const char *lease_name;
    const char *lease_id;
    int64_t time_ms;         /* wall clock */
    int64_t expiry_ms;       /* renewed: the new expiry, wall clock */
    int renewal_count;       /* good renewals so far */
    int attempt;             /* renewal_failed: 1, 2, ... */
    bool will_retry;         /* renewal_failed */
    const char *reason;      /* renewal_failed, lost */
    int64_t last_renewal_ms; /* lost: the last good renewal (or the acquire), wall clock */
};

struct lease_listener {
    void (*renewed)(void *context, const struct lease_event *event); /* any may be NULL */
    void (*renewal_failed)(void *context, const struct lease_event *event);
    void (*lost)(void *context, const struct lease_event *event);
    void *context;
};

struct lease_request {
    const char *name;      /* 1 to LEASE_NAME_BYTES - 1 bytes; copied */
    int duration_s;        /* 0: the default */
    bool try_once;         /* do not wait for a held lease, whatever AcquireTimeout is */
    int64_t wait_until_ms; /* on the clock: wait for a held lease no longer than that; 0: AcquireTimeout from now on */
    int64_t eager_from_ms; /* on the clock: from then on, the waits begin anew before they grow long; 0: never */
    struct lease_listener listener; /* copied; zero: nobody listens */
};

/*
 * All borrowed. The manager becomes the transport's tick until it is closed; options, store and clock must outlive it.
 * STATUS_NO_MEMORY.
 */
enum status lease_manager_new(struct lease_manager **out, const struct lease_options *options,
                              struct lease_store *store, struct http_transport *transport, const struct clock *clock,
                              struct error *err) MUST_CHECK;

/*
 * Waits at most AcquireTimeout for a lease that somebody else holds, with growing, jittered waits of AcquireRetryInterval
 * at least; the last one is cut, by a try when the time is over. While storage is unwell, the request is tried again for
 * AcquireTimeout or STORAGE_DEADLINE_MS, whichever is longer. A lease handed out is safe at that moment.
 *
 * STATUS_LEASE_CONFLICT   somebody else held it all that time (not an error: nothing is logged)
 * STATUS_UNAVAILABLE      storage kept failing past the deadline, or its answer came too late to rely on the lease
 * STATUS_CANCELLED        lease_manager_cancel_acquires or _close
 * STATUS_NO_MEMORY and the store's other ones.
 * After a failure, whatever storage may have granted all the same is given back.
 */
enum status lease_manager_acquire(struct lease_manager *manager, const struct lease_request *request,
                                  struct lease **out, struct error *err) MUST_CHECK;

/* Ends the caller's part; `lease` may not be used afterwards. NULL is fine. Never fails, never blocks. */
void lease_manager_release(struct lease_manager *manager, struct lease *lease);

/* May work rest on it at this moment? A question to the clock. */
bool lease_manager_is_held(struct lease_manager *manager, const struct lease *lease);

/* Until when it may be relied on if it is not renewed again, on the clock; 0 when it is not held. */
int64_t lease_manager_safe_until_ms(struct lease_manager *manager, const struct lease *lease);

/* Good renewals so far. */
int lease_manager_renewal_count(struct lease_manager *manager, const struct lease *lease);

/* Its id: constant, valid until release. */
const char *lease_id(const struct lease *lease);

/*
 * Sleeps `duration_ms` with the lease in hand.
 * STATUS_OK           the time is over and the lease still held
 * STATUS_LEASE_LOST   as soon as it is lost
 * STATUS_CANCELLED    as soon as lease_manager_cancel_waits is called
 */
enum status lease_manager_wait(struct lease_manager *manager, const struct lease *lease, int64_t duration_ms,
                               struct error *err) MUST_CHECK;

/*
 * For a step that may take `needed_ms` (below the safety threshold of the duration) and rests on the lease until its end:
 * where less is left, renews it first and waits for that. `out_safe_until_ms`: the step must end by then, on the clock.
 * STATUS_OK           so much was left at that moment
 * STATUS_LEASE_LOST   it is lost, or could not be renewed in time: do not begin
 * STATUS_CANCELLED    lease_manager_cancel_waits, while it was being renewed
 */
enum status lease_manager_ensure(struct lease_manager *manager, struct lease *lease, int64_t needed_ms,
                                 int64_t *out_safe_until_ms, struct error *err) MUST_CHECK;

/* Ends somebody else's lease at once, for operators. Statuses of lease_store_ops.break_lease. */
enum status lease_manager_break(struct lease_manager *manager, const char *name, struct error *err) MUST_CHECK;

/* Stopping, first step: from now on acquire waits for nobody and answers STATUS_CANCELLED. Leases in hand stay. */
void lease_manager_cancel_acquires(struct lease_manager *manager);

/* Stopping, second step: ends every lease_manager_wait as well. */
void lease_manager_cancel_waits(struct lease_manager *manager);

/*
 * Stopping, last step: gives every lease back that is still held, all at once, and waits until storage has heard of
 * each, or `deadline_ms` on the clock. A lease that is granted to an acquire still under way is given back as well. How
 * many could not be given back (0: all were). Nothing more is sent afterwards and the transport is not used any more;
 * owners may still call what a lease in hand allows.
 */
int lease_manager_close(struct lease_manager *manager, int64_t deadline_ms);

/*
 * Frees a closed manager whose every lease its owner has released. Waits for the answers to what close left in flight:
 * free the transport first, and they have all come. NULL is fine.
 */
void lease_manager_free(struct lease_manager *manager);

#endif
