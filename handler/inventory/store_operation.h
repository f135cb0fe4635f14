/*
 * store_operation.h - what the asynchronous operations of all inventory stores have in common.
 *
 * An operation is allocated when it starts, and ends once, on the loop's thread. It is freed before
 * its owner's `done` is called. A store's own operation has a struct store_operation as its first
 * member:
 *
 *     struct my_read { struct store_operation base; ... };
 *     struct my_read *read = store_operation_new(store, sizeof *read, done, context);
 *     if (read == NULL) {
 *         return;     // `done` will be called
 *     }
 *     ...             // start something whose completion calls store_operation_end
 *
 * Errors   An operation for which there is no memory ends with STATUS_NO_MEMORY in the loop's next
 *          round. The store itself holds its `done` until then.
 * Threads  The loop's.
 */
#ifndef INVENTORY_STORE_OPERATION_H
#define INVENTORY_STORE_OPERATION_H

#include <stddef.h>

#include "base/correlation.h"
#include "base/status.h"
#include "inventory/inventory_store.h"

struct store_operation {
    inventory_store_done done;
    void *context;
    struct loop_task task;
    void (*run)(struct store_operation *operation);
    /* The correlation that was current when the operation started. */
    const struct correlation *correlation;
    /* The error of store_operation_fail, until it is reported. */
    struct error failure;
};

/* Initializes the part that all stores have. `ops` and `platform` are borrowed. */
void store_operation_init_store(struct inventory_store *store,
                                const struct inventory_store_ops *ops,
                                const struct platform *platform);

/*
 * Returns a new operation of `bytes` bytes, zeroed behind its base. Returns NULL if there is no
 * memory; then `done` is called in the loop's next round.
 */
void *store_operation_new(struct inventory_store *store, size_t bytes, inventory_store_done done,
                          void *context);

/* Calls `run` in the loop's next round, under the operation's correlation. */
void store_operation_post(struct store_operation *operation, struct event_loop *loop,
                          void (*run)(struct store_operation *operation));

/* Ends an operation in the loop's next round, for a failure before anything was started. */
void store_operation_fail(struct store_operation *operation, struct event_loop *loop,
                          const struct error *failure);

/* Frees an operation, then calls `done`. `err` is ignored with STATUS_OK, and may be NULL then. */
void store_operation_end(struct store_operation *operation, enum status status,
                         const struct error *err);

#endif
