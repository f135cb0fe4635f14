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

static const struct retry_policy short_policy = {.first_backoff_ms = 100, .max_backoff_ms = 400};

static struct retry_state requests(int max_attempts, int64_t deadline_ms) {
    return (struct retry_state){
        .policy = &short_policy, .max_attempts = max_attempts, .deadline_ms = deadline_ms};
}

/* Counts one more failed attempt, at time 0. */
static enum retry_verdict decide(struct retry_state *state, enum attempt_outcome outcome) {
    return retry_policy_decide(state, outcome, 0, 1, 0).verdict;
}

START_TEST(what_storage_has_decided_is_final) {
    struct retry_state state = requests(0, 60000);
    ck_assert_int_eq(decide(&state, ATTEMPT_DECIDED), RETRY_FINAL);
    ck_assert_int_eq(state.attempts, 1);
    ck_assert(!state.is_in_doubt);
}
END_TEST

START_TEST(an_attempt_without_an_answer_is_repeated_and_leaves_doubt) {
    struct retry_state state = requests(0, 60000);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(decide(&state, ATTEMPT_UNANSWERED), RETRY_WAIT);
        ck_assert(state.is_in_doubt);
    }
    ck_assert_int_eq(decide(&state, ATTEMPT_DECIDED), RETRY_FINAL);
    ck_assert(state.is_in_doubt);
}
END_TEST

START_TEST(an_attempt_whose_answer_cannot_be_read_is_final_and_leaves_doubt) {
    struct retry_state state = requests(0, 60000);
    ck_assert_int_eq(decide(&state, ATTEMPT_UNREADABLE), RETRY_FINAL);
    ck_assert(state.is_in_doubt);
}
END_TEST

START_TEST(the_last_of_the_allowed_attempts_is_final) {
    struct retry_state state = requests(2, 60000);
    ck_assert_int_eq(decide(&state, ATTEMPT_UNANSWERED), RETRY_WAIT);
    ck_assert_int_eq(decide(&state, ATTEMPT_UNANSWERED), RETRY_FINAL);
}
END_TEST

START_TEST(waiting_for_a_token_does_not_count) {
    struct retry_state state = requests(1, 60000);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(decide(&state, ATTEMPT_NOT_SENT), RETRY_WAIT);
        ck_assert(!state.is_in_doubt);
    }
    ck_assert_int_eq(decide(&state, ATTEMPT_UNANSWERED), RETRY_FINAL);
}
END_TEST

START_TEST(a_token_is_renewed_once) {
    struct retry_state state = requests(1, 60000);
    ck_assert_int_eq(decide(&state, ATTEMPT_TOKEN_REJECTED), RETRY_WAIT);
    ck_assert_int_eq(state.counted, 0);
    ck_assert_int_eq(decide(&state, ATTEMPT_TOKEN_REJECTED), RETRY_FINAL);
    ck_assert(!state.is_in_doubt);
}
END_TEST

START_TEST(the_wait_grows_and_ends_at_the_deadline) {
    struct retry_state state = requests(0, 401);
    static const int64_t waits_ms[] = {100, 200, 400, 400};
    for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        struct retry_decision decision = retry_policy_decide(&state, ATTEMPT_UNANSWERED, 0, 1, 0);
        ck_assert_int_eq(decision.verdict, RETRY_WAIT);
        ck_assert_int_eq(decision.delay_ms, waits_ms[i]);
    }
    struct retry_decision late = retry_policy_decide(&state, ATTEMPT_UNANSWERED, 0, 1, 1);
    ck_assert_int_eq(late.verdict, RETRY_NO_TIME);
    ck_assert_int_eq(late.delay_ms, 0);
}
END_TEST

START_TEST(what_the_server_asks_for_is_waited_for) {
    struct retry_state state = requests(0, 3001);
    struct retry_decision decision = retry_policy_decide(&state, ATTEMPT_UNANSWERED, 3000, 1, 0);
    ck_assert_int_eq(decision.verdict, RETRY_WAIT);
    ck_assert_int_eq(decision.delay_ms, 3000);
    ck_assert_int_eq(retry_policy_decide(&state, ATTEMPT_UNANSWERED, 3000, 1, 1).verdict,
                     RETRY_NO_TIME);
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
    tcase_add_test(tcase, an_attempt_whose_answer_cannot_be_read_is_final_and_leaves_doubt);
    tcase_add_test(tcase, the_last_of_the_allowed_attempts_is_final);
    tcase_add_test(tcase, waiting_for_a_token_does_not_count);
    tcase_add_test(tcase, a_token_is_renewed_once);
    tcase_add_test(tcase, the_wait_grows_and_ends_at_the_deadline);
    tcase_add_test(tcase, what_the_server_asks_for_is_waited_for);
    tcase_add_test(tcase, what_may_pass_is_transient);
    tcase_add_test(tcase, retry_after_is_seconds_or_a_date);
    tcase_add_test(tcase, retry_after_is_an_hour_at_most);
    tcase_add_test(tcase, any_other_retry_after_is_none);
    return check_main(suite);
}
