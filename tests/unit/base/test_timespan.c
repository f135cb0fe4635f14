#include "base/timespan.h"

#include "support/processes/check_main.h"

enum { UNTOUCHED = -77 };

static const struct {
    const char *text;
    int64_t ms;
} readable[] = {
    {"00:00:00", 0},
    {"00:00:30", 30000},
    {"00:00:00.050", 50},
    {"00:00:00.05", 50},
    {"00:00:00.5", 500},
    {"00:00:00.1239999", 123},
    {"00:00:00.0009999", 0},
    {"0:0:1", 1000},
    {"1:2:3", 3723000},
    {"23:59:59.9999999", 86399999},
    {"1.00:00:00", 86400000},
    {"07.1:02:03.5", 7 * INT64_C(86400000) + 3723500},
    {"10675199.02:48:05.4775807", 922337203685477},
    {"00000001.00:00:00", 86400000},
};

START_TEST(timespans_are_read) {
    int64_t ms = UNTOUCHED;
    ck_assert_msg(timespan_parse(readable[_i].text, &ms), "%s", readable[_i].text);
    ck_assert_int_eq(ms, readable[_i].ms);
}
END_TEST

static const char *const unreadable[] = {
    "",
    "30",
    "1.5",
    "00:30",
    "24:00:00",
    "00:60:00",
    "00:00:60",
    "100:00:00",
    "000:00:00",
    "00:000:00",
    "00:00:000",
    "00:00:00.",
    "00:00:00.12345678",
    "00:00:00,5",
    "-00:00:01",
    "+00:00:01",
    " 00:00:01",
    "00:00:01 ",
    "00: 0:01",
    "00:-1:00",
    ".00:00:01",
    "1:00:00:00",
    "1.24:00:00",
    "1.2.00:00:00",
    "10675200.00:00:00",
    "99999999.00:00:00",
    "000000001.00:00:00",
    "00:00:0x",
    "::",
    "0::0",
    "Infinite",
};

START_TEST(what_is_no_timespan_is_refused) {
    int64_t ms = UNTOUCHED;
    ck_assert_msg(!timespan_parse(unreadable[_i], &ms), "%s", unreadable[_i]);
    ck_assert_int_eq(ms, UNTOUCHED);
}
END_TEST

static const struct {
    int64_t ms;
    const char *text;
} written[] = {
    {0, "00:00:00.0000000"},
    {123, "00:00:00.1230000"},
    {59999, "00:00:59.9990000"},
    {3723004, "01:02:03.0040000"},
    {86399999, "23:59:59.9990000"},
    {86400000, "1.00:00:00.0000000"},
    {12 * INT64_C(86400000) + 1, "12.00:00:00.0010000"},
    {INT64_MAX, "106751991167.07:12:55.8070000"},
};

START_TEST(timespans_are_written) {
    char text[TIMESPAN_TEXT_BYTES];
    timespan_format(written[_i].ms, text);
    ck_assert_str_eq(text, written[_i].text);
}
END_TEST

START_TEST(what_is_written_reads_back) {
    for (int64_t ms = 0; ms < 400 * INT64_C(86400000); ms = ms * 3 / 2 + 1) {
        char text[TIMESPAN_TEXT_BYTES];
        int64_t parsed = UNTOUCHED;
        timespan_format(ms, text);
        ck_assert(timespan_parse(text, &parsed));
        ck_assert_int_eq(parsed, ms);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("timespan");
    TCase *tcase = tcase_create("timespan");
    tcase_add_loop_test(tcase, timespans_are_read, 0, sizeof readable / sizeof readable[0]);
    tcase_add_loop_test(tcase, what_is_no_timespan_is_refused, 0,
                        sizeof unreadable / sizeof unreadable[0]);
    tcase_add_loop_test(tcase, timespans_are_written, 0, sizeof written / sizeof written[0]);
    tcase_add_test(tcase, what_is_written_reads_back);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
