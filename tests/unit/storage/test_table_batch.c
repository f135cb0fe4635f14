#include "storage/table_batch.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "support/processes/check_main.h"

enum { MAX_BYTES = 1024 * 1024 };

/* Golden files have LF, bodies have CRLF. */
static struct strbuf read_golden(const char *name, const char *line_end) {
    const char *root = getenv("LEASEHOLD_ROOT");
    char path[512];
    snprintf(path, sizeof path, "%s/tests/data/batch/%s", root ? root : ".", name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no golden file %s", path);
    struct strbuf text;
    strbuf_init(&text, MAX_BYTES);
    for (int c; (c = fgetc(file)) != EOF;) {
        char byte = (char)c;
        if (byte == '\n') {
            strbuf_append_string(&text, line_end);
        } else {
            strbuf_append(&text, &byte, 1);
        }
    }
    fclose(file);
    ck_assert_int_eq(strbuf_status(&text), STATUS_OK);
    return text;
}

/* Reads an exact copy, so that AddressSanitizer notices any read past its end. */
static enum status read_exactly(const char *content_type, const char *body, size_t length,
                                size_t count, struct table_batch_answer *out, struct error *err) {
    char *copy = malloc(length ? length : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, body, length);
    enum status status = table_batch_read(content_type, copy, length, count, out, err);
    free(copy);
    return status;
}

static enum status read_text(const char *content_type, const char *body, size_t count,
                             struct table_batch_answer *out) {
    return read_exactly(content_type, body, strlen(body), count, out, NULL);
}

static enum status read_file_as(const char *name, const char *line_end, const char *content_type,
                                size_t count, struct table_batch_answer *out) {
    struct strbuf body = read_golden(name, line_end);
    enum status status = read_exactly(content_type, body.data, body.length, count, out, NULL);
    strbuf_cleanup(&body);
    return status;
}

#define AZURE_SUCCESS "multipart/mixed; boundary=batchresponse_4c637ba4-b2f8-40f8-8856-c2d10d163a83"
#define AZURE_FAILURE "multipart/mixed; boundary=batchresponse_e69b1c6c-62ff-472e-ab88-9a4aeb34de47"
#define AZURITE "multipart/mixed; boundary=batchresponse_3f2a"

/* ---- writing ---- */

START_TEST(three_operations_are_written_as_the_golden_file_has_them) {
    const char *row = "{\"PartitionKey\":\"PROD-001\",\"RowKey\":\"r1\",\"customerId\":"
                      "\"line\\nend and \\u2028 another\"}";
    const struct table_operation operations[] = {
        {TABLE_MERGE, "PROD-001", "it's 100% & \xC3\xA4",
         "W/\"datetime'2025-01-19T14%3A45%3A30.1234567Z'\"", "{\"available\":95}"},
        {TABLE_INSERT, "PROD-001", "r1", NULL, row},
        {TABLE_DELETE, "PROD-001", "r2", "*", NULL},
    };
    struct strbuf out, golden = read_golden("request.txt", "\r\n");
    strbuf_init(&out, MAX_BYTES);
    table_batch_write("https://acct.table.core.windows.net", "inventory", operations, 3, "3f2a",
                      &out);
    ck_assert_int_eq(strbuf_status(&out), STATUS_OK);
    ck_assert_str_eq(out.data, golden.data);
    strbuf_cleanup(&out);
    strbuf_cleanup(&golden);
}
END_TEST

START_TEST(quotes_in_keys_are_doubled_and_everything_that_a_url_reserves_is_encoded) {
    struct strbuf out;
    strbuf_init(&out, MAX_BYTES);
    table_batch_append_entity_path(&out, "t", "O'Neil", "a+b&c#d%e f?g=h,)'");
    ck_assert_str_eq(
        out.data,
        "/t(PartitionKey='O%27%27Neil',RowKey='a%2Bb%26c%23d%25e%20f%3Fg%3Dh%2C%29%27%27')");
    strbuf_cleanup(&out);
}
END_TEST

START_TEST(a_body_over_its_limit_is_remembered_as_too_large) {
    const struct table_operation operation = {TABLE_DELETE, "p", "r", "*", NULL};
    struct strbuf out;
    strbuf_init(&out, 200);
    table_batch_write("https://acct.table.core.windows.net", "t", &operation, 1, "3f2a", &out);
    ck_assert_int_eq(strbuf_status(&out), STATUS_TOO_LARGE);
    strbuf_cleanup(&out);
}
END_TEST

START_TEST(an_etag_that_would_end_its_header_is_not_written) {
    static const char *const etags[] = {"", "x\r\nIf-Match: *", "x\ny", "x\ry", "x\x7f"};
    for (size_t i = 0; i < sizeof etags / sizeof etags[0]; i++) {
        const struct table_operation operation = {TABLE_DELETE, "p", "r", etags[i], NULL};
        struct strbuf out;
        strbuf_init(&out, 4096);
        table_batch_write("https://acct.table.core.windows.net", "t", &operation, 1, "3f2a", &out);
        ck_assert_int_eq(strbuf_status(&out), STATUS_INVALID_ARGUMENT);
        strbuf_cleanup(&out);
    }
}
END_TEST

/* ---- reading what services say ---- */

static const char *const line_ends[] = {"\r\n", "\n"};

START_TEST(azures_success_tells_the_first_operations_etag) {
    struct table_batch_answer answer;
    ck_assert_int_eq(read_file_as("azure_success.txt", line_ends[_i], AZURE_SUCCESS, 2, &answer),
                     STATUS_OK);
    ck_assert_int_eq(answer.http_status, 204);
    ck_assert_int_eq(answer.answer_count, 2);
    ck_assert_str_eq(answer.first_etag, "W/\"datetime'2025-01-19T14%3A45%3A30.1234567Z'\"");
    ck_assert_str_eq(answer.code, "");
}
END_TEST

START_TEST(azures_failure_tells_status_code_and_the_messages_first_line) {
    struct table_batch_answer answer;
    ck_assert_int_eq(read_file_as("azure_failure.txt", line_ends[_i], AZURE_FAILURE, 2, &answer),
                     STATUS_OK);
    ck_assert_int_eq(answer.http_status, 404);
    ck_assert_str_eq(answer.code, "ResourceNotFound");
    ck_assert_str_eq(answer.message, "1:The specified resource does not exist.");
    ck_assert_str_eq(answer.first_etag, "");
}
END_TEST

START_TEST(azurites_success_is_read) {
    struct table_batch_answer answer;
    ck_assert_int_eq(read_file_as("azurite_success.txt", line_ends[_i], AZURITE, 3, &answer),
                     STATUS_OK);
    ck_assert_int_eq(answer.http_status, 204);
    ck_assert_int_eq(answer.answer_count, 3);
    ck_assert_str_eq(answer.first_etag, "W/\"datetime'2026-11-23T15%3A01%3A09.7452127Z'\"");
}
END_TEST

START_TEST(azurites_failure_is_read) {
    struct table_batch_answer answer;
    ck_assert_int_eq(read_file_as("azurite_failure.txt", line_ends[_i], AZURITE, 2, &answer),
                     STATUS_OK);
    ck_assert_int_eq(answer.http_status, 412);
    ck_assert_str_eq(answer.code, "UpdateConditionNotSatisfied");
}
END_TEST

#define PART "Content-Type: application/http\r\n\r\n"

START_TEST(a_failure_outside_of_any_change_set_is_read) {
    struct table_batch_answer answer;
    ck_assert_int_eq(read_text("multipart/mixed; charset=utf-8; Boundary=\"b b\"; x=y",
                               "preamble\r\n--b b\r\n" PART "HTTP/1.1 503 Server Busy\r\n\r\n"
                               "{\"odata.error\":{\"code\":\"ServerBusy\",\"message\":{\"value\":"
                               "\"wait\"}}}\r\n--b b--",
                               1, &answer),
                     STATUS_OK);
    ck_assert_int_eq(answer.http_status, 503);
    ck_assert_str_eq(answer.code, "ServerBusy");
    ck_assert_str_eq(answer.message, "wait");
}
END_TEST

/* Storage adds a code to each failure, and its only success here is 204. */
START_TEST(a_part_that_is_not_storages_is_malformed) {
    static const char *const parts[] = {"400 Bad Request\r\n\r\n",
                                        "412 Failed\r\n\r\n<Error><Code>X</Code></Error>",
                                        "404 Not Found\r\n\r\n{\"odata.error\":[]}",
                                        "409 Conflict\r\n\r\n{\"odata.error\":{\"code\":\"\"}}",
                                        "500 Error\r\n\r\n[]",
                                        "200 OK\r\n\r\n{}",
                                        "201 Created\r\n\r\n{}",
                                        "202 Accepted\r\n\r\n",
                                        "302 Found\r\n\r\n{\"odata.error\":{\"code\":\"X\"}}"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char body[512];
        struct table_batch_answer answer;
        snprintf(body, sizeof body, "--b\r\n" PART "HTTP/1.1 %s\r\n--b--", parts[i]);
        ck_assert_int_eq(read_text("multipart/mixed; boundary=b", body, 1, &answer),
                         STATUS_MALFORMED);
        snprintf(body, sizeof body,
                 "--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n\r\n--b\r\n" PART "HTTP/1.1 %s\r\n--b--",
                 parts[i]);
        ck_assert_int_eq(read_text("multipart/mixed; boundary=b", body, 2, &answer),
                         STATUS_MALFORMED);
        snprintf(body, sizeof body,
                 "--b\r\n" PART "HTTP/1.1 %s\r\n--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n\r\n--b--",
                 parts[i]);
        ck_assert_int_eq(read_text("multipart/mixed; boundary=b", body, 2, &answer),
                         STATUS_MALFORMED);
    }
}
END_TEST

START_TEST(a_message_that_repeats_the_request_is_reported_without_its_secrets) {
    struct table_batch_answer answer;
    const char *body =
        "--b\r\n" PART "HTTP/1.1 403 Forbidden\r\n\r\n"
        "{\"odata.error\":{\"code\":\"AuthorizationFailure\",\"message\":{\"value\":\"0:No: POST "
        "/$batch?sv=1&sig=SECRET Authorization: SharedKey acme:SECRET\"}}}\r\n--b--";
    ck_assert_int_eq(read_text("multipart/mixed; boundary=b", body, 1, &answer), STATUS_OK);
    ck_assert_str_eq(answer.message, "0:No: POST *** Authorization: *** ***");
}
END_TEST

START_TEST(an_etag_with_a_control_character_is_malformed) {
    struct table_batch_answer answer;
    ck_assert_int_eq(read_text("multipart/mixed; boundary=b",
                               "--b\r\n" PART
                               "HTTP/1.1 204 No Content\r\nETag: x\ry\r\n\r\n\r\n--b--",
                               1, &answer),
                     STATUS_MALFORMED);
}
END_TEST

START_TEST(the_first_failure_counts_whatever_stands_around_it) {
    struct table_batch_answer answer;
    const char *body = "--b\r\n" PART "HTTP/1.1 204 No Content\r\nETag: x\r\n\r\n\r\n"
                       "--b\r\n" PART "HTTP/1.1 412 Precondition Failed\r\n\r\n"
                       "{\"odata.error\":{\"code\":\"UpdateConditionNotSatisfied\"}}\r\n"
                       "--b\r\n" PART "HTTP/1.1 500 Internal\r\n\r\n\r\n"
                       "--b\r\n" PART "HTTP/1.1 204 No Content\r\n\r\n\r\n--b--";
    ck_assert_int_eq(read_text("multipart/mixed; boundary=b", body, 4, &answer), STATUS_OK);
    ck_assert_int_eq(answer.http_status, 412);
}
END_TEST

START_TEST(a_line_that_only_begins_like_the_boundary_is_no_delimiter) {
    struct table_batch_answer answer;
    const char *body =
        "--b\r\n" PART "HTTP/1.1 204 No Content\r\n\r\n--bb\r\n--b-\r\n--b---\r\n--b--";
    ck_assert_int_eq(read_text("multipart/mixed; boundary=b", body, 1, &answer), STATUS_OK);
    ck_assert_int_eq(answer.answer_count, 1);
}
END_TEST

START_TEST(an_empty_etag_is_none) {
    struct table_batch_answer answer;
    ck_assert_int_eq(read_text("multipart/mixed; boundary=b",
                               "--b\r\n" PART "HTTP/1.1 204 x\r\nETag: \r\n\r\n--b--", 1, &answer),
                     STATUS_OK);
    ck_assert_str_eq(answer.first_etag, "");
}
END_TEST

/* ---- reading what nobody should say ---- */

START_TEST(successes_that_are_fewer_or_more_than_the_operations_are_refused) {
    struct table_batch_answer answer;
    ck_assert_int_eq(read_file_as("azure_success.txt", "\r\n", AZURE_SUCCESS, 1, &answer),
                     STATUS_MALFORMED);
    ck_assert_int_eq(read_file_as("azure_success.txt", "\r\n", AZURE_SUCCESS, 3, &answer),
                     STATUS_MALFORMED);
}
END_TEST

START_TEST(an_answer_cut_short_anywhere_is_refused_and_leaves_the_output_alone) {
    static const char *const files[][2] = {{"azure_success.txt", AZURE_SUCCESS},
                                           {"azure_failure.txt", AZURE_FAILURE}};
    struct strbuf body = read_golden(files[_i][0], "\r\n");
    size_t end = (size_t)(strstr(body.data, "--\r\n--batchresponse_") - body.data) + 2;
    struct table_batch_answer answer;
    for (size_t length = 0; length < end; length++) {
        memset(&answer, 0x5A, sizeof answer);
        ck_assert_msg(read_exactly(files[_i][1], body.data, length, 2, &answer, NULL) ==
                          STATUS_MALFORMED,
                      "taken when cut to %zu bytes", length);
        ck_assert_int_eq(answer.answer_count, 0x5A5A5A5A);
    }
    ck_assert_int_eq(read_exactly(files[_i][1], body.data, end, 2, &answer, NULL), STATUS_OK);
    strbuf_cleanup(&body);
}
END_TEST

START_TEST(no_changed_byte_makes_the_reader_leave_the_body) {
    static const char *const files[][2] = {{"azure_success.txt", AZURE_SUCCESS},
                                           {"azurite_failure.txt", AZURITE}};
    static const char bytes[] = {'\0', '\n', '\r', '-', ':', '"', ' ', (char)0xFF};
    struct strbuf body = read_golden(files[_i][0], "\r\n");
    for (size_t i = 0; i < body.length; i++) {
        char original = body.data[i];
        for (size_t b = 0; b < sizeof bytes; b++) {
            body.data[i] = bytes[b];
            struct table_batch_answer answer;
            enum status status =
                read_exactly(files[_i][1], body.data, body.length, 2, &answer, NULL);
            ck_assert(status == STATUS_OK || status == STATUS_MALFORMED);
        }
        body.data[i] = original;
    }
    strbuf_cleanup(&body);
}
END_TEST

START_TEST(what_is_no_batch_answer_is_refused) {
    static const struct {
        const char *content_type, *body;
    } cases[] = {
        {"", "--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n--b--"},
        {"application/json", "{}"},
        {"multipart/mixed; boundary=", "--\r\n" PART "HTTP/1.1 204 x\r\n\r\n----"},
        {"multipart/mixed; boundary=\"", "--\r\n"},
        {"multipart/mixed; "
         "boundary=1234567890123456789012345678901234567890123456789012345678901234567890123",
         ""},
        {"multipart/mixed; boundary=b", ""},
        {"multipart/mixed; boundary=b", "--b--"},
        {"multipart/mixed; boundary=b", "--b\r\n\r\n--b--"},
        {"multipart/mixed; boundary=b", "--b\r\n" PART "HTTP/1.1 2O4 x\r\n\r\n--b--"},
        {"multipart/mixed; boundary=b", "--b\r\n" PART "HTTP/1.1 2045 x\r\n\r\n--b--"},
        {"multipart/mixed; boundary=b", "--b\r\n" PART "HTTP/1.1 099 x\r\n\r\n--b--"},
        {"multipart/mixed; boundary=b", "--b\r\n" PART "HTTP/1.1 600 x\r\n\r\n--b--"},
        {"multipart/mixed; boundary=b", "--b\r\n" PART "204 No Content\r\n\r\n--b--"},
        {"multipart/mixed; boundary=b", "--b\r\n" PART "HTTP/1.1 204 x\r\nno header\r\n\r\n--b--"},
        {"multipart/mixed; boundary=b",
         "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--"},
        {"multipart/mixed; boundary=b", "--b\r\n" PART "HTTP/1.1 204 x\r\n\r\n--b\r\n--b--"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct table_batch_answer answer;
        ck_assert_msg(read_text(cases[i].content_type, cases[i].body, 1, &answer) ==
                          STATUS_MALFORMED,
                      "case %zu", i);
    }
}
END_TEST

START_TEST(an_etag_or_boundary_too_long_for_its_place_is_refused) {
    char body[1024], etag[TABLE_ETAG_BYTES + 1];
    struct table_batch_answer answer;
    memset(etag, 'e', sizeof etag);
    for (int length = TABLE_ETAG_BYTES - 1; length <= TABLE_ETAG_BYTES; length++) {
        snprintf(body, sizeof body, "--b\r\n" PART "HTTP/1.1 204 x\r\nETag: %.*s\r\n\r\n--b--",
                 length, etag);
        ck_assert_int_eq(read_text("multipart/mixed; boundary=b", body, 1, &answer),
                         length < TABLE_ETAG_BYTES ? STATUS_OK : STATUS_MALFORMED);
    }
    snprintf(body, sizeof body, "--b\r\nContent-Type: multipart/mixed; boundary=%.72s\r\n\r\n--b--",
             etag);
    ck_assert_int_eq(read_text("multipart/mixed; boundary=b", body, 1, &answer), STATUS_MALFORMED);
}
END_TEST

static const char empty_part[] = "--b\n" PART "HTTP/1.1 204 x\n\n";
static const char *const fillers[] = {"--",       "--b",       "\n",
                                      empty_part, "ETag: x\n", "Content-Type: boundary"};
enum { FILLER_COUNT = sizeof fillers / sizeof fillers[0] };

/* 8 MiB that look like delimiters and headers. A reader that goes back would take hours. */
START_TEST(a_hostile_body_of_megabytes_is_read_in_linear_time) {
    struct strbuf body;
    strbuf_init(&body, SIZE_MAX);
    strbuf_append_string(&body, "--b\r\n" PART "HTTP/1.1 204 x\r\n");
    while (body.length < (size_t)8 * 1024 * 1024) {
        strbuf_append_string(&body, fillers[_i]);
    }
    ck_assert_int_eq(strbuf_status(&body), STATUS_OK);
    struct table_batch_answer answer;
    ck_assert_int_eq(
        table_batch_read("multipart/mixed; boundary=b", body.data, body.length, 1, &answer, NULL),
        STATUS_MALFORMED);
    strbuf_cleanup(&body);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("table_batch");
    TCase *writing = tcase_create("writing");
    tcase_add_test(writing, three_operations_are_written_as_the_golden_file_has_them);
    tcase_add_test(writing,
                   quotes_in_keys_are_doubled_and_everything_that_a_url_reserves_is_encoded);
    tcase_add_test(writing, a_body_over_its_limit_is_remembered_as_too_large);
    tcase_add_test(writing, an_etag_that_would_end_its_header_is_not_written);
    suite_add_tcase(suite, writing);
    TCase *reading = tcase_create("reading");
    tcase_add_loop_test(reading, azures_success_tells_the_first_operations_etag, 0, 2);
    tcase_add_loop_test(reading, azures_failure_tells_status_code_and_the_messages_first_line, 0,
                        2);
    tcase_add_loop_test(reading, azurites_success_is_read, 0, 2);
    tcase_add_loop_test(reading, azurites_failure_is_read, 0, 2);
    tcase_add_test(reading, a_failure_outside_of_any_change_set_is_read);
    tcase_add_test(reading, a_part_that_is_not_storages_is_malformed);
    tcase_add_test(reading, the_first_failure_counts_whatever_stands_around_it);
    tcase_add_test(reading, a_line_that_only_begins_like_the_boundary_is_no_delimiter);
    tcase_add_test(reading, an_empty_etag_is_none);
    suite_add_tcase(suite, reading);
    TCase *hostile = tcase_create("hostile");
    tcase_add_test(hostile, successes_that_are_fewer_or_more_than_the_operations_are_refused);
    tcase_add_loop_test(hostile,
                        an_answer_cut_short_anywhere_is_refused_and_leaves_the_output_alone, 0, 2);
    tcase_add_loop_test(hostile, no_changed_byte_makes_the_reader_leave_the_body, 0, 2);
    tcase_add_test(hostile, what_is_no_batch_answer_is_refused);
    tcase_add_test(hostile, an_etag_or_boundary_too_long_for_its_place_is_refused);
    tcase_add_test(hostile, a_message_that_repeats_the_request_is_reported_without_its_secrets);
    tcase_add_test(hostile, an_etag_with_a_control_character_is_malformed);
    tcase_add_loop_test(hostile, a_hostile_body_of_megabytes_is_read_in_linear_time, 0,
                        FILLER_COUNT);
    suite_add_tcase(suite, hostile);
    return check_main(suite);
}
