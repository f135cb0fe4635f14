/*
 * handler_process.h - the handler as the host runs it: started, polled until it answers, listened
 * to, restarted, ended.
 *
 * Rules        It always gets the same port. After exit code 0 or 200 it is started again at once,
 *              and that is not counted (hosts since January 2026; older ones leave it dead after
 *              0). After any other end it is started again twice; at the third the host stops. The
 *              count begins anew 30 minutes after the last such end.
 *              Source: Azure/azure-functions-host, HttpFunctionInvocationDispatcher and
 *              WorkerProcess. It dies with the thread that calls new and step, which must therefore
 *              be the main thread.
 * Threads: what is not said to be for any thread belongs to the main thread, which must have
 * SIGCHLD and SIGUSR1 blocked.
 */
#ifndef DEVHOST_HANDLER_PROCESS_H
#define DEVHOST_HANDLER_PROCESS_H

#include <stdint.h>

#include "base/status.h"
#include "devhost/handler_client.h"
#include "devhost/host_config.h"

enum handler_state {
    HANDLER_STARTING, /* does not answer yet; step again soon */
    HANDLER_READY,
    HANDLER_FAILED /* for good: two restarts are used up */
};

/*
 * How long a caller waits for a handler that starts: 4 times its time to initialize
 * (WorkerFunctionInvoker).
 */
enum { HANDLER_HOLD_MS = 120 * 1000 };

struct handler_process;

/*
 * Starts the handler. `config` and `client` are borrowed until handler_process_free.
 *
 * STATUS_NOT_FOUND   the executable cannot be run
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status handler_process_new(struct handler_process **out, const struct host_config *config,
                                struct handler_client *client, struct error *err) MUST_CHECK;

/*
 * Looks after the handler: asks it whether it is ready, notices that it exited, starts it again. To
 * be called on SIGCHLD and SIGUSR1, and many times a second while it is HANDLER_STARTING. May take
 * a second.
 */
enum handler_state handler_process_step(struct handler_process *process);

/*
 * Waits until the handler is ready. Returns its port; 0: it is not, or is being stopped. Any
 * thread.
 */
int handler_process_await(struct handler_process *process, int64_t timeout_ms);

/*
 * Asks for the handler to be killed and started again, uncounted: a function's timeout is over. Any
 * thread.
 */
void handler_process_ask_restart(struct handler_process *process);

/*
 * Ends the handler. Sends SIGTERM, again and again for up to `timeout_ms` until it has exited (a
 * handler that waits to be killed after the first one, as ours does under a host, exits at the
 * next), then SIGKILL. Those who wait are let go.
 */
void handler_process_stop(struct handler_process *process, int64_t timeout_ms);

/* The handler must have been stopped or have exited. NULL is fine. */
void handler_process_free(struct handler_process *process);

#endif
