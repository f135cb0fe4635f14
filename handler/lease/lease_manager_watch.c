/*
 * lease_manager_watch.c - waiting with a lease in hand: until a time has passed, or for a renewal.
 *
 * A watch checks its lease when its timer fires: right after start, at the end of its time, and
 * after each change of the lease. Every change of a held lease wakes its watches, including its
 * loss at the safe deadline.
 */
#include <assert.h>

#include "lease/lease_manager.h"
#include "lease/lease_manager_internal.h"

static void watch_set_timer(struct lease_watch *watch, int64_t due_ms) {
    event_loop_set_timer(watch->managed->manager->platform->loop, &watch->timer, due_ms);
}

static void watch_check_soon(struct lease_watch *watch) {
    watch_set_timer(watch, clock_now_ms(watch->managed->manager->platform->clock));
}

void lease_manager_wake_watches(struct managed_lease *managed) {
    struct lease_watch *watch;
    LIST_FOREACH(watch, &managed->watches, link) {
        watch_check_soon(watch);
    }
}

/* `check` is called with the operation that begins with the watch. */
static void watch_start(struct lease_watch *watch, struct lease *lease,
                        void (*check)(void *context)) {
    struct managed_lease *managed = (struct managed_lease *)lease;
    assert(watch->managed == NULL);
    watch->managed = managed;
    watch->timer = (struct loop_timer){.fired = check, .context = watch};
    LIST_INSERT_HEAD(&managed->watches, watch, link);
    watch_check_soon(watch);
}

/* May free the lease. */
static void watch_end(struct lease_watch *watch) {
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

/* ---- until a time has passed ---- */

static void pause_end(struct lease_pause *pause, enum status status, const struct error *err) {
    watch_end(&pause->watch);
    pause->done(pause->context, status, err);
}

static void pause_check(void *context) {
    struct lease_pause *pause = context;
    const struct managed_lease *managed = pause->watch.managed;
    const struct lease_manager *manager = managed->manager;
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    struct error err = {.status = STATUS_OK};
    if (atomic_load(&manager->are_waits_cancelled)) {
        fail_stopping(&err);
    } else if (!lease_is_safe(&managed->lease, manager->options, now_ms)) {
        fail_lost(&managed->lease, &err);
    } else if (now_ms < pause->until_ms) {
        watch_set_timer(&pause->watch, pause->until_ms);
        return;
    }
    pause_end(pause, err.status, &err);
}

void lease_pause_start(struct lease_pause *pause, struct lease_manager *manager,
                       struct lease *lease, int64_t duration_ms, lease_pause_done done,
                       void *context) {
    pause->until_ms = clock_now_ms(manager->platform->clock) + duration_ms;
    pause->done = done;
    pause->context = context;
    watch_start(&pause->watch, lease, pause_check);
}

void lease_pause_abandon(struct lease_pause *pause) {
    watch_end(&pause->watch);
}

/* ---- for a renewal ---- */

static void extend_end(struct lease_extend *extend, enum status status, int64_t safe_until_ms,
                       const struct error *err) {
    watch_end(&extend->watch);
    extend->done(extend->context, status, safe_until_ms, err);
}

/*
 * Fails if waiting for the requested renewal is pointless: the lease was renewed and still has too
 * little time left, or no further attempt is made before the safe deadline.
 */
static enum status check_renewal_is_coming(const struct lease_extend *extend, struct error *err) {
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
        return error_set(err, STATUS_LEASE_LOST,
                         "lease %s is about to expire and could not be renewed", lease->id);
    }
    return STATUS_OK;
}

/* Requests a renewal at most once, and then waits for it as long as it may still come. */
static void extend_check(void *context) {
    struct lease_extend *extend = context;
    struct managed_lease *managed = extend->watch.managed;
    struct lease_manager *manager = managed->manager;
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    int64_t safe_until_ms = lease_safe_until_ms(&managed->lease, manager->options);
    struct error err = {.status = STATUS_OK};
    if (!lease_is_safe(&managed->lease, manager->options, now_ms)) {
        fail_lost(&managed->lease, &err);
    } else if (safe_until_ms - now_ms < extend->needed_ms) {
        if (!extend->is_renewal_requested) {
            extend->is_renewal_requested = true;
            lease_renewal_renew_now(&manager->renewal, &managed->lease, now_ms);
            lease_manager_arm(manager);
        }
        if (check_renewal_is_coming(extend, &err) == STATUS_OK) {
            return;
        }
    }
    extend_end(extend, err.status, safe_until_ms, &err);
}

void lease_extend_start(struct lease_extend *extend, struct lease_manager *manager,
                        struct lease *lease, int64_t needed_ms, lease_extend_done done,
                        void *context) {
    (void)manager;
    extend->needed_ms = needed_ms;
    extend->renewals_before = lease->renewal_count;
    extend->is_renewal_requested = false;
    extend->done = done;
    extend->context = context;
    watch_start(&extend->watch, lease, extend_check);
}

void lease_extend_abandon(struct lease_extend *extend) {
    watch_end(&extend->watch);
}
