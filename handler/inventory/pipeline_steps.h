/*
 * pipeline_steps.h - what the files of a product's pipeline call in each other. In the handler only
 * they include it.
 *
 *     product_pipeline.c   the state table, the queue and its deadlines, new and free
 *     pipeline_lease.c     between batches: IDLE, YIELDING, ACQUIRING, COLLECTING, LINGERING
 *     pipeline_batch.c     one batch: DECIDING, READING, WORKING, INDEXING, EXTENDING, COMMITTING
 *     pipeline_look_up.c   what single requests of a batch need: LOOKING_UP
 *
 * pipeline_enter_X is called when the pipeline enters state X. It starts what the state waits for.
 * When that has ended, its completion enters the next state. The functions below it without a
 * comment are what the state does on its timer, on a request, and when the pipeline is closed. The
 * table in product_pipeline.c says which is which.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_PIPELINE_STEPS_H
#define INVENTORY_PIPELINE_STEPS_H

#include "inventory/product_pipeline.h"

/* ---- product_pipeline.c ---- */

/* Changes the state. The last act of a step: the pipeline may be freed when this returns. */
void pipeline_enter(struct product_pipeline *pipeline, enum pipeline_state state);

/* From now on log lines and storage calls carry the request's correlation. It is copied. */
void pipeline_use_correlation_of(struct product_pipeline *pipeline,
                                 const struct inventory_request *request);

/* Returns that correlation, NULL if there is none. It is valid for as long as the pipeline. */
const struct correlation *pipeline_correlation(const struct product_pipeline *pipeline);

/* The state's timer. `due_ms` is a time on the clock. */
void pipeline_set_timer(struct product_pipeline *pipeline, int64_t due_ms);
void pipeline_stop_timer(struct product_pipeline *pipeline);

int64_t pipeline_now_ms(const struct product_pipeline *pipeline);
struct inventory_store *pipeline_store(const struct product_pipeline *pipeline);

/* Takes the first request out of the queue, which must not be empty. */
struct inventory_request *pipeline_take_first(struct product_pipeline *pipeline);

/* Answers all requests in the queue, but none that is submitted while they are answered. */
void pipeline_end_queue(struct product_pipeline *pipeline, enum status status,
                        const struct error *err);

/* The same with STATUS_CANCELLED, when the pipeline is closed. */
void pipeline_cancel_queue(struct product_pipeline *pipeline);

/* Answers the requests in the queue whose deadline has passed. */
void pipeline_end_overdue(struct product_pipeline *pipeline);

/*
 * Sets the pipeline's second timer, deadline_timer, to the deadline of the first request in the
 * queue, or stops it. Must be called whenever that request changes, and whenever the pipeline
 * starts or stops waiting for a lease that others hold.
 */
void pipeline_set_deadline(struct product_pipeline *pipeline);

/* ---- pipeline_lease.c ---- */

void pipeline_enter_idle(struct product_pipeline *pipeline);
void pipeline_seek_lease(struct product_pipeline *pipeline);

void pipeline_enter_yielding(struct product_pipeline *pipeline);
void pipeline_end_yielding(struct product_pipeline *pipeline);

void pipeline_enter_acquiring(struct product_pipeline *pipeline);
void pipeline_announce_wait(struct product_pipeline *pipeline);

/* Gives up waiting for the lease, in YIELDING or ACQUIRING, because no request is left. */
void pipeline_stop_waiting(struct product_pipeline *pipeline);

void pipeline_enter_collecting(struct product_pipeline *pipeline);
void pipeline_extend_window(struct product_pipeline *pipeline);
void pipeline_end_window(struct product_pipeline *pipeline);
void pipeline_cut_window_short(struct product_pipeline *pipeline);
void pipeline_on_round(void *context);

void pipeline_enter_lingering(struct product_pipeline *pipeline);
void pipeline_resume_collecting(struct product_pipeline *pipeline);
void pipeline_end_lingering(struct product_pipeline *pipeline);
void pipeline_cut_lingering_short(struct product_pipeline *pipeline);

/* Returns true if committing these requests may need a new row of the expiry index. */
bool pipeline_may_grow_index(const struct inventory_requests *requests);

/* Reads in the background whether others wait for the lease that this handler has, now and then. */
void pipeline_check_contention(struct product_pipeline *pipeline);

/* Goes on after a batch: yields the lease, or keeps it for the next batch. */
void pipeline_continue_after_batch(struct product_pipeline *pipeline);

/* Goes on after the lease was lost: acquires it anew if requests wait. */
void pipeline_continue_after_loss(struct product_pipeline *pipeline);

/* ---- pipeline_batch.c ---- */

/* Makes a batch of the queue, which must not be empty. The pipeline has the lease. */
void pipeline_begin_batch(struct product_pipeline *pipeline);

void pipeline_enter_deciding(struct product_pipeline *pipeline);
void pipeline_enter_reading(struct product_pipeline *pipeline);
void pipeline_enter_working(struct product_pipeline *pipeline);
void pipeline_enter_indexing(struct product_pipeline *pipeline);
void pipeline_enter_extending(struct product_pipeline *pipeline);
void pipeline_enter_committing(struct product_pipeline *pipeline);

/*
 * Answers the whole batch with a failure. The answers of the decided requests would hold only after
 * the commit, and the undecided requests would fail in the same way.
 */
void pipeline_fail_batch(struct product_pipeline *pipeline, enum status status,
                         const struct error *err);

/*
 * The stored product is not the cached one: reads it again, or fails the batch. `err` says how that
 * was found out.
 */
void pipeline_on_product_changed(struct product_pipeline *pipeline, const struct error *err);

/* ---- pipeline_look_up.c ---- */

void pipeline_enter_looking_up(struct product_pipeline *pipeline);

#endif
