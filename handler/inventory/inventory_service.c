#include "inventory/inventory_service.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "inventory/product_read.h"

enum { KEY_TEXT_BYTES = 1024 };

enum status inventory_service_init(struct inventory_service *service, struct inventory_store *store,
                                   struct lease_manager *leases, const struct clock *clock,
                                   const struct inventory_options *options, int64_t acquire_timeout_ms) {
    memset(service, 0, sizeof *service);
    service->store = store;
    service->leases = leases;
    service->clock = clock;
    service->options = options;
    service->preparation.done = options->is_prepared;
    if (pthread_mutex_init(&service->preparation.lock, NULL) != 0) {
        return STATUS_INTERNAL;
    }
    if (pthread_cond_init(&service->preparation.ended, NULL) == 0) {
        service->batch = (struct inventory_batch_context){.store = store,
                                                          .leases = leases,
                                                          .clock = clock,
                                                          .reservation_lifetime_ms = options->reservation_lifetime_ms,
                                                          .processing_time_ms = options->processing_time_ms};
        if (product_lanes_init(&service->lanes, leases, clock, acquire_timeout_ms, inventory_batch_serve,
                               &service->batch) == STATUS_OK) {
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

/*
 * With the lock held. The store was there and is gone. Made again it would hold every seed in full,
 * as if nothing had been sold, so this program never does: whoever restarts it has been told.
 */
static void note_loss(struct inventory_service *service, const struct error *why) {
    if (!service->preparation.lost) {
        service->preparation.lost = true;
        service->preparation.done = false;
        service->preparation.status =
            error_set(&service->preparation.failure, STATUS_CONTAINER_NOT_FOUND,
                      "the stock has disappeared while this program was running, and it is not made again by itself. "
                      "Restore the table, or accept that all stock is as Inventory:SeedProducts says; then restart "
                      "every instance (%s)",
                      why == NULL ? "" : why->message);
    }
}

/* With the lock held; frees it while storage is talked to. */
static void run_preparation(struct inventory_service *service) {
    service->preparation.running = true;
    pthread_mutex_unlock(&service->preparation.lock);
    struct error failure = {.status = STATUS_OK};
    enum status status =
        service->store->ops->prepare(service->store, service->options->seeds, service->options->seed_count, &failure);
    pthread_mutex_lock(&service->preparation.lock);
    service->preparation.running = false;
    service->preparation.runs++;
    if (status == STATUS_CONTAINER_NOT_FOUND) {
        note_loss(service, &failure);
    } else if (!service->preparation.lost) {
        service->preparation.done = status == STATUS_OK;
        service->preparation.status = status;
        service->preparation.failure = failure;
    }
    pthread_cond_broadcast(&service->preparation.ended);
}

enum status inventory_service_prepare(struct inventory_service *service, struct error *err) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&service->preparation.lock);
    if (!service->preparation.done) {
        int64_t run = service->preparation.runs;
        if (!service->preparation.running && !service->preparation.lost) {
            run_preparation(service);
        }
        while (service->preparation.runs == run && !service->preparation.lost) {
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

enum status inventory_service_note_missing_store(struct inventory_service *service, enum status status,
                                                 struct error *err) {
    if (status != STATUS_CONTAINER_NOT_FOUND || service->options->is_prepared) {
        return status;
    }
    pthread_mutex_lock(&service->preparation.lock);
    note_loss(service, err);
    if (err != NULL) {
        *err = service->preparation.failure;
    }
    pthread_mutex_unlock(&service->preparation.lock);
    return status;
}

/* ---- one request ---- */

/* Runs it through the product's lane. A turn that did not come in time is an answer, not a failure: *out_had_turn is false. */
static enum status run(struct inventory_service *service, const char *product_id, int lease_duration_s,
                       struct inventory_request *request, bool *out_had_turn, struct error *err) {
    enum status status = inventory_service_prepare(service, err);
    if (status != STATUS_OK) {
        return status;
    }
    request->correlation = correlation_current();
    status = product_lane_run(&service->lanes, product_id, lease_duration_s, &request->entry, err);
    *out_had_turn = status == STATUS_OK;
    if (status != STATUS_OK) {
        return status == STATUS_LEASE_CONFLICT ? STATUS_OK : status;
    }
    if (request->status != STATUS_OK && err != NULL) {
        *err = request->failure;
    }
    return inventory_service_note_missing_store(service, request->status, err);
}

/*
 * The key that a request has, or that a release of one reservation gets: with line breaks, which no key of a caller's has. The
 * customer is in it, so that a stranger's release of the same reservation is no repeat, and finds nothing.
 */
static bool write_key(const struct inventory_change *change, char out[KEY_TEXT_BYTES]) {
    if (change->idempotency_key != NULL) {
        snprintf(out, KEY_TEXT_BYTES, "%s", change->idempotency_key);
    } else if (change->reservation_id != NULL) {
        snprintf(out, KEY_TEXT_BYTES, "release\n%s\n%lld\n%s", change->reservation_id, (long long)change->quantity,
                 change->customer_id);
    } else {
        return false;
    }
    return true;
}

static enum status begin_request(const struct inventory_change *change, enum inventory_operation operation,
                                 struct inventory_request *out, struct error *err) {
    *out = (struct inventory_request){.operation = operation,
                                      .customer_id = change->customer_id,
                                      .reservation_id = change->reservation_id,
                                      .quantity = change->quantity};
    char key[KEY_TEXT_BYTES], asked[KEY_TEXT_BYTES];
    if (!write_key(change, key)) {
        return STATUS_OK;
    }
    snprintf(asked, sizeof asked, "%d\n%lld\n%s\n%s", (int)operation, (long long)change->quantity,
             change->reservation_id == NULL ? "" : change->reservation_id, change->customer_id);
    enum status status = crypto_sha256_hex(key, strlen(key), out->key_hash);
    if (status == STATUS_OK) {
        status = crypto_sha256_hex(asked, strlen(asked), out->request_hash);
    }
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "hashing a key");
}

/*
 * What a caller without the lease is told is available. Read after the wait and without the lease: what this handler has read
 * before may be older than the wait.
 */
static enum status read_available(struct inventory_service *service, const char *product_id,
                                  struct inventory_request *out, struct error *err) {
    struct product_state state;
    product_state_init(&state);
    int64_t now_ms = service->store->ops->now_ms(service->store);
    struct inventory_query query = {.until_ms = now_ms};
    enum status status = product_read(service->store, product_id, &query, &state, err);
    if (status == STATUS_OK) {
        out->available = inventory_available(&state, now_ms);
        out->version = state.product.version;
    } else if (status == STATUS_PRECONDITION_FAILED) {
        status = error_set(err, STATUS_UNAVAILABLE, "product %s changes faster than it can be read", product_id);
    }
    product_state_cleanup(&state);
    return inventory_service_note_missing_store(service, status, err);
}

/* Runs a caller's change. Without a turn, the request has what is available and the version all the same. */
static enum status run_change(struct inventory_service *service, const struct inventory_change *change,
                              enum inventory_operation operation, int lease_duration_s,
                              struct inventory_request *request, bool *out_had_turn, struct error *err) {
    enum status status = begin_request(change, operation, request, err);
    if (status == STATUS_OK) {
        status = run(service, change->product_id, lease_duration_s, request, out_had_turn, err);
    }
    if (status == STATUS_OK && !*out_had_turn) {
        status = read_available(service, change->product_id, request, err);
    }
    return status;
}

enum status inventory_service_reserve(struct inventory_service *service, const struct inventory_change *change,
                                      struct reserve_result *out, struct error *err) {
    struct inventory_request request;
    bool had_turn = false;
    enum status status = run_change(service, change, INVENTORY_RESERVE, 0, &request, &had_turn, err);
    if (status == STATUS_OK) {
        *out = (struct reserve_result){.reserved = had_turn && request.units > 0,
                                       .acquired_lease = had_turn,
                                       .available = request.available,
                                       .version = request.version,
                                       .reservation = request.reservation};
    }
    return status;
}

enum status inventory_service_release_units(struct inventory_service *service, const struct inventory_change *change,
                                            struct release_result *out, struct error *err) {
    struct inventory_request request;
    bool had_turn = false;
    enum status status = run_change(service, change, INVENTORY_RELEASE, RELEASE_LEASE_S, &request, &had_turn, err);
    if (status == STATUS_OK) {
        *out = (struct release_result){.acquired_lease = had_turn,
                                       .released = request.units,
                                       .available = request.available,
                                       .version = request.version};
    }
    return status;
}

enum status inventory_service_set_total(struct inventory_service *service, const char *product_id, int64_t total,
                                        struct total_result *out, struct error *err) {
    struct inventory_request request = {.operation = INVENTORY_SET_TOTAL, .quantity = total};
    bool had_turn = false;
    enum status status = run(service, product_id, 0, &request, &had_turn, err);
    if (status == STATUS_OK) {
        *out = (struct total_result){.acquired_lease = had_turn,
                                     .set = had_turn && request.is_set,
                                     .total = request.total,
                                     .available = request.available,
                                     .version = request.version};
    }
    return status;
}

enum status inventory_service_expire(struct inventory_service *service, const char *product_id, int *out_count,
                                     int64_t *out_until_ms, struct error *err) {
    struct inventory_request request = {.operation = INVENTORY_EXPIRE};
    bool had_turn = false;
    enum status status = run(service, product_id, 0, &request, &had_turn, err);
    *out_count = request.expired_count;
    if (status == STATUS_OK && !had_turn) {
        return error_set(err, STATUS_LEASE_CONFLICT, "others are at product %s", product_id);
    }
    if (status == STATUS_OK) {
        *out_until_ms = request.expired_until_ms;
    }
    return status;
}

/* ---- get ---- */

/* With the product's lease, under which nothing moves. */
static enum status read_in_turn(struct inventory_service *service, const char *product_id, struct product_state *state,
                                struct error *err) {
    struct inventory_request request = {.operation = INVENTORY_READ, .picture = state};
    bool had_turn = false;
    enum status status = run(service, product_id, 0, &request, &had_turn, err);
    if (status == STATUS_PRECONDITION_FAILED || (status == STATUS_OK && !had_turn)) {
        return error_set(err, STATUS_UNAVAILABLE, "product %s did not stand still to be read", product_id);
    }
    return status;
}

enum status inventory_service_get(struct inventory_service *service, const char *product_id,
                                  struct product_state *state, int64_t *out_now_ms, struct error *err) {
    enum status status = inventory_service_prepare(service, err);
    if (status == STATUS_OK) {
        struct inventory_query query = {.all = true};
        status = product_read(service->store, product_id, &query, state, err);
    }
    if (status == STATUS_PRECONDITION_FAILED) {
        status = read_in_turn(service, product_id, state, err);
    }
    if (status == STATUS_OK) {
        *out_now_ms = service->store->ops->now_ms(service->store);
    }
    return inventory_service_note_missing_store(service, status, err);
}
