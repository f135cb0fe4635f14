#include "inventory/pipeline_steps.h"

#include <stdio.h>

#include "base/log.h"
#include "inventory/expiry_index.h"
#include "inventory/lease_log.h"
#include "inventory/operation.h"

enum {
    COLLECT_ROUNDS =
        2, /* of the loop: in one, callers read their answers; in the next, their requests arrive */
    TIMER_MS = 1, /* a timer may fire so much early: both its ends are cut to milliseconds */
    WINDOW_EXTENSIONS = 3, /* a window that callers return in is at most so many times as long */
};

/* ---- IDLE, YIELDING ---- */

static void tell_if_idle(struct product_pipeline *pipeline) {
    if (product_pipeline_is_idle(pipeline)) {
        pipeline->shared->became_idle(pipeline->shared->context, pipeline);
    }
}

void pipeline_become_idle(struct product_pipeline *pipeline) {
    pipeline->has_correlation = false;
    tell_if_idle(pipeline);
}

void pipeline_leave_idle(struct product_pipeline *pipeline) {
    pipeline_work_for(pipeline, TAILQ_FIRST(&pipeline->queue));
    pipeline_enter(pipeline, pipeline_now_ms(pipeline) < pipeline->yielded_until_ms
                                 ? PIPELINE_YIELDING
                                 : PIPELINE_ACQUIRING);
}

/* Without the lease: on to those who wait, if there are any. */
static void go_on_without_lease(struct product_pipeline *pipeline) {
    if (TAILQ_EMPTY(&pipeline->queue)) {
        pipeline_enter(pipeline, PIPELINE_IDLE);
    } else {
        pipeline_leave_idle(pipeline);
    }
}

void pipeline_yield(struct product_pipeline *pipeline) {
    pipeline->acquire.conflict_count = 0;
    pipeline_set_timer(pipeline, pipeline->yielded_until_ms);
    pipeline_set_deadline(pipeline);
}

void pipeline_try_again(struct product_pipeline *pipeline) {
    pipeline_work_for(pipeline, TAILQ_FIRST(&pipeline->queue));
    pipeline_enter(pipeline, PIPELINE_ACQUIRING);
}

/* ---- ACQUIRING ---- */

static void on_background_ended(struct product_pipeline *pipeline) {
    pipeline->background_count--;
    tell_if_idle(pipeline);
}

static void on_indexed(void *context, enum status status, const struct error *err) {
    (void)status, (void)err; /* after a failure the commit will do it */
    struct product_pipeline *pipeline = context;
    pipeline->is_indexing = false;
    if (pipeline->state == PIPELINE_INDEXING) {
        pipeline_enter(pipeline, PIPELINE_EXTENDING);
    }
    on_background_ended(pipeline);
}

bool pipeline_may_grow_index(const struct inventory_requests *requests) {
    const struct inventory_request *request;
    TAILQ_FOREACH(request, requests, link) {
        if (request->operation->can_grow_index) {
            return true;
        }
    }
    return false;
}

/*
 * Writes the row of the expiry index that the batch's commit will need, while the lease is acquired: one round trip less. Only where
 * the product is known; otherwise its row will tell whether the index has to grow.
 */
static void index_ahead(struct product_pipeline *pipeline) {
    int64_t expires_ms = pipeline_store(pipeline)->ops->now_ms(pipeline_store(pipeline)) +
                         pipeline->shared->reservation_lifetime_ms;
    const struct product_state *state = &pipeline->cache.state;
    if (pipeline->is_indexing || state->etag[0] == '\0' ||
        !pipeline_may_grow_index(&pipeline->queue) ||
        state->product.indexed_due_ms == expiry_index_expiry_ms(expires_ms)) {
        return;
    }
    pipeline->is_indexing = true;
    pipeline->indexed_due_ms = 0;
    pipeline->background_count++;
    pipeline_store(pipeline)->ops->index_expiry(pipeline_store(pipeline), pipeline->product_id,
                                                expires_ms, &pipeline->indexed_due_ms, on_indexed,
                                                pipeline);
}

static void on_acquired(void *context, enum status status, struct lease *lease,
                        const struct error *err);

