/*
 * leasehold_client.c - the lease manager, the blob store, storage and the transport behind one API.
 *
 * Inside, a failure is an enum status with a struct error, as everywhere in the handler. report()
 * translates it for the caller.
 */
#include "lease/leasehold.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/standard_streams.h"
#include "http/http_transport.h"
#include "http/platform.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "lease/lease_options.h"
#include "lease/lease_renewal.h"
#include "lease/lease_store_blob.h"
#include "lease/lease_wait.h"
#include "storage/storage_client.h"

/* Added to a time of the clock, this still fits an int64_t. */
#define MAX_WAIT_MS (INT64_MAX / 4)

struct leasehold_lease {
    struct leasehold *client;
    struct lease *lease;
    LIST_ENTRY(leasehold_lease) link;
};

struct leasehold {
    struct platform platform;
    struct storage_account account;
    struct leasehold_options options; /* a copy of the caller's */
    struct credential_shared_key shared_key;
    struct credential_sas sas;
    struct http_transport *transport;
    struct storage_client storage;
    struct lease_store_blob store;
    struct lease_manager *manager;
    pthread_mutex_t lock; /* guards `leases` */
    LIST_HEAD(, leasehold_lease) leases;
};

const char *leasehold_version(void) {
    return LEASEHOLD_VERSION;
}

/* ---- results ---- */

static enum leasehold_result result_of(enum status status) {
    switch (status) {
    case STATUS_OK:
        return LEASEHOLD_OK;
    case STATUS_NO_MEMORY:
        return LEASEHOLD_NO_MEMORY;
    case STATUS_INVALID_ARGUMENT:
        return LEASEHOLD_INVALID;
    case STATUS_LEASE_CONFLICT:
        return LEASEHOLD_HELD_ELSEWHERE;
    case STATUS_LEASE_LOST:
        return LEASEHOLD_LOST;
    case STATUS_UNAUTHORIZED:
        return LEASEHOLD_REFUSED;
    case STATUS_UNAVAILABLE:
        return LEASEHOLD_UNAVAILABLE;
    case STATUS_CANCELLED:
        return LEASEHOLD_CANCELLED;
    case STATUS_KEY_REUSED:
    case STATUS_MALFORMED:
    case STATUS_TOO_LARGE:
    case STATUS_NOT_FOUND:
    case STATUS_CONTAINER_NOT_FOUND:
    case STATUS_ALREADY_EXISTS:
    case STATUS_PRECONDITION_FAILED:
    case STATUS_NO_THREAD:
    case STATUS_INTERNAL:
        break;
    }
    return LEASEHOLD_FAILED;
}

const char *leasehold_result_text(enum leasehold_result result) {
    static const char *const texts[] = {
        [LEASEHOLD_OK] = "success",
        [LEASEHOLD_HELD_ELSEWHERE] = "somebody else holds the lease",
        [LEASEHOLD_LOST] = "the lease is no longer held",
        [LEASEHOLD_UNAVAILABLE] = "storage could not be reached or kept failing",
        [LEASEHOLD_REFUSED] = "storage rejected the credentials",
        [LEASEHOLD_CANCELLED] = "cancelled",
        [LEASEHOLD_INVALID] = "a value is not allowed",
        [LEASEHOLD_NO_MEMORY] = "out of memory",
        [LEASEHOLD_FAILED] = "an unexpected failure",
    };
    return (size_t)result < sizeof texts / sizeof texts[0] ? texts[result] : "unknown result";
}

/* Fills `err` from `cause` if `status` is a failure. */
static enum leasehold_result report(enum status status, const struct error *cause,
                                    struct leasehold_error *err) {
    enum leasehold_result result = result_of(status);
    if (result != LEASEHOLD_OK && err != NULL) {
        *err = (struct leasehold_error){.result = result, .http_status = cause->http_status};
        snprintf(err->code, sizeof err->code, "%s", cause->code);
        snprintf(err->request_id, sizeof err->request_id, "%s", cause->request_id);
        snprintf(err->message, sizeof err->message, "%s", cause->message);
    }
    return result;
}

struct leasehold_options leasehold_options_default(void) {
    return lease_options_default();
}

/* ---- opening and closing ---- */

