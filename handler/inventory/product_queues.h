/*
 * product_queues.h - one queue and pipeline for each product that is in use, or was lately.
 *
 * Memory   An idle pipeline is kept for its product cache, PRODUCT_QUEUES_MAX_IDLE of them at most.
 *          Beyond that the one that has been idle the longest is freed. If together they have more
 *          than PRODUCT_CACHE_RECENT_ROWS rows, those that have been idle the longest keep only the
 *          rows that expire soon.
 * Threads  The loop's. A request's `served` is never called inside product_queues_submit.
 */
#ifndef INVENTORY_PRODUCT_QUEUES_H
#define INVENTORY_PRODUCT_QUEUES_H

#include "inventory/product_pipeline.h"

enum { PRODUCT_QUEUES_MAX_IDLE = 1024 };

struct product_queues {
    struct pipeline_shared shared;
    void *pipelines; /* a tree (tsearch) of struct product_pipeline, by product id */
    TAILQ_HEAD(idle_pipelines, product_pipeline) idle; /* the longest idle first */
    int idle_count;
    size_t idle_rows; /* in the caches of idle pipelines */
    bool is_closed;
};

/*
 * `shared` is copied; what it points to is borrowed. Its became_idle and context are set here.
 */
void product_queues_init(struct product_queues *queues, const struct pipeline_shared *shared);

/* Frees all pipelines. They must be idle. */
void product_queues_cleanup(struct product_queues *queues);

/*
 * Puts a request into the queue of its product. When it is served its status is one of these:
 * STATUS_OK              see the request
 * STATUS_LEASE_CONFLICT  others held the lease for all of AcquireTimeout, or this handler's own
 *                        batches took that long, and 10 s at least
 * STATUS_LEASE_LOST      the lease was lost before the commit, or others kept changing the product
 * STATUS_KEY_REUSED      its key was used for another request
 * STATUS_CANCELLED       product_queues_close was called
 * STATUS_NO_MEMORY, and those of the lease manager and of the store
 */
void product_queues_submit(struct product_queues *queues, struct inventory_request *request);

/*
 * Stopping: requests that wait, now or later, end with STATUS_CANCELLED. Batches under way are
 * finished.
 */
void product_queues_close(struct product_queues *queues);

#endif
