/*
 * inventory_service.h - where requests for products come in: changes (operation.h) and snapshots.
 *
 * A request waits until the store is ready (store_preparation.h). Then it joins its product's queue
 * (product_queues.h). The product's pipeline acquires the lease, reads, decides, commits and
 * answers (product_pipeline.h). A snapshot needs no lease, as a rule.
 *
 * Keys     An Idempotency-Key belongs to one product. Its record is kept for at least 24 hours.
 *          A release or confirm that names a reservation, but has no key, gets a key. It is made of
 *          all that the request asks for. So the same request sent twice counts once. Callers that
 *          want to release or confirm the same quantity of it twice send keys of their own. An
 *          extend gets such a key if it expects a version.
 * Threads  The loop's. The functions that block may be called from any other thread.
 */
#ifndef INVENTORY_INVENTORY_SERVICE_H
#define INVENTORY_INVENTORY_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "http/loop_call.h"
#include "http/platform.h"
#include "inventory/inventory_request.h"
#include "inventory/inventory_store.h"
#include "inventory/operation.h"
#include "inventory/product_queues.h"
#include "inventory/service_health.h"
#include "inventory/store_preparation.h"
#include "lease/lease_manager.h"
#include "lease/lease_store_blob.h"

/* The lease under which one handler at a time reconciles (reconcile.h). */
enum { RECONCILIATION_LEASE_S = 60 };
#define RECONCILIATION_LEASE_NAME "inventory-reconciliation-job"

struct inventory_options {
    int64_t reservation_lifetime_ms;     /* > 0 */
    int64_t max_reservation_lifetime_ms; /* what a request may name; at least the one above */
    int64_t processing_time_ms;          /* >= 0; simulated work while the lease is held */
    const struct seed_product *seeds;
    size_t seed_count;
    bool is_prepared_elsewhere; /* other programs make the store ready; this one just uses it */
};

struct inventory_service {
    const struct platform *platform;
    struct inventory_store *store;
    struct lease_manager *leases;
    struct store_preparation preparation;
    struct product_queues queues;
    struct service_health health;
    int64_t max_reservation_lifetime_ms;
};

/* All is borrowed, and must outlive the service. */
void inventory_service_init(struct inventory_service *service, const struct platform *platform,
                            struct inventory_store *store, struct lease_manager *leases,
                            const struct inventory_options *options, int64_t acquire_timeout_ms);

/* Nothing may be under way, and the loop must have stopped. */
void inventory_service_cleanup(struct inventory_service *service);

/*
 * Stopping: requests that wait for a lease or a batch, now or later, end with STATUS_CANCELLED.
 * Blocks. Any thread but the loop's.
 */
void inventory_service_cancel(struct inventory_service *service);

/*
 * Carries out a request, and then calls its `done`, never inside this call. Its status:
 * STATUS_OK                   see the request's answer, also for whether the rules refused it
 * STATUS_LEASE_CONFLICT       others held the product's lease for all of AcquireTimeout, or the
 *                             queue before it took that long, and 10 s at least
 * STATUS_NOT_FOUND            there is no such product
 * STATUS_KEY_REUSED           the key was used for another request
 * STATUS_LEASE_LOST           the lease was lost before the commit, or others kept changing the
 *                             product; nothing was committed
 * STATUS_CANCELLED            the program is stopping; nothing was committed
 * STATUS_UNAVAILABLE          storage failed; the request was carried out once or not at all
 * STATUS_CONTAINER_NOT_FOUND  the store is gone (store_preparation.h)
 * STATUS_MALFORMED            the product's rows cannot be read, or contradict each other
 *                             (product_read.h); nothing was committed
 * STATUS_NO_MEMORY            nothing was committed
 * Any other status is a misconfiguration or a bug. "Nothing was committed" is said of the last
 * batch. An operation of several batches (expire) counts the earlier ones in committed_units.
 */
void inventory_service_submit(struct inventory_service *service, struct inventory_request *request);

/*
 * Which rows of a product a snapshot has. All but SNAPSHOT_ALL cost one request as a rule, however
 * many reservations there are. Some have rows beside those that were asked for.
 */
enum snapshot_kind {
    SNAPSHOT_ALL,
    SNAPSHOT_SUMS,        /* those that inventory_available needs at now_ms */
    SNAPSHOT_CUSTOMER,    /* these, and all of customer_id */
    SNAPSHOT_RESERVATION, /* the one called reservation_id, if it exists. Not for sums */
};

/*
 * A product with all its rows, or some, as they were at one moment. With a visitor `state` has the
 * product alone, and the visitor was told the moment.
 */
struct inventory_snapshot {
    /* ---- what is asked for. All borrowed ---- */
    enum snapshot_kind kind;
    const char *product_id;
    const char *customer_id;
    const char *reservation_id;            /* in lower case */
    const struct correlation *correlation; /* the invocation's; NULL: none */
    struct reservation_visitor *visitor;   /* receives the reservations; NULL: `state` does */

    /* Called once, on the loop's thread. It may free the snapshot. */
    void (*done)(struct inventory_snapshot *snapshot);
    void *context;

    /* ---- the answer ---- */
    enum status status;         /* one of inventory_service_submit's */
    struct error failure;       /* the same in words */
    struct product_state state; /* STATUS_OK: the rows. Its owner cleans it up in any case */
    int64_t now_ms;             /* storage's time; a row that expires later is active */

    /* ---- the service's ---- */
    struct inventory_service *service;
    struct preparation_waiter waiter;
    struct loop_call call; /* of a thread that waits */
    struct inventory_query query;
    struct inventory_request request;
};

/*
 * Returns true if the answer made of a snapshot is the one that its version had from the start: no
 * reservation has expired since, or all that did were removed. The snapshot must have no visitor,
 * and must not be of kind RESERVATION.
 */
bool inventory_snapshot_is_as_committed(const struct inventory_snapshot *snapshot);

/*
 * Takes a snapshot, and then calls its `done`, never inside this call. It acquires the product's
 * lease only if the product has so many rows that it changes whenever they are read.
 */
void inventory_service_take_snapshot(struct inventory_service *service,
                                     struct inventory_snapshot *snapshot);

/* ---- for threads that wait ---- */

/* inventory_service_submit, with the calling thread's correlation. Returns the request's status. */
enum status inventory_service_run(struct inventory_service *service,
                                  struct inventory_request *request, struct error *err) MUST_CHECK;

/*
 * inventory_service_take_snapshot, with the calling thread's correlation. Returns the snapshot's
 * status. In any case the caller cleans up its `state`. `err` may be NULL.
 */
enum status inventory_service_wait_for_snapshot(struct inventory_service *service,
                                                struct inventory_snapshot *snapshot,
                                                struct error *err) MUST_CHECK;

/*
 * The same for all rows of a product, into `state` (initialized). Unless STATUS_OK it is untouched.
 */
enum status inventory_service_get(struct inventory_service *service, const char *product_id,
                                  struct product_state *state, int64_t *out_now_ms,
                                  struct error *err) MUST_CHECK;

/*
 * A lease_store_blob_wanted, so that no blob is created for a product that does not exist. If the
 * store does not answer, the lease is wanted.
 */
enum lease_wanted inventory_service_wants_lease(void *context, const char *lease_name,
                                                void (*done)(void *done_context, bool is_wanted),
                                                void *done_context);

#endif
