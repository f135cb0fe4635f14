/*
 * lease_manager.c - locks, threads and memory around the engine in lease_renewal.
 *
 * Life     acquire makes a struct managed, and hands it out as the struct lease that it begins with; it is freed as
 *          soon as its owner has released it and the engine has finished with it, or by lease_manager_free.
 * Locks    Everything in struct lease_manager and struct managed is guarded by `lock`, but for what never changes.
 *          Whoever has an action or an answer in hand has the lease in flight, and so alive, without the lock.
 */
#include "lease/lease_manager.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/condition.h"
#include "base/crypto.h"
#include "base/log.h"
#include "storage/storage_request.h"

/* A condition's clock stands still while the machine is suspended, ours does not: a nap ends to look at ours. */
enum { MAX_ACQUIRE_WAIT_MS = 200, MAX_NAP_MS = 250 };

struct managed {
    struct lease lease; /* first: what the owner has in hand is this */
    struct lease_manager *manager;
    struct lease_listener listener;
    bool released; /* by its owner */
    struct managed *next;
    struct managed **back; /* what points at it: the list, or the one before it */
};

struct lease_manager {
    const struct lease_options *options;
    struct lease_store *store;
    struct http_transport *transport;
    const struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t
        woken; /* a renewal was answered, a lease was lost, or waiting was cancelled: acquire, wait, ensure */
    pthread_cond_t settled; /* something is not in flight any more: close, free */
    struct lease_renewal renewal;
    struct managed *held;      /* in their owners' hands */
    struct managed *returning; /* in nobody's: on their way back to storage */
    bool acquires_cancelled;
    bool waits_cancelled;
    bool closing; /* nothing more is handed out */
    bool closed;  /* the transport is not ours any more */
};

static int64_t tick(void *context, int64_t now_ms);
static void announce_loss(struct managed *managed);

static int64_t min_ms(int64_t a_ms, int64_t b_ms) {
    return a_ms < b_ms ? a_ms : b_ms;
}

static int64_t max_ms(int64_t a_ms, int64_t b_ms) {
    return a_ms > b_ms ? a_ms : b_ms;
}

/* --- what all the rest uses, with the lock held --- */

static void nap(struct lease_manager *manager, pthread_cond_t *condition, int64_t nap_ms) {
    struct timespec until = condition_deadline(min_ms(nap_ms, MAX_NAP_MS));
    (void)condition_wait_until(condition, &manager->lock, &until);
}

/* Ends the use of the lock. What has changed may have made something due earlier, so the tick is set anew. */
static void unlock_and_wake(struct lease_manager *manager) {
    struct http_transport *transport = manager->closed ? NULL : manager->transport;
    int64_t next_ms = lease_renewal_next_ms(&manager->renewal);
    pthread_mutex_unlock(&manager->lock);
    if (transport != NULL && next_ms != INT64_MAX) {
        http_transport_wake_at(transport, next_ms);
    }
}

static void enlist(struct managed *managed, struct managed **list) {
    managed->next = *list;
    managed->back = list;
    if (managed->next != NULL) {
        managed->next->back = &managed->next;
    }
    *list = managed;
}

static void unlist(struct managed *managed) {
    *managed->back = managed->next;
    if (managed->next != NULL) {
        managed->next->back = managed->back;
    }
}

/* Something of the lease has come to an end: frees it if that was the last of it. */
static void settle(struct managed *managed) {
    pthread_cond_broadcast(&managed->manager->settled);
    if (managed->released && lease_is_finished(&managed->lease)) {
        unlist(managed);
        free(managed);
    }
}

/* Nobody has the lease in hand any more: on its way back to storage, or gone for good. */
static void take_back(struct managed *managed, int64_t now_ms) {
    struct lease_manager *manager = managed->manager;
    managed->released = true;
    unlist(managed);
    enlist(managed, &manager->returning);
    lease_renewal_give_up(&manager->renewal, &managed->lease, now_ms);
    settle(managed);
}

/* --- life cycle --- */

