/*
 * schedule.h - a timer's schedule: an NCRONTAB expression, or a TimeSpan between two runs.
 *
 * Rules        NCRONTAB is reckoned in local time, and five fields mean second 0. A TimeSpan counts
 *              from the run before. A schedule faster than a minute is not monitored: nothing of it
 *              is kept, and its runs are told no ScheduleStatus.
 *              Source: Azure/azure-webjobs-sdk-extensions, TimerSchedule, CronSchedule,
 *              ConstantSchedule.
 */
#ifndef DEVHOST_SCHEDULE_H
#define DEVHOST_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "devhost/ncrontab.h"

struct schedule {
    int64_t interval_ms; /* of a TimeSpan; 0: it is an expression */
    struct ncrontab cron;
    bool is_monitored;
};

/* STATUS_INVALID_ARGUMENT: it is neither; the message says why. `*out` is untouched then. */
enum status schedule_parse(const char *text, struct schedule *out, struct error *err) MUST_CHECK;

/*
 * The first time after `after_ms` (both in milliseconds since 1970 UTC); INT64_MAX if there is
 * none.
 */
int64_t schedule_next_ms(const struct schedule *schedule, int64_t after_ms);

#endif
