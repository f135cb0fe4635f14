#include "lease/lease_store_blob.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utc.h"
#include "lease/lease_options.h"
#include "storage/blob_client.h"

/* One round finds nothing, the next finds what it created; more are needed only if somebody deletes it in between. */
enum { MAX_ROUNDS = 4, BLOB_NAME_BYTES = LEASE_BLOB_PREFIX_BYTES + LEASE_NAME_BYTES };

static void name_blob(const struct lease_store_blob *store, const char *name, char out[BLOB_NAME_BYTES]) {
    int length = snprintf(out, BLOB_NAME_BYTES, "%s%s", store->options->blob_prefix, name);
    assert(length > 0 && length < BLOB_NAME_BYTES);
    (void)length;
}

static enum status create_container(struct lease_store_blob *store, int64_t deadline_ms, struct error *err) {
    const char *container = store->options->container;
    if (!store->options->create_container) {
        error_wrap(err, "the container %s does not exist and is not to be created (CreateContainerIfNotExists)",
                   container);
        return STATUS_CONTAINER_NOT_FOUND;
    }
    enum status status = blob_container_create(store->client, container, deadline_ms, err);
    if (status == STATUS_ALREADY_EXISTS) { /* somebody else was first */
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        error_wrap(err, "creating the container %s", container);
    }
    return status;
}

static void describe(struct lease_store_blob *store, const char *name, struct http_headers *metadata) {
    const struct http_headers *extra = &store->options->metadata;
    char created[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(storage_clock_ms(&store->client->clocks[STORAGE_BLOB]), created);
    http_headers_add(metadata, "leaseName", name);
    http_headers_add(metadata, "createdAt", created);
    for (size_t i = 0; i < extra->count; i++) {
        struct strbuf key;
        strbuf_init(&key, 1024);
        strbuf_appendf(&key, "lease_%s", extra->items[i].name);
        if (strbuf_status(&key) == STATUS_OK) {
            http_headers_add(metadata, key.data, extra->items[i].value);
        } else {
            metadata->status = strbuf_status(&key);
        }
        strbuf_release(&key);
    }
}

static enum status create_blob(struct lease_store_blob *store, const char *name, const char *blob, int64_t deadline_ms,
                               struct error *err) {
    struct http_headers metadata;
    http_headers_init(&metadata);
    describe(store, name, &metadata);
    enum status status = metadata.status;
    if (status == STATUS_OK) {
        status = blob_create_empty(store->client, store->options->container, blob, &metadata, deadline_ms, err);
    } else {
        error_set(err, status, "%s", status_text(status));
    }
    http_headers_release(&metadata);
    /* Somebody else was first; or has deleted the container since: the next round will see. */
    if (status == STATUS_ALREADY_EXISTS || status == STATUS_CONTAINER_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        error_wrap(err, "creating the blob %s", blob);
    }
    return status;
}

/* `missing` is what storage has said to the acquire. */
static enum status create_missing(struct lease_store_blob *store, enum status missing, const char *name,
                                  const char *blob, int64_t deadline_ms, struct error *err) {
    enum status status = STATUS_OK;
    if (store->is_wanted != NULL && !store->is_wanted(store->context, name)) {
        return error_set(err, STATUS_NOT_FOUND, "there is nothing that the lease %s would guard", name);
    }
    if (missing == STATUS_CONTAINER_NOT_FOUND) {
        status = create_container(store, deadline_ms, err);
    }
    if (status == STATUS_OK) {
        status = create_blob(store, name, blob, deadline_ms, err);
    }
    return status;
}

static enum status acquire(struct lease_store *base, const char *name, const char *lease_id, int duration_s,
                           int64_t deadline_ms, int64_t *out_sent_ms, struct error *err) {
    struct lease_store_blob *store = (struct lease_store_blob *)base;
    const char *container = store->options->container;
    char blob[BLOB_NAME_BYTES];
    name_blob(store, name, blob);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        enum status status =
            blob_lease_acquire(store->client, container, blob, lease_id, duration_s, deadline_ms, out_sent_ms, err);
        if (status != STATUS_NOT_FOUND && status != STATUS_CONTAINER_NOT_FOUND) {
            return status;
        }
        status = create_missing(store, status, name, blob, deadline_ms, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return error_set(err, STATUS_UNAVAILABLE, "the blob %s in %s is deleted as fast as it is created", blob, container);
}

/* Carries a lease_store_done through storage's callback. */
struct waiting {
    lease_store_done done;
    void *context;
};

static void answered(void *context, enum status status, struct http_reply *reply, const struct error *err) {
    struct waiting *waiting = context;
    (void)reply;
    if (status != STATUS_OK && (err->http_status == 409 || err->http_status == 412)) {
        status = STATUS_LEASE_LOST; /* whatever its code: to a holder it means that the lease is not his */
    }
    waiting->done(waiting->context, status, err);
    free(waiting);
}

typedef enum status (*blob_submit)(struct storage_client *client, const char *container, const char *blob,
                                   const char *lease_id, int64_t timeout_ms, storage_done done, void *context);

static enum status submit(struct lease_store *base, blob_submit operation, const char *name, const char *lease_id,
                          int64_t timeout_ms, lease_store_done done, void *context) {
    struct lease_store_blob *store = (struct lease_store_blob *)base;
    char blob[BLOB_NAME_BYTES];
    name_blob(store, name, blob);
    struct waiting *waiting = malloc(sizeof *waiting);
    if (waiting == NULL) {
        return STATUS_NO_MEMORY;
    }
    *waiting = (struct waiting){.done = done, .context = context};
    enum status status =
        operation(store->client, store->options->container, blob, lease_id, timeout_ms, answered, waiting);
    if (status != STATUS_OK) {
        free(waiting);
    }
    return status;
}

static enum status renew(struct lease_store *store, const char *name, const char *lease_id, int64_t timeout_ms,
                         lease_store_done done, void *context) {
    return submit(store, blob_lease_renew_submit, name, lease_id, timeout_ms, done, context);
}

static enum status release(struct lease_store *store, const char *name, const char *lease_id, int64_t timeout_ms,
                           lease_store_done done, void *context) {
    return submit(store, blob_lease_release_submit, name, lease_id, timeout_ms, done, context);
}

static enum status break_lease(struct lease_store *base, const char *name, int64_t deadline_ms, struct error *err) {
    struct lease_store_blob *store = (struct lease_store_blob *)base;
    char blob[BLOB_NAME_BYTES];
    name_blob(store, name, blob);
    return blob_lease_break(store->client, store->options->container, blob, deadline_ms, err);
}

void lease_store_blob_init(struct lease_store_blob *store, struct storage_client *client,
                           const struct lease_store_blob_options *options) {
    static const struct lease_store_ops ops = {acquire, renew, release, break_lease};
    *store = (struct lease_store_blob){.base = {&ops}, .client = client, .options = options};
}
