/*
 * lease_manager_renew.c - what the loop does for leases: sends what is due, handles storage's
 * replies, and notifies the owners.
 */
#include "base/log.h"
#include "lease/lease_manager.h"
#include "lease/lease_manager_internal.h"
#include "lease/lease_options.h"

/* ---- notifying owners ---- */

/*
 * Computes wall-clock times from the clock, on any thread. A lease without an end has no events, so
 * its duration is never used here.
 */
static struct leasehold_event describe_event(const struct managed_lease *managed,
                                             int64_t renewed_ms) {
    const struct lease *lease = &managed->lease;
    const struct clock *clock = managed->manager->platform->clock;
    int64_t wall_ms = clock_wall_ms(clock);
    int64_t last_renewal_ms = wall_ms + (renewed_ms - clock_now_ms(clock));
    return (struct leasehold_event){
        .lease_name = lease->name,
        .lease_id = lease->id,
        .time_ms = wall_ms,
        .expires_ms = last_renewal_ms + (int64_t)lease->duration_s * 1000,
        .renewal_count = atomic_load(&managed->renewal_count),
        .last_renewal_ms = last_renewal_ms,
    };
}

static void notify_owner(const struct managed_lease *managed, enum lease_outcome outcome,
                         const struct leasehold_event *event) {
    const struct leasehold_listener *listener = &managed->listener;
    void (*function)(void *context, const struct leasehold_event *event) = NULL;
    switch (outcome) {
    case LEASE_OUTCOME_NONE:
        break;
    case LEASE_OUTCOME_RENEWED:
        function = listener->renewed;
        break;
    case LEASE_OUTCOME_RETRY:
    case LEASE_OUTCOME_NO_RETRY:
        function = listener->renewal_failed;
        break;
    case LEASE_OUTCOME_LOST:
        function = listener->lost;
        break;
    }
    if (function != NULL) {
        function(listener->context, event);
    }
}

void lease_manager_notify_loss(struct managed_lease *managed, int64_t safe_until_ms) {
    int64_t safe_for_ms =
        lease_options_safe_for_ms(managed->manager->options, managed->lease.duration_s);
    struct leasehold_event event = describe_event(managed, safe_until_ms - safe_for_ms);
    event.reason = "it was not renewed before its safe deadline";
    notify_owner(managed, LEASE_OUTCOME_LOST, &event);
}

/* The owner has been notified, so the lease is not in flight any more. May free it. */
static void end_notification(struct managed_lease *managed) {
    struct lease_manager *manager = managed->manager;
    lease_renewal_notified(&managed->lease);
    lease_manager_wake_watches(managed);
    lease_manager_free_if_done(managed);
    lease_manager_arm(manager);
}

/* ---- renewals ---- */

/*
 * Publishes the new safe deadline, or the loss, to the threads that query the lease. Returns false
 * if the owner has released the lease meanwhile, or its loss has been notified: then no event
 * follows.
 */
static bool publish_outcome(struct managed_lease *managed, enum lease_outcome outcome) {
    switch (outcome) {
    case LEASE_OUTCOME_NONE:
        return false;
    case LEASE_OUTCOME_RENEWED: {
        int64_t before_ms = managed->published_ms;
        managed->published_ms = lease_safe_until_ms(&managed->lease, managed->manager->options);
        atomic_store(&managed->renewal_count, managed->lease.renewal_count);
        return atomic_compare_exchange_strong(&managed->safe_until_ms, &before_ms,
                                              managed->published_ms);
    }
    case LEASE_OUTCOME_RETRY:
    case LEASE_OUTCOME_NO_RETRY:
        return atomic_load(&managed->safe_until_ms) != 0;
    case LEASE_OUTCOME_LOST:
        break;
    }
    return atomic_exchange(&managed->safe_until_ms, 0) != 0;
}

static const char *failure_reason(enum status status, const struct error *err) {
    if (status == STATUS_OK) {
        return "the reply to its renewal came after its safe deadline";
    }
    return err->message[0] != '\0' ? err->message : status_text(status);
}