enum status lease_manager_new(struct lease_manager **out, const struct lease_options *options,
                              struct lease_store *store, struct http_transport *transport, const struct clock *clock,
                              struct error *err) {
    struct lease_manager *manager = calloc(1, sizeof *manager);
    if (manager == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the lease manager");
    }
    manager->options = options;
    manager->store = store;
    manager->transport = transport;
    manager->clock = clock;
    pthread_mutex_init(&manager->lock, NULL);
    condition_init(&manager->woken);
    condition_init(&manager->settled);
    lease_renewal_init(&manager->renewal, options);
    http_transport_set_tick(transport, tick, manager);
    *out = manager;
    return STATUS_OK;
}

void lease_manager_cancel_acquires(struct lease_manager *manager) {
    pthread_mutex_lock(&manager->lock);
    manager->acquires_cancelled = true;
    pthread_cond_broadcast(&manager->woken);
    pthread_mutex_unlock(&manager->lock);
}

void lease_manager_cancel_waits(struct lease_manager *manager) {
    pthread_mutex_lock(&manager->lock);
    manager->waits_cancelled = true;
    pthread_cond_broadcast(&manager->woken);
    pthread_mutex_unlock(&manager->lock);
}

static void give_up_all(struct lease_manager *manager) {
    int64_t now_ms = clock_now_ms(manager->clock);
    for (struct managed *managed = manager->held; managed != NULL; managed = managed->next) {
        lease_renewal_give_up(&manager->renewal, &managed->lease, now_ms);
    }
}

int lease_manager_close(struct lease_manager *manager, int64_t deadline_ms) {
    pthread_mutex_lock(&manager->lock);
    manager->acquires_cancelled = true;
    manager->closing = true;
    give_up_all(manager);
    pthread_cond_broadcast(&manager->woken);
    unlock_and_wake(manager);

    pthread_mutex_lock(&manager->lock);
    int64_t left_ms;
    while (manager->renewal.count > 0 && (left_ms = deadline_ms - clock_now_ms(manager->clock)) > 0) {
        nap(manager, &manager->settled, left_ms);
    }
    manager->closed = true;
    int unfinished = (int)manager->renewal.count;
    pthread_mutex_unlock(&manager->lock);
    http_transport_set_tick(manager->transport, NULL, NULL);
    return unfinished;
}

static bool anything_in_flight(const struct lease_manager *manager) {
    const struct managed *managed = manager->returning;
    while (managed != NULL && managed->lease.in_flight == 0) {
        managed = managed->next;
    }
    return managed != NULL;
}

void lease_manager_free(struct lease_manager *manager) {
    if (manager == NULL) {
        return;
    }
    pthread_mutex_lock(&manager->lock);
    assert(manager->closed && manager->held == NULL);
    while (anything_in_flight(manager)) {
        pthread_cond_wait(&manager->settled, &manager->lock);
    }
    pthread_mutex_unlock(&manager->lock);
    struct managed *next;
    for (struct managed *managed = manager->returning; managed != NULL; managed = next) {
        next = managed->next;
        free(managed);
    }
    lease_renewal_release(&manager->renewal);
    pthread_cond_destroy(&manager->settled);
    pthread_cond_destroy(&manager->woken);
    pthread_mutex_destroy(&manager->lock);
    free(manager);
}

/* --- acquire --- */

/* Makes what can fail for want of memory or randomness before storage is asked: a lease granted is never dropped. */
static enum status prepare(struct lease_manager *manager, const struct lease_request *request, struct managed **out,
                           struct error *err) {
    size_t length = strlen(request->name);
    assert(length >= 1 && length < LEASE_NAME_BYTES);
    struct managed *managed = calloc(1, sizeof *managed);
    if (managed == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for a lease");
    }
    managed->manager = manager;
    managed->listener = request->listener;
    managed->lease.duration_s = request->duration_s != 0 ? request->duration_s : manager->options->duration_s;
    memcpy(managed->lease.name, request->name, length);
    enum status status = uuid_v4(managed->lease.id);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&manager->lock);
        status = lease_renewal_reserve(&manager->renewal);
        pthread_mutex_unlock(&manager->lock);
    }
    if (status != STATUS_OK) {
        free(managed);
        return error_set(err, status, "%s", status_text(status));
    }
    *out = managed;
    return STATUS_OK;
}

/* False: cancelled. A `until_ms` that has passed asks just that. */
static bool pause_until(struct lease_manager *manager, int64_t until_ms) {
    int64_t left_ms;
    pthread_mutex_lock(&manager->lock);
    while (!manager->acquires_cancelled && (left_ms = until_ms - clock_now_ms(manager->clock)) > 0) {
        nap(manager, &manager->woken, left_ms);
    }
    bool cancelled = manager->acquires_cancelled;
    pthread_mutex_unlock(&manager->lock);
    return !cancelled;
}

