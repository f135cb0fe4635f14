/* ncrontab: what may be written, and when it is due next. */
#include "devhost/ncrontab.h"

#include <stdio.h>
#include <string.h>

#include "base/utc.h"
#include "support/processes/check_main.h"

static struct ncrontab parse(const char *expression) {
    struct ncrontab schedule;
    struct error err = {.message = ""};
    ck_assert_msg(ncrontab_parse(expression, &schedule, &err) == STATUS_OK, "%s", err.message);
    return schedule;
}

static int64_t at(const char *time) {
    int64_t ms;
    ck_assert_msg(utc_parse_iso8601(time, &ms), "%s", time);
    return ms;
}

static void assert_next(const char *expression, const char *after, const char *expected) {
    struct ncrontab schedule = parse(expression);
    char found[UTC_TEXT_BYTES] = "never";
    int64_t next_ms = ncrontab_next_ms(&schedule, at(after));
    if (next_ms != INT64_MAX) {
        utc_format_iso8601(next_ms, found);
        ck_assert_int_eq(next_ms % 1000, 0);
    }
    ck_assert_msg(strcmp(found, expected) == 0, "%s after %s: %s instead of %s", expression, after,
                  found, expected);
}

static void assert_refused(const char *expression) {
    struct ncrontab schedule = {.seconds = 42};
    struct error err = {.message = ""};
    ck_assert_msg(ncrontab_parse(expression, &schedule, &err) == STATUS_INVALID_ARGUMENT,
                  "\"%s\" was taken", expression);
    ck_assert_uint_eq(schedule.seconds, 42);
    ck_assert(err.message[0] != '\0');
}

START_TEST(stars_match_every_value) {
    struct ncrontab schedule = parse("* * * * * *");
    ck_assert_uint_eq(schedule.seconds, (UINT64_C(1) << 60) - 1);
    ck_assert_uint_eq(schedule.minutes, (UINT64_C(1) << 60) - 1);
    ck_assert_uint_eq(schedule.hours, (UINT64_C(1) << 24) - 1);
    ck_assert_uint_eq(schedule.days, (UINT64_C(1) << 32) - 2);
    ck_assert_uint_eq(schedule.months, (UINT64_C(1) << 13) - 2);
    ck_assert_uint_eq(schedule.weekdays, (UINT64_C(1) << 7) - 1);
}
END_TEST

START_TEST(values_lists_ranges_and_steps_are_understood) {
    struct ncrontab schedule = parse("7 1,3,5 9-12 */10 2-10/4 1");
    ck_assert_uint_eq(schedule.seconds, UINT64_C(1) << 7);
    ck_assert_uint_eq(schedule.minutes, 1 << 1 | 1 << 3 | 1 << 5);
    ck_assert_uint_eq(schedule.hours, 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12);
    ck_assert_uint_eq(schedule.days, 1U << 1 | 1U << 11 | 1U << 21 | 1U << 31);
    ck_assert_uint_eq(schedule.months, 1 << 2 | 1 << 6 | 1 << 10);
    ck_assert_uint_eq(schedule.weekdays, 1 << 1);
    ck_assert_uint_eq(parse("0 50/5 1-2,22-23/1 * * *").minutes, UINT64_C(1) << 50 | UINT64_C(1)
                                                                                         << 55);
    ck_assert_uint_eq(parse("0 0 1-2,22-23 * * *").hours, 1 << 1 | 1 << 2 | 1 << 22 | 1 << 23);
}
END_TEST

START_TEST(months_and_weekdays_have_names_in_any_case_and_length) {
    struct ncrontab schedule = parse("0 0 0 * jan,DEC,Septem mon-Friday");
    ck_assert_uint_eq(schedule.months, 1 << 1 | 1 << 12 | 1 << 9);
    ck_assert_uint_eq(schedule.weekdays, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5);
    ck_assert_uint_eq(parse("0 0 0 * * SUN").weekdays, 1);
    ck_assert_uint_eq(parse("0 0 0 * * sat").weekdays, 1 << 6);
}
END_TEST

START_TEST(backward_ranges_are_turned_round_and_a_step_of_zero_is_one) {
    ck_assert_uint_eq(parse("0 0 12-9 * * *").hours, parse("0 0 9-12 * * *").hours);
    ck_assert_uint_eq(parse("0 0 0 * * FRI-MON").weekdays, parse("0 0 0 * * 1-5").weekdays);
    ck_assert_uint_eq(parse("0 */0 * * * *").minutes, parse("0 * * * * *").minutes);
}
END_TEST

START_TEST(a_step_may_have_a_sign_and_any_size) {
    ck_assert_uint_eq(parse("0 */-1 * * * *").minutes, parse("0 * * * * *").minutes);
    ck_assert_uint_eq(parse("0 10-12/-5 * * * *").minutes, parse("0 10-12 * * * *").minutes);
    ck_assert_uint_eq(parse("0 */+5 * * * *").minutes, parse("0 */5 * * * *").minutes);
    ck_assert_uint_eq(parse("0 */100000 * * * *").minutes, 1);
    ck_assert_uint_eq(parse("00000000001 * * * * *").seconds, 2);
}
END_TEST

START_TEST(of_five_fields_the_second_is_zero) {
    struct ncrontab five = parse("*/5 1 * JAN 1");
    struct ncrontab six = parse("0 */5 1 * JAN 1");
    ck_assert_mem_eq(&five, &six, sizeof five);
    assert_next(" * *  * * * ", "2025-01-19T14:45:00Z", "2025-01-19T14:46:00Z");
}
END_TEST

