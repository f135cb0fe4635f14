#include "http/retry_policy.h"

#include "base/utc.h"
#include "support/processes/check_main.h"

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

static const struct retry_outcome no_answer = {.was_sent = true, .is_unavailable = true};
static const struct retry_outcome no_token_yet = {.is_unavailable = true};
static const struct retry_outcome token_refused = {.was_sent = true, .renews_token = true};
static const struct retry_outcome said_no = {.was_sent = true};

/* One attempt more, at time 0 with a deadline far away. */
static enum retry_verdict decide(struct retry_state *state, const struct retry_outcome *outcome,
                                 int max_attempts) {
    static const struct retry_policy short_policy = {.first_backoff_ms = 100,
                                                     .max_backoff_ms = 400};
    int64_t delay_ms = 0;
    return retry_policy_decide(&short_policy, state, outcome, max_attempts, 1, 0, 60000, &delay_ms);
}

START_TEST(what_storage_has_decided_is_final) {
    struct retry_state state = {0};
    ck_assert_int_eq(decide(&state, &said_no, 0), RETRY_FINAL);
    ck_assert_int_eq(state.attempts, 1);
    ck_assert(!state.in_doubt);
}
END_TEST

START_TEST(an_attempt_without_an_answer_is_repeated_and_leaves_doubt) {
    struct retry_state state = {0};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(decide(&state, &no_answer, 0), RETRY_WAIT);
        ck_assert(state.in_doubt);
    }
    ck_assert_int_eq(decide(&state, &said_no, 0), RETRY_FINAL);
    ck_assert(state.in_doubt);
}
END_TEST

START_TEST(the_last_of_the_allowed_attempts_is_final) {
    struct retry_state state = {0};
    ck_assert_int_eq(decide(&state, &no_answer, 2), RETRY_WAIT);
    ck_assert_int_eq(decide(&state, &no_answer, 2), RETRY_FINAL);
}
END_TEST

START_TEST(waiting_for_a_token_does_not_count) {
    struct retry_state state = {0};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(decide(&state, &no_token_yet, 1), RETRY_WAIT);
        ck_assert(!state.in_doubt);
    }
    ck_assert_int_eq(decide(&state, &no_answer, 1), RETRY_FINAL);
}
END_TEST

START_TEST(a_token_is_renewed_once) {
    struct retry_state state = {0};
    ck_assert_int_eq(decide(&state, &token_refused, 1), RETRY_WAIT);
    ck_assert_int_eq(state.counted, 0);
    ck_assert_int_eq(decide(&state, &token_refused, 1), RETRY_FINAL);
}
END_TEST

START_TEST(the_wait_grows_and_ends_at_the_deadline) {
    static const struct retry_policy short_policy = {.first_backoff_ms = 100,
                                                     .max_backoff_ms = 400};
    struct retry_state state = {0};
    static const int64_t waits_ms[] = {100, 200, 400, 400};
    for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        int64_t delay_ms = 0;
        ck_assert_int_eq(
            retry_policy_decide(&short_policy, &state, &no_answer, 0, 1, 0, 401, &delay_ms),
            RETRY_WAIT);
        ck_assert_int_eq(delay_ms, waits_ms[i]);
    }
    int64_t delay_ms = -7;
    ck_assert_int_eq(
        retry_policy_decide(&short_policy, &state, &no_answer, 0, 1, 0, 400, &delay_ms),
        RETRY_NO_TIME);
    ck_assert_int_eq(delay_ms, -7);
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
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("Sun, 19 Jan 2025 14:45:40 GMT", wall_ms),
                     10000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("Sun, 19 Jan 2025 14:45:20 GMT", wall_ms),
                     0);
}
END_TEST

START_TEST(retry_after_is_an_hour_at_most) {
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("3599", 0), 3599000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("3601", 0), 3600000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("99999999999999999999999999", 0), 3600000);
    ck_assert_int_eq(retry_policy_parse_retry_after_ms("Sun, 19 Jan 2025 14:45:30 GMT", 0),
                     3600000);
}
END_TEST

START_TEST(any_other_retry_after_is_none) {
    static const char *const texts[] = {
        "", " 1", "1 ", "-1", "+1", "1.5", "1s", "soon", "Sun, 19 Jan 2025"};
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
    tcase_add_test(tcase, what_storage_has_decided_is_final);
    tcase_add_test(tcase, an_attempt_without_an_answer_is_repeated_and_leaves_doubt);
    tcase_add_test(tcase, the_last_of_the_allowed_attempts_is_final);
    tcase_add_test(tcase, waiting_for_a_token_does_not_count);
    tcase_add_test(tcase, a_token_is_renewed_once);
    tcase_add_test(tcase, the_wait_grows_and_ends_at_the_deadline);
    tcase_add_test(tcase, what_may_pass_is_transient);
    tcase_add_test(tcase, retry_after_is_seconds_or_a_date);
    tcase_add_test(tcase, retry_after_is_an_hour_at_most);
    tcase_add_test(tcase, any_other_retry_after_is_none);
    return check_main(suite);
}
