/*
 * lease_manager_internal.h - what the files of the lease manager share. In the handler only they
 * include it.
 *
 * Files    lease_manager.c          life cycle, stopping, and a lease in its owner's hand
 *          lease_manager_acquire.c  acquiring a lease, and breaking somebody else's
 *          lease_manager_renew.c    what is due: renewals, releases and losses; storage's replies;
 *                                   the listeners' events
 *          lease_manager_watch.c    waiting with a lease in hand
 *          lease_wait.c             the operations for threads that block
 * Life     An acquire makes a struct managed_lease and hands out the struct lease at its beginning.
 *          It is freed when its owner has released it, lease_renewal has finished with it and no
 *          watch is left. lease_manager_free frees the rest.
 * Threads  Everything belongs to the loop's thread, except what is atomic or never changes. Owners
 *          on other threads reach the loop by tasks. No owner is called inside a call that it
 *          makes: what becomes due is done when the manager's timer fires. There are two
 *          exceptions. If release is the first to notice a loss, it calls the listener's `lost` on
 *          the owner's thread. And close_start notifies the losses that are due before it returns.
 */
#ifndef LEASE_LEASE_MANAGER_INTERNAL_H
#define LEASE_LEASE_MANAGER_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lease/lease_manager.h"
#include "lease/lease_renewal.h"
#include "lease/lease_store.h"

enum { LEASE_NAME_BUCKETS = 256 };

struct managed_lease {
    struct lease lease; /* first: owners hold a pointer to this */
    struct lease_manager *manager;
    struct leasehold_listener listener;
    LIST_ENTRY(managed_lease) link; /* in `asked`, `held` or a bucket's `releasing` */
    LIST_HEAD(, lease_watch) watches;
    struct lease_acquire *acquire; /* its acquire; NULL once that has ended or is abandoned */
    struct lease_store_call call;  /* the acquire, later a renewal */
    struct lease_store_call release_call; /* may be under way beside a renewal */
    struct loop_task release;             /* posted by an owner on another thread */
    bool is_released;                     /* by its owner, or it never had one */

    /*
     * Until when the owner may rely on the lease. 0: it is lost or released. Only the loop sets
     * another value. A renewal does so by compare and swap with the value before, so that it cannot
     * undo a 0. If it is set to 0 because of a loss, the thread that did so notifies the loss. So a
     * loss is notified once. A release sets 0 without notifying, unless the safe deadline has
     * passed. A close first notifies all losses that are due.
     */
    _Atomic int64_t safe_until_ms;
    int64_t published_ms; /* the last safe deadline that the loop set it to */
    atomic_int renewal_count;
};

/* By the hash of their names: leases being released, and acquires that wait for that. */
struct lease_bucket {
    LIST_HEAD(, managed_lease) releasing;
    LIST_HEAD(, lease_acquire) waiting; /* AWAITING_RELEASE */
};

struct lease_manager {
    const struct leasehold_options *options;
    struct lease_store *store;
    const struct platform *platform; /* only the store uses its network */
    struct lease_renewal renewal;
    struct loop_timer timer;             /* when lease_renewal has something to do */
    LIST_HEAD(, managed_lease) asked;    /* not granted yet */
    LIST_HEAD(, managed_lease) held;     /* in their owners' hands */
    LIST_HEAD(, lease_acquire) acquires; /* under way, except those in a bucket's `waiting` */
    LIST_HEAD(, lease_break) breaks;     /* under way */
    struct lease_bucket buckets[LEASE_NAME_BUCKETS];
    atomic_bool are_acquires_cancelled;
    atomic_bool are_waits_cancelled;
    struct loop_task cancel_acquires, cancel_waits;
    int infinite_count; /* leases without an end, never released, that close has not counted yet */
    bool is_closing;    /* no lease is handed out any more */
    bool is_closed;     /* nothing is sent to the store any more */
    struct loop_timer close_timer;
    lease_close_done close_done; /* NULL: no close is under way */
    void *close_context;
};

/* ---- lease_manager.c ---- */

struct lease_bucket *lease_manager_bucket(struct lease_manager *manager, const char *name);

/* Sets the manager's timer. Called after whatever may change when lease_renewal has work. */
void lease_manager_arm(struct lease_manager *manager);

/* Ends a close under way if no lease is left. Called whenever that may have become so. */
void lease_manager_end_close_if_done(struct lease_manager *manager);

/*
 * Called after something of the lease has ended. If its release is over, lets the acquires go on
 * that wait for it. Frees the lease if nobody uses it any more. May end a close.
 */
void lease_manager_free_if_done(struct managed_lease *managed);

/* Begins the release of a lease that has no owner any more. May free it. */
void lease_manager_start_release(struct managed_lease *managed);

/* ---- lease_manager_acquire.c ---- */

/* Cancels acquires that wait; if `also_asking`, those that storage has been asked for as well. */
void lease_manager_end_acquires(struct lease_manager *manager, bool also_asking);
void lease_manager_end_breaks(struct lease_manager *manager);

/* Lets the acquires that wait for the release of `name` go on, if that release is over. */
void lease_manager_wake_waiting(struct lease_manager *manager, const char *name);

/* ---- lease_manager_renew.c ---- */

/* The manager's timer has fired: does all that is due. `context` is the manager. */
void lease_manager_run_due(void *context);

/* Notifies the owner that the lease was not renewed before `safe_until_ms`, its safe deadline. */
void lease_manager_notify_loss(struct managed_lease *managed, int64_t safe_until_ms);

/* ---- lease_manager_watch.c ---- */

/* The lease has changed: each of its watches checks it. */
void lease_manager_wake_watches(struct managed_lease *managed);

#endif
