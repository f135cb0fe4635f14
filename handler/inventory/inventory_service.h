/*
 * inventory_service.h - reserve, release, get and what operators change, each change inside its lease.
 *
 *     lane (turn, lease) -> batch: read the product unless it is known, decide in memory, one transaction -> answers
 *
 * Rules        An Idempotency-Key belongs to one product. Its record is kept for 24 hours at least.
 *              A release that names a reservation and has no key gets one from all that it asks for: sent again, it
 *              changes nothing. To release as much of it once more, send a key.
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
#include "inventory/inventory_batch.h"
#include "inventory/inventory_store.h"
#include "inventory/product_lane.h"
#include "lease/lease_wait.h"

enum { RELEASE_LEASE_S = 15, RECONCILIATION_LEASE_S = 60 };
#define RECONCILIATION_LEASE_NAME "inventory-reconciliation-job"

struct inventory_options {
    int64_t reservation_lifetime_ms; /* > 0 */
    int64_t processing_time_ms;      /* >= 0: simulated work inside the critical section */
    const struct seed_product *seeds;
    size_t seed_count;
    bool is_prepared; /* the store is others' to make ready; here it is used as it is */
};

struct inventory_service {
    struct inventory_store *store;
    struct lease_manager *leases;
    const struct clock *clock;
    const struct inventory_options *options;
    struct inventory_batch_context batch;
    struct product_lanes lanes;
    struct {
        pthread_mutex_t lock;
        pthread_cond_t ended;
        bool done;    /* the store is ready, as far as we know */
        bool lost;    /* it was there and is gone: it stays so until the program is restarted */
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

/*
 * Makes the store ready if it is not known to be: every operation does this first, so that storage
 * may come late.
 * STATUS_CONTAINER_NOT_FOUND   the store was there and is gone; every later call says so, too
 * STATUS_UNAVAILABLE, ...
 */
enum status inventory_service_prepare(struct inventory_service *service, struct error *err) MUST_CHECK;

/*
 * Returns `status`, which an operation of the ready store has ended with.
 * STATUS_CONTAINER_NOT_FOUND means that the store is gone: from then on prepare refuses, and `err`
 * says what an operator has to do. Not where `is_prepared` is set.
 */
enum status inventory_service_note_missing_store(struct inventory_service *service, enum status status,
                                                 struct error *err) MUST_CHECK;

/* Stopping: waits for turns end with STATUS_CANCELLED. */
void inventory_service_cancel(struct inventory_service *service);

/* What is to be changed. All borrowed. */
struct inventory_change {
    const char *product_id;
    const char *customer_id;
    const char *reservation_id; /* release: of that one alone; NULL: of any of the customer's */
    int64_t quantity;
    const char *idempotency_key; /* NULL: none */
};

/* With acquired_lease false the turn did not come in time; `available` and `version` are what was read then, without the lease. */
struct reserve_result {
    bool reserved;
    bool acquired_lease;
    int64_t available;
    int64_t version;                      /* of the product that this answer speaks of */
    struct reservation_terms reservation; /* when reserved */
};

struct release_result {
    bool acquired_lease;
    int64_t released; /* 0: no active reservations of that customer */
    int64_t available;
    int64_t version;
};

/*
 * Statuses of all operations but where they say otherwise (`out` is filled on STATUS_OK alone):
 * STATUS_OK           see the result; what did not go through by the rules is there
 * STATUS_NOT_FOUND    no such product
 * STATUS_KEY_REUSED   the key was used for another request
 * STATUS_LEASE_LOST   the lease was lost in mid-operation and nothing was committed
 * STATUS_CANCELLED    the program is stopping; nothing was committed
 * STATUS_UNAVAILABLE  storage; the operation happened once or not at all
 * STATUS_CONTAINER_NOT_FOUND  the store is gone (inventory_service_prepare)
 * STATUS_MALFORMED    its rows cannot be read, or contradict each other (product_read.h); nothing
 *                     was committed
 * Anything else is a bug or a misconfiguration.
 */
enum status inventory_service_reserve(struct inventory_service *service, const struct inventory_change *change,
                                      struct reserve_result *out, struct error *err) MUST_CHECK;

/*
 * Releases up to that quantity. One transaction, so at most INVENTORY_MAX_CHANGES reservations at a time, one fewer with a
 * key: `released` says how far it came.
 */
enum status inventory_service_release_units(struct inventory_service *service, const struct inventory_change *change,
                                            struct release_result *out, struct error *err) MUST_CHECK;

/*
 * Reads one consistent picture of a product with all its rows into `state` (initialized). Without a lease, but for a product
 * with so many rows that it never stands still while they are read. `out_now_ms`: storage's time that it was read for; rows
 * that expire at or before it are not active.
 */
enum status inventory_service_get(struct inventory_service *service, const char *product_id,
                                  struct product_state *state, int64_t *out_now_ms, struct error *err) MUST_CHECK;

struct total_result {
    bool acquired_lease;
    bool set;          /* false: more than that is reserved, and nothing has changed */
    int64_t total;     /* units, as they are now, set or not: */
    int64_t available; /* the rest is reserved */
    int64_t version;
};

/* Changes a product's total to `total` (>= 0), and what is available by as much. */
enum status inventory_service_set_total(struct inventory_service *service, const char *product_id, int64_t total,
                                        struct total_result *out, struct error *err) MUST_CHECK;

/*
 * Takes away a product's expired reservations, with its own lease. *out_count: how many; also when it fails half-way.
 * *out_until_ms: all that had expired by then are gone.
 * STATUS_LEASE_CONFLICT  the turn did not come within AcquireTimeout
 */
enum status inventory_service_expire(struct inventory_service *service, const char *product_id, int *out_count,
                                     int64_t *out_until_ms, struct error *err) MUST_CHECK;

#endif
