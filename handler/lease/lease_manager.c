#include "lease/lease_manager.h"

#include <assert.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "lease/lease_manager_internal.h"

/* ---- what all files use ---- */

/* The hash is FNV-1a. */
struct lease_bucket *lease_manager_bucket(struct lease_manager *manager, const char *name) {
    uint32_t hash = 2166136261U;
    for (const char *c = name; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    }
    return &manager->buckets[hash % LEASE_NAME_BUCKETS];
}

void lease_manager_arm(struct lease_manager *manager) {
    int64_t next_ms = manager->is_closed ? INT64_MAX : lease_renewal_next_ms(&manager->renewal);
    if (next_ms == INT64_MAX) {
        event_loop_stop_timer(manager->platform->loop, &manager->timer);
    } else if (!manager->timer.entry.is_set || manager->timer.entry.due_ms != next_ms) {
        event_loop_set_timer(manager->platform->loop, &manager->timer, next_ms);
    }
}

void lease_manager_end_close_if_done(struct lease_manager *manager) {
    if (manager->close_done != NULL && manager->renewal.count == 0) {
        event_loop_set_timer(manager->platform->loop, &manager->close_timer,
                             clock_now_ms(manager->platform->clock));
    }
}

void lease_manager_free_if_done(struct managed_lease *managed) {
    struct lease_manager *manager = managed->manager;
    if (managed->is_released && managed->lease.state == LEASE_ENDED) {
        lease_manager_wake_waiting(manager, managed->lease.name);
    }
    if (managed->is_released && lease_is_finished(&managed->lease) &&
        LIST_EMPTY(&managed->watches)) {
        LIST_REMOVE(managed, link);
        free(managed);
    }
    lease_manager_end_close_if_done(manager);
}

void lease_manager_start_release(struct managed_lease *managed) {
    struct lease_manager *manager = managed->manager;
    managed->is_released = true;
    LIST_REMOVE(managed, link);
    LIST_INSERT_HEAD(&lease_manager_bucket(manager, managed->lease.name)->releasing, managed, link);
    lease_renewal_release(&manager->renewal, &managed->lease,
                          clock_now_ms(manager->platform->clock));
    lease_manager_wake_watches(managed);
    lease_manager_free_if_done(managed);
    lease_manager_arm(manager);
}

/* ---- stopping ---- */

static void on_cancel_acquires(void *context) {
    lease_manager_end_acquires(context, false);
}

static void on_cancel_waits(void *context) {
    struct lease_manager *manager = context;
    struct managed_lease *managed;
    lease_manager_end_acquires(manager, true);
    lease_manager_end_breaks(manager);
    LIST_FOREACH(managed, &manager->held, link) {
        lease_manager_wake_watches(managed);
    }
}

void lease_manager_cancel_acquires(struct lease_manager *manager) {
    if (!atomic_exchange(&manager->are_acquires_cancelled, true)) {
        event_loop_post(manager->platform->loop, &manager->cancel_acquires);
    }
}

void lease_manager_cancel_waits(struct lease_manager *manager) {
    if (!atomic_exchange(&manager->are_waits_cancelled, true)) {
        event_loop_post(manager->platform->loop, &manager->cancel_waits);
    }
}

static void release_all(struct lease_manager *manager) {
    struct managed_lease *managed;
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    LIST_FOREACH(managed, &manager->held, link) {
        atomic_store(&managed->safe_until_ms, 0);
        lease_renewal_release(&manager->renewal, &managed->lease, now_ms);
        lease_manager_wake_watches(managed);
    }
    lease_manager_arm(manager);
}

void lease_manager_close_start(struct lease_manager *manager, int64_t deadline_ms,
                               lease_close_done done, void *context) {
    assert(manager->close_done == NULL);
    manager->close_done = done;
    manager->close_context = context;
    manager->is_closing = true;
    atomic_store(&manager->are_acquires_cancelled, true);
    lease_manager_end_acquires(manager, false);
    event_loop_set_timer(manager->platform->loop, &manager->close_timer, deadline_ms);
    lease_manager_run_due(manager); /* notifies the losses that nobody has noticed yet */
    release_all(manager);
    lease_manager_end_close_if_done(manager);
}

static void on_close_timer(void *context) {
    struct lease_manager *manager = context;
    lease_close_done done = manager->close_done;
    manager->close_done = NULL;
    manager->is_closed = true;
    lease_manager_arm(manager);
    int unreleased = (int)manager->renewal.count + manager->infinite_count;
    manager->infinite_count = 0;
    done(manager->close_context, unreleased);
}

/* ---- a probe ---- */

