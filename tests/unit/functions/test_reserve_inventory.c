/*
 * ReserveInventory over the memory store and a fake lease service; each test runs once in each
 * shape in which the host calls.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "support/calls/store_wait.h"
#include "support/fakes/function_steps.h"
#include "support/processes/check_main.h"

static void reserve(int shape, const char *product, const char *body) {
    http_response_cleanup(&answer);
    answer = function_app_call(
        &app, shape,
        &(struct function_call){.product = product, .action = "reserve", .body = body});
}

static void get(int shape) {
    http_response_cleanup(&answer);
    answer = function_app_call(&app, shape, &(struct function_call){.action = ""});
}

static void assert_error(int status, const char *code) {
    char expected[64];
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    ck_assert_int_eq(answer.status, status);
    ck_assert_msg(strncmp(answer.body.data, expected, strlen(expected)) == 0, "%s",
                  answer.body.data);
    ck_assert_ptr_null(strstr(answer.body.data, "secret"));
    ck_assert_ptr_null(header("ETag"));
}

static void assert_untouched(int shape) {
    get(shape);
    ck_assert_str_eq(answer.body.data,
                     "{\"productId\":\"PROD-001\",\"totalQuantity\":100,\"availableQuantity\":100,"
                     "\"reservedQuantity\":0,\"activeReservations\":[]}");
    ck_assert_str_eq(header("ETag"), "\"1\"");
}

static const char five[] = "{\"quantity\":5,\"customerId\":\"CUST-123\"}";

START_TEST(a_reservation_is_answered_with_all_there_is_to_know) {
    reserve(_i, NULL, five);
    ck_assert_int_eq(answer.status, 200);
    cJSON *root = NULL;
    ck_assert_int_eq(json_parse(answer.body.data, answer.body.length, &root, NULL), STATUS_OK);
    const char *id = json_string(root, "reservationId");
    ck_assert_ptr_nonnull(id);
    ck_assert(uuid_is_valid(id));
    char expected[512];
    snprintf(expected, sizeof expected,
             "{\"success\":true,\"productId\":\"PROD-001\",\"requestedQuantity\":5,"
             "\"availableQuantity\":95,"
             "\"reservationId\":\"%s\",\"expiresAt\":\"2025-01-19T15:15:30.000Z\","
             "\"message\":\"Successfully reserved 5 units\",\"acquiredLease\":true}",
             id);
    cJSON_Delete(root);
    ck_assert_str_eq(answer.body.data, expected);
    ck_assert_str_eq(header("ETag"), "\"2\"");
    ck_assert_ptr_null(header("Retry-After"));
}
END_TEST

START_TEST(one_unit_is_spoken_of_as_the_others_are) {
    reserve(_i, NULL, "{\"quantity\":1,\"customerId\":\"C\"}");
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"message\":\"Successfully reserved 1 units\""));
}
END_TEST

START_TEST(too_little_stock_is_a_conflict_that_says_what_there_is) {
    reserve(_i, "PROD-002", "{\"quantity\":47,\"customerId\":\"C\"}");
    ck_assert_int_eq(answer.status, 200);
    reserve(_i, "PROD-002", five);
    ck_assert_int_eq(answer.status, 409);
    ck_assert_str_eq(answer.body.data, "{\"success\":false,\"productId\":\"PROD-002\","
                                       "\"requestedQuantity\":5,\"availableQuantity\":3,"
                                       "\"reservationId\":null,\"expiresAt\":null,\"message\":"
                                       "\"Insufficient inventory. Available: 3\","
                                       "\"acquiredLease\":true}");
    ck_assert_str_eq(header("ETag"), "\"2\"");
    ck_assert_ptr_null(header("Retry-After"));
}
END_TEST

START_TEST(a_lease_that_is_not_had_is_a_conflict_to_be_retried) {
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001",
                                "6c8e5a31-0000-4000-8000-000000000000");
    reserve(_i, NULL, five);
    ck_assert_int_eq(answer.status, 409);
    ck_assert_str_eq(
        answer.body.data,
        "{\"success\":false,\"productId\":\"PROD-001\",\"requestedQuantity\":5,"
        "\"availableQuantity\":100,"
        "\"reservationId\":null,\"expiresAt\":null,"
        "\"message\":\"Another operation is in progress. Please retry.\",\"acquiredLease\":false}");
    ck_assert_str_eq(header("Retry-After"), "1");
    ck_assert_str_eq(header("ETag"), "\"1\"");
    assert_untouched(_i);
}
END_TEST

/*
 * Without the lease: another instance holds it, and has changed the product since this one has read
 * it.
 */
