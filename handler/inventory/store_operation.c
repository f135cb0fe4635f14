#include "inventory/store_operation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void report_failed_starts(void *context) {
    struct inventory_store *store = context;
    struct store_failed_starts *failed = &store->failed_starts;
    struct error err;
    error_set(&err, STATUS_NO_MEMORY, "no memory for an operation on the store");
    size_t count = failed->count;
    for (size_t i = 0; i < count; i++) {
        failed->items[i].done(failed->items[i].context, STATUS_NO_MEMORY, &err);
    }
    /* A `done` may have tried to start another operation, and failed again. */
    failed->count -= count;
    memmove(failed->items, failed->items + count, failed->count * sizeof failed->items[0]);
    if (failed->count > 0) {
        event_loop_post(store->platform->loop, &failed->task);
    }
}

static void add_failed_start(struct inventory_store *store, inventory_store_done done,
                             void *context) {
    struct store_failed_starts *failed = &store->failed_starts;
    assert(failed->count < STORE_MAX_FAILED_STARTS);
    failed->items[failed->count].done = done;
    failed->items[failed->count].context = context;
    if (failed->count++ == 0) {
        failed->task = (struct loop_task){.run = report_failed_starts, .context = store};
        event_loop_post(store->platform->loop, &failed->task);
    }
}

void store_operation_init_store(struct inventory_store *store,
                                const struct inventory_store_ops *ops,
                                const struct platform *platform) {
    store->ops = ops;
    store->platform = platform;
    store->failed_starts.count = 0;
}

void *store_operation_new(struct inventory_store *store, size_t bytes, inventory_store_done done,
                          void *context) {
    struct store_operation *operation = calloc(1, bytes);
    if (operation == NULL) {
        add_failed_start(store, done, context);
        return NULL;
    }
    operation->done = done;
    operation->context = context;
    operation->correlation = correlation_current();
    return operation;
}

static void run_posted(void *context) {
    struct store_operation *operation = context;
    const struct correlation *before = correlation_use(operation->correlation);
    operation->run(operation);
    correlation_use(before);
}

void store_operation_post(struct store_operation *operation, struct event_loop *loop,
                          void (*run)(struct store_operation *operation)) {
    operation->run = run;
    operation->task = (struct loop_task){.run = run_posted, .context = operation};
    event_loop_post(loop, &operation->task);
}

static void end_with_failure(struct store_operation *operation) {
    struct error failure = operation->failure;
    store_operation_end(operation, failure.status, &failure);
}

void store_operation_fail(struct store_operation *operation, struct event_loop *loop,
                          const struct error *failure) {
    operation->failure = *failure;
    store_operation_post(operation, loop, end_with_failure);
}

void store_operation_end(struct store_operation *operation, enum status status,
                         const struct error *err) {
    const struct error none = {.status = STATUS_OK};
    inventory_store_done done = operation->done;
    void *context = operation->context;
    free(operation);
    done(context, status, status == STATUS_OK ? &none : err);
}
