/*
 * lease_store_blob.h - leases on blobs.
 *
 * An acquire is one request if the blob exists. A container or blob is created only after storage
 * has said that it is missing. The name of a blob is the prefix followed by the lease name.
 */
#ifndef LEASE_LEASE_STORE_BLOB_H
#define LEASE_LEASE_STORE_BLOB_H

#include <stdbool.h>

#include "lease/lease_store.h"
#include "lease/leasehold.h"

struct storage_client;

typedef void (*lease_store_blob_wanted_done)(void *context, bool is_wanted);

/* WANTED: the lease's blob may be created. PENDING: `done` will be called with the answer. */
enum lease_wanted { LEASE_WANTED, LEASE_WANTED_PENDING };

/*
 * Asked on the loop's thread before a missing blob is created, so that no blob is made for a name
 * that guards nothing. If it returns LEASE_WANTED_PENDING, it later calls `done` once, on the
 * loop's thread, never inside this call. `name` is borrowed for the call.
 */
typedef enum lease_wanted (*lease_store_blob_wanted)(void *context, const char *name,
                                                     lease_store_blob_wanted_done done,
                                                     void *done_context);

struct lease_store_blob {
    struct lease_store base;
    struct storage_client *client;
    const struct leasehold_options *options;

    /*
     * NULL after init: every name is wanted. An acquire of a name that is not wanted ends with
     * STATUS_NOT_FOUND.
     */
    lease_store_blob_wanted wants;
    void *context;
};

/*
 * Borrows both, which must outlive it. Of the options it uses the container, the prefix, the
 * metadata and create_container. Needs no cleanup.
 */
void lease_store_blob_init(struct lease_store_blob *store, struct storage_client *client,
                           const struct leasehold_options *options);

#endif