void pipeline_acquire(struct product_pipeline *pipeline) {
    const struct inventory_request *first = TAILQ_FIRST(&pipeline->queue);
    const struct inventory_request *last = TAILQ_LAST(&pipeline->queue, inventory_requests);
    int64_t time_ms = pipeline_now_ms(pipeline);
    int64_t wait_until_ms = last->arrived_ms + pipeline->shared->acquire_timeout_ms;
    pipeline->acquire_until_ms = wait_until_ms;
    char name[sizeof PRODUCT_LEASE_PREFIX + PRODUCT_ID_BYTES];
    snprintf(name, sizeof name, PRODUCT_LEASE_PREFIX "%s", pipeline->product_id);
    struct lease_request request = {.name = name,
                                    .duration_s = first->operation->lease_duration_s,
                                    .try_once = wait_until_ms <= time_ms,
                                    .wait_until_ms = wait_until_ms,
                                    .eager_from_ms = time_ms + TENURE_MS + YIELD_MS,
                                    .listener = lease_log_listener()};
    index_ahead(pipeline);
    lease_acquire_start(&pipeline->acquire, pipeline->shared->leases, &request, on_acquired,
                        pipeline);
    pipeline_set_timer(pipeline, time_ms + ANNOUNCE_AFTER_MS);
    pipeline_set_deadline(pipeline);
}

static void on_announced(void *context, enum status status, const struct error *err) {
    (void)status, (void)err; /* it is tried again before long */
    on_background_ended(context);
}

void pipeline_announce(struct product_pipeline *pipeline) {
    if (pipeline->acquire.conflict_count > 0) {
        pipeline->background_count++;
        pipeline_store(pipeline)->ops->announce_wait(pipeline_store(pipeline), pipeline->product_id,
                                                     on_announced, pipeline);
    }
    pipeline_set_timer(pipeline, pipeline_now_ms(pipeline) + ANNOUNCE_EVERY_MS);
}

static void take_lease(struct product_pipeline *pipeline, struct lease *lease) {
    const struct correlation *before = correlation_use(pipeline_correlation(pipeline));
    log_event(LOG_INFORMATION, "✓ Acquired lease %s for product %s", lease_id(lease),
              pipeline->product_id);
    correlation_use(before);
    pipeline->lease = lease;
}

/* A container that is missing here is that of the leases. The store's own would be lost for good (store_preparation.h). */
static void fail_queue(struct product_pipeline *pipeline, enum status status,
                       const struct error *err) {
    struct error failure = *err;
    if (status == STATUS_CONTAINER_NOT_FOUND) {
        log_event(LOG_ERROR, "The lease of product %s: %s", pipeline->product_id, err->message);
        status = failure.status = STATUS_UNAVAILABLE;
    }
    pipeline_end_queue(pipeline, status, &failure);
}

static void on_acquired(void *context, enum status status, struct lease *lease,
                        const struct error *err) {
    struct product_pipeline *pipeline = context;
    pipeline_stop_timer(pipeline);
    if (status == STATUS_OK) {
        take_lease(pipeline, lease);
        lease_tenure_begin(&pipeline->tenure, pipeline_now_ms(pipeline),
                           pipeline->acquire.conflict_count > 0);
        product_cache_note_lease_change(&pipeline->cache);
        pipeline_begin_batch(pipeline);
        return;
    }
    if (status == STATUS_LEASE_CONFLICT) {
        pipeline_end_overdue(pipeline);
    } else {
        fail_queue(pipeline, status, err);
    }
    go_on_without_lease(pipeline);
}

/* There is nobody any more for whom the lease is wanted. */
void pipeline_stop_waiting(struct product_pipeline *pipeline) {
    lease_acquire_abandon(&pipeline->acquire);
    pipeline_stop_timer(pipeline);
    pipeline_enter(pipeline, PIPELINE_IDLE);
}

/* ---- holding the lease ---- */

static void release_lease(struct product_pipeline *pipeline) {
    const struct correlation *before = correlation_use(pipeline_correlation(pipeline));
    log_event(LOG_INFORMATION, "Releasing lease %s for product %s", lease_id(pipeline->lease),
              pipeline->product_id);
    lease_manager_release(pipeline->shared->leases, pipeline->lease);
    correlation_use(before);
    pipeline->lease = NULL;
    lease_tenure_end(&pipeline->tenure, pipeline_now_ms(pipeline));
    product_cache_note_lease_change(&pipeline->cache);
}

static void on_wait_read(void *context, enum status status, const struct error *err) {
    (void)err; /* it is read again before long */
    struct product_pipeline *pipeline = context;
    int64_t age_ms =
        pipeline_store(pipeline)->ops->now_ms(pipeline_store(pipeline)) - pipeline->announced_ms;
    if (status == STATUS_OK && age_ms < (int64_t)2 * ANNOUNCE_EVERY_MS) {
        lease_tenure_note_contention(&pipeline->tenure, pipeline_now_ms(pipeline));
    }
    on_background_ended(pipeline);
}

/* Nobody but the others themselves can say that they wait. The look goes on beside the batch. */
void pipeline_look_for_others(struct product_pipeline *pipeline) {
    if (lease_tenure_should_check(&pipeline->tenure, pipeline_now_ms(pipeline))) {
        pipeline->background_count++;
        pipeline_store(pipeline)->ops->read_wait(pipeline_store(pipeline), pipeline->product_id,
                                                 &pipeline->announced_ms, on_wait_read, pipeline);
    }
}