static void on_renew_reply(void *context, enum status status, const struct error *err) {
    struct managed_lease *managed = context;
    struct lease_manager *manager = managed->manager;
    int retry_after_ms = status != STATUS_OK ? err->retry_after_ms : 0;
    enum lease_outcome outcome =
        lease_renewal_on_renew_reply(&manager->renewal, &managed->lease, status, retry_after_ms,
                                     clock_now_ms(manager->platform->clock));
    if (outcome == LEASE_OUTCOME_NONE) {
        lease_manager_free_if_done(managed);
        lease_manager_arm(manager);
        return;
    }
    if (publish_outcome(managed, outcome)) {
        struct leasehold_event event = describe_event(managed, managed->lease.renewed_ms);
        event.attempt = managed->lease.attempts;
        event.will_retry = outcome == LEASE_OUTCOME_RETRY;
        event.reason = outcome == LEASE_OUTCOME_RENEWED ? NULL : failure_reason(status, err);
        notify_owner(managed, outcome, &event);
    }
    end_notification(managed);
}

/* ---- releases ---- */

/* A lease without an end stays held at storage, so close counts it (lease_close_done). */
static void note_unreleased(const struct managed_lease *managed, const char *reason) {
    bool is_infinite = managed->lease.duration_s == LEASEHOLD_INFINITE;
    managed->manager->infinite_count += is_infinite;
    log_event(LOG_WARNING, "Lease %s of %s could not be released and has to %s: %s",
              managed->lease.id, managed->lease.name, is_infinite ? "be broken" : "expire", reason);
}

static void on_release_reply(void *context, enum status status, const struct error *err) {
    struct managed_lease *managed = context;
    struct lease_manager *manager = managed->manager;
    int retry_after_ms = status != STATUS_OK ? err->retry_after_ms : 0;
    if (!lease_renewal_on_release_reply(&manager->renewal, &managed->lease, status, retry_after_ms,
                                        clock_now_ms(manager->platform->clock))) {
        note_unreleased(managed, failure_reason(status, err));
    }
    lease_manager_free_if_done(managed);
    lease_manager_arm(manager);
}

/* ---- what is due ---- */

/* A request that cannot be started is answered here as if storage had failed. */
static void send_renewal(struct managed_lease *managed, int64_t timeout_ms) {
    struct lease_store *store = managed->manager->store;
    managed->call.done = on_renew_reply;
    managed->call.context = managed;
    enum status status = store->ops->renew(store, &managed->call, managed->lease.name,
                                           managed->lease.id, timeout_ms);
    if (status != STATUS_OK) {
        on_renew_reply(managed, status, &(struct error){.status = status});
    }
}

static void send_release(struct managed_lease *managed, int64_t timeout_ms) {
    struct lease_store *store = managed->manager->store;
    managed->release_call.done = on_release_reply;
    managed->release_call.context = managed;
    enum status status = store->ops->release(store, &managed->release_call, managed->lease.name,
                                             managed->lease.id, timeout_ms);
    if (status != STATUS_OK) {
        on_release_reply(managed, status, &(struct error){.status = status});
    }
}

static void perform_action(const struct lease_action *action) {
    struct managed_lease *managed = (struct managed_lease *)action->lease;
    switch (action->kind) {
    case LEASE_ACTION_NONE:
        break;
    case LEASE_ACTION_RENEW:
        send_renewal(managed, action->timeout_ms);
        break;
    case LEASE_ACTION_RELEASE:
        send_release(managed, action->timeout_ms);
        break;
    case LEASE_ACTION_NOTIFY_LOSS: {
        int64_t safe_until_ms = atomic_exchange(&managed->safe_until_ms, 0);
        if (safe_until_ms != 0) {
            lease_manager_notify_loss(managed, safe_until_ms);
        }
        end_notification(managed);
        break;
    }
    }
}

/*
 * Reads the clock for each action, so that a request sent late in a long round is dated by its own
 * time.
 */
void lease_manager_run_due(void *context) {
    struct lease_manager *manager = context;
    while (!manager->is_closed) {
        struct lease_action action =
            lease_renewal_due(&manager->renewal, clock_now_ms(manager->platform->clock));
        if (action.kind == LEASE_ACTION_NONE) {
            break;
        }
        perform_action(&action);
    }
    lease_manager_arm(manager);
}
