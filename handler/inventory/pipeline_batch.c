#include "inventory/pipeline_steps.h"

#include "inventory/inventory.h"
#include "inventory/operation.h"
#include "inventory/product_read.h"

enum {
    COMMIT_MS =
        5000, /* a commit ends within so much, and starts only with that much of its lease left */
    MAX_READS =
        5, /* of the product for one batch: each after the first is caused by other instances, or by a key */
};

/* ---- a batch's begin and end ---- */

void pipeline_begin_batch(struct product_pipeline *pipeline) {
    if (!lease_manager_is_held(pipeline->shared->leases, pipeline->lease)) {
        pipeline_go_on_after_loss(pipeline);
        return;
    }
    pipeline_work_for(pipeline, TAILQ_FIRST(&pipeline->queue));
    pipeline->batch_size = 0;
    while (pipeline->queue_length > 0 && pipeline->batch_size < INVENTORY_MAX_CHANGES) {
        struct inventory_request *request = pipeline_take_first(pipeline);
        TAILQ_INSERT_TAIL(&pipeline->batch.requests, request, link);
        pipeline->batch_size++;
    }
    pipeline_set_deadline(pipeline);
    pipeline->reads = 0;
    pipeline->is_work_done = pipeline->shared->processing_time_ms == 0;
    pipeline->is_read_alone = false;
    pipeline->looks_up_all = false;
    pipeline->renewals_before =
        lease_manager_renewal_count(pipeline->shared->leases, pipeline->lease);
    pipeline_look_for_others(pipeline);
    pipeline_enter(pipeline, PIPELINE_DECIDING);
}

static void return_to_queue(struct product_pipeline *pipeline, struct inventory_requests *front,
                            struct inventory_request *request) {
    pipeline->queue_length++;
    if (request->stage ==
        REQUEST_CONTINUES) { /* its work has come on, and so its wait begins anew */
        request->arrived_ms = pipeline_now_ms(pipeline);
        batch_forget_decision(request);
        TAILQ_INSERT_TAIL(&pipeline->queue, request, link);
    } else {
        batch_forget_decision(request);
        TAILQ_INSERT_TAIL(front, request, link);
    }
}

/* Answers those who are decided. The others are the first in the next batch. */
static void answer_batch(struct product_pipeline *pipeline) {
    struct inventory_requests answered = TAILQ_HEAD_INITIALIZER(answered);
    struct inventory_requests front = TAILQ_HEAD_INITIALIZER(front);
    struct inventory_request *request;
    while ((request = TAILQ_FIRST(&pipeline->batch.requests)) != NULL) {
        TAILQ_REMOVE(&pipeline->batch.requests, request, link);
        if (request->stage == REQUEST_DECIDED) {
            TAILQ_INSERT_TAIL(&answered, request, link);
        } else {
            return_to_queue(pipeline, &front, request);
        }
    }
    TAILQ_CONCAT(&front, &pipeline->queue, link);
    TAILQ_CONCAT(&pipeline->queue, &front, link);
    while ((request = TAILQ_FIRST(&answered)) != NULL) {
        TAILQ_REMOVE(&answered, request, link);
        request->served(request);
    }
}

/* Rows that were read for a request that waits for the next batch are kept for it. */
static void trim_cache(struct product_pipeline *pipeline) {
    const struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (request->has_rows && request->stage != REQUEST_DECIDED &&
            request->operation->rows == ROWS_OF_CUSTOMER) {
            return;
        }
    }
    product_state_trim(&pipeline->cache.state);
}

static void end_batch(struct product_pipeline *pipeline) {
    int renewals = lease_manager_renewal_count(pipeline->shared->leases, pipeline->lease);
    batch_complete_answers(&pipeline->batch, renewals - pipeline->renewals_before);
    trim_cache(pipeline);
    answer_batch(pipeline);
    pipeline_go_on(pipeline);
}

/* All of it shares the failure: what was not decided could not have fared better. */
void pipeline_fail_batch(struct product_pipeline *pipeline, enum status status,
                         const struct error *err) {
    struct error failure = *err; /* `err` may be a request's own */
    struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        request->stage = REQUEST_DECIDED;
        request->status = status;
        request->failure = failure;
    }
    product_cache_forget(&pipeline->cache);
    answer_batch(pipeline);
    pipeline_go_on(pipeline);
}

/* `cause` may be NULL. */
static void fail_batch_as(struct product_pipeline *pipeline, enum status status, const char *why,
                          const struct error *cause) {
    struct error err;
    error_set(&err, status, "%s%s%s", why, cause == NULL ? "" : ": ",
              cause == NULL ? "" : cause->message);
    pipeline_fail_batch(pipeline, status, &err);
}

