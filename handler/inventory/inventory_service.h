/*
 * inventory_service.h - reserve, release, get and what operators change, each change inside its product's lease.
 *
 *     request -> the store is ready (store_preparation.h) -> the product's queue (product_queues.h)
 *             -> its pipeline: lease, read, decide, commit (product_pipeline.h) -> answer
 *
 * Rules   An Idempotency-Key belongs to one product. Its record is kept for 24 hours at least.
 *         A release that names a reservation and has no key gets one from all that it asks for: sent again, it changes
 *         nothing. To release as much of it once more, send a key.
 * Threads: submit belongs to the loop's. What blocks may be called from any other.
 */
#ifndef INVENTORY_INVENTORY_SERVICE_H
#define INVENTORY_INVENTORY_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "http/platform.h"
#include "inventory/inventory_request.h"
#include "inventory/inventory_store.h"
#include "inventory/operation.h"
#include "inventory/product_queues.h"
#include "inventory/store_preparation.h"
#include "lease/lease_manager.h"

enum { RECONCILIATION_LEASE_S = 60 };
#define RECONCILIATION_LEASE_NAME "inventory-reconciliation-job"

struct inventory_options {
    int64_t reservation_lifetime_ms; /* > 0 */
    int64_t processing_time_ms;      /* >= 0: simulated work inside the critical section */
    const struct seed_product *seeds;
    size_t seed_count;
    bool is_prepared; /* the store is others' to make ready; here it is used as it is */
};

struct inventory_service {
    const struct platform *platform;
    struct inventory_store *store;
    struct lease_manager *leases;
    struct store_preparation preparation;
    struct product_queues queues;
};

/* All borrowed, and must outlive it. */
void inventory_service_init(struct inventory_service *service, const struct platform *platform,
                            struct inventory_store *store, struct lease_manager *leases,
                            const struct inventory_options *options, int64_t acquire_timeout_ms);

/* Its loop has stopped, and nothing is under way. */
void inventory_service_cleanup(struct inventory_service *service);

/* Stopping: whoever waits for a lease or a batch, now or later, ends with STATUS_CANCELLED. Any thread but the loop's; blocks. */
void inventory_service_cancel(struct inventory_service *service);

/*
 * Carries out a request, and then calls its `done`, never inside this call. Statuses:
 * STATUS_OK             see the request; what was refused by the rules is told there
 * STATUS_LEASE_CONFLICT others held the product's lease for all of AcquireTimeout
 * STATUS_NOT_FOUND      no such product
 * STATUS_KEY_REUSED     the key was used for another request
 * STATUS_LEASE_LOST     the lease was lost in mid-operation and nothing was committed
 * STATUS_CANCELLED      the program is stopping; nothing was committed
 * STATUS_UNAVAILABLE    storage; the operation happened once or not at all
 * STATUS_CONTAINER_NOT_FOUND  the store is gone (store_preparation.h)
 * STATUS_MALFORMED      its rows cannot be read, or contradict each other (product_read.h); nothing was committed
 * Anything else is a bug or a misconfiguration.
 */
void inventory_service_submit(struct inventory_service *service, struct inventory_request *request);

/* A product with all its rows, as they were at one moment. */
struct inventory_snapshot {
    /* What is wanted. All borrowed. */
    const char *product_id;
    const struct correlation *correlation; /* of the invocation; NULL: none */

    /* Called once, on the loop's thread. The snapshot may be freed there. */
    void (*done)(struct inventory_snapshot *snapshot);
    void *context;

    /* The answer. */
    enum status status;   /* of submit */
    struct error failure; /* what it says for people */
    struct product_state
        state;      /* STATUS_OK: all rows. Its owner cleans it up, whatever the status */
    int64_t now_ms; /* storage's time; rows that expire at or before it are not active */

    /* The service's. */
    struct inventory_service *service;
    struct preparation_waiter waiter;
    struct inventory_request request;
};

/*
 * Takes a snapshot, and then calls its `done`, never inside this call. It takes no lease, but for a product with so many
 * rows that it never stands still while they are read.
 */
void inventory_service_take_snapshot(struct inventory_service *service,
                                     struct inventory_snapshot *snapshot);

/* ---- for threads that wait ---- */

/* inventory_service_submit. The request's correlation is the caller's. Returns its status. */
enum status inventory_service_run(struct inventory_service *service,
                                  struct inventory_request *request, struct error *err) MUST_CHECK;

/* inventory_service_take_snapshot, into `state` (initialized), which is untouched unless STATUS_OK. `err` may be NULL. */
enum status inventory_service_get(struct inventory_service *service, const char *product_id,
                                  struct product_state *state, int64_t *out_now_ms,
                                  struct error *err) MUST_CHECK;

/* A lease_store_blob_wanted: no blob is created for a product that does not exist. Where the store does not tell: yes. */
bool inventory_service_wants_lease(void *context, const char *lease_name,
                                   void (*done)(void *done_context, bool is_wanted),
                                   void *done_context);

#endif
