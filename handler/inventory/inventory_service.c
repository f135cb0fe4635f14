#include "inventory/inventory_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "http/loop_call.h"
#include "inventory/inventory.h"
#include "inventory/product_read.h"
#include "lease/lease_names.h"

enum { KEY_TEXT_BYTES = 1024, REQUEST_TEXT_BYTES = 4096 };

void inventory_service_init(struct inventory_service *service, const struct platform *platform,
                            struct inventory_store *store, struct lease_manager *leases,
                            const struct inventory_options *options, int64_t acquire_timeout_ms) {
    *service = (struct inventory_service){.platform = platform,
                                          .store = store,
                                          .leases = leases,
                                          .max_reservation_lifetime_ms =
                                              options->max_reservation_lifetime_ms};
    store_preparation_init(&service->preparation, store, options->seeds, options->seed_count,
                           options->is_prepared_elsewhere);
    service_health_init(&service->health, platform, store, &service->preparation, leases);
    product_queues_init(
        &service->queues,
        &(struct pipeline_shared){.platform = platform,
                                  .store = store,
                                  .leases = leases,
                                  .acquire_timeout_ms = acquire_timeout_ms,
                                  .reservation_lifetime_ms = options->reservation_lifetime_ms,
                                  .processing_time_ms = options->processing_time_ms});
}

void inventory_service_cleanup(struct inventory_service *service) {
    product_queues_cleanup(&service->queues);
}

/* ---- keys ---- */

static const char *or_empty(const char *text) {
    return text == NULL ? "" : text;
}

static bool gets_automatic_key(const struct inventory_request *request) {
    const struct operation *operation = request->operation;
    return operation->automatic_key != NULL && request->reservation_id != NULL &&
           (!operation->has_automatic_key_by_version || request->expected_version > 0);
}

/*
 * Writes a request's own key, or the one that a change of one reservation gets. The latter has line
 * breaks, which a caller's key cannot have. It has the customer in it, so that another customer's
 * release of the same reservation is no repeat. Returns false if there is no key.
 */
static bool write_key(const struct inventory_request *request, char out[KEY_TEXT_BYTES]) {
    if (request->idempotency_key != NULL) {
        snprintf(out, KEY_TEXT_BYTES, "%s", request->idempotency_key);
        return true;
    }
    if (!gets_automatic_key(request)) {
        return false;
    }
    size_t written = (size_t)snprintf(out, KEY_TEXT_BYTES, "%s\n%s\n%lld\n%s",
                                      request->operation->automatic_key, request->reservation_id,
                                      (long long)request->quantity, or_empty(request->customer_id));
    if (request->operation->has_automatic_key_by_version) {
        snprintf(out + written, KEY_TEXT_BYTES - written, "\n%lld\n%lld",
                 (long long)request->lifetime_ms, (long long)request->expected_version);
    }
    return true;
}

/*
 * Writes all that a request asks for, but not the version that it expects: a repeat gets the first
 * answer whatever version it expects (batch.h). The text's hash is stored, so the text of a request
 * never changes: what newer releases add to it is written only if it is given.
 */
static void write_request(const struct inventory_request *request, char out[REQUEST_TEXT_BYTES]) {
    size_t written =
        (size_t)snprintf(out, REQUEST_TEXT_BYTES, "%d\n%lld\n%s\n%s",
                         request->operation->stored_code, (long long)request->quantity,
                         or_empty(request->reservation_id), or_empty(request->customer_id));
    if (request->lifetime_ms > 0) {
        written += (size_t)snprintf(out + written, REQUEST_TEXT_BYTES - written, "\nlifetime %lld",
                                    (long long)request->lifetime_ms);
    }
    if (request->reason != NULL) {
        snprintf(out + written, REQUEST_TEXT_BYTES - written, "\nreason %s", request->reason);
    }
}

