#include "inventory/store_preparation.h"

#include "base/correlation.h"

static void preparation_notify(void *context);

void store_preparation_init(struct store_preparation *preparation, struct inventory_store *store,
                            const struct seed_product *seeds, size_t seed_count,
                            bool is_prepared_elsewhere) {
    *preparation = (struct store_preparation){.store = store,
                                              .seeds = seeds,
                                              .seed_count = seed_count,
                                              .is_prepared_elsewhere = is_prepared_elsewhere};
    atomic_init(&preparation->is_ready, is_prepared_elsewhere);
    TAILQ_INIT(&preparation->waiters);
    preparation->task = (struct loop_task){.run = preparation_notify, .context = preparation};
}

bool store_preparation_is_ready(const struct store_preparation *preparation) {
    return atomic_load_explicit(&preparation->is_ready, memory_order_acquire);
}

static void note_loss(struct store_preparation *preparation, const char *why) {
    if (!preparation->is_lost) {
        preparation->is_lost = true;
        atomic_store_explicit(&preparation->is_ready, false, memory_order_release);
        error_set(&preparation->failure, STATUS_CONTAINER_NOT_FOUND,
                  "the stock has disappeared while this program was running, and it is not made "
                  "again by itself. Restore the table, or accept that all stock is as "
                  "Inventory:SeedProducts says; then restart every instance (%s)",
                  why);
    }
}

/* A waiter that joins while these are notified is not one of them. It is notified later. */
static void preparation_notify(void *context) {
    struct store_preparation *preparation = context;
    struct preparation_waiters notified = TAILQ_HEAD_INITIALIZER(notified);
    TAILQ_CONCAT(&notified, &preparation->waiters, link);
    const struct error failure = preparation->failure;
    struct preparation_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&notified)) != NULL) {
        TAILQ_REMOVE(&notified, waiter, link);
        waiter->done(waiter->context, failure.status, &failure);
    }
}

static void preparation_on_prepared(void *context, enum status status, const struct error *err) {
    struct store_preparation *preparation = context;
    if (status == STATUS_CONTAINER_NOT_FOUND) {
        note_loss(preparation, err->message);
    } else if (!preparation->is_lost) {
        preparation->failure = *err;
        preparation->failure.status = status;
        atomic_store_explicit(&preparation->is_ready, status == STATUS_OK, memory_order_release);
    }
    preparation_notify(preparation);
}

/* Without a correlation: it works for all who wait, and outlives the request that began it. */
static void preparation_start(struct store_preparation *preparation) {
    struct inventory_store *store = preparation->store;
    const struct correlation *before = correlation_use(NULL);
    store->ops->prepare(store, preparation->seeds, preparation->seed_count, preparation_on_prepared,
                        preparation);
    correlation_use(before);
}

void store_preparation_await(struct store_preparation *preparation,
                             struct preparation_waiter *waiter) {
    bool is_first = TAILQ_EMPTY(&preparation->waiters);
    TAILQ_INSERT_TAIL(&preparation->waiters, waiter, link);
    if (!is_first) {
        return; /* all are notified together */
    }
    if (store_preparation_is_ready(preparation) || preparation->is_lost) {
        event_loop_post(preparation->store->platform->loop, &preparation->task);
    } else {
        preparation_start(preparation);
    }
}

enum status store_preparation_note_status(struct store_preparation *preparation, enum status status,
                                          struct error *err) {
    if (status == STATUS_CONTAINER_NOT_FOUND && !preparation->is_prepared_elsewhere) {
        note_loss(preparation, err->message);
        *err = preparation->failure;
    }
    return status;
}
