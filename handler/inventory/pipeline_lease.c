#include "inventory/pipeline_steps.h"

#include <stdio.h>

#include "base/log.h"
#include "inventory/expiry_index.h"
#include "inventory/lease_log.h"
#include "inventory/operation.h"

enum {
    /* In one round of the loop callers read their answers, in the next their requests arrive. */
    COLLECT_ROUNDS = 2,
    /* A timer may fire this much early, because times are cut to milliseconds. */
    TIMER_TOLERANCE_MS = 1,
    /* A window that is extended lasts at most this many times its length. */
    MAX_WINDOW_LENGTHS = 3,
};

/* ---- IDLE, YIELDING ---- */

static void pipeline_notify_if_idle(struct product_pipeline *pipeline) {
    if (product_pipeline_is_idle(pipeline)) {
        pipeline->shared->became_idle(pipeline->shared->context, pipeline);
    }
}

void pipeline_enter_idle(struct product_pipeline *pipeline) {
    pipeline->has_correlation = false;
    pipeline_notify_if_idle(pipeline);
}

/* A request waits, and the pipeline has no lease. It may have to stay away for a moment first. */
void pipeline_seek_lease(struct product_pipeline *pipeline) {
    pipeline_use_correlation_of(pipeline, TAILQ_FIRST(&pipeline->queue));
    pipeline_enter(pipeline, pipeline_now_ms(pipeline) < pipeline->yielded_until_ms
                                 ? PIPELINE_YIELDING
                                 : PIPELINE_ACQUIRING);
}

static void pipeline_continue_without_lease(struct product_pipeline *pipeline) {
    if (TAILQ_EMPTY(&pipeline->queue)) {
        pipeline_enter(pipeline, PIPELINE_IDLE);
    } else {
        pipeline_seek_lease(pipeline);
    }
}

void pipeline_enter_yielding(struct product_pipeline *pipeline) {
    /* No conflict has been met yet, so overdue requests wait on (pipeline_on_deadline). */
    pipeline->acquire.conflict_count = 0;
    pipeline_set_timer(pipeline, pipeline->yielded_until_ms);
    pipeline_set_deadline(pipeline);
}

void pipeline_end_yielding(struct product_pipeline *pipeline) {
    pipeline_use_correlation_of(pipeline, TAILQ_FIRST(&pipeline->queue));
    pipeline_enter(pipeline, PIPELINE_ACQUIRING);
}

/* ---- background operations: no state waits for them ---- */

static void pipeline_begin_background(struct product_pipeline *pipeline) {
    pipeline->background_count++;
}

static void pipeline_end_background(struct product_pipeline *pipeline) {
    pipeline->background_count--;
    pipeline_notify_if_idle(pipeline);
}

/* ---- the expiry index, ahead of the commit ---- */

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
 * After a failure the commit writes the row itself. The operation still counts while the pipeline
 * goes on, so pipeline_enter cannot free the pipeline.
 */
static void pipeline_on_indexed(void *context, enum status status, const struct error *err) {
    (void)status, (void)err;
    struct product_pipeline *pipeline = context;
    pipeline->is_indexing = false;
    if (pipeline->state == PIPELINE_INDEXING) {
        pipeline_enter(pipeline, PIPELINE_EXTENDING);
    }
    pipeline_end_background(pipeline);
}

/*
 * Writes the row of the expiry index that the commit will need, while the lease is acquired. That
 * saves the commit a round trip. Only the cached product says which row the index lacks, so without
 * one this does nothing.
 */
static void pipeline_index_ahead(struct product_pipeline *pipeline) {
    struct inventory_store *store = pipeline_store(pipeline);
    int64_t expires_ms = store->ops->now_ms(store) + pipeline->shared->reservation_lifetime_ms;
    const struct product_state *state = &pipeline->cache.state;
    bool is_cached = state->etag[0] != '\0';
    bool is_indexed = state->product.indexed_due_ms == expiry_index_minute_ms(expires_ms);
    if (pipeline->is_indexing || !is_cached || is_indexed ||
        !pipeline_may_grow_index(&pipeline->queue)) {
        return;
    }
    pipeline->is_indexing = true;
    pipeline->indexed_due_ms = 0;
    pipeline_begin_background(pipeline);
    store->ops->index_expiry(store, pipeline->product_id, expires_ms, &pipeline->indexed_due_ms,
                             pipeline_on_indexed, pipeline);
}

