#include "inventory/product_pipeline.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "inventory/pipeline_steps.h"

static_assert(offsetof(struct product_pipeline, product_id) == 0,
              "product_queues.c compares pipelines as strings");

enum {
    /* A request waits at least this long for batches while this handler itself holds the lease. */
    OWN_BATCHES_MS = 10000,
    /* How often an overdue request is looked at again, while storage has not answered yet. */
    DEADLINE_RETRY_MS = 20,
};

/* ---- states ---- */

/* What a state does. NULL: nothing. */
struct state_row {
    void (*enter)(struct product_pipeline *pipeline);
    void (*on_timer)(struct product_pipeline *pipeline);
    void (*on_request)(struct product_pipeline *pipeline);
    void (*on_close)(struct product_pipeline *pipeline);
};

/* Between DECIDING and COMMITTING a closed pipeline finishes its batch, which leads it to IDLE. */
static const struct state_row states[] = {
    [PIPELINE_IDLE] = {.enter = pipeline_enter_idle, .on_request = pipeline_seek_lease},
    [PIPELINE_YIELDING] = {.enter = pipeline_enter_yielding,
                           .on_timer = pipeline_end_yielding,
                           .on_close = pipeline_stop_waiting},
    [PIPELINE_ACQUIRING] = {.enter = pipeline_enter_acquiring,
                            .on_timer = pipeline_announce_wait,
                            .on_close = pipeline_stop_waiting},
    [PIPELINE_COLLECTING] = {.enter = pipeline_enter_collecting,
                             .on_timer = pipeline_end_window,
                             .on_request = pipeline_extend_window,
                             .on_close = pipeline_cut_window_short},
    [PIPELINE_DECIDING] = {.enter = pipeline_enter_deciding},
    [PIPELINE_READING] = {.enter = pipeline_enter_reading},
    [PIPELINE_WORKING] = {.enter = pipeline_enter_working},
    [PIPELINE_LOOKING_UP] = {.enter = pipeline_enter_looking_up},
    [PIPELINE_INDEXING] = {.enter = pipeline_enter_indexing},
    [PIPELINE_EXTENDING] = {.enter = pipeline_enter_extending},
    [PIPELINE_COMMITTING] = {.enter = pipeline_enter_committing},
    [PIPELINE_LINGERING] = {.enter = pipeline_enter_lingering,
                            .on_timer = pipeline_end_lingering,
                            .on_request = pipeline_resume_collecting,
                            .on_close = pipeline_cut_lingering_short},
};

void pipeline_enter(struct product_pipeline *pipeline, enum pipeline_state state) {
    const struct correlation *before = correlation_use(pipeline_correlation(pipeline));
    pipeline->state = state;
    states[state].enter(pipeline);
    correlation_use(before);
}

static void pipeline_on_timer(void *context) {
    struct product_pipeline *pipeline = context;
    assert(states[pipeline->state].on_timer != NULL);
    states[pipeline->state].on_timer(pipeline);
}

void pipeline_set_timer(struct product_pipeline *pipeline, int64_t due_ms) {
    event_loop_set_timer(pipeline->shared->platform->loop, &pipeline->timer, due_ms);
}

void pipeline_stop_timer(struct product_pipeline *pipeline) {
    event_loop_stop_timer(pipeline->shared->platform->loop, &pipeline->timer);
}

int64_t pipeline_now_ms(const struct product_pipeline *pipeline) {
    return clock_now_ms(pipeline->shared->platform->clock);
}

struct inventory_store *pipeline_store(const struct product_pipeline *pipeline) {
    return pipeline->shared->store;
}

/* A copy, because the pipeline's operations may outlive the request. */
void pipeline_use_correlation_of(struct product_pipeline *pipeline,
                                 const struct inventory_request *request) {
    pipeline->has_correlation = request->correlation != NULL;
    if (pipeline->has_correlation) {
        pipeline->correlation = *request->correlation;
    }
}

