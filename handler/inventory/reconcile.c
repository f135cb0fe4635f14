#include "inventory/reconcile.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/correlation.h"
#include "base/log.h"
#include "inventory/lease_log.h"

/* ---- ENDING ---- */

/* A task of its own: no correlation is current here, so `done` may free the round's. */
static void reconcile_end_round(void *context) {
    struct reconciliation *round = context;
    const struct error failure = round->failure;
    round->state = RECONCILE_ENDED;
    round->done(round->context, failure.status, failure.status == STATUS_OK ? &round->result : NULL,
                &failure);
}

static void enter_ending(struct reconciliation *round) {
    round->state = RECONCILE_ENDING;
    round->end_task = (struct loop_task){.run = reconcile_end_round, .context = round};
    event_loop_post(round->service->platform->loop, &round->end_task);
}

static void note_failure(struct reconciliation *round, enum status status,
                         const struct error *err) {
    if (round->failure.status == STATUS_OK) {
        round->failure = *err;
        round->failure.status = status;
    }
}

static void reconcile_fail(struct reconciliation *round, enum status status,
                           const struct error *err) {
    note_failure(round, status, err);
    enter_ending(round);
}

/* Ends a round that has the job's lease. */
static void reconcile_finish(struct reconciliation *round) {
    struct inventory_service *service = round->service;
    store_preparation_note_status(&service->preparation, round->failure.status, &round->failure);
    log_event(LOG_INFORMATION, "Releasing lease %s for reconciliation", round->result.lease_id);
    lease_manager_release(service->leases, round->job_lease);
    round->job_lease = NULL;
    free(round->products.ids);
    round->products.ids = NULL;
    round->result.duration_ms = clock_now_ms(service->platform->clock) - round->start_ms;
    enter_ending(round);
}

/* ---- VISITING ---- */

static void reconcile_begin_visit(struct reconcile_visit *visit);

static void note_result(struct reconcile_visit *visit, enum status status,
                        const struct error *err) {
    struct reconciliation *round = visit->round;
    round->result.reservations_released += visit->reservations_released;
    if (visit->reservations_released > 0 || visit->records_deleted > 0) {
        log_event(LOG_INFORMATION,
                  "Reconciled product %s: %d expired reservations released, %d records deleted",
                  visit->product_id, visit->reservations_released, visit->records_deleted);
    }
    if (status == STATUS_OK) {
        round->result.products_reconciled++;
    } else if (status == STATUS_LEASE_CONFLICT || status == STATUS_LEASE_LOST) {
        log_event(LOG_INFORMATION,
                  "Product %s is busy; its expired reservations are left for the next round",
                  visit->product_id);
    } else {
        round->is_cut_short = round->is_cut_short || status == STATUS_UNAVAILABLE ||
                              status == STATUS_CANCELLED || status == STATUS_CONTAINER_NOT_FOUND;
        note_failure(round, status, err);
    }
}

static void reconcile_end_visit(struct reconcile_visit *visit, enum status status,
                                const struct error *err) {
    struct reconciliation *round = visit->round;
    note_result(visit, status, err);
    round->visits_under_way--;
    reconcile_begin_visit(visit);
    if (round->visits_under_way == 0) {
        reconcile_finish(round);
    }
}

static void reconcile_on_cleaned_up(void *context, enum status status, const struct error *err) {
    struct reconcile_visit *visit = context;
    const struct correlation *before = correlation_use(visit->round->correlation);
    reconcile_end_visit(visit, status, err);
    correlation_use(before);
}

/* The index rows of a product that is no longer in the store are deleted as well. */
static void reconcile_on_expired(struct inventory_request *request) {
    struct reconcile_visit *visit = request->context;
    struct reconciliation *round = visit->round;
    struct inventory_store *store = round->service->store;
    int64_t until_ms = request->status == STATUS_OK ? request->expired_until_ms : round->now_ms;
    const struct correlation *before = correlation_use(round->correlation);
    visit->reservations_released = (int)request->committed_units; /* also after a failure */
    if (request->status == STATUS_OK || request->status == STATUS_NOT_FOUND) {
        store->ops->clean_up_expired(store, visit->product_id,
                                     clock_min_ms(until_ms, round->now_ms), &visit->records_deleted,
                                     reconcile_on_cleaned_up, visit);
    } else {
        reconcile_end_visit(visit, request->status, &request->failure);
    }
    correlation_use(before);
}

