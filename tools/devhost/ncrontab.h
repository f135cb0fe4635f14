/*
 * ncrontab.h - timer schedules as the Functions host writes them: NCRONTAB expressions of six
 * fields, or of five, without the second.
 *
 *   {second} {minute} {hour} {day of month} {month} {day of week}        "0 *\/5 * * * *" (without
 *   the backslash)
 *
 * Each field is a list of values, ranges (a-b), steps (*\/n, a-b/n, a/n: from a on) or *. Months
 * and days of the week may be English names or any beginning of one, in any case. Where NCrontab
 * differs from Unix cron, this follows NCrontab (its CrontabFieldImpl, CrontabField.Accumulate and
 * CrontabSchedule): day of month AND day of week must match, Sunday is 0 and never 7, a range given
 * backwards is turned round, a step may have a sign, and one below 1 counts as 1.
 */
#ifndef DEVHOST_NCRONTAB_H
#define DEVHOST_NCRONTAB_H

#include <stdint.h>

#include "base/status.h"

/* Bit v of a field is set where value v matches. */
struct ncrontab {
    uint64_t seconds;
    uint64_t minutes;
    uint64_t hours;
    uint64_t days;
    uint64_t months;
    uint64_t weekdays;
};

/*
 * STATUS_INVALID_ARGUMENT: not such an expression; the message says which field and why. `*out` is
 * untouched then.
 */
enum status ncrontab_parse(const char *expression, struct ncrontab *out,
                           struct error *err) MUST_CHECK;

/*
 * The first time after `after_ms` (both in milliseconds since 1970 UTC) that matches; INT64_MAX if
 * none ever does.
 */
int64_t ncrontab_next_ms(const struct ncrontab *schedule, int64_t after_ms);

#endif