void pipeline_go_on_after_loss(struct product_pipeline *pipeline) {
    release_lease(pipeline);
    go_on_without_lease(pipeline);
}

void pipeline_go_on(struct product_pipeline *pipeline) {
    int64_t time_ms = pipeline_now_ms(pipeline);
    if (pipeline->is_closed) { /* what the batch left over */
        pipeline_cancel_queue(pipeline);
    }
    pipeline_set_deadline(pipeline);
    if (!lease_manager_is_held(pipeline->shared->leases, pipeline->lease)) {
        pipeline_go_on_after_loss(pipeline);
    } else if (lease_tenure_should_yield(&pipeline->tenure, time_ms)) {
        release_lease(pipeline);
        pipeline->yielded_until_ms = time_ms + YIELD_MS;
        go_on_without_lease(pipeline);
    } else {
        pipeline_enter(pipeline, PIPELINE_COLLECTING);
    }
}

/* ---- COLLECTING, LINGERING ---- */

static void wait_a_round(struct product_pipeline *pipeline) {
    event_loop_post(pipeline->shared->platform->loop, &pipeline->task);
}

/* Where storage is so fast that its answers take less than a millisecond, the window is a few rounds of the loop. */
void pipeline_collect(struct product_pipeline *pipeline) {
    int64_t window_ms =
        pipeline->is_closed ? 0 : lease_tenure_window_ms(&pipeline->tenure, pipeline->queue_length);
    int64_t time_ms = pipeline_now_ms(pipeline);
    pipeline->collect_rounds = window_ms > 0 ? 0 : COLLECT_ROUNDS;
    if (window_ms > 0) {
        pipeline->window_ms = window_ms + TIMER_MS;
        pipeline->window_until_ms = time_ms + WINDOW_EXTENSIONS * pipeline->window_ms;
        pipeline_set_timer(pipeline, time_ms + pipeline->window_ms);
    } else {
        wait_a_round(pipeline);
    }
}

void pipeline_end_window(struct product_pipeline *pipeline) {
    lease_tenure_note_window(&pipeline->tenure, pipeline->queue_length);
    if (pipeline->queue_length > 0) {
        pipeline_begin_batch(pipeline);
    } else {
        pipeline_enter(pipeline, PIPELINE_LINGERING);
    }
}

/* Nobody comes any more. A round of the loop ends by itself, even while the loop is being stopped; a timer does not. */
void pipeline_stop_collecting(struct product_pipeline *pipeline) {
    if (pipeline->collect_rounds == 0) {
        pipeline_stop_timer(pipeline);
        pipeline_end_window(pipeline);
    }
}

void pipeline_round_is_over(void *context) {
    struct product_pipeline *pipeline = context;
    bool is_missing_some = lease_tenure_expects_callers(&pipeline->tenure, pipeline->queue_length);
    if (--pipeline->collect_rounds > 0 && is_missing_some) {
        wait_a_round(pipeline);
    } else {
        pipeline_end_window(pipeline);
    }
}

/*
 * One more has come. Without it a batch would go out half full, and the other half would fill the next one, for ever: so the
 * window goes on while callers return. A batch never begins inside the call that submits a request.
 */
void pipeline_check_window(struct product_pipeline *pipeline) {
    if (pipeline->collect_rounds > 0) {
        return;
    }
    if (lease_tenure_expects_callers(&pipeline->tenure, pipeline->queue_length)) {
        pipeline_set_timer(pipeline, clock_min_ms(pipeline_now_ms(pipeline) + pipeline->window_ms,
                                                  pipeline->window_until_ms));
    } else {
        pipeline_stop_timer(pipeline);
        pipeline->collect_rounds = 1;
        wait_a_round(pipeline);
    }
}

void pipeline_linger(struct product_pipeline *pipeline) {
    int64_t time_ms = pipeline_now_ms(pipeline);
    int64_t linger_ms = lease_tenure_linger_ms(&pipeline->tenure, time_ms);
    if (linger_ms == 0 || pipeline->is_closed) {
        pipeline_give_up_lease(pipeline);
    } else {
        pipeline_set_timer(pipeline, time_ms + linger_ms);
    }
}

void pipeline_give_up_lease(struct product_pipeline *pipeline) {
    release_lease(pipeline);
    pipeline_enter(pipeline, PIPELINE_IDLE);
}

void pipeline_stop_lingering(struct product_pipeline *pipeline) {
    pipeline_stop_timer(pipeline);
    pipeline_give_up_lease(pipeline);
}

void pipeline_end_lingering(struct product_pipeline *pipeline) {
    pipeline_stop_timer(pipeline);
    pipeline_enter(pipeline, PIPELINE_COLLECTING);
}