const struct correlation *pipeline_correlation(const struct product_pipeline *pipeline) {
    return pipeline->has_correlation ? &pipeline->correlation : NULL;
}

/* ---- the queue ---- */

void product_pipeline_submit(struct product_pipeline *pipeline, struct inventory_request *request) {
    assert(!pipeline->is_closed);
    request->stage = REQUEST_QUEUED;
    request->has_rows = false;
    request->record.key_hash[0] = '\0';
    request->committed_units = 0;
    request->sequence = pipeline->next_sequence++;
    request->arrived_ms = pipeline_now_ms(pipeline);
    bool was_empty = TAILQ_EMPTY(&pipeline->queue);
    TAILQ_INSERT_TAIL(&pipeline->queue, request, link);
    pipeline->queue_length++;
    lease_tenure_note_request(&pipeline->tenure, request->arrived_ms);
    if (states[pipeline->state].on_request != NULL) {
        states[pipeline->state].on_request(pipeline);
    } else {
        log_event(LOG_DEBUG, "Waiting behind others for product %s", pipeline->product_id);
    }
    if (was_empty) {
        pipeline_set_deadline(pipeline);
    }
}

struct inventory_request *pipeline_take_first(struct product_pipeline *pipeline) {
    struct inventory_request *request = TAILQ_FIRST(&pipeline->queue);
    TAILQ_REMOVE(&pipeline->queue, request, link);
    pipeline->queue_length--;
    return request;
}

/*
 * Answers requests that have left the queue. They are on a list of their own, because `served` may
 * submit further requests.
 */
static void pipeline_end_requests(struct inventory_requests *ended, enum status status,
                                  const struct error *err) {
    struct inventory_request *request;
    while ((request = TAILQ_FIRST(ended)) != NULL) {
        TAILQ_REMOVE(ended, request, link);
        request->status = status;
        request->failure = *err;
        request->served(request);
    }
}

void pipeline_end_queue(struct product_pipeline *pipeline, enum status status,
                        const struct error *err) {
    struct inventory_requests ended = TAILQ_HEAD_INITIALIZER(ended);
    TAILQ_CONCAT(&ended, &pipeline->queue, link);
    pipeline->queue_length = 0;
    pipeline_set_deadline(pipeline);
    pipeline_end_requests(&ended, status, err);
}

void pipeline_cancel_queue(struct product_pipeline *pipeline) {
    struct error err;
    error_set(&err, STATUS_CANCELLED, "waiting for product %s", pipeline->product_id);
    pipeline_end_queue(pipeline, STATUS_CANCELLED, &err);
}

/* ---- deadlines ---- */

static bool waits_for_others(const struct product_pipeline *pipeline) {
    return pipeline->state == PIPELINE_ACQUIRING || pipeline->state == PIPELINE_YIELDING;
}

static int64_t deadline_of(const struct product_pipeline *pipeline,
                           const struct inventory_request *request) {
    int64_t timeout_ms = pipeline->shared->acquire_timeout_ms;
    return request->arrived_ms +
           (waits_for_others(pipeline) ? timeout_ms : clock_max_ms(timeout_ms, OWN_BATCHES_MS));
}

/* The first request in the queue has waited the longest, so its deadline is the next one. */
void pipeline_set_deadline(struct product_pipeline *pipeline) {
    struct event_loop *loop = pipeline->shared->platform->loop;
    const struct inventory_request *first = TAILQ_FIRST(&pipeline->queue);
    if (first == NULL) {
        event_loop_stop_timer(loop, &pipeline->deadline_timer);
    } else {
        event_loop_set_timer(loop, &pipeline->deadline_timer, deadline_of(pipeline, first));
    }
}

static void log_overdue(const struct product_pipeline *pipeline,
                        const struct inventory_request *request) {
    const struct correlation *before = correlation_use(request->correlation);
    log_event(LOG_INFORMATION,
              "Could not acquire lease for product %s. Another operation in progress.",
              pipeline->product_id);
    correlation_use(before);
}