static enum status hash_key(struct inventory_request *request) {
    char key[KEY_TEXT_BYTES], request_text[REQUEST_TEXT_BYTES];
    request->key_hash[0] = '\0';
    if (!write_key(request, key)) {
        return STATUS_OK;
    }
    write_request(request, request_text);
    enum status status = crypto_sha256_hex(key, strlen(key), request->key_hash);
    if (status != STATUS_OK) {
        return status;
    }
    return crypto_sha256_hex(request_text, strlen(request_text), request->request_hash);
}

/* ---- answers ---- */

/* `done` may log, so the request's correlation is current. `done` may free it. */
static void service_end_request(struct inventory_request *request) {
    correlation_use(request->correlation);
    request->done(request);
    correlation_use(NULL);
}

static void service_on_failed(void *context) {
    service_end_request(context);
}

static void service_fail_later(struct inventory_request *request, enum status status,
                               const char *why) {
    request->status = error_set(&request->failure, status, "%s", why);
    request->task = (struct loop_task){.run = service_on_failed, .context = request};
    event_loop_post(request->service->platform->loop, &request->task);
}

/* ---- what is available, after the lease was not acquired in time ---- */

/* A read without the lease, for an operation that shows what is available all the same. */
struct late_read {
    struct inventory_request *request;
    struct product_state state;
    int64_t now_ms;
};

static void service_on_available(void *context, enum status status, const struct error *err) {
    struct late_read *late = context;
    struct inventory_request *request = late->request;
    if (status == STATUS_OK) {
        request->available = inventory_available(&late->state, late->now_ms);
        request->total = late->state.product.total;
        request->version = late->state.product.version;
    } else {
        request->failure = *err;
        request->status = status;
        if (status == STATUS_PRECONDITION_FAILED) {
            request->status =
                error_set(&request->failure, STATUS_UNAVAILABLE,
                          "product %s changes faster than it can be read", request->product_id);
        }
        store_preparation_note_status(&request->service->preparation, request->status,
                                      &request->failure);
    }
    product_state_cleanup(&late->state);
    free(late);
    service_end_request(request);
}

/* The cache is not used here, because it may be older than the request. */
static void read_available(struct inventory_request *request) {
    struct inventory_store *store = request->service->store;
    struct late_read *late = calloc(1, sizeof *late);
    if (late == NULL) {
        request->status =
            error_set(&request->failure, STATUS_NO_MEMORY, "no memory to read what is available");
        service_end_request(request);
        return;
    }
    late->request = request;
    late->now_ms = store->ops->now_ms(store);
    product_state_init(&late->state);
    const struct correlation *before = correlation_use(request->correlation);
    product_read(store, request->product_id, &(struct inventory_query){.until_ms = late->now_ms},
                 &late->state, service_on_available, late);
    correlation_use(before);
}

/* ---- the way of a request: prepare, queue, answer ---- */

static void service_on_served(struct inventory_request *request) {
    if (request->status == STATUS_LEASE_CONFLICT && request->operation->shows_available) {
        read_available(request);
        return;
    }
    store_preparation_note_status(&request->service->preparation, request->status,
                                  &request->failure);
    service_end_request(request);
}

static void service_on_prepared(void *context, enum status status, const struct error *err) {
    struct inventory_request *request = context;
    if (status == STATUS_OK) {
        product_queues_submit(&request->service->queues, request);
    } else {
        request->status = status;
        request->failure = *err;
        service_end_request(request);
    }
}

void inventory_service_submit(struct inventory_service *service,
                              struct inventory_request *request) {
    request->service = service;
    request->served = service_on_served;
    enum status status = hash_key(request);
    if (status != STATUS_OK) {
        service_fail_later(request, status, "hashing a key");
    } else if (store_preparation_is_ready(&service->preparation)) {
        product_queues_submit(&service->queues, request);
    } else {
        request->waiter =
            (struct preparation_waiter){.done = service_on_prepared, .context = request};
        store_preparation_await(&service->preparation, &request->waiter);
    }
}

/* ---- for threads that wait ---- */

static void begin_run(void *context) {
    struct inventory_request *request = context;
    request->correlation = correlation_current();
    inventory_service_submit(request->service, request);
}

static void end_run(struct inventory_request *request) {
    loop_call_end(&request->call);
}

