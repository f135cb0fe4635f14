#include "inventory/reconcile.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/correlation.h"
#include "base/log.h"
#include "inventory/lease_log.h"
#include "lease/lease_wait.h"

enum { MAX_WORKERS = 8 };

/* One round: the products in which something is due, worked through by several threads. */
struct round {
    struct inventory_service *service;
    struct lease *job_lease;
    const struct correlation *correlation; /* of the timer's invocation */
    int64_t now_ms;
    char (*products)[PRODUCT_ID_BYTES];
    size_t count, capacity;

    pthread_mutex_t lock; /* guards what follows */
    size_t next;
    struct reconcile_result result;
    bool ended;           /* no other product would fare better */
    struct error failure; /* the first that counts; STATUS_OK: none */
};

static enum status list_product(void *context, const char *product_id, struct error *err) {
    struct round *round = context;
    if (round->count == round->capacity) {
        size_t capacity = round->capacity == 0 ? 64 : round->capacity * 2;
        char(*grown)[PRODUCT_ID_BYTES] = realloc(round->products, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for the list of products");
        }
        round->products = grown;
        round->capacity = capacity;
    }
    snprintf(round->products[round->count++], PRODUCT_ID_BYTES, "%s", product_id);
    return STATUS_OK;
}

/* Removes a product's expired reservations, with its own lease. *out_count: how many; also when it fails half-way. */
static enum status expire(struct round *round, const char *product_id, int *out_count, int64_t *out_until_ms,
                          struct error *err) {
    struct inventory_request request = {.operation = &operation_expire, .product_id = product_id};
    enum status status = inventory_service_run(round->service, &request, err);
    *out_count = (int)request.committed_units;
    if (status == STATUS_OK) {
        *out_until_ms = request.expired_until_ms;
    }
    return status;
}

static enum status reconcile_product(struct round *round, const char *product_id, int *out_released,
                                     struct error *err) {
    struct inventory_store *store = round->service->store;
    int purged = 0;
    int64_t until_ms = round->now_ms;
    enum status status = expire(round, product_id, out_released, &until_ms, err);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) { /* a product may have been taken out of the store */
        status = store->ops->finish_due(store, product_id, clock_min_ms(until_ms, round->now_ms), &purged, err);
    }
    if (*out_released > 0 || purged > 0) {
        log_event(LOG_INFORMATION, "Reconciled product %s: %d expired reservations released, %d records purged",
                  product_id, *out_released, purged);
    }
    return status;
}

/* The first that counts. */
static void note_failure(struct round *round, enum status status, const struct error *err) {
    if (round->failure.status == STATUS_OK) {
        round->failure = *err;
        round->failure.status = status;
    }
}

/* With the lock held: what the end of a product's reconciliation means for the round. */
static void take_result(struct round *round, const char *product_id, int released, enum status status,
                        const struct error *err) {
    round->result.reservations_released += released;
    if (status == STATUS_OK) {
        round->result.products_reconciled++;
    } else if (status == STATUS_LEASE_CONFLICT || status == STATUS_LEASE_LOST) {
        log_event(LOG_INFORMATION, "Product %s is busy; its expired reservations are left for the next round",
                  product_id);
    } else {
        round->ended = round->ended || status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED ||
                       status == STATUS_CONTAINER_NOT_FOUND;
        note_failure(round, status, err);
    }
}

/* Is the job still ours to do? With the lock held, as above. */
static bool has_job(struct round *round, const char *product_id) {
    struct error err = {.status = STATUS_OK};
    if (lease_manager_is_held(round->service->leases, round->job_lease)) {
        return true;
    }
    round->ended = true;
    enum status status = error_set(&err, STATUS_LEASE_LOST, "the job's lease was lost before product %s", product_id);
    note_failure(round, status, &err);
    return false;
}

static void *work_through(void *context) {
    struct round *round = context;
    const struct correlation *before = correlation_use(round->correlation);
    pthread_mutex_lock(&round->lock);
    while (!round->ended && round->next < round->count && has_job(round, round->products[round->next])) {
        const char *product_id = round->products[round->next++];
        struct error err = {.status = STATUS_OK};
        int released = 0;
        pthread_mutex_unlock(&round->lock);
        enum status status = reconcile_product(round, product_id, &released, &err);
        pthread_mutex_lock(&round->lock);
        take_result(round, product_id, released, status, &err);
    }
    pthread_mutex_unlock(&round->lock);
    correlation_use(before);
    return NULL;
}

/* This thread is one of the workers: with no other to be had, it does all by itself. */
static void work_in_parallel(struct round *round) {
    pthread_t workers[MAX_WORKERS - 1];
    size_t started = 0;
    while (started < MAX_WORKERS - 1 && started + 1 < round->count &&
           pthread_create(&workers[started], NULL, work_through, round) == 0) {
        started++;
    }
    work_through(round);
    while (started > 0) {
        pthread_join(workers[--started], NULL);
    }
}

static enum status run_round(struct inventory_service *service, struct lease *job_lease, struct reconcile_result *out,
                             struct error *err) {
    struct inventory_store *store = service->store;
    struct round round = {.service = service,
                          .job_lease = job_lease,
                          .correlation = correlation_current(),
                          .now_ms = store->ops->certain_ms(store)};
    pthread_mutex_init(&round.lock, NULL);
    enum status status = store->ops->find_due(store, round.now_ms, list_product, &round, err);
    if (status == STATUS_OK) {
        work_in_parallel(&round);
        status = round.failure.status;
        if (status != STATUS_OK && err != NULL) {
            *err = round.failure;
        }
    }
    out->products_reconciled = round.result.products_reconciled;
    out->reservations_released = round.result.reservations_released;
    free(round.products);
    pthread_mutex_destroy(&round.lock);
    return inventory_service_note_status(service, status, err);
}

enum status reconcile_run(struct inventory_service *service, struct reconcile_result *out, struct error *err) {
    int64_t start_ms = clock_now_ms(service->clock);
    struct reconcile_result result = {0};
    enum status status = inventory_service_prepare(service, err);
    if (status != STATUS_OK) {
        return status;
    }

    struct lease *lease = NULL;
    struct lease_request request = {.name = RECONCILIATION_LEASE_NAME,
                                    .duration_s = RECONCILIATION_LEASE_S,
                                    .try_once = true, /* once: another instance at it does the same work */
                                    .listener = lease_log_listener()};
    status = lease_manager_acquire(service->leases, &request, &lease, err);
    if (status == STATUS_LEASE_CONFLICT) {
        log_event(LOG_INFORMATION, "Could not acquire lease for reconciliation. Another instance is at it.");
        *out = result;
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    log_event(LOG_INFORMATION, "✓ Acquired lease %s for reconciliation", lease_id(lease));
    result.processed = true;
    snprintf(result.lease_id, sizeof result.lease_id, "%s", lease_id(lease));
    status = run_round(service, lease, &result, err);
    log_event(LOG_INFORMATION, "Releasing lease %s for reconciliation", result.lease_id);
    lease_manager_release(service->leases, lease);
    result.duration_ms = clock_now_ms(service->clock) - start_ms;
    if (status == STATUS_OK) {
        *out = result;
    }
    return status;
}
