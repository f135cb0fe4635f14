/*
 * lease_handler.h - the part of a handler that has to do with leases, on real storage: connection,
 * store and manager.
 *
 * A lease lasts 15 s, is renewed every 300 ms, retried after 50 ms at first, and counts as lost
 * after 7.5 s; its blob has the metadata lease_Site = north. Threads: start and stop from one;
 * acquire from any.
 */
#ifndef SUPPORT_LEASE_HANDLER_H
#define SUPPORT_LEASE_HANDLER_H

#include "lease/lease_store_blob.h"
#include "lease/lease_wait.h"
#include "support/processes/storage_connection.h"

enum { LEASE_HANDLER_PATIENCE_MS = 20000 };

struct lease_handler {
    struct storage_connection storage;
    struct lease_store_blob store;
    struct leasehold_options options; /* may be changed before the first lease */
    struct lease_manager *manager;
};

/* `handler` must stay where it is, and `container` must outlive it. */
void lease_handler_start(struct lease_handler *handler, const char *connection_string,
                         const char *container);

/*
 * As main does it; every owner has released its lease by now. Fails the test when storage could not
 * be told of all of them.
 */
void lease_handler_stop(struct lease_handler *handler);

/* Acquires or fails the test. */
struct lease *lease_handler_acquire(struct lease_handler *handler,
                                    const struct leasehold_request *request);

#endif
