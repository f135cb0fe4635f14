#include "inventory/store_preparation.h"

#include "base/thread.h"

static void tell_waiters(void *context);

void store_preparation_init(struct store_preparation *preparation, struct inventory_store *store,
                            const struct seed_product *seeds, size_t seed_count, bool is_others) {
    *preparation = (struct store_preparation){
        .store = store, .loop = store->loop, .seeds = seeds, .seed_count = seed_count, .is_others = is_others};
    atomic_init(&preparation->is_ready, is_others);
    TAILQ_INIT(&preparation->waiters);
    preparation->task = (struct loop_task){.run = tell_waiters, .context = preparation};
}

bool store_preparation_is_ready(const struct store_preparation *preparation) {
    return atomic_load_explicit(&preparation->is_ready, memory_order_acquire);
}

static void note_loss(struct store_preparation *preparation, const char *why) {
    if (!preparation->is_lost) {
        preparation->is_lost = true;
        atomic_store_explicit(&preparation->is_ready, false, memory_order_release);
        error_set(&preparation->failure, STATUS_CONTAINER_NOT_FOUND,
                  "the stock has disappeared while this program was running, and it is not made again by itself. "
                  "Restore the table, or accept that all stock is as Inventory:SeedProducts says; then restart "
                  "every instance (%s)",
                  why);
    }
}

/* On a thread of its own: preparing waits for storage. */
static void *prepare(void *context) {
    struct store_preparation *preparation = context;
    struct error *outcome = &preparation->outcome;
    outcome->status =
        preparation->store->ops->prepare(preparation->store, preparation->seeds, preparation->seed_count, outcome);
    event_loop_post(preparation->loop, &preparation->task);
    return NULL;
}

static void end_run(struct store_preparation *preparation) {
    const struct error *outcome = &preparation->outcome;
    pthread_join(preparation->thread, NULL);
    preparation->is_running = false;
    if (outcome->status == STATUS_CONTAINER_NOT_FOUND) {
        note_loss(preparation, outcome->message);
    } else if (!preparation->is_lost) {
        preparation->failure = *outcome;
        atomic_store_explicit(&preparation->is_ready, outcome->status == STATUS_OK, memory_order_release);
    }
}

/* Those who come while they are told wait for the next run. */
static void tell_waiters(void *context) {
    struct store_preparation *preparation = context;
    if (preparation->is_running) {
        end_run(preparation);
    }
    struct preparation_waiters told = TAILQ_HEAD_INITIALIZER(told);
    TAILQ_CONCAT(&told, &preparation->waiters, link);
    const struct error failure = preparation->failure;
    struct preparation_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&told)) != NULL) {
        TAILQ_REMOVE(&told, waiter, link);
        waiter->done(waiter->context, failure.status, &failure);
    }
}

void store_preparation_await(struct store_preparation *preparation, struct preparation_waiter *waiter) {
    bool is_first = TAILQ_EMPTY(&preparation->waiters);
    TAILQ_INSERT_TAIL(&preparation->waiters, waiter, link);
    if (preparation->is_running || !is_first) {
        return;
    }
    if (!store_preparation_is_ready(preparation) && !preparation->is_lost) {
        preparation->is_running =
            thread_start(&preparation->thread, prepare, preparation, &preparation->failure) == STATUS_OK;
    }
    if (!preparation->is_running) {
        event_loop_post(preparation->loop, &preparation->task);
    }
}

void store_preparation_await_end(struct store_preparation *preparation, struct preparation_waiter *waiter) {
    bool is_first = TAILQ_EMPTY(&preparation->waiters);
    TAILQ_INSERT_TAIL(&preparation->waiters, waiter, link);
    if (is_first && !preparation->is_running) {
        event_loop_post(preparation->loop, &preparation->task);
    }
}

enum status store_preparation_note_status(struct store_preparation *preparation, enum status status,
                                          struct error *err) {
    if (status == STATUS_CONTAINER_NOT_FOUND && !preparation->is_others) {
        note_loss(preparation, err->message);
        *err = preparation->failure;
    }
    return status;
}
