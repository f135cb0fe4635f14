#include "inventory/pipeline_steps.h"

#include "inventory/inventory.h"
#include "inventory/operation.h"
#include "inventory/product_read.h"

enum {
    /*
     * A commit starts only with this much of its lease left, and starts no attempt to write when
     * this time is over. To find out a lost outcome may take STORAGE_DEADLINE_MS longer.
     */
    COMMIT_MS = 5000,
    /*
     * For one batch. The product is read again after changes by others, after a used key, for
     * validation, and without a request's rows if those cannot be read.
     */
    MAX_READS = 5,
};

/* ---- begin ---- */

void pipeline_begin_batch(struct product_pipeline *pipeline) {
    if (!lease_manager_is_held(pipeline->shared->leases, pipeline->lease)) {
        pipeline_continue_after_loss(pipeline);
        return;
    }
    pipeline_use_correlation_of(pipeline, TAILQ_FIRST(&pipeline->queue));
    pipeline->batch_size = 0;
    while (pipeline->queue_length > 0 && pipeline->batch_size < INVENTORY_MAX_CHANGES) {
        struct inventory_request *request = pipeline_take_first(pipeline);
        TAILQ_INSERT_TAIL(&pipeline->batch.requests, request, link);
        pipeline->batch_size++;
    }
    pipeline_set_deadline(pipeline);
    pipeline->read_count = 0;
    pipeline->is_processing_time_over = pipeline->shared->processing_time_ms == 0;
    pipeline->read_rows_separately = false;
    pipeline->must_look_up_keys = false;
    pipeline->renewal_count_before =
        lease_manager_renewal_count(pipeline->shared->leases, pipeline->lease);
    pipeline_check_contention(pipeline);
    pipeline_enter(pipeline, PIPELINE_DECIDING);
}

/* ---- end ---- */

/*
 * Answers the decided requests. The others return to the front of the queue, in their order. Only
 * one that continues goes to its end: it has had its share of this batch, and waits anew.
 */
static void pipeline_answer_batch(struct product_pipeline *pipeline) {
    struct inventory_requests answered = TAILQ_HEAD_INITIALIZER(answered);
    struct inventory_requests front = TAILQ_HEAD_INITIALIZER(front);
    struct inventory_request *request;
    while ((request = TAILQ_FIRST(&pipeline->batch.requests)) != NULL) {
        TAILQ_REMOVE(&pipeline->batch.requests, request, link);
        if (request->stage == REQUEST_DECIDED) {
            TAILQ_INSERT_TAIL(&answered, request, link);
            continue;
        }
        bool continues = request->stage == REQUEST_CONTINUES;
        batch_forget_decision(request);
        if (continues) {
            request->arrived_ms = pipeline_now_ms(pipeline);
            TAILQ_INSERT_TAIL(&pipeline->queue, request, link);
        } else {
            TAILQ_INSERT_TAIL(&front, request, link);
        }
        pipeline->queue_length++;
    }
    TAILQ_CONCAT(&front, &pipeline->queue, link);
    TAILQ_CONCAT(&pipeline->queue, &front, link);
    while ((request = TAILQ_FIRST(&answered)) != NULL) {
        TAILQ_REMOVE(&answered, request, link);
        request->served(request);
    }
}

/*
 * Keeps the most recent rows, which are the most likely to be confirmed, released or extended.
 * Keeps all rows if a request returns to the queue and needs the rows that were read for it.
 */
static void pipeline_trim_cache(struct product_pipeline *pipeline) {
    const struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (request->has_rows && request->stage != REQUEST_DECIDED &&
            request->operation->rows == ROWS_OF_CUSTOMER) {
            return;
        }
    }
    product_state_trim(&pipeline->cache.state,
                       (size_t)(PRODUCT_CACHE_RECENT_ROWS / pipeline->shared->pipelines_in_use));
}

