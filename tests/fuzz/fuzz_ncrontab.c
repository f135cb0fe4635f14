/*
 * Timer schedules. An accepted one is the same when it is written out as lists of ranges. The next
 * time matches it, and no time before that does.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "devhost/ncrontab.h"
#include "fuzz/input.h"

#define DAY_MS INT64_C(86400000)
#define AFTER_MS INT64_C(1737297930123) /* 2025-01-19T14:45:30.123Z */

enum { FIELD_TEXT = 128, LOOK_BACK_S = 100 };

static bool has(uint64_t bits, int value) {
    return (bits >> value & 1) != 0;
}

/* Writes "3-5,9-9". Returns false if that is longer than a field may be. */
static bool append_field(char *out, uint64_t bits, int least, int most) {
    char field[64 * 8] = "";
    size_t length = 0;
    for (int first = least; first <= most; first++) {
        int last = first;
        while (has(bits, first) && last < most && has(bits, last + 1)) {
            last++;
        }
        if (has(bits, first)) {
            length += (size_t)snprintf(field + length, sizeof field - length, "%s%d-%d",
                                       length > 0 ? "," : "", first, last);
            first = last;
        }
    }
    if (length >= FIELD_TEXT) {
        return false;
    }
    strcat(out, field);
    strcat(out, " ");
    return true;
}

static void check_round_trip(const struct ncrontab *schedule) {
    char text[6 * (FIELD_TEXT + 1) + 1] = "";
    if (append_field(text, schedule->seconds, 0, 59) &&
        append_field(text, schedule->minutes, 0, 59) &&
        append_field(text, schedule->hours, 0, 23) && append_field(text, schedule->days, 1, 31) &&
        append_field(text, schedule->months, 1, 12) &&
        append_field(text, schedule->weekdays, 0, 6)) {
        struct ncrontab again;
        REQUIRE(ncrontab_parse(text, &again, NULL) == STATUS_OK);
        REQUIRE(memcmp(schedule, &again, sizeof again) == 0);
    }
}

static bool matches(const struct ncrontab *schedule, int64_t time_ms) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    REQUIRE(gmtime_r(&seconds, &tm) != NULL);
    return has(schedule->seconds, tm.tm_sec) && has(schedule->minutes, tm.tm_min) &&
           has(schedule->hours, tm.tm_hour) && has(schedule->days, tm.tm_mday) &&
           has(schedule->months, tm.tm_mon + 1) && has(schedule->weekdays, tm.tm_wday);
}

static void check_next(const struct ncrontab *schedule) {
    int64_t next_ms = ncrontab_next_ms(schedule, AFTER_MS);
    int64_t seen_ms = AFTER_MS - AFTER_MS % 1000;
    /* The seconds after AFTER_MS. */
    for (int i = 0; i < LOOK_BACK_S; i++) {
        seen_ms += 1000;
        REQUIRE(next_ms <= seen_ms || !matches(schedule, seen_ms));
    }
    if (next_ms == INT64_MAX) {
        return;
    }
    REQUIRE(next_ms > AFTER_MS && next_ms % 1000 == 0 && matches(schedule, next_ms));
    /* The seconds before the next time. */
    for (int i = 1; i < LOOK_BACK_S && next_ms - i * 1000 > AFTER_MS; i++) {
        REQUIRE(!matches(schedule, next_ms - i * 1000));
    }
    REQUIRE(next_ms - DAY_MS <= AFTER_MS || !matches(schedule, next_ms - DAY_MS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    char *text = input_take_text(&input);
    static const struct ncrontab before = {1, 2, 3, 4, 5, 6};
    struct ncrontab schedule = before;
    struct error err = {0};
    if (ncrontab_parse(text, &schedule, &err) == STATUS_OK) {
        REQUIRE(schedule.seconds != 0 && schedule.seconds >> 60 == 0 && schedule.minutes != 0);
        REQUIRE(schedule.minutes >> 60 == 0 && schedule.hours != 0 && schedule.hours >> 24 == 0);
        REQUIRE(schedule.days != 0 && (schedule.days & 1) == 0 && schedule.days >> 32 == 0 &&
                schedule.months != 0);
        REQUIRE((schedule.months & 1) == 0 && schedule.months >> 13 == 0);
        REQUIRE(schedule.weekdays != 0 && schedule.weekdays >> 7 == 0);
        check_round_trip(&schedule);
        check_next(&schedule);
    } else {
        REQUIRE(err.status == STATUS_INVALID_ARGUMENT &&
                memcmp(&schedule, &before, sizeof before) == 0);
    }
    free(text);
    return 0;
}
