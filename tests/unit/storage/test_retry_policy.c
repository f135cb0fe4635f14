#include "storage/retry_policy.h"

#include "base/utc.h"
#include "support/check_main.h"

static const struct retry_policy policy = {.first_backoff_ms = 100, .max_backoff_ms = 1000};
static const int64_t never = INT64_MAX;

START_TEST(the_backoff_doubles_up_to_its_maximum) {
    static const int64_t expected[] = {100, 200, 400, 800, 1000, 1000};
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(retry_policy_delay_ms(&policy, i + 1, 0, 1, 0, never), expected[i]);
    }
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1000000000, 0, 1, 0, never), 1000);
}
END_TEST

START_TEST(half_of_the_backoff_is_left_to_chance) {
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1, 0, 0, 0, never), 50);
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1, 0, 0.5, 0, never), 75);
    struct retry_policy smallest = {1, 1};
    ck_assert_int_eq(retry_policy_delay_ms(&smallest, 1, 0, 0, 0, never), 1); /* never zero */
}
END_TEST

START_TEST(retry_after_is_a_lower_bound) {
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1, 3000, 1, 0, never), 3000);
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1, 99, 1, 0, never), 100);
}
END_TEST

START_TEST(a_wait_that_would_reach_the_deadline_is_none) {
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1, 0, 1, 5000, 5101), 100);
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1, 0, 1, 5000, 5100), -1);
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1, 0, 1, 5000, 4000), -1);
    ck_assert_int_eq(retry_policy_delay_ms(&policy, 1, 3000, 1, 5000, 8000), -1);
}
END_TEST

START_TEST(what_may_pass_is_transient) {
    static const int transient[] = {408, 429, 500, 502, 503, 504, 509, 599};
    static const int lasting[] = {0, 200, 302, 400, 401, 403, 404, 409, 412, 499, 600};
    for (size_t i = 0; i < sizeof transient / sizeof transient[0]; i++) {
        ck_assert(retry_policy_is_transient(transient[i]));
    }
    for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
        ck_assert(!retry_policy_is_transient(lasting[i]));
    }
}
END_TEST

START_TEST(retry_after_is_seconds_or_a_date) {
    int64_t wall_ms = 0;
    ck_assert(utc_parse_http("Sun, 19 Jan 2025 14:45:30 GMT", &wall_ms));
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("2", wall_ms), 2000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("0", wall_ms), 0);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("Sun, 19 Jan 2025 14:45:40 GMT", wall_ms), 10000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("Sun, 19 Jan 2025 14:45:20 GMT", wall_ms), 0);
}
END_TEST

START_TEST(retry_after_is_an_hour_at_most) {
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("3599", 0), 3599000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("3601", 0), 3600000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("99999999999999999999999999", 0), 3600000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("Sun, 19 Jan 2025 14:45:30 GMT", 0), 3600000);
}
END_TEST

START_TEST(any_other_retry_after_is_none) {
    static const char *const texts[] = {"", " 1", "1 ", "-1", "+1", "1.5", "1s", "soon", "Sun, 19 Jan 2025"};
    ck_assert_int_eq(retry_policy_parse_retry_after_ms(NULL, 0), 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_msg(retry_policy_parse_retry_after_ms(texts[i], 0) == 0, "\"%s\"", texts[i]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("retry_policy");
    TCase *tcase = tcase_create("retry_policy");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, the_backoff_doubles_up_to_its_maximum);
    tcase_add_test(tcase, half_of_the_backoff_is_left_to_chance);
    tcase_add_test(tcase, retry_after_is_a_lower_bound);
    tcase_add_test(tcase, a_wait_that_would_reach_the_deadline_is_none);
    tcase_add_test(tcase, what_may_pass_is_transient);
    tcase_add_test(tcase, retry_after_is_seconds_or_a_date);
    tcase_add_test(tcase, retry_after_is_an_hour_at_most);
    tcase_add_test(tcase, any_other_retry_after_is_none);
    return check_main(suite);
}
