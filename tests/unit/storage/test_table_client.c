#include "storage/table_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/calls/table_calls.h"
#include "support/fakes/fake_storage_steps.h"
#include "support/processes/check_main.h"

static void answer(int status, const char *headers, const char *body) {
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = status, .headers = headers, .body = body});
}

static void assert_request(size_t index, const char *method, const char *target) {
    ck_assert_str_eq(http_fake_request(fake, index)->method, method);
    ck_assert_str_eq(http_fake_request(fake, index)->target, target);
    ck_assert_str_eq(http_fake_sent(fake, index, "Accept"),
                     "application/json;odata=minimalmetadata");
    ck_assert_str_eq(http_fake_sent(fake, index, "DataServiceVersion"), "3.0;NetFx");
}

/* ---- single entities ---- */

START_TEST(a_table_is_asked_for_in_json) {
    answer(204, NULL, NULL);
    ck_assert_int_eq(table_create(&storage.client, "inventory", deadline(), &err), STATUS_OK);
    assert_request(0, "POST", "/acct/Tables");
    ck_assert_str_eq(http_fake_sent(fake, 0, "Content-Type"), "application/json");
    ck_assert_str_eq(http_fake_sent(fake, 0, "Prefer"), "return-no-content");
    ck_assert_str_eq(http_fake_request(fake, 0)->body, "{\"TableName\":\"inventory\"}");
}
END_TEST

#define ENTITY "{\"PartitionKey\":\"p\",\"RowKey\":\"r\"}"

START_TEST(an_entity_that_found_no_memory_is_not_sent) {
    ck_assert_int_eq(table_insert(&storage.client, "t", NULL, deadline(), &err), STATUS_NO_MEMORY);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

START_TEST(an_insert_is_tried_again_while_storage_is_unwell) {
    answer(503, NULL, NULL);
    answer(204, NULL, NULL);
    ck_assert_int_eq(table_insert(&storage.client, "t", ENTITY, deadline(), &err), STATUS_OK);
    assert_request(1, "POST", "/acct/t");
    ck_assert_str_eq(http_fake_request(fake, 1)->body, ENTITY);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(getting_a_row_asks_for_it_by_both_keys) {
    answer(200, NULL, "{\"odata.etag\":\"e\",\"quantity\":5}");
    cJSON *entity = NULL;
    ck_assert_int_eq(table_get(&storage.client, "t", "O'N", "a b", deadline(), &entity, &err),
                     STATUS_OK);
    assert_request(0, "GET", "/acct/t(PartitionKey='O%27%27N',RowKey='a%20b')");
    ck_assert_str_eq(json_string(entity, "odata.etag"), "e");
    cJSON_Delete(entity);
}
END_TEST

START_TEST(an_answer_that_is_no_json_was_damaged_and_may_be_asked_for_again) {
    cJSON *entity = NULL;
    answer(200, NULL, "<html>");
    ck_assert_int_eq(table_get(&storage.client, "t", "p", "r", deadline(), &entity, &err),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.message, http_fake_url(fake))); /* where */
    ck_assert_ptr_null(entity);
}
END_TEST

/* ---- each operation has one success ---- */

static enum status create(void) {
    return table_create(&storage.client, "t", deadline(), &err);
}

static enum status insert(void) {
    return table_insert(&storage.client, "t", ENTITY, deadline(), &err);
}

static enum status get(void) {
    cJSON *entity = NULL;
    enum status status = table_get(&storage.client, "t", "p", "r", deadline(), &entity, &err);
    cJSON_Delete(entity);
    return status;
}

static const struct {
    enum status (*run)(void);
    int success;
    const char *body;
} operations[] = {{create, 204, NULL}, {insert, 204, NULL}, {get, 200, "{}"}};
enum { OPERATION_COUNT = sizeof operations / sizeof operations[0] };

START_TEST(an_operation_has_one_success) {
    static const int statuses[] = {200, 201, 202, 204, 206, 302, 304, 400,
                                   401, 403, 404, 405, 409, 412, 451};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i] == operations[_i].success) {
            continue;
        }
        size_t before = http_fake_count(fake);
        answer(statuses[i], NULL, statuses[i] == 204 ? NULL : "{}");
        answer(operations[_i].success, NULL, operations[_i].body);
        ck_assert_msg(operations[_i].run() == STATUS_OK, "%d: %s", statuses[i], err.message);
        ck_assert_uint_eq(http_fake_count(fake) - before, 2);
    }
    http_fake_push(fake, &(struct http_fake_answer){.is_foreign = true,
                                                    .status = operations[_i].success,
                                                    .body = operations[_i].body});
    answer(operations[_i].success, NULL, operations[_i].body);
    ck_assert_int_eq(operations[_i].run(), STATUS_OK);
}
END_TEST