/* What is known of the product is not what is stored. Under a lease that it was read under, that cannot be. */
void pipeline_note_change(struct product_pipeline *pipeline, const struct error *err) {
    if (pipeline->cache.is_read_under_lease) {
        fail_batch_as(pipeline, STATUS_LEASE_LOST, "somebody else has committed under our lease",
                      err);
        return;
    }
    lease_tenure_note_contention(&pipeline->tenure, pipeline_now_ms(pipeline));
    pipeline->cache.others_commit = true;
    product_cache_forget(&pipeline->cache);
    batch_reset(&pipeline->batch);
    pipeline_enter(pipeline, PIPELINE_DECIDING);
}

/* ---- DECIDING ---- */

static bool has_work(const struct product_pipeline *pipeline) {
    const struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (request->operation->simulates_work) {
            return true;
        }
    }
    return false;
}

static bool lacks_something(const struct product_pipeline *pipeline) {
    const struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (batch_lacks_rows(request) || batch_lacks_record(request)) {
            return true;
        }
    }
    return false;
}

static void decide(struct product_pipeline *pipeline);

void pipeline_choose_step(struct product_pipeline *pipeline) {
    struct batch *batch = &pipeline->batch;
    batch->now_ms = pipeline_store(pipeline)->ops->now_ms(pipeline_store(pipeline));
    batch->certain_ms = pipeline_store(pipeline)->ops->certain_ms(pipeline_store(pipeline));
    if (!product_cache_is_usable(&pipeline->cache, batch->now_ms)) {
        pipeline_enter(pipeline, PIPELINE_READING);
    } else if (!pipeline->is_work_done && has_work(pipeline)) {
        pipeline_enter(pipeline, PIPELINE_WORKING);
    } else if (lacks_something(pipeline)) {
        pipeline_enter(pipeline, PIPELINE_LOOKING_UP);
    } else {
        decide(pipeline);
    }
}

static void decide(struct product_pipeline *pipeline) {
    switch (batch_decide(&pipeline->batch, pipeline->cache.validated_sequence)) {
    case BATCH_COMMIT:
        pipeline_enter(pipeline, PIPELINE_INDEXING);
        break;
    case BATCH_ANSWER:
        end_batch(pipeline);
        break;
    case BATCH_VALIDATE:
        product_cache_forget(&pipeline->cache);
        batch_reset(&pipeline->batch);
        pipeline_enter(pipeline, PIPELINE_READING);
        break;
    case BATCH_LOOK_UP:
        pipeline_enter(pipeline, PIPELINE_LOOKING_UP);
        break;
    case BATCH_FAIL:
        fail_batch_as(pipeline, pipeline->batch.failure, "no memory to decide in", NULL);
        break;
    }
}

/* ---- READING ---- */

static struct inventory_request *first_that_lacks_rows(const struct product_pipeline *pipeline) {
    struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (request->operation->rows == ROWS_OF_CUSTOMER && batch_lacks_rows(request)) {
            return request;
        }
    }
    return NULL;
}

static void on_product_read(void *context, enum status status, const struct error *err);

static void start_read(struct product_pipeline *pipeline) {
    const struct correlation *before = correlation_use(pipeline_correlation(pipeline));
    product_read(pipeline_store(pipeline), pipeline->product_id, &pipeline->query,
                 &pipeline->cache.state, on_product_read, pipeline);
    correlation_use(before);
}

void pipeline_read(struct product_pipeline *pipeline) {
    if (pipeline->reads++ == MAX_READS) {
        fail_batch_as(pipeline, STATUS_LEASE_LOST, "the product keeps changing under our leases",
                      NULL);
        return;
    }
    product_cache_forget(&pipeline->cache);
    batch_reset(&pipeline->batch);
    pipeline->started_sequence = pipeline->next_sequence;
    pipeline->reading_for = pipeline->is_read_alone ? NULL : first_that_lacks_rows(pipeline);
    pipeline->query =
        product_cache_query(&pipeline->cache, pipeline->batch.now_ms, pipeline->reading_for);
    start_read(pipeline);
}

static void take_read(struct product_pipeline *pipeline) {
    bool is_contended = false;
    if (!product_cache_note_read(&pipeline->cache, &pipeline->query, pipeline->batch.now_ms,
                                 &is_contended)) {
        pipeline->query.all = true;
        start_read(pipeline);
        return;
    }
    if (is_contended) {
        lease_tenure_note_contention(&pipeline->tenure, pipeline_now_ms(pipeline));
    }
    pipeline->cache.validated_sequence = pipeline->started_sequence;
    if (pipeline->reading_for != NULL) {
        pipeline->reading_for->has_rows = true;
    }
    if (pipeline->looks_up_all) {
        batch_look_up_keys(&pipeline->batch);
        pipeline->looks_up_all = false;
    }
    pipeline_enter(pipeline, PIPELINE_DECIDING);
}

