#include "lease/lease_store_blob.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/correlation.h"
#include "base/utc.h"
#include "lease/lease_names.h"
#include "storage/blob_client.h"

/* One round finds nothing, the next finds what it created; more are needed only if somebody deletes it in between. */
enum { MAX_ROUNDS = 4, BLOB_NAME_BYTES = LEASE_BLOB_PREFIX_BYTES + LEASE_NAME_BYTES };

/* A request under way. The first member of everything that a call's `own` points to. */
struct blob_call {
    struct lease_store_call *call; /* NULL: abandoned */
    struct lease_store_blob *store;
    struct blob_operation operation;
    char blob[BLOB_NAME_BYTES];
    bool is_asking; /* is_wanted has not answered yet: it must stay until then */
};

/*
 * Begins a call about the lease `name`. `bytes`: of the struct that blob_call is the first member
 * of; what lies behind it is zeroed. NULL: no memory.
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
 * Answers the call's owner, who may start it again or free it, and frees our part in it. What the
 * owner does then is not done under our copy of the correlation, which goes.
 */
static void blob_call_end(struct blob_call *own, enum status status, const struct error *err) {
    struct lease_store_call *call = own->call;
    const struct correlation *before = correlation_use(NULL);
    call->own = NULL;
    call->done(call->context, status, err);
    free(own);
    correlation_use(before);
}

static void abandon(struct lease_store *base, struct lease_store_call *call) {
    struct blob_call *own = call->own;
    (void)base;
    if (own == NULL) {
        return;
    }
    call->own = NULL;
    own->call = NULL;
    blob_operation_abandon(&own->operation);
    if (!own->is_asking) {
        free(own);
    }
}

/* --- renew, release, break --- */

static void on_holders_answer(void *context, enum status status, int64_t sent_ms,
                              const struct error *err) {
    (void)sent_ms;
    if (status != STATUS_OK && (err->http_status == 409 || err->http_status == 412)) {
        status =
            STATUS_LEASE_LOST; /* whatever its code: to a holder it means that the lease is not his */
    }
    blob_call_end(context, status, err);
}

static void on_break_answer(void *context, enum status status, int64_t sent_ms,
                            const struct error *err) {
    (void)sent_ms;
    blob_call_end(context, status, err);
}

/* blob_lease_renew_start or blob_lease_release_start: one attempt of the lease's holder. */
typedef void holders_start(struct blob_operation *operation, struct storage_client *client,
                           const char *container, const char *blob, const char *lease_id,
                           int64_t deadline_ms, blob_done done, void *context);

static enum status start_holders(holders_start *start, struct lease_store *base,
                                 struct lease_store_call *call, const char *name,
                                 const char *lease_id, int64_t timeout_ms) {
    struct blob_call *own = blob_call_new(sizeof *own, base, call, name);
    if (own == NULL) {
        return STATUS_NO_MEMORY;
    }
    struct storage_client *client = own->store->client;
    start(&own->operation, client, own->store->options->container, own->blob, lease_id,
          clock_now_ms(client->platform->clock) + timeout_ms, on_holders_answer, own);
    return STATUS_OK;
}

static enum status renew(struct lease_store *base, struct lease_store_call *call, const char *name,
                         const char *lease_id, int64_t timeout_ms) {
    return start_holders(blob_lease_renew_start, base, call, name, lease_id, timeout_ms);
}

static enum status release(struct lease_store *base, struct lease_store_call *call,
                           const char *name, const char *lease_id, int64_t timeout_ms) {
    return start_holders(blob_lease_release_start, base, call, name, lease_id, timeout_ms);
}

static enum status break_lease(struct lease_store *base, struct lease_store_call *call,
                               const char *name, int64_t deadline_ms) {
    struct blob_call *own = blob_call_new(sizeof *own, base, call, name);
    if (own == NULL) {
        return STATUS_NO_MEMORY;
    }
    blob_lease_break_start(&own->operation, own->store->client, own->store->options->container,
                           own->blob, deadline_ms, on_break_answer, own);
    return STATUS_OK;
}

/* --- acquire --- */

/*
 * An acquire under way.
 *
 *     step                 left by                                then
 *     TRYING               404, in one of MAX_ROUNDS              ASKING; CREATING if nobody is asked
 *                          anything else                          ends with that
 *     ASKING (is_wanted)   the name is wanted                     CREATING
 *                          it is not                              ends: STATUS_NOT_FOUND
 *     CREATING CONTAINER   created, or somebody else was first    CREATING BLOB
 *     (if it is missing)   anything else                          ends with that
 *     CREATING BLOB        created, or somebody else was first,   TRYING, the next round
 *                          or the container has gone again
 *                          anything else                          ends with that
 *
 * The lease id is the same in each try, so that a try whose answer was lost is answered by the next.
 * One deadline is over all of it. Abandoned while ASKING, it waits for that answer and then ends
 * without one.
 */
