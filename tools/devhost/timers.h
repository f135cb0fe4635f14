/*
 * timers.h - fires timer functions: on their schedule, at startup where they ask for it, and by
 * hand.
 *
 * Vocabulary   status   when a timer ran last, when it runs next, and when that was reckoned
 *              (ScheduleStatus)
 * Rules        Each timer runs once at a time. A run that outlasts its period is followed by one at
 *              once, whose IsPastDue is false; the others that fell into it are dropped. What is
 *              told as Next is the time being fired. Statuses of monitored schedules (schedule.h)
 *              are kept in `folder`, one file for each timer. A run that was missed while no host
 *              was up is made up for at start, once, with IsPastDue, unless the schedule has
 *              changed since. By hand a timer is run at any time, beside its schedule, which does
 *              not change.
 *              Source: Azure/azure-webjobs-sdk-extensions, TimerListener and ScheduleMonitor.
 * Threads: one for each timer and each run by hand; timers_fire may be called from any.
 */
#ifndef DEVHOST_TIMERS_H
#define DEVHOST_TIMERS_H

#include "base/status.h"
#include "devhost/host_config.h"
#include "devhost/invoker.h"

struct timers;

/* Borrows all until timers_free. `folder` NULL: statuses are kept nowhere. STATUS_NO_MEMORY. */
enum status timers_new(struct timers **out, const struct host_config *config,
                       struct invoker *invoker, const char *folder, struct error *err) MUST_CHECK;

/* Starts the schedules. STATUS_INTERNAL: no thread. */
enum status timers_start(struct timers *timers, struct error *err) MUST_CHECK;

/*
 * Runs a timer function of the config's once, by hand. Its result is printed when it comes. False:
 * there is no thread for it.
 */
bool timers_fire(struct timers *timers, const struct host_function *function);

/* From now on no timer fires. */
void timers_stop(struct timers *timers);

/*
 * Waits until no run is under way any more: the handler must have ended, and invoker_stop been
 * called. NULL is fine.
 */
void timers_free(struct timers *timers);

#endif
