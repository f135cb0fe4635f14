/*
 * ReleaseInventory over the memory store and a fake lease service; each test runs once in each
 * shape in which the host calls.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "support/fakes/function_steps.h"
#include "support/processes/check_main.h"

enum { LIFETIME_MS = 30 * 60 * 1000 };

static void call(int shape, const char *action, const char *body) {
    http_response_cleanup(&answer);
    answer =
        function_app_call(&app, shape, &(struct function_call){.action = action, .body = body});
}

/* Reserves for `customer` and keeps the reservation's id. */
static void reserve(int shape, int quantity, const char *customer, char out_id[UUID_TEXT_BYTES]) {
    char body[128];
    snprintf(body, sizeof body, "{\"quantity\":%d,\"customerId\":\"%s\"}", quantity, customer);
    call(shape, "reserve", body);
    ck_assert_int_eq(answer.status, 200);
    cJSON *root = NULL;
    ck_assert_int_eq(json_parse(answer.body.data, answer.body.length, &root, NULL), STATUS_OK);
    snprintf(out_id, UUID_TEXT_BYTES, "%s", json_string(root, "reservationId"));
    cJSON_Delete(root);
}

static void assert_answer(int status, const char *body, const char *etag) {
    ck_assert_int_eq(answer.status, status);
    ck_assert_str_eq(answer.body.data, body);
    ck_assert_str_eq(header("ETag"), etag);
    ck_assert_ptr_null(header("Retry-After"));
}

static const char five[] = "{\"quantity\":5,\"customerId\":\"CUST-123\"}";
static char id[UUID_TEXT_BYTES], other_id[UUID_TEXT_BYTES];

START_TEST(a_release_is_answered) {
    reserve(_i, 7, "CUST-123", id);
    call(_i, "release", five);
    assert_answer(200,
                  "{\"success\":true,\"productId\":\"PROD-001\",\"releasedQuantity\":5,"
                  "\"newAvailableQuantity\":98,"
                  "\"message\":\"Successfully released 5 units\"}",
                  "\"3\"");
}
END_TEST

START_TEST(no_more_is_released_than_there_is) {
    reserve(_i, 3, "CUST-123", id);
    call(_i, "release", five);
    assert_answer(200,
                  "{\"success\":true,\"productId\":\"PROD-001\",\"releasedQuantity\":3,"
                  "\"newAvailableQuantity\":100,"
                  "\"message\":\"Successfully released 3 units\"}",
                  "\"3\"");
}
END_TEST

START_TEST(a_customer_without_reservations_is_not_found) {
    reserve(_i, 7, "CUST-999", id);
    call(_i, "release", five);
    assert_answer(404,
                  "{\"success\":false,\"productId\":\"PROD-001\",\"releasedQuantity\":0,"
                  "\"newAvailableQuantity\":93,"
                  "\"message\":\"No active reservations found for this customer\"}",
                  "\"2\"");
}
END_TEST

START_TEST(one_reservation_can_be_named_in_either_case) {
    reserve(_i, 5, "CUST-123", id);
    reserve(_i, 2, "CUST-123", other_id);
    for (char *c = other_id; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    char body[160];
    snprintf(body, sizeof body,
             "{\"quantity\":5,\"customerId\":\"CUST-123\",\"reservationId\":\"%s\"}", other_id);
    call(_i, "release", body);
    assert_answer(200,
                  "{\"success\":true,\"productId\":\"PROD-001\",\"releasedQuantity\":2,"
                  "\"newAvailableQuantity\":95,"
                  "\"message\":\"Successfully released 2 units\"}",
                  "\"4\"");
}
END_TEST

START_TEST(a_null_reservation_id_is_none) {
    reserve(_i, 5, "CUST-123", id);
    call(_i, "release", "{\"quantity\":5,\"customerId\":\"CUST-123\",\"reservationId\":null}");
    ck_assert_int_eq(answer.status, 200);
}
END_TEST

START_TEST(somebody_elses_reservation_is_not_found) {
    reserve(_i, 5, "CUST-999", id);
    char body[160];
    snprintf(body, sizeof body,
             "{\"quantity\":5,\"customerId\":\"CUST-123\",\"reservationId\":\"%s\"}", id);
    call(_i, "release", body);
    ck_assert_int_eq(answer.status, 404);
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"releasedQuantity\":0,\"newAvailableQuantity\":95,"));
}
END_TEST

START_TEST(an_expired_reservation_is_not_there_to_be_released) {
    reserve(_i, 5, "CUST-123", id);
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    call(_i, "release", five);
    ck_assert_int_eq(answer.status, 404);
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"releasedQuantity\":0,\"newAvailableQuantity\":100,"));
}
END_TEST

START_TEST(a_lease_that_is_not_had_is_a_conflict_to_be_retried) {
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001",
                                "6c8e5a31-0000-4000-8000-000000000000");
    call(_i, "release", five);
    ck_assert_int_eq(answer.status, 409);
    ck_assert_str_eq(answer.body.data, "{\"success\":false,\"productId\":\"PROD-001\","
                                       "\"releasedQuantity\":0,\"newAvailableQuantity\":100,"
                                       "\"message\":\"Could not acquire lease. Please retry.\"}");
    ck_assert_str_eq(header("Retry-After"), "1");
    ck_assert_str_eq(header("ETag"), "\"1\"");
}
END_TEST

START_TEST(a_failure_is_answered_as_its_status_says) {
    static const struct {
        enum store_operation_kind operation;
        enum status status;
        int http_status;
    } rows[] = {{STORE_READ, STATUS_UNAVAILABLE, 503},
                {STORE_COMMIT, STATUS_UNAVAILABLE, 503},
                {STORE_COMMIT, STATUS_PRECONDITION_FAILED, 409},
                {STORE_COMMIT, STATUS_MALFORMED, 500}};
    reserve(_i, 5, "CUST-123", id);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        app.store.next[rows[i].operation] = rows[i].status;
        call(_i, "release", five);
        ck_assert_int_eq(answer.status, rows[i].http_status);
        ck_assert_ptr_nonnull(strstr(answer.body.data, "{\"error\":{"));
        ck_assert_ptr_null(strstr(answer.body.data, "secret"));
        ck_assert_ptr_null(header("ETag"));
    }
    call(_i, "release", five);
    ck_assert_int_eq(answer.status, 200);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("release_inventory");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_loop_test(answers, a_release_is_answered, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, no_more_is_released_than_there_is, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_customer_without_reservations_is_not_found, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, one_reservation_can_be_named_in_either_case, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_null_reservation_id_is_none, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, somebody_elses_reservation_is_not_found, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, an_expired_reservation_is_not_there_to_be_released, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, a_failure_is_answered_as_its_status_says, 0, CALL_SHAPES);
    suite_add_tcase(suite, answers);
    TCase *impatient = tcase_create("no waiting");
    tcase_add_checked_fixture(impatient, set_up_impatient, tear_down);
    tcase_add_loop_test(impatient, a_lease_that_is_not_had_is_a_conflict_to_be_retried, 0,
                        CALL_SHAPES);
    suite_add_tcase(suite, impatient);
    return check_main(suite);
}
