/*
 * lease_manager.h - acquires leases, keeps them alive by renewals, and releases them reliably.
 *
 * The manager consists of state machines on the thread of an event loop. Threads that want to block
 * use lease_wait.h.
 *
 *     lease_acquire_start(&acquire, manager, &request, on_acquired, context);
 *     ... on_acquired(context, STATUS_OK, lease, err): work that rests on the lease,
 *         with lease_manager_is_held or lease_extend_start before each step ...
 *     lease_manager_release(manager, lease);
 *
 * Operations  struct lease_acquire  acquires a lease
 *             struct lease_extend   makes sure that a lease lasts for the next step
 *             struct lease_pause    waits while the lease is held
 *             struct lease_break    ends anybody's lease
 *             Each belongs to its owner, who zeroes it once and keeps it until the operation has
 *             ended or is abandoned. The completion is called exactly once, on the loop's thread,
 *             never inside start. The operation is not touched afterwards, so the owner may start
 *             it again in the completion, or free it. `err` is borrowed and means nothing on
 *             STATUS_OK. An abandoned operation has no completion. Abandoning an operation that is
 *             not under way does nothing.
 * Life        An acquire makes a lease. Release ends its owner's use of it and returns at once.
 *             The release is repeated in the background until storage confirms it or the lease
 *             expires. For a lease without an end it is repeated for LEASE_RELEASE_INFINITE_MS.
 *             Every owner releases its lease before the loop stops. The manager is freed after the
 *             loop has stopped.
 * Events      A listener's functions are called on the loop's thread and must not block. A lease
 *             may be released in its own event. Once release has returned, no new event of that
 *             lease begins, but one that is running may still run. A loss is notified once. If
 *             release is the first to notice it, lost is called on release's thread before release
 *             returns.
 * Threads     Operations belong to the loop's thread. Any thread may call release, is_held,
 *             safe_until_ms, renewal_count, lease_id and the two cancels. These never wait for
 *             another thread.
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
struct managed_lease; /* private to the manager */

/* ---- the manager ---- */

/*
 * Borrows everything. Of the options it uses create_container, and the members from duration_s to
 * acquire_retry_ms. Any thread. STATUS_NO_MEMORY.
 */
enum status lease_manager_new(struct lease_manager **out, const struct leasehold_options *options,
                              struct lease_store *store, const struct platform *platform,
                              struct error *err) MUST_CHECK;

/*
 * First step of stopping: acquires that wait, and those to come, end with STATUS_CANCELLED. Leases
 * stay held.
 */
void lease_manager_cancel_acquires(struct lease_manager *manager);

/*
 * Second step of stopping, after cancel_acquires: pauses, breaks, and extends that need a renewal
 * end with STATUS_CANCELLED, also those to come. Acquires that storage has been asked for end too,
 * and what storage may have granted to them is released.
 */
void lease_manager_cancel_waits(struct lease_manager *manager);

/*
 * `unreleased` counts the leases whose release has not ended (see Life), the acquires that have not
 * ended, and all leases without an end whose release was given up.
 */
typedef void (*lease_close_done)(void *context, int unreleased);

/*
 * Last step of stopping: releases every lease at once. Ends when all of these releases have ended,
 * or at `deadline_ms` on the clock. A lease that is granted to an acquire still under way is
 * released as well. Nothing is sent to the store afterwards. Owners may still release their leases
 * and query them. One close at a time, on the loop's thread.
 */
void lease_manager_close_start(struct lease_manager *manager, int64_t deadline_ms,
                               lease_close_done done, void *context);

/*
 * Frees a closed manager. By then the loop has stopped, every owner has released its lease, and no
 * call at the store is answered any more. Does not use the loop. NULL is allowed.
 */
void lease_manager_free(struct lease_manager *manager);

/* ---- acquiring ---- */

/* `lease` is NULL unless STATUS_OK. */
typedef void (*lease_acquire_done)(void *context, enum status status, struct lease *lease,
                                   const struct error *err);

