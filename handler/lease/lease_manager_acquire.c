/*
 * lease_manager_acquire.c - acquiring a lease, and breaking somebody else's for operators.
 *
 * An acquire retries with one lease id, and a late or doubtful grant is released. Its states are
 * described at struct lease_acquire.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/uuid.h"
#include "lease/lease_manager.h"
#include "lease/lease_manager_internal.h"
#include "storage/storage_client.h"

enum {
    MAX_ACQUIRE_WAIT_MS = 200, /* unless acquire_retry_ms is longer */
    BACKOFF_CYCLE_MS = 200,    /* after restart_backoff_from_ms, how long the waits may grow */
};

static const char stopping_reason[] = "no lease is acquired any more, the program is stopping";

/* ---- the lease to be acquired ---- */

static void on_release_task(void *context) {
    lease_manager_start_release(context);
}

/*
 * Allocates the manager's part of the lease before storage is asked. So no granted lease is dropped
 * for lack of memory or random numbers. If there is no memory for storage's reply, the lease may
 * have been granted, and is released (may_be_granted).
 */
static enum status managed_lease_new(struct lease_manager *manager,
                                     const struct leasehold_request *request,
                                     struct managed_lease **out) {
    size_t length = strlen(request->name);
    assert(length >= 1 && length < LEASE_NAME_BYTES);
    struct managed_lease *managed = calloc(1, sizeof *managed);
    if (managed == NULL) {
        return STATUS_NO_MEMORY;
    }
    enum status status = uuid_v4(manager->platform->random, managed->lease.id);
    if (status != STATUS_OK) {
        free(managed);
        return status;
    }
    managed->manager = manager;
    managed->listener = request->listener;
    managed->release = (struct loop_task){.run = on_release_task, .context = managed};
    managed->lease.duration_s =
        request->duration_s != 0 ? request->duration_s : manager->options->duration_s;
    memcpy(managed->lease.name, request->name, length);
    LIST_INSERT_HEAD(&manager->asked, managed, link);
    lease_renewal_count_lease(&manager->renewal);
    *out = managed;
    return STATUS_OK;
}

/* Frees a lease that was not granted. */
static void managed_lease_discard(struct managed_lease *managed) {
    struct lease_manager *manager = managed->manager;
    lease_renewal_uncount_lease(&manager->renewal);
    LIST_REMOVE(managed, link);
    free(managed);
    lease_manager_end_close_if_done(manager);
}

/*
 * Registers a lease that storage has granted, or may have granted, to a request sent at `sent_ms`.
 * Returns STATUS_OK if it is now held. Otherwise its release has begun: because `status` was a
 * failure, or for the `reason` that is set.
 */
static enum status register_granted(struct managed_lease *managed, int64_t sent_ms,
                                    enum status status, const char **reason) {
    struct lease_manager *manager = managed->manager;
    struct lease *lease = &managed->lease;
    LIST_REMOVE(managed, link);
    LIST_INSERT_HEAD(&manager->held, managed, link);
    lease_renewal_start(&manager->renewal, lease, sent_ms);
    if (status == STATUS_OK && manager->is_closing) {
        *reason = "the lease was granted while the program is stopping";
        status = STATUS_CANCELLED;
    } else if (status == STATUS_OK &&
               !lease_is_safe(lease, manager->options, clock_now_ms(manager->platform->clock))) {
        *reason = "the lease was granted too late to be relied on";
        status = STATUS_UNAVAILABLE;
    }
    if (status != STATUS_OK) {
        lease_manager_start_release(managed);
        return status;
    }
    managed->published_ms = lease_safe_until_ms(lease, manager->options);
    atomic_store(&managed->safe_until_ms, managed->published_ms);
    lease_manager_arm(manager);
    return STATUS_OK;
}

/* ---- how an acquire ends ---- */

