/*
 * lease_manager_watch.c - waiting with a lease in hand: for a time to go by, or for a renewal.
 *
 * A watch looks at its lease when its timer fires: at first, when it has time to, and whenever
 * something has become of the lease. All that can happen to a lease in hand wakes its watches, its
 * loss at the safety threshold, too.
 */
#include <assert.h>

#include "lease/lease_manager.h"
#include "lease/lease_manager_internal.h"

static void set_timer(struct lease_watch *watch, int64_t due_ms) {
    event_loop_set_timer(watch->managed->manager->platform->loop, &watch->timer, due_ms);
}

static void look_soon(struct lease_watch *watch) {
    set_timer(watch, clock_now_ms(watch->managed->manager->platform->clock));
}

void lease_manager_wake_watches(struct managed_lease *managed) {
    struct lease_watch *watch;
    LIST_FOREACH(watch, &managed->watches, link) {
        look_soon(watch);
    }
}

/* `look` is called with the operation that begins with the watch. */
static void start_watch(struct lease_watch *watch, struct lease *lease,
                        void (*look)(void *context)) {
    struct managed_lease *managed = (struct managed_lease *)lease;
    assert(watch->managed == NULL);
    watch->managed = managed;
    watch->timer = (struct loop_timer){.fired = look, .context = watch};
    LIST_INSERT_HEAD(&managed->watches, watch, link);
    look_soon(watch);
}

/* The lease may be freed now. */
static void end_watch(struct lease_watch *watch) {
    struct managed_lease *managed = watch->managed;
    if (managed == NULL) {
        return;
    }
    watch->managed = NULL;
    event_loop_stop_timer(managed->manager->platform->loop, &watch->timer);
    LIST_REMOVE(watch, link);
    lease_manager_free_if_done(managed);
}

static enum status fail_lost(const struct lease *lease, struct error *err) {
    return error_set(err, STATUS_LEASE_LOST, "lease %s was lost", lease->id);
}

static enum status fail_stopping(struct error *err) {
    return error_set(err, STATUS_CANCELLED, "the program is stopping");
}

/* --- a time to go by --- */

static void end_hold(struct lease_hold *hold, enum status status, const struct error *err) {
    end_watch(&hold->watch);
    hold->done(hold->context, status, err);
}

static void look_at_hold(void *context) {
    struct lease_hold *hold = context;
    const struct managed_lease *managed = hold->watch.managed;
    const struct lease_manager *manager = managed->manager;
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    struct error err = {.status = STATUS_OK};
    if (atomic_load(&manager->are_waits_cancelled)) {
        fail_stopping(&err);
    } else if (!lease_is_safe(&managed->lease, manager->options, now_ms)) {
        fail_lost(&managed->lease, &err);
    } else if (now_ms < hold->until_ms) {
        set_timer(&hold->watch, hold->until_ms);
        return;
    }
    end_hold(hold, err.status, &err);
}

void lease_hold_start(struct lease_hold *hold, struct lease_manager *manager, struct lease *lease,
                      int64_t duration_ms, lease_hold_done done, void *context) {
    hold->until_ms = clock_now_ms(manager->platform->clock) + duration_ms;
    hold->done = done;
    hold->context = context;
    start_watch(&hold->watch, lease, look_at_hold);
}

void lease_hold_abandon(struct lease_hold *hold) {
    end_watch(&hold->watch);
}

/* --- a renewal --- */

static void end_extend(struct lease_extend *extend, enum status status, int64_t safe_until_ms,
                       const struct error *err) {
    end_watch(&extend->watch);
    extend->done(extend->context, status, safe_until_ms, err);
}

/* Fails if waiting for the renewal that was asked for is pointless. */
static enum status check_renewing(const struct lease_extend *extend, struct error *err) {
    const struct managed_lease *managed = extend->watch.managed;
    const struct lease *lease = &managed->lease;
    if (atomic_load(&managed->manager->are_waits_cancelled)) {
        return fail_stopping(err);
    }
    if (lease->renewal_count > extend->renewals_before) {
        return error_set(err, STATUS_LEASE_LOST, "the renewal of lease %s took too long",
                         lease->id);
    }
    if (!lease_renewal_is_coming(&managed->manager->renewal, lease)) {
        return error_set(err, STATUS_LEASE_LOST, "lease %s runs out and could not be renewed",
                         lease->id);
    }
    return STATUS_OK;
}

static void look_at_extend(void *context) {
    struct lease_extend *extend = context;
    struct managed_lease *managed = extend->watch.managed;
    struct lease_manager *manager = managed->manager;
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    int64_t safe_until_ms = lease_safe_until_ms(&managed->lease, manager->options);
    struct error err = {.status = STATUS_OK};
    if (!lease_is_safe(&managed->lease, manager->options, now_ms)) {
        fail_lost(&managed->lease, &err);
    } else if (safe_until_ms - now_ms < extend->needed_ms) {
        if (!extend->is_renewal_due) {
            extend->is_renewal_due = true;
            lease_renewal_renew_now(&manager->renewal, &managed->lease, now_ms);
            lease_manager_arm(manager);
        }
        if (check_renewing(extend, &err) == STATUS_OK) {
            return;
        }
    }
    end_extend(extend, err.status, safe_until_ms, &err);
}

void lease_extend_start(struct lease_extend *extend, struct lease_manager *manager,
                        struct lease *lease, int64_t needed_ms, lease_extend_done done,
                        void *context) {
    (void)manager;
    extend->needed_ms = needed_ms;
    extend->renewals_before = lease->renewal_count;
    extend->is_renewal_due = false;
    extend->done = done;
    extend->context = context;
    start_watch(&extend->watch, lease, look_at_extend);
}

void lease_extend_abandon(struct lease_extend *extend) {
    end_watch(&extend->watch);
}
