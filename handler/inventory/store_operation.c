#include "inventory/store_operation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void end_refused(void *context) {
    struct inventory_store *store = context;
    struct store_refusals *refused = &store->refused;
    struct error err;
    error_set(&err, STATUS_NO_MEMORY, "no memory for an operation on the store");
    size_t count = refused->count;
    for (size_t i = 0; i < count; i++) {
        refused->items[i].done(refused->items[i].context, STATUS_NO_MEMORY, &err);
    }
    refused->count -= count; /* others may have been refused meanwhile */
    memmove(refused->items, refused->items + count, refused->count * sizeof refused->items[0]);
    if (refused->count > 0) {
        event_loop_post(store->platform->loop, &refused->task);
    }
}

/* Remembers in the store itself who is to be told. */
static void queue_refusal(struct inventory_store *store, inventory_store_done done, void *context) {
    struct store_refusals *refused = &store->refused;
    assert(refused->count < STORE_REFUSALS);
    refused->items[refused->count].done = done;
    refused->items[refused->count].context = context;
    if (refused->count++ == 0) {
        refused->task = (struct loop_task){.run = end_refused, .context = store};
        event_loop_post(store->platform->loop, &refused->task);
    }
}

void store_operation_prepare(struct inventory_store *store, const struct inventory_store_ops *ops,
                             const struct platform *platform) {
    store->ops = ops;
    store->platform = platform;
    store->refused.count = 0;
}

void *store_operation_new(struct inventory_store *store, size_t bytes, inventory_store_done done,
                          void *context) {
    struct store_operation *operation = calloc(1, bytes);
    if (operation == NULL) {
        queue_refusal(store, done, context);
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

static void end_failed(struct store_operation *operation) {
    struct error failure = operation->failure;
    store_operation_end(operation, failure.status, &failure);
}

void store_operation_fail(struct store_operation *operation, struct event_loop *loop,
                          const struct error *failure) {
    operation->failure = *failure;
    store_operation_post(operation, loop, end_failed);
}

void store_operation_end(struct store_operation *operation, enum status status,
                         const struct error *err) {
    const struct error none = {.status = STATUS_OK};
    inventory_store_done done = operation->done;
    void *context = operation->context;
    free(operation);
    done(context, status, status == STATUS_OK ? &none : err);
}