/* ---- ACQUIRING ---- */

/*
 * CONTAINER_NOT_FOUND from an acquire means the container of the leases. It becomes UNAVAILABLE, so
 * that it is not taken for the loss of the table with all stock.
 */
static void pipeline_fail_queue(struct product_pipeline *pipeline, enum status status,
                                const struct error *err) {
    struct error failure = *err;
    if (status == STATUS_CONTAINER_NOT_FOUND) {
        log_event(LOG_ERROR, "The lease of product %s: %s", pipeline->product_id, err->message);
        status = failure.status = STATUS_UNAVAILABLE;
    }
    pipeline_end_queue(pipeline, status, &failure);
}

static void pipeline_begin_tenure(struct product_pipeline *pipeline, struct lease *lease) {
    const struct correlation *before = correlation_use(pipeline_correlation(pipeline));
    log_event(LOG_INFORMATION, "✓ Acquired lease %s for product %s", lease_id(lease),
              pipeline->product_id);
    correlation_use(before);
    pipeline->lease = lease;
    lease_tenure_note_acquire(&pipeline->tenure, pipeline_now_ms(pipeline),
                              pipeline->acquire.conflict_count > 0);
    product_cache_note_lease_change(&pipeline->cache);
    pipeline_begin_batch(pipeline);
}

static void pipeline_on_acquired(void *context, enum status status, struct lease *lease,
                                 const struct error *err) {
    struct product_pipeline *pipeline = context;
    pipeline_stop_timer(pipeline);
    if (status == STATUS_OK) {
        pipeline_begin_tenure(pipeline, lease);
        return;
    }
    if (status == STATUS_LEASE_CONFLICT) {
        pipeline_end_overdue(pipeline);
    } else {
        pipeline_fail_queue(pipeline, status, err);
    }
    pipeline_continue_without_lease(pipeline);
}

/*
 * Tries until the deadline of the last request in the queue. After TENURE_MS + YIELD_MS another
 * handler has had its tenure and has yielded once. From then on this acquire starts its backoff
 * again and again, so that it retries more often than a handler that has just begun to wait.
 */
void pipeline_enter_acquiring(struct product_pipeline *pipeline) {
    const struct inventory_request *first = TAILQ_FIRST(&pipeline->queue);
    const struct inventory_request *last = TAILQ_LAST(&pipeline->queue, inventory_requests);
    int64_t time_ms = pipeline_now_ms(pipeline);
    int64_t wait_until_ms = last->arrived_ms + pipeline->shared->acquire_timeout_ms;
    char name[sizeof PRODUCT_LEASE_PREFIX + PRODUCT_ID_BYTES];
    snprintf(name, sizeof name, PRODUCT_LEASE_PREFIX "%s", pipeline->product_id);
    struct leasehold_request request = {.name = name,
                                        .duration_s = first->operation->lease_duration_s,
                                        .try_once = wait_until_ms <= time_ms,
                                        .timeout_ms = wait_until_ms - time_ms,
                                        .listener = lease_log_listener()};
    pipeline->acquire.restart_backoff_from_ms = time_ms + TENURE_MS + YIELD_MS;
    pipeline_index_ahead(pipeline);
    pipeline->acquire_until_ms = wait_until_ms;
    lease_acquire_start(&pipeline->acquire, pipeline->shared->leases, &request,
                        pipeline_on_acquired, pipeline);
    pipeline_set_timer(pipeline, time_ms + ANNOUNCE_AFTER_MS);
    pipeline_set_deadline(pipeline);
}

/* After a failure the next announcement comes soon enough. */
static void pipeline_on_announced(void *context, enum status status, const struct error *err) {
    (void)status, (void)err;
    pipeline_end_background(context);
}