/* The batch was committed, or had nothing to commit. */
static void pipeline_end_batch(struct product_pipeline *pipeline) {
    int renewal_count = lease_manager_renewal_count(pipeline->shared->leases, pipeline->lease);
    batch_complete_answers(&pipeline->batch, renewal_count - pipeline->renewal_count_before);
    pipeline_trim_cache(pipeline);
    pipeline_answer_batch(pipeline);
    pipeline_continue_after_batch(pipeline);
}

void pipeline_fail_batch(struct product_pipeline *pipeline, enum status status,
                         const struct error *err) {
    struct error failure = *err; /* a copy, because `err` may be a request's own */
    struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        request->stage = REQUEST_DECIDED;
        request->status = status;
        request->failure = failure;
    }
    product_cache_forget(&pipeline->cache);
    pipeline_answer_batch(pipeline);
    pipeline_continue_after_batch(pipeline);
}

/* `cause` may be NULL. */
static void pipeline_fail_batch_as(struct product_pipeline *pipeline, enum status status,
                                   const char *why, const struct error *cause) {
    struct error err;
    error_set(&err, status, "%s%s%s", why, cause == NULL ? "" : ": ",
              cause == NULL ? "" : cause->message);
    pipeline_fail_batch(pipeline, status, &err);
}

/*
 * A product that was read before this lease may have been changed by another handler since: it is
 * read again. One that was read under this lease can only change if the lease is not ours any more:
 * the batch fails. The lease is kept until a renewal or the safe deadline shows its loss. Until
 * then only the ETag guards the commits, and the next batch reads the product first.
 */
void pipeline_on_product_changed(struct product_pipeline *pipeline, const struct error *err) {
    if (pipeline->cache.is_read_under_lease) {
        pipeline_fail_batch_as(
            pipeline, STATUS_LEASE_LOST,
            "another handler has changed the product while this one held its lease", err);
        return;
    }
    lease_tenure_note_contention(&pipeline->tenure, pipeline_now_ms(pipeline));
    pipeline->cache.others_committed = true;
    product_cache_forget(&pipeline->cache);
    pipeline_enter(pipeline, PIPELINE_DECIDING);
}

/* ---- DECIDING ---- */

static bool simulates_work(const struct product_pipeline *pipeline) {
    const struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (request->operation->simulates_work) {
            return true;
        }
    }
    return false;
}

static bool must_look_up(const struct product_pipeline *pipeline) {
    const struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (batch_lacks_rows(&pipeline->batch, request) || batch_lacks_record(request)) {
            return true;
        }
    }
    return false;
}

static void pipeline_decide(struct product_pipeline *pipeline) {
    switch (batch_decide(&pipeline->batch, pipeline->cache.validated_sequence)) {
    case BATCH_COMMIT:
        pipeline_enter(pipeline, PIPELINE_INDEXING);
        break;
    case BATCH_ANSWER:
        pipeline_end_batch(pipeline);
        break;
    case BATCH_VALIDATE:
        pipeline_enter(pipeline, PIPELINE_READING);
        break;
    case BATCH_LOOK_UP:
        pipeline_enter(pipeline, PIPELINE_LOOKING_UP);
        break;
    case BATCH_FAIL:
        pipeline_fail_batch_as(pipeline, pipeline->batch.failure, "no memory to decide a batch",
                               NULL);
        break;
    }
}

/* Gets what the decision needs, one thing after the other, and returns here. Then it decides. */
void pipeline_enter_deciding(struct product_pipeline *pipeline) {
    struct inventory_store *store = pipeline_store(pipeline);
    pipeline->batch.now_ms = store->ops->now_ms(store);
    pipeline->batch.certain_ms = store->ops->certain_ms(store);
    if (!product_cache_is_usable(&pipeline->cache, pipeline->batch.now_ms)) {
        pipeline_enter(pipeline, PIPELINE_READING);
    } else if (!pipeline->is_processing_time_over && simulates_work(pipeline)) {
        pipeline_enter(pipeline, PIPELINE_WORKING);
    } else if (must_look_up(pipeline)) {
        pipeline_enter(pipeline, PIPELINE_LOOKING_UP);
    } else {
        pipeline_decide(pipeline);
    }
}

