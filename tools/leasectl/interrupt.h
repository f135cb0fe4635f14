/*
 * interrupt.h - SIGINT and SIGTERM: they end a command in order, so that its leases are released.
 *
 * Rules        The first signal ends every wait. A command that changes something finishes the
 *              requests that it has sent; a command that only reads is cut short. The second signal
 *              cuts every command short.
 * Life         interrupt_block, interrupt_start, interrupt_stop, all in the main thread.
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
    bool may_cut_short; /* the first signal already cuts the command short */
    pthread_t thread;
    sigset_t signals;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool came; /* a signal has come; guarded by `lock` */
};

/* Blocks the signals until interrupt_start. Call it before any thread starts. */
void interrupt_block(struct interrupt *interrupt);

/*
 * Handles the signals from now on, on a thread of its own. The started services are borrowed until
 * interrupt_stop.
 *
 * STATUS_NO_THREAD   the system allows no more threads
 */
enum status interrupt_start(struct interrupt *interrupt, struct services *services,
                            bool may_cut_short, struct error *err) MUST_CHECK;

/* Waits for a signal, at most `ms`. Returns true if one has come. Any thread may call it. */
bool interrupt_wait(struct interrupt *interrupt, int64_t ms);

/* Ends the thread. */
void interrupt_stop(struct interrupt *interrupt);

#endif
