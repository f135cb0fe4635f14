#include "support/calls/lease_witness.h"

#include <check.h>
#include <stdio.h>

#include "base/utc.h"
#include "support/calls/blob_calls.h"

enum { PATIENCE_MS = 10000, OUTSIDER_S = 60, BLOB_BYTES = 300 };

void lease_witness_open(struct lease_witness *witness, const char *connection_string,
                        const char *container) {
    storage_connection_open(&witness->storage, connection_string);
    witness->container = container;
}

void lease_witness_close(struct lease_witness *witness) {
    storage_connection_close(&witness->storage);
}

static int64_t deadline(const struct lease_witness *witness) {
    return storage_connection_deadline(&witness->storage, PATIENCE_MS);
}

static const char *blob_of(const char *name, char out[BLOB_BYTES]) {
    snprintf(out, BLOB_BYTES, "lease-%s", name);
    return out;
}

static void need(enum status status, const struct error *err) {
    ck_assert_msg(status == STATUS_OK, "%s", status == STATUS_OK ? "" : err->message);
}

void lease_witness_prepare(struct lease_witness *witness, const char *name) {
    struct error err;
    char blob[BLOB_BYTES];
    enum status status = blob_container_create(&witness->storage.client, witness->container,
                                               deadline(witness), &err);
    if (status != STATUS_ALREADY_EXISTS) {
        need(status, &err);
    }
    need(blob_create_empty(&witness->storage.client, witness->container, blob_of(name, blob), NULL,
                           deadline(witness), &err),
         &err);
}

/* --- leases --- */

bool lease_witness_try_take(struct lease_witness *witness, const char *name) {
    struct error err;
    char blob[BLOB_BYTES];
    int64_t sent_ms;
    enum status status =
        blob_lease_acquire(&witness->storage.client, witness->container, blob_of(name, blob),
                           LEASE_WITNESS_OUTSIDER, OUTSIDER_S, deadline(witness), &sent_ms, &err);
    if (status != STATUS_LEASE_CONFLICT) {
        need(status, &err);
    }
    return status == STATUS_OK;
}

void lease_witness_take(struct lease_witness *witness, const char *name) {
    ck_assert_msg(lease_witness_try_take(witness, name), "somebody holds %s", name);
}

bool lease_witness_holds(struct lease_witness *witness, const char *name, const char *lease_id) {
    char blob[BLOB_BYTES];
    enum status status = blob_lease_renew(&witness->storage.client, witness->container,
                                          blob_of(name, blob), lease_id, deadline(witness), NULL);
    ck_assert_msg(status == STATUS_OK || status == STATUS_LEASE_LOST, "%s: %s", name,
                  status_text(status));
    return status == STATUS_OK;
}

void lease_witness_assert_holder(struct lease_witness *witness, const char *name,
                                 const char *lease_id) {
    ck_assert_msg(lease_witness_holds(witness, name, lease_id), "%s does not hold %s", lease_id,
                  name);
    ck_assert_msg(!lease_witness_try_take(witness, name), "%s has two holders", name);
}

void lease_witness_await_free(struct lease_witness *witness, const char *name) {
    int64_t until_ms = deadline(witness);
    while (!lease_witness_try_take(witness, name)) {
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "%s is still held", name);
    }
}

/* --- deletions --- */

static void delete_path(struct lease_witness *witness, const char *blob) {
    struct error err;
    struct http_reply reply;
    struct storage_request request;
    http_reply_init(&reply);
    storage_request_init(&request, STORAGE_BLOB, "DELETE", 202); /* Delete Blob, Delete Container */
    strbuf_appendf(&request.path, "/%s", witness->container);
    if (blob != NULL) {
        strbuf_appendf(&request.path, "/%s", blob);
    } else {
        http_headers_add(&request.query, "restype", "container");
    }
    need(storage_client_send(&witness->storage.client, &request, deadline(witness), &reply, &err),
         &err);
    storage_request_cleanup(&request);
    http_reply_cleanup(&reply);
}

void lease_witness_delete_blob(struct lease_witness *witness, const char *name) {
    struct error err;
    char blob[BLOB_BYTES];
    need(blob_lease_break(&witness->storage.client, witness->container, blob_of(name, blob),
                          deadline(witness), &err),
         &err);
    delete_path(witness, blob);
}

void lease_witness_delete_container(struct lease_witness *witness) {
    delete_path(witness, NULL);
}

void lease_witness_assert_metadata(struct lease_witness *witness, const char *name) {
    int64_t created_ms = 0;
    struct error err;
    struct http_reply reply;
    struct storage_request request;
    http_reply_init(&reply);
    storage_request_init(&request, STORAGE_BLOB, "HEAD", 200); /* Get Blob Properties */
    strbuf_appendf(&request.path, "/%s/lease-%s", witness->container, name);
    need(storage_client_send(&witness->storage.client, &request, deadline(witness), &reply, &err),
         &err);
    ck_assert_str_eq(http_headers_get(&reply.headers, "x-ms-meta-leaseName"), name);
    ck_assert(
        utc_parse_iso8601(http_headers_get(&reply.headers, "x-ms-meta-createdAt"), &created_ms));
    ck_assert_int_gt(created_ms, clock_wall_ms(clock_system()) - 60000);
    ck_assert_str_eq(http_headers_get(&reply.headers, "x-ms-meta-lease_Site"), "north");
    storage_request_cleanup(&request);
    http_reply_cleanup(&reply);
}
