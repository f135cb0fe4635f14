#include "identity/token_date.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/processes/check_main.h"

#define MOMENT_S 1737298800 /* 2025-01-19T15:00:00Z */

static void use_zone(const char *zone) {
    setenv("TZ", zone, 1);
    tzset();
}

static const struct {
    const char *text;
    int64_t seconds;
} dates[] = {
    {"1737298800", MOMENT_S},
    {"0", 0},
    {"2025-01-19T15:00:00Z", MOMENT_S},
    {"2025-01-19T15:00:00z", MOMENT_S},
    {"2025-01-19T15:00:00.1234567Z", MOMENT_S},
    {"2025-01-19T15:00:00.123456789+00:00", MOMENT_S},
    {"2025-01-19T16:30:00+01:30", MOMENT_S},
    {"2025-01-19T07:00:00-08:00", MOMENT_S},
    {"2025-01-19T07:00:00-0800", MOMENT_S},
    {"2025-01-20T05:00:00+14:00", MOMENT_S},
    {"2025-01-19 15:00:00", MOMENT_S},
    {"2025-01-19 15:00:00.000000", MOMENT_S},
    {"2025-01-19 15:00:00 UTC", MOMENT_S},
    {"2025-01-19T15:00", MOMENT_S},
    {"01/19/2025 15:00:00 +00:00", MOMENT_S},
    {"1/19/2025 15:00:00", MOMENT_S},
    {"1/19/2025 3:00:00 PM +00:00", MOMENT_S},
    {"1/19/2025 3:00:00 pm", MOMENT_S},
    {"01/19/2025 03:00:00PM +00:00", MOMENT_S},
    {"1/19/2025 10:00:00 AM -05:00", MOMENT_S},
    {"1/19/2025 15:00:00 PM +00:00", MOMENT_S}, /* as older endpoints have it */
    {"1/20/2025 12:00:00 AM +00:00", MOMENT_S + 9 * 3600},
    {"1/19/2025 12:00:00 PM +00:00", MOMENT_S - 3 * 3600},
    {"Sun, 19 Jan 2025 15:00:00 GMT", MOMENT_S},
    {"2024-02-29T00:00:00Z", 1709164800},
};

START_TEST(a_date_is_read_in_every_form) {
    int64_t seconds = -1;
    use_zone("EET-2");
    ck_assert_msg(token_date_read(dates[_i].text, false, &seconds), "%s", dates[_i].text);
    ck_assert_msg(seconds == dates[_i].seconds, "%s: %lld", dates[_i].text, (long long)seconds);
}
END_TEST

START_TEST(only_without_an_offset_is_a_local_date_local) {
    int64_t seconds;
    use_zone("EET-2EEST,M3.5.0/3,M10.5.0/4");
    ck_assert(token_date_read("2025-01-19 17:00:00.123456", true, &seconds));
    ck_assert_int_eq(seconds, MOMENT_S);
    ck_assert(
        token_date_read("2025-07-19 03:00:00", true, &seconds)); /* summer: three hours east */
    ck_assert_int_eq(seconds, 1752883200);
    ck_assert(token_date_read("2025-01-19T15:00:00Z", true, &seconds));
    ck_assert_int_eq(seconds, MOMENT_S);
    ck_assert(token_date_read("1/19/2025 3:00:00 PM +00:00", true, &seconds));
    ck_assert_int_eq(seconds, MOMENT_S);
    ck_assert(token_date_read("1737298800", true, &seconds));
    ck_assert_int_eq(seconds, MOMENT_S);
}
END_TEST

static const char *const others[] = {
    "",
    "soon",
    "-1",
    "1737298800.5",
    "1737298800 ",
    "1234567890123456789",
    "2025-01-19",
    "2025-01-19T",
    "2025-13-19T15:00:00Z",
    "2025-00-19T15:00:00Z",
    "2025-01-32T15:00:00Z",
    "2025-01-19T24:00:00Z",
    "2025-01-19T15:60:00Z",
    "2025-01-19T15:00:00ZZ",
    "2025-01-19T15:00:00+15:00",
    "2025-01-19T15:00:00 CET",
    "1969-12-31T23:59:59Z",
    "19/01/2025 15:00:00 +00:00",
    "1/19/25 15:00:00",
    "1/19/2025",
    "Mon, 19 Jan 2025 15:00:00 GMT",
};

START_TEST(what_is_no_date_is_told_apart) {
    int64_t seconds = 7;
    ck_assert_msg(!token_date_read(others[_i], false, &seconds), "%s: %lld", others[_i],
                  (long long)seconds);
    ck_assert_int_eq(seconds, 7);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void) {
    Suite *suite = suite_create("token_date");
    TCase *tcase = tcase_create("token_date");
    tcase_add_loop_test(tcase, a_date_is_read_in_every_form, 0, COUNT(dates));
    tcase_add_test(tcase, only_without_an_offset_is_a_local_date_local);
    tcase_add_loop_test(tcase, what_is_no_date_is_told_apart, 0, COUNT(others));
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