/*
 * The transport's thread inherits a mask that blocks every signal. So it takes no signal that is
 * meant for the program, and does not die of a SIGPIPE from OpenSSL.
 */
static enum status start_transport(struct leasehold *client, struct error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum status status = http_transport_new(&client->transport, clock_system(), err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static enum status copy_options(struct leasehold *client, const struct leasehold_options *options,
                                struct error *err) {
    enum status status = lease_options_check(options, err);
    if (status == STATUS_OK) {
        status = lease_options_copy(options, &client->options, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return options->connection_string != NULL
               ? storage_account_parse(options->connection_string, &client->account, err)
               : error_set(err, STATUS_INVALID_ARGUMENT, "connection_string is not set");
}

/* Returns the credential for the account: its SAS, or else its key. */
static enum status init_credential(struct leasehold *client, struct credential **out,
                                   struct error *err) {
    if (client->account.sas[0] != '\0') {
        credential_sas_init(&client->sas, &client->account);
        *out = &client->sas.base;
        return STATUS_OK;
    }
    *out = &client->shared_key.base;
    return credential_shared_key_init(&client->shared_key, &client->account, err);
}

static enum status connect_storage(struct leasehold *client, struct error *err) {
    struct credential *credential = NULL;
    enum status status = init_credential(client, &credential, err);
    if (status == STATUS_OK) {
        status = start_transport(client, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    client->platform = http_transport_platform(client->transport, random_system());
    storage_client_init(&client->storage, &client->platform, &client->account, credential);
    lease_store_blob_init(&client->store, &client->storage, &client->options);
    return lease_manager_new(&client->manager, &client->options, &client->store.base,
                             &client->platform, err);
}

/*
 * Frees a client that is closed, or that could not be opened completely. The caller's use of the
 * leases that are left ends before the loop stops. No event follows, because close has ended them.
 */
static void client_free(struct leasehold *client) {
    for (struct leasehold_lease *lease = LIST_FIRST(&client->leases), *next; lease != NULL;
         lease = next) {
        next = LIST_NEXT(lease, link);
        leasehold_release(lease);
    }
    if (client->transport != NULL) {
        http_transport_stop(client->transport);
        storage_client_cleanup(&client->storage);
    }
    lease_manager_free(client->manager);
    http_transport_free(client->transport);
    credential_shared_key_cleanup(&client->shared_key);
    lease_options_cleanup(&client->options);
    storage_account_wipe(&client->account);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

/* A library must not write to the program's stdout and stderr. */
static void disable_log(void) {
    log_configure(LOG_NONE, "");
}

static enum status open_client(const struct leasehold_options *options, struct leasehold **out,
                               struct error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, disable_log);
    if (!standard_streams_open()) {
        return error_set(err, STATUS_INTERNAL,
                         "descriptors 0 to 2 are closed and cannot be opened");
    }
    struct leasehold *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for a client");
    }
    pthread_mutex_init(&client->lock, NULL);
    LIST_INIT(&client->leases);
    enum status status = copy_options(client, options, err);
    if (status == STATUS_OK) {
        status = connect_storage(client, err);
    }
    if (status != STATUS_OK) {
        client_free(client);
        return status;
    }
    *out = client;
    return STATUS_OK;
}

enum leasehold_result leasehold_open(const struct leasehold_options *options,
                                     struct leasehold **out, struct leasehold_error *err) {
    struct error cause = {.status = STATUS_OK};
    return report(open_client(options, out, &cause), &cause, err);
}

void leasehold_cancel(struct leasehold *client) {
    lease_manager_cancel_acquires(client->manager);
    lease_manager_cancel_waits(client->manager);
}

static int64_t limit_wait(int64_t wait_ms) {
    if (wait_ms < 0) {
        return 0;
    }
    return wait_ms < MAX_WAIT_MS ? wait_ms : MAX_WAIT_MS;
}

int leasehold_close(struct leasehold *client, int64_t timeout_ms) {
    if (client == NULL) {
        return 0;
    }
    leasehold_cancel(client);
    int left = lease_manager_close(client->manager,
                                   clock_now_ms(client->platform.clock) + limit_wait(timeout_ms));
    client_free(client);
    return left;
}

/* ---- leases ---- */

/* Allocates the handle first, so that a granted lease is never dropped for lack of memory. */
static enum status acquire_lease(struct leasehold *client, const struct leasehold_request *request,
                                 struct leasehold_lease **out, struct error *err) {
    enum status status = lease_request_check(request, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct leasehold_request completed = *request;
    struct leasehold_listener *listener = &completed.listener;
    if (listener->renewed == NULL && listener->renewal_failed == NULL && listener->lost == NULL) {
        *listener = client->options.listener;
    }
    struct leasehold_lease *handle = calloc(1, sizeof *handle);
    if (handle == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for a lease");
    }
    handle->client = client;
    status = lease_manager_acquire(client->manager, &completed, &handle->lease, err);
    if (status != STATUS_OK) {
        free(handle);
        return status;
    }
    pthread_mutex_lock(&client->lock);
    LIST_INSERT_HEAD(&client->leases, handle, link);
    pthread_mutex_unlock(&client->lock);
    *out = handle;
    return STATUS_OK;
}

enum leasehold_result leasehold_acquire(struct leasehold *client,
                                        const struct leasehold_request *request,
                                        struct leasehold_lease **out, struct leasehold_error *err) {
    struct error cause = {.status = STATUS_OK};
    return report(acquire_lease(client, request, out, &cause), &cause, err);
}

void leasehold_release(struct leasehold_lease *lease) {
    if (lease == NULL) {
        return;
    }
    struct leasehold *client = lease->client;
    pthread_mutex_lock(&client->lock);
    LIST_REMOVE(lease, link);
    pthread_mutex_unlock(&client->lock);
    lease_manager_release(client->manager, lease->lease);
    free(lease);
}

bool leasehold_is_held(const struct leasehold_lease *lease) {
    return lease_manager_is_held(lease->client->manager, lease->lease);
}

int64_t leasehold_safe_for_ms(const struct leasehold_lease *lease) {
    int64_t until_ms = lease_manager_safe_until_ms(lease->client->manager, lease->lease);
    int64_t left_ms = until_ms - clock_now_ms(lease->client->platform.clock);
    if (until_ms == INT64_MAX) {
        return INT64_MAX;
    }
    return left_ms > 0 ? left_ms : 0;
}

const char *leasehold_id(const struct leasehold_lease *lease) {
    return lease_id(lease->lease);
}

int leasehold_renewal_count(const struct leasehold_lease *lease) {
    return lease_manager_renewal_count(lease->client->manager, lease->lease);
}

enum leasehold_result leasehold_wait(const struct leasehold_lease *lease, int64_t duration_ms,
                                     struct leasehold_error *err) {
    struct error cause = {.status = STATUS_OK};
    enum status status =
        lease_manager_pause(lease->client->manager, lease->lease, limit_wait(duration_ms), &cause);
    return report(status, &cause, err);
}

static enum status extend_lease(struct leasehold_lease *lease, int64_t needed_ms,
                                struct error *err) {
    int duration_s = lease->lease->duration_s;
    if (needed_ms < 0 ||
        needed_ms >= lease_options_safe_for_ms(&lease->client->options, duration_s)) {
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "needed_ms is %lld; allowed: 0 to below the time from a renewal to its safe deadline",
            (long long)needed_ms);
    }
    int64_t safe_until_ms;
    return lease_manager_extend_for(lease->client->manager, lease->lease, needed_ms, &safe_until_ms,
                                    err);
}

enum leasehold_result leasehold_extend_for(struct leasehold_lease *lease, int64_t needed_ms,
                                           struct leasehold_error *err) {
    struct error cause = {.status = STATUS_OK};
    return report(extend_lease(lease, needed_ms, &cause), &cause, err);
}

enum leasehold_result leasehold_break(struct leasehold *client, const char *name,
                                      bool *out_was_held, struct leasehold_error *err) {
    struct error cause = {.status = STATUS_OK};
    enum status status = lease_request_check_name(name, &cause);
    if (status == STATUS_OK) {
        status = lease_manager_break(client->manager, name, &cause);
    }
    bool was_held = status == STATUS_OK;
    if (status == STATUS_LEASE_LOST || status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    }
    if (status == STATUS_OK && out_was_held != NULL) {
        *out_was_held = was_held;
    }
    return report(status, &cause, err);
}