static void on_product_read(void *context, enum status status, const struct error *err) {
    struct product_pipeline *pipeline = context;
    if (status == STATUS_OK) {
        take_read(pipeline);
        return;
    }
    if (status == STATUS_MALFORMED) {
        product_cache_note_malformed(&pipeline->cache);
    }
    if (status == STATUS_MALFORMED &&
        pipeline->reading_for != NULL) { /* it may be in the rows of that one alone */
        pipeline->is_read_alone = true;
        pipeline_enter(pipeline, PIPELINE_READING);
    } else if (status == STATUS_PRECONDITION_FAILED) {
        fail_batch_as(pipeline, STATUS_LEASE_LOST, "somebody else commits under our lease", err);
    } else {
        pipeline_fail_batch(pipeline, status, err);
    }
}

/* ---- WORKING ---- */

static void on_work_done(void *context, enum status status, const struct error *err) {
    struct product_pipeline *pipeline = context;
    if (status == STATUS_OK) {
        pipeline->is_work_done = true;
        pipeline_enter(pipeline, PIPELINE_DECIDING);
    } else {
        pipeline_fail_batch(pipeline, status, err);
    }
}

void pipeline_work(struct product_pipeline *pipeline) {
    lease_hold_start(&pipeline->hold, pipeline->shared->leases, pipeline->lease,
                     pipeline->shared->processing_time_ms, on_work_done, pipeline);
}

/* ---- INDEXING, EXTENDING, COMMITTING ---- */

void pipeline_await_index(struct product_pipeline *pipeline) {
    if (!pipeline->is_indexing || !pipeline_may_grow_index(&pipeline->batch.requests)) {
        pipeline_enter(pipeline, PIPELINE_EXTENDING);
    }
}

static void on_extended(void *context, enum status status, int64_t safe_until_ms,
                        const struct error *err) {
    (void)safe_until_ms; /* it may have grown since */
    struct product_pipeline *pipeline = context;
    if (status == STATUS_OK) {
        pipeline_enter(pipeline, PIPELINE_COMMITTING);
        return;
    }
    fail_batch_as(pipeline, status, "before the commit", err);
}

void pipeline_extend_lease(struct product_pipeline *pipeline) {
    int64_t safe_until_ms = lease_manager_safe_until_ms(pipeline->shared->leases, pipeline->lease);
    if (safe_until_ms - pipeline_now_ms(pipeline) >= COMMIT_MS) {
        pipeline_enter(pipeline, PIPELINE_COMMITTING);
    } else {
        lease_extend_start(&pipeline->extend, pipeline->shared->leases, pipeline->lease, COMMIT_MS,
                           on_extended, pipeline);
    }
}

static void on_committed(void *context, enum status status, const struct error *err);

void pipeline_commit(struct product_pipeline *pipeline) {
    struct product_state *state = &pipeline->cache.state;
    int64_t safe_until_ms = lease_manager_safe_until_ms(pipeline->shared->leases, pipeline->lease);
    pipeline->commit_started_ms = pipeline_now_ms(pipeline);
    pipeline->started_sequence = pipeline->next_sequence;
    if (pipeline->indexed_due_ms != 0) {
        state->product.indexed_due_ms = pipeline->indexed_due_ms;
    }
    pipeline_store(pipeline)->ops->commit(
        pipeline_store(pipeline), state,
        clock_min_ms(pipeline->commit_started_ms + COMMIT_MS, safe_until_ms), on_committed,
        pipeline);
}

static void take_commit(struct product_pipeline *pipeline) {
    pipeline->indexed_due_ms = 0; /* the product's row has it now */
    pipeline->cache.validated_sequence = pipeline->started_sequence;
    product_cache_note_commit(&pipeline->cache, pipeline->batch.now_ms);
    lease_tenure_note_batch(&pipeline->tenure, pipeline->batch_size, pipeline->queue_length,
                            pipeline_now_ms(pipeline) - pipeline->commit_started_ms);
    end_batch(pipeline);
}

/* A key of the batch was used before: everything is decided anew, with what its record says. */
static void note_used_key(struct product_pipeline *pipeline) {
    pipeline->looks_up_all = true;
    product_cache_forget(&pipeline->cache);
    batch_reset(&pipeline->batch);
    pipeline_enter(pipeline, PIPELINE_DECIDING);
}

static void on_committed(void *context, enum status status, const struct error *err) {
    struct product_pipeline *pipeline = context;
    if (status == STATUS_OK) {
        take_commit(pipeline);
    } else if (status == STATUS_PRECONDITION_FAILED) {
        pipeline_note_change(pipeline, err);
    } else if (status == STATUS_ALREADY_EXISTS) {
        note_used_key(pipeline);
    } else {
        pipeline_fail_batch(pipeline, status, err);
    }
}
