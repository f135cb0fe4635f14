/*
 * pipeline_steps.h - the steps of a product's pipeline, for its own files alone.
 *
 *     product_pipeline.c   the table of states, the queue, deadlines, life
 *     pipeline_lease.c     IDLE, YIELDING, ACQUIRING, COLLECTING, LINGERING: with or without the lease, between batches
 *     pipeline_batch.c     DECIDING, READING, WORKING, INDEXING, EXTENDING, COMMITTING: one batch
 *     pipeline_look_up.c   LOOKING_UP: what single requests of a batch need
 *
 * Threads: the loop's.
 */
#ifndef INVENTORY_PIPELINE_STEPS_H
#define INVENTORY_PIPELINE_STEPS_H

#include "inventory/product_pipeline.h"

/* ---- product_pipeline.c ---- */

/* In whose name it works; NULL: nobody's. It stays where it is for as long as the pipeline does. */
const struct correlation *pipeline_correlation(const struct product_pipeline *pipeline);

void pipeline_enter(struct product_pipeline *pipeline, enum pipeline_state state);
void pipeline_set_timer(struct product_pipeline *pipeline, int64_t due_ms);
void pipeline_stop_timer(struct product_pipeline *pipeline);
int64_t pipeline_now_ms(const struct product_pipeline *pipeline);
struct inventory_store *pipeline_store(const struct product_pipeline *pipeline);

/* States that are entered from now on work in the name of a request. A copy: their operations may outlive the request. */
void pipeline_work_for(struct product_pipeline *pipeline, const struct inventory_request *request);

/* The first in the queue, which is not empty, leaves it. */
struct inventory_request *pipeline_take_first(struct product_pipeline *pipeline);

/* Answers everybody in the queue. Those who come while these are told are not among them. */
void pipeline_end_queue(struct product_pipeline *pipeline, enum status status,
                        const struct error *err);

/* The same, when the pipeline is closed. */
void pipeline_cancel_queue(struct product_pipeline *pipeline);

/* Answers those in the queue who have waited for too long. */
void pipeline_end_overdue(struct product_pipeline *pipeline);

/* To be called when the first in the queue, or how long it may wait, is another. */
void pipeline_set_deadline(struct product_pipeline *pipeline);

/* ---- pipeline_lease.c ---- */

/* Whether the commit of such requests may need a new row of the expiry index. */
bool pipeline_may_grow_index(const struct inventory_requests *requests);

void pipeline_become_idle(struct product_pipeline *pipeline);
void pipeline_leave_idle(struct product_pipeline *pipeline);
void pipeline_yield(struct product_pipeline *pipeline);
void pipeline_try_again(struct product_pipeline *pipeline);
void pipeline_acquire(struct product_pipeline *pipeline);
void pipeline_announce(struct product_pipeline *pipeline);
void pipeline_stop_waiting(struct product_pipeline *pipeline);
void pipeline_collect(struct product_pipeline *pipeline);
void pipeline_check_window(struct product_pipeline *pipeline);
void pipeline_end_window(struct product_pipeline *pipeline);
void pipeline_stop_collecting(struct product_pipeline *pipeline);
void pipeline_linger(struct product_pipeline *pipeline);
void pipeline_end_lingering(struct product_pipeline *pipeline);
void pipeline_stop_lingering(struct product_pipeline *pipeline);
void pipeline_give_up_lease(struct product_pipeline *pipeline);

/* A loop_task of COLLECTING. */
void pipeline_round_is_over(void *context);

/* The lease is in hand. Looks in the background whether others wait for it, if it is time to. */
void pipeline_look_for_others(struct product_pipeline *pipeline);

/* A batch has ended. */
void pipeline_go_on(struct product_pipeline *pipeline);

/* The lease was lost: to those who wait, if there are any, without it. */
void pipeline_go_on_after_loss(struct product_pipeline *pipeline);

/* ---- pipeline_batch.c ---- */

/* With the lease, and somebody in the queue. */
void pipeline_begin_batch(struct product_pipeline *pipeline);

void pipeline_choose_step(struct product_pipeline *pipeline);
void pipeline_read(struct product_pipeline *pipeline);
void pipeline_work(struct product_pipeline *pipeline);
void pipeline_await_index(struct product_pipeline *pipeline);
void pipeline_extend_lease(struct product_pipeline *pipeline);
void pipeline_commit(struct product_pipeline *pipeline);

/* Answers the whole batch with a failure. What was not decided could not have fared better. */
void pipeline_fail_batch(struct product_pipeline *pipeline, enum status status,
                         const struct error *err);

/* What is known of the product is not what is stored. `err` says how that showed. */
void pipeline_note_change(struct product_pipeline *pipeline, const struct error *err);

/* ---- pipeline_look_up.c ---- */

void pipeline_look_up(struct product_pipeline *pipeline);

#endif
