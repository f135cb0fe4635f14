/*
 * product_pipeline.h - all requests for one product in this handler, from the queue to the answer.
 *
 * How a request is served
 *   1. It joins the product's queue.
 *   2. The pipeline acquires the product's lease, so that no other handler changes the product.
 *   3. The first requests in the queue become a batch, at most INVENTORY_MAX_CHANGES of them.
 *   4. The product is read from storage, unless the cache still has it (product_cache.h).
 *   5. The batch's requests are decided in their order, on the product in memory (batch.h). What a
 *      request needs beside the product is looked up first: its customer's reservations, or the
 *      stored answer to its Idempotency-Key.
 *   6. All their changes are committed as one transaction (group commit). Storage accepts it only
 *      if the product's ETag is still the one that was read.
 *   7. The decided requests are answered. The others return to the front of the queue, before
 *      those that came meanwhile. One that is only partly done (CONTINUES) goes to the end of the
 *      queue. Then the next batch begins.
 *   8. The lease is kept between batches. It is released when no more requests come, or to yield
 *      to other handlers (lease_tenure.h).
 *
 * States
 *
 *     state        the pipeline waits for          next state
 *     IDLE         a request; has no lease         ACQUIRING, or YIELDING if it has just yielded
 *     YIELDING     the rest of YIELD_MS, in which  ACQUIRING; closed: IDLE
 *                  others can take the lease
 *     ACQUIRING    the lease                       DECIDING; if it fails, all requests are overdue,
 *                                                  or the pipeline is closed: IDLE; ACQUIRING if
 *                                                  requests are left after a failure
 *     COLLECTING   callers of the last batch to    DECIDING; without a request: LINGERING
 *                  return; has the lease
 *     DECIDING     nothing: it decides the batch   READING     the cache cannot be used, or must be
 *                  or finds what is missing                    validated, for a refusal for example
 *                                                  WORKING     ProcessingTime is set
 *                                                  LOOKING_UP  rows or records are missing
 *                                                  INDEXING    there are changes to commit
 *                                                  COLLECTING  nothing to commit: all is answered
 *     READING      the product                     DECIDING; READING again, without the rows of a
 *                                                  request that cannot be read
 *     WORKING      ProcessingTime to pass          DECIDING
 *     LOOKING_UP   reads for single requests       DECIDING
 *     INDEXING     an expiry row, if its write     EXTENDING
 *                  began in ACQUIRING
 *     EXTENDING    a renewal, if the lease could   COMMITTING
 *                  end before the commit does
 *     COMMITTING   the transaction                 COLLECTING; storage rejects it: DECIDING, or
 *                                                  the batch fails (see Failures)
 *     LINGERING    a request; keeps the lease      COLLECTING; if none comes in time: IDLE
 *
 * After a batch the pipeline yields instead of COLLECTING where lease_tenure.h says so: it goes to
 * YIELDING if requests wait, otherwise to IDLE. If the lease was lost, after a batch or before the
 * next one begins, it goes to ACQUIRING if requests wait, otherwise to IDLE.
 *
 * Deadlines  While others hold the lease, a request waits in the queue for AcquireTimeout. While
 *            this handler holds it, a request waits for AcquireTimeout or 10 s, whichever is
 *            longer. Then it ends with STATUS_LEASE_CONFLICT. In YIELDING, and in ACQUIRING until
 *            storage reports a conflict, an overdue request waits on. A request in a batch has no
 *            deadline. If it returns to the front of the queue, the time since it came still
 *            counts.
 * Failures   A failure from READING to COMMITTING answers the whole batch with its status. A
 *            failure while acquiring answers the whole queue. There are three exceptions:
 *              - The product was changed by others: it is read again. But if it had been read under
 *                this lease, or others keep changing it, the batch fails with STATUS_LEASE_LOST.
 *              - A key of the batch was used before: the keys are looked up, and the batch is
 *                decided again.
 *              - Rows that only one request needs cannot be read: that request fails alone.
 * Others     While others hold the lease, this handler announces in storage that it waits. A
 *            holder looks for such announcements now and then, and yields.
 * Threads    The loop's. A request's `served` is never called inside product_pipeline_submit.
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

/* The name of a product's lease is this prefix and the product's id. */
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

