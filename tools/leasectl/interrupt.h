/*
 * interrupt.h - SIGINT and SIGTERM: a command ends in order, and the leases that it holds are given back.
 *
 * Rules        The first signal ends every wait; a command that changes something finishes what it has sent, one that reads
 *              is cut short. The second one cuts short whatever there is.
 * Threads: block, start and stop belong to the main one; wait may be called from any.
 */
#ifndef LEASECTL_INTERRUPT_H
#define LEASECTL_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "wiring/services.h"

struct interrupt {
    struct services *services;
    bool may_cut_short; /* at the first signal */
    pthread_t thread;
    sigset_t signals;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool came; /* guarded by lock */
};

/* Before any thread is started: from now on the signals wait for start. */
void interrupt_block(struct interrupt *interrupt);

/* Borrows the started services until stop. STATUS_INTERNAL: no thread. */
enum status interrupt_start(struct interrupt *interrupt, struct services *services,
                            bool may_cut_short, struct error *err) MUST_CHECK;

/* Waits for `ms`, or for a signal. True: one has come. */
bool interrupt_wait(struct interrupt *interrupt, int64_t ms);

void interrupt_stop(struct interrupt *interrupt);

#endif