/* Tells a holder in another handler that this one waits, so that it yields. */
void pipeline_announce_wait(struct product_pipeline *pipeline) {
    if (pipeline->acquire.conflict_count > 0) {
        struct inventory_store *store = pipeline_store(pipeline);
        pipeline_begin_background(pipeline);
        store->ops->announce_wait(store, pipeline->product_id, pipeline_on_announced, pipeline);
    }
    pipeline_set_timer(pipeline, pipeline_now_ms(pipeline) + ANNOUNCE_EVERY_MS);
}

void pipeline_stop_waiting(struct product_pipeline *pipeline) {
    lease_acquire_abandon(&pipeline->acquire);
    pipeline_stop_timer(pipeline);
    pipeline_enter(pipeline, PIPELINE_IDLE);
}

/* ---- between batches ---- */

static void pipeline_release_lease(struct product_pipeline *pipeline) {
    const struct correlation *before = correlation_use(pipeline_correlation(pipeline));
    log_event(LOG_INFORMATION, "Releasing lease %s for product %s", lease_id(pipeline->lease),
              pipeline->product_id);
    lease_manager_release(pipeline->shared->leases, pipeline->lease);
    correlation_use(before);
    pipeline->lease = NULL;
    lease_tenure_note_release(&pipeline->tenure, pipeline_now_ms(pipeline));
    product_cache_note_lease_change(&pipeline->cache);
}

/*
 * A handler that waits repeats its announcement every ANNOUNCE_EVERY_MS. An announcement of twice
 * that age is left from a wait that has ended. After a failure the next check comes soon enough.
 */
static void pipeline_on_wait_read(void *context, enum status status, const struct error *err) {
    (void)err;
    struct product_pipeline *pipeline = context;
    struct inventory_store *store = pipeline_store(pipeline);
    int64_t age_ms = store->ops->now_ms(store) - pipeline->announced_ms;
    if (status == STATUS_OK && age_ms < (int64_t)2 * ANNOUNCE_EVERY_MS) {
        lease_tenure_note_contention(&pipeline->tenure, pipeline_now_ms(pipeline));
    }
    pipeline_end_background(pipeline);
}

/* A holder gets no sign when another handler's try fails. So it looks for announcements. */
void pipeline_check_contention(struct product_pipeline *pipeline) {
    if (lease_tenure_begin_check(&pipeline->tenure, pipeline_now_ms(pipeline))) {
        struct inventory_store *store = pipeline_store(pipeline);
        pipeline_begin_background(pipeline);
        store->ops->read_wait(store, pipeline->product_id, &pipeline->announced_ms,
                              pipeline_on_wait_read, pipeline);
    }
}

/*
 * Ends our use of the lost lease. Storage may still hold it for us, for example after a renewal
 * whose reply came late. Then a release is sent.
 */
void pipeline_continue_after_loss(struct product_pipeline *pipeline) {
    pipeline_release_lease(pipeline);
    pipeline_continue_without_lease(pipeline);
}

void pipeline_continue_after_batch(struct product_pipeline *pipeline) {
    int64_t time_ms = pipeline_now_ms(pipeline);
    if (pipeline->is_closed) { /* the batch may have returned requests to the queue */
        pipeline_cancel_queue(pipeline);
    }
    pipeline_set_deadline(pipeline);
    if (!lease_manager_is_held(pipeline->shared->leases, pipeline->lease)) {
        pipeline_continue_after_loss(pipeline);
    } else if (lease_tenure_begin_yield(&pipeline->tenure, time_ms)) {
        pipeline_release_lease(pipeline);
        pipeline->yielded_until_ms = time_ms + YIELD_MS;
        pipeline_continue_without_lease(pipeline);
    } else {
        pipeline_enter(pipeline, PIPELINE_COLLECTING);
    }
}

/* ---- COLLECTING ---- */