static void acquire_enter(struct lease_acquire *acquire, enum lease_acquire_state state) {
    struct lease_manager *manager = acquire->manager;
    if (acquire->state != LEASE_ACQUIRE_IDLE) {
        LIST_REMOVE(acquire, link);
    }
    acquire->state = state;
    if (state == LEASE_ACQUIRE_AWAITING_RELEASE) {
        LIST_INSERT_HEAD(&lease_manager_bucket(manager, acquire->managed->lease.name)->waiting,
                         acquire, link);
    } else if (state != LEASE_ACQUIRE_IDLE) {
        LIST_INSERT_HEAD(&manager->acquires, acquire, link);
    }
}

static void acquire_end(struct lease_acquire *acquire, enum status status,
                        const struct error *err) {
    struct lease *lease = status == STATUS_OK ? &acquire->managed->lease : NULL;
    acquire_enter(acquire, LEASE_ACQUIRE_IDLE);
    acquire->managed = NULL;
    acquire->done(acquire->context, status, lease, err);
}

/* The acquire ends in the loop's next round, since no completion is called inside start. */
static void acquire_end_later(struct lease_acquire *acquire, enum status status,
                              const char *reason) {
    acquire_enter(acquire, LEASE_ACQUIRE_ENDING);
    acquire->managed = NULL;
    acquire->status = status;
    acquire->reason = reason;
    event_loop_set_timer(acquire->manager->platform->loop, &acquire->timer,
                         clock_now_ms(acquire->manager->platform->clock));
}

/* Ends an acquire that has no request in flight. */
static void acquire_give_up(struct lease_acquire *acquire, enum status status, const char *reason) {
    managed_lease_discard(acquire->managed);
    acquire_end_later(acquire, status, reason);
}

/* ---- asking ---- */

/*
 * Returns the wait after `wait_ms`: 1.5 to 2 times as long, and at least 1 ms longer, up to
 * MAX_ACQUIRE_WAIT_MS or the first wait, whichever is longer. The jitter spreads out those that
 * wait for the same lease.
 */
static int64_t next_wait_ms(const struct random_source *random, int64_t wait_ms,
                            int64_t first_wait_ms) {
    wait_ms += wait_ms / 2 + random_jitter_ms(wait_ms, random_fraction(random)) + 1;
    return clock_min_ms(wait_ms, clock_max_ms(MAX_ACQUIRE_WAIT_MS, first_wait_ms));
}

/*
 * Returns how long to wait at `now_ms`, and computes the wait after that. A wait that would end
 * after the cycle begins a new cycle with the first wait. Long waiters start their backoff again
 * this way, so that they retry more often than the handler that has just yielded.
 */
static int64_t advance_wait_ms(struct lease_acquire *acquire, int64_t now_ms) {
    if (now_ms + acquire->next_wait_ms > acquire->cycle_end_ms) {
        acquire->next_wait_ms = acquire->first_wait_ms;
        acquire->cycle_end_ms = now_ms + BACKOFF_CYCLE_MS;
    }
    int64_t wait_ms = acquire->next_wait_ms;
    acquire->next_wait_ms =
        next_wait_ms(acquire->manager->platform->random, wait_ms, acquire->first_wait_ms);
    return wait_ms;
}

/*
 * Returns true if storage may have granted the lease to one of the attempts. A conflict rules a
 * grant out, because the lease is somebody else's. An answer that should be impossible
 * (STATUS_INTERNAL) does not rule it out. Nor does any other failure if the reply to an attempt is
 * unknown: credentials that are rejected now say nothing about an earlier attempt.
 */
static bool may_be_granted(enum status status, const struct error *err) {
    return status == STATUS_OK || status == STATUS_INTERNAL ||
           (status != STATUS_LEASE_CONFLICT && err->may_have_happened);
}

