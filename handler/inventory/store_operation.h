/*
 * store_operation.h - what the asynchronous operations of every inventory store have in common.
 *
 * Each is allocated when it starts, ends once on the loop's thread, and is freed before its owner
 * is told. A store's own operation has a struct store_operation as its first member:
 *
 *     struct my_read { struct store_operation base; ... };
 *     struct my_read *read = store_operation_new(store, sizeof *read, done, context);
 *     if (read == NULL) {
 *         return;     its owner will be told
 *     }
 *     ...             start something, whose completion calls store_operation_end
 *
 * Errors   An operation that finds no memory ends like any other, with STATUS_NO_MEMORY in the
 *          loop's next round. The store itself remembers it until then.
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
    const struct correlation *correlation; /* of whoever started it */
    struct error failure;                  /* of store_operation_fail */
};

/* Makes a store ready for operations on the platform's loop. Both arguments are borrowed. */
void store_operation_prepare(struct inventory_store *store, const struct inventory_store_ops *ops,
                             const struct platform *platform);

/*
 * Returns a new operation of `bytes`, zeroed behind its base; or NULL, and then `done` will be
 * told.
 */
void *store_operation_new(struct inventory_store *store, size_t bytes, inventory_store_done done,
                          void *context);

/* Calls `run` in the loop's next round, with the correlation of whoever started the operation. */
void store_operation_post(struct store_operation *operation, struct event_loop *loop,
                          void (*run)(struct store_operation *operation));

/* Ends an operation in the next round. For one that fails before anything was started. */
void store_operation_fail(struct store_operation *operation, struct event_loop *loop,
                          const struct error *failure);

/* Frees an operation, then calls `done`. With STATUS_OK `err` does not matter, and may be NULL. */
void store_operation_end(struct store_operation *operation, enum status status,
                         const struct error *err);

#endif