/* ---- READING ---- */

static struct inventory_request *first_that_lacks_rows(const struct product_pipeline *pipeline) {
    struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (request->operation->rows == ROWS_OF_CUSTOMER &&
            batch_lacks_rows(&pipeline->batch, request)) {
            return request;
        }
    }
    return NULL;
}

static void pipeline_on_read(void *context, enum status status, const struct error *err);

static void pipeline_start_read(struct product_pipeline *pipeline) {
    const struct correlation *before = correlation_use(pipeline_correlation(pipeline));
    product_read(pipeline_store(pipeline), pipeline->product_id, &pipeline->query,
                 &pipeline->cache.state, pipeline_on_read, pipeline);
    correlation_use(before);
}

/* The rows of one request are read with the product, which saves the usual release a look-up. */
void pipeline_enter_reading(struct product_pipeline *pipeline) {
    if (pipeline->read_count++ == MAX_READS) {
        pipeline_fail_batch_as(pipeline, STATUS_LEASE_LOST,
                               "other handlers keep changing the product", NULL);
        return;
    }
    /* All decisions were made on the product in memory, which is thrown away. */
    product_cache_forget(&pipeline->cache);
    batch_reset(&pipeline->batch);
    pipeline->sequence_at_start = pipeline->next_sequence;
    pipeline->read_for = pipeline->read_rows_separately ? NULL : first_that_lacks_rows(pipeline);
    pipeline->query =
        product_cache_query(&pipeline->cache, pipeline->batch.now_ms, pipeline->read_for);
    pipeline_start_read(pipeline);
}

static void pipeline_use_read(struct product_pipeline *pipeline) {
    bool is_contended = false;
    if (!product_cache_note_read(&pipeline->cache, &pipeline->query, pipeline->batch.now_ms,
                                 &is_contended)) {
        pipeline->query.all = true;
        pipeline_start_read(pipeline);
        return;
    }
    if (is_contended) {
        lease_tenure_note_contention(&pipeline->tenure, pipeline_now_ms(pipeline));
    }
    pipeline->cache.validated_sequence = pipeline->sequence_at_start;
    if (pipeline->read_for != NULL) {
        pipeline->read_for->has_rows = true;
    }
    if (pipeline->must_look_up_keys) {
        batch_look_up_keys(&pipeline->batch);
        pipeline->must_look_up_keys = false;
    }
    pipeline_enter(pipeline, PIPELINE_DECIDING);
}

static void pipeline_on_read(void *context, enum status status, const struct error *err) {
    struct product_pipeline *pipeline = context;
    if (status == STATUS_OK) {
        pipeline_use_read(pipeline);
        return;
    }
    if (status == STATUS_MALFORMED) {
        product_cache_note_malformed(&pipeline->cache);
    }
    if (status == STATUS_MALFORMED && pipeline->read_for != NULL) {
        /* The bad row may be one of that request's. Then only that request is to fail. */
        pipeline->read_rows_separately = true;
        pipeline_enter(pipeline, PIPELINE_READING);
    } else if (status == STATUS_PRECONDITION_FAILED) {
        pipeline_fail_batch_as(pipeline, STATUS_LEASE_LOST,
                               "another handler changes the product while this one holds its lease",
                               err);
    } else {
        pipeline_fail_batch(pipeline, status, err);
    }
}

/* ---- WORKING ---- */

static void pipeline_on_work_done(void *context, enum status status, const struct error *err) {
    struct product_pipeline *pipeline = context;
    if (status == STATUS_OK) {
        pipeline->is_processing_time_over = true;
        pipeline_enter(pipeline, PIPELINE_DECIDING);
    } else {
        pipeline_fail_batch(pipeline, status, err);
    }
}