/* 1.5 to 2 times as long, so that those who wait for the same lease spread out. Never 0, which would not grow. */
static int64_t longer_wait_ms(int64_t wait_ms, int64_t first_wait_ms) {
    uint16_t random = 0; /* without entropy there is less jitter, which hurts nobody */
    if (crypto_random(&random, sizeof random) != STATUS_OK) {
        random = 0;
    }
    wait_ms += wait_ms / 2 + wait_ms * random / (2 * INT64_C(0xffff)) + 1;
    return min_ms(wait_ms, max_ms(MAX_ACQUIRE_WAIT_MS, first_wait_ms));
}

/* What storage has granted, or may have. */
struct grant {
    bool possible;
    int64_t sent_ms; /* no earlier request than this one can have been granted last */
};

/* Does the status leave open whether storage has granted the lease? */
static bool may_be_granted(enum status status) {
    return status == STATUS_OK || status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED ||
           status == STATUS_INTERNAL;
}

/* One try. However late it is made, it has the time of one attempt: its answer decides whether the lease was had. */
static enum status ask(struct lease_manager *manager, const struct lease *lease, int64_t deadline_ms,
                       struct grant *grant, struct error *err) {
    struct lease_store *store = manager->store;
    deadline_ms = max_ms(deadline_ms, clock_now_ms(manager->clock) + STORAGE_ATTEMPT_TIMEOUT_MS);
    enum status status =
        store->ops->acquire(store, lease->name, lease->id, lease->duration_s, deadline_ms, &grant->sent_ms, err);
    grant->possible = may_be_granted(status);
    if (status != STATUS_OK) {
        grant->sent_ms = clock_now_ms(manager->clock);
    }
    return status;
}

static bool is_returning(const struct lease_manager *manager, const char *name) {
    const struct managed *managed = manager->returning;
    while (managed != NULL && (managed->lease.state != LEASE_RELEASING || strcmp(managed->lease.name, name) != 0)) {
        managed = managed->next;
    }
    return managed != NULL;
}

/* A lease of ours that is on its way back is not somebody else's: asking before it has arrived would only meet ourselves. */
static void let_own_return(struct lease_manager *manager, const char *name, int64_t until_ms) {
    int64_t left_ms;
    pthread_mutex_lock(&manager->lock);
    while (is_returning(manager, name) && !manager->acquires_cancelled &&
           (left_ms = until_ms - clock_now_ms(manager->clock)) > 0) {
        nap(manager, &manager->settled, left_ms);
    }
    pthread_mutex_unlock(&manager->lock);
}

/* The same id in every try: it is ours alone, and a try whose answer was lost is answered by the next. */
static enum status ask_until_had(struct lease_manager *manager, const struct lease *lease, int64_t patience_ms,
                                 struct grant *grant, struct error *err) {
    int64_t begun_ms = clock_now_ms(manager->clock);
    int64_t deadline_ms = max_ms(patience_ms, begun_ms + STORAGE_DEADLINE_MS);
    let_own_return(manager, lease->name, max_ms(patience_ms, begun_ms + LEASE_RELEASE_TIMEOUT_MS));
    int64_t wait_ms = manager->options->acquire_retry_ms;
    int64_t next_ms = begun_ms;
    for (;;) {
        if (!pause_until(manager, next_ms)) {
            return error_set(err, STATUS_CANCELLED, "no lease is acquired any more, the program is stopping");
        }
        enum status status = ask(manager, lease, deadline_ms, grant, err);
        int64_t now_ms = clock_now_ms(manager->clock);
        if (status != STATUS_LEASE_CONFLICT || now_ms >= patience_ms) {
            return status;
        }
        next_ms = min_ms(now_ms + wait_ms, patience_ms);
        wait_ms = longer_wait_ms(wait_ms, manager->options->acquire_retry_ms);
    }
}

/* Nothing was granted. */
static void discard(struct lease_manager *manager, struct managed *managed) {
    pthread_mutex_lock(&manager->lock);
    lease_renewal_unreserve(&manager->renewal);
    pthread_cond_broadcast(&manager->settled);
    pthread_mutex_unlock(&manager->lock);
    free(managed);
}

