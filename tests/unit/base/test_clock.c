#include "base/clock.h"

#include <inttypes.h>
#include <time.h>

#include "support/processes/check_main.h"

static int64_t read_ms(clockid_t id) {
    struct timespec time;
    ck_assert_int_eq(clock_gettime(id, &time), 0);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

START_TEST(now_is_the_clock_that_counts_suspended_time) {
    int64_t before = read_ms(CLOCK_BOOTTIME);
    int64_t now = clock_now_ms(clock_system());
    int64_t after = read_ms(CLOCK_BOOTTIME);
    ck_assert_int_ge(now, before);
    ck_assert_int_le(now, after);
    ck_assert_int_gt(now, 0);
}
END_TEST

START_TEST(wall_is_the_time_since_1970) {
    int64_t before = read_ms(CLOCK_REALTIME);
    int64_t wall = clock_wall_ms(clock_system());
    int64_t after = read_ms(CLOCK_REALTIME);
    ck_assert_int_ge(wall, before);
    ck_assert_int_le(wall, after);
    ck_assert_int_gt(
        wall,
        INT64_C(1577836800000)); /* in 2020; it would be far higher than any number of seconds */
}
END_TEST

START_TEST(now_never_goes_back) {
    int64_t last = 0;
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_now_ms(clock_system());
        if (now < last) {
            ck_abort_msg("%" PRId64 " after %" PRId64, now, last);
        }
        last = now;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");
    tcase_add_test(tcase, now_is_the_clock_that_counts_suspended_time);
    tcase_add_test(tcase, wall_is_the_time_since_1970);
    tcase_add_test(tcase, now_never_goes_back);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