START_TEST(a_caller_without_the_lease_is_told_what_is_available_now) {
    reserve(_i, NULL, five);
    ck_assert_int_eq(answer.status, 200);
    function_app_await_release(&app, "inventory-PROD-001");
    struct inventory_store *store = &app.store.base;
    struct product_state state;
    product_state_init(&state);
    const struct reservation *row;
    bool reserved;
    int64_t now_ms = store->ops->now_ms(store);
    ck_assert_int_eq(inventory_store_read_and_wait(
                         store, "PROD-001", &(struct inventory_query){.all = true}, &state, NULL),
                     STATUS_OK);
    ck_assert_int_eq(
        inventory_reserve(&state, "OTHER", 20, now_ms, 60000, random_system(), &reserved, &row),
        STATUS_OK);
    ck_assert_int_eq(inventory_store_commit_and_wait(store, &state, INT64_MAX, NULL), STATUS_OK);
    product_state_cleanup(&state);
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001",
                                "6c8e5a31-0000-4000-8000-000000000000");
    reserve(_i, NULL, five);
    ck_assert_int_eq(answer.status, 409);
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"availableQuantity\":75,"));
    ck_assert_str_eq(header("ETag"), "\"3\"");
    clock_fake_advance(&app.store_clock, 60000);
    reserve(_i, NULL, five);
    ck_assert_msg(strstr(answer.body.data, "\"availableQuantity\":95,") != NULL, "%s",
                  answer.body.data);
}
END_TEST

START_TEST(what_is_available_is_never_invented) {
    static const struct {
        enum status status;
        int http_status;
        const char *code;
    } rows[] = {{STATUS_UNAVAILABLE, 503, "StorageUnavailable"},
                {STATUS_PRECONDITION_FAILED, 503, "StorageUnavailable"},
                {STATUS_NOT_FOUND, 404, "ProductNotFound"},
                {STATUS_CONTAINER_NOT_FOUND, 503, "StorageUnavailable"}}; /* which stays */
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001",
                                "6c8e5a31-0000-4000-8000-000000000000");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        app.store.next[STORE_READ] = rows[i].status;
        reserve(_i, NULL, five);
        assert_error(rows[i].http_status, rows[i].code);
    }
}
END_TEST

START_TEST(storage_that_fails_is_a_503_to_be_retried) {
    static const enum store_operation_kind operations[] = {STORE_PREPARE, STORE_READ, STORE_COMMIT};
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        app.store.next[operations[i]] = STATUS_UNAVAILABLE;
        reserve(_i, NULL, five);
        assert_error(503, "StorageUnavailable");
        ck_assert_str_eq(header("Retry-After"), "1");
    }
    assert_untouched(_i);
}
END_TEST

START_TEST(a_lease_service_that_fails_is_a_503) {
    lease_store_fake_script(app.lease_service, FAKE_ACQUIRE, STATUS_UNAUTHORIZED);
    reserve(_i, NULL, five);
    assert_error(503, "StorageUnavailable");
    assert_untouched(_i);
}
END_TEST

START_TEST(a_lease_lost_in_mid_operation_is_a_conflict_and_nothing_is_committed) {
    app.store.next[STORE_COMMIT] = STATUS_PRECONDITION_FAILED;
    reserve(_i, NULL, five);
    assert_error(409, "LeaseLost");
    assert_untouched(_i);
}
END_TEST

START_TEST(a_bug_is_a_500_without_detail) {
    app.store.next[STORE_READ] = STATUS_MALFORMED;
    reserve(_i, NULL, five);
    assert_error(500, "InternalError");
}
END_TEST

START_TEST(a_handler_that_stops_sends_callers_to_another) {
    inventory_service_cancel(&app.service);
    reserve(_i, NULL, five);
    assert_error(503, "StorageUnavailable");
    ck_assert_str_eq(header("Retry-After"), "1");
    ck_assert_ptr_nonnull(strstr(answer.body.data, "shutting down"));
}
END_TEST

/*
 * A reservation made and not told is allowed: a request that was not answered 200 happened once or
 * not at all.
 */
START_TEST(the_answer_is_whole_or_a_500_whichever_allocation_fails) {
    static const char body[] = "{\"quantity\":1,\"customerId\":\"C\"}";
    assert_whole_or_500("POST", "/api/inventory/PROD-001/reserve", body, "\"acquiredLease\":true}",
                        99);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reserve_inventory");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_loop_test(answers, a_reservation_is_answered_with_all_there_is_to_know, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, one_unit_is_spoken_of_as_the_others_are, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, too_little_stock_is_a_conflict_that_says_what_there_is, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, storage_that_fails_is_a_503_to_be_retried, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_lease_service_that_fails_is_a_503, 0, CALL_SHAPES);
    tcase_add_loop_test(answers,
                        a_lease_lost_in_mid_operation_is_a_conflict_and_nothing_is_committed, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, a_bug_is_a_500_without_detail, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_handler_that_stops_sends_callers_to_another, 0, CALL_SHAPES);
    tcase_add_test(answers, the_answer_is_whole_or_a_500_whichever_allocation_fails);
    suite_add_tcase(suite, answers);
    TCase *impatient = tcase_create("no waiting");
    tcase_add_checked_fixture(impatient, set_up_impatient, tear_down);
    tcase_add_loop_test(impatient, a_lease_that_is_not_had_is_a_conflict_to_be_retried, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(impatient, a_caller_without_the_lease_is_told_what_is_available_now, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(impatient, what_is_available_is_never_invented, 0, CALL_SHAPES);
    suite_add_tcase(suite, impatient);
    return check_main(suite);
}
