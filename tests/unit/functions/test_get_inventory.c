/*
 * GetInventory over the memory store; each test runs once in each shape in which the host calls.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/json.h"
#include "functions/body_spool.h"
#include "support/fakes/function_steps.h"
#include "support/processes/check_main.h"
#include "support/processes/descriptors.h"

enum { MINUTE_MS = 60 * 1000, LIFETIME_MS = 30 * MINUTE_MS };

static void get(int shape) {
    http_response_cleanup(&answer);
    answer = function_app_call(&app, shape, &(struct function_call){.action = ""});
}

/* Reserves; `customer` is as JSON writes it. */
static void reserve(int shape, int quantity, const char *customer, char out_id[UUID_TEXT_BYTES]) {
    char body[512];
    snprintf(body, sizeof body, "{\"quantity\":%d,\"customerId\":\"%s\"}", quantity, customer);
    struct http_response reserved =
        function_app_call(&app, shape, &(struct function_call){.action = "reserve", .body = body});
    ck_assert_int_eq(reserved.status, 200);
    cJSON *root = NULL;
    ck_assert_int_eq(json_parse(reserved.body.data, reserved.body.length, &root, NULL), STATUS_OK);
    snprintf(out_id, UUID_TEXT_BYTES, "%s", json_string(root, "reservationId"));
    cJSON_Delete(root);
    http_response_cleanup(&reserved);
}

static char first[UUID_TEXT_BYTES], second[UUID_TEXT_BYTES];

START_TEST(a_product_is_shown_with_its_reservations_by_expiry) {
    reserve(_i, 5, "CUST-123", first);
    clock_fake_advance(&app.store_clock, 10 * MINUTE_MS + 7);
    reserve(_i, 3, "\\\"\xC3\xA4\\\\", second);
    get(_i);
    char expected[1024];
    snprintf(
        expected, sizeof expected,
        "{\"productId\":\"PROD-001\",\"totalQuantity\":100,\"availableQuantity\":92,"
        "\"reservedQuantity\":8,"
        "\"activeReservations\":["
        "{\"reservationId\":\"%s\",\"customerId\":\"CUST-123\",\"quantity\":5,"
        "\"reservedAt\":\"2025-01-19T14:45:30.000Z\",\"expiresAt\":\"2025-01-19T15:15:30.000Z\"},"
        "{\"reservationId\":\"%s\",\"customerId\":\"\\\"\xC3\xA4\\\\\",\"quantity\":3,"
        "\"reservedAt\":\"2025-01-19T14:55:30.007Z\",\"expiresAt\":\"2025-01-19T15:25:30.007Z\"}]}",
        first, second);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body.data, expected);
    ck_assert_str_eq(http_headers_get(&answer.headers, "ETag"), "\"3\"");
}
END_TEST

START_TEST(a_reservation_is_gone_from_the_moment_it_expires) {
    reserve(_i, 5, "CUST-123", first);
    clock_fake_advance(&app.store_clock, LIFETIME_MS - 1);
    get(_i);
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"availableQuantity\":95,\"reservedQuantity\":5,"));
    ck_assert_ptr_nonnull(strstr(answer.body.data, first));
    clock_fake_advance(&app.store_clock, 1);
    get(_i);
    ck_assert_str_eq(answer.body.data,
                     "{\"productId\":\"PROD-001\",\"totalQuantity\":100,\"availableQuantity\":100,"
                     "\"reservedQuantity\":0,\"activeReservations\":[]}");
    ck_assert_str_eq(http_headers_get(&answer.headers, "ETag"),
                     "\"2\""); /* its row is still there */
}
END_TEST

/* More than are written at once. */
START_TEST(many_reservations_are_all_shown) {
    enum { MANY = 600 };
    struct inventory_request request = {
        .operation = &operation_set_total, .product_id = "PROD-001", .quantity = MANY};
    ck_assert_int_eq(inventory_service_run(&app.service, &request, NULL), STATUS_OK);
    for (int i = 0; i < MANY; i++) {
        reserve(_i, 1, "CUST-123", first);
    }
    get(_i);
    ck_assert_int_eq(answer.status, 200);
    cJSON *root = NULL;
    ck_assert_int_eq(json_parse(answer.body.data, answer.body.length, &root, NULL), STATUS_OK);
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(root, "activeReservations")), MANY);
    cJSON_Delete(root);
}
END_TEST