/* Somebody else holds the lease. Returns false if there is no time for another try. */
static bool acquire_back_off(struct lease_acquire *acquire) {
    struct lease_manager *manager = acquire->manager;
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    acquire->conflict_count++;
    if (now_ms >= acquire->wait_until_ms) {
        return false;
    }
    if (atomic_load(&manager->are_acquires_cancelled)) {
        acquire_give_up(acquire, STATUS_CANCELLED, stopping_reason);
        return true;
    }
    int64_t next_ms =
        clock_min_ms(now_ms + advance_wait_ms(acquire, now_ms), acquire->wait_until_ms);
    acquire_enter(acquire, LEASE_ACQUIRE_BACKOFF);
    event_loop_set_timer(manager->platform->loop, &acquire->timer, next_ms);
    return true;
}

/* The acquire was abandoned, so a lease that may have been granted is released. */
static void on_abandoned_reply(struct managed_lease *managed, enum status status,
                               const struct error *err, int64_t sent_ms) {
    const char *reason;
    if (may_be_granted(status, err)) {
        (void)register_granted(managed, sent_ms, STATUS_CANCELLED, &reason);
    } else {
        managed_lease_discard(managed);
    }
}

/*
 * When a doubtful grant was sent is unknown, so the present time is taken. Only its release counts
 * from that time, and may then go on for a little too long.
 */
static void on_acquire_reply(void *context, enum status status, const struct error *err) {
    struct managed_lease *managed = context;
    struct lease_acquire *acquire = managed->acquire;
    int64_t sent_ms = status == STATUS_OK ? managed->call.sent_ms
                                          : clock_now_ms(managed->manager->platform->clock);
    if (acquire == NULL) {
        on_abandoned_reply(managed, status, err, sent_ms);
        return;
    }
    if (status == STATUS_LEASE_CONFLICT && acquire_back_off(acquire)) {
        return;
    }
    managed->acquire = NULL;
    if (!may_be_granted(status, err)) {
        managed_lease_discard(managed);
        acquire_end(acquire, status, err);
        return;
    }
    const char *reason = NULL;
    struct error failure;
    status = register_granted(managed, sent_ms, status, &reason);
    if (reason != NULL) {
        error_set(&failure, status, "%s", reason);
        err = &failure;
    }
    acquire_end(acquire, status, err);
}

/*
 * Makes one try. However late, it has at least the time of one attempt, because its reply decides
 * whether the lease was acquired. Every try uses the same id. So after a try whose reply was lost,
 * the next one gets the same lease.
 */
static void acquire_ask(struct lease_acquire *acquire) {
    struct lease_manager *manager = acquire->manager;
    struct managed_lease *managed = acquire->managed;
    const struct lease *lease = &managed->lease;
    int64_t least_ms = clock_now_ms(manager->platform->clock) + STORAGE_ATTEMPT_TIMEOUT_MS;
    const struct correlation *before =
        correlation_use(acquire->has_correlation ? &acquire->correlation : NULL);
    acquire_enter(acquire, LEASE_ACQUIRE_ASKING);
    managed->acquire = acquire;
    managed->call.done = on_acquire_reply;
    managed->call.context = managed;
    enum status status = manager->store->ops->acquire(manager->store, &managed->call, lease->name,
                                                      lease->id, lease->duration_s,
                                                      clock_max_ms(acquire->deadline_ms, least_ms));
    correlation_use(before);
    if (status != STATUS_OK) {
        acquire_give_up(acquire, status, status_text(status));
    }
}

static bool is_releasing(struct lease_manager *manager, const char *name) {
    const struct managed_lease *managed =
        LIST_FIRST(&lease_manager_bucket(manager, name)->releasing);
    while (managed != NULL &&
           (managed->lease.state != LEASE_RELEASING || strcmp(managed->lease.name, name) != 0)) {
        managed = LIST_NEXT(managed, link);
    }
    return managed != NULL;
}

void lease_manager_wake_waiting(struct lease_manager *manager, const char *name) {
    struct lease_acquire *acquire;
    if (is_releasing(manager, name)) {
        return;
    }
    LIST_FOREACH(acquire, &lease_manager_bucket(manager, name)->waiting, link) {
        if (strcmp(acquire->managed->lease.name, name) == 0) {
            event_loop_set_timer(manager->platform->loop, &acquire->timer,
                                 clock_now_ms(manager->platform->clock));
        }
    }
}

