#include "lease/lease_store_blob.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/correlation.h"
#include "base/utc.h"
#include "base/uuid.h"
#include "lease/lease_names.h"
#include "storage/blob_client.h"
#include "storage/storage_client.h"

enum {
    /*
     * The first try finds the blob missing, the second finds what was created. More are needed only
     * if somebody deletes it in between.
     */
    MAX_TRIES = 4,
    BLOB_NAME_BYTES = LEASE_BLOB_PREFIX_BYTES + LEASE_NAME_BYTES,
};

/* A call under way: what lease_store_call.own points to, or the first member of that. */
struct blob_call {
    struct lease_store_call *call; /* NULL: abandoned */
    struct lease_store_blob *store;
    struct blob_operation operation;
    char blob[BLOB_NAME_BYTES];
    bool is_checking_name; /* `wants` has not answered yet, so this may not be freed */
};

/*
 * Begins a call about the lease `name`. Allocates `bytes` for a struct that begins with a
 * blob_call, and zeroes the rest. Returns NULL without memory.
 */
static void *blob_call_new(size_t bytes, struct lease_store *base, struct lease_store_call *call,
                           const char *name) {
    struct lease_store_blob *store = (struct lease_store_blob *)base;
    struct blob_call *own = calloc(1, bytes);
    if (own == NULL) {
        return NULL;
    }
    own->call = call;
    own->store = store;
    int length = snprintf(own->blob, sizeof own->blob, "%s%s", store->options->blob_prefix, name);
    assert(length > 0 && length < BLOB_NAME_BYTES);
    (void)length;
    call->own = own;
    return own;
}

/*
 * Answers the call's owner, who may start it again or free it, and frees our part. The owner does
 * not run under our copy of the correlation, which is freed as well.
 */
static void blob_call_end(struct blob_call *own, enum status status, const struct error *err) {
    struct lease_store_call *call = own->call;
    const struct correlation *before = correlation_use(NULL);
    call->own = NULL;
    call->done(call->context, status, err);
    free(own);
    correlation_use(before);
}

static void blob_store_abandon(struct lease_store *base, struct lease_store_call *call) {
    struct blob_call *own = call->own;
    (void)base;
    if (own == NULL) {
        return;
    }
    call->own = NULL;
    own->call = NULL;
    blob_operation_abandon(&own->operation);
    if (!own->is_checking_name) {
        free(own);
    }
}

/* ---- renew, release, break ---- */

/* To a holder, 409 and 412 mean that the lease is no longer its own, whatever the error code. */
static void on_holder_reply(void *context, enum status status, int64_t sent_ms,
                            const struct error *err) {
    (void)sent_ms;
    if (status != STATUS_OK && (err->http_status == 409 || err->http_status == 412)) {
        status = STATUS_LEASE_LOST;
    }
    blob_call_end(context, status, err);
}

static void on_break_reply(void *context, enum status status, int64_t sent_ms,
                           const struct error *err) {
    (void)sent_ms;
    blob_call_end(context, status, err);
}

/* blob_lease_renew_start or blob_lease_release_start. */
typedef void holder_request_start(struct blob_operation *operation, struct storage_client *client,
                                  const char *container, const char *blob, const char *lease_id,
                                  int64_t deadline_ms, blob_done done, void *context);

static enum status start_holder_request(holder_request_start *start, struct lease_store *base,
                                        struct lease_store_call *call, const char *name,
                                        const char *lease_id, int64_t timeout_ms) {
    struct blob_call *own = blob_call_new(sizeof *own, base, call, name);
    if (own == NULL) {
        return STATUS_NO_MEMORY;
    }
    struct storage_client *client = own->store->client;
    start(&own->operation, client, own->store->options->container, own->blob, lease_id,
          clock_now_ms(client->platform->clock) + timeout_ms, on_holder_reply, own);
    return STATUS_OK;
}

static enum status blob_store_renew(struct lease_store *base, struct lease_store_call *call,
                                    const char *name, const char *lease_id, int64_t timeout_ms) {
    return start_holder_request(blob_lease_renew_start, base, call, name, lease_id, timeout_ms);
}

static enum status blob_store_release(struct lease_store *base, struct lease_store_call *call,
                                      const char *name, const char *lease_id, int64_t timeout_ms) {
    return start_holder_request(blob_lease_release_start, base, call, name, lease_id, timeout_ms);
}

static enum status blob_store_break(struct lease_store *base, struct lease_store_call *call,
                                    const char *name, int64_t deadline_ms) {
    struct blob_call *own = blob_call_new(sizeof *own, base, call, name);
    if (own == NULL) {
        return STATUS_NO_MEMORY;
    }
    blob_lease_break_start(&own->operation, own->store->client, own->store->options->container,
                           own->blob, deadline_ms, on_break_reply, own);
    return STATUS_OK;
}

