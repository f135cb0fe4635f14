/*
 * lease_wanted.h - which leases get a blob: no blob is created for a product that does not exist,
 * however many are asked for.
 *
 * Threads  init and release belong to the owner; ask to the event loop's thread. The store is read
 *          on threads of its own.
 */
#ifndef INVENTORY_LEASE_WANTED_H
#define INVENTORY_LEASE_WANTED_H

#include <pthread.h>

#include "http/event_loop.h"
#include "inventory/inventory_store.h"
#include "lease/lease_store_blob.h"

struct lease_wanted {
    struct inventory_store *store;
    struct event_loop *loop;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t answered;
    int open_count; /* threads that read */
};

/* Borrows both, which must outlive it. */
void lease_wanted_init(struct lease_wanted *wanted, struct inventory_store *store, struct event_loop *loop);

/* Waits until nothing is being read. The loop still runs, and answers. */
void lease_wanted_release(struct lease_wanted *wanted);

/*
 * A lease_store_blob_wanted whose context is a struct lease_wanted: false for the lease of a
 * product of which the store says that it does not exist. True where it does not tell.
 */
void lease_wanted_ask(void *context, const char *name, lease_store_blob_wanted_done done, void *done_context);

#endif
