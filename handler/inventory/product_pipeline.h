/*
 * product_pipeline.h - all of one product's requests in this handler, from the queue to the answer.
 *
 * Requests queue up. When the product's lease is in hand, those at the front become a batch. It is decided in memory and
 * committed as one transaction (group commit), and its requests are answered. Meanwhile the next batch fills up. The lease is
 * kept until it is time to yield it to other handlers, or until nobody comes any more (lease_tenure.h).
 *
 *      state        what is under way               then
 *      IDLE         nothing, without the lease      a request comes: ACQUIRING, or YIELDING if it was just yielded
 *      YIELDING     the lease is left to others     ACQUIRING
 *      ACQUIRING    the lease is asked for          DECIDING
 *      COLLECTING   a window in which callers       DECIDING; with no request: LINGERING
 *                   return, with the lease
 *      DECIDING     nothing; chooses what is next   READING    the product is not known
 *                                                   WORKING    ProcessingTime is set
 *                                                   LOOKING_UP rows or records are missing
 *                                                   INDEXING   it can be committed
 *                                                   COLLECTING there was nothing to commit, and all is answered
 *      READING      a read of the product           DECIDING
 *      WORKING      ProcessingTime                  DECIDING
 *      LOOKING_UP   reads for single requests       DECIDING
 *      INDEXING     a row of the expiry index       EXTENDING
 *                   that was begun ahead of time
 *      EXTENDING    a renewal, if the lease would   COMMITTING
 *                   end before the commit can
 *      COMMITTING   the transaction                 answered: COLLECTING; refused by storage: DECIDING
 *      LINGERING    the lease is kept for a moment  a request comes: COLLECTING; none: IDLE
 *
 * From the states between DECIDING and COMMITTING a failure answers the whole batch. Without the lease the pipeline goes on
 * to ACQUIRING or, with nobody in the queue, to IDLE.
 *
 * Waits   A request waits AcquireTimeout for a lease that others hold. While this handler itself holds it, the request is
 *         served with the next batch.
 *         A storage failure while the lease is acquired fails everybody who waits.
 *         While others hold the lease, this handler lets them know that it waits; a holder looks for that now and then.
 * Threads: the loop's. `served` of a request is never called inside product_pipeline_submit.
 */
#ifndef INVENTORY_PRODUCT_PIPELINE_H
#define INVENTORY_PRODUCT_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/correlation.h"
#include "http/platform.h"
#include "inventory/batch.h"
#include "inventory/inventory_request.h"
#include "inventory/inventory_store.h"
#include "inventory/lease_tenure.h"
#include "inventory/product_cache.h"
#include "lease/lease_manager.h"

/* A product's lease is called that and its id. */
#define PRODUCT_LEASE_PREFIX "inventory-"

enum pipeline_state {
    PIPELINE_IDLE,
    PIPELINE_YIELDING,
    PIPELINE_ACQUIRING,
    PIPELINE_COLLECTING,
    PIPELINE_DECIDING,
    PIPELINE_READING,
    PIPELINE_WORKING,
    PIPELINE_LOOKING_UP,
    PIPELINE_INDEXING,
    PIPELINE_EXTENDING,
    PIPELINE_COMMITTING,
    PIPELINE_LINGERING,
};

/* What all pipelines share. Borrowed. */
struct pipeline_shared {
    struct inventory_store *store;
    struct lease_manager *leases;
    const struct platform *platform; /* its network is not used */
    int64_t acquire_timeout_ms;
    int64_t reservation_lifetime_ms;
    int64_t processing_time_ms;

    /* Called when a pipeline has nothing under way: it may be freed there, or later. */
    void (*became_idle)(void *context, struct product_pipeline *pipeline);
    void *context;
};

struct product_pipeline {
    char product_id[PRODUCT_ID_BYTES]; /* first: by which it is found (product_queues.c) */
    TAILQ_ENTRY(product_pipeline) idle_link;
    const struct pipeline_shared *shared;
    enum pipeline_state state;
    bool is_closed;          /* nobody waits any more; a batch under way is finished */
    struct loop_timer timer; /* of the state */
    struct loop_task task;   /* the same, for the loop's next round */
    int64_t window_ms,
        window_until_ms; /* COLLECTING: how long it waits for one more, and when it ends at the latest */
    int collect_rounds;             /* that the task has still to wait */
    struct correlation correlation; /* of the request in whose name this works, for the logs */
    bool has_correlation;
    int background_count; /* operations under way that no state waits for */

    /* Those who wait. */
    struct inventory_requests queue;
    int queue_length;
    uint64_t next_sequence;
    struct loop_timer deadline_timer; /* of the first in the queue */

    /* The lease. */
    struct lease_tenure tenure;
    struct lease_acquire acquire;
    int64_t acquire_until_ms; /* when the acquisition makes its last try */
    struct lease *lease;      /* NULL: not in hand */
    int64_t yielded_until_ms;
    int64_t announced_ms; /* storage's time of the last announcement that was read; 0: none */

    /* The batch. */
    struct batch batch;
    int batch_size;
    int reads; /* of the product */
    bool is_work_done;
    int renewals_before;
    struct product_cache cache;

    /* READING, LOOKING_UP */
    struct inventory_query query;
    struct inventory_request *reading_for; /* whose rows come with the product; NULL: nobody's */
    uint64_t started_sequence; /* of the next request when a read, look-ups or a commit began */
    bool is_read_alone;        /* without anybody's rows: with them it could not be read */
    bool looks_up_all; /* a key was used before: all are looked up once the product has been read */
    int look_ups;      /* under way */
    bool look_up_saw_change;
    struct error look_up_failure;

    /* INDEXING: the row of the expiry index that was begun while the lease was acquired. */
    bool is_indexing;
    int64_t indexed_due_ms; /* 0: none */

    /* WORKING, EXTENDING, COMMITTING */
    struct lease_hold hold;
    struct lease_extend extend;
    int64_t commit_started_ms;
};

/* NULL: no memory. */
struct product_pipeline *product_pipeline_new(const struct pipeline_shared *shared,
                                              const char *product_id);

/* It is idle, or its loop has stopped. */
void product_pipeline_free(struct product_pipeline *pipeline);

/* Not after product_pipeline_close. */
void product_pipeline_submit(struct product_pipeline *pipeline, struct inventory_request *request);

/* Whether nothing is under way. */
bool product_pipeline_is_idle(const struct product_pipeline *pipeline);

/* Stopping: whoever waits in the queue ends with STATUS_CANCELLED. A batch under way is finished, then the lease released. */
void product_pipeline_close(struct product_pipeline *pipeline);

#endif
