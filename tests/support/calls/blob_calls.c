#include "support/calls/blob_calls.h"

#include <check.h>

#include "http/loop_call.h"

/* What is asked, and what came of it. */
struct blob_call {
    struct loop_call call;
    struct blob_operation operation;
    struct storage_client *client;
    enum blob_action action;
    const char *container, *blob, *lease_id;
    const struct http_headers *metadata;
    int duration_s;
    int64_t deadline_ms;
    int end_count;
    enum status status;
    int64_t sent_ms;
    struct error err;
};

static void on_end(void *context, enum status status, int64_t sent_ms, const struct error *err) {
    struct blob_call *own = context;
    own->end_count++;
    own->status = status;
    own->sent_ms = sent_ms;
    own->err = *err;
    loop_call_end(&own->call);
}

static void begin(void *context) {
    struct blob_call *own = context;
    switch (own->action) {
    case BLOB_CREATE_CONTAINER:
        blob_container_create_start(&own->operation, own->client, own->container, own->deadline_ms,
                                    on_end, own);
        break;
    case BLOB_CREATE:
        blob_create_empty_start(&own->operation, own->client, own->container, own->blob,
                                own->metadata, own->deadline_ms, on_end, own);
        break;
    case BLOB_LEASE_ACQUIRE:
        blob_lease_acquire_start(&own->operation, own->client, own->container, own->blob,
                                 own->lease_id, own->duration_s, own->deadline_ms, on_end, own);
        break;
    case BLOB_LEASE_RENEW:
        blob_lease_renew_start(&own->operation, own->client, own->container, own->blob,
                               own->lease_id, own->deadline_ms, on_end, own);
        break;
    case BLOB_LEASE_RELEASE:
        blob_lease_release_start(&own->operation, own->client, own->container, own->blob,
                                 own->lease_id, own->deadline_ms, on_end, own);
        break;
    case BLOB_LEASE_BREAK:
        ck_abort_msg("blob_lease_break waits by itself");
    }
    ck_assert_int_eq(own->end_count, 0); /* never inside start */
}

static enum status run(struct blob_call *own, int64_t *out_sent_ms, struct error *err) {
    loop_call_run(&own->call, own->client->platform->loop, begin, own);
    ck_assert_int_eq(own->end_count, 1);
    if (own->status == STATUS_OK && out_sent_ms != NULL) {
        *out_sent_ms = own->sent_ms;
    } else if (own->status != STATUS_OK && err != NULL) {
        *err = own->err;
    }
    return own->status;
}

enum status blob_container_create(struct storage_client *client, const char *container,
                                  int64_t deadline_ms, struct error *err) {
    struct blob_call own = {.client = client,
                            .action = BLOB_CREATE_CONTAINER,
                            .container = container,
                            .deadline_ms = deadline_ms};
    return run(&own, NULL, err);
}

enum status blob_create_empty(struct storage_client *client, const char *container,
                              const char *blob, const struct http_headers *metadata,
                              int64_t deadline_ms, struct error *err) {
    struct blob_call own = {.client = client,
                            .action = BLOB_CREATE,
                            .container = container,
                            .blob = blob,
                            .metadata = metadata,
                            .deadline_ms = deadline_ms};
    return run(&own, NULL, err);
}

static enum status act(struct storage_client *client, enum blob_action action,
                       const char *container, const char *blob, const char *lease_id,
                       int duration_s, int64_t deadline_ms, int64_t *out_sent_ms,
                       struct error *err) {
    struct blob_call own = {.client = client,
                            .action = action,
                            .container = container,
                            .blob = blob,
                            .lease_id = lease_id,
                            .duration_s = duration_s,
                            .deadline_ms = deadline_ms};
    return run(&own, out_sent_ms, err);
}

enum status blob_lease_acquire(struct storage_client *client, const char *container,
                               const char *blob, const char *lease_id, int duration_s,
                               int64_t deadline_ms, int64_t *out_sent_ms, struct error *err) {
    return act(client, BLOB_LEASE_ACQUIRE, container, blob, lease_id, duration_s, deadline_ms,
               out_sent_ms, err);
}

enum status blob_lease_renew(struct storage_client *client, const char *container, const char *blob,
                             const char *lease_id, int64_t deadline_ms, struct error *err) {
    return act(client, BLOB_LEASE_RENEW, container, blob, lease_id, 0, deadline_ms, NULL, err);
}

enum status blob_lease_release(struct storage_client *client, const char *container,
                               const char *blob, const char *lease_id, int64_t deadline_ms,
                               struct error *err) {
    return act(client, BLOB_LEASE_RELEASE, container, blob, lease_id, 0, deadline_ms, NULL, err);
}
