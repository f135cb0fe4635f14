#include "functions/api_answer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "support/fakes/json_memory.h"
#include "support/processes/check_main.h"

static struct http_response response;
static char logged[4096];

static void set_up(void) {
    http_response_init(&response, 4096);
}

static void tear_down(void) {
    http_response_cleanup(&response);
}

static const char *header(const char *name) {
    return http_headers_get(&response.headers, name);
}

/* Answers the failure, with what it writes to stderr led into `logged`. */
static void answer_failure(enum status status, const struct error *err, const char *product_id) {
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    api_answer_failure(&response, status, "Reserving", product_id, err);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    logged[fread(logged, 1, sizeof logged - 1, file)] = '\0';
    fclose(file);
}

static struct error failure_of(enum status status) {
    struct error err = {0};
    (void)error_set(&err, status, "reading 10.1.2.3:10002: secret detail");
    err.http_status = 500;
    strcpy(err.code, "OperationTimedOut");
    strcpy(err.request_id, "req-7");
    return err;
}

/* ---- answers ---- */

START_TEST(an_answer_has_its_type_and_version) {
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "a", "\"\xC3\xA4\n");
    api_answer_json(&response, 200, body, 42);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(response.body.data, "{\"a\":\"\\\"\xC3\xA4\\n\"}");
    ck_assert_str_eq(header("Content-Type"), "application/json");
    ck_assert_str_eq(header("ETag"), "\"42\"");
}
END_TEST

START_TEST(an_answer_about_no_version_has_no_etag) {
    api_answer_json(&response, 409, cJSON_CreateObject(), 0);
    ck_assert_int_eq(response.status, 409);
    ck_assert_str_eq(response.body.data, "{}");
    ck_assert_ptr_null(header("ETag"));
}
END_TEST

START_TEST(an_error_has_azures_shape_and_keeps_headers) {
    http_headers_add(&response.headers, "Allow", "POST");
    api_answer_error(&response, 405, "MethodNotAllowed", "Only %s, \"%d\".", "POST", 7);
    ck_assert_int_eq(response.status, 405);
    ck_assert_str_eq(
        response.body.data,
        "{\"error\":{\"code\":\"MethodNotAllowed\",\"message\":\"Only POST, \\\"7\\\".\"}}");
    ck_assert_str_eq(header("Content-Type"), "application/json");
    ck_assert_str_eq(header("Allow"), "POST");
    ck_assert_ptr_null(header("ETag"));
}
END_TEST

START_TEST(a_message_that_is_too_long_is_cut_between_characters) {
    char text[801];
    for (size_t i = 0; i < sizeof text - 1; i += 2) {
        memcpy(text + i, "\xC3\xA4", 2);
    }
    text[sizeof text - 1] = '\0';
    api_answer_error(&response, 400, "InvalidJson", "%s", text);
    ck_assert(utf8_is_valid(response.body.data, response.body.length));
    ck_assert_ptr_nonnull(strstr(response.body.data, "\xC3\xA4\"}}"));
}
END_TEST

/* ---- failures ---- */

struct failure_row {
    enum status status;
    int http_status;
    const char *code;
    const char *log; /* "": nothing is logged */
};

static const struct failure_row failure_rows[] = {
    {STATUS_NOT_FOUND, 404, "ProductNotFound", ""},
    {STATUS_LEASE_LOST, 409, "LeaseLost", "Warning: "},
    {STATUS_UNAVAILABLE, 503, "StorageUnavailable", "Warning: "},
    {STATUS_CANCELLED, 503, "StorageUnavailable", "Warning: "},
    {STATUS_UNAUTHORIZED, 503, "StorageUnavailable", "Warning: "},
    {STATUS_CONTAINER_NOT_FOUND, 503, "StorageUnavailable", "Error: "},
    {STATUS_OK, 500, "InternalError", "Error: "},
    {STATUS_NO_MEMORY, 500, "InternalError", "Error: "},
    {STATUS_INVALID_ARGUMENT, 500, "InternalError", "Error: "},
    {STATUS_MALFORMED, 500, "InternalError", "Error: "},
    {STATUS_TOO_LARGE, 500, "InternalError", "Error: "},
    {STATUS_ALREADY_EXISTS, 500, "InternalError", "Error: "},
    {STATUS_PRECONDITION_FAILED, 500, "InternalError", "Error: "},
    {STATUS_LEASE_CONFLICT, 500, "InternalError", "Error: "},
    {STATUS_INTERNAL, 500, "InternalError", "Error: "},
};

START_TEST(each_status_has_its_answer) {
    const struct failure_row *row = &failure_rows[_i];
    struct error err = failure_of(
        STATUS_PRECONDITION_FAILED); /* what it was before somebody gave it another meaning */
    answer_failure(row->status, &err, "PROD-001");
    char expected[64];
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",\"message\":\"", row->code);
    ck_assert_int_eq(response.status, row->http_status);
    ck_assert_msg(strncmp(response.body.data, expected, strlen(expected)) == 0, "%s",
                  response.body.data);
    ck_assert_int_eq(header("Retry-After") != NULL, row->http_status == 503);
    ck_assert_ptr_null(header("ETag"));
    if (row->log[0] == '\0') {
        ck_assert_str_eq(logged, "");
    } else {
        ck_assert_msg(strstr(logged, row->log) != NULL, "%s", logged);
    }
}
END_TEST