/* What all pipelines share. All borrowed. */
struct pipeline_shared {
    struct inventory_store *store;
    struct lease_manager *leases;
    const struct platform *platform; /* its network is not used */
    /* The settings AcquireTimeout, ReservationLifetime and ProcessingTime (docs/settings.md). */
    int64_t acquire_timeout_ms;
    int64_t reservation_lifetime_ms;
    int64_t processing_time_ms;
    int pipelines_in_use; /* those that are not idle, so at least 1 while one has a batch */

    /* Called when a pipeline has nothing under way. It may be freed in the call, or later. */
    void (*became_idle)(void *context, struct product_pipeline *pipeline);
    void *context;
};

/* The fields stand by the state that they belong to, although that costs some padding. */
struct product_pipeline { /* NOLINT(clang-analyzer-optin.performance.Padding) */
    /* Must be the first member: product_queues.c compares pipelines as strings. */
    char product_id[PRODUCT_ID_BYTES];
    TAILQ_ENTRY(product_pipeline) idle_link;
    const struct pipeline_shared *shared;
    enum pipeline_state state;
    bool is_closed;
    struct loop_timer timer; /* the state's */

    /* The request whose correlation the log lines and storage calls carry. A copy. */
    struct correlation correlation;
    bool has_correlation;

    /* Operations under way that no state waits for. */
    int background_count;

    /* ---- the queue ---- */
    struct inventory_requests queue;
    int queue_length;
    uint64_t next_sequence;
    struct loop_timer deadline_timer; /* for the first request in the queue */

    /* ---- the lease ---- */
    struct lease_tenure tenure;
    struct lease_acquire acquire;
    int64_t acquire_until_ms; /* when the acquire makes its last try */
    struct lease *lease;      /* NULL: the pipeline has none */
    int64_t yielded_until_ms;
    int64_t announced_ms; /* storage's time of the last announcement, perhaps our own; 0: none */

    /* ---- COLLECTING: the window waits by timer, or by rounds of the loop (event_loop.h) ---- */
    int64_t window_step_ms;  /* how long each wait for a next request lasts */
    int64_t window_limit_ms; /* the window is not extended beyond this */
    int rounds_left;         /* 0: it waits by timer */
    struct loop_task round_task;

    /* ---- the batch, and the product that it is decided on ---- */
    struct batch batch;
    int batch_size;
    struct product_cache cache;
    int read_count;           /* reads of the product for this batch */
    int renewal_count_before; /* the lease's renewals when the batch began */

    /* The sequence of the next request to come, as it was when a read, look-up or commit began. */
    uint64_t sequence_at_start;

    /* ---- READING ---- */
    struct inventory_query query;
    struct inventory_request *read_for; /* its rows are read with the product; NULL: nobody's */
    bool read_rows_separately;          /* the read failed with a request's rows */
    bool must_look_up_keys;             /* a key was used before: look up all after the read */

    /* ---- LOOKING_UP ---- */
    int look_ups_under_way;
    bool look_up_found_change;
    struct error look_up_failure;

    /* ---- INDEXING: the row that pipeline_index_ahead writes while the lease is acquired ---- */
    int64_t indexed_due_ms; /* 0: no row was written */
    bool is_indexing;

    /* ---- WORKING, EXTENDING, COMMITTING ---- */
    bool is_processing_time_over;
    struct lease_pause pause;
    struct lease_extend extend;
    int64_t commit_started_ms;
};

/* Returns NULL if there is no memory. `shared` must outlive the pipeline. */
struct product_pipeline *product_pipeline_new(const struct pipeline_shared *shared,
                                              const char *product_id);

/* The pipeline must be idle, or its loop have stopped. NULL is fine. */
void product_pipeline_free(struct product_pipeline *pipeline);

/* Queues a request. Its statuses are in product_queues.h. Must not be called after close. */
void product_pipeline_submit(struct product_pipeline *pipeline, struct inventory_request *request);

/* Returns true if nothing is under way. */
bool product_pipeline_is_idle(const struct product_pipeline *pipeline);

/*
 * Stopping: requests in the queue end with STATUS_CANCELLED. A batch under way is finished, then
 * the lease is released.
 */
void product_pipeline_close(struct product_pipeline *pipeline);

#endif
