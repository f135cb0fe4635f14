#include "inventory/product_pipeline.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "inventory/pipeline_steps.h"

enum {
    OWN_BATCHES_MS =
        10000, /* how long a request waits at least while this handler itself holds the lease */
    DEADLINE_RETRY_MS =
        20, /* between two looks, while storage has not yet said that others hold the lease */
};

/* ---- states ---- */

/* What a state does when it is entered, when its timer fires, when a request comes, when the pipeline is closed. NULL: nothing. */
struct state_row {
    void (*enter)(struct product_pipeline *pipeline);
    void (*time_is_over)(struct product_pipeline *pipeline);
    void (*request_came)(struct product_pipeline *pipeline);
    void (*closed)(struct product_pipeline *pipeline);
};

/* Closed, the pipeline finds nobody after its batch, and goes on to LINGERING and IDLE. */
static const struct state_row states[] = {
    /*                       enter         time_is_over   request_came   closed */
    [PIPELINE_IDLE] = {pipeline_become_idle, NULL, pipeline_leave_idle, NULL},
    [PIPELINE_YIELDING] = {pipeline_yield, pipeline_try_again, NULL, pipeline_stop_waiting},
    [PIPELINE_ACQUIRING] = {pipeline_acquire, pipeline_announce, NULL, pipeline_stop_waiting},
    [PIPELINE_COLLECTING] = {pipeline_collect, pipeline_end_window, pipeline_check_window,
                             pipeline_stop_collecting},
    [PIPELINE_DECIDING] = {pipeline_choose_step, NULL, NULL, NULL},
    [PIPELINE_READING] = {pipeline_read, NULL, NULL, NULL},
    [PIPELINE_WORKING] = {pipeline_work, NULL, NULL, NULL},
    [PIPELINE_LOOKING_UP] = {pipeline_look_up, NULL, NULL, NULL},
    [PIPELINE_INDEXING] = {pipeline_await_index, NULL, NULL, NULL},
    [PIPELINE_EXTENDING] = {pipeline_extend_lease, NULL, NULL, NULL},
    [PIPELINE_COMMITTING] = {pipeline_commit, NULL, NULL, NULL},
    [PIPELINE_LINGERING] = {pipeline_linger, pipeline_give_up_lease, pipeline_end_lingering,
                            pipeline_stop_lingering},
};

const struct correlation *pipeline_correlation(const struct product_pipeline *pipeline) {
    return pipeline->has_correlation ? &pipeline->correlation : NULL;
}

void pipeline_enter(struct product_pipeline *pipeline, enum pipeline_state state) {
    const struct correlation *before = correlation_use(pipeline_correlation(pipeline));
    pipeline->state = state;
    states[state].enter(pipeline);
    correlation_use(before);
}

int64_t pipeline_now_ms(const struct product_pipeline *pipeline) {
    return clock_now_ms(pipeline->shared->platform->clock);
}

struct inventory_store *pipeline_store(const struct product_pipeline *pipeline) {
    return pipeline->shared->store;
}

void pipeline_set_timer(struct product_pipeline *pipeline, int64_t due_ms) {
    event_loop_set_timer(pipeline->shared->platform->loop, &pipeline->timer, due_ms);
}

void pipeline_stop_timer(struct product_pipeline *pipeline) {
    event_loop_stop_timer(pipeline->shared->platform->loop, &pipeline->timer);
}

static void timer_fired(void *context) {
    struct product_pipeline *pipeline = context;
    assert(states[pipeline->state].time_is_over != NULL);
    states[pipeline->state].time_is_over(pipeline);
}

/* States that are entered from now on work in the name of a request. A copy: their operations may outlive the request. */
void pipeline_work_for(struct product_pipeline *pipeline, const struct inventory_request *request) {
    pipeline->has_correlation = request->correlation != NULL;
    if (pipeline->has_correlation) {
        pipeline->correlation = *request->correlation;
    }
}

/* ---- the queue ---- */

struct inventory_request *pipeline_take_first(struct product_pipeline *pipeline) {
    struct inventory_request *request = TAILQ_FIRST(&pipeline->queue);
    TAILQ_REMOVE(&pipeline->queue, request, link);
    pipeline->queue_length--;
    return request;
}

/* Answers requests that have left the queue, whatever their callers submit meanwhile. */
static void end_requests(struct inventory_requests *ended, enum status status,
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
    end_requests(&ended, status, err);
}

void pipeline_cancel_queue(struct product_pipeline *pipeline) {
    struct error err;
    error_set(&err, STATUS_CANCELLED, "waiting for product %s", pipeline->product_id);
    pipeline_end_queue(pipeline, STATUS_CANCELLED, &err);
}

static bool waits_for_others(const struct product_pipeline *pipeline) {
    return pipeline->state == PIPELINE_ACQUIRING || pipeline->state == PIPELINE_YIELDING;
}

static int64_t deadline_of(const struct product_pipeline *pipeline,
                           const struct inventory_request *request) {
    int64_t patience_ms = pipeline->shared->acquire_timeout_ms;
    return request->arrived_ms +
           (waits_for_others(pipeline) ? patience_ms : clock_max_ms(patience_ms, OWN_BATCHES_MS));
}

/* For the first in the queue, which has waited the longest. */
void pipeline_set_deadline(struct product_pipeline *pipeline) {
    const struct inventory_request *first = TAILQ_FIRST(&pipeline->queue);
    if (first == NULL) {
        event_loop_stop_timer(pipeline->shared->platform->loop, &pipeline->deadline_timer);
    } else {
        event_loop_set_timer(pipeline->shared->platform->loop, &pipeline->deadline_timer,
                             deadline_of(pipeline, first));
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

/* Those who come back while these are told wait anew, even with an AcquireTimeout of 0. */
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
    end_requests(&ended, STATUS_LEASE_CONFLICT, &err);
}

/*
 * Only storage can say that others hold the lease. Until it has, nobody is told so. And those for whom the acquisition
 * goes on until their deadline are answered by its last try, which it makes at that moment.
 */
static void deadline_passed(void *context) {
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
    if (states[pipeline->state].request_came != NULL) {
        states[pipeline->state].request_came(pipeline);
    } else {
        log_event(LOG_DEBUG, "Waiting behind others for product %s", pipeline->product_id);
    }
    if (was_empty) {
        pipeline_set_deadline(pipeline);
    }
}

/* ---- life ---- */

bool product_pipeline_is_idle(const struct product_pipeline *pipeline) {
    return pipeline->state == PIPELINE_IDLE && pipeline->background_count == 0;
}

struct product_pipeline *product_pipeline_new(const struct pipeline_shared *shared,
                                              const char *product_id) {
    struct product_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL) {
        return NULL;
    }
    snprintf(pipeline->product_id, sizeof pipeline->product_id, "%s", product_id);
    pipeline->shared = shared;
    TAILQ_INIT(&pipeline->queue);
    pipeline->timer = (struct loop_timer){.fired = timer_fired, .context = pipeline};
    pipeline->deadline_timer = (struct loop_timer){.fired = deadline_passed, .context = pipeline};
    pipeline->task = (struct loop_task){.run = pipeline_round_is_over, .context = pipeline};
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

void product_pipeline_close(struct product_pipeline *pipeline) {
    pipeline->is_closed = true;
    pipeline_cancel_queue(pipeline);
    if (states[pipeline->state].closed != NULL) {
        states[pipeline->state].closed(pipeline);
    }
}