/* What stands against handing out a lease that storage has granted; with the lock held. */
static enum status check_granted(struct lease_manager *manager, const struct lease *lease, int64_t now_ms,
                                 struct error *err) {
    if (manager->closing) {
        return error_set(err, STATUS_CANCELLED, "the lease was granted while the program is stopping");
    }
    if (!lease_is_safe(lease, manager->options, now_ms)) {
        return error_set(err, STATUS_UNAVAILABLE, "the lease was granted too late to be relied on");
    }
    return STATUS_OK;
}

/* Takes in what was granted or may have been. What cannot be handed out is given back: nobody waits for its end. */
static enum status take_in(struct lease_manager *manager, struct managed *managed, int64_t sent_ms, enum status status,
                           struct error *err) {
    struct lease *lease = &managed->lease;
    pthread_mutex_lock(&manager->lock);
    int64_t now_ms = clock_now_ms(manager->clock);
    lease_renewal_start(&manager->renewal, lease, sent_ms);
    enlist(managed, &manager->held);
    if (status == STATUS_OK) {
        status = check_granted(manager, lease, now_ms, err);
    }
    if (status != STATUS_OK) {
        take_back(managed, now_ms);
    }
    unlock_and_wake(manager);
    return status;
}

/* Until when a held lease is waited for. */
static int64_t patience_end_ms(const struct lease_manager *manager, const struct lease_request *request) {
    int64_t now_ms = clock_now_ms(manager->clock);
    if (request->try_once) {
        return now_ms;
    }
    return request->wait_until_ms != 0 ? request->wait_until_ms : now_ms + manager->options->acquire_timeout_ms;
}

enum status lease_manager_acquire(struct lease_manager *manager, const struct lease_request *request,
                                  struct lease **out, struct error *err) {
    struct managed *managed = NULL;
    enum status status = prepare(manager, request, &managed, err);
    if (managed == NULL) {
        return status;
    }
    struct grant grant = {.possible = false};
    status = ask_until_had(manager, &managed->lease, patience_end_ms(manager, request), &grant, err);
    if (!grant.possible) {
        discard(manager, managed);
        return status;
    }
    status = take_in(manager, managed, grant.sent_ms, status, err);
    if (status == STATUS_OK) {
        *out = &managed->lease;
    }
    return status;
}

/* --- a lease in hand --- */

/* Where its owner is the first to notice the loss, nobody else will tell of it. */
static void tell_unnoticed_loss(struct managed *managed, int64_t now_ms) {
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    bool unnoticed = lease_renewal_notice_loss(&manager->renewal, &managed->lease, now_ms);
    pthread_mutex_unlock(&manager->lock);
    if (!unnoticed) {
        return;
    }
    announce_loss(managed);
    pthread_mutex_lock(&manager->lock);
    lease_renewal_told(&managed->lease);
    pthread_mutex_unlock(&manager->lock);
}

void lease_manager_release(struct lease_manager *manager, struct lease *lease) {
    if (lease == NULL) {
        return;
    }
    struct managed *managed = (struct managed *)lease;
    int64_t now_ms = clock_now_ms(manager->clock);
    tell_unnoticed_loss(managed, now_ms);
    pthread_mutex_lock(&manager->lock);
    take_back(managed, now_ms);
    unlock_and_wake(manager);
}

bool lease_manager_is_held(struct lease_manager *manager, const struct lease *lease) {
    pthread_mutex_lock(&manager->lock);
    bool held = lease_is_safe(lease, manager->options, clock_now_ms(manager->clock));
    pthread_mutex_unlock(&manager->lock);
    return held;
}

int64_t lease_manager_safe_until_ms(struct lease_manager *manager, const struct lease *lease) {
    pthread_mutex_lock(&manager->lock);
    bool held = lease_is_safe(lease, manager->options, clock_now_ms(manager->clock));
    int64_t until_ms = held ? lease_safety_ms(lease, manager->options) : 0;
    pthread_mutex_unlock(&manager->lock);
    return until_ms;
}

int lease_manager_renewal_count(struct lease_manager *manager, const struct lease *lease) {
    pthread_mutex_lock(&manager->lock);
    int count = lease->renewal_count;
    pthread_mutex_unlock(&manager->lock);
    return count;
}

const char *lease_id(const struct lease *lease) {
    return lease->id;
}

