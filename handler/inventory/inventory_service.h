/*
 * inventory_service.h - reserve, release and get, each change inside its lease.
 *
 *     turn (lane, lease) -> read the product -> apply the rules in memory -> one transaction -> answer; the lease follows
 *
 * Rules        Nothing is committed unless the lease is held when the commit starts; the commit's deadline is the lease's own.
 *              A product that moved on under our lease means that the lease was not ours: STATUS_LEASE_LOST, nothing committed.
 * Threads: any; all but init, cancel and release block.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_INVENTORY_SERVICE_H
#define INVENTORY_INVENTORY_SERVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "inventory/inventory_store.h"
#include "inventory/product_lane.h"
#include "lease/lease_manager.h"

enum { RELEASE_LEASE_S = 15, RECONCILIATION_LEASE_S = 60 };
#define RECONCILIATION_LEASE_NAME "inventory-reconciliation-job"

struct inventory_options {
    int64_t reservation_lifetime_ms; /* > 0 */
    int64_t processing_time_ms;      /* >= 0: simulated work inside the critical section */
    const struct seed_product *seeds;
    size_t seed_count;
};

struct inventory_service {
    struct inventory_store *store;
    struct lease_manager *leases;
    const struct clock *clock;
    const struct inventory_options *options;
    struct product_lanes lanes;
    struct {
        pthread_mutex_t lock;
        pthread_cond_t ended;
        bool done;    /* the store is ready, as far as we know */
        bool running; /* one thread prepares it, the others wait and share the outcome */
        int64_t runs;
        enum status status;   /* of the last run, and */
        struct error failure; /* what it says for people */
    } preparation;
};

/* All borrowed, and must outlive it. STATUS_INTERNAL. */
enum status inventory_service_init(struct inventory_service *service, struct inventory_store *store,
                                   struct lease_manager *leases, const struct clock *clock,
                                   const struct inventory_options *options, int64_t acquire_timeout_ms) MUST_CHECK;
void inventory_service_release(struct inventory_service *service);

/* Makes the store ready if it is not known to be: every operation does this first, so that storage may come late. STATUS_UNAVAILABLE, ... */
enum status inventory_service_prepare(struct inventory_service *service, struct error *err) MUST_CHECK;

/* Stopping: waits for turns end with STATUS_CANCELLED. */
void inventory_service_cancel(struct inventory_service *service);

struct reserve_result {
    bool reserved;
    bool acquired_lease;            /* false: the turn did not come in time; the fields below mean nothing */
    int64_t available;              /* units available now */
    int64_t version;                /* of the product that this answer speaks of */
    struct reservation reservation; /* when reserved */
};

/*
 * Statuses of all operations but where they say otherwise (`out` is filled on STATUS_OK alone):
 * STATUS_OK           see the result; what did not go through by the rules is there
 * STATUS_NOT_FOUND    no such product
 * STATUS_LEASE_LOST   the lease was lost in mid-operation and nothing was committed
 * STATUS_CANCELLED    the program is stopping; nothing was committed
 * STATUS_UNAVAILABLE  storage; the operation happened once or not at all
 * Anything else is a bug or a misconfiguration.
 */
enum status inventory_service_reserve(struct inventory_service *service, const char *product_id,
                                      const char *customer_id, int64_t quantity, struct reserve_result *out,
                                      struct error *err) MUST_CHECK;

struct release_result {
    bool acquired_lease; /* false: as above */
    int64_t released;    /* 0: no active reservations of that customer */
    int64_t available;
    int64_t version;
};

/*
 * Releases up to `quantity` units; `reservation_id` NULL: of any of the customer's reservations. One transaction, so at most
 * INVENTORY_MAX_CHANGES reservations at a time: `released` says how far it came.
 */
enum status inventory_service_release_units(struct inventory_service *service, const char *product_id,
                                            const char *customer_id, const char *reservation_id, int64_t quantity,
                                            struct release_result *out, struct error *err) MUST_CHECK;

/*
 * Reads one consistent picture of a product with all its rows into `state` (initialized); no lease. `out_now_ms`: storage's time that
 * it was read for; rows that expire at or before it are not active.
 */
enum status inventory_service_get(struct inventory_service *service, const char *product_id,
                                  struct product_state *state, int64_t *out_now_ms, struct error *err) MUST_CHECK;

/*
 * Commits in a turn, within the lease's time. For reconcile.c.
 * STATUS_LEASE_LOST  the lease is not held, or the product moved on under it: nothing was committed
 * STATUS_UNAVAILABLE as above
 */
enum status inventory_service_commit(struct inventory_service *service, const struct product_turn *turn,
                                     struct product_state *state, struct error *err) MUST_CHECK;

#endif
