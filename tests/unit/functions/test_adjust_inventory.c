/*
 * AdjustInventory over the memory store; each test runs once in each shape in which the host calls.
 */
#include <stdio.h>
#include <string.h>

#include "support/fakes/function_steps.h"
#include "support/processes/check_main.h"

static void adjust_with(int shape, const char *body, const char *name, const char *value) {
    http_response_cleanup(&answer);
    answer = function_app_call(
        &app, shape,
        &(struct function_call){.action = "adjust", .body = body, .header = {name, {value}}});
}

static void adjust(int shape, const char *body) {
    adjust_with(shape, body, NULL, NULL);
}

static void assert_answer(int status, const char *body, const char *etag) {
    ck_assert_str_eq(answer.body.data, body);
    ck_assert_int_eq(answer.status, status);
    ck_assert_pstr_eq(header("ETag"), etag);
}

#define ADJUSTED(total, available, by)                                                          \
    "{\"success\":true,\"productId\":\"PROD-001\",\"totalQuantity\":" total                     \
    ",\"availableQuantity\":" available ",\"message\":\"Successfully adjusted the total by " by \
    " units\"}"

START_TEST(the_stock_changes_by_the_difference) {
    adjust(_i, "{\"delta\":50,\"reason\":\"delivery 4711\"}");
    assert_answer(200, ADJUSTED("150", "150", "+50"), "\"2\"");
    adjust(_i, "{\"delta\":-150}");
    assert_answer(200, ADJUSTED("0", "0", "-150"), "\"3\"");
}
END_TEST

START_TEST(no_more_goes_than_is_available) {
    http_response_cleanup(&answer);
    answer = function_app_call(
        &app, _i,
        &(struct function_call){.action = "reserve",
                                .body = "{\"quantity\":60,\"customerId\":\"C\"}"});
    adjust(_i, "{\"delta\":-41}");
    assert_answer(409,
                  "{\"success\":false,\"productId\":\"PROD-001\",\"totalQuantity\":100,"
                  "\"availableQuantity\":40,\"message\":\"Insufficient inventory. Available: 40\"}",
                  "\"2\"");
    adjust(_i, "{\"delta\":-40}");
    assert_answer(200, ADJUSTED("60", "0", "-40"), "\"3\"");
}
END_TEST

START_TEST(a_total_has_a_limit) {
    adjust(_i, "{\"delta\":4611686018427387804}");
    assert_answer(400,
                  "{\"error\":{\"code\":\"InvalidDelta\",\"message\":\"The total can be at most "
                  "4611686018427387903.\"}}",
                  "\"1\"");
    adjust(_i, "{\"delta\":-4611686018427387904}"); /* a whole number, and not 0 */
    assert_answer(
        400,
        "{\"error\":{\"code\":\"InvalidDelta\",\"message\":\"delta must be a whole number "
        "from -4611686018427387903 to 4611686018427387903, and not 0.\"}}",
        NULL);
}
END_TEST

START_TEST(a_key_makes_it_safe_to_repeat) {
    for (int i = 0; i < 2; i++) {
        adjust_with(_i, "{\"delta\":-7,\"reason\":\"breakage\"}", "Idempotency-Key", "k");
        assert_answer(200, ADJUSTED("93", "93", "-7"), "\"2\"");
    }
    static const char *const others[] = {"{\"delta\":7,\"reason\":\"breakage\"}",
                                         "{\"delta\":-7,\"reason\":\"theft\"}", "{\"delta\":-7}"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        adjust_with(_i, others[i], "Idempotency-Key", "k");
        ck_assert_int_eq(answer.status, 422);
    }
    adjust(_i, "{\"delta\":-7,\"reason\":\"breakage\"}");
    assert_answer(200, ADJUSTED("86", "86", "-7"), "\"3\"");
}
END_TEST

START_TEST(it_may_be_bound_to_a_version) {
    adjust_with(_i, "{\"delta\":1}", "If-Match", "\"1\"");
    assert_answer(200, ADJUSTED("101", "101", "+1"), "\"2\"");
    adjust_with(_i, "{\"delta\":1}", "If-Match", "\"1\"");
    assert_answer(412,
                  "{\"error\":{\"code\":\"PreconditionFailed\",\"message\":\"The product's version "
                  "is not the one in If-Match.\"}}",
                  "\"2\"");
}
END_TEST

START_TEST(a_lease_that_is_not_had_is_a_conflict_to_be_retried) {
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001",
                                "6c8e5a31-0000-4000-8000-000000000000");
    adjust(_i, "{\"delta\":1}");
    assert_answer(409,
                  "{\"success\":false,\"productId\":\"PROD-001\",\"totalQuantity\":100,"
                  "\"availableQuantity\":100,"
                  "\"message\":\"Another operation is in progress. Please retry.\"}",
                  "\"1\"");
    ck_assert_str_eq(header("Retry-After"), "1");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("adjust_inventory");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_loop_test(answers, the_stock_changes_by_the_difference, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, no_more_goes_than_is_available, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_total_has_a_limit, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_key_makes_it_safe_to_repeat, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, it_may_be_bound_to_a_version, 0, CALL_SHAPES);
    suite_add_tcase(suite, answers);
    TCase *impatient = tcase_create("no waiting");
    tcase_add_checked_fixture(impatient, set_up_impatient, tear_down);
    tcase_add_loop_test(impatient, a_lease_that_is_not_had_is_a_conflict_to_be_retried, 0,
                        CALL_SHAPES);
    suite_add_tcase(suite, impatient);
    return check_main(suite);
}
