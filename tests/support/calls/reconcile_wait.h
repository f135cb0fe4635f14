/*
 * reconcile_wait.h - a round of reconciliation, for a test that waits for its end.
 *
 * Threads: any but the loop's.
 */
#ifndef SUPPORT_RECONCILE_WAIT_H
#define SUPPORT_RECONCILE_WAIT_H

#include "http/loop_call.h"
#include "inventory/reconcile.h"

struct reconcile_wait {
    struct loop_call call;
    struct reconciliation round;
    struct inventory_service *service;
    struct reconcile_result *out;
    enum status status;
    struct error failure;
};

static inline void note_round(void *context, enum status status,
                              const struct reconcile_result *result, const struct error *err) {
    struct reconcile_wait *wait = context;
    wait->status = status;
    wait->failure = *err;
    if (result != NULL) {
        *wait->out = *result;
    }
    loop_call_end(&wait->call);
}

static inline void begin_round(void *context) {
    struct reconcile_wait *wait = context;
    reconcile_start(&wait->round, wait->service, note_round, wait);
}

/* `out` is untouched on failure, `err` on success. */
static inline enum status reconcile_and_wait(struct inventory_service *service,
                                             struct reconcile_result *out, struct error *err) {
    struct reconcile_wait wait = {.service = service, .out = out};
    loop_call_run(&wait.call, service->platform->loop, begin_round, &wait);
    if (wait.status != STATUS_OK) {
        *err = wait.failure;
    }
    return wait.status;
}

#endif
