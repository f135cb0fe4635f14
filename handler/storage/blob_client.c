#include "storage/blob_client.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { LEASE_DURATION_MIN_S = 15, LEASE_DURATION_MAX_S = 60, METADATA_HEADER_MAX_BYTES = 1024 };

/* "Lease Blob": the name of each action, and its one success. */
static const struct {
    const char *name;
    int success_http_status;
    bool names_lease; /* the success names the lease in x-ms-lease-id */
} lease_actions[] = {
    [BLOB_LEASE_ACQUIRE] = {"acquire", 201, true},
    [BLOB_LEASE_RENEW] = {"renew", 200, true},
    [BLOB_LEASE_RELEASE] = {"release", 200, false},
    [BLOB_LEASE_BREAK] = {"break", 202, false},
};

/*
 * Appends a percent-encoded blob name. Slashes stay, as in Azure's SDKs, so that names in Azure's
 * logs can be read.
 */
static void append_blob_name(struct strbuf *path, const char *blob) {
    for (const char *c = blob; *c != '\0'; c++) {
        const char text[2] = {*c, '\0'};
        if (*c == '/') {
            strbuf_append_char(path, '/');
        } else {
            strbuf_append_percent_encoded(path, text);
        }
    }
}

/* `blob` is NULL for an operation on the container. */
static void begin_put(struct storage_request *request, int success_http_status,
                      const char *container, const char *blob) {
    storage_request_init(request, STORAGE_BLOB, "PUT", success_http_status);
    strbuf_append_char(&request->path, '/');
    strbuf_append_percent_encoded(&request->path, container);
    if (blob != NULL) {
        strbuf_append_char(&request->path, '/');
        append_blob_name(&request->path, blob);
    }
}

/* `lease_id` is NULL for a break, which names no lease. */
static void begin_lease_action(struct storage_request *request, enum blob_action action,
                               const char *container, const char *blob, const char *lease_id) {
    begin_put(request, lease_actions[action].success_http_status, container, blob);
    if (lease_actions[action].names_lease) {
        snprintf(request->success.lease_id, sizeof request->success.lease_id, "%s", lease_id);
    }
    http_headers_add(&request->query, "comp", "lease");
    http_headers_add(&request->headers, "x-ms-lease-action", lease_actions[action].name);
}

/* ---- the requests ---- */

static void build_container(struct storage_request *request, const char *container) {
    begin_put(request, 201, container, NULL);
    http_headers_add(&request->query, "restype", "container");
}

static void add_metadata(struct http_headers *headers, const char *name, const char *value) {
    struct strbuf header;
    strbuf_init(&header, METADATA_HEADER_MAX_BYTES);
    strbuf_appendf(&header, "x-ms-meta-%s", name);
    if (strbuf_status(&header) == STATUS_OK) {
        http_headers_add(headers, header.data, value);
    } else if (headers->status == STATUS_OK) {
        headers->status = header.status;
    }
    strbuf_cleanup(&header);
}

static void build_empty(struct storage_request *request, const char *container, const char *blob,
                        const struct http_headers *metadata) {
    begin_put(request, 201, container, blob);
    http_headers_add(&request->headers, "x-ms-blob-type", "BlockBlob");
    http_headers_add(&request->headers, "If-None-Match", "*");
    for (size_t i = 0; metadata != NULL && i < metadata->count; i++) {
        add_metadata(&request->headers, metadata->items[i].name, metadata->items[i].value);
    }
}

static void build_acquire(struct storage_request *request, const char *container, const char *blob,
                          const char *lease_id, int duration_s) {
    assert(duration_s == LEASE_DURATION_INFINITE_S ||
           (duration_s >= LEASE_DURATION_MIN_S && duration_s <= LEASE_DURATION_MAX_S));
    begin_lease_action(request, BLOB_LEASE_ACQUIRE, container, blob, lease_id);
    http_headers_add(&request->headers, "x-ms-proposed-lease-id", lease_id);
    http_headers_addf(&request->headers, "x-ms-lease-duration", "%d", duration_s);
}

/* Builds a renewal or a release, which have one attempt. */
static void build_single_attempt(struct storage_request *request, enum blob_action action,
                                 const char *container, const char *blob, const char *lease_id) {
    begin_lease_action(request, action, container, blob, lease_id);
    http_headers_add(&request->headers, "x-ms-lease-id", lease_id);
    request->max_attempts = 1;
}

static void build_break(struct storage_request *request, const char *container, const char *blob) {
    begin_lease_action(request, BLOB_LEASE_BREAK, container, blob, NULL);
    http_headers_add(&request->headers, "x-ms-lease-break-period", "0");
}

