/*
 * lease_manager_acquire.c - acquiring a lease: retries with one lease id, and what becomes of a
 * late or doubtful grant. Its states stand with struct lease_acquire. And ending somebody else's
 * lease, for operators.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/uuid.h"
#include "lease/lease_manager.h"
#include "lease/lease_manager_internal.h"
#include "storage/storage_request.h"

enum { MAX_ACQUIRE_WAIT_MS = 200, EAGER_ROUND_MS = 200 };

static const char stopping[] = "no lease is acquired any more, the program is stopping";

/* --- the lease that is asked for --- */

static void on_release(void *context) {
    lease_manager_start_release(context);
}

/*
 * Makes what can fail for want of memory or randomness before storage is asked: a lease granted is
 * never dropped.
 */
static enum status new_managed(struct lease_manager *manager,
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
    managed->release = (struct loop_task){.run = on_release, .context = managed};
    managed->lease.duration_s =
        request->duration_s != 0 ? request->duration_s : manager->options->duration_s;
    memcpy(managed->lease.name, request->name, length);
    LIST_INSERT_HEAD(&manager->asked, managed, link);
    lease_renewal_reserve(&manager->renewal);
    *out = managed;
    return STATUS_OK;
}

/* Nothing was granted. */
static void discard(struct managed_lease *managed) {
    struct lease_manager *manager = managed->manager;
    lease_renewal_unreserve(&manager->renewal);
    LIST_REMOVE(managed, link);
    free(managed);
    lease_manager_end_close_if_done(manager);
}

/*
 * Storage has granted the lease, or may have, to a request that was sent at `sent_ms`. Returns
 * STATUS_OK if it is now held. Otherwise it is on its way back, because `status` was a failure, or
 * for a reason that is set.
 */
