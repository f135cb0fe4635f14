/* lease_manager_tick.c - what the I/O thread does: sends what is due, takes in the answers, tells the owners. */
#include <pthread.h>

#include "base/log.h"
#include "lease/lease_manager.h"
#include "lease/lease_manager_parts.h"

/* Infinite leases have no events, so the times are those of a clock. */
static struct lease_event describe(const struct managed_lease *managed, int64_t now_ms) {
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

static void tell(struct managed_lease *managed, enum lease_outcome outcome, const struct lease_event *event) {
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
static void settle_told(struct managed_lease *managed) {
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    lease_renewal_told(&managed->lease);
    lease_manager_settle(managed);
    lease_manager_unlock_and_wake(manager);
}

static const char *reason_of(enum status status, const struct error *err) {
    if (status == STATUS_OK) {
        return "the answer to its renewal came after its safety threshold";
    }
    return err != NULL && err->message[0] != '\0' ? err->message : status_text(status);
}

static void renewal_answered(void *context, enum status status, const struct error *err) {
    struct managed_lease *managed = context;
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    int64_t now_ms = clock_now_ms(manager->clock);
    int retry_after_ms = err != NULL ? err->retry_after_ms : 0;
    enum lease_outcome outcome =
        lease_renewal_settle_renew(&manager->renewal, &managed->lease, status, retry_after_ms, now_ms);
    if (outcome == LEASE_OUTCOME_NONE) {
        lease_manager_settle(managed);
        lease_manager_unlock_and_wake(manager);
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

void lease_manager_tell_loss(struct managed_lease *managed) {
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    struct lease_event event = describe(managed, clock_now_ms(manager->clock));
    event.reason = "it was not renewed before its safety threshold";
    pthread_cond_broadcast(&manager->woken);
    pthread_mutex_unlock(&manager->lock);
    tell(managed, LEASE_OUTCOME_LOST, &event);
}

static void release_answered(void *context, enum status status, const struct error *err) {
    struct managed_lease *managed = context;
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    struct lease lease = managed->lease;
    int64_t now_ms = clock_now_ms(manager->clock);
    int retry_after_ms = err != NULL ? err->retry_after_ms : 0;
    bool given_up = !lease_renewal_settle_release(&manager->renewal, &managed->lease, status, retry_after_ms, now_ms);
    lease_manager_settle(managed);
    lease_manager_unlock_and_wake(manager);
    if (given_up) {
        log_event(LOG_WARNING, "Lease %s of %s could not be given back and has to expire: %s", lease.id, lease.name,
                  reason_of(status, err));
    }
}

/* Does what the engine wants done now. A request that cannot even be submitted is answered here. */
static void perform(struct lease_manager *manager, const struct lease_action *action) {
    struct lease_store *store = manager->store;
    struct lease *lease = action->lease;
    struct managed_lease *managed = (struct managed_lease *)lease;
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
        lease_manager_tell_loss(managed);
        settle_told(managed);
        break;
    }
}

/* The clock is read anew for each action: what is sent later in one tick is dated by its own time. */
int64_t lease_manager_tick(void *context, int64_t now_ms) {
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
