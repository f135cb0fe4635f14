#include "inventory/pipeline_steps.h"

#include <stdlib.h>
#include <string.h>

#include "inventory/operation.h"
#include "inventory/product_read.h"

/*
 * A look-up reads what one request of the batch needs and the cache lacks: the record of its key,
 * its customer's rows, or all rows for a snapshot. All look-ups of a batch run at the same time. A
 * request that lacks both gets its record first: with a record found it needs no rows.
 */
struct look_up {
    struct product_pipeline *pipeline;
    struct inventory_request *request;
    struct product_state rows;
    struct inventory_query query;
};

/* ---- ends ---- */

static void look_ups_end(struct product_pipeline *pipeline) {
    if (pipeline->look_up_failure.status != STATUS_OK) {
        pipeline_fail_batch(pipeline, pipeline->look_up_failure.status, &pipeline->look_up_failure);
    } else if (pipeline->look_up_found_change) {
        pipeline_on_product_changed(pipeline, &(struct error){.message = "its ETag has changed"});
    } else {
        pipeline_enter(pipeline, PIPELINE_DECIDING);
    }
}

/*
 * Rows that cannot be read, and a snapshot that cannot be taken, fail only the request that needs
 * them. Any other failure fails the batch.
 */
static void look_up_note_failure(struct product_pipeline *pipeline,
                                 struct inventory_request *request, enum status status,
                                 const struct error *err) {
    bool fails_alone = status == STATUS_MALFORMED || request->operation->rows == ROWS_SNAPSHOT;
    if (fails_alone) {
        request->stage = REQUEST_DECIDED;
        request->status = status;
        request->failure = *err;
    } else if (pipeline->look_up_failure.status == STATUS_OK) {
        pipeline->look_up_failure = *err;
        pipeline->look_up_failure.status = status;
    }
}

static void look_up_end(struct look_up *look_up, enum status status, const struct error *err) {
    struct product_pipeline *pipeline = look_up->pipeline;
    if (status != STATUS_OK) {
        look_up_note_failure(pipeline, look_up->request, status, err);
    }
    product_state_cleanup(&look_up->rows);
    free(look_up);
    if (--pipeline->look_ups_under_way == 0) {
        look_ups_end(pipeline);
    }
}

/* Rows are used only if they are of the cached version. Then the read has validated it, too. */
static void look_up_on_rows(void *context, enum status status, const struct error *err) {
    struct look_up *look_up = context;
    struct product_cache *cache = &look_up->pipeline->cache;
    struct error failure = *err;
    if (status == STATUS_PRECONDITION_FAILED) {
        error_wrap(&failure, "another handler changes the product while this one holds its lease");
        status = STATUS_LEASE_LOST;
    } else if (status == STATUS_OK && strcmp(look_up->rows.etag, cache->state.etag) != 0) {
        look_up->pipeline->look_up_found_change = true;
    } else if (status == STATUS_OK) {
        cache->validated_sequence = look_up->pipeline->sequence_at_start;
        look_up->request->has_rows = true;
        status = product_state_merge(&cache->state, &look_up->rows);
        if (status != STATUS_OK) {
            error_set(&failure, status, "no memory for the rows of a request");
        }
    }
    look_up_end(look_up, status, &failure);
}

static void look_up_on_snapshot(void *context, enum status status, const struct error *err) {
    struct look_up *look_up = context;
    look_up->request->has_rows = status == STATUS_OK;
    look_up_end(look_up, status, err);
}

static void look_up_on_record(void *context, enum status status, const struct error *err) {
    struct look_up *look_up = context;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        look_up->request->stage = REQUEST_LOOKED_UP;
        status = STATUS_OK;
    }
    look_up_end(look_up, status, err);
}

/* ---- starts ---- */

static void look_up_start(struct product_pipeline *pipeline, struct inventory_request *request) {
    struct inventory_store *store = pipeline_store(pipeline);
    struct look_up *look_up = calloc(1, sizeof *look_up);
    if (look_up == NULL) {
        struct error err;
        error_set(&err, STATUS_NO_MEMORY, "no memory to look something up");
        look_up_note_failure(pipeline, request, STATUS_NO_MEMORY, &err);
        return;
    }
    look_up->pipeline = pipeline;
    look_up->request = request;
    look_up->query = product_cache_rows_query(&pipeline->cache, request);
    product_state_init(&look_up->rows);
    pipeline->look_ups_under_way++;
    if (batch_lacks_record(request)) {
        store->ops->find_record(store, pipeline->product_id, request->key_hash, &request->record,
                                look_up_on_record, look_up);
    } else if (request->operation->rows == ROWS_SNAPSHOT) {
        product_read(store, pipeline->product_id, &look_up->query, request->snapshot,
                     look_up_on_snapshot, look_up);
    } else {
        product_read(store, pipeline->product_id, &look_up->query, &look_up->rows, look_up_on_rows,
                     look_up);
    }
}

void pipeline_enter_looking_up(struct product_pipeline *pipeline) {
    pipeline->sequence_at_start = pipeline->next_sequence;
    pipeline->look_up_found_change = false;
    pipeline->look_up_failure.status = STATUS_OK;
    /* This function counts as one of them, so that it ends the state if none could be started. */
    pipeline->look_ups_under_way = 1;
    struct inventory_request *request;
    TAILQ_FOREACH(request, &pipeline->batch.requests, link) {
        if (batch_lacks_rows(&pipeline->batch, request) || batch_lacks_record(request)) {
            look_up_start(pipeline, request);
        }
    }
    if (--pipeline->look_ups_under_way == 0) {
        look_ups_end(pipeline);
    }
}