/* ---- acquire ---- */

/*
 * An acquire under way. Each state has a section below, the last one first.
 *
 *     state                left by                                then
 *     TRYING               404                                    CHECKING_NAME
 *                          anything else                          ends with that
 *     CHECKING_NAME        it is wanted, or nobody has to be      CREATING_CONTAINER
 *     (wants)              asked
 *                          it is not wanted                       ends with STATUS_NOT_FOUND
 *     CREATING_CONTAINER   created, or somebody else was first    CREATING_BLOB
 *     (if it is missing)   anything else                          ends with that
 *     CREATING_BLOB        created, or somebody else was first,   TRYING; after MAX_TRIES ends with
 *                          or the container is missing again      STATUS_UNAVAILABLE
 *                          anything else                          ends with that
 *
 * Each try uses the same lease id. So after a try whose reply was lost, the next one gets the same
 * lease. One deadline covers all of it. An acquire that is abandoned in CHECKING_NAME is kept until
 * `wants` has answered. Then it is freed without a call of `done`.
 */
struct blob_acquire {
    struct blob_call base; /* first */
    char name[LEASE_NAME_BYTES];
    char lease_id[UUID_TEXT_BYTES];
    int duration_s;
    int64_t deadline_ms;
    int tries;            /* that found something missing */
    struct error missing; /* storage's reply to the last try: the blob or container is missing */
    bool may_be_granted;  /* the reply to an attempt to acquire the lease is unknown */
    struct correlation correlation; /* a copy of the caller's */
    bool has_correlation;
};

static void acquire_try(struct blob_acquire *acquire);

/*
 * Ends the acquire with a failure. Its may_have_happened tells whether any try may have been
 * granted the lease. It does not speak of requests that create a blob.
 */
static void acquire_fail(struct blob_acquire *acquire, enum status status,
                         const struct error *err) {
    struct error failure = *err;
    failure.may_have_happened = acquire->may_be_granted;
    blob_call_end(&acquire->base, status, &failure);
}

/* Ends the acquire because `what`, which was missing, could not be created. */
static void acquire_end_uncreated(struct blob_acquire *acquire, const char *what, const char *name,
                                  enum status status, const struct error *err) {
    struct error failure = *err;
    error_wrap(&failure, "creating the %s %s", what, name);
    acquire_fail(acquire, status, &failure);
}

/* ---- CREATING_BLOB ---- */

/* If somebody else was first, or has deleted the container since, the next try notices it. */
static void on_blob_created(void *context, enum status status, int64_t sent_ms,
                            const struct error *err) {
    struct blob_acquire *acquire = context;
    (void)sent_ms;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS ||
        status == STATUS_CONTAINER_NOT_FOUND) {
        acquire->tries++;
        acquire_try(acquire);
        return;
    }
    acquire_end_uncreated(acquire, "blob", acquire->base.blob, status, err);
}

static void add_metadata(const struct blob_acquire *acquire, struct http_headers *metadata) {
    struct lease_store_blob *store = acquire->base.store;
    const struct leasehold_options *options = store->options;
    char created[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(storage_clock_ms(&store->client->clocks[STORAGE_BLOB]), created);
    http_headers_add(metadata, "leaseName", acquire->name);
    http_headers_add(metadata, "createdAt", created);
    for (size_t i = 0; i < options->metadata_count; i++) {
        struct strbuf key;
        strbuf_init(&key, 1024);
        strbuf_appendf(&key, "lease_%s", options->metadata[i].name);
        if (strbuf_status(&key) == STATUS_OK) {
            http_headers_add(metadata, key.data, options->metadata[i].value);
        } else {
            metadata->status = strbuf_status(&key);
        }
        strbuf_cleanup(&key);
    }
}

static void create_blob(struct blob_acquire *acquire) {
    struct lease_store_blob *store = acquire->base.store;
    struct http_headers metadata;
    http_headers_init(&metadata);
    add_metadata(acquire, &metadata);
    enum status status = metadata.status;
    if (status == STATUS_OK) {
        blob_create_empty_start(&acquire->base.operation, store->client, store->options->container,
                                acquire->base.blob, &metadata, acquire->deadline_ms,
                                on_blob_created, acquire);
    }
    http_headers_cleanup(&metadata);
    if (status != STATUS_OK) {
        struct error err;
        acquire_fail(acquire, error_set(&err, status, "%s", status_text(status)), &err);
    }
}

/* ---- CREATING_CONTAINER ---- */

/* STATUS_ALREADY_EXISTS: somebody else was first. */
static void on_container_created(void *context, enum status status, int64_t sent_ms,
                                 const struct error *err) {
    struct blob_acquire *acquire = context;
    (void)sent_ms;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        create_blob(acquire);
        return;
    }
    acquire_end_uncreated(acquire, "container", acquire->base.store->options->container, status,
                          err);
}

