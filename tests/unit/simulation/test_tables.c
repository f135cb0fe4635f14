#include "simulation/storage/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/calls/simulated_calls.h"
#include "support/processes/check_main.h"

#define NO_CONTENT "Prefer: return-no-content\r\n"

enum { PATH_BYTES = 1024, MANY_ROWS = 2500 };

#define ASSERT_SAYS(text) \
    ck_assert_msg(simulated_says(text), "\"%s\" is not in: %s", text, simulated_calls.answer.data)

/* ---- tables ---- */

START_TEST(a_table_that_was_deleted_is_being_deleted_for_40_s) {
    simulated_make_table();
    simulated_insert("p", 1, 1);
    ck_assert_int_eq(simulated_ask_table("DELETE /Tables('inventory')", "", ""), 204);
    simulated_calls.now_ms += ROWS_DELETION_MS - 1;
    ck_assert_int_eq(simulated_ask_table("POST /Tables", "", "{\"TableName\":\"inventory\"}"), 409);
    ASSERT_SAYS("TableBeingDeleted");
    ck_assert_int_eq(simulated_insert("p", 1, 1), 409);
    ASSERT_SAYS("TableBeingDeleted");
    simulated_calls.now_ms += 1;
    ck_assert_int_eq(simulated_insert("p", 1, 1), 404);
    simulated_make_table();
    ck_assert_int_eq(
        simulated_ask_table("GET /inventory(PartitionKey='p',RowKey='r00001')", "", ""), 404);
    ASSERT_SAYS("ResourceNotFound");
}
END_TEST

/* Copies the ETag of the last answer into an If-Match header. */
static void take_etag(char out[PATH_BYTES]) {
    const char *etag = strstr(simulated_calls.answer.data, "\r\nETag: ");
    ck_assert_ptr_nonnull(etag);
    snprintf(out, PATH_BYTES, "If-Match: %.*s\r\n", (int)strcspn(etag + 8, "\r"), etag + 8);
}

START_TEST(a_change_succeeds_only_on_the_version_that_it_names) {
    static const char row[] = "MERGE /inventory(PartitionKey='p',RowKey='r00001')";
    char first[PATH_BYTES];
    simulated_make_table();
    ck_assert_int_eq(simulated_insert("p", 1, 1), 204);
    take_etag(first);
    ck_assert_int_eq(simulated_ask_table(row, first, "{\"quantity\":2}"), 204);
    ck_assert_int_eq(simulated_ask_table(row, first, "{\"quantity\":3}"), 412);
    ASSERT_SAYS("UpdateConditionNotSatisfied");
    ck_assert_int_eq(
        simulated_ask_table("GET /inventory(PartitionKey='p',RowKey='r00001')", "", ""), 200);
    ASSERT_SAYS("\"quantity\":2");
}
END_TEST

START_TEST(a_row_written_again_after_its_deletion_has_a_new_etag) {
    char first[PATH_BYTES], second[PATH_BYTES];
    simulated_make_table();
    simulated_insert("p", 1, 1);
    take_etag(first);
    ck_assert_int_eq(
        simulated_ask_table("DELETE /inventory(PartitionKey='p',RowKey='r00001')", first, ""), 204);
    simulated_insert("p", 1, 1);
    take_etag(second);
    ck_assert_str_ne(first, second);
}
END_TEST

START_TEST(a_merge_keeps_what_it_does_not_name_and_a_replacement_does_not) {
    simulated_make_table();
    simulated_insert("p", 1, 7);
    ck_assert_int_eq(simulated_ask_table("MERGE /inventory(PartitionKey='p',RowKey='r00001')", "",
                                         "{\"a\":1,\"b\":null}"),
                     204);
    simulated_ask_table("GET /inventory(PartitionKey='p',RowKey='r00001')", "", "");
    ck_assert(simulated_says("\"quantity\":7,\"a\":1}"));
    ck_assert_int_eq(
        simulated_ask_table("PUT /inventory(PartitionKey='p',RowKey='r00001')", "", "{\"b\":2}"),
        204);
    simulated_ask_table("GET /inventory(PartitionKey='p',RowKey='r00001')", "", "");
    ck_assert(simulated_says("\"b\":2}") && !simulated_says("quantity"));
}
END_TEST

START_TEST(strings_are_compared_by_what_they_mean) {
    simulated_make_table();
    ck_assert_int_eq(simulated_ask_table("POST /inventory", NO_CONTENT,
                                         "{\"PartitionKey\":\"p\",\"RowKey\":\"\\u0072\","
                                         "\"customer\":\"O'\\u0042 \\\"\\u20ac\"}"),
                     204);
    ck_assert_int_eq(simulated_ask_table(
                         "GET /inventory()?$filter=customer%20eq%20'O''B%20%22%E2%82%AC'", "", ""),
                     200);
    ASSERT_SAYS("\"RowKey\":\"r\"");
}
END_TEST