static enum status take_granted(struct managed_lease *managed, int64_t sent_ms, enum status status,
                                const char **reason) {
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

/* --- the ends of an acquire --- */

static void enter(struct lease_acquire *acquire, enum lease_acquire_state state) {
    struct lease_manager *manager = acquire->manager;
    if (acquire->state != LEASE_ACQUIRE_IDLE) {
        LIST_REMOVE(acquire, link);
    }
    acquire->state = (unsigned)state;
    if (state == LEASE_ACQUIRE_AWAITING_RELEASE) {
        LIST_INSERT_HEAD(&lease_manager_bucket(manager, acquire->managed->lease.name)->waiting,
                         acquire, link);
    } else if (state != LEASE_ACQUIRE_IDLE) {
        LIST_INSERT_HEAD(&manager->acquires, acquire, link);
    }
}

static void end_acquire(struct lease_acquire *acquire, enum status status,
                        const struct error *err) {
    struct lease *lease = status == STATUS_OK ? &acquire->managed->lease : NULL;
    enter(acquire, LEASE_ACQUIRE_IDLE);
    acquire->managed = NULL;
    acquire->done(acquire->context, status, lease, err);
}

/* It has nothing to wait for any more, and ends when the loop comes to it. */
static void end_later(struct lease_acquire *acquire, enum status status, const char *reason) {
    enter(acquire, LEASE_ACQUIRE_ENDING);
    acquire->managed = NULL;
    acquire->status = status;
    acquire->reason = reason;
    event_loop_set_timer(acquire->manager->platform->loop, &acquire->timer,
                         clock_now_ms(acquire->manager->platform->clock));
}

/* While storage is not being asked. */
static void give_up(struct lease_acquire *acquire, enum status status, const char *reason) {
    discard(acquire->managed);
    end_later(acquire, status, reason);
}

/* --- asking --- */

/*
 * Returns 1.5 to 2 times as long, so that those who wait for the same lease spread out. Never 0,
 * which would not grow.
 */
static int64_t longer_wait_ms(const struct random_source *random, int64_t wait_ms,
                              int64_t first_wait_ms) {
    wait_ms += wait_ms / 2 + (int64_t)((double)wait_ms * random_fraction(random) / 2) + 1;
    return clock_min_ms(wait_ms, clock_max_ms(MAX_ACQUIRE_WAIT_MS, first_wait_ms));
}

/*
 * How long to wait at `now_ms`. What would last beyond the end of a round begins a new one, with
 * the first wait.
 */
static int64_t take_wait_ms(struct lease_acquire *acquire, int64_t now_ms) {
    if (now_ms + acquire->next_wait_ms > acquire->round_end_ms) {
        acquire->next_wait_ms = acquire->first_wait_ms;
        acquire->round_end_ms = now_ms + EAGER_ROUND_MS;
    }
    int64_t wait_ms = acquire->next_wait_ms;
    acquire->next_wait_ms =
        longer_wait_ms(acquire->manager->platform->random, wait_ms, acquire->first_wait_ms);
    return wait_ms;
}

/*
 * Whether the answer leaves open if storage has granted the lease. A conflict does not, whatever
 * was asked before: it is somebody else's. Credentials that are refused only now say nothing of the
 * attempt before.
 */
static bool may_be_granted(enum status status, const struct error *err) {
    return status == STATUS_OK || status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED ||
           status == STATUS_INTERNAL || (status != STATUS_LEASE_CONFLICT && err->was_in_doubt);
}

/* Returns false if there is no time for another try. */
static bool back_off(struct lease_acquire *acquire) {
    struct lease_manager *manager = acquire->manager;
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    acquire->conflict_count++;
    if (now_ms >= acquire->patience_ms) {
        return false;
    }
    if (atomic_load(&manager->are_acquires_cancelled)) {
        give_up(acquire, STATUS_CANCELLED, stopping);
        return true;
    }
    int64_t next_ms = clock_min_ms(now_ms + take_wait_ms(acquire, now_ms), acquire->patience_ms);
    enter(acquire, LEASE_ACQUIRE_BACKOFF);
    event_loop_set_timer(manager->platform->loop, &acquire->timer, next_ms);
    return true;
}

/* The answer to an acquire that was abandoned: what it may have granted is released. */
static void on_abandoned_answered(struct managed_lease *managed, enum status status,
                                  const struct error *err, int64_t sent_ms) {
    const char *reason;
    if (may_be_granted(status, err)) {
        (void)take_granted(managed, sent_ms, STATUS_CANCELLED, &reason);
    } else {
        discard(managed);
    }
}

static void on_asked(void *context, enum status status, const struct error *err) {
    struct managed_lease *managed = context;
    struct lease_acquire *acquire = managed->acquire;
    int64_t sent_ms = status == STATUS_OK ? managed->call.sent_ms
                                          : clock_now_ms(managed->manager->platform->clock);
    if (acquire == NULL) {
        on_abandoned_answered(managed, status, err, sent_ms);
        return;
    }
    if (status == STATUS_LEASE_CONFLICT && back_off(acquire)) {
        return;
    }
    managed->acquire = NULL;
    if (!may_be_granted(status, err)) {
        discard(managed);
        end_acquire(acquire, status, err);
        return;
    }
    const char *reason = NULL;
    struct error failure;
    status = take_granted(managed, sent_ms, status, &reason);
    if (reason != NULL) {
        error_set(&failure, status, "%s", reason);
        err = &failure;
    }
    end_acquire(acquire, status, err);
}

/*
 * One try. However late it is made, it has the time of one attempt: its answer decides whether the
 * lease was had. The id is the same in every try: it is ours alone, and a try whose answer was lost
 * is answered by the next.
 */
static void ask(struct lease_acquire *acquire) {
    struct lease_manager *manager = acquire->manager;
    struct managed_lease *managed = acquire->managed;
    const struct lease *lease = &managed->lease;
    int64_t least_ms = clock_now_ms(manager->platform->clock) + STORAGE_ATTEMPT_TIMEOUT_MS;
    const struct correlation *before =
        correlation_use(acquire->has_correlation ? &acquire->correlation : NULL);
    enter(acquire, LEASE_ACQUIRE_ASKING);
    managed->acquire = acquire;
    managed->call.done = on_asked;
    managed->call.context = managed;
    enum status status = manager->store->ops->acquire(manager->store, &managed->call, lease->name,
                                                      lease->id, lease->duration_s,
                                                      clock_max_ms(acquire->deadline_ms, least_ms));
    correlation_use(before);
    if (status != STATUS_OK) {
        give_up(acquire, status, status_text(status));
    }
}

static bool is_returning(struct lease_manager *manager, const char *name) {
    const struct managed_lease *managed =
        LIST_FIRST(&lease_manager_bucket(manager, name)->returning);
    while (managed != NULL &&
           (managed->lease.state != LEASE_RELEASING || strcmp(managed->lease.name, name) != 0)) {
        managed = LIST_NEXT(managed, link);
    }
    return managed != NULL;
}

void lease_manager_wake_waiting(struct lease_manager *manager, const char *name) {
    struct lease_acquire *acquire;
    if (is_returning(manager, name)) {
        return;
    }
    LIST_FOREACH(acquire, &lease_manager_bucket(manager, name)->waiting, link) {
        if (strcmp(acquire->managed->lease.name, name) == 0) {
            event_loop_set_timer(manager->platform->loop, &acquire->timer,
                                 clock_now_ms(manager->platform->clock));
        }
    }
}

static void on_timer(void *context) {
    struct lease_acquire *acquire = context;
    if (acquire->state != LEASE_ACQUIRE_ENDING) {
        if (atomic_load(&acquire->manager->are_acquires_cancelled)) {
            give_up(acquire, STATUS_CANCELLED, stopping);
        } else {
            ask(acquire);
        }
        return;
    }
    struct error err;
    error_set(&err, acquire->status, "%s", acquire->reason);
    end_acquire(acquire, acquire->status, &err);
}

/* --- starting --- */

/* Returns until when a held lease is waited for. */
static int64_t patience_end_ms(const struct lease_manager *manager,
                               const struct leasehold_request *request, int64_t now_ms) {
    if (request->try_once) {
        return now_ms;
    }
    return now_ms +
           (request->timeout_ms != 0 ? request->timeout_ms : manager->options->acquire_timeout_ms);
}

static void init_acquire(struct lease_acquire *acquire, struct lease_manager *manager,
                         const struct leasehold_request *request, lease_acquire_done done,
                         void *context) {
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    const struct correlation *correlation = correlation_current();
    *acquire = (struct lease_acquire){.restart_backoff_from_ms = acquire->restart_backoff_from_ms,
                                      .manager = manager,
                                      .done = done,
                                      .context = context};
    acquire->timer = (struct loop_timer){.fired = on_timer, .context = acquire};
    acquire->patience_ms = patience_end_ms(manager, request, now_ms);
    acquire->deadline_ms = clock_max_ms(acquire->patience_ms, now_ms + STORAGE_DEADLINE_MS);
    acquire->first_wait_ms = acquire->next_wait_ms = manager->options->acquire_retry_ms;
    acquire->round_end_ms =
        acquire->restart_backoff_from_ms == 0 ? INT64_MAX : acquire->restart_backoff_from_ms;
    acquire->has_correlation = correlation != NULL;
    if (correlation != NULL) {
        acquire->correlation = *correlation;
    }
}

/*
 * A lease of ours that is on its way back is not somebody else's: asking before it has arrived
 * would only meet ourselves.
 */
void lease_acquire_start(struct lease_acquire *acquire, struct lease_manager *manager,
                         const struct leasehold_request *request, lease_acquire_done done,
                         void *context) {
    assert(acquire->state == LEASE_ACQUIRE_IDLE);
    init_acquire(acquire, manager, request, done, context);
    if (atomic_load(&manager->are_acquires_cancelled)) {
        end_later(acquire, STATUS_CANCELLED, stopping);
        return;
    }
    enum status status = new_managed(manager, request, &acquire->managed);
    if (status != STATUS_OK) {
        end_later(acquire, status, status_text(status));
    } else if (is_returning(manager, request->name)) {
        int64_t longest_ms = clock_now_ms(manager->platform->clock) + LEASE_RELEASE_TIMEOUT_MS;
        enter(acquire, LEASE_ACQUIRE_AWAITING_RELEASE);
        event_loop_set_timer(manager->platform->loop, &acquire->timer,
                             clock_max_ms(acquire->patience_ms, longest_ms));
    } else {
        ask(acquire);
    }
}

/* --- ending early --- */

void lease_acquire_abandon(struct lease_acquire *acquire) {
    if (acquire->state == LEASE_ACQUIRE_IDLE) {
        return;
    }
    event_loop_stop_timer(acquire->manager->platform->loop, &acquire->timer);
    if (acquire->state == LEASE_ACQUIRE_ASKING) {
        acquire->managed->acquire = NULL; /* on_asked comes all the same */
    } else if (acquire->state != LEASE_ACQUIRE_ENDING) {
        discard(acquire->managed);
    }
    enter(acquire, LEASE_ACQUIRE_IDLE);
    acquire->managed = NULL;
}

/* What was sent may still be granted. */
static void cancel_asking(struct lease_acquire *acquire) {
    struct lease_manager *manager = acquire->manager;
    const char *reason;
    manager->store->ops->abandon(manager->store, &acquire->managed->call);
    acquire->managed->acquire = NULL;
    (void)take_granted(acquire->managed, clock_now_ms(manager->platform->clock), STATUS_CANCELLED,
                       &reason);
    end_later(acquire, STATUS_CANCELLED, stopping);
}

void lease_manager_end_acquires(struct lease_manager *manager, bool also_asking) {
    struct lease_acquire *acquire, *next;
    for (acquire = LIST_FIRST(&manager->acquires); acquire != NULL; acquire = next) {
        next = LIST_NEXT(acquire, link);
        if (acquire->state == LEASE_ACQUIRE_BACKOFF) {
            give_up(acquire, STATUS_CANCELLED, stopping);
        } else if (acquire->state == LEASE_ACQUIRE_ASKING && also_asking) {
            cancel_asking(acquire);
        }
    }
    for (int i = 0; i < LEASE_NAME_BUCKETS; i++) {
        while ((acquire = LIST_FIRST(&manager->buckets[i].waiting)) != NULL) {
            give_up(acquire, STATUS_CANCELLED, stopping);
        }
    }
}

/* --- ending somebody else's lease --- */

static void end_break(struct lease_break *operation, enum status status, const struct error *err) {
    LIST_REMOVE(operation, link);
    operation->manager = NULL;
    operation->done(operation->context, status, err);
}

static void on_broken(void *context, enum status status, const struct error *err) {
    end_break(context, status, err);
}

static void on_break_refused(void *context) {
    struct lease_break *operation = context;
    struct error err;
    error_set(&err, operation->status, "%s", status_text(operation->status));
    end_break(operation, operation->status, &err);
}

static void refuse_break(struct lease_break *operation, enum status status) {
    operation->status = status;
    event_loop_set_timer(operation->manager->platform->loop, &operation->timer,
                         clock_now_ms(operation->manager->platform->clock));
}

void lease_break_start(struct lease_break *operation, struct lease_manager *manager,
                       const char *name, lease_break_done done, void *context) {
    assert(operation->manager == NULL);
    *operation = (struct lease_break){.manager = manager, .done = done, .context = context};
    operation->call = (struct lease_store_call){.done = on_broken, .context = operation};
    operation->timer = (struct loop_timer){.fired = on_break_refused, .context = operation};
    LIST_INSERT_HEAD(&manager->breaks, operation, link);
    enum status status = STATUS_CANCELLED;
    if (!atomic_load(&manager->are_waits_cancelled)) {
        status = manager->store->ops->break_lease(manager->store, &operation->call, name,
                                                  clock_now_ms(manager->platform->clock) +
                                                      STORAGE_DEADLINE_MS);
    }
    if (status != STATUS_OK) {
        refuse_break(operation, status);
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
        refuse_break(operation, STATUS_CANCELLED);
    }
}