/* ---- long answers ---- */

enum {
    LONG_COUNT = 700, /* with such customers, more than BODY_SPOOL_MEMORY_BYTES */
    FILE_LIMIT_BYTES = 100000,
};

/* Their ids have 128 characters, each of which JSON escapes. */
static void reserve_long(int shape) {
    char customer[2 * 128 + 1] = "";
    for (int i = 0; i < 128; i++) {
        strcat(customer, i % 2 == 0 ? "\\\"" : "\\\\");
    }
    struct inventory_request request = {
        .operation = &operation_set_total, .product_id = "PROD-001", .quantity = LONG_COUNT};
    ck_assert_int_eq(inventory_service_run(&app.service, &request, NULL), STATUS_OK);
    for (int i = 0; i < LONG_COUNT; i++) {
        reserve(shape, 1, customer, first);
    }
}

static char *copy_answer(void) {
    char *text = strdup(answer.body.data);
    ck_assert_ptr_nonnull(text);
    return text;
}

START_TEST(a_long_answer_out_of_a_file_is_the_same_as_out_of_memory) {
    reserve_long(_i);
    get(_i);
    ck_assert_uint_eq(app.rest_bytes, 0);
    char *in_memory = copy_answer();
    int descriptors = descriptors_count();
    app.dispatch.temp_folder = "/tmp";
    get(_i);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_gt(app.rest_bytes, BODY_SPOOL_MEMORY_BYTES);
    ck_assert_str_eq(answer.body.data, in_memory);
    ck_assert_str_eq(http_headers_get(&answer.headers, "ETag"), "\"702\"");
    ck_assert_int_eq(descriptors_count(), descriptors);
    free(in_memory);
}
END_TEST

START_TEST(a_folder_that_takes_no_file_costs_memory_and_a_warning) {
    char line[1024] = "";
    FILE *log = tmpfile();
    reserve_long(_i);
    get(_i);
    char *in_memory = copy_answer();
    app.dispatch.temp_folder = "/nowhere/at/all";
    dup2(fileno(log), STDERR_FILENO); /* Warnings go there */
    get(_i);
    ck_assert_int_gt(pread(fileno(log), line, sizeof line - 1, 0), 0);
    fclose(log);
    ck_assert_ptr_nonnull(strstr(line, "A long answer is kept in memory: /nowhere/at/all: "));
    ck_assert_str_eq(answer.body.data, in_memory);
    free(in_memory);
}
END_TEST

START_TEST(a_full_disk_is_a_503) {
    struct rlimit usual;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &usual), 0);
    const struct rlimit limit = {FILE_LIMIT_BYTES, usual.rlim_max};
    reserve_long(_i);
    int descriptors = descriptors_count();
    app.dispatch.temp_folder = "/tmp";
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    get(_i);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &usual), 0); /* of later tests in this process, too */
    ck_assert_int_eq(answer.status, 503);
    ck_assert_ptr_null(http_headers_get(&answer.headers, "ETag"));
    ck_assert_str_eq(http_headers_get(&answer.headers, "Retry-After"), "1");
    ck_assert_int_eq(descriptors_count(), descriptors);
}
END_TEST

/* ---- what is shown ---- */

static void get_with(int shape, const char *query, const char *known) {
    http_response_cleanup(&answer);
    answer =
        function_app_call(&app, shape,
                          &(struct function_call){
                              .action = "", .query = query, .header = {"If-None-Match", {known}}});
}

/* 128 characters, of which each takes nine in the query. */
static const char *longest_customer_query(void) {
    static char query[2048];
    char *end = stpcpy(query, "customerId=");
    for (int i = 0; i < 128; i++) {
        end = stpcpy(end, "%E5%95%86");
    }
    return query;
}