void pipeline_enter_working(struct product_pipeline *pipeline) {
    lease_pause_start(&pipeline->pause, pipeline->shared->leases, pipeline->lease,
                      pipeline->shared->processing_time_ms, pipeline_on_work_done, pipeline);
}

/* ---- INDEXING ---- */

void pipeline_enter_indexing(struct product_pipeline *pipeline) {
    if (!pipeline->is_indexing || !pipeline_may_grow_index(&pipeline->batch.requests)) {
        pipeline_enter(pipeline, PIPELINE_EXTENDING);
    }
}

/* ---- EXTENDING ---- */

static void pipeline_on_extended(void *context, enum status status, int64_t safe_until_ms,
                                 const struct error *err) {
    (void)safe_until_ms; /* the commit asks again: it may be later by then */
    struct product_pipeline *pipeline = context;
    if (status == STATUS_OK) {
        pipeline_enter(pipeline, PIPELINE_COMMITTING);
        return;
    }
    pipeline_fail_batch_as(pipeline, status, "before the commit", err);
}

void pipeline_enter_extending(struct product_pipeline *pipeline) {
    int64_t safe_until_ms = lease_manager_safe_until_ms(pipeline->shared->leases, pipeline->lease);
    if (safe_until_ms - pipeline_now_ms(pipeline) >= COMMIT_MS) {
        pipeline_enter(pipeline, PIPELINE_COMMITTING);
    } else {
        lease_extend_start(&pipeline->extend, pipeline->shared->leases, pipeline->lease, COMMIT_MS,
                           pipeline_on_extended, pipeline);
    }
}

/* ---- COMMITTING ---- */

/* The product in memory is now the stored one. */
static void pipeline_use_commit(struct product_pipeline *pipeline) {
    pipeline->indexed_due_ms = 0; /* the product's row has it now */
    pipeline->cache.validated_sequence = pipeline->sequence_at_start;
    product_cache_note_commit(&pipeline->cache, pipeline->batch.now_ms);
    lease_tenure_note_batch(&pipeline->tenure, pipeline->batch_size, pipeline->queue_length,
                            pipeline_now_ms(pipeline) - pipeline->commit_started_ms);
    pipeline_end_batch(pipeline);
}

/* A key of the batch was used before. Everything is decided anew, with the record of each key. */
static void pipeline_redecide_with_records(struct product_pipeline *pipeline) {
    pipeline->must_look_up_keys = true;
    product_cache_forget(&pipeline->cache);
    pipeline_enter(pipeline, PIPELINE_DECIDING);
}

static void pipeline_on_committed(void *context, enum status status, const struct error *err) {
    struct product_pipeline *pipeline = context;
    if (status == STATUS_OK) {
        pipeline_use_commit(pipeline);
    } else if (status == STATUS_PRECONDITION_FAILED) {
        pipeline_on_product_changed(pipeline, err);
    } else if (status == STATUS_ALREADY_EXISTS) {
        pipeline_redecide_with_records(pipeline);
    } else {
        pipeline_fail_batch(pipeline, status, err);
    }
}

/*
 * No write starts after the lease's safe deadline. The ETag guards what is under way then. If the
 * lease is lost by now, safe_until_ms is 0 and nothing is written.
 */
void pipeline_enter_committing(struct product_pipeline *pipeline) {
    struct inventory_store *store = pipeline_store(pipeline);
    struct product_state *state = &pipeline->cache.state;
    int64_t safe_until_ms = lease_manager_safe_until_ms(pipeline->shared->leases, pipeline->lease);
    pipeline->commit_started_ms = pipeline_now_ms(pipeline);
    pipeline->sequence_at_start = pipeline->next_sequence;
    if (pipeline->indexed_due_ms != 0) {
        state->product.indexed_due_ms = pipeline->indexed_due_ms;
    }
    store->ops->commit(store, state,
                       clock_min_ms(pipeline->commit_started_ms + COMMIT_MS, safe_until_ms),
                       pipeline_on_committed, pipeline);
}
