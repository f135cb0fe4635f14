#include "devhost/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/timespan.h"

enum { TEXT_BYTES = 64, MAX_DAYS = 10675199 };

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)
#define ALL_MINUTES ((UINT64_C(1) << 60) - 1)
#define ALL_HOURS ((UINT64_C(1) << 24) - 1)
#define ALL_DAYS (UINT64_C(0xffffffff) - 1)
#define ALL_MONTHS UINT64_C(0x1ffe)
#define ALL_WEEKDAYS UINT64_C(0x7f)

/*
 * What TimeSpan.TryParse reads beside the constant format: "5" is five days, "1:30" has no seconds,
 * and where the first of three numbers is over 23, it counts days.
 */
static bool parse_timespan(const char *text, int64_t *out_ms) {
    char padded[TEXT_BYTES];
    char *end;
    if (strlen(text) >= sizeof padded - 4 || strspn(text, "0123456789.:") != strlen(text)) {
        return false;
    }
    long first = strtol(text, &end, 10);
    if (*end == '\0' && end != text && first <= MAX_DAYS) {
        *out_ms = first * DAY_MS;
        return true;
    }
    const char *colon = strchr(text, ':');
    bool two_parts = colon != NULL && strchr(colon + 1, ':') == NULL;
    if (!two_parts && *end == ':' && first > 23) {
        snprintf(padded, sizeof padded, "%ld.%s:00", first, end + 1);
    } else {
        snprintf(padded, sizeof padded, "%s%s", text, two_parts ? ":00" : "");
    }
    return timespan_parse(padded, out_ms);
}

/*
 * Faster than a minute is what has more than one second in a minute, and nothing but stars
 * elsewhere.
 */
static bool is_monitored(const struct ncrontab *cron) {
    bool every_minute = cron->minutes == ALL_MINUTES && cron->hours == ALL_HOURS &&
                        cron->days == ALL_DAYS && cron->months == ALL_MONTHS &&
                        cron->weekdays == ALL_WEEKDAYS;
    bool one_second = (cron->seconds & (cron->seconds - 1)) == 0;
    return !every_minute || one_second;
}

enum status schedule_parse(const char *text, struct schedule *out, struct error *err) {
    struct schedule schedule = {0};
    if (parse_timespan(text, &schedule.interval_ms)) {
        if (schedule.interval_ms <= 0) {
            return error_set(err, STATUS_INVALID_ARGUMENT, "the schedule \"%s\" is no time at all",
                             text);
        }
        schedule.is_monitored = schedule.interval_ms >= MINUTE_MS;
        *out = schedule;
        return STATUS_OK;
    }
    enum status status = ncrontab_parse(text, &schedule.cron, err);
    if (status == STATUS_OK) {
        schedule.is_monitored = is_monitored(&schedule.cron);
        *out = schedule;
    }
    return status;
}

/* Local time as if it were UTC, in which expressions are reckoned. */
static int64_t to_local_ms(int64_t time_ms) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm local;
    return localtime_r(&seconds, &local) != NULL ? time_ms + local.tm_gmtoff * INT64_C(1000)
                                                 : time_ms;
}

static int64_t from_local_ms(int64_t local_ms) {
    time_t seconds = (time_t)(local_ms / 1000);
    struct tm local;
    if (gmtime_r(&seconds, &local) == NULL) {
        return local_ms;
    }
    local.tm_isdst = -1;
    return (int64_t)mktime(&local) * 1000;
}

int64_t schedule_next_ms(const struct schedule *schedule, int64_t after_ms) {
    if (schedule->interval_ms > 0) {
        return after_ms + schedule->interval_ms;
    }
    int64_t local_ms = to_local_ms(after_ms);
    int64_t next_ms = INT64_MAX;
    do { /* an hour that the clock has twice may lead back */
        local_ms = ncrontab_next_ms(&schedule->cron, local_ms);
        next_ms = local_ms == INT64_MAX ? INT64_MAX : from_local_ms(local_ms);
    } while (next_ms <= after_ms);
    return next_ms;
}
