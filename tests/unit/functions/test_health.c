/*
 * Health over the memory store and a fake lease service; each test runs once in each shape in which
 * the host calls.
 */
#include <string.h>

#include "support/fakes/function_steps.h"
#include "support/processes/check_main.h"

static void ask(int shape) {
    http_response_cleanup(&answer);
    answer = function_app_call(&app, shape, &(struct function_call){.action = "/health"});
}

START_TEST(storage_that_can_be_reached_is_healthy) {
    ask(_i);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body.data, "{\"status\":\"healthy\"}");
    ck_assert_ptr_null(header("ETag"));
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_ACQUIRE), 0);
}
END_TEST

START_TEST(storage_is_asked_once_for_all_that_ask_within_10_seconds) {
    for (int i = 0; i < 5; i++) {
        ask(_i);
        ck_assert_int_eq(answer.status, 200);
    }
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_RENEW), 1);
}
END_TEST

static void assert_unhealthy(void) {
    ck_assert_int_eq(answer.status, 503);
    ck_assert_str_eq(answer.body.data, "{\"status\":\"unhealthy\"}");
    ck_assert_ptr_nonnull(header("Retry-After"));
}

START_TEST(a_table_that_cannot_be_reached_is_unhealthy_and_nobody_is_told_why) {
    app.store.next[STORE_FIND_RECORD] = STATUS_UNAVAILABLE;
    ask(_i);
    assert_unhealthy();
    ask(_i); /* the outcome is kept */
    assert_unhealthy();
}
END_TEST

START_TEST(a_table_that_cannot_be_made_is_unhealthy) {
    app.store.next[STORE_PREPARE] = STATUS_UNAUTHORIZED;
    ask(_i);
    assert_unhealthy();
}
END_TEST

START_TEST(leases_that_cannot_be_had_are_unhealthy) {
    lease_store_fake_script(app.lease_service, FAKE_RENEW, STATUS_UNAVAILABLE);
    ask(_i);
    assert_unhealthy();
}
END_TEST

START_TEST(a_container_that_is_missing_is_unhealthy_unless_it_is_made_when_needed) {
    app.lease_options.create_container = _i == 0;
    lease_store_fake_script(app.lease_service, FAKE_RENEW, STATUS_CONTAINER_NOT_FOUND);
    ask(CALL_PROXIED);
    ck_assert_int_eq(answer.status, _i == 0 ? 200 : 503);
}
END_TEST

START_TEST(an_answer_that_does_not_come_is_unhealthy) {
    lease_store_fake_hold(app.lease_service, FAKE_RENEW, true);
    ask(_i);
    assert_unhealthy();
    ask(_i); /* and nothing more is asked meanwhile */
    assert_unhealthy();
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_RENEW), 1);
    lease_store_fake_answer(app.lease_service, FAKE_RENEW, STATUS_NOT_FOUND);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("health");
    TCase *answers = tcase_create("answers");
    tcase_set_timeout(answers, 30);
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_loop_test(answers, storage_that_can_be_reached_is_healthy, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, storage_is_asked_once_for_all_that_ask_within_10_seconds, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, a_table_that_cannot_be_reached_is_unhealthy_and_nobody_is_told_why,
                        0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_table_that_cannot_be_made_is_unhealthy, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, leases_that_cannot_be_had_are_unhealthy, 0, CALL_SHAPES);
    tcase_add_loop_test(
        answers, a_container_that_is_missing_is_unhealthy_unless_it_is_made_when_needed, 0, 2);
    tcase_add_loop_test(answers, an_answer_that_does_not_come_is_unhealthy, 0, CALL_SHAPES);
    suite_add_tcase(suite, answers);
    return check_main(suite);
}