enum status inventory_service_run(struct inventory_service *service,
                                  struct inventory_request *request, struct error *err) {
    request->service = service;
    request->done = end_run;
    loop_call_run(&request->call, service->platform->loop, begin_run, request);
    if (request->status != STATUS_OK && err != NULL) {
        *err = request->failure;
    }
    return request->status;
}

struct cancel_call {
    struct loop_call call;
    struct product_queues *queues;
};

static void begin_cancel(void *context) {
    struct cancel_call *cancel = context;
    product_queues_close(cancel->queues);
    loop_call_end(&cancel->call);
}

void inventory_service_cancel(struct inventory_service *service) {
    struct cancel_call cancel = {.queues = &service->queues};
    loop_call_run(&cancel.call, service->platform->loop, begin_cancel, &cancel);
}

/* ---- snapshots ---- */

/* Rows that expire within this time are read too, for the time that the read takes. */
enum { SNAPSHOT_AHEAD_MS = 10000 };

static struct inventory_query make_query(const struct inventory_snapshot *snapshot) {
    struct inventory_store *store = snapshot->service->store;
    struct inventory_query query = {.until_ms = store->ops->now_ms(store) + SNAPSHOT_AHEAD_MS};
    switch (snapshot->kind) {
    case SNAPSHOT_ALL:
        query = (struct inventory_query){.all = true};
        break;
    case SNAPSHOT_SUMS:
        break;
    case SNAPSHOT_CUSTOMER:
        query.customer_id = snapshot->customer_id;
        break;
    case SNAPSHOT_RESERVATION:
        query.reservation_id = snapshot->reservation_id;
        query.later_only = true;
        break;
    }
    query.visitor = snapshot->visitor;
    return query;
}

bool inventory_snapshot_is_as_committed(const struct inventory_snapshot *snapshot) {
    return !inventory_has_expired(&snapshot->state, snapshot->now_ms);
}

static void service_end_snapshot(struct inventory_snapshot *snapshot, enum status status,
                                 const struct error *err) {
    snapshot->status = status;
    if (status == STATUS_OK) {
        snapshot->now_ms = snapshot->service->store->ops->now_ms(snapshot->service->store);
        if (snapshot->kind == SNAPSHOT_SUMS || snapshot->kind == SNAPSHOT_CUSTOMER) {
            /* Rows that expire later may be missing. */
            snapshot->now_ms = clock_min_ms(snapshot->now_ms, snapshot->query.until_ms);
        }
    } else {
        snapshot->failure = *err;
        store_preparation_note_status(&snapshot->service->preparation, status, &snapshot->failure);
    }
    correlation_use(snapshot->correlation);
    snapshot->done(snapshot); /* may free the snapshot and its correlation */
    correlation_use(NULL);
}

static void service_on_snapshot_taken(struct inventory_request *request) {
    struct error *failure = &request->failure;
    enum status status = request->status;
    if (status == STATUS_PRECONDITION_FAILED || status == STATUS_LEASE_CONFLICT) {
        status = error_set(failure, STATUS_UNAVAILABLE,
                           "product %s changes faster than it can be read", request->product_id);
    }
    service_end_snapshot(request->context, status, failure);
}

/* Under the product's lease nobody else changes it. */
static void read_with_lease(struct inventory_snapshot *snapshot) {
    snapshot->request = (struct inventory_request){.operation = &operation_snapshot,
                                                   .correlation = snapshot->correlation,
                                                   .product_id = snapshot->product_id,
                                                   .snapshot = &snapshot->state,
                                                   .snapshot_query = &snapshot->query,
                                                   .done = service_on_snapshot_taken,
                                                   .context = snapshot};
    inventory_service_submit(snapshot->service, &snapshot->request);
}

static void service_on_snapshot_read(void *context, enum status status, const struct error *err) {
    struct inventory_snapshot *snapshot = context;
    if (status == STATUS_PRECONDITION_FAILED) {
        read_with_lease(snapshot);
    } else {
        service_end_snapshot(snapshot, status, err);
    }
}

