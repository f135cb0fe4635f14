#include "inventory/inventory_service.h"

#include <string.h>

#include "base/log.h"
#include "storage/storage_request.h"

/* A commit ends within so much, and starts only with that much of its lease left: any lease has 7.5 s at first. */
enum { COMMIT_MS = 5000, CONSISTENT_READ_TRIES = 5 };

enum status inventory_service_init(struct inventory_service *service, struct inventory_store *store,
                                   struct lease_manager *leases, const struct clock *clock,
                                   const struct inventory_options *options, int64_t acquire_timeout_ms) {
    memset(service, 0, sizeof *service);
    service->store = store;
    service->leases = leases;
    service->clock = clock;
    service->options = options;
    if (pthread_mutex_init(&service->preparation.lock, NULL) != 0) {
        return STATUS_INTERNAL;
    }
    if (pthread_cond_init(&service->preparation.ended, NULL) == 0) {
        if (product_lanes_init(&service->lanes, leases, clock, acquire_timeout_ms) == STATUS_OK) {
            return STATUS_OK;
        }
        pthread_cond_destroy(&service->preparation.ended);
    }
    pthread_mutex_destroy(&service->preparation.lock);
    return STATUS_INTERNAL;
}

void inventory_service_release(struct inventory_service *service) {
    product_lanes_release(&service->lanes);
    pthread_cond_destroy(&service->preparation.ended);
    pthread_mutex_destroy(&service->preparation.lock);
}

void inventory_service_cancel(struct inventory_service *service) {
    product_lanes_close(&service->lanes);
}

/* ---- preparing the store ---- */

/* With the lock held; frees it while storage is talked to. */
static void run_preparation(struct inventory_service *service) {
    service->preparation.running = true;
    pthread_mutex_unlock(&service->preparation.lock);
    struct error failure = {.status = STATUS_OK};
    enum status status =
        service->store->ops->prepare(service->store, service->options->seeds, service->options->seed_count, &failure);
    pthread_mutex_lock(&service->preparation.lock);
    service->preparation.running = false;
    service->preparation.done = status == STATUS_OK;
    service->preparation.status = status;
    service->preparation.failure = failure;
    service->preparation.runs++;
    pthread_cond_broadcast(&service->preparation.ended);
}

enum status inventory_service_prepare(struct inventory_service *service, struct error *err) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&service->preparation.lock);
    if (!service->preparation.done) {
        int64_t run = service->preparation.runs;
        if (!service->preparation.running) {
            run_preparation(service);
        }
        while (service->preparation.runs == run) {
            pthread_cond_wait(&service->preparation.ended, &service->preparation.lock);
        }
        if (!service->preparation.done) {
            status = service->preparation.status;
            if (err != NULL) {
                *err = service->preparation.failure;
            }
        }
    }
    pthread_mutex_unlock(&service->preparation.lock);
    return status;
}

/* The store is gone although it was ready: the next operation makes it again, this one could not be served. */
static enum status note_missing_store(struct inventory_service *service, enum status status, struct error *err) {
    if (status != STATUS_CONTAINER_NOT_FOUND) {
        return status;
    }
    pthread_mutex_lock(&service->preparation.lock);
    service->preparation.done = false;
    pthread_mutex_unlock(&service->preparation.lock);
    return error_set(err, STATUS_UNAVAILABLE, "the store has disappeared: %s", err == NULL ? "" : err->message);
}

/* ---- one turn ---- */

static enum status read_product(struct inventory_service *service, const char *product_id,
                                const struct inventory_query *query, struct product_state *state, struct error *err) {
    return note_missing_store(service, service->store->ops->read(service->store, product_id, query, state, err), err);
}