/* ---- queries ---- */

static enum status count_entity(void *context, const cJSON *entity, struct error *error) {
    (void)entity;
    (void)error;
    ++*(int *)context;
    return STATUS_OK;
}

static enum status query(const char *filter, int *out_count, int *out_pages) {
    *out_count = 0;
    struct table_query what = {
        .table = "t", .filter = filter, .visit = count_entity, .context = out_count};
    what.out_pages = out_pages;
    return table_query(&storage.client, &what, deadline(), &err);
}

enum { PASSED_MS = 500 };

/* Holds the first page until the deadline is over. */
static enum status pass_deadline(void *context, const cJSON *entity, struct error *error) {
    (void)entity;
    (void)error;
    while (clock_now_ms(clock_system()) < *(const int64_t *)context) {
    }
    return STATUS_OK;
}

START_TEST(a_query_has_the_default_time_for_each_page_but_the_first) {
    int64_t deadline_ms = clock_now_ms(clock_system()) + PASSED_MS;
    struct table_query what = {.table = "t", .visit = pass_deadline, .context = &deadline_ms};
    answer(200, "x-ms-continuation-NextPartitionKey: p2\r\n", "{\"value\":[{}]}");
    answer(200, NULL, "{\"value\":[{}]}");
    ck_assert_int_eq(table_query(&storage.client, &what, deadline_ms, &err), STATUS_OK);
}
END_TEST

START_TEST(a_query_sends_its_filter_encoded) {
    int count, pages;
    answer(200, NULL, "{\"value\":[{},{}]}");
    ck_assert_int_eq(query("RowKey eq 'a&b+c''d'", &count, &pages), STATUS_OK);
    assert_request(0, "GET", "/acct/t()?%24filter=RowKey%20eq%20%27a%26b%2Bc%27%27d%27");
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(pages, 1);
}
END_TEST

START_TEST(a_continuation_is_handed_back_as_it_came_also_after_an_empty_page) {
    int count, pages;
    answer(200,
           "x-ms-continuation-NextPartitionKey: 1!8!a+/=&\r\nx-ms-continuation-NextRowKey: 1!12!b "
           "c\r\n",
           "{\"value\":[{}]}");
    answer(200, "x-ms-continuation-NextPartitionKey: p2\r\n", "{\"value\":[]}");
    answer(200, "x-ms-continuation-NextPartitionKey: p3\r\nx-ms-continuation-NextRowKey: \r\n",
           "{\"value\":[{}]}");
    answer(200, NULL, "{\"value\":[{},{}]}");
    ck_assert_int_eq(query("x", &count, &pages), STATUS_OK);
    ck_assert_int_eq(count, 4);
    ck_assert_int_eq(pages, 4);
    assert_request(
        1, "GET",
        "/acct/t()?%24filter=x&NextPartitionKey=1%218%21a%2B%2F%3D%26&NextRowKey=1%2112%21b%20c");
    assert_request(2, "GET", "/acct/t()?%24filter=x&NextPartitionKey=p2");
    assert_request(3, "GET", "/acct/t()?%24filter=x&NextPartitionKey=p3");
    ck_assert_uint_eq(http_fake_count(fake), 4);
}
END_TEST

START_TEST(a_row_that_cannot_be_read_is_distinguished_from_a_damaged_answer) {
    static const char *const rows[] = {"{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}",
                                       "{\"a\":1,\"a\":2}"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int count, pages = -1;
        char page[128];
        cJSON *entity = NULL;
        snprintf(page, sizeof page, " {\"value\":[%s]}\n", rows[i]);
        answer(200, NULL, page);
        ck_assert_int_eq(query(NULL, &count, &pages), STATUS_MALFORMED);
        answer(200, NULL, rows[i]);
        ck_assert_int_eq(table_get(&storage.client, "t", "p", "r", deadline(), &entity, &err),
                         STATUS_MALFORMED);
        ck_assert_ptr_null(entity);
    }
}
END_TEST

