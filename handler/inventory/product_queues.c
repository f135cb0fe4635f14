#include "inventory/product_queues.h"

#include <assert.h>
#include <search.h>
#include <string.h>

static int compare_product_ids(const void *left, const void *right) {
    return strcmp(left, right);
}

static size_t rows_of(const struct product_pipeline *pipeline) {
    return pipeline->cache.state.reservations.count;
}

static void queues_add_idle(struct product_queues *queues, struct product_pipeline *pipeline) {
    TAILQ_INSERT_TAIL(&queues->idle, pipeline, idle_link);
    queues->idle_count++;
    queues->idle_rows += rows_of(pipeline);
}

static void queues_remove_idle(struct product_queues *queues, struct product_pipeline *pipeline) {
    TAILQ_REMOVE(&queues->idle, pipeline, idle_link);
    queues->idle_count--;
    queues->idle_rows -= rows_of(pipeline);
}

/* The rows that expire soon stay, so that a pipeline can be used again without a read. */
static void queues_trim_idle(struct product_queues *queues) {
    struct product_pipeline *pipeline;
    TAILQ_FOREACH(pipeline, &queues->idle, idle_link) {
        if (queues->idle_rows <= PRODUCT_CACHE_RECENT_ROWS) {
            return;
        }
        queues->idle_rows -= rows_of(pipeline);
        product_state_trim(&pipeline->cache.state, 0);
        queues->idle_rows += rows_of(pipeline);
    }
}

static void queues_free_longest_idle(struct product_queues *queues) {
    struct product_pipeline *pipeline = TAILQ_FIRST(&queues->idle);
    queues_remove_idle(queues, pipeline);
    tdelete(pipeline->product_id, &queues->pipelines, compare_product_ids);
    product_pipeline_free(pipeline);
}

static void queues_keep_idle(void *context, struct product_pipeline *pipeline) {
    struct product_queues *queues = context;
    queues_add_idle(queues, pipeline);
    queues->shared.pipelines_in_use--;
    if (queues->idle_count > PRODUCT_QUEUES_MAX_IDLE && !queues->is_closed) {
        queues_free_longest_idle(queues);
    }
    queues_trim_idle(queues);
}

void product_queues_init(struct product_queues *queues, const struct pipeline_shared *shared) {
    *queues = (struct product_queues){.shared = *shared};
    queues->shared.became_idle = queues_keep_idle;
    queues->shared.context = queues;
    TAILQ_INIT(&queues->idle);
}

void product_queues_cleanup(struct product_queues *queues) {
    while (!TAILQ_EMPTY(&queues->idle)) {
        queues_free_longest_idle(queues);
    }
    assert(queues->pipelines == NULL);
}

static struct product_pipeline *queues_add_pipeline(struct product_queues *queues,
                                                    const char *product_id) {
    struct product_pipeline *pipeline = product_pipeline_new(&queues->shared, product_id);
    if (pipeline != NULL &&
        tsearch(pipeline->product_id, &queues->pipelines, compare_product_ids) == NULL) {
        product_pipeline_free(pipeline);
        return NULL;
    }
    return pipeline;
}

/* Returns the product's pipeline, which is in use from now on. NULL: no memory. */
static struct product_pipeline *queues_find_or_add_pipeline(struct product_queues *queues,
                                                            const char *product_id) {
    char *const *found = tfind(product_id, &queues->pipelines, compare_product_ids);
    if (found == NULL) {
        struct product_pipeline *added = queues_add_pipeline(queues, product_id);
        queues->shared.pipelines_in_use += added != NULL;
        return added;
    }
    struct product_pipeline *pipeline = (struct product_pipeline *)*found;
    if (product_pipeline_is_idle(pipeline)) {
        queues_remove_idle(queues, pipeline);
        queues->shared.pipelines_in_use++;
    }
    return pipeline;
}

static void queues_end_request(void *context) {
    struct inventory_request *request = context;
    request->served(request);
}

/* In the loop's next round, because submit must not answer a request itself. */
static void queues_end_later(struct product_queues *queues, struct inventory_request *request,
                             enum status status) {
    request->status = error_set(&request->failure, status, "joining the queue of product %s",
                                request->product_id);
    request->task = (struct loop_task){.run = queues_end_request, .context = request};
    event_loop_post(queues->shared.platform->loop, &request->task);
}

void product_queues_submit(struct product_queues *queues, struct inventory_request *request) {
    if (queues->is_closed) {
        queues_end_later(queues, request, STATUS_CANCELLED);
        return;
    }
    struct product_pipeline *pipeline = queues_find_or_add_pipeline(queues, request->product_id);
    if (pipeline == NULL) {
        queues_end_later(queues, request, STATUS_NO_MEMORY);
        return;
    }
    product_pipeline_submit(pipeline, request);
}

/* Closing may make a pipeline idle, but frees none. So the tree does not change during the walk. */
static void queues_close_pipeline(const void *node, VISIT visit, void *closure) {
    (void)closure;
    if (visit == postorder || visit == leaf) { /* inner nodes are visited three times */
        product_pipeline_close(*(struct product_pipeline *const *)node);
    }
}

void product_queues_close(struct product_queues *queues) {
    queues->is_closed = true;
    twalk_r(queues->pipelines, queues_close_pipeline, NULL);
}