/*
 * Returns the status of an operation, and writes it into `failure`.
 *
 * To create a blob that is leased, storage answers 412 before it looks at If-None-Match. That means
 * that the blob exists.
 *
 * If the first answer to a break was lost, that break may have ended the lease. Then a missing
 * lease is what the caller wanted.
 */
static enum status interpret_status(enum blob_action action, enum status status,
                                    struct error *failure) {
    if (action == BLOB_CREATE && (status == STATUS_PRECONDITION_FAILED ||
                                  status == STATUS_LEASE_LOST || status == STATUS_LEASE_CONFLICT)) {
        failure->status = STATUS_ALREADY_EXISTS;
    } else if (action == BLOB_LEASE_BREAK && status == STATUS_LEASE_LOST &&
               failure->may_have_happened) {
        failure->status = STATUS_OK;
    } else {
        failure->status = status;
    }
    return failure->status;
}

/* ---- operations on the loop's thread ---- */

static void on_answer(void *context, enum status status, struct http_reply *reply,
                      const struct error *err) {
    struct blob_operation *operation = context;
    struct error failure = *err;
    storage_request_cleanup(&operation->request);
    status = interpret_status(operation->action, status, &failure);
    operation->done(operation->context, status, reply != NULL ? reply->sent_ms : 0, &failure);
}

/* Starts an operation whose request is built. */
static void start_operation(struct blob_operation *operation, struct storage_client *client,
                            enum blob_action action, int64_t deadline_ms, blob_done done,
                            void *context) {
    operation->action = action;
    operation->done = done;
    operation->context = context;
    storage_operation_start(&operation->operation, client, &operation->request, deadline_ms,
                            on_answer, operation);
}

void blob_operation_abandon(struct blob_operation *operation) {
    if (operation->operation.state != STORAGE_OPERATION_IDLE) {
        storage_operation_abandon(&operation->operation);
        storage_request_cleanup(&operation->request);
    }
}

void blob_container_create_start(struct blob_operation *operation, struct storage_client *client,
                                 const char *container, int64_t deadline_ms, blob_done done,
                                 void *context) {
    build_container(&operation->request, container);
    start_operation(operation, client, BLOB_CREATE_CONTAINER, deadline_ms, done, context);
}

void blob_create_empty_start(struct blob_operation *operation, struct storage_client *client,
                             const char *container, const char *blob,
                             const struct http_headers *metadata, int64_t deadline_ms,
                             blob_done done, void *context) {
    build_empty(&operation->request, container, blob, metadata);
    start_operation(operation, client, BLOB_CREATE, deadline_ms, done, context);
}

void blob_lease_acquire_start(struct blob_operation *operation, struct storage_client *client,
                              const char *container, const char *blob, const char *lease_id,
                              int duration_s, int64_t deadline_ms, blob_done done, void *context) {
    build_acquire(&operation->request, container, blob, lease_id, duration_s);
    start_operation(operation, client, BLOB_LEASE_ACQUIRE, deadline_ms, done, context);
}

void blob_lease_renew_start(struct blob_operation *operation, struct storage_client *client,
                            const char *container, const char *blob, const char *lease_id,
                            int64_t deadline_ms, blob_done done, void *context) {
    build_single_attempt(&operation->request, BLOB_LEASE_RENEW, container, blob, lease_id);
    start_operation(operation, client, BLOB_LEASE_RENEW, deadline_ms, done, context);
}

void blob_lease_release_start(struct blob_operation *operation, struct storage_client *client,
                              const char *container, const char *blob, const char *lease_id,
                              int64_t deadline_ms, blob_done done, void *context) {
    build_single_attempt(&operation->request, BLOB_LEASE_RELEASE, container, blob, lease_id);
    start_operation(operation, client, BLOB_LEASE_RELEASE, deadline_ms, done, context);
}

void blob_lease_break_start(struct blob_operation *operation, struct storage_client *client,
                            const char *container, const char *blob, int64_t deadline_ms,
                            blob_done done, void *context) {
    build_break(&operation->request, container, blob);
    start_operation(operation, client, BLOB_LEASE_BREAK, deadline_ms, done, context);
}

/* ---- for callers that wait ---- */

enum status blob_lease_break(struct storage_client *client, const char *container, const char *blob,
                             int64_t deadline_ms, struct error *err) {
    struct error failure = {.status = STATUS_OK};
    struct storage_request request;
    struct http_reply reply;
    build_break(&request, container, blob);
    http_reply_init(&reply);
    enum status status = storage_client_send(client, &request, deadline_ms, &reply, &failure);
    status = interpret_status(BLOB_LEASE_BREAK, status, &failure);
    if (status != STATUS_OK && err != NULL) {
        *err = failure;
    }
    http_reply_cleanup(&reply);
    storage_request_cleanup(&request);
    return status;
}