enum status lease_manager_wait(struct lease_manager *manager, const struct lease *lease, int64_t duration_ms,
                               struct error *err) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&manager->lock);
    int64_t until_ms = clock_now_ms(manager->clock) + duration_ms;
    for (;;) {
        int64_t now_ms = clock_now_ms(manager->clock);
        if (manager->waits_cancelled) {
            status = error_set(err, STATUS_CANCELLED, "the program is stopping");
        } else if (!lease_is_safe(lease, manager->options, now_ms)) {
            status = error_set(err, STATUS_LEASE_LOST, "lease %s was lost", lease->id);
        }
        if (status != STATUS_OK || now_ms >= until_ms) {
            break;
        }
        nap(manager, &manager->woken, min_ms(until_ms, lease_safety_ms(lease, manager->options)) - now_ms);
    }
    pthread_mutex_unlock(&manager->lock);
    return status;
}

/* With less than `needed_ms` left, and a renewal asked for: what stands against waiting for it? */
static enum status check_renewing(struct lease_manager *manager, const struct lease *lease, int renewals_before,
                                  struct error *err) {
    if (manager->waits_cancelled) {
        return error_set(err, STATUS_CANCELLED, "the program is stopping");
    }
    if (lease->renewal_count > renewals_before) {
        return error_set(err, STATUS_LEASE_LOST, "the renewal of lease %s took too long", lease->id);
    }
    if (!lease_renewal_is_coming(&manager->renewal, lease)) {
        return error_set(err, STATUS_LEASE_LOST, "lease %s runs out and could not be renewed", lease->id);
    }
    return STATUS_OK;
}

enum status lease_manager_ensure(struct lease_manager *manager, struct lease *lease, int64_t needed_ms,
                                 int64_t *out_safe_until_ms, struct error *err) {
    pthread_mutex_lock(&manager->lock);
    int renewals_before = lease->renewal_count;
    bool asked = false;
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        int64_t now_ms = clock_now_ms(manager->clock);
        int64_t left_ms = lease_safety_ms(lease, manager->options) - now_ms;
        if (!lease_is_safe(lease, manager->options, now_ms)) {
            status = error_set(err, STATUS_LEASE_LOST, "lease %s was lost", lease->id);
        } else if (left_ms >= needed_ms) {
            *out_safe_until_ms = now_ms + left_ms;
            break;
        } else if (!asked) {
            lease_renewal_hasten(&manager->renewal, lease, now_ms);
            unlock_and_wake(manager);
            pthread_mutex_lock(&manager->lock);
            asked = true;
        } else if ((status = check_renewing(manager, lease, renewals_before, err)) == STATUS_OK) {
            nap(manager, &manager->woken, left_ms);
        }
    }
    pthread_mutex_unlock(&manager->lock);
    return status;
}

enum status lease_manager_break(struct lease_manager *manager, const char *name, struct error *err) {
    struct lease_store *store = manager->store;
    return store->ops->break_lease(store, name, clock_now_ms(manager->clock) + STORAGE_DEADLINE_MS, err);
}

/* --- the I/O thread: answers, events, the tick. A loss that its owner notices first is told on the owner's. --- */

/* Infinite leases have no events, so the times are those of a clock. */
static struct lease_event describe(const struct managed *managed, int64_t now_ms) {
    const struct lease *lease = &managed->lease;
    int64_t wall_ms = clock_wall_ms(managed->manager->clock);
    return (struct lease_event){
        .lease_name = lease->name,
        .lease_id = lease->id,
        .time_ms = wall_ms,
        .expiry_ms = wall_ms + (lease_expiry_ms(lease) - now_ms),
        .renewal_count = lease->renewal_count,
        .last_renewal_ms = wall_ms + (lease->renewed_ms - now_ms),
    };
}

static void call(const struct lease_listener *listener, void (*told)(void *context, const struct lease_event *event),
                 const struct lease_event *event) {
    if (told != NULL) {
        told(listener->context, event);
    }
}

static void tell(struct managed *managed, enum lease_outcome outcome, const struct lease_event *event) {
    const struct lease_listener *listener = &managed->listener;
    switch (outcome) {
    case LEASE_OUTCOME_NONE:
        break;
    case LEASE_OUTCOME_RENEWED:
        call(listener, listener->renewed, event);
        break;
    case LEASE_OUTCOME_RETRY:
    case LEASE_OUTCOME_NO_RETRY:
        call(listener, listener->renewal_failed, event);
        break;
    case LEASE_OUTCOME_LOST:
        call(listener, listener->lost, event);
        break;
    }
}