struct blob_acquire {
    struct blob_call base; /* first */
    char name[LEASE_NAME_BYTES];
    char lease_id[UUID_TEXT_BYTES];
    int duration_s;
    int64_t deadline_ms;
    int round;
    struct error missing; /* what storage said to the last try: blob or container is missing */
    struct correlation correlation; /* a copy, of whoever started it */
    bool has_correlation;
};

static void acquire_try(struct blob_acquire *acquire);

/* Ends with a failure to create what was missing: `what` and its name. */
static void end_uncreated(struct blob_acquire *acquire, const char *what, const char *name,
                          enum status status, const struct error *err) {
    struct error failure = *err;
    error_wrap(&failure, "creating the %s %s", what, name);
    blob_call_end(&acquire->base, status, &failure);
}

static void on_blob_created(void *context, enum status status, int64_t sent_ms,
                            const struct error *err) {
    struct blob_acquire *acquire = context;
    (void)sent_ms;
    /* Somebody else was first; or has deleted the container since: the next round will see. */
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS ||
        status == STATUS_CONTAINER_NOT_FOUND) {
        acquire->round++;
        acquire_try(acquire);
        return;
    }
    end_uncreated(acquire, "blob", acquire->base.blob, status, err);
}

static void describe(const struct blob_acquire *acquire, struct http_headers *metadata) {
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
    describe(acquire, &metadata);
    enum status status = metadata.status;
    if (status == STATUS_OK) {
        blob_create_empty_start(&acquire->base.operation, store->client, store->options->container,
                                acquire->base.blob, &metadata, acquire->deadline_ms,
                                on_blob_created, acquire);
    }
    http_headers_cleanup(&metadata);
    if (status != STATUS_OK) {
        struct error err;
        blob_call_end(&acquire->base, error_set(&err, status, "%s", status_text(status)), &err);
    }
}

static void on_container_created(void *context, enum status status, int64_t sent_ms,
                                 const struct error *err) {
    struct blob_acquire *acquire = context;
    (void)sent_ms;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) { /* somebody else was first */
        create_blob(acquire);
        return;
    }
    end_uncreated(acquire, "container", acquire->base.store->options->container, status, err);
}

static void create_missing(struct blob_acquire *acquire) {
    struct lease_store_blob *store = acquire->base.store;
    if (acquire->missing.status != STATUS_CONTAINER_NOT_FOUND) {
        create_blob(acquire);
    } else if (!store->options->create_container) {
        error_wrap(
            &acquire->missing,
            "the container %s does not exist and is not to be created (CreateContainerIfNotExists)",
            store->options->container);
        blob_call_end(&acquire->base, STATUS_CONTAINER_NOT_FOUND, &acquire->missing);
    } else {
        blob_container_create_start(&acquire->base.operation, store->client,
                                    store->options->container, acquire->deadline_ms,
                                    on_container_created, acquire);
    }
}

static const struct correlation *correlation_of(const struct blob_acquire *acquire) {
    return acquire->has_correlation ? &acquire->correlation : NULL;
}

static void on_wanted(void *context, bool is_wanted) {
    struct blob_acquire *acquire = context;
    acquire->base.is_asking = false;
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
        blob_call_end(&acquire->base, STATUS_NOT_FOUND, &err);
    }
    correlation_use(before);
}

static void on_missing(struct blob_acquire *acquire) {
    struct lease_store_blob *store = acquire->base.store;
    acquire->base.is_asking = store->is_wanted != NULL &&
                              !store->is_wanted(store->context, acquire->name, on_wanted, acquire);
    if (!acquire->base.is_asking) {
        create_missing(acquire);
    }
}

static void on_tried(void *context, enum status status, int64_t sent_ms, const struct error *err) {
    struct blob_acquire *acquire = context;
    if (status == STATUS_NOT_FOUND || status == STATUS_CONTAINER_NOT_FOUND) {
        acquire->missing = *err;
        on_missing(acquire);
        return;
    }
    if (status == STATUS_OK) {
        acquire->base.call->sent_ms = sent_ms;
    }
    blob_call_end(&acquire->base, status, err);
}

static void acquire_try(struct blob_acquire *acquire) {
    struct lease_store_blob *store = acquire->base.store;
    if (acquire->round == MAX_ROUNDS) {
        struct error err;
        error_set(&err, STATUS_UNAVAILABLE, "the blob %s in %s is deleted as fast as it is created",
                  acquire->base.blob, store->options->container);
        blob_call_end(&acquire->base, STATUS_UNAVAILABLE, &err);
        return;
    }
    blob_lease_acquire_start(&acquire->base.operation, store->client, store->options->container,
                             acquire->base.blob, acquire->lease_id, acquire->duration_s,
                             acquire->deadline_ms, on_tried, acquire);
}

static enum status acquire(struct lease_store *base, struct lease_store_call *call,
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
    static const struct lease_store_ops ops = {acquire, renew, release, break_lease, abandon};
    *store = (struct lease_store_blob){.base = {&ops}, .client = client, .options = options};
}