START_TEST(anything_else_is_refused) {
    static const char *const expressions[] = {
        "",
        "* * * *",
        "* * * * * * *",
        "*/-x * * * * *",
        "*/- * * * * *",
        "*/--1 * * * * *",
        "+1 * * * * *",
        "60 * * * * *",
        "* 60 * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * 32 * *",
        "* * * * 0 *",
        "* * * * 13 *",
        "* * * * * 7",
        "* * * * * -1",
        "-1 * * * * *",
        "1- * * * * *",
        "1,,2 * * * * *",
        ",1 * * * * *",
        "1, * * * * *",
        "*/ * * * * *",
        "*/x * * * * *",
        "/5 * * * * *",
        "*-5 * * * * *",
        "1-2-3 * * * * *",
        "1/2/3 * * * * *",
        "MON * * * * *",
        "* * * * FOO *",
        "* * * * JANX *",
        "* * * * * MONDAYS",
        "1.5 * * * * *",
        "*/9999999999 * * * * *",
        "5\t* * * * * *",
        "@daily",
    };
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        assert_refused(expressions[i]);
    }
}
END_TEST

START_TEST(a_refusal_names_the_field) {
    struct ncrontab schedule;
    struct error err;
    ck_assert_int_eq(ncrontab_parse("0 0 25 * * *", &schedule, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(err.message, "hour") != NULL && strstr(err.message, "0 to 23") != NULL,
                  "%s", err.message);
}
END_TEST

START_TEST(spaces_may_be_many) {
    ck_assert_uint_eq(parse("  0   */5 * *  * * ").minutes, parse("0 */5 * * * *").minutes);
}
END_TEST

START_TEST(the_next_time_is_always_later) {
    assert_next("0 */5 * * * *", "2025-01-19T14:45:00Z", "2025-01-19T14:50:00Z");
    assert_next("0 */5 * * * *", "2025-01-19T14:44:59.999Z", "2025-01-19T14:45:00Z");
    assert_next("0 */5 * * * *", "2025-01-19T14:45:00.001Z", "2025-01-19T14:50:00Z");
    assert_next("* * * * * *", "2025-01-19T14:45:00.999Z", "2025-01-19T14:45:01Z");
    assert_next("30 * * * * *", "2025-01-19T14:45:30Z", "2025-01-19T14:46:30Z");
}
END_TEST

START_TEST(fields_carry_over_into_the_next_minute_hour_day_month_and_year) {
    assert_next("15,45 10 * * * *", "2025-01-19T14:10:45Z", "2025-01-19T15:10:15Z");
    assert_next("0 30 9 * * *", "2025-01-19T09:30:00Z", "2025-01-20T09:30:00Z");
    assert_next("59 59 23 * * *", "2025-01-19T23:59:59Z", "2025-01-20T23:59:59Z");
    assert_next("0 0 0 1 * *", "2025-01-31T23:59:59Z", "2025-02-01T00:00:00Z");
    assert_next("0 0 0 1 1 *", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    assert_next("0 0 12 * 6 *", "2025-06-30T12:00:00Z", "2026-06-01T12:00:00Z");
}
END_TEST

START_TEST(day_of_month_and_weekday_must_both_match) {
    assert_next("0 0 0 13 * FRI", "2025-01-01T00:00:00Z", "2025-06-13T00:00:00Z");
    assert_next("0 0 0 * * MON", "2025-01-19T00:00:00Z", "2025-01-20T00:00:00Z");
    assert_next("0 0 0 * * SUN", "2025-01-13T00:00:00Z", "2025-01-19T00:00:00Z");
    assert_next("0 0 9 * * 1-5", "2025-01-17T09:00:00Z", "2025-01-20T09:00:00Z");
}
END_TEST

START_TEST(short_months_and_leap_years_are_right) {
    assert_next("0 0 0 31 * *", "2025-01-31T00:00:00Z", "2025-03-31T00:00:00Z");
    assert_next("0 0 0 30 * *", "2025-01-30T00:00:00Z", "2025-03-30T00:00:00Z");
    assert_next("0 0 0 29 2 *", "2025-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
    assert_next("0 0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"); /* 2100 is none */
    assert_next("0 0 0 29 2 *", "1999-12-31T23:59:59Z", "2000-02-29T00:00:00Z"); /* 2000 was one */
    assert_next("0 0 0 29 2 SUN", "2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z");
}
END_TEST

START_TEST(impossible_dates_never_come) {
    assert_next("0 0 0 30 2 *", "2025-01-01T00:00:00Z", "never");
    assert_next("0 0 0 31 4,6,9,11 *", "2025-01-01T00:00:00Z", "never");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ncrontab");
    TCase *tcase = tcase_create("ncrontab");
    tcase_add_test(tcase, stars_match_every_value);
    tcase_add_test(tcase, values_lists_ranges_and_steps_are_understood);
    tcase_add_test(tcase, months_and_weekdays_have_names_in_any_case_and_length);
    tcase_add_test(tcase, backward_ranges_are_turned_round_and_a_step_of_zero_is_one);
    tcase_add_test(tcase, a_step_may_have_a_sign_and_any_size);
    tcase_add_test(tcase, of_five_fields_the_second_is_zero);
    tcase_add_test(tcase, anything_else_is_refused);
    tcase_add_test(tcase, a_refusal_names_the_field);
    tcase_add_test(tcase, spaces_may_be_many);
    tcase_add_test(tcase, the_next_time_is_always_later);
    tcase_add_test(tcase, fields_carry_over_into_the_next_minute_hour_day_month_and_year);
    tcase_add_test(tcase, day_of_month_and_weekday_must_both_match);
    tcase_add_test(tcase, short_months_and_leap_years_are_right);
    tcase_add_test(tcase, impossible_dates_never_come);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
