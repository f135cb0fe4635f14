#include "storage/blob_client.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEASE_DURATION_MIN_S = 15, LEASE_DURATION_MAX_S = 60, METADATA_HEADER_MAX_BYTES = 1024 };

/* "Lease Blob": each action, and the one success that it has. */
struct lease_action {
    const char *name;
    int success_http_status;
    bool names_lease; /* the success has the lease's id in x-ms-lease-id */
};

static const struct lease_action lease_acquire = {"acquire", 201, true};
static const struct lease_action lease_renew = {"renew", 200, true};
static const struct lease_action lease_release = {"release", 200, false};
static const struct lease_action lease_break = {"break", 202, false};

/*
 * Everything of a blob's name but its slashes is encoded: the SDKs send these as they are, and so appear in Azure's
 * logs.
 */
static void append_blob_name(struct strbuf *path, const char *blob) {
    for (const char *c = blob; *c; c++) {
        const char text[2] = {*c, '\0'};
        if (*c == '/') {
            strbuf_append_char(path, '/');
        } else {
            strbuf_append_percent_encoded(path, text);
        }
    }
}

/* `blob` is NULL for an operation on the container. */
static void begin_put(struct storage_request *request, int success_http_status, const char *container,
                      const char *blob) {
    storage_request_init(request, STORAGE_BLOB, "PUT", success_http_status);
    strbuf_append_char(&request->path, '/');
    strbuf_append_percent_encoded(&request->path, container);
    if (blob) {
        strbuf_append_char(&request->path, '/');
        append_blob_name(&request->path, blob);
    }
}

/* `lease_id`: of the lease that the action is about; NULL for a break. */
static void begin_lease_action(struct storage_request *request, const char *container, const char *blob,
                               const struct lease_action *action, const char *lease_id) {
    begin_put(request, action->success_http_status, container, blob);
    if (action->names_lease) {
        snprintf(request->success.lease_id, sizeof request->success.lease_id, "%s", lease_id);
    }
    http_headers_add(&request->query, "comp", "lease");
    http_headers_add(&request->headers, "x-ms-lease-action", action->name);
}

static enum status send_request(struct storage_client *client, const struct storage_request *request,
                                int64_t deadline_ms, int64_t *out_sent_ms, struct error *err) {
    struct http_reply reply;
    http_reply_init(&reply);
    enum status status = storage_client_send(client, request, deadline_ms, &reply, err);
    if (status == STATUS_OK && out_sent_ms) {
        *out_sent_ms = reply.sent_ms;
    }
    http_reply_release(&reply);
    return status;
}

static enum status send_and_release(struct storage_client *client, struct storage_request *request, int64_t deadline_ms,
                                    int64_t *out_sent_ms, struct error *err) {
    enum status status = send_request(client, request, deadline_ms, out_sent_ms, err);
    storage_request_release(request);
    return status;
}

enum status blob_container_create(struct storage_client *client, const char *container, int64_t deadline_ms,
                                  struct error *err) {
    struct storage_request request;
    begin_put(&request, 201, container, NULL);
    http_headers_add(&request.query, "restype", "container");
    return send_and_release(client, &request, deadline_ms, NULL, err);
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
    strbuf_release(&header);
}

enum status blob_create_empty(struct storage_client *client, const char *container, const char *blob,
                              const struct http_headers *metadata, int64_t deadline_ms, struct error *err) {
    struct storage_request request;
    begin_put(&request, 201, container, blob);
    http_headers_add(&request.headers, "x-ms-blob-type", "BlockBlob");
    http_headers_add(&request.headers, "If-None-Match", "*");
    for (size_t i = 0; metadata && i < metadata->count; i++) {
        add_metadata(&request.headers, metadata->items[i].name, metadata->items[i].value);
    }
    enum status status = send_and_release(client, &request, deadline_ms, NULL, err);
    /*
     * A blob that somebody holds a lease on answers 412 before it comes to If-None-Match: either says that there is
     * one.
     */
    if (status == STATUS_PRECONDITION_FAILED || status == STATUS_LEASE_LOST || status == STATUS_LEASE_CONFLICT) {
        status = STATUS_ALREADY_EXISTS;
        if (err) {
            err->status = status;
        }
    }
    return status;
}

