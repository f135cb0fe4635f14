/*
 * lease_manager_internal.h - what the files of the lease manager have in common, for nobody else.
 *
 * Files    lease_manager.c          life cycle, stopping, and a lease in its owner's hand
 *          lease_manager_acquire.c  acquiring a lease, and ending somebody else's
 *          lease_manager_renew.c    what is due: renewals, releases and losses; the answers, and
 *                                   what owners are told
 *          lease_manager_watch.c    waiting with a lease in hand
 * Life     An acquire makes a struct managed_lease, and hands it out as the struct lease that it
 *          begins with. It is freed once its owner has released it, the engine (lease_renewal) has
 *          finished with it and no watch is left; or by lease_manager_free.
 * Threads  Everything belongs to the loop's thread, but for what is atomic and what never changes.
 *          Owners on other threads reach the loop by tasks. No owner is called from inside a call
 *          of his own: what a call makes due is done when the loop comes to the manager's timer.
 */
#ifndef LEASE_LEASE_MANAGER_INTERNAL_H
#define LEASE_LEASE_MANAGER_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lease/lease_manager.h"
#include "lease/lease_names.h"
#include "lease/lease_renewal.h"
#include "lease/lease_store.h"

enum { LEASE_NAME_BUCKETS = 256 };

struct managed_lease {
    struct lease lease; /* first: what the owner has in hand is this */
    struct lease_manager *manager;
    struct leasehold_listener listener;
    LIST_ENTRY(managed_lease) link; /* in `asked`, `held` or a bucket's `returning` */
    LIST_HEAD(, lease_watch) watches;
    struct lease_acquire *acquire; /* the one that asks for it; NULL: abandoned, or it has ended */
    struct lease_store_call call;  /* the acquire, later a renewal */
    struct lease_store_call release_call; /* may be under way beside a renewal */
    struct loop_task release;             /* posted by an owner on another thread */
    bool is_released;                     /* by its owner, or it never had one */
    /*
     * Until when its owner may rely on it; 0: it is lost, or let go. Only the loop sets it to
     * anything but 0, by compare and swap with what it set before; whoever changes it to 0 is the
     * one who tells of a loss.
     */
    _Atomic int64_t safe_until_ms;
    int64_t published_ms; /* what the loop set it to last */
    atomic_int renewal_count;
};

/*
 * Leases by name: those on their way back to storage, and the acquires that wait for them
 * (RETURNING).
 */
struct lease_bucket {
    LIST_HEAD(, managed_lease) returning;
    LIST_HEAD(, lease_acquire) waiting;
};

struct lease_manager {
    const struct leasehold_options *options;
    struct lease_store *store;
    const struct platform *platform; /* its network is the store's business */
    struct lease_renewal renewal;
    struct loop_timer timer;             /* when the engine has something to do */
    LIST_HEAD(, managed_lease) asked;    /* storage has not granted them */
    LIST_HEAD(, managed_lease) held;     /* in their owners' hands */
    LIST_HEAD(, lease_acquire) acquires; /* under way, but for those in a bucket's `waiting` */
    LIST_HEAD(, lease_break) breaks;     /* under way */
    struct lease_bucket buckets[LEASE_NAME_BUCKETS];
    atomic_bool are_acquires_cancelled;
    atomic_bool are_waits_cancelled;
    struct loop_task cancel_acquires, cancel_waits;
    bool is_closing; /* nothing more is handed out */
    bool is_closed;  /* the store is not asked any more */
    struct loop_timer close_timer;
    lease_close_done close_done; /* NULL: no close is under way */
    void *close_context;
};

/* ---- lease_manager.c ---- */

struct lease_bucket *lease_manager_bucket(struct lease_manager *manager, const char *name);

/* The engine may have something to do at another time now: sets the manager's timer. */
void lease_manager_arm(struct lease_manager *manager);

/* The engine's count has fallen: a close may have been waiting for that. */
void lease_manager_end_close_if_done(struct lease_manager *manager);

/* Something of the lease has come to an end: frees it if that was the last of it. */
void lease_manager_free_if_done(struct managed_lease *managed);

/*
 * Nobody has the lease in hand any more: on its way back to storage, or gone for good. It may be
 * freed.
 */
void lease_manager_start_release(struct managed_lease *managed);

/* ---- lease_manager_acquire.c ---- */

/* Ends the acquires that storage has not been asked for; `also_asking`: the others as well. */
void lease_manager_end_acquires(struct lease_manager *manager, bool also_asking);
void lease_manager_end_breaks(struct lease_manager *manager);

/*
 * No lease of ours by that name may be on its way back any more: lets the acquires that wait for
 * that look.
 */
void lease_manager_wake_waiting(struct lease_manager *manager, const char *name);

/* ---- lease_manager_renew.c ---- */

/* The manager's timer: does all that is due. `context` is the manager. */
void lease_manager_run_due(void *context);

/*
 * Tells the owner that the lease was not renewed in time; `safe_until_ms`: what it could have been
 * relied on until.
 */
void lease_manager_notify_loss(struct managed_lease *managed, int64_t safe_until_ms);

/* ---- lease_manager_watch.c ---- */

/* Something has changed that a lease's watches look at. */
void lease_manager_wake_watches(struct managed_lease *managed);

#endif
