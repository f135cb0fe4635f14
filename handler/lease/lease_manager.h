/*
 * lease_manager.h - leases for the rest of the program: acquired, kept alive by renewals, and
 * released without fail.
 *
 * The manager runs on an event loop's thread, as state machines. Threads that want to wait use
 * lease_wait.h.
 *
 *     lease_acquire_start(&acquire, manager, &request, on_acquired, context);
 *     ... on_acquired(context, STATUS_OK, lease, err): work that rests on the lease,
 *         with lease_manager_is_held or lease_extend_start before each step ...
 *     lease_manager_release(manager, lease);
 *
 * Operations  A struct lease_acquire, lease_extend, lease_hold or lease_break is one operation
 *             under way. It lives with its owner, zeroed at first, until it has ended or is
 *             abandoned. Its completion is called exactly once, never inside start, on the loop's
 *             thread, as the operation's last act: the owner may start it again there, or free it.
 *             An operation that is abandoned is not answered. Abandoning one that is not under way
 *             does nothing. `err` is borrowed; it means nothing on STATUS_OK.
 * Life        An acquire makes a lease. Release ends its owner's part in it and returns at once.
 *             Storage is told in the background, again and again, until it has heard or the lease
 *             has run out. Every lease has been released by its owner before the loop stops; the
 *             manager is freed after the loop has stopped.
 * Events      renewed, renewal_failed and lost are told on the loop's thread. They must not block.
 *             A lease may be released from inside its own event. After release has returned, no new
 *             event of that lease begins; one that is running may still run. A loss is told once.
 *             If release is the first to notice it, then it tells it on its own thread, before it
 *             returns.
 * Threads     Operations belong to the loop's thread. Release, is_held, safe_until_ms,
 *             renewal_count, the two cancels and lease_id may be called from any thread and never
 *             wait for another one.
 */
#ifndef LEASE_LEASE_MANAGER_H
#define LEASE_LEASE_MANAGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/correlation.h"
#include "base/status.h"
#include "http/platform.h"
#include "lease/lease_store.h"
#include "lease/leasehold.h"

struct lease;
struct lease_manager;
struct managed_lease; /* the manager's own */

/* ---- the manager ---- */

/* All borrowed. May be called on any thread, before anything else of the manager is. STATUS_NO_MEMORY. */
enum status lease_manager_new(struct lease_manager **out, const struct leasehold_options *options,
                              struct lease_store *store, const struct platform *platform,
                              struct error *err) MUST_CHECK;

/*
 * Stopping, first step: acquires that wait, and those to come, end with STATUS_CANCELLED. Leases in
 * hand stay.
 */
void lease_manager_cancel_acquires(struct lease_manager *manager);

/*
 * Stopping, second step, after cancel_acquires: holds, breaks, and extends that need a renewal, end
 * with STATUS_CANCELLED, those to come, too. So do acquires that storage has been asked for; what it
 * may grant all the same is released.
 */
void lease_manager_cancel_waits(struct lease_manager *manager);

/* `unreleased`: how many leases storage may still have as ours; 0: all were released. */
typedef void (*lease_close_done)(void *context, int unreleased);

/*
 * Stopping, last step: releases every lease, all at once, and ends when storage has heard of each,
 * or at `deadline_ms` on the clock. A lease that is granted to an acquire still under way is
 * released as well. Nothing is sent to the store afterwards. Owners may still call what a lease in
 * hand allows. One close at a time. On the loop's thread.
 */
void lease_manager_close_start(struct lease_manager *manager, int64_t deadline_ms,
                               lease_close_done done, void *context);

/*
 * Frees a closed manager. The loop has stopped, every owner has released its lease, and no call at
 * the store is answered any more. Does not use the loop. NULL is fine.
 */
void lease_manager_free(struct lease_manager *manager);

/* ---- acquiring ---- */

/* `lease` is NULL unless STATUS_OK. */
typedef void (*lease_acquire_done)(void *context, enum status status, struct lease *lease,
                                   const struct error *err);

/*
 *     state       left by
 *     IDLE        start
 *     RETURNING   a lease of ours by that name that is on its way back arrives, or takes too long:
 *                 ASKING
 *     ASKING      storage's answer: it ends with that; BACKOFF if somebody else holds the lease and
 *                 there is time to wait
 *     BACKOFF     the time of the next try: ASKING
 *     ENDING      the next round of the loop: it ends with a failure that is not an answer of
 *                 storage's
 *
 * From RETURNING, ASKING and BACKOFF it goes to ENDING when it is cancelled. Ending brings it back
 * to IDLE.
 */
enum lease_acquire_state {
    LEASE_ACQUIRE_IDLE,
    LEASE_ACQUIRE_ENDING,
    LEASE_ACQUIRE_AWAITING_RELEASE,
    LEASE_ACQUIRE_ASKING,
    LEASE_ACQUIRE_BACKOFF,
};

struct lease_acquire {
    /*
     * Set by the owner before start, on the clock. From then on waits begin anew before they grow
     * long. 0: never.
     */
    int64_t restart_backoff_from_ms;

    /* Tries that met somebody else's lease. It may be read in the completion too. */
    int conflict_count;