static void on_acquire_timer(void *context) {
    struct lease_acquire *acquire = context;
    if (acquire->state == LEASE_ACQUIRE_ENDING) {
        struct error err;
        error_set(&err, acquire->status, "%s", acquire->reason);
        acquire_end(acquire, acquire->status, &err);
    } else if (atomic_load(&acquire->manager->are_acquires_cancelled)) {
        acquire_give_up(acquire, STATUS_CANCELLED, stopping_reason);
    } else {
        acquire_ask(acquire);
    }
}

/* ---- starting ---- */

/* Returns the time of the last try while somebody else holds the lease. */
static int64_t wait_end_ms(const struct lease_manager *manager,
                           const struct leasehold_request *request, int64_t now_ms) {
    if (request->try_once) {
        return now_ms;
    }
    return now_ms +
           (request->timeout_ms != 0 ? request->timeout_ms : manager->options->acquire_timeout_ms);
}

static void acquire_init(struct lease_acquire *acquire, struct lease_manager *manager,
                         const struct leasehold_request *request, lease_acquire_done done,
                         void *context) {
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    const struct correlation *correlation = correlation_current();
    *acquire = (struct lease_acquire){.restart_backoff_from_ms = acquire->restart_backoff_from_ms,
                                      .manager = manager,
                                      .done = done,
                                      .context = context};
    acquire->timer = (struct loop_timer){.fired = on_acquire_timer, .context = acquire};
    acquire->wait_until_ms = wait_end_ms(manager, request, now_ms);
    acquire->deadline_ms = clock_max_ms(acquire->wait_until_ms, now_ms + STORAGE_DEADLINE_MS);
    acquire->first_wait_ms = acquire->next_wait_ms = manager->options->acquire_retry_ms;
    acquire->cycle_end_ms =
        acquire->restart_backoff_from_ms == 0 ? INT64_MAX : acquire->restart_backoff_from_ms;
    acquire->has_correlation = correlation != NULL;
    if (correlation != NULL) {
        acquire->correlation = *correlation;
    }
}

/*
 * While a lease of that name is being released by this process, a try would only conflict with
 * ourselves. So the acquire waits for that release first.
 */
void lease_acquire_start(struct lease_acquire *acquire, struct lease_manager *manager,
                         const struct leasehold_request *request, lease_acquire_done done,
                         void *context) {
    assert(acquire->state == LEASE_ACQUIRE_IDLE);
    acquire_init(acquire, manager, request, done, context);
    if (atomic_load(&manager->are_acquires_cancelled)) {
        acquire_end_later(acquire, STATUS_CANCELLED, stopping_reason);
        return;
    }
    enum status status = managed_lease_new(manager, request, &acquire->managed);
    if (status != STATUS_OK) {
        acquire_end_later(acquire, status, status_text(status));
    } else if (is_releasing(manager, request->name)) {
        int64_t longest_ms = clock_now_ms(manager->platform->clock) + LEASE_RELEASE_TIMEOUT_MS;
        acquire_enter(acquire, LEASE_ACQUIRE_AWAITING_RELEASE);
        event_loop_set_timer(manager->platform->loop, &acquire->timer,
                             clock_max_ms(acquire->wait_until_ms, longest_ms));
    } else {
        acquire_ask(acquire);
    }
}

/* ---- ending early ---- */

void lease_acquire_abandon(struct lease_acquire *acquire) {
    if (acquire->state == LEASE_ACQUIRE_IDLE) {
        return;
    }
    event_loop_stop_timer(acquire->manager->platform->loop, &acquire->timer);
    if (acquire->state == LEASE_ACQUIRE_ASKING) {
        acquire->managed->acquire = NULL; /* on_acquire_reply comes all the same */
    } else if (acquire->state != LEASE_ACQUIRE_ENDING) {
        managed_lease_discard(acquire->managed);
    }
    acquire_enter(acquire, LEASE_ACQUIRE_IDLE);
    acquire->managed = NULL;
}

