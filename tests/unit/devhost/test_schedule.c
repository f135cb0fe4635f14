/* schedule: expressions in local time, TimeSpans, and what is faster than a minute. */
#include "devhost/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utc.h"
#include "support/processes/check_main.h"

#define MINUTE INT64_C(60000)
#define DAY (1440 * MINUTE)

static void set_zone(const char *zone) {
    setenv("TZ", zone, 1);
    tzset();
}

static struct schedule parse(const char *text) {
    struct schedule schedule;
    struct error err = {.message = ""};
    ck_assert_msg(schedule_parse(text, &schedule, &err) == STATUS_OK, "%s: %s", text, err.message);
    return schedule;
}

static void assert_next(const char *text, const char *after, const char *expected) {
    struct schedule schedule = parse(text);
    int64_t after_ms = 0;
    char next[UTC_TEXT_BYTES];
    ck_assert(utc_parse_iso8601(after, &after_ms));
    utc_format_iso8601(schedule_next_ms(&schedule, after_ms), next);
    ck_assert_msg(strcmp(next, expected) == 0, "%s after %s: %s instead of %s", text, after, next,
                  expected);
}

START_TEST(timespans_are_read_as_dotnet_reads_them) {
    static const struct {
        const char *text;
        int64_t ms;
    } spans[] = {{"00:05:00", 5 * MINUTE}, {"1:30", 90 * MINUTE},
                 {"5", 5 * DAY},           {"1.02:03:04", DAY + 7384000},
                 {"00:00:10.5", 10500},    {"24:00:00", 24 * DAY},
                 {"23:59:59", DAY - 1000}, {"25:01:00", 25 * DAY + 60 * MINUTE}};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        struct schedule schedule = parse(spans[i].text);
        ck_assert_msg(schedule.interval_ms == spans[i].ms, "%s: %lld", spans[i].text,
                      (long long)schedule.interval_ms);
        ck_assert_int_eq(schedule_next_ms(&schedule, 42), 42 + spans[i].ms);
    }
}
END_TEST

START_TEST(anything_else_is_refused) {
    static const char *const texts[] = {
        "",        "x",          "00:00:00", "0",    "-00:05:00", "1:2:3:4:5", "00:60:00",
        "* * * *", "every hour", "::",       "1:60", ":5",        "5:",        "1..2"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct schedule schedule = {.interval_ms = 42};
        struct error err = {.message = ""};
        ck_assert_msg(schedule_parse(texts[i], &schedule, &err) == STATUS_INVALID_ARGUMENT,
                      "\"%s\" was taken", texts[i]);
        ck_assert_int_eq(schedule.interval_ms, 42);
        ck_assert(err.message[0] != '\0');
    }
}
END_TEST

START_TEST(what_is_faster_than_a_minute_is_not_monitored) {
    ck_assert(!parse("* * * * * *").is_monitored);
    ck_assert(!parse("*/30 * * * * *").is_monitored);
    ck_assert(!parse("1,2 * * * * *").is_monitored);
    ck_assert(!parse("*/10 */1 * 1-31 * 0-6").is_monitored); /* stars, written otherwise */
    ck_assert(parse("0 * * * * *").is_monitored);
    ck_assert(parse("* * * * *").is_monitored);
    ck_assert(parse("*/10 */5 * * * *").is_monitored);
    ck_assert(parse("* * 1 * * *").is_monitored);
    ck_assert(!parse("00:00:59.999").is_monitored);
    ck_assert(parse("00:01:00").is_monitored);
}
END_TEST

START_TEST(expressions_are_reckoned_in_local_time) {
    set_zone("UTC-2");
    assert_next("0 30 9 * * *", "2025-01-19T14:45:30Z", "2025-01-20T07:30:00Z");
    assert_next("30 9 * * *", "2025-01-20T07:29:59.999Z", "2025-01-20T07:30:00Z");
    set_zone("UTC");
    assert_next("0 30 9 * * *", "2025-01-19T14:45:30Z", "2025-01-20T09:30:00Z");
}
END_TEST

START_TEST(a_change_of_the_clock_neither_stops_nor_repeats_a_schedule) {
    set_zone("CET-1CEST,M3.5.0,M10.5.0/3"); /* 2025-03-30 and 2025-10-26, at 01:00 UTC */
    assert_next("0 0 12 * * *", "2025-03-29T11:00:00Z", "2025-03-30T10:00:00Z");
    assert_next("0 0 12 * * *", "2025-10-25T10:00:00Z", "2025-10-26T11:00:00Z");
    struct schedule schedule = parse("0 */30 * * * *");
    int64_t now_ms = 0;
    int64_t end_ms = 0;
    ck_assert(utc_parse_iso8601("2025-10-25T20:00:00Z", &now_ms) &&
              utc_parse_iso8601("2025-10-26T06:00:00Z", &end_ms));
    while (now_ms < end_ms) {
        int64_t next_ms = schedule_next_ms(&schedule, now_ms);
        ck_assert_int_gt(next_ms, now_ms);
        ck_assert_int_le(next_ms - now_ms, 90 * MINUTE);
        now_ms = next_ms;
    }
}
END_TEST

START_TEST(an_impossible_date_never_comes) {
    struct schedule schedule = parse("0 0 0 30 2 *");
    ck_assert_int_eq(schedule_next_ms(&schedule, 0), INT64_MAX);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("schedule");
    TCase *tcase = tcase_create("schedule");
    tcase_add_test(tcase, timespans_are_read_as_dotnet_reads_them);
    tcase_add_test(tcase, anything_else_is_refused);
    tcase_add_test(tcase, what_is_faster_than_a_minute_is_not_monitored);
    tcase_add_test(tcase, expressions_are_reckoned_in_local_time);
    tcase_add_test(tcase, a_change_of_the_clock_neither_stops_nor_repeats_a_schedule);
    tcase_add_test(tcase, an_impossible_date_never_comes);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