#define PROBE_LEASE_NAME "health" /* no lease has it */

static void on_probed(void *context, enum status status, const struct error *err) {
    struct lease_probe *probe = context;
    bool is_answer =
        status == STATUS_LEASE_LOST || status == STATUS_NOT_FOUND ||
        status == STATUS_PRECONDITION_FAILED ||
        (status == STATUS_CONTAINER_NOT_FOUND && probe->manager->options->create_container);
    probe->done(probe->context, is_answer ? STATUS_OK : status, err);
}

void lease_probe_start(struct lease_probe *probe, struct lease_manager *manager, int64_t timeout_ms,
                       lease_probe_done done, void *context) {
    char id[UUID_TEXT_BYTES];
    struct error err;
    *probe = (struct lease_probe){.manager = manager, .done = done, .context = context};
    probe->call = (struct lease_store_call){.done = on_probed, .context = probe};
    enum status status = manager->is_closed ? STATUS_CANCELLED : STATUS_OK;
    if (status == STATUS_OK) {
        status = uuid_v4(manager->platform->random, id);
    }
    if (status == STATUS_OK) {
        status = manager->store->ops->renew(manager->store, &probe->call, PROBE_LEASE_NAME, id,
                                            timeout_ms);
    }
    if (status != STATUS_OK) {
        error_set(&err, status, "asking for a lease that nobody has");
        done(context, status, &err);
    }
}

/* ---- life cycle ---- */

enum status lease_manager_new(struct lease_manager **out, const struct leasehold_options *options,
                              struct lease_store *store, const struct platform *platform,
                              struct error *err) {
    struct lease_manager *manager = calloc(1, sizeof *manager);
    if (manager == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the lease manager");
    }
    manager->options = options;
    manager->store = store;
    manager->platform = platform;
    manager->timer = (struct loop_timer){.fired = lease_manager_run_due, .context = manager};
    manager->close_timer = (struct loop_timer){.fired = on_close_timer, .context = manager};
    manager->cancel_acquires = (struct loop_task){.run = on_cancel_acquires, .context = manager};
    manager->cancel_waits = (struct loop_task){.run = on_cancel_waits, .context = manager};
    lease_renewal_init(&manager->renewal, options);
    *out = manager;
    return STATUS_OK;
}

void lease_manager_free(struct lease_manager *manager) {
    if (manager == NULL) {
        return;
    }
    assert(LIST_EMPTY(&manager->held) && LIST_EMPTY(&manager->acquires) &&
           LIST_EMPTY(&manager->breaks));
    struct managed_lease *managed;
    for (int i = 0; i < LEASE_NAME_BUCKETS; i++) {
        while ((managed = LIST_FIRST(&manager->buckets[i].releasing)) != NULL) {
            LIST_REMOVE(managed, link);
            free(managed);
        }
    }
    while ((managed = LIST_FIRST(&manager->asked)) != NULL) {
        LIST_REMOVE(managed, link);
        free(managed);
    }
    free(manager);
}

/* ---- a lease in hand ---- */

static struct managed_lease *managed_of(const struct lease *lease) {
    return (struct managed_lease *)(uintptr_t)lease;
}

/* A loss that the loop has not noticed yet is notified here, since the loop no longer will. */
void lease_manager_release(struct lease_manager *manager, struct lease *lease) {
    if (lease == NULL) {
        return;
    }
    struct managed_lease *managed = managed_of(lease);
    int64_t now_ms = clock_now_ms(manager->platform->clock);
    int64_t safe_until_ms = atomic_exchange(&managed->safe_until_ms, 0);
    if (safe_until_ms != 0 && now_ms >= safe_until_ms) {
        lease_manager_notify_loss(managed, safe_until_ms);
    }
    if (event_loop_is_current(manager->platform->loop)) {
        lease_manager_start_release(managed);
    } else {
        event_loop_post(manager->platform->loop, &managed->release);
    }
}

bool lease_manager_is_held(struct lease_manager *manager, const struct lease *lease) {
    return lease_manager_safe_until_ms(manager, lease) != 0;
}

int64_t lease_manager_safe_until_ms(struct lease_manager *manager, const struct lease *lease) {
    int64_t safe_until_ms = atomic_load(&managed_of(lease)->safe_until_ms);
    return clock_now_ms(manager->platform->clock) < safe_until_ms ? safe_until_ms : 0;
}

int lease_manager_renewal_count(struct lease_manager *manager, const struct lease *lease) {
    (void)manager;
    return atomic_load(&managed_of(lease)->renewal_count);
}

const char *lease_id(const struct lease *lease) {
    return lease->id;
}