/* ---- pages ---- */

/* The next page's path, from the last answer's headers; false: there is none. */
static bool next_page(const char *path, char out[PATH_BYTES]) {
    const char *partition =
        strstr(simulated_calls.answer.data, "x-ms-continuation-NextPartitionKey: ");
    const char *row = strstr(simulated_calls.answer.data, "x-ms-continuation-NextRowKey: ");
    if (partition == NULL || row == NULL) {
        return false;
    }
    partition = strchr(partition, ' ') + 1;
    row = strchr(row, ' ') + 1;
    snprintf(out, PATH_BYTES, "%s&NextPartitionKey=%.*s&NextRowKey=%.*s", path,
             (int)strcspn(partition, "\r"), partition, (int)strcspn(row, "\r"), row);
    return true;
}

/* How many rows the last answer has; each must come right after the one before. */
static int count_rows(int *io_row) {
    int count = 0;
    for (const char *at = simulated_calls.answer.data; (at = strstr(at, "\"RowKey\":\"r")) != NULL;
         count++) {
        at += strlen("\"RowKey\":\"r");
        ck_assert_int_eq(strtol(at, NULL, 10), (*io_row)++);
    }
    return count;
}

static void assert_pages(const char *path, int rows, int page_rows) {
    char page[PATH_BYTES];
    int row = 0, count;
    snprintf(page, sizeof page, "%s", path);
    bool more;
    do {
        ck_assert_int_eq(simulated_ask_table(page, "", ""), 200);
        count = count_rows(&row);
        more = next_page(path, page);
        ck_assert_int_eq(count, more ? page_rows : rows - (rows - 1) / page_rows * page_rows);
    } while (more);
    ck_assert_int_eq(row, rows);
}

static void insert_many(int rows) {
    simulated_make_table();
    for (int row = 0; row < rows; row++) { /* into three partitions, one after the other */
        ck_assert_int_eq(simulated_insert(row < 900    ? "it''s"
                                          : row < 1800 ? "p"
                                                       : "p%20q",
                                          row, row),
                         204);
    }
}

START_TEST(a_query_is_answered_in_pages_of_1000_rows) {
    insert_many(MANY_ROWS);
    assert_pages("GET /inventory()?x=", MANY_ROWS, QUERY_PAGE_ROWS);
}
END_TEST

START_TEST(pages_may_be_smaller) {
    insert_many(10);
    assert_pages("GET /inventory()?$top=3", 10, 3);
    simulated_calls.storage.page_rows = 4;
    assert_pages("GET /inventory()?x=", 10, 4);
    assert_pages("GET /inventory()?$top=3", 10, 3);
    assert_pages("GET /inventory()?$filter=PartitionKey%20eq%20'it''''s'", 10, 4);
}
END_TEST

START_TEST(a_last_page_that_is_full_has_no_next) {
    insert_many(1000);
    assert_pages("GET /inventory()?x=", 1000, QUERY_PAGE_ROWS);
}
END_TEST

/* ---- transactions ---- */

static struct strbuf parts;

static void begin_transaction(void) {
    strbuf_init(&parts, SIZE_MAX);
    strbuf_append_string(
        &parts, "--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n");
}

static void add_part(const char *request_line, const char *headers, const char *body) {
    strbuf_appendf(&parts,
                   "--changeset_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: "
                   "binary\r\n\r\n"
                   "%s HTTP/1.1\r\n%s\r\n%s\r\n",
                   request_line, headers, body);
}

static void add_insert(const char *partition_key, int row) {
    char body[128];
    snprintf(body, sizeof body, "{\"PartitionKey\":\"%s\",\"RowKey\":\"r%05d\"}", partition_key,
             row);
    add_part("POST https://acme.table.core.windows.net/inventory", NO_CONTENT, body);
}

static int send_parts(void) {
    int status = simulated_ask_table(
        "POST /$batch", "Content-Type: multipart/mixed; boundary=batch_1\r\n", parts.data);
    strbuf_cleanup(&parts);
    return status;
}

static int send_transaction(void) {
    strbuf_append_string(&parts, "--changeset_1--\r\n--batch_1--\r\n");
    return send_parts();
}

