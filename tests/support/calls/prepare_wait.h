/*
 * prepare_wait.h - a store that is made ready, for a test that waits for it.
 *
 * Threads: any but the loop's.
 */
#ifndef SUPPORT_PREPARE_WAIT_H
#define SUPPORT_PREPARE_WAIT_H

#include "http/loop_call.h"
#include "inventory/inventory_service.h"

struct prepare_wait {
    struct loop_call call;
    struct store_preparation *preparation;
    struct preparation_waiter waiter;
    enum status status;
    struct error failure;
};

static inline void note_preparation(void *context, enum status status, const struct error *err) {
    struct prepare_wait *wait = context;
    wait->status = status;
    wait->failure = *err;
    loop_call_end(&wait->call);
}

static inline void begin_preparation(void *context) {
    struct prepare_wait *wait = context;
    wait->waiter = (struct preparation_waiter){.done = note_preparation, .context = wait};
    store_preparation_await(wait->preparation, &wait->waiter);
}

/* Statuses of store_preparation_await. `err` is untouched on success. */
static inline enum status prepare_and_wait(struct inventory_service *service, struct error *err) {
    struct prepare_wait wait = {.preparation = &service->preparation};
    loop_call_run(&wait.call, service->platform->loop, begin_preparation, &wait);
    if (wait.status != STATUS_OK) {
        *err = wait.failure;
    }
    return wait.status;
}

#endif