static void read_without_lease(void *context, enum status status, const struct error *err) {
    struct inventory_snapshot *snapshot = context;
    if (status != STATUS_OK) {
        service_end_snapshot(snapshot, status, err);
        return;
    }
    const struct correlation *before = correlation_use(snapshot->correlation);
    snapshot->query = make_query(snapshot);
    product_read(snapshot->service->store, snapshot->product_id, &snapshot->query, &snapshot->state,
                 service_on_snapshot_read, snapshot);
    correlation_use(before);
}

void inventory_service_take_snapshot(struct inventory_service *service,
                                     struct inventory_snapshot *snapshot) {
    snapshot->service = service;
    product_state_init(&snapshot->state);
    if (store_preparation_is_ready(&service->preparation)) {
        read_without_lease(snapshot, STATUS_OK, NULL);
    } else {
        snapshot->waiter =
            (struct preparation_waiter){.done = read_without_lease, .context = snapshot};
        store_preparation_await(&service->preparation, &snapshot->waiter);
    }
}

static void end_snapshot_call(struct inventory_snapshot *snapshot) {
    loop_call_end(&snapshot->call);
}

static void begin_snapshot_call(void *context) {
    struct inventory_snapshot *snapshot = context;
    snapshot->correlation = correlation_current();
    inventory_service_take_snapshot(snapshot->service, snapshot);
}

enum status inventory_service_wait_for_snapshot(struct inventory_service *service,
                                                struct inventory_snapshot *snapshot,
                                                struct error *err) {
    snapshot->service = service;
    snapshot->done = end_snapshot_call;
    loop_call_run(&snapshot->call, service->platform->loop, begin_snapshot_call, snapshot);
    if (snapshot->status != STATUS_OK && err != NULL) {
        *err = snapshot->failure;
    }
    return snapshot->status;
}

enum status inventory_service_get(struct inventory_service *service, const char *product_id,
                                  struct product_state *state, int64_t *out_now_ms,
                                  struct error *err) {
    struct inventory_snapshot snapshot = {.product_id = product_id};
    enum status status = inventory_service_wait_for_snapshot(service, &snapshot, err);
    if (status == STATUS_OK) {
        product_state_cleanup(state);
        *state = snapshot.state;
        *out_now_ms = snapshot.now_ms;
    } else {
        product_state_cleanup(&snapshot.state);
    }
    return status;
}

/* ---- which leases are wanted ---- */

struct product_search {
    char lease_name[LEASE_NAME_BYTES];
    struct inventory_query query; /* zeroed: the product's own row is enough */
    struct product_state state;
    void (*done)(void *context, bool is_wanted);
    void *context;
};

static void service_on_found(void *context, enum status status, const struct error *err) {
    (void)err;
    struct product_search *search = context;
    void (*done)(void *, bool) = search->done;
    void *done_context = search->context;
    product_state_cleanup(&search->state);
    free(search);
    done(done_context, status != STATUS_NOT_FOUND);
}

static bool is_product_lease(const char *lease_name) {
    return strcmp(lease_name, RECONCILIATION_LEASE_NAME) != 0 &&
           strncmp(lease_name, PRODUCT_LEASE_PREFIX, strlen(PRODUCT_LEASE_PREFIX)) == 0;
}

enum lease_wanted inventory_service_wants_lease(void *context, const char *lease_name,
                                                void (*done)(void *done_context, bool is_wanted),
                                                void *done_context) {
    struct inventory_store *store = ((struct inventory_service *)context)->store;
    struct product_search *search = is_product_lease(lease_name) ? calloc(1, sizeof *search) : NULL;
    if (search == NULL) {
        return LEASE_WANTED;
    }
    snprintf(search->lease_name, sizeof search->lease_name, "%s", lease_name);
    search->done = done;
    search->context = done_context;
    product_state_init(&search->state);
    store->ops->read(store, search->lease_name + strlen(PRODUCT_LEASE_PREFIX), &search->query,
                     &search->state, service_on_found, search);
    return LEASE_WANTED_PENDING;
}