/*
 * The callers of the last batch are about to send their next requests. The window gives them time,
 * so that one batch takes them all. If callers are expected, and a tenth of a commit lasts 1 ms or
 * more, it is a timer. Otherwise it is rounds of the event loop (event_loop.h): COLLECT_ROUNDS if
 * callers are expected, else one.
 */

static void pipeline_wait_a_round(struct product_pipeline *pipeline) {
    event_loop_post(pipeline->shared->platform->loop, &pipeline->round_task);
}

void pipeline_enter_collecting(struct product_pipeline *pipeline) {
    int64_t length_ms =
        pipeline->is_closed ? 0 : lease_tenure_window_ms(&pipeline->tenure, pipeline->queue_length);
    int64_t time_ms = pipeline_now_ms(pipeline);
    if (length_ms == 0) {
        pipeline->rounds_left = COLLECT_ROUNDS;
        pipeline_wait_a_round(pipeline);
        return;
    }
    pipeline->rounds_left = 0;
    pipeline->window_step_ms = length_ms + TIMER_TOLERANCE_MS;
    pipeline->window_limit_ms = time_ms + MAX_WINDOW_LENGTHS * pipeline->window_step_ms;
    pipeline_set_timer(pipeline, time_ms + pipeline->window_step_ms);
}

void pipeline_end_window(struct product_pipeline *pipeline) {
    lease_tenure_note_window(&pipeline->tenure, pipeline->queue_length);
    if (pipeline->queue_length > 0) {
        pipeline_begin_batch(pipeline);
    } else {
        pipeline_enter(pipeline, PIPELINE_LINGERING);
    }
}

/*
 * A request came. While callers are still expected, each request restarts the window. Without this
 * the callers could split into two groups that take alternate batches. When all have come, the
 * window ends in the loop's next round: a batch never begins inside the call that submits a
 * request.
 */
void pipeline_extend_window(struct product_pipeline *pipeline) {
    if (pipeline->rounds_left > 0) {
        return;
    }
    if (lease_tenure_expects_callers(&pipeline->tenure, pipeline->queue_length)) {
        pipeline_set_timer(pipeline,
                           clock_min_ms(pipeline_now_ms(pipeline) + pipeline->window_step_ms,
                                        pipeline->window_limit_ms));
    } else {
        pipeline_stop_timer(pipeline);
        pipeline->rounds_left = 1;
        pipeline_wait_a_round(pipeline);
    }
}

void pipeline_on_round(void *context) {
    struct product_pipeline *pipeline = context;
    bool expects_callers = lease_tenure_expects_callers(&pipeline->tenure, pipeline->queue_length);
    if (--pipeline->rounds_left > 0 && expects_callers) {
        pipeline_wait_a_round(pipeline);
    } else {
        pipeline_end_window(pipeline);
    }
}

/* Rounds of the loop end by themselves, even while it is being stopped. A timer does not. */
void pipeline_cut_window_short(struct product_pipeline *pipeline) {
    if (pipeline->rounds_left == 0) {
        pipeline_stop_timer(pipeline);
        pipeline_end_window(pipeline);
    }
}

/* ---- LINGERING ---- */

void pipeline_enter_lingering(struct product_pipeline *pipeline) {
    int64_t time_ms = pipeline_now_ms(pipeline);
    int64_t linger_ms = lease_tenure_begin_linger(&pipeline->tenure, time_ms);
    if (linger_ms == 0 || pipeline->is_closed) {
        pipeline_end_lingering(pipeline);
    } else {
        pipeline_set_timer(pipeline, time_ms + linger_ms);
    }
}

void pipeline_resume_collecting(struct product_pipeline *pipeline) {
    pipeline_stop_timer(pipeline);
    pipeline_enter(pipeline, PIPELINE_COLLECTING);
}

void pipeline_end_lingering(struct product_pipeline *pipeline) {
    pipeline_release_lease(pipeline);
    pipeline_enter(pipeline, PIPELINE_IDLE);
}

void pipeline_cut_lingering_short(struct product_pipeline *pipeline) {
    pipeline_stop_timer(pipeline);
    pipeline_end_lingering(pipeline);
}
