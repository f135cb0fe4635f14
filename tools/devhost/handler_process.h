/*
 * handler_process.h - the handler as the host runs it: started, polled until it answers, listened to, restarted, ended.
 *
 * Rules        The handler runs in the app's folder with our environment, the app's settings (a variable that the environment
 *              has already wins, as in Core Tools; A:B and A__B are the same name) and the host's own three variables.
 *              It dies with the thread that calls new and step, which must therefore be the main thread.
 * Threads: all but handler_process_port belong to the main thread, which must have SIGCHLD blocked.
 * Layer: devhost. May include base/, storage/http_transport.h.
 */
#ifndef DEVHOST_HANDLER_PROCESS_H
#define DEVHOST_HANDLER_PROCESS_H

#include <stdint.h>

#include "base/status.h"
#include "devhost/host_config.h"
#include "storage/http_transport.h"

enum handler_state {
    HANDLER_STARTING, /* does not answer yet; step again soon */
    HANDLER_READY,
    HANDLER_EXITED, /* with code 0: the host does not start it again */
    HANDLER_FAILED  /* for good: three restarts are used up */
};

struct handler_process;

/*
 * Starts the handler. `config` and `transport` are borrowed until handler_process_free.
 *
 * STATUS_NOT_FOUND   the executable cannot be run
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status handler_process_new(struct handler_process **out, const struct host_config *config,
                                struct http_transport *transport, struct error *err) MUST_CHECK;

/*
 * Looks after the handler: asks it whether it is ready, notices that it exited, starts it again. To be called on SIGCHLD,
 * and a few times a second while it is HANDLER_STARTING. May take a second.
 */
enum handler_state handler_process_step(struct handler_process *process);

/* Where it listens; 0 while it is not HANDLER_READY. Any thread. */
int handler_process_port(const struct handler_process *process);

/* Sends SIGTERM, waits up to `timeout_ms` for the handler to exit, then sends SIGKILL. */
void handler_process_stop(struct handler_process *process, int64_t timeout_ms);

/* The handler must have been stopped or have exited. NULL is fine. */
void handler_process_free(struct handler_process *process);

#endif