/*
 *     state              event                                             then
 *     IDLE               start; our earlier lease of that name is still    AWAITING_RELEASE
 *                        being released
 *                        start; it cannot begin                            ENDING
 *                        start, otherwise                                  ASKING
 *     AWAITING_RELEASE   that release has ended, or the time to wait, at   ASKING
 *                        least LEASE_RELEASE_TIMEOUT_MS, is over
 *     ASKING             storage's reply                                   IDLE
 *                        the same, but somebody else holds the lease, and  BACKOFF
 *                        there is time to wait
 *                        there is no memory to ask                         ENDING
 *     BACKOFF            it is time for the next try                       ASKING
 *     ENDING             the loop's next round: a failure of our own       IDLE
 *
 * cancel_acquires takes it from AWAITING_RELEASE and BACKOFF to ENDING, and from ASKING once
 * storage replies with a conflict. cancel_waits takes it from ASKING at once. When it ends it is
 * IDLE.
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
     * Set by the owner before start, on the clock. From this time on the waits return to their
     * first length every BACKOFF_CYCLE_MS (lease_manager_acquire.c), so that this acquire asks more
     * often than later ones. 0: they never do.
     */
    int64_t restart_backoff_from_ms;

    /* How many tries found the lease held by somebody else. Readable in the completion too. */
    int conflict_count;

    /* The manager's own. */
    enum lease_acquire_state state;
    LIST_ENTRY(lease_acquire) link; /* in the manager's acquires or a bucket, unless IDLE */
    struct lease_manager *manager;
    struct managed_lease *managed; /* the lease to be acquired; NULL in IDLE and ENDING */
    lease_acquire_done done;
    void *context;
    struct loop_timer timer;
    enum status status; /* ENDING: why */
    const char *reason;
    int64_t wait_until_ms;               /* how long to wait for another holder */
    int64_t deadline_ms;                 /* how long to retry while storage fails */
    int64_t first_wait_ms, next_wait_ms; /* the backoff */
    int64_t cycle_end_ms;                /* a wait that would end later starts the backoff again */
    struct correlation correlation;      /* a copy of the caller's */
    bool has_correlation;
};

/*
 * Acquires the lease that the request names. Waits for another holder as the request says, with
 * growing, jittered waits of at least acquire_retry_ms. The last wait is cut short for a try at the
 * end of the time. While storage fails, retries for that time or STORAGE_DEADLINE_MS, whichever is
 * longer. A lease that is handed out is safe at that moment. The request is copied.
 *
 * STATUS_LEASE_CONFLICT   somebody else held it all that time; this is not logged
 * STATUS_UNAVAILABLE      storage kept failing, or its reply came too late to rely on the lease
 * STATUS_CANCELLED        lease_manager_cancel_acquires, _cancel_waits or _close
 * STATUS_NO_MEMORY and those of lease_store_ops.acquire
 * After a failure, a lease that storage may have granted all the same is released.
 */
void lease_acquire_start(struct lease_acquire *acquire, struct lease_manager *manager,
                         const struct leasehold_request *request, lease_acquire_done done,
                         void *context);

/* A request in flight goes on. A lease that it is granted is released. */
void lease_acquire_abandon(struct lease_acquire *acquire);

/* ---- a lease in hand ---- */

/*
 * Ends the owner's use of `lease`, which may not be used afterwards. Never fails or blocks. Any
 * thread. NULL is allowed.
 */
void lease_manager_release(struct lease_manager *manager, struct lease *lease);

/* Whether work may rest on the lease at this moment. Asks the clock alone. Any thread. */
bool lease_manager_is_held(struct lease_manager *manager, const struct lease *lease);

/* Returns the safe deadline on the clock, or 0 if the lease is not held. Any thread. */
int64_t lease_manager_safe_until_ms(struct lease_manager *manager, const struct lease *lease);