/* The request in flight may still be granted, so the lease is released. */
static void cancel_asking(struct lease_acquire *acquire) {
    struct lease_manager *manager = acquire->manager;
    const char *reason;
    manager->store->ops->abandon(manager->store, &acquire->managed->call);
    acquire->managed->acquire = NULL;
    (void)register_granted(acquire->managed, clock_now_ms(manager->platform->clock),
                           STATUS_CANCELLED, &reason);
    acquire_end_later(acquire, STATUS_CANCELLED, stopping_reason);
}

void lease_manager_end_acquires(struct lease_manager *manager, bool also_asking) {
    struct lease_acquire *acquire, *next;
    for (acquire = LIST_FIRST(&manager->acquires); acquire != NULL; acquire = next) {
        next = LIST_NEXT(acquire, link);
        if (acquire->state == LEASE_ACQUIRE_BACKOFF) {
            acquire_give_up(acquire, STATUS_CANCELLED, stopping_reason);
        } else if (acquire->state == LEASE_ACQUIRE_ASKING && also_asking) {
            cancel_asking(acquire);
        }
    }
    for (int i = 0; i < LEASE_NAME_BUCKETS; i++) {
        while ((acquire = LIST_FIRST(&manager->buckets[i].waiting)) != NULL) {
            acquire_give_up(acquire, STATUS_CANCELLED, stopping_reason);
        }
    }
}

/* ---- breaking a lease ---- */

static void break_end(struct lease_break *operation, enum status status, const struct error *err) {
    LIST_REMOVE(operation, link);
    operation->manager = NULL;
    operation->done(operation->context, status, err);
}

static void on_break_reply(void *context, enum status status, const struct error *err) {
    break_end(context, status, err);
}

static void on_break_timer(void *context) {
    struct lease_break *operation = context;
    struct error err;
    error_set(&err, operation->status, "%s", status_text(operation->status));
    break_end(operation, operation->status, &err);
}

static void break_end_later(struct lease_break *operation, enum status status) {
    operation->status = status;
    event_loop_set_timer(operation->manager->platform->loop, &operation->timer,
                         clock_now_ms(operation->manager->platform->clock));
}

void lease_break_start(struct lease_break *operation, struct lease_manager *manager,
                       const char *name, lease_break_done done, void *context) {
    assert(operation->manager == NULL);
    *operation = (struct lease_break){.manager = manager, .done = done, .context = context};
    operation->call = (struct lease_store_call){.done = on_break_reply, .context = operation};
    operation->timer = (struct loop_timer){.fired = on_break_timer, .context = operation};
    LIST_INSERT_HEAD(&manager->breaks, operation, link);
    enum status status = STATUS_CANCELLED;
    if (!atomic_load(&manager->are_waits_cancelled)) {
        status = manager->store->ops->break_lease(manager->store, &operation->call, name,
                                                  clock_now_ms(manager->platform->clock) +
                                                      STORAGE_DEADLINE_MS);
    }
    if (status != STATUS_OK) {
        break_end_later(operation, status);
    }
}

void lease_break_abandon(struct lease_break *operation) {
    struct lease_manager *manager = operation->manager;
    if (manager == NULL) {
        return;
    }
    manager->store->ops->abandon(manager->store, &operation->call);
    event_loop_stop_timer(manager->platform->loop, &operation->timer);
    LIST_REMOVE(operation, link);
    operation->manager = NULL;
}

void lease_manager_end_breaks(struct lease_manager *manager) {
    struct lease_break *operation;
    LIST_FOREACH(operation, &manager->breaks, link) {
        manager->store->ops->abandon(manager->store, &operation->call);
        break_end_later(operation, STATUS_CANCELLED);
    }
}
