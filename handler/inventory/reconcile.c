#include "inventory/reconcile.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "inventory/lease_log.h"

struct round {
    struct inventory_service *service;
    const struct lease *job_lease;
    struct reconcile_result *result;
    struct error failure; /* the first product's that could not be reconciled; STATUS_OK: none */
};

static enum status release_expired(struct inventory_service *service, const struct product_turn *turn,
                                   const char *product_id, int *released, struct error *err) {
    struct product_state state;
    product_state_init(&state);
    int64_t now_ms = service->store->ops->now_ms(service->store);
    enum status status =
        service->store->ops->read(service->store, product_id, &(struct inventory_query){.now_ms = now_ms}, &state, err);
    while (status == STATUS_OK) {
        int count = inventory_expire(&state, now_ms, 0);
        if (count == 0) {
            break;
        }
        status = inventory_service_commit(service, turn, &state, err);
        if (status == STATUS_OK) {
            *released += count;
        }
    }
    product_state_release(&state);
    return status;
}

/* With the product's own lease. STATUS_LEASE_CONFLICT or _LOST: somebody else is at it. */
static enum status reconcile_product(struct round *round, const char *product_id, struct error *err) {
    struct product_turn turn;
    enum status status = product_lane_enter(&round->service->lanes, product_id, 0, &turn, err);
    if (status != STATUS_OK) {
        return status;
    }
    int released = 0;
    status = release_expired(round->service, &turn, product_id, &released, err);
    product_lane_leave(&round->service->lanes, &turn);
    round->result->reservations_released += released;
    if (released > 0) {
        log_event(LOG_INFORMATION, "Reconciled product %s: %d expired reservations released", product_id, released);
    }
    return status;
}

static enum status visit_product(void *context, const char *product_id, bool has_expired, struct error *err) {
    struct round *round = context;
    if (!lease_manager_is_held(round->service->leases, round->job_lease)) {
        return error_set(err, STATUS_LEASE_LOST, "the job's lease was lost before product %s", product_id);
    }
    struct error failure = {0};
    enum status status = has_expired ? reconcile_product(round, product_id, &failure) : STATUS_OK;
    if (status != STATUS_OK && err != NULL) {
        *err = failure;
    }
    if (status == STATUS_LEASE_CONFLICT || status == STATUS_LEASE_LOST || status == STATUS_NOT_FOUND) {
        log_event(LOG_INFORMATION, "Product %s is busy; its expired reservations are left for the next round",
                  product_id);
        return STATUS_OK;
    }
    if (status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED) {
        return status; /* the others would fare no better */
    }
    if (status == STATUS_OK) {
        round->result->products_reconciled++;
    } else if (round->failure.status == STATUS_OK) {
        error_set(&round->failure, status, "%s", failure.message);
    }
    return STATUS_OK;
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
    struct round round = {.service = service, .job_lease = lease, .result = &result, .failure = {.status = STATUS_OK}};
    status = service->store->ops->scan(service->store, service->store->ops->now_ms(service->store), visit_product,
                                       &round, err);
    if (status == STATUS_OK && round.failure.status != STATUS_OK) {
        status = error_set(err, round.failure.status, "%s", round.failure.message);
    }
    log_event(LOG_INFORMATION, "Releasing lease %s for reconciliation", result.lease_id);
    lease_manager_release(service->leases, lease);
    result.duration_ms = clock_now_ms(service->clock) - start_ms;
    if (status == STATUS_OK) {
        *out = result;
    }
    return status;
}
