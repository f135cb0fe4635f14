/*
 * timer_status.h - when a timer ran and runs, kept in a file, as the timer extension keeps it in
 * storage.
 *
 * Source: Azure/azure-webjobs-sdk-extensions, ScheduleStatus and ScheduleMonitor.CheckPastDueAsync.
 */
#ifndef DEVHOST_TIMER_STATUS_H
#define DEVHOST_TIMER_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "devhost/schedule.h"

#define TIMER_STATUS_NEVER INT64_MIN

/* Milliseconds since 1970 UTC. */
struct timer_status {
    int64_t last_ms; /* TIMER_STATUS_NEVER: it never ran */
    int64_t next_ms;
    int64_t updated_ms;
};

/* False: there is no such status that can be read. */
bool timer_status_load(struct timer_status *out, const char *folder, const char *name);

/* Replaces the file at once. False: it cannot be written. */
bool timer_status_store(const struct timer_status *status, const char *folder, const char *name);

/*
 * The status to begin with at `now_ms`, from the one that was stored; NULL: none was. Returns true
 * if a run was missed. A Next that is not what the schedule makes of Last comes from another
 * schedule: it is reckoned anew, and nothing was missed.
 */
bool timer_status_begin(struct timer_status *out, const struct timer_status *stored,
                        const struct schedule *schedule, int64_t now_ms);

#endif