/*
 * The overdue requests leave the queue before the first of them is answered. With an AcquireTimeout
 * of 0 a request that is submitted meanwhile would be overdue at once, and this would never end.
 */
void pipeline_end_overdue(struct product_pipeline *pipeline) {
    int64_t time_ms = pipeline_now_ms(pipeline);
    struct inventory_requests ended = TAILQ_HEAD_INITIALIZER(ended);
    struct error err;
    error_set(&err, STATUS_LEASE_CONFLICT, "waiting for product %s", pipeline->product_id);
    struct inventory_request *first;
    while ((first = TAILQ_FIRST(&pipeline->queue)) != NULL &&
           deadline_of(pipeline, first) <= time_ms) {
        pipeline_take_first(pipeline);
        TAILQ_INSERT_TAIL(&ended, first, link);
        log_overdue(pipeline, first);
    }
    pipeline_set_deadline(pipeline);
    pipeline_end_requests(&ended, STATUS_LEASE_CONFLICT, &err);
}

/*
 * The deadline of the first request in the queue has passed. In two cases it is not answered yet:
 *   - The acquire goes on until this deadline. It makes its last try now, which may succeed.
 *   - Storage has not reported a conflict yet. Then "others hold the lease" might be false.
 */
static void pipeline_on_deadline(void *context) {
    struct product_pipeline *pipeline = context;
    const struct inventory_request *first = TAILQ_FIRST(&pipeline->queue);
    if (pipeline->state == PIPELINE_ACQUIRING &&
        deadline_of(pipeline, first) >= pipeline->acquire_until_ms) {
        return;
    }
    if (waits_for_others(pipeline) && pipeline->acquire.conflict_count == 0) {
        event_loop_set_timer(pipeline->shared->platform->loop, &pipeline->deadline_timer,
                             pipeline_now_ms(pipeline) + DEADLINE_RETRY_MS);
        return;
    }
    pipeline_end_overdue(pipeline);
    if (pipeline->state == PIPELINE_ACQUIRING && TAILQ_EMPTY(&pipeline->queue)) {
        pipeline_stop_waiting(pipeline);
    }
}

/* ---- life ---- */

struct product_pipeline *product_pipeline_new(const struct pipeline_shared *shared,
                                              const char *product_id) {
    struct product_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL) {
        return NULL;
    }
    snprintf(pipeline->product_id, sizeof pipeline->product_id, "%s", product_id);
    pipeline->shared = shared;
    TAILQ_INIT(&pipeline->queue);
    pipeline->timer = (struct loop_timer){.fired = pipeline_on_timer, .context = pipeline};
    pipeline->deadline_timer =
        (struct loop_timer){.fired = pipeline_on_deadline, .context = pipeline};
    pipeline->round_task = (struct loop_task){.run = pipeline_on_round, .context = pipeline};
    lease_tenure_init(&pipeline->tenure);
    product_cache_init(&pipeline->cache);
    pipeline->batch = (struct batch){.product_id = pipeline->product_id,
                                     .state = &pipeline->cache.state,
                                     .lifetime_ms = shared->reservation_lifetime_ms,
                                     .random = shared->platform->random};
    TAILQ_INIT(&pipeline->batch.requests);
    return pipeline;
}

void product_pipeline_free(struct product_pipeline *pipeline) {
    if (pipeline != NULL) {
        product_cache_cleanup(&pipeline->cache);
        free(pipeline);
    }
}

bool product_pipeline_is_idle(const struct product_pipeline *pipeline) {
    return pipeline->state == PIPELINE_IDLE && pipeline->background_count == 0;
}

void product_pipeline_close(struct product_pipeline *pipeline) {
    pipeline->is_closed = true;
    pipeline_cancel_queue(pipeline);
    if (states[pipeline->state].on_close != NULL) {
        states[pipeline->state].on_close(pipeline);
    }
}
