#include "devhost/ncrontab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { FIELD_COUNT = 6, FIELD_TEXT_BYTES = 128, NUMBER_DIGITS = 9 };

#define MS_PER_SECOND INT64_C(1000)
#define SECONDS_PER_DAY INT64_C(86400)
#define DAYS_PER_CYCLE 146097 /* 400 years, after which the calendar repeats, weekdays included */

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const weekday_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                            "Thursday", "Friday", "Saturday"};

struct field_kind {
    const char *name;
    int min;
    int max;
    const char *const *value_names; /* of min, min + 1, ...; NULL: none */
};

static const struct field_kind field_kinds[FIELD_COUNT] = {
    {"second", 0, 59, NULL},       {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},         {"day of month", 1, 31, NULL},
    {"month", 1, 12, month_names}, {"day of week", 0, 6, weekday_names},
};

static bool parse_number(const char *text, int *out) {
    const char *digits = text + strspn(text, "0");
    size_t length = strlen(text);
    if (length == 0 || strlen(digits) > NUMBER_DIGITS || strspn(text, "0123456789") != length) {
        return false;
    }
    *out = (int)strtol(text, NULL, 10);
    return true;
}

/*
 * A step may have a sign, as .NET's int.Parse allows; one below 1 counts as 1
 * (CrontabField.Accumulate).
 */
static bool parse_step(const char *text, int *out) {
    bool signed_ = text[0] == '-' || text[0] == '+';
    if (!parse_number(text + signed_, out)) {
        return false;
    }
    if (text[0] == '-' || *out < 1) {
        *out = 1;
    }
    return true;
}

static bool parse_value(const struct field_kind *kind, const char *text, int *out) {
    if (parse_number(text, out)) {
        return *out >= kind->min && *out <= kind->max;
    }
    for (int i = 0; kind->value_names != NULL && *text != '\0' && i <= kind->max - kind->min; i++) {
        if (strncasecmp(kind->value_names[i], text, strlen(text)) == 0) {
            *out = kind->min + i;
            return true;
        }
    }
    return false;
}

/* "*", "a" or "a-b". */
static bool parse_range(const struct field_kind *kind, char *text, bool stepped, int *out_first,
                        int *out_last) {
    if (strcmp(text, "*") == 0) {
        *out_first = kind->min;
        *out_last = kind->max;
        return true;
    }
    char *dash = strchr(text, '-');
    if (dash != NULL) {
        *dash = '\0';
    }
    if (!parse_value(kind, text, out_first)) {
        return false;
    }
    *out_last = stepped ? kind->max : *out_first;
    return dash == NULL || parse_value(kind, dash + 1, out_last);
}

static bool parse_element(const struct field_kind *kind, char *text, uint64_t *bits) {
    int step = 1;
    char *slash = strchr(text, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (!parse_step(slash + 1, &step)) {
            return false;
        }
    }
    int first;
    int last;
    if (!parse_range(kind, text, slash != NULL, &first, &last)) {
        return false;
    }
    int low = first < last ? first : last;
    int high = first < last ? last : first;
    for (int value = low; value <= high; value += step) {
        *bits |= UINT64_C(1) << value;
    }
    return true;
}

static bool parse_field(const struct field_kind *kind, char *text, uint64_t *out) {
    *out = 0;
    for (char *element = text; element != NULL;) {
        char *comma = strchr(element, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        if (!parse_element(kind, element, out)) {
            return false;
        }
        element = comma != NULL ? comma + 1 : NULL;
    }
    return true;
}

static int count_fields(const char *expression) {
    int count = 0;
    for (const char *at = expression + strspn(expression, " "); *at != '\0';
         at += strspn(at, " ")) {
        at += strcspn(at, " ");
        count++;
    }
    return count;
}

enum status ncrontab_parse(const char *expression, struct ncrontab *out, struct error *err) {
    uint64_t fields[FIELD_COUNT] = {1}; /* of five fields none is the second, and it is 0 */
    const char *next = expression;
    for (int i = count_fields(expression) == FIELD_COUNT - 1; i < FIELD_COUNT; i++) {
        char text[FIELD_TEXT_BYTES];
        next += strspn(next, " ");
        size_t length = strcspn(next, " ");
        if (length == 0 || length >= sizeof text) {
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the schedule \"%s\" is not six fields (second minute hour day month "
                             "weekday) or five "
                             "(without the second)",
                             expression);
        }
        memcpy(text, next, length);
        text[length] = '\0';
        next += length;
        if (!parse_field(&field_kinds[i], text, &fields[i])) {
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the schedule \"%s\" has a bad %s: values, lists, ranges and steps of "
                             "%d to %d are allowed",
                             expression, field_kinds[i].name, field_kinds[i].min,
                             field_kinds[i].max);
        }
    }
    if (next[strspn(next, " ")] != '\0') {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the schedule \"%s\" has more than six fields", expression);
    }
    *out = (struct ncrontab){fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]};
    return STATUS_OK;
}

static bool has(uint64_t bits, int value) {
    return (bits >> value & 1) != 0;
}

static bool day_matches(const struct ncrontab *schedule, int64_t day) {
    time_t midnight = (time_t)(day * SECONDS_PER_DAY);
    struct tm date;
    return gmtime_r(&midnight, &date) != NULL && has(schedule->months, date.tm_mon + 1) &&
           has(schedule->days, date.tm_mday) && has(schedule->weekdays, date.tm_wday);
}

/* The first matching second of a day from second `from` on; -1 if there is none. */
static int first_second(const struct ncrontab *schedule, int from) {
    for (int hour = from / 3600; hour < 24; hour++) {
        if (!has(schedule->hours, hour)) {
            continue;
        }
        for (int minute = 0; minute < 60; minute++) {
            if (!has(schedule->minutes, minute)) {
                continue;
            }
            for (int second = 0; second < 60; second++) {
                int of_day = hour * 3600 + minute * 60 + second;
                if (has(schedule->seconds, second) && of_day >= from) {
                    return of_day;
                }
            }
        }
    }
    return -1;
}

int64_t ncrontab_next_ms(const struct ncrontab *schedule, int64_t after_ms) {
    int64_t start = after_ms / MS_PER_SECOND + 1;
    int64_t first_day = start / SECONDS_PER_DAY;
    for (int64_t day = first_day; day <= first_day + DAYS_PER_CYCLE; day++) {
        int second = !day_matches(schedule, day) ? -1
                     : day == first_day ? first_second(schedule, (int)(start % SECONDS_PER_DAY))
                                        : first_second(schedule, 0);
        if (second >= 0) {
            return (day * SECONDS_PER_DAY + second) * MS_PER_SECOND;
        }
    }
    return INT64_MAX;
}
