/*
 * service_health.h - whether storage can be reached: the container with the leases, and the table.
 *
 * Rules    Storage is asked at most once in SERVICE_HEALTH_KEEP_MS, however many checks are made.
 *          The other checks get the last outcome, or wait for the one under way.
 *          Storage counts as unhealthy if it takes longer than SERVICE_HEALTH_WAIT_MS.
 *          No lease is acquired. The container may be missing if it will be created when needed.
 * Threads  The loop's.
 */
#ifndef INVENTORY_SERVICE_HEALTH_H
#define INVENTORY_SERVICE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "inventory/inventory_store.h"
#include "inventory/store_preparation.h"
#include "lease/lease_manager.h"

enum { SERVICE_HEALTH_KEEP_MS = 10000, SERVICE_HEALTH_WAIT_MS = 5000 };

/* Somebody who asks. Its owner keeps it until `done` is called. */
struct health_waiter {
    TAILQ_ENTRY(health_waiter) link;
    void (*done)(void *context, bool is_healthy);
    void *context;
};

TAILQ_HEAD(health_waiters, health_waiter);

struct service_health {
    const struct platform *platform;
    struct inventory_store *store;
    struct store_preparation *preparation;
    struct health_waiters waiters; /* for the outcome under way */
    bool is_healthy;               /* the last outcome */
    bool has_outcome;
    int64_t asked_ms; /* when storage was asked for it, on the clock */

    /* ---- of the probes under way: of the leases, and of the table ---- */
    struct loop_timer timer;
    struct lease_probe probe;
    struct preparation_waiter waiter;
    struct idempotency_record record; /* none is found */
    struct lease_manager *leases;
    int probes_under_way;
    bool has_failed;
};

/* All is borrowed. */
void service_health_init(struct service_health *health, const struct platform *platform,
                         struct inventory_store *store, struct store_preparation *preparation,
                         struct lease_manager *leases);

/* Calls the waiter's `done` once, perhaps inside this call. */
void service_health_check(struct service_health *health, struct health_waiter *waiter);

#endif
