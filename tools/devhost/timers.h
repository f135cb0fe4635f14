/*
 * timers.h - fires timer functions: on their schedule, at startup where they ask for it, and by hand.
 *
 * Rules        A timer that is still running when it is due again is not fired (the host's singleton lock); fired by hand, it is.
 *              A time that passed while nothing could be fired is not made up for.
 * Threads: one of its own for the schedules; answers come on the transport's thread; timers_fire may be called from any.
 * Layer: devhost. May include base/, storage/http_transport.h.
 */
#ifndef DEVHOST_TIMERS_H
#define DEVHOST_TIMERS_H

#include "base/status.h"
#include "devhost/handler_process.h"
#include "devhost/host_config.h"
#include "storage/http_transport.h"

struct timers;

/* Borrows all three until timers_free. STATUS_NO_MEMORY. */
enum status timers_new(struct timers **out, const struct host_config *config, const struct handler_process *process,
                       struct http_transport *transport, struct error *err) MUST_CHECK;

/* Starts the schedules; functions with runOnStartup are fired now. STATUS_INTERNAL: no thread. */
enum status timers_start(struct timers *timers, struct error *err) MUST_CHECK;

/* Fires a timer function of the config's once, by hand. Its result is printed when it comes. STATUS_UNAVAILABLE: the handler is not ready. */
enum status timers_fire(struct timers *timers, const struct host_function *function, struct error *err) MUST_CHECK;

/* From now on no schedule fires. */
void timers_stop(struct timers *timers);

/* After timers_stop and the transport's end: no answer is awaited any more. NULL is fine. */
void timers_free(struct timers *timers);

#endif