START_TEST(a_page_that_fails_is_tried_again_and_visited_once) {
    int count, pages;
    answer(200, "x-ms-continuation-NextPartitionKey: p2\r\n", "{\"value\":[{}]}");
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CUT,
                                                    .body = "{\"value\":[{},{},{}]}"});
    answer(200, NULL, "{\"value\":[{},{},{}]}");
    ck_assert_int_eq(query(NULL, &count, &pages), STATUS_OK);
    ck_assert_int_eq(count, 4);
    ck_assert_int_eq(pages, 2);
    assert_request(0, "GET", "/acct/t()");
    assert_request(2, "GET", "/acct/t()?NextPartitionKey=p2");
}
END_TEST

START_TEST(a_page_without_entities_to_read_was_damaged_and_may_be_asked_for_again) {
    static const char *const bodies[] = {
        "", "[]", "{}", "{\"value\":{}}", "{\"value\":[{}]", "{\"value\":[{}]}x"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        int count, pages = -1;
        answer(200, NULL, bodies[i]);
        ck_assert_int_eq(query(NULL, &count, &pages), STATUS_UNAVAILABLE);
        ck_assert_ptr_nonnull(strstr(err.message, http_fake_url(fake))); /* where */
        ck_assert_int_eq(count, 0);
        ck_assert_int_eq(pages, -1);
    }
}
END_TEST