static void create_missing(struct blob_acquire *acquire) {
    struct lease_store_blob *store = acquire->base.store;
    if (acquire->missing.status != STATUS_CONTAINER_NOT_FOUND) {
        create_blob(acquire);
    } else if (!store->options->create_container) {
        error_wrap(&acquire->missing,
                   "the container %s does not exist, and may not be created (option "
                   "create_container, setting CreateContainerIfNotExists)",
                   store->options->container);
        acquire_fail(acquire, STATUS_CONTAINER_NOT_FOUND, &acquire->missing);
    } else {
        blob_container_create_start(&acquire->base.operation, store->client,
                                    store->options->container, acquire->deadline_ms,
                                    on_container_created, acquire);
    }
}

/* ---- CHECKING_NAME ---- */

static const struct correlation *correlation_of(const struct blob_acquire *acquire) {
    return acquire->has_correlation ? &acquire->correlation : NULL;
}

static void on_wanted(void *context, bool is_wanted) {
    struct blob_acquire *acquire = context;
    acquire->base.is_checking_name = false;
    if (acquire->base.call == NULL) {
        free(acquire);
        return;
    }
    const struct correlation *before = correlation_use(correlation_of(acquire));
    if (is_wanted) {
        create_missing(acquire);
    } else {
        struct error err;
        error_set(&err, STATUS_NOT_FOUND, "there is nothing that the lease %s would guard",
                  acquire->name);
        acquire_fail(acquire, STATUS_NOT_FOUND, &err);
    }
    correlation_use(before);
}

static void on_missing(struct blob_acquire *acquire) {
    struct lease_store_blob *store = acquire->base.store;
    acquire->base.is_checking_name =
        store->wants != NULL &&
        store->wants(store->context, acquire->name, on_wanted, acquire) == LEASE_WANTED_PENDING;
    if (!acquire->base.is_checking_name) {
        create_missing(acquire);
    }
}

/* ---- TRYING ---- */

static void on_tried(void *context, enum status status, int64_t sent_ms, const struct error *err) {
    struct blob_acquire *acquire = context;
    if (status == STATUS_OK) {
        acquire->base.call->sent_ms = sent_ms;
        blob_call_end(&acquire->base, STATUS_OK, err);
        return;
    }
    acquire->may_be_granted = acquire->may_be_granted || err->may_have_happened;
    if (status == STATUS_NOT_FOUND || status == STATUS_CONTAINER_NOT_FOUND) {
        acquire->missing = *err;
        on_missing(acquire);
    } else {
        acquire_fail(acquire, status, err);
    }
}

static void acquire_try(struct blob_acquire *acquire) {
    struct lease_store_blob *store = acquire->base.store;
    if (acquire->tries == MAX_TRIES) {
        struct error err;
        error_set(&err, STATUS_UNAVAILABLE, "the blob %s in %s is deleted as fast as it is created",
                  acquire->base.blob, store->options->container);
        acquire_fail(acquire, STATUS_UNAVAILABLE, &err);
        return;
    }
    blob_lease_acquire_start(&acquire->base.operation, store->client, store->options->container,
                             acquire->base.blob, acquire->lease_id, acquire->duration_s,
                             acquire->deadline_ms, on_tried, acquire);
}

static enum status blob_store_acquire(struct lease_store *base, struct lease_store_call *call,
                                      const char *name, const char *lease_id, int duration_s,
                                      int64_t deadline_ms) {
    const struct correlation *correlation = correlation_current();
    struct blob_acquire *own = blob_call_new(sizeof *own, base, call, name);
    if (own == NULL) {
        return STATUS_NO_MEMORY;
    }
    snprintf(own->name, sizeof own->name, "%s", name);
    snprintf(own->lease_id, sizeof own->lease_id, "%s", lease_id);
    own->duration_s = duration_s;
    own->deadline_ms = deadline_ms;
    own->has_correlation = correlation != NULL;
    if (correlation != NULL) {
        own->correlation = *correlation;
    }
    const struct correlation *before = correlation_use(correlation_of(own));
    acquire_try(own);
    correlation_use(before);
    return STATUS_OK;
}

void lease_store_blob_init(struct lease_store_blob *store, struct storage_client *client,
                           const struct leasehold_options *options) {
    static const struct lease_store_ops ops = {
        .acquire = blob_store_acquire,
        .renew = blob_store_renew,
        .release = blob_store_release,
        .break_lease = blob_store_break,
        .abandon = blob_store_abandon,
    };
    *store = (struct lease_store_blob){.base = {&ops}, .client = client, .options = options};
}
