/*
 * lease_store_blob.h - leases on blobs; what is missing is created only after storage has said so.
 */
#ifndef LEASE_LEASE_STORE_BLOB_H
#define LEASE_LEASE_STORE_BLOB_H

#include <stdbool.h>

#include "lease/lease_store.h"
#include "lease/leasehold.h"
#include "storage/storage_request.h"

typedef void (*lease_store_blob_wanted_done)(void *context, bool is_wanted);

/*
 * Asked on the loop's thread before a missing blob is created. Returns true if the name is wanted. Returns false if it has
 * yet to find that out: it then calls `done` once, on the loop's thread and never inside this call. With false there,
 * there is no blob for that name. `name` is borrowed for the call.
 */
typedef bool (*lease_store_blob_wanted)(void *context, const char *name,
                                        lease_store_blob_wanted_done done, void *done_context);

struct lease_store_blob {
    struct lease_store base;
    struct storage_client *client;
    const struct leasehold_options *options;
    /* NULL after init: every name is wanted. What is not wanted is STATUS_NOT_FOUND to acquire. */
    lease_store_blob_wanted is_wanted;
    void *context;
};

/* Borrows both, which must outlive it. Needs no release. */
void lease_store_blob_init(struct lease_store_blob *store, struct storage_client *client,
                           const struct leasehold_options *options);

#endif