START_TEST(a_list_may_be_left_out_or_be_of_one_customer) {
    reserve(_i, 5, "CUST-123", first);
    reserve(_i, 3, "CUST+4 5", second);
    get_with(_i, "reservations=none", NULL);
    ck_assert_str_eq(answer.body.data, "{\"productId\":\"PROD-001\",\"totalQuantity\":100,"
                                       "\"availableQuantity\":92,\"reservedQuantity\":8}");
    ck_assert_str_eq(header("ETag"), "\"3\"");
    get_with(_i, "x=1&CustomerId=CUST%2B4+5&y", NULL);
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"availableQuantity\":92,\"reservedQuantity\":8,"));
    ck_assert_ptr_nonnull(strstr(answer.body.data, second));
    ck_assert_ptr_null(strstr(answer.body.data, first));
    get_with(_i, longest_customer_query(), NULL);
    ck_assert_int_eq(answer.status, 200);
    get_with(_i, "customerId=nobody", NULL);
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"reservedQuantity\":8,"
                                                   "\"activeReservations\":[]}"));
}
END_TEST

/* Also those that expire soon, and so come with the sums. */
START_TEST(only_that_customers_active_reservations_are_listed) {
    reserve(_i, 5, "CUST-123", first);
    clock_fake_advance(&app.store_clock, 1000);
    reserve(_i, 3, "CUST-4", second);
    clock_fake_advance(&app.store_clock, LIFETIME_MS - 2000);
    get_with(_i, "customerId=CUST-4", NULL);
    ck_assert_ptr_null(strstr(answer.body.data, first));
    ck_assert_ptr_nonnull(strstr(answer.body.data, second));
    clock_fake_advance(&app.store_clock, 1000);
    get_with(_i, "customerId=CUST-123", NULL);
    ck_assert_ptr_nonnull(strstr(answer.body.data,
                                 "\"availableQuantity\":97,\"reservedQuantity\":3,"
                                 "\"activeReservations\":[]}"));
    get_with(_i, "reservations=none", NULL);
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"availableQuantity\":97,\"reservedQuantity\":3}"));
}
END_TEST

static const struct inventory_store_ops *store_ops;

static void read_slowly(struct inventory_store *store, const char *product_id,
                        const struct inventory_query *query, struct product_state *out,
                        inventory_store_done done, void *context) {
    clock_fake_advance(&app.store_clock, 20000);
    store_ops->read(store, product_id, query, out, done, context);
}

/* The rows of others, which have expired as well by then, were not asked for. */
START_TEST(a_slow_read_shows_the_product_as_it_was_when_all_that_had_expired_was_asked_for) {
    reserve(_i, 5, "CUST-123", first);
    reserve(_i, 3, "CUST-4", second);
    clock_fake_advance(&app.store_clock, LIFETIME_MS - 15000);
    struct inventory_store_ops slow = *app.store.base.ops;
    store_ops = app.store.base.ops;
    slow.read = read_slowly;
    app.store.base.ops = &slow;
    get_with(_i, "customerId=CUST-4", NULL);
    app.store.base.ops = store_ops;
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"availableQuantity\":92,\"reservedQuantity\":8,"));
    ck_assert_ptr_nonnull(strstr(answer.body.data, second));
}
END_TEST

START_TEST(a_query_that_cannot_be_understood_is_refused) {
    static const char *const queries[] = {
        "reservations=all", "reservations=",  "reservations=none&reservations=none",
        "customerId=",      "customerId=%0a", "customerId=%ff",
        "customerId=a%00"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        get_with(_i, queries[i], NULL);
        ck_assert_msg(answer.status == 400, "%s: %d", queries[i], answer.status);
        ck_assert_ptr_nonnull(strstr(answer.body.data, "\"InvalidQuery\""));
    }
}
END_TEST

START_TEST(what_the_caller_has_already_is_not_sent_again) {
    static const char *const known[] = {"\"2\"", "W/\"2\"", "*"};
    static const char *const queries[] = {NULL, "reservations=none", "customerId=CUST-123"};
    reserve(_i, 5, "CUST-123", first);
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            get_with(_i, queries[j], known[i]);
            ck_assert_int_eq(answer.status, 304);
            ck_assert_str_eq(answer.body.data, "");
            ck_assert_str_eq(header("ETag"), "\"2\"");
        }
    }
    for (size_t j = 0; j < 3; j++) {
        get_with(_i, queries[j], "\"1\"");
        ck_assert_int_eq(answer.status, 200);
        ck_assert_ptr_nonnull(strstr(answer.body.data, "\"reservedQuantity\":5"));
    }
    get_with(_i, NULL, "\"1\", \"2\"");
    ck_assert_int_eq(answer.status, 400);
}
END_TEST

