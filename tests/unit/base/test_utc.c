#include "base/utc.h"

#include "support/processes/check_main.h"

enum { UNTOUCHED = -77 };

static const struct {
    int64_t ms;
    const char *iso8601_ms;
    const char *iso8601;
    const char *http;
} times[] = {
    {0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {1, "1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {951782399999, "2000-02-28T23:59:59.999Z", "2000-02-28T23:59:59Z",
     "Mon, 28 Feb 2000 23:59:59 GMT"},
    {951782400000, "2000-02-29T00:00:00.000Z", "2000-02-29T00:00:00Z",
     "Tue, 29 Feb 2000 00:00:00 GMT"},
    {1737297930123, "2025-01-19T14:45:30.123Z", "2025-01-19T14:45:30Z",
     "Sun, 19 Jan 2025 14:45:30 GMT"},
    {4107542400000, "2100-03-01T00:00:00.000Z", "2100-03-01T00:00:00Z",
     "Mon, 01 Mar 2100 00:00:00 GMT"},
    {253402300799999, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59Z",
     "Fri, 31 Dec 9999 23:59:59 GMT"},
};

START_TEST(times_are_written_and_read_back) {
    char text[UTC_TEXT_BYTES];
    int64_t ms = times[_i].ms, parsed = UNTOUCHED;
    utc_format_iso8601_ms(ms, text);
    ck_assert_str_eq(text, times[_i].iso8601_ms);
    ck_assert(utc_parse_iso8601(text, &parsed));
    ck_assert_int_eq(parsed, ms);
    utc_format_iso8601(ms, text);
    ck_assert_str_eq(text, times[_i].iso8601);
    ck_assert(utc_parse_iso8601(text, &parsed));
    ck_assert_int_eq(parsed, ms / 1000 * 1000);
    utc_format_http(ms, text);
    ck_assert_str_eq(text, times[_i].http);
    ck_assert(utc_parse_http(text, &parsed));
    ck_assert_int_eq(parsed, ms / 1000 * 1000);
}
END_TEST

START_TEST(times_outside_the_calendar_are_written_as_its_ends) {
    char text[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(INT64_MIN, text);
    ck_assert_str_eq(text, "1970-01-01T00:00:00.000Z");
    utc_format_iso8601_ms(INT64_MAX, text);
    ck_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
    utc_format_http(INT64_MAX, text);
    ck_assert_str_eq(text, "Fri, 31 Dec 9999 23:59:59 GMT");
}
END_TEST

static const struct {
    const char *text;
    int64_t ms;
} fractions[] = {
    {"2025-01-19T14:45:30.1Z", 1737297930100},
    {"2025-01-19T14:45:30.02Z", 1737297930020},
    {"2025-01-19T14:45:30.123Z", 1737297930123},
    {"2025-01-19T14:45:30.1239Z", 1737297930123},
    {"2025-01-19T14:45:30.9999999Z", 1737297930999},
    {"2025-01-19T14:45:30.0000000Z", 1737297930000},
};

START_TEST(a_fraction_is_cut_to_milliseconds) {
    int64_t ms = UNTOUCHED;
    ck_assert(utc_parse_iso8601(fractions[_i].text, &ms));
    ck_assert_int_eq(ms, fractions[_i].ms);
}
END_TEST

static const char *const not_iso8601[] = {
    "",
    "2025-01-19",
    "2025-01-19T14:45:30",
    "2025-01-19T14:45:30z",
    "2025-01-19t14:45:30Z",
    "2025-01-19 14:45:30Z",
    "2025-01-19T14:45:30+00:00",
    "2025-01-19T14:45:30Z ",
    " 2025-01-19T14:45:30Z",
    "2025-01-19T14:45:30.Z",
    "2025-01-19T14:45:30,5Z",
    "2025-01-19T14:45:30.12345678Z",
    "2025-01-19T14:45Z",
    "2025-1-19T14:45:30Z",
    "+025-01-19T14:45:30Z",
    "2025-+1-19T14:45:30Z",
    "2025-01- 9T14:45:30Z",
    "12025-01-19T14:45:30Z",
    "2025-02-29T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2025-04-31T00:00:00Z",
    "2025-00-10T00:00:00Z",
    "2025-13-10T00:00:00Z",
    "2025-01-00T00:00:00Z",
    "2025-01-32T00:00:00Z",
    "2025-01-19T24:00:00Z",
    "2025-01-19T23:60:00Z",
    "2025-01-19T23:59:60Z",
    "1969-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
};

START_TEST(what_is_not_iso8601_is_refused) {
    int64_t ms = UNTOUCHED;
    ck_assert_msg(!utc_parse_iso8601(not_iso8601[_i], &ms), "%s", not_iso8601[_i]);
    ck_assert_int_eq(ms, UNTOUCHED);
}
END_TEST

static const char *const not_http[] = {
    "",
    "Sun, 19 Jan 2025 14:45:30",
    "Sun, 19 Jan 2025 14:45:30 UTC",
    "Sun, 19 Jan 2025 14:45:30 GMT ",
    " Sun, 19 Jan 2025 14:45:30 GMT",
    "sun, 19 jan 2025 14:45:30 GMT",
    "Mon, 19 Jan 2025 14:45:30 GMT", /* it was a Sunday */
    "Sun, 9 Feb 2025 14:45:30 GMT",
    "Sun, 30 Feb 2025 14:45:30 GMT",
    "Sun, 02 Mar 25 14:45:30 GMT",
    "Sunday, 19-Jan-25 14:45:30 GMT",
    "Sun Jan 19 14:45:30 2025",
    "Sun, 19 Jan 2025 24:45:30 GMT",
    "Sun, 19 Jan 2025 14:60:30 GMT",
    "Sun, 19 Jan 2025 14:45:60 GMT",
    "Wed, 31 Dec 1969 23:59:59 GMT",
};

START_TEST(what_is_not_an_http_date_is_refused) {
    int64_t ms = UNTOUCHED;
    ck_assert_msg(!utc_parse_http(not_http[_i], &ms), "%s", not_http[_i]);
    ck_assert_int_eq(ms, UNTOUCHED);
}
END_TEST

START_TEST(the_machines_time_zone_does_not_matter) {
    char text[UTC_TEXT_BYTES];
    int64_t ms = UNTOUCHED;
    setenv("TZ", "UTC-5:30", 1);
    utc_format_http(1737297930000, text);
    ck_assert_str_eq(text, "Sun, 19 Jan 2025 14:45:30 GMT");
    ck_assert(utc_parse_http(text, &ms));
    ck_assert_int_eq(ms, 1737297930000);
}
END_TEST

START_TEST(every_day_of_four_centuries_comes_back) {
    char text[UTC_TEXT_BYTES];
    for (int64_t ms = 86399000; ms < INT64_C(86400000) * 146097; ms += 86400000) {
        int64_t parsed = UNTOUCHED;
        utc_format_http(ms, text);
        bool right = utc_parse_http(text, &parsed) && parsed == ms;
        parsed = UNTOUCHED;
        utc_format_iso8601(ms, text);
        if (!right || !utc_parse_iso8601(text, &parsed) || parsed != ms) {
            ck_abort_msg("%s", text);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("utc");
    TCase *tcase = tcase_create("utc");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, times_are_written_and_read_back, 0, sizeof times / sizeof times[0]);
    tcase_add_test(tcase, times_outside_the_calendar_are_written_as_its_ends);
    tcase_add_loop_test(tcase, a_fraction_is_cut_to_milliseconds, 0,
                        sizeof fractions / sizeof fractions[0]);
    tcase_add_loop_test(tcase, what_is_not_iso8601_is_refused, 0,
                        sizeof not_iso8601 / sizeof not_iso8601[0]);
    tcase_add_loop_test(tcase, what_is_not_an_http_date_is_refused, 0,
                        sizeof not_http / sizeof not_http[0]);
    tcase_add_test(tcase, the_machines_time_zone_does_not_matter);
    tcase_add_test(tcase, every_day_of_four_centuries_comes_back);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
