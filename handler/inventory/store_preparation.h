/*
 * store_preparation.h - makes the store ready for use, once, when the first operation needs it. So
 * the program can start before storage can be reached.
 *
 * Rules    One preparation is under way at a time. Operations that come meanwhile wait for its
 *          outcome. After a failure the next operation tries again.
 *          A store that was there and is gone is lost: every later operation fails. It is not made
 *          again, because it would hold all seed stock in full, as if nothing had been sold. An
 *          operator decides, and restarts the program.
 * Threads  The loop's, but for store_preparation_is_ready.
 */
#ifndef INVENTORY_STORE_PREPARATION_H
#define INVENTORY_STORE_PREPARATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/status.h"
#include "http/event_loop.h"
#include "inventory/inventory_store.h"

/* An operation that waits. Its owner keeps it until `done` is called. */
struct preparation_waiter {
    TAILQ_ENTRY(preparation_waiter) link;
    void (*done)(void *context, enum status status, const struct error *err);
    void *context;
};

TAILQ_HEAD(preparation_waiters, preparation_waiter);

struct store_preparation {
    struct inventory_store *store;
    const struct seed_product *seeds;
    size_t seed_count;
    bool is_prepared_elsewhere; /* other programs make the store ready; this one just uses it */

    atomic_bool is_ready;
    bool is_lost;
    struct error failure; /* the last preparation's, or the loss; STATUS_OK: none */

    /* If not empty, a preparation is under way or the task is posted. Either notifies them. */
    struct preparation_waiters waiters;

    /* Notifies the waiters if the outcome is there already. */
    struct loop_task task;
};

/* All borrowed. */
void store_preparation_init(struct store_preparation *preparation, struct inventory_store *store,
                            const struct seed_product *seeds, size_t seed_count,
                            bool is_prepared_elsewhere);

/* Returns true if the store can be used. Any thread. */
bool store_preparation_is_ready(const struct store_preparation *preparation);

/*
 * Makes the store ready if it is not. `done` is called once, never inside this call.
 * STATUS_CONTAINER_NOT_FOUND   the store is lost, now and in every later call
 * STATUS_CANCELLED             the program is stopping
 * STATUS_UNAVAILABLE, STATUS_NO_MEMORY, ...
 */
void store_preparation_await(struct store_preparation *preparation,
                             struct preparation_waiter *waiter);

/*
 * An operation of the ready store has ended with `status`. STATUS_CONTAINER_NOT_FOUND means that
 * the store is lost, unless other programs prepare it. Then `err` is replaced by what an operator
 * has to do. Returns `status`.
 */
enum status store_preparation_note_status(struct store_preparation *preparation, enum status status,
                                          struct error *err);

#endif