enum status blob_lease_acquire(struct storage_client *client, const char *container, const char *blob,
                               const char *lease_id, int duration_s, int64_t deadline_ms, int64_t *out_sent_ms,
                               struct error *err) {
    assert(duration_s == LEASE_DURATION_INFINITE_S ||
           (duration_s >= LEASE_DURATION_MIN_S && duration_s <= LEASE_DURATION_MAX_S));
    struct storage_request request;
    begin_lease_action(&request, container, blob, &lease_acquire, lease_id);
    http_headers_add(&request.headers, "x-ms-proposed-lease-id", lease_id);
    http_headers_addf(&request.headers, "x-ms-lease-duration", "%d", duration_s);
    return send_and_release(client, &request, deadline_ms, out_sent_ms, err);
}

enum status blob_lease_break(struct storage_client *client, const char *container, const char *blob,
                             int64_t deadline_ms, struct error *err) {
    struct storage_request request;
    begin_lease_action(&request, container, blob, &lease_break, NULL);
    http_headers_add(&request.headers, "x-ms-lease-break-period", "0");
    request.max_attempts = 1;
    struct error failure = {.status = STATUS_OK};
    enum status status = send_request(client, &request, deadline_ms, NULL, &failure);
    if (status == STATUS_UNAVAILABLE &&
        storage_client_back_off(client, 1, failure.retry_after_ms, deadline_ms) == STATUS_OK) {
        request.max_attempts = 0;
        status = send_request(client, &request, deadline_ms, NULL, &failure);
        if (status ==
            STATUS_LEASE_LOST) { /* the first may have ended it: that there is none now is what was asked for */
            status = STATUS_OK;
        }
    }
    storage_request_release(&request);
    if (status != STATUS_OK && err) {
        *err = failure;
    }
    return status;
}

/* A lease action that nobody waits for. It lives until it is answered. */
struct lease_call {
    struct loop_task start;
    struct storage_client *client;
    struct storage_request request;
    int64_t deadline_ms;
    struct storage_operation operation;
    storage_done done;
    void *context;
};

static void on_lease_answer(void *context, enum status status, struct http_reply *reply, const struct error *err) {
    struct lease_call *call = context;
    call->done(call->context, status, reply, err);
    storage_request_release(&call->request);
    free(call);
}

static void start_lease_call(void *context) {
    struct lease_call *call = context;
    storage_operation_start(&call->operation, call->client, &call->request, call->deadline_ms, on_lease_answer, call);
}

static enum status submit_lease_action(struct storage_client *client, const char *container, const char *blob,
                                       const struct lease_action *action, const char *lease_id, int64_t timeout_ms,
                                       storage_done done, void *context) {
    struct lease_call *call = calloc(1, sizeof *call);
    if (!call) {
        return STATUS_NO_MEMORY;
    }
    call->client = client;
    call->deadline_ms = clock_now_ms(client->clock) + timeout_ms;
    call->done = done;
    call->context = context;
    call->start = (struct loop_task){.run = start_lease_call, .context = call};
    begin_lease_action(&call->request, container, blob, action, lease_id);
    http_headers_add(&call->request.headers, "x-ms-lease-id", lease_id);
    call->request.max_attempts = 1;
    event_loop_post(client->http->loop, &call->start);
    return STATUS_OK;
}

enum status blob_lease_renew_submit(struct storage_client *client, const char *container, const char *blob,
                                    const char *lease_id, int64_t timeout_ms, storage_done done, void *context) {
    return submit_lease_action(client, container, blob, &lease_renew, lease_id, timeout_ms, done, context);
}

enum status blob_lease_release_submit(struct storage_client *client, const char *container, const char *blob,
                                      const char *lease_id, int64_t timeout_ms, storage_done done, void *context) {
    return submit_lease_action(client, container, blob, &lease_release, lease_id, timeout_ms, done, context);
}