START_TEST(a_literal_is_quoted_and_its_quotes_doubled) {
    static const char *const cases[][2] = {{"", "''"},
                                           {"it's", "'it''s'"},
                                           {"''", "''''''"},
                                           {"' or 1 eq 1 or '", "''' or 1 eq 1 or '''"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf filter;
        strbuf_init(&filter, 100);
        table_append_literal(&filter, cases[i][0]);
        ck_assert_str_eq(filter.data, cases[i][1]);
        strbuf_cleanup(&filter);
    }
}
END_TEST

/* ---- transactions ---- */

#define MULTIPART "Content-Type: multipart/mixed; boundary=b\r\nx-ms-request-id: id-1\r\n"
#define PART "Content-Type: application/http\r\n\r\n"

static const struct table_operation deletes[] = {{TABLE_DELETE, "p", "r", "*", NULL}};

static enum status transact(char etag[TABLE_ETAG_BYTES]) {
    return table_transaction(&storage.client, "t", deletes, 1, deadline(), etag, &err);
}

START_TEST(a_transaction_is_posted_with_the_boundary_that_it_names) {
    char etag[TABLE_ETAG_BYTES] = "untouched";
    answer(202, MULTIPART, "--b\r\n" PART "HTTP/1.1 204 No Content\r\nETag: W/\"1\"\r\n\r\n--b--");
    ck_assert_int_eq(transact(etag), STATUS_OK);
    ck_assert_str_eq(etag, "W/\"1\"");
    assert_request(0, "POST", "/acct/$batch");
    const char *type = http_fake_sent(fake, 0, "Content-Type"),
               *body = http_fake_request(fake, 0)->body;
    const char *boundary = strstr(type, "boundary=batch_");
    ck_assert_ptr_nonnull(boundary);
    boundary += strlen("boundary=");
    ck_assert_uint_eq(strlen(boundary), strlen("batch_") + 36);
    ck_assert_int_eq(strncmp(body, "--", 2), 0);
    ck_assert_int_eq(strncmp(body + 2, boundary, strlen(boundary)), 0);
    char request_line[256];
    snprintf(request_line, sizeof request_line,
             "\r\nDELETE %s/acct/t(PartitionKey='p',RowKey='r') HTTP/1.1\r\n", http_fake_url(fake));
    ck_assert_ptr_nonnull(strstr(body, request_line));
}
END_TEST

START_TEST(each_transaction_has_a_boundary_of_its_own) {
    answer(202, MULTIPART, "--b\r\n" PART "HTTP/1.1 204 No Content\r\n\r\n--b--");
    answer(202, MULTIPART, "--b\r\n" PART "HTTP/1.1 204 No Content\r\n\r\n--b--");
    ck_assert_int_eq(transact(NULL), STATUS_OK);
    ck_assert_int_eq(transact(NULL), STATUS_OK);
    ck_assert_str_ne(http_fake_sent(fake, 0, "Content-Type"),
                     http_fake_sent(fake, 1, "Content-Type"));
}
END_TEST

START_TEST(a_failed_operation_gives_its_status_and_detail) {
    static const struct {
        const char *line, *code;
        enum status status;
    } cases[] = {
        {"412 Precondition Failed", "UpdateConditionNotSatisfied", STATUS_PRECONDITION_FAILED},
        {"409 Conflict", "EntityAlreadyExists", STATUS_ALREADY_EXISTS},
        {"404 Not Found", "ResourceNotFound", STATUS_NOT_FOUND},
        {"404 Not Found", "TableNotFound", STATUS_CONTAINER_NOT_FOUND},
        {"503 Service Unavailable", "ServerBusy", STATUS_UNAVAILABLE},
        {"500 Internal Server Error", "OperationTimedOut", STATUS_UNAVAILABLE},
        {"403 Forbidden", "AuthorizationFailure", STATUS_UNAUTHORIZED},
        {"400 Bad Request", "InvalidInput", STATUS_INTERNAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512], etag[TABLE_ETAG_BYTES] = "untouched";
        snprintf(body, sizeof body,
                 "--b\r\n" PART "HTTP/1.1 %s\r\n\r\n"
                 "{\"odata.error\":{\"code\":\"%s\",\"message\":{\"value\":\"0:Why.\\nRequestId\"}}"
                 "}\r\n--b--",
                 cases[i].line, cases[i].code);
        answer(202, MULTIPART, body);
        ck_assert_int_eq(transact(etag), cases[i].status);
        ck_assert_int_eq(err.status, cases[i].status);
        ck_assert_int_eq(err.http_status, (int)strtol(cases[i].line, NULL, 10));
        ck_assert_str_eq(err.code, cases[i].code);
        ck_assert_str_eq(err.request_id, "id-1");
        ck_assert_ptr_nonnull(strstr(err.message, "0:Why."));
        ck_assert_ptr_nonnull(strstr(err.message, http_fake_url(fake))); /* where */
        ck_assert_str_eq(etag, "untouched");
    }
    ck_assert_uint_eq(http_fake_count(fake), sizeof cases / sizeof cases[0]);
}
END_TEST

START_TEST(a_transaction_refused_as_a_whole_gives_the_answers_own_status) {
    answer(403, "x-ms-error-code: AuthenticationFailed\r\n", NULL);
    ck_assert_int_eq(transact(NULL), STATUS_UNAUTHORIZED);
    answer(413, "x-ms-error-code: RequestBodyTooLarge\r\n", NULL);
    ck_assert_int_eq(transact(NULL), STATUS_INTERNAL);
}
END_TEST

/* Each of these may follow a commit. None may count as a failure, and none may be sent again. */
static const struct http_fake_answer unknowns[] = {
    {.behaviour = HTTP_FAKE_CLOSE},
    {.behaviour = HTTP_FAKE_CUT,
     .status = 202,
     .headers = MULTIPART,
     .body = "--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n--b--"},
    {.status = 500},
    {.status = 503},
    {.status = 202},
    {.status = 200, .headers = MULTIPART, .body = "--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n--b--"},
    {.status = 404},
    {.status = 412, .is_foreign = true, .code = "UpdateConditionNotSatisfied"},
    {.status = 202, .headers = MULTIPART, .body = "--b\r\n" PART "HTTP/1.1 200 x\r\n\r\n--b--"},
    {.status = 202, .headers = MULTIPART, .body = "--b\r\n" PART "HTTP/1.1 302 x\r\n\r\n--b--"},
    {.status = 202, .headers = MULTIPART, .body = "--b\r\n" PART "HTTP/1.1 404 x\r\n\r\n--b--"},
    {.status = 202,
     .headers = MULTIPART,
     .body = "--b\r\n" PART "HTTP/1.1 412 x\r\n\r\n<html>\r\n--b--"},
    {.status = 202, .headers = MULTIPART, .body = "--b--"},
    {.status = 202,
     .headers = "Content-Type: text/html\r\n",
     .body = "--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n--b--"},
    {.status = 202,
     .headers = MULTIPART,
     .body = "--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n--b--"},
};
enum { UNKNOWN_COUNT = sizeof unknowns / sizeof unknowns[0] };

START_TEST(an_answer_that_is_lost_or_cannot_be_read_is_unknown_after_one_attempt) {
    char etag[TABLE_ETAG_BYTES] = "untouched";
    http_fake_push(fake, &unknowns[_i]);
    ck_assert_int_eq(transact(etag), STATUS_UNAVAILABLE);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    ck_assert_str_eq(etag, "untouched");
    ck_assert_uint_eq(http_fake_count(fake), 1);
    ck_assert_int_eq(table_transaction(&storage.client, "t", deletes, 1, 0, NULL, NULL),
                     STATUS_UNAVAILABLE);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(an_answer_over_the_limit_is_unknown_too) {
    size_t length = STORAGE_MAX_RESPONSE_BYTES + 1;
    char *body = malloc(length + 1);
    ck_assert_ptr_nonnull(body);
    memset(body, '-', length);
    body[length] = '\0';
    answer(202, MULTIPART, body);
    free(body);
    ck_assert_int_eq(transact(NULL), STATUS_UNAVAILABLE);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_transaction_over_its_limit_is_not_sent) {
    char *text = malloc(TABLE_TRANSACTION_MAX_BYTES + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', TABLE_TRANSACTION_MAX_BYTES);
    text[TABLE_TRANSACTION_MAX_BYTES] = '\0';
    const struct table_operation operation = {TABLE_INSERT, "p", "r", NULL, text};
    ck_assert_int_eq(table_transaction(&storage.client, "t", &operation, 1, deadline(), NULL, &err),
                     STATUS_TOO_LARGE);
    ck_assert_int_eq(err.status, STATUS_TOO_LARGE);
    ck_assert_uint_eq(http_fake_count(fake), 0);
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("table_client");
    TCase *entities = tcase_create("entities");
    tcase_add_checked_fixture(entities, open_fake, close_fake);
    tcase_add_test(entities, a_table_is_asked_for_in_json);
    tcase_add_test(entities, an_entity_that_found_no_memory_is_not_sent);
    tcase_add_test(entities, an_insert_is_tried_again_while_storage_is_unwell);
    tcase_add_test(entities, getting_a_row_asks_for_it_by_both_keys);
    tcase_add_test(entities, an_answer_that_is_no_json_was_damaged_and_may_be_asked_for_again);
    tcase_add_loop_test(entities, an_operation_has_one_success, 0, OPERATION_COUNT);
    suite_add_tcase(suite, entities);
    TCase *queries = tcase_create("queries");
    tcase_add_checked_fixture(queries, open_fake, close_fake);
    tcase_add_test(queries, a_query_has_the_default_time_for_each_page_but_the_first);
    tcase_add_test(queries, a_query_sends_its_filter_encoded);
    tcase_add_test(queries, a_continuation_is_handed_back_as_it_came_also_after_an_empty_page);
    tcase_add_test(queries, a_page_that_fails_is_tried_again_and_visited_once);
    tcase_add_test(queries, a_page_without_entities_to_read_was_damaged_and_may_be_asked_for_again);
    tcase_add_test(queries, a_row_that_cannot_be_read_is_distinguished_from_a_damaged_answer);
    tcase_add_test(queries, a_literal_is_quoted_and_its_quotes_doubled);
    suite_add_tcase(suite, queries);
    TCase *transactions = tcase_create("transactions");
    tcase_add_checked_fixture(transactions, open_fake, close_fake);
    tcase_add_test(transactions, a_transaction_is_posted_with_the_boundary_that_it_names);
    tcase_add_test(transactions, each_transaction_has_a_boundary_of_its_own);
    tcase_add_test(transactions, a_failed_operation_gives_its_status_and_detail);
    tcase_add_test(transactions, a_transaction_refused_as_a_whole_gives_the_answers_own_status);
    tcase_add_loop_test(transactions,
                        an_answer_that_is_lost_or_cannot_be_read_is_unknown_after_one_attempt, 0,
                        UNKNOWN_COUNT);
    tcase_add_test(transactions, an_answer_over_the_limit_is_unknown_too);
    tcase_add_test(transactions, a_transaction_over_its_limit_is_not_sent);
    suite_add_tcase(suite, transactions);
    return check_main(suite);
}