/* Its owner has been told: ends the lease's time in flight; `managed` may be freed afterwards. */
static void settle_told(struct managed *managed) {
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    lease_renewal_told(&managed->lease);
    settle(managed);
    unlock_and_wake(manager);
}

static const char *reason_of(enum status status, const struct error *err) {
    if (status == STATUS_OK) {
        return "the answer to its renewal came after its safety threshold";
    }
    return err != NULL && err->message[0] != '\0' ? err->message : status_text(status);
}

static void renewal_answered(void *context, enum status status, const struct error *err) {
    struct managed *managed = context;
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    int64_t now_ms = clock_now_ms(manager->clock);
    int retry_after_ms = err != NULL ? err->retry_after_ms : 0;
    enum lease_outcome outcome =
        lease_renewal_settle_renew(&manager->renewal, &managed->lease, status, retry_after_ms, now_ms);
    if (outcome == LEASE_OUTCOME_NONE) {
        settle(managed);
        unlock_and_wake(manager);
        return;
    }
    struct lease_event event = describe(managed, now_ms);
    event.attempt = managed->lease.attempts;
    event.will_retry = outcome == LEASE_OUTCOME_RETRY;
    event.reason = reason_of(status, err);
    pthread_cond_broadcast(&manager->woken);
    pthread_mutex_unlock(&manager->lock);
    tell(managed, outcome, &event);
    settle_told(managed);
}

static void announce_loss(struct managed *managed) {
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    struct lease_event event = describe(managed, clock_now_ms(manager->clock));
    event.reason = "it was not renewed before its safety threshold";
    pthread_cond_broadcast(&manager->woken);
    pthread_mutex_unlock(&manager->lock);
    tell(managed, LEASE_OUTCOME_LOST, &event);
}

static void release_answered(void *context, enum status status, const struct error *err) {
    struct managed *managed = context;
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    struct lease lease = managed->lease;
    int64_t now_ms = clock_now_ms(manager->clock);
    int retry_after_ms = err != NULL ? err->retry_after_ms : 0;
    bool given_up = !lease_renewal_settle_release(&manager->renewal, &managed->lease, status, retry_after_ms, now_ms);
    settle(managed);
    unlock_and_wake(manager);
    if (given_up) {
        log_event(LOG_WARNING, "Lease %s of %s could not be given back and has to expire: %s", lease.id, lease.name,
                  reason_of(status, err));
    }
}

/* Does what the engine wants done now. A request that cannot even be submitted is answered here. */
static void perform(struct lease_manager *manager, const struct lease_action *action) {
    struct lease_store *store = manager->store;
    struct lease *lease = action->lease;
    struct managed *managed = (struct managed *)lease;
    enum status status;
    switch (action->kind) {
    case LEASE_ACTION_NONE:
        break;
    case LEASE_ACTION_RENEW:
        status = store->ops->renew(store, lease->name, lease->id, action->timeout_ms, renewal_answered, managed);
        if (status != STATUS_OK) {
            renewal_answered(managed, status, NULL);
        }
        break;
    case LEASE_ACTION_RELEASE:
        status = store->ops->release(store, lease->name, lease->id, action->timeout_ms, release_answered, managed);
        if (status != STATUS_OK) {
            release_answered(managed, status, NULL);
        }
        break;
    case LEASE_ACTION_TELL_LOST:
        announce_loss(managed);
        settle_told(managed);
        break;
    }
}

/* The clock is read anew for each action: what is sent later in one tick is dated by its own time. */
static int64_t tick(void *context, int64_t now_ms) {
    struct lease_manager *manager = context;
    for (;;) {
        pthread_mutex_lock(&manager->lock);
        struct lease_action action = lease_renewal_due(&manager->renewal, now_ms);
        int64_t next_ms = lease_renewal_next_ms(&manager->renewal);
        pthread_mutex_unlock(&manager->lock);
        if (action.kind == LEASE_ACTION_NONE) {
            return next_ms;
        }
        perform(manager, &action);
        now_ms = clock_now_ms(manager->clock);
    }
}