/* Returns true if the job's lease is still held. If not, the round is cut short. */
static bool holds_job_lease(struct reconciliation *round) {
    if (lease_manager_is_held(round->service->leases, round->job_lease)) {
        return true;
    }
    struct error err;
    round->is_cut_short = true;
    error_set(&err, STATUS_LEASE_LOST, "the job's lease was lost before product %s",
              round->products.ids[round->next_product]);
    note_failure(round, STATUS_LEASE_LOST, &err);
    return false;
}

/* Visits the next product, if there is one and the round is not cut short. */
static void reconcile_begin_visit(struct reconcile_visit *visit) {
    struct reconciliation *round = visit->round;
    if (round->is_cut_short || round->next_product == round->products.count ||
        !holds_job_lease(round)) {
        return;
    }
    visit->product_id = round->products.ids[round->next_product++];
    visit->reservations_released = visit->records_deleted = 0;
    visit->request = (struct inventory_request){.operation = &operation_expire,
                                                .correlation = round->correlation,
                                                .product_id = visit->product_id,
                                                .done = reconcile_on_expired,
                                                .context = visit};
    round->visits_under_way++;
    inventory_service_submit(round->service, &visit->request);
}

static void enter_visiting(struct reconciliation *round) {
    round->state = RECONCILE_VISITING;
    for (int i = 0; i < RECONCILE_VISITS; i++) {
        round->visits[i].round = round;
        reconcile_begin_visit(&round->visits[i]);
    }
    if (round->visits_under_way == 0) {
        reconcile_finish(round);
    }
}

/* ---- FINDING ---- */

static void reconcile_on_found(void *context, enum status status, const struct error *err) {
    struct reconciliation *round = context;
    const struct correlation *before = correlation_use(round->correlation);
    if (status == STATUS_OK) {
        enter_visiting(round);
    } else {
        note_failure(round, status, err);
        reconcile_finish(round);
    }
    correlation_use(before);
}

static void enter_finding(struct reconciliation *round) {
    struct inventory_store *store = round->service->store;
    round->state = RECONCILE_FINDING;
    round->now_ms = store->ops->certain_ms(store);
    store->ops->find_expired(store, round->now_ms, &round->products, reconcile_on_found, round);
}

/* ---- ACQUIRING ---- */

static void begin_job(struct reconciliation *round, struct lease *lease) {
    log_event(LOG_INFORMATION, "✓ Acquired lease %s for reconciliation", lease_id(lease));
    round->job_lease = lease;
    round->result.processed = true;
    snprintf(round->result.lease_id, sizeof round->result.lease_id, "%s", lease_id(lease));
    enter_finding(round);
}

static void reconcile_on_acquired(void *context, enum status status, struct lease *lease,
                                  const struct error *err) {
    struct reconciliation *round = context;
    const struct correlation *before = correlation_use(round->correlation);
    if (status == STATUS_OK) {
        begin_job(round, lease);
    } else if (status == STATUS_LEASE_CONFLICT) {
        log_event(LOG_INFORMATION,
                  "Could not acquire lease for reconciliation. Another instance is at it.");
        enter_ending(round);
    } else {
        reconcile_fail(round, status, err);
    }
    correlation_use(before);
}

static void enter_acquiring(struct reconciliation *round) {
    /* One try, because a handler that has the lease does the same work. */
    const struct leasehold_request request = {.name = RECONCILIATION_LEASE_NAME,
                                              .duration_s = RECONCILIATION_LEASE_S,
                                              .try_once = true,
                                              .listener = lease_log_listener()};
    round->state = RECONCILE_ACQUIRING;
    lease_acquire_start(&round->acquire, round->service->leases, &request, reconcile_on_acquired,
                        round);
}

/* ---- PREPARING ---- */

static void reconcile_on_prepared(void *context, enum status status, const struct error *err) {
    struct reconciliation *round = context;
    const struct correlation *before = correlation_use(round->correlation);
    if (status == STATUS_OK) {
        enter_acquiring(round);
    } else {
        reconcile_fail(round, status, err);
    }
    correlation_use(before);
}

void reconcile_start(struct reconciliation *round, struct inventory_service *service,
                     reconcile_done done, void *context) {
    assert(round->state == RECONCILE_ENDED);
    *round = (struct reconciliation){.state = RECONCILE_PREPARING,
                                     .service = service,
                                     .correlation = correlation_current(),
                                     .done = done,
                                     .context = context,
                                     .start_ms = clock_now_ms(service->platform->clock)};
    round->waiter = (struct preparation_waiter){.done = reconcile_on_prepared, .context = round};
    store_preparation_await(&service->preparation, &round->waiter);
}
