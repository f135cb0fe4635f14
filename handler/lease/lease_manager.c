#include "lease/lease_manager.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/condition.h"
#include "lease/lease_manager_parts.h"
#include "storage/storage_request.h"

/* A condition's clock stands still while the machine is suspended, ours does not: a nap ends to look at ours. */
enum { MAX_NAP_MS = 250 };

/* --- what all parts use, with the lock held --- */

void lease_manager_nap(struct lease_manager *manager, pthread_cond_t *condition, int64_t nap_ms) {
    struct timespec until = condition_deadline(clock_min_ms(nap_ms, MAX_NAP_MS));
    (void)condition_wait_until(condition, &manager->lock, &until);
}

void lease_manager_unlock_and_wake(struct lease_manager *manager) {
    struct http_transport *transport = manager->closed ? NULL : manager->transport;
    int64_t next_ms = lease_renewal_next_ms(&manager->renewal);
    pthread_mutex_unlock(&manager->lock);
    if (transport != NULL && next_ms != INT64_MAX) {
        http_transport_wake_at(transport, next_ms);
    }
}

void lease_manager_enlist(struct managed_lease *managed, struct managed_lease **list) {
    managed->next = *list;
    managed->back = list;
    if (managed->next != NULL) {
        managed->next->back = &managed->next;
    }
    *list = managed;
}

static void unlist(struct managed_lease *managed) {
    *managed->back = managed->next;
    if (managed->next != NULL) {
        managed->next->back = managed->back;
    }
}

void lease_manager_settle(struct managed_lease *managed) {
    pthread_cond_broadcast(&managed->manager->settled);
    if (managed->released && lease_is_finished(&managed->lease)) {
        unlist(managed);
        free(managed);
    }
}

void lease_manager_take_back(struct managed_lease *managed, int64_t now_ms) {
    struct lease_manager *manager = managed->manager;
    managed->released = true;
    unlist(managed);
    lease_manager_enlist(managed, &manager->returning);
    lease_renewal_give_up(&manager->renewal, &managed->lease, now_ms);
    lease_manager_settle(managed);
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
    http_transport_set_tick(transport, lease_manager_tick, manager);
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
    for (struct managed_lease *managed = manager->held; managed != NULL; managed = managed->next) {
        lease_renewal_give_up(&manager->renewal, &managed->lease, now_ms);
    }
}

int lease_manager_close(struct lease_manager *manager, int64_t deadline_ms) {
    pthread_mutex_lock(&manager->lock);
    manager->acquires_cancelled = true;
    manager->closing = true;
    give_up_all(manager);
    pthread_cond_broadcast(&manager->woken);
    lease_manager_unlock_and_wake(manager);

    pthread_mutex_lock(&manager->lock);
    int64_t left_ms;
    while (manager->renewal.count > 0 && (left_ms = deadline_ms - clock_now_ms(manager->clock)) > 0) {
        lease_manager_nap(manager, &manager->settled, left_ms);
    }
    manager->closed = true;
    int unfinished = (int)manager->renewal.count;
    pthread_mutex_unlock(&manager->lock);
    http_transport_set_tick(manager->transport, NULL, NULL);
    return unfinished;
}

static bool anything_in_flight(const struct lease_manager *manager) {
    const struct managed_lease *managed = manager->returning;
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
    struct managed_lease *next;
    for (struct managed_lease *managed = manager->returning; managed != NULL; managed = next) {
        next = managed->next;
        free(managed);
    }
    pthread_cond_destroy(&manager->settled);
    pthread_cond_destroy(&manager->woken);
    pthread_mutex_destroy(&manager->lock);
    free(manager);
}

/* --- a lease in hand --- */

/* Where its owner is the first to notice the loss, nobody else will tell of it. */
static void tell_unnoticed_loss(struct managed_lease *managed, int64_t now_ms) {
    struct lease_manager *manager = managed->manager;
    pthread_mutex_lock(&manager->lock);
    bool unnoticed = lease_renewal_notice_loss(&manager->renewal, &managed->lease, now_ms);
    pthread_mutex_unlock(&manager->lock);
    if (!unnoticed) {
        return;
    }
    lease_manager_tell_loss(managed);
    pthread_mutex_lock(&manager->lock);
    lease_renewal_told(&managed->lease);
    pthread_mutex_unlock(&manager->lock);
}

void lease_manager_release(struct lease_manager *manager, struct lease *lease) {
    if (lease == NULL) {
        return;
    }
    struct managed_lease *managed = (struct managed_lease *)lease;
    int64_t now_ms = clock_now_ms(manager->clock);
    tell_unnoticed_loss(managed, now_ms);
    pthread_mutex_lock(&manager->lock);
    lease_manager_take_back(managed, now_ms);
    lease_manager_unlock_and_wake(manager);
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
        lease_manager_nap(manager, &manager->woken,
                          clock_min_ms(until_ms, lease_safety_ms(lease, manager->options)) - now_ms);
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
            lease_manager_unlock_and_wake(manager);
            pthread_mutex_lock(&manager->lock);
            asked = true;
        } else if ((status = check_renewing(manager, lease, renewals_before, err)) == STATUS_OK) {
            lease_manager_nap(manager, &manager->woken, left_ms);
        }
    }
    pthread_mutex_unlock(&manager->lock);
    return status;
}

enum status lease_manager_break(struct lease_manager *manager, const char *name, struct error *err) {
    struct lease_store *store = manager->store;
    return store->ops->break_lease(store, name, clock_now_ms(manager->clock) + STORAGE_DEADLINE_MS, err);
}
