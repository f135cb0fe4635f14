/*
 * store_preparation.h - makes the store ready once, by whoever needs it first, so that storage may come late.
 *
 * Rules   One preparation is under way at a time. Those who come meanwhile wait for the same outcome. After a failure the
 *         next one who comes tries again.
 *         A store that was there and is gone is lost. Made again it would hold every seed in full, as if nothing had been
 *         sold, so this program never does: whoever restarts it has been told.
 * Threads: the loop's, but for store_preparation_is_ready.
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

/* Somebody who waits. Lives in its owner until `done` is called. */
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
    bool is_prepared_elsewhere; /* others make the store ready; here it is used as it is */

    atomic_bool is_ready;
    bool is_lost;
    struct preparation_waiters
        waiters;           /* not empty: they will be told, by the run under way or by `task` */
    struct error failure;  /* of the last run, or of the loss */
    struct loop_task task; /* tells the waiters of what is known already */
};

/* All borrowed. */
void store_preparation_init(struct store_preparation *preparation, struct inventory_store *store,
                            const struct seed_product *seeds, size_t seed_count,
                            bool is_prepared_elsewhere);

/* Any thread. */
bool store_preparation_is_ready(const struct store_preparation *preparation);

/*
 * Makes the store ready, unless it is. `done` is called once, never inside this call.
 * STATUS_CONTAINER_NOT_FOUND   the store is lost; every later call says so, too
 * STATUS_CANCELLED             the program is stopping
 * STATUS_UNAVAILABLE, STATUS_NO_MEMORY, ...
 */
void store_preparation_await(struct store_preparation *preparation,
                             struct preparation_waiter *waiter);

/*
 * An operation of the ready store has ended with `status`. STATUS_CONTAINER_NOT_FOUND means that the store is lost. Then
 * `err` says what an operator has to do. Returns `status`.
 */
enum status store_preparation_note_status(struct store_preparation *preparation, enum status status,
                                          struct error *err);

#endif
