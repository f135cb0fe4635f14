#include "inventory/pipeline_steps.h"

#include <stdlib.h>
#include <string.h>

#include "inventory/operation.h"
#include "inventory/product_read.h"

/* What one request needs: its rows, or the record of its key. */
struct look_up {
    struct product_pipeline *pipeline;
    struct inventory_request *request;
    struct product_state rows;
    struct inventory_query query;
};

static void end_look_ups(struct product_pipeline *pipeline) {
    if (pipeline->look_up_failure.status != STATUS_OK) {
        pipeline_fail_batch(pipeline, pipeline->look_up_failure.status, &pipeline->look_up_failure);
    } else if (pipeline->look_up_saw_change) {
        pipeline_note_change(pipeline, &(struct error){.message = "its ETag has changed"});
    } else {
        pipeline_enter(pipeline, PIPELINE_DECIDING);
    }
}

/* Rows that cannot be read, or a snapshot that cannot be taken, are nobody else's trouble. */
static bool fails_alone(const struct inventory_request *request, enum status status) {
    return status == STATUS_MALFORMED || request->operation->rows == ROWS_SNAPSHOT;
}

static void note_look_up_failure(struct product_pipeline *pipeline,
                                 struct inventory_request *request, enum status status,
                                 const struct error *err) {
    if (fails_alone(request, status)) {
        request->stage = REQUEST_DECIDED;
        request->status = status;
        request->failure = *err;
    } else if (pipeline->look_up_failure.status == STATUS_OK) {
        pipeline->look_up_failure = *err;
        pipeline->look_up_failure.status = status;
    }
}

static void end_look_up(struct look_up *look_up, enum status status, const struct error *err) {
    struct product_pipeline *pipeline = look_up->pipeline;
    if (status != STATUS_OK) {
        note_look_up_failure(pipeline, look_up->request, status, err);
    }
    product_state_cleanup(&look_up->rows);
    free(look_up);
    if (--pipeline->look_ups == 0) {
        end_look_ups(pipeline);
    }
}

/* Rows of the very version that is known: that also validates it. */
static void on_rows(void *context, enum status status, const struct error *err) {
    struct look_up *look_up = context;
    struct product_cache *cache = &look_up->pipeline->cache;
    struct error failure = *err;
    if (status == STATUS_PRECONDITION_FAILED) {
        error_wrap(&failure, "somebody else commits under our lease");
        status = STATUS_LEASE_LOST;
    } else if (status == STATUS_OK && strcmp(look_up->rows.etag, cache->state.etag) != 0) {
        look_up->pipeline->look_up_saw_change = true;
    } else if (status == STATUS_OK) {
        cache->validated_sequence = look_up->pipeline->started_sequence;
        look_up->request->has_rows = true;
        status = product_state_merge(&cache->state, &look_up->rows);
        if (status != STATUS_OK) {
            error_set(&failure, status, "no memory for the rows of a request");
        }
    }
    end_look_up(look_up, status, &failure);
}

static void on_snapshot(void *context, enum status status, const struct error *err) {
    struct look_up *look_up = context;
    look_up->request->has_rows = status == STATUS_OK;
    end_look_up(look_up, status, err);
}

static void on_record(void *context, enum status status, const struct error *err) {
    struct look_up *look_up = context;
    bool is_known = status == STATUS_OK || status == STATUS_NOT_FOUND;
    if (is_known) {
        look_up->request->stage = REQUEST_LOOKED_UP;
    }
    end_look_up(look_up, is_known ? STATUS_OK : status, err);
}

static void start_look_up(struct look_up *look_up) {
    struct product_pipeline *pipeline = look_up->pipeline;
    struct inventory_request *request = look_up->request;
    struct inventory_store *store = pipeline_store(pipeline);
    look_up->query = product_cache_rows_query(&pipeline->cache, request);
    if (batch_lacks_record(request)) {
        store->ops->find_record(store, pipeline->product_id, request->key_hash, &request->record,
                                on_record, look_up);
    } else if (request->operation->rows == ROWS_SNAPSHOT) {
        product_read(store, pipeline->product_id, &look_up->query, request->snapshot, on_snapshot,
                     look_up);
    } else {
        product_read(store, pipeline->product_id, &look_up->query, &look_up->rows, on_rows,
                     look_up);
    }
}

static void start_for(struct product_pipeline *pipeline, struct inventory_request *request) {
    struct look_up *started = calloc(1, sizeof *started);
    if (started == NULL) {
        struct error err;
        error_set(&err, STATUS_NO_MEMORY, "no memory to look something up");
        note_look_up_failure(pipeline, request, STATUS_NO_MEMORY, &err);
        return;
    }
    started->pipeline = pipeline;
    started->request = request;
    product_state_init(&started->rows);
    pipeline->look_ups++;
    start_look_up(started);
}

/* All at once. What a request needs beside its record is looked up when the record was not found. */
void pipeline_look_up(struct product_pipeline *pipeline) {
    pipeline->started_sequence = pipeline->next_sequence;
    pipeline->look_up_saw_change = false;
    pipeline->look_up_failure.status = STATUS_OK;
    pipeline->look_ups = 1; /* this function itself: it ends with those that could not be started */
    struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (batch_lacks_rows(request) || batch_lacks_record(request)) {
            start_for(pipeline, request);
        }
    }
    if (--pipeline->look_ups == 0) {
        end_look_ups(pipeline);
    }
}