enum status inventory_service_commit(struct inventory_service *service, const struct product_turn *turn,
                                     struct product_state *state, struct error *err) {
    int64_t safe_until_ms = 0;
    enum status status = lease_manager_ensure(service->leases, turn->lease, COMMIT_MS, &safe_until_ms, err);
    if (status != STATUS_OK) {
        error_wrap(err, "before the commit");
        return status;
    }
    int64_t deadline_ms = clock_now_ms(service->clock) + COMMIT_MS;
    if (deadline_ms > safe_until_ms) { /* time has passed since it was asked */
        deadline_ms = safe_until_ms;
    }
    status = service->store->ops->commit(service->store, state, deadline_ms, err);
    if (status != STATUS_PRECONDITION_FAILED) {
        return note_missing_store(service, status, err);
    }
    return error_set(err, STATUS_LEASE_LOST, "somebody else has committed under our lease: %s",
                     err == NULL ? "" : err->message);
}

/* Takes the turn; a turn that did not come in time is an answer, not a failure: *out_acquired is false. */
static enum status begin_turn(struct inventory_service *service, const char *product_id, int lease_duration_s,
                              struct product_turn *out, bool *out_acquired, struct error *err) {
    enum status status = inventory_service_prepare(service, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = product_lane_enter(&service->lanes, product_id, lease_duration_s, out, err);
    *out_acquired = status == STATUS_OK;
    return status == STATUS_LEASE_CONFLICT ? STATUS_OK : status;
}

/* The simulated work; ends early, with its status, when the lease is lost or the program stops. */
static enum status work(struct inventory_service *service, const struct product_turn *turn, struct error *err) {
    if (service->options->processing_time_ms == 0) {
        return STATUS_OK;
    }
    return lease_manager_wait(service->leases, turn->lease, service->options->processing_time_ms, err);
}

/*
 * Until when a reservation may expire and still be read: the decision falls after the read and the work, and what has expired by
 * then must be at hand. Rows that have not are harmless: the rules look at each again.
 */
static int64_t decided_by_ms(struct inventory_service *service) {
    return service->store->ops->now_ms(service->store) + service->options->processing_time_ms + STORAGE_DEADLINE_MS;
}

/* ---- reserve ---- */

static enum status reserve_and_commit(struct inventory_service *service, const struct product_turn *turn,
                                      struct product_state *state, const char *customer_id, int64_t quantity,
                                      int64_t now_ms, struct reserve_result *out, struct error *err) {
    const struct reservation *reservation = NULL;
    bool reserved = false;
    for (;;) {
        inventory_expire(state, now_ms, 1);
        enum status status = inventory_reserve(state, customer_id, quantity, now_ms,
                                               service->options->reservation_lifetime_ms, &reserved, &reservation);
        if (status != STATUS_OK) {
            return error_set(err, status, "making a reservation");
        }
        /* When it is short, but more has expired than one transaction can take away, the rest follows in the next. */
        if (!reserved && !inventory_has_expired(state, now_ms)) {
            break;
        }
        if (reserved) {
            out->reservation = *reservation;
        }
        status = inventory_service_commit(service, turn, state, err);
        if (status != STATUS_OK) {
            return status;
        }
        if (reserved) {
            break;
        }
    }
    out->reserved = reserved;
    out->available = inventory_available(state, now_ms);
    out->version = state->product.version;
    return STATUS_OK;
}

static enum status reserve_in_turn(struct inventory_service *service, const struct product_turn *turn,
                                   const char *product_id, const char *customer_id, int64_t quantity,
                                   struct reserve_result *out, struct error *err) {
    struct product_state state;
    product_state_init(&state);
    struct inventory_query query = {.now_ms = decided_by_ms(service)};
    enum status status = read_product(service, product_id, &query, &state, err);
    if (status == STATUS_OK) {
        status = work(service, turn, err);
    }
    if (status == STATUS_OK) {
        int64_t now_ms = service->store->ops->now_ms(service->store);
        status = reserve_and_commit(service, turn, &state, customer_id, quantity, now_ms, out, err);
    }
    product_state_release(&state);
    return status;
}

static int renewals(struct inventory_service *service, const struct product_turn *turn) {
    return lease_manager_renewal_count(service->leases, turn->lease) - turn->renewals_before;
}

enum status inventory_service_reserve(struct inventory_service *service, const char *product_id,
                                      const char *customer_id, int64_t quantity, struct reserve_result *out,
                                      struct error *err) {
    struct product_turn turn;
    struct reserve_result result = {0};
    enum status status = begin_turn(service, product_id, 0, &turn, &result.acquired_lease, err);
    if (status == STATUS_OK && result.acquired_lease) {
        status = reserve_in_turn(service, &turn, product_id, customer_id, quantity, &result, err);
        if (status == STATUS_OK && result.reserved) {
            log_event(LOG_INFORMATION, "✓ Successfully reserved %lld units of %s. Reservation: %s Renewal count: %d",
                      (long long)quantity, product_id, result.reservation.id, renewals(service, &turn));
        }
        product_lane_leave(&service->lanes, &turn);
    }
    if (status == STATUS_OK) {
        *out = result;
    }
    return status;
}

/* ---- release ---- */

static enum status release_in_turn(struct inventory_service *service, const struct product_turn *turn,
                                   const char *product_id, const char *customer_id, const char *reservation_id,
                                   int64_t quantity, struct release_result *out, struct error *err) {
    struct product_state state;
    product_state_init(&state);
    struct inventory_query query = {.customer_id = reservation_id == NULL ? customer_id : NULL,
                                    .reservation_id = reservation_id,
                                    .now_ms = decided_by_ms(service)};
    enum status status = read_product(service, product_id, &query, &state, err);
    if (status == STATUS_OK) {
        status = work(service, turn, err);
    }
    if (status == STATUS_OK) {
        int64_t now_ms = service->store->ops->now_ms(service->store);
        out->released = inventory_release(&state, customer_id, reservation_id, quantity, now_ms);
        if (out->released > 0) {
            inventory_expire(&state, now_ms, 0);
            status = inventory_service_commit(service, turn, &state, err);
        }
        out->available = inventory_available(&state, now_ms);
        out->version = state.product.version;
    }
    product_state_release(&state);
    return status;
}

enum status inventory_service_release_units(struct inventory_service *service, const char *product_id,
                                            const char *customer_id, const char *reservation_id, int64_t quantity,
                                            struct release_result *out, struct error *err) {
    struct product_turn turn;
    struct release_result result = {0};
    enum status status = begin_turn(service, product_id, RELEASE_LEASE_S, &turn, &result.acquired_lease, err);
    if (status == STATUS_OK && result.acquired_lease) {
        status = release_in_turn(service, &turn, product_id, customer_id, reservation_id, quantity, &result, err);
        if (status == STATUS_OK && result.released > 0) {
            log_event(LOG_INFORMATION, "✓ Successfully released %lld units of %s. Renewal count: %d",
                      (long long)result.released, product_id, renewals(service, &turn));
        }
        product_lane_leave(&service->lanes, &turn);
    }
    if (status == STATUS_OK) {
        *out = result;
    }
    return status;
}

/* ---- get ---- */

enum status inventory_service_get(struct inventory_service *service, const char *product_id,
                                  struct product_state *state, int64_t *out_now_ms, struct error *err) {
    enum status status = inventory_service_prepare(service, err);
    for (int i = 0; i < CONSISTENT_READ_TRIES && status == STATUS_OK; i++) {
        struct inventory_query query = {.all = true, .now_ms = service->store->ops->now_ms(service->store)};
        status = read_product(service, product_id, &query, state, err);
        /* A picture that does not add up was taken in the middle of somebody's commit. */
        if (status == STATUS_OK && inventory_adds_up(state)) {
            *out_now_ms = service->store->ops->now_ms(service->store);
            return STATUS_OK;
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    return error_set(err, STATUS_INTERNAL, "the rows of product %s do not add up to its total", product_id);
}