static int count_parts(const char *status) {
    char text[32];
    int count = 0;
    snprintf(text, sizeof text, "\r\n\r\nHTTP/1.1 %s ", status);
    for (const char *at = simulated_calls.answer.data; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

static int count_stored(void) {
    int count = 0;
    simulated_ask_table("GET /inventory()", "", "");
    for (const char *at = simulated_calls.answer.data; (at = strstr(at, "\"RowKey\"")) != NULL;
         at++) {
        count++;
    }
    return count;
}

START_TEST(a_transaction_of_100_operations_is_made) {
    simulated_make_table();
    begin_transaction();
    for (int row = 0; row < TRANSACTION_MAX_OPERATIONS; row++) {
        add_insert("p", row);
    }
    ck_assert_int_eq(send_transaction(), 202);
    ck_assert_int_eq(count_parts("204"), TRANSACTION_MAX_OPERATIONS);
    ck_assert_uint_eq(simulated_calls.storage.outcome.change_count, TRANSACTION_MAX_OPERATIONS);
    ck_assert_str_eq(simulated_calls.storage.outcome.code, "");
    ck_assert_int_eq(count_stored(), TRANSACTION_MAX_OPERATIONS);
}
END_TEST

static void add_101(void) {
    for (int row = 0; row <= TRANSACTION_MAX_OPERATIONS; row++) {
        add_insert("p", row);
    }
}

static void add_two_partitions(void) {
    add_insert("p", 1);
    add_insert("q", 2);
}

static void add_a_row_twice(void) {
    add_insert("p", 1);
    add_insert("p", 2);
    add_insert("p", 1);
}

static void add_a_row_that_is_there(void) {
    add_insert("p", 1);
    add_insert("p", 7);
}

static void add_a_row_that_is_missing(void) {
    add_insert("p", 1);
    add_part("MERGE https://acme.table.core.windows.net/inventory(PartitionKey='p',RowKey='none')",
             "If-Match: *\r\n", "{\"a\":1}");
}

static void add_a_wrong_etag(void) {
    add_insert("p", 1);
    add_part(
        "DELETE https://acme.table.core.windows.net/inventory(PartitionKey='p',RowKey='r00007')",
        "If-Match: W/\"datetime'2026'\"\r\n", "");
}

static void add_nothing(void) {
}

static const struct {
    void (*add)(void);
    const char *status, *code, *index;
} refused[] = {
    {add_101, "400", "InvalidInput", "\"value\":\"99:"},
    {add_two_partitions, "400", "CommandsInBatchActOnDifferentPartitions", "\"value\":\"1:"},
    {add_a_row_twice, "400", "InvalidDuplicateRow", "\"value\":\"2:"},
    {add_a_row_that_is_there, "409", "EntityAlreadyExists", "\"value\":\"1:"},
    {add_a_row_that_is_missing, "404", "ResourceNotFound", "\"value\":\"1:"},
    {add_a_wrong_etag, "412", "UpdateConditionNotSatisfied", "\"value\":\"1:"},
    {add_nothing, "400", "InvalidInput", "\"value\":\"0:"},
};

START_TEST(a_transaction_is_made_whole_or_not_at_all) {
    simulated_make_table();
    simulated_insert("p", 7, 7);
    begin_transaction();
    refused[_i].add();
    ck_assert_int_eq(send_transaction(), 202);
    ck_assert_int_eq(count_parts(refused[_i].status), 1);
    ck_assert_int_eq(count_parts("204"), 0);
    ASSERT_SAYS(refused[_i].code);
    ASSERT_SAYS(refused[_i].index);
    ck_assert_str_eq(simulated_calls.storage.outcome.code, refused[_i].code);
    ck_assert_int_eq(count_stored(), 1);
}
END_TEST

START_TEST(a_transaction_over_4_mib_is_refused) {
    simulated_make_table();
    for (int is_over = 0; is_over <= 1; is_over++) {
        begin_transaction();
        add_insert("p", is_over);
        strbuf_append_string(&parts, "--changeset_1--\r\n--batch_1--\r\n");
        while (parts.length < TRANSACTION_MAX_BYTES + (size_t)is_over) {
            strbuf_append_char(&parts, '\n'); /* which says nothing */
        }
        ck_assert_int_eq(send_parts(), is_over ? 413 : 202);
    }
    ASSERT_SAYS("RequestBodyTooLarge");
    ck_assert_int_eq(count_stored(), 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("simulated_tables");
    TCase *tests = tcase_create("storage");
    tcase_add_checked_fixture(tests, simulated_calls_begin, simulated_calls_end);
    tcase_add_test(tests, a_table_that_was_deleted_is_being_deleted_for_40_s);
    tcase_add_test(tests, a_change_succeeds_only_on_the_version_that_it_names);
    tcase_add_test(tests, a_row_written_again_after_its_deletion_has_a_new_etag);
    tcase_add_test(tests, a_merge_keeps_what_it_does_not_name_and_a_replacement_does_not);
    tcase_add_test(tests, strings_are_compared_by_what_they_mean);
    tcase_add_test(tests, a_query_is_answered_in_pages_of_1000_rows);
    tcase_add_test(tests, pages_may_be_smaller);
    tcase_add_test(tests, a_last_page_that_is_full_has_no_next);
    tcase_add_test(tests, a_transaction_of_100_operations_is_made);
    tcase_add_loop_test(tests, a_transaction_is_made_whole_or_not_at_all, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(tests, a_transaction_over_4_mib_is_refused);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
