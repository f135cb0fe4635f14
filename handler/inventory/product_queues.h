/*
 * product_queues.h - which pipeline a request goes to: one for each product that is in use or was lately.
 *
 * Memory  A pipeline with nothing under way is kept for what it knows of its product, at most PRODUCT_QUEUES_MAX_IDLE of them.
 * Threads: the loop's. `served` of a request is never called inside product_queues_submit.
 */
#ifndef INVENTORY_PRODUCT_QUEUES_H
#define INVENTORY_PRODUCT_QUEUES_H

#include "inventory/product_pipeline.h"

enum { PRODUCT_QUEUES_MAX_IDLE = 1024 };

struct product_queues {
    struct pipeline_shared shared;
    void *pipelines; /* a tree of struct product_pipeline (tsearch), by product id */
    TAILQ_HEAD(idle_pipelines, product_pipeline) idle; /* the longest idle first */
    int idle_count;
    bool is_closed;
};

/* `shared` is copied; what it points to is borrowed. Its became_idle is set here. */
void product_queues_init(struct product_queues *queues, const struct pipeline_shared *shared);

/* Every pipeline is idle. */
void product_queues_cleanup(struct product_queues *queues);

/*
 * Queues a request up at its product. It is served with a status of these:
 * STATUS_OK              see the request
 * STATUS_LEASE_CONFLICT  others held the lease for all of AcquireTimeout
 * STATUS_CANCELLED       product_queues_close
 * STATUS_LEASE_LOST, STATUS_KEY_REUSED, STATUS_NO_MEMORY, and those of the lease manager and of the store
 */
void product_queues_submit(struct product_queues *queues, struct inventory_request *request);

/* Stopping: whoever waits, now or later, ends with STATUS_CANCELLED. Batches under way are finished. */
void product_queues_close(struct product_queues *queues);

#endif