    /* The manager's own. */
    enum lease_acquire_state state;
    LIST_ENTRY(lease_acquire) link; /* in the manager's acquires, unless IDLE */
    struct lease_manager *manager;
    struct managed_lease *managed; /* the lease that is asked for; NULL while ENDING */
    lease_acquire_done done;
    void *context;
    struct loop_timer timer;
    enum status status; /* ENDING: why */
    const char *reason;
    int64_t patience_ms; /* until then a held lease is waited for */
    int64_t deadline_ms; /* until then storage that is unwell is tried */
    int64_t first_wait_ms, next_wait_ms, round_end_ms;
    struct correlation correlation; /* a copy, of whoever started it */
    bool has_correlation;
};

/*
 * Waits at most AcquireTimeout for a lease that somebody else holds, with growing, jittered waits
 * of AcquireRetryInterval at least. The last wait is cut, by a try when the time is over. While
 * storage is unwell, the request is tried again for AcquireTimeout or STORAGE_DEADLINE_MS,
 * whichever is longer. A lease handed out is safe at that moment.
 *
 * STATUS_LEASE_CONFLICT   somebody else held it all that time (not an error: nothing is logged)
 * STATUS_UNAVAILABLE      storage kept failing past the deadline, or its answer came too late to
 *                         rely on the lease
 * STATUS_CANCELLED        lease_manager_cancel_acquires, _cancel_waits or _close
 * STATUS_NO_MEMORY and those of lease_store_ops.acquire
 * After a failure, whatever storage may have granted all the same is released.
 */
void lease_acquire_start(struct lease_acquire *acquire, struct lease_manager *manager,
                         const struct leasehold_request *request, lease_acquire_done done,
                         void *context);

/*
 * Storage that has been asked already may answer in its own time; what it grants is then released.
 */
void lease_acquire_abandon(struct lease_acquire *acquire);

/* ---- a lease in hand ---- */

/*
 * Ends the owner's part; `lease` may not be used afterwards. NULL is fine. Any thread. Never fails,
 * never blocks.
 */
void lease_manager_release(struct lease_manager *manager, struct lease *lease);

/* Whether work may rest on it at this moment. Asks the clock alone. Any thread. */
bool lease_manager_is_held(struct lease_manager *manager, const struct lease *lease);

/*
 * Until when it may be relied on if it is not renewed again, on the clock; 0 when it is not held.
 * Any thread.
 */
int64_t lease_manager_safe_until_ms(struct lease_manager *manager, const struct lease *lease);

/* Good renewals so far. Any thread. */
int lease_manager_renewal_count(struct lease_manager *manager, const struct lease *lease);

/* Its id: constant, valid until release. Any thread. */
const char *lease_id(const struct lease *lease);

/* What waits for something of a lease in hand. The manager's own. */
struct lease_watch {
    LIST_ENTRY(lease_watch) link;  /* in its lease's watches, while `managed` is not NULL */
    struct managed_lease *managed; /* NULL: it is not under way */
    struct loop_timer timer;       /* when it is looked at next */
};

/* `safe_until_ms`, STATUS_OK: the step must end by then, on the clock. */
typedef void (*lease_extend_done)(void *context, enum status status, int64_t safe_until_ms,
                                  const struct error *err);

struct lease_extend {
    struct lease_watch watch; /* first */
    int64_t needed_ms;
    int renewals_before;
    bool is_renewal_due; /* it was asked for */
    lease_extend_done done;
    void *context;
};

/*
 * For a step that may take `needed_ms` (below the safety threshold of the duration) and rests on
 * the lease until its end: where less is left, renews it first and waits for that.
 *
 * STATUS_OK           so much was left at that moment
 * STATUS_LEASE_LOST   it is lost or released, or could not be renewed in time: do not begin
 * STATUS_CANCELLED    lease_manager_cancel_waits, while it was being renewed
 */
void lease_extend_start(struct lease_extend *extend, struct lease_manager *manager,
                        struct lease *lease, int64_t needed_ms, lease_extend_done done,
                        void *context);
void lease_extend_abandon(struct lease_extend *extend);

typedef void (*lease_hold_done)(void *context, enum status status, const struct error *err);

struct lease_hold {
    struct lease_watch watch; /* first */
    int64_t until_ms;
    lease_hold_done done;
    void *context;
};

/*
 * Lets `duration_ms` go by with the lease in hand.
 *
 * STATUS_OK           the time is over and the lease still held
 * STATUS_LEASE_LOST   as soon as it is lost or released
 * STATUS_CANCELLED    as soon as lease_manager_cancel_waits is called
 */
void lease_hold_start(struct lease_hold *hold, struct lease_manager *manager, struct lease *lease,
                      int64_t duration_ms, lease_hold_done done, void *context);
void lease_hold_abandon(struct lease_hold *hold);

/* ---- for operators ---- */

typedef void (*lease_break_done)(void *context, enum status status, const struct error *err);

struct lease_break {
    LIST_ENTRY(lease_break) link;  /* in the manager's breaks, while it is under way */
    struct lease_manager *manager; /* NULL: it is not under way */
    struct lease_store_call call;
    struct loop_timer timer; /* it ends with a failure of our own */
    enum status status;
    lease_break_done done;
    void *context;
};

/*
 * Ends somebody else's lease at once. Statuses of lease_store_ops.break_lease; STATUS_CANCELLED,
 * STATUS_NO_MEMORY.
 */
void lease_break_start(struct lease_break *operation, struct lease_manager *manager,
                       const char *name, lease_break_done done, void *context);
void lease_break_abandon(struct lease_break *operation);

#endif