/* Returns the number of good renewals so far. Any thread. */
int lease_manager_renewal_count(struct lease_manager *manager, const struct lease *lease);

/* Returns the lease's id, which is valid until release. Any thread. */
const char *lease_id(const struct lease *lease);

/* Private to the manager: an operation that waits for a change of its lease. */
struct lease_watch {
    LIST_ENTRY(lease_watch) link;  /* in its lease's watches, while `managed` is not NULL */
    struct managed_lease *managed; /* NULL: not under way */
    struct loop_timer timer;       /* when the operation checks its lease next */
};

/* `safe_until_ms`: on STATUS_OK, the safe deadline on the clock, when the step must have ended. */
typedef void (*lease_extend_done)(void *context, enum status status, int64_t safe_until_ms,
                                  const struct error *err);

struct lease_extend {
    struct lease_watch watch; /* first */
    int64_t needed_ms;
    int renewals_before;
    bool is_renewal_requested;
    lease_extend_done done;
    void *context;
};

/*
 * Makes sure that the lease is safe for `needed_ms` more, before a step that takes at most that
 * long. If less is left, the lease is renewed first. `needed_ms` is less than the time from a
 * renewal to the safe deadline.
 *
 * STATUS_OK           so much was left at that moment
 * STATUS_LEASE_LOST   it is lost or released, or could not be renewed in time: do not begin
 * STATUS_CANCELLED    lease_manager_cancel_waits was called before it was renewed
 */
void lease_extend_start(struct lease_extend *extend, struct lease_manager *manager,
                        struct lease *lease, int64_t needed_ms, lease_extend_done done,
                        void *context);
void lease_extend_abandon(struct lease_extend *extend);

typedef void (*lease_pause_done)(void *context, enum status status, const struct error *err);

struct lease_pause {
    struct lease_watch watch; /* first */
    int64_t until_ms;
    lease_pause_done done;
    void *context;
};

/*
 * Waits `duration_ms` while the lease is held.
 *
 * STATUS_OK           the time is over and the lease is still held
 * STATUS_LEASE_LOST   as soon as it is lost or released
 * STATUS_CANCELLED    as soon as lease_manager_cancel_waits is called
 */
void lease_pause_start(struct lease_pause *pause, struct lease_manager *manager,
                       struct lease *lease, int64_t duration_ms, lease_pause_done done,
                       void *context);
void lease_pause_abandon(struct lease_pause *pause);

/* ---- for operators ---- */

typedef void (*lease_break_done)(void *context, enum status status, const struct error *err);

struct lease_break {
    LIST_ENTRY(lease_break) link;  /* in the manager's breaks, while it is under way */
    struct lease_manager *manager; /* NULL: not under way */
    struct lease_store_call call;
    struct loop_timer timer; /* ends it with a failure of our own */
    enum status status;
    lease_break_done done;
    void *context;
};

/*
 * Ends anybody's lease at once. Statuses of lease_store_ops.break_lease; STATUS_CANCELLED,
 * STATUS_NO_MEMORY.
 */
void lease_break_start(struct lease_break *operation, struct lease_manager *manager,
                       const char *name, lease_break_done done, void *context);
void lease_break_abandon(struct lease_break *operation);

typedef void (*lease_probe_done)(void *context, enum status status, const struct error *err);

/* It is never abandoned. */
struct lease_probe {
    struct lease_manager *manager;
    struct lease_store_call call;
    lease_probe_done done;
    void *context;
};

/*
 * Finds out whether leases can be had, without having one: asks for the renewal of a lease that
 * nobody has. One attempt, of at most `timeout_ms`. `done` may be called inside this call.
 *
 * STATUS_OK   the lease service has answered. Also if the container is missing, and is to be
 *             created when it is needed
 * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE, STATUS_UNAUTHORIZED, STATUS_CANCELLED, ...
 */
void lease_probe_start(struct lease_probe *probe, struct lease_manager *manager, int64_t timeout_ms,
                       lease_probe_done done, void *context);

#endif