START_TEST(the_log_has_the_detail_and_the_client_does_not) {
    struct error err = failure_of(STATUS_UNAVAILABLE);
    answer_failure(STATUS_UNAVAILABLE, &err, "PROD-001");
    ck_assert_ptr_null(strstr(response.body.data, "secret"));
    ck_assert_ptr_null(strstr(response.body.data, "req-7"));
    ck_assert_ptr_nonnull(strstr(logged,
                                 "Reserving PROD-001: reading 10.1.2.3:10002: secret detail "
                                 "(UNAVAILABLE, OperationTimedOut, request req-7)\n"));
}
END_TEST

START_TEST(the_host_is_told_what_the_log_is) {
    struct error err = failure_of(STATUS_UNAVAILABLE);
    api_answer_failure_to_host(&response, STATUS_MALFORMED, "Reconciling", &err);
    ck_assert_int_eq(response.status, 500);
    ck_assert_str_eq(
        response.body.data,
        "{\"error\":{\"code\":\"InternalError\",\"message\":\"Reconciling: reading "
        "10.1.2.3:10002: secret detail (MALFORMED, OperationTimedOut, request req-7)\"}}");
}
END_TEST

START_TEST(a_failure_without_product_or_storage_detail_is_logged_cleanly) {
    struct error err = {0};
    (void)error_set(&err, STATUS_INTERNAL, "no random bytes");
    answer_failure(STATUS_INTERNAL, &err, NULL);
    ck_assert_ptr_nonnull(strstr(logged, "Reserving: no random bytes (INTERNAL)\n"));
}
END_TEST

START_TEST(retry_after_is_storages_own_in_whole_seconds) {
    static const struct {
        int retry_after_ms;
        const char *seconds;
    } rows[] = {{0, "1"},
                {1, "1"},
                {999, "1"},
                {1000, "1"},
                {1001, "2"},
                {30000, "30"},
                {2147483647, "2147484"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error err = failure_of(STATUS_UNAVAILABLE);
        err.retry_after_ms = rows[i].retry_after_ms;
        answer_failure(STATUS_UNAVAILABLE, &err, "PROD-001");
        ck_assert_str_eq(header("Retry-After"), rows[i].seconds);
        tear_down();
        set_up();
    }
}
END_TEST

/* ---- without memory ---- */

START_TEST(an_answer_that_cannot_be_made_is_a_500) {
    api_answer_json(&response, 200, NULL, 3);
    ck_assert_int_eq(response.status, 500);
    ck_assert_str_eq(
        response.body.data,
        "{\"error\":{\"code\":\"InternalError\",\"message\":\"An unexpected error occurred.\"}}");
    ck_assert_str_eq(header("Content-Type"), "application/json");
    ck_assert_ptr_null(header("ETag"));
}
END_TEST

START_TEST(an_error_is_itself_or_a_500_whichever_allocation_fails) {
    bool failed = true;
    for (int count = 0; failed; count++) {
        json_memory_limit(count);
        api_answer_error(&response, 400, "InvalidJson", "No.");
        failed = json_memory_unlimit();
        ck_assert_int_eq(response.status, failed ? 500 : 400);
        ck_assert_ptr_nonnull(strstr(response.body.data, failed ? "InternalError" : "InvalidJson"));
        ck_assert_int_lt(count, 100);
        tear_down();
        set_up();
    }
}
END_TEST

START_TEST(an_incomplete_body_is_none) {
    cJSON *body = cJSON_CreateObject();
    ck_assert_ptr_eq(api_answer_body(body, true), body);
    ck_assert_ptr_null(api_answer_body(body, false));
    ck_assert_ptr_null(api_answer_body(NULL, false));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("api_answer");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_test(answers, an_answer_has_its_type_and_version);
    tcase_add_test(answers, an_answer_about_no_version_has_no_etag);
    tcase_add_test(answers, an_error_has_azures_shape_and_keeps_headers);
    tcase_add_test(answers, a_message_that_is_too_long_is_cut_between_characters);
    suite_add_tcase(suite, answers);
    TCase *failures = tcase_create("failures");
    tcase_add_checked_fixture(failures, set_up, tear_down);
    tcase_add_loop_test(failures, each_status_has_its_answer, 0,
                        sizeof failure_rows / sizeof failure_rows[0]);
    tcase_add_test(failures, the_log_has_the_detail_and_the_client_does_not);
    tcase_add_test(failures, the_host_is_told_what_the_log_is);
    tcase_add_test(failures, a_failure_without_product_or_storage_detail_is_logged_cleanly);
    tcase_add_test(failures, retry_after_is_storages_own_in_whole_seconds);
    suite_add_tcase(suite, failures);
    TCase *memory = tcase_create("without memory");
    tcase_add_checked_fixture(memory, set_up, tear_down);
    tcase_add_test(memory, an_answer_that_cannot_be_made_is_a_500);
    tcase_add_test(memory, an_error_is_itself_or_a_500_whichever_allocation_fails);
    tcase_add_test(memory, an_incomplete_body_is_none);
    suite_add_tcase(suite, memory);
    return check_main(suite);
}