/* It would break off an answer that may have no body. */
START_TEST(a_host_that_forwards_requests_gets_no_304) {
    static const char *const queries[] = {NULL, "reservations=none", "customerId=C"};
    http_response_cleanup(&answer);
    answer = function_app_call(&app, CALL_PROXIED,
                               &(struct function_call){.action = "",
                                                       .query = queries[_i],
                                                       .header = {"If-None-Match", {"*"}},
                                                       .is_forwarded = true});
    ck_assert_int_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"reservedQuantity\":0"));
}
END_TEST

/* The version is still the same. */
START_TEST(once_a_reservation_has_expired_the_answer_is_another_one) {
    reserve(_i, 5, "CUST-123", first);
    clock_fake_advance(&app.store_clock, LIFETIME_MS - 1);
    get_with(_i, NULL, "\"2\"");
    ck_assert_int_eq(answer.status, 304);
    clock_fake_advance(&app.store_clock, 1);
    get_with(_i, NULL, "\"2\"");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(header("ETag"), "\"2\"");
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"reservedQuantity\":0,"));
}
END_TEST

START_TEST(it_needs_no_lease) {
    get(_i);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_ACQUIRE), 0);
}
END_TEST

START_TEST(a_product_that_changes_all_the_time_is_read_under_its_lease) {
    reserve(_i, 5, "CUST-123", first);
    function_app_await_release(&app, "inventory-PROD-001");
    get(_i);
    char *expected = copy_answer();
    size_t acquired = lease_store_fake_count(app.lease_service, FAKE_ACQUIRE);
    app.store.next[STORE_READ] = STATUS_PRECONDITION_FAILED;
    get(_i);
    ck_assert_str_eq(answer.body.data, expected);
    ck_assert_ptr_nonnull(strstr(expected, first));
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_ACQUIRE), acquired + 1);
    free(expected);
}
END_TEST

START_TEST(storage_that_fails_is_a_503) {
    app.store.next[STORE_READ] = STATUS_UNAVAILABLE;
    get(_i);
    ck_assert_int_eq(answer.status, 503);
    ck_assert_str_eq(http_headers_get(&answer.headers, "Retry-After"), "1");
    ck_assert_ptr_nonnull(strstr(answer.body.data, "StorageUnavailable"));
    ck_assert_ptr_null(strstr(answer.body.data, "secret"));
}
END_TEST

START_TEST(the_answer_is_whole_or_a_500_whichever_allocation_fails) {
    reserve(CALL_PROXIED, 5, "CUST-123", first);
    reserve(CALL_PROXIED, 3, "CUST-123", second);
    assert_whole_or_500("GET", "/api/inventory/PROD-001", "", second, 200);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("get_inventory");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_loop_test(answers, a_product_is_shown_with_its_reservations_by_expiry, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, a_reservation_is_gone_from_the_moment_it_expires, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, many_reservations_are_all_shown, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_long_answer_out_of_a_file_is_the_same_as_out_of_memory, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, a_folder_that_takes_no_file_costs_memory_and_a_warning, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, a_full_disk_is_a_503, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_list_may_be_left_out_or_be_of_one_customer, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, only_that_customers_active_reservations_are_listed, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(
        answers, a_slow_read_shows_the_product_as_it_was_when_all_that_had_expired_was_asked_for, 0,
        CALL_SHAPES);
    tcase_add_loop_test(answers, a_query_that_cannot_be_understood_is_refused, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, what_the_caller_has_already_is_not_sent_again, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_host_that_forwards_requests_gets_no_304, 0, 3);
    tcase_add_loop_test(answers, once_a_reservation_has_expired_the_answer_is_another_one, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, it_needs_no_lease, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_product_that_changes_all_the_time_is_read_under_its_lease, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, storage_that_fails_is_a_503, 0, CALL_SHAPES);
    tcase_add_test(answers, the_answer_is_whole_or_a_500_whichever_allocation_fails);
    suite_add_tcase(suite, answers);
    return check_main(suite);
}
