/*
 * lease_manager_parts.h - locks, threads and memory around the engine in lease_renewal: what the three files of lease_manager
 * have in common, for nobody else.
 *
 * Files    lease_manager.c          life cycle, and a lease in its owner's hand
 *          lease_manager_acquire.c  how a lease is come by
 *          lease_manager_tick.c     what the I/O thread does
 * Life     acquire makes a struct managed_lease, and hands it out as the struct lease that it begins with; it is freed as
 *          soon as its owner has released it and the engine has finished with it, or by lease_manager_free.
 * Locks    Everything in both structs is guarded by `lock`, but for what never changes. Whoever has an action or an answer in
 *          hand has the lease in flight, and so alive, without the lock.
 * Layer: lease.
 */
#ifndef LEASE_LEASE_MANAGER_PARTS_H
#define LEASE_LEASE_MANAGER_PARTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "lease/lease_manager.h"
#include "lease/lease_options.h"
#include "lease/lease_renewal.h"
#include "lease/lease_store.h"
#include "storage/http_transport.h"

struct managed_lease {
    struct lease lease; /* first: what the owner has in hand is this */
    struct lease_manager *manager;
    struct lease_listener listener;
    bool released; /* by its owner */
    struct managed_lease *next;
    struct managed_lease **back; /* what points at it: the list, or the one before it */
};

struct lease_manager {
    const struct lease_options *options;
    struct lease_store *store;
    struct http_transport *transport;
    const struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t
        woken; /* a renewal was answered, a lease was lost, or waiting was cancelled: acquire, wait, ensure */
    pthread_cond_t settled; /* something is not in flight any more: close, free */
    struct lease_renewal renewal;
    struct managed_lease *held;      /* in their owners' hands */
    struct managed_lease *returning; /* in nobody's: on their way back to storage */
    bool acquires_cancelled;
    bool waits_cancelled;
    bool closing; /* nothing more is handed out */
    bool closed;  /* the transport is not ours any more */
};

/* --- with the lock held --- */

/* Waits for the condition, for `nap_ms` at most and perhaps less. */
void lease_manager_nap(struct lease_manager *manager, pthread_cond_t *condition, int64_t nap_ms);

/* Ends the use of the lock. What has changed may have made something due earlier, so the tick is set anew. */
void lease_manager_unlock_and_wake(struct lease_manager *manager);

void lease_manager_enlist(struct managed_lease *managed, struct managed_lease **list);

/* Something of the lease has come to an end: frees it if that was the last of it. */
void lease_manager_settle(struct managed_lease *managed);

/* Nobody has the lease in hand any more: on its way back to storage, or gone for good. It may be freed. */
void lease_manager_take_back(struct managed_lease *managed, int64_t now_ms);

/* --- without it --- */

/* Tells the owner that the lease was not renewed in time. */
void lease_manager_tell_loss(struct managed_lease *managed);

/* The transport's tick; `context` is the manager. */
int64_t lease_manager_tick(void *context, int64_t now_ms);

#endif
