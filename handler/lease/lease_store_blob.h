/*
 * lease_store_blob.h - leases on blobs; what is missing is created only after storage has said so.
 *
 * Layer: lease. May include storage/, base/.
 */
#ifndef LEASE_LEASE_STORE_BLOB_H
#define LEASE_LEASE_STORE_BLOB_H

#include <stdbool.h>

#include "base/http_message.h"
#include "lease/lease_store.h"
#include "storage/storage_request.h"

enum { LEASE_CONTAINER_NAME_BYTES = 64, LEASE_BLOB_PREFIX_BYTES = 128 };

struct lease_store_blob_options {
    char container[LEASE_CONTAINER_NAME_BYTES];
    char blob_prefix[LEASE_BLOB_PREFIX_BYTES]; /* blob name = prefix + lease name */
    bool create_container;
    struct http_headers
        metadata; /* NAME and value; stored on a new blob as lease_NAME, beside leaseName and createdAt */
};

/* Asked on an acquire's thread, which it may block, before a missing blob is created. False: no blob for that name, ever. */
typedef bool (*lease_store_blob_wanted)(void *context, const char *name);

struct lease_store_blob {
    struct lease_store base;
    struct storage_client *client;
    const struct lease_store_blob_options *options;
    lease_store_blob_wanted
        is_wanted; /* NULL after init: every name is. What is not wanted is STATUS_NOT_FOUND to acquire */
    void *context;
};

/* Borrows both, which must outlive it. Needs no release. */
void lease_store_blob_init(struct lease_store_blob *store, struct storage_client *client,
                           const struct lease_store_blob_options *options);

#endif
