/* lease_manager_acquire.c - how a lease is come by: patience, tries under one id, and what becomes of a late or doubtful grant. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "lease/lease_manager.h"
#include "lease/lease_manager_parts.h"
#include "storage/storage_request.h"

enum { MAX_ACQUIRE_WAIT_MS = 200, EAGER_ROUND_MS = 200 };

/* Makes what can fail for want of memory or randomness before storage is asked: a lease granted is never dropped. */
static enum status prepare(struct lease_manager *manager, const struct lease_request *request,
                           struct managed_lease **out, struct error *err) {
    size_t length = strlen(request->name);
    assert(length >= 1 && length < LEASE_NAME_BYTES);
    struct managed_lease *managed = calloc(1, sizeof *managed);
    if (managed == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for a lease");
    }
    managed->manager = manager;
    managed->listener = request->listener;
    managed->lease.duration_s = request->duration_s != 0 ? request->duration_s : manager->options->duration_s;
    memcpy(managed->lease.name, request->name, length);
    enum status status = uuid_v4(managed->lease.id);
    if (status != STATUS_OK) {
        free(managed);
        return error_set(err, status, "%s", status_text(status));
    }
    pthread_mutex_lock(&manager->lock);
    lease_renewal_reserve(&manager->renewal);
    pthread_mutex_unlock(&manager->lock);
    *out = managed;
    return STATUS_OK;
}

/* False: cancelled. A `until_ms` that has passed asks just that. */
static bool pause_until(struct lease_manager *manager, int64_t until_ms) {
    int64_t left_ms;
    pthread_mutex_lock(&manager->lock);
    while (!manager->acquires_cancelled && (left_ms = until_ms - clock_now_ms(manager->clock)) > 0) {
        lease_manager_nap(manager, &manager->woken, left_ms);
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
    return clock_min_ms(wait_ms, clock_max_ms(MAX_ACQUIRE_WAIT_MS, first_wait_ms));
}

/* The waits between tries. */
struct waits {
    int64_t first_ms, next_ms;
    int64_t round_end_ms;
};

/* How long to wait at `now_ms`. What would last beyond the end of a round begins a new one, with the first wait. */
static int64_t take_wait_ms(struct waits *waits, int64_t now_ms) {
    if (now_ms + waits->next_ms > waits->round_end_ms) {
        waits->next_ms = waits->first_ms;
        waits->round_end_ms = now_ms + EAGER_ROUND_MS;
    }
    int64_t wait_ms = waits->next_ms;
    waits->next_ms = longer_wait_ms(wait_ms, waits->first_ms);
    return wait_ms;
}

/* What storage has granted, or may have. */
struct grant {
    bool possible;
    int64_t sent_ms; /* no earlier request than this one can have been granted last */
};

/*
 * Does the answer leave open whether storage has granted the lease? A conflict does not, whatever was asked before: it is somebody
 * else's. Credentials that are refused only now say nothing of the attempt before.
 */
static bool may_be_granted(enum status status, const struct error *err) {
    return status == STATUS_OK || status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED ||
           status == STATUS_INTERNAL || (status == STATUS_UNAUTHORIZED && err->was_in_doubt);
}

/* One try. However late it is made, it has the time of one attempt: its answer decides whether the lease was had. */
static enum status ask(struct lease_manager *manager, const struct lease *lease, int64_t deadline_ms,
                       struct grant *grant, struct error *err) {
    struct lease_store *store = manager->store;
    deadline_ms = clock_max_ms(deadline_ms, clock_now_ms(manager->clock) + STORAGE_ATTEMPT_TIMEOUT_MS);
    enum status status =
        store->ops->acquire(store, lease->name, lease->id, lease->duration_s, deadline_ms, &grant->sent_ms, err);
    grant->possible = may_be_granted(status, err);
    if (status != STATUS_OK) {
        grant->sent_ms = clock_now_ms(manager->clock);
    }
    return status;
}

static bool is_returning(const struct lease_manager *manager, const char *name) {
    const struct managed_lease *managed = manager->returning;
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
        lease_manager_nap(manager, &manager->settled, left_ms);
    }
    pthread_mutex_unlock(&manager->lock);
}

/* The same id in every try: it is ours alone, and a try whose answer was lost is answered by the next. */
static enum status ask_until_had(struct lease_manager *manager, const struct lease *lease, int64_t patience_ms,
                                 int64_t eager_from_ms, struct grant *grant, struct error *err) {
    int64_t begun_ms = clock_now_ms(manager->clock);
    int64_t deadline_ms = clock_max_ms(patience_ms, begun_ms + STORAGE_DEADLINE_MS);
    let_own_return(manager, lease->name, clock_max_ms(patience_ms, begun_ms + LEASE_RELEASE_TIMEOUT_MS));
    int64_t first_ms = manager->options->acquire_retry_ms;
    struct waits waits = {
        .first_ms = first_ms, .next_ms = first_ms, .round_end_ms = eager_from_ms == 0 ? INT64_MAX : eager_from_ms};
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
        next_ms = clock_min_ms(now_ms + take_wait_ms(&waits, now_ms), patience_ms);
    }
}

/* Nothing was granted. */
static void discard(struct lease_manager *manager, struct managed_lease *managed) {
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
static enum status take_in(struct lease_manager *manager, struct managed_lease *managed, int64_t sent_ms,
                           enum status status, struct error *err) {
    struct lease *lease = &managed->lease;
    pthread_mutex_lock(&manager->lock);
    int64_t now_ms = clock_now_ms(manager->clock);
    lease_renewal_start(&manager->renewal, lease, sent_ms);
    lease_manager_enlist(managed, &manager->held);
    if (status == STATUS_OK) {
        status = check_granted(manager, lease, now_ms, err);
    }
    if (status != STATUS_OK) {
        lease_manager_take_back(managed, now_ms);
    }
    lease_manager_unlock_and_wake(manager);
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
    struct managed_lease *managed = NULL;
    enum status status = prepare(manager, request, &managed, err);
    if (managed == NULL) {
        return status;
    }
    struct grant grant = {.possible = false};
    status =
        ask_until_had(manager, &managed->lease, patience_end_ms(manager, request), request->eager_from_ms, &grant, err);
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
