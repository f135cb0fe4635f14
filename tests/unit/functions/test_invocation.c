#include "functions/invocation.h"

#include <string.h>

#include "support/fakes/json_memory.h"
#include "support/processes/check_main.h"

static struct invocation invocation;
static struct http_response answer, out;
static struct error err;

static void set_up(void) {
    http_response_init(&answer, 4096);
    http_response_init(&out, 4096);
}

static void tear_down(void) {
    http_response_cleanup(&answer);
    http_response_cleanup(&out);
}

static enum status parse(const char *payload, bool expects_request) {
    return invocation_parse(payload, strlen(payload), expects_request, &invocation, &err);
}

/* ---- payloads ---- */

START_TEST(an_http_payload_is_read) {
    ck_assert_int_eq(
        parse(
            "{\"Data\":{\"req\":{\"Url\":\"http://localhost:7071/api/inventory/PROD-001/"
            "reserve?x=1\","
            "\"Method\":\"POST\",\"Query\":{\"x\":\"1\"},"
            "\"Headers\":{\"Accept\":[\"*/*\"],\"content-TYPE\":[\"application/json\",\"x\"],"
            "\"If-Match\":[\"\\\"7\\\"\"],\"if-none-match\":[\"*\",\"*\"],"
            "\"idempotency-Key\":[\"k\"],\"Content-Encoding\":[\"gzip\"]},"
            "\"Params\":{\"productId\":\"PROD-001\"},\"Identities\":[{\"IsAuthenticated\":false}],"
            "\"Body\":\"{\\\"quantity\\\":5}\"}},\"Metadata\":{\"sys\":{\"MethodName\":"
            "\"ReserveInventory\"}}}",
            true),
        STATUS_OK);
    ck_assert_str_eq(invocation.method, "POST");
    ck_assert_str_eq(invocation_param(&invocation, "productId"), "PROD-001");
    ck_assert_str_eq(invocation.content_type.text, "application/json");
    ck_assert(invocation.content_type.is_repeated);
    ck_assert_str_eq(invocation.idempotency_key.text, "k");
    ck_assert(!invocation.idempotency_key.is_repeated);
    ck_assert_str_eq(invocation.content_encoding.text, "gzip");
    ck_assert_str_eq(invocation.if_match.text, "\"7\"");
    ck_assert_str_eq(invocation.if_none_match.text, "*");
    ck_assert(invocation.if_none_match.is_repeated);
    ck_assert_str_eq(invocation.query, "x=1");
    ck_assert_str_eq(invocation.body, "{\"quantity\":5}");
    invocation_cleanup(&invocation);
}
END_TEST

START_TEST(what_a_request_need_not_have_may_be_absent) {
    ck_assert_int_eq(parse("{\"Data\":{\"req\":{\"Method\":\"GET\"}}}", true), STATUS_OK);
    ck_assert_str_eq(invocation_param(&invocation, "productId"), "");
    ck_assert_str_eq(invocation.query, "");
    ck_assert_ptr_null(invocation.content_type.text);
    ck_assert_str_eq(invocation.body, "");
    invocation_cleanup(&invocation);
    ck_assert_int_eq(
        parse("{\"Data\":{\"req\":{\"Method\":\"GET\",\"Query\":\"{}\",\"Body\":null,\"Params\":{},"
              "\"Headers\":{\"Content-Type\":[]}}}}",
              true),
        STATUS_OK);
    ck_assert_str_eq(invocation.body, "");
    ck_assert_ptr_null(invocation.content_type.text);
    invocation_cleanup(&invocation);
}
END_TEST

START_TEST(a_header_may_be_a_plain_string) {
    ck_assert_int_eq(parse("{\"Data\":{\"req\":{\"Method\":\"GET\",\"Headers\":{\"Content-Type\":"
                           "\"text/json\"}}}}",
                           true),
                     STATUS_OK);
    ck_assert_str_eq(invocation.content_type.text, "text/json");
    invocation_cleanup(&invocation);
}
END_TEST

START_TEST(a_timers_payload_needs_no_request) {
    ck_assert_int_eq(
        parse("{\"Data\":{\"timer\":{\"Schedule\":{\"AdjustForDST\":true},\"ScheduleStatus\":null,"
              "\"IsPastDue\":false}},\"Metadata\":{}}",
              false),
        STATUS_OK);
    ck_assert_ptr_null(invocation.method);
    invocation_cleanup(&invocation);
}
END_TEST

START_TEST(what_is_no_payload_is_malformed) {
    static const char *const payloads[] = {"",
                                           "x",
                                           "[]",
                                           "null",
                                           "{}",
                                           "{\"Data\":null}",
                                           "{\"Data\":[]}",
                                           "{\"Data\":\"{}\"}",
                                           "{\"data\":{\"req\":{\"Method\":\"POST\"}}}",
                                           "{\"Data\":{}}",
                                           "{\"Data\":{\"req\":null}}",
                                           "{\"Data\":{\"req\":\"POST\"}}",
                                           "{\"Data\":{\"req\":{}}}",
                                           "{\"Data\":{\"req\":{\"Method\":1}}}",
                                           "{\"Data\":{\"req\":{\"Method\":\"POST\",\"Body\":{}}}}",
                                           "{\"Data\":{\"req\":{\"Method\":\"POST\",\"Body\":7}}}",
                                           "{\"Data\":{\"req\":{\"Method\":\"POST\"}}}}",
                                           "{\"Data\":{\"req\":{\"Method\":\"\xFF\"}}}"};
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        ck_assert_msg(parse(payloads[i], true) == STATUS_MALFORMED, "%s", payloads[i]);
    }
    ck_assert_int_eq(parse("{\"Data\":0}", false), STATUS_MALFORMED);
    ck_assert_int_eq(parse("", false), STATUS_MALFORMED);
}
END_TEST

START_TEST(a_nul_of_the_callers_becomes_another_control_character) {
    ck_assert_int_eq(
        parse("{\"Data\":{\"req\":{\"Method\":\"POST\",\"Query\":{\"\\u0000\":\"\\u0000\"},"
              "\"Params\":{\"productId\":\"A\\u0000\\\\u0000\"},"
              "\"Body\":\"\\\\\\u0000\\\\u0000\\u00001\"}},\"Metadata\":{\"x\":\"\\u0000\"}}",
              true),
        STATUS_OK);
    ck_assert_str_eq(invocation_param(&invocation, "productId"), "A\x01\\u0000");
    ck_assert_str_eq(invocation.body, "\\\x01\\u0000\x01"
                                      "1");
    invocation_cleanup(&invocation);
}
END_TEST

START_TEST(a_payload_that_ends_in_an_escape_is_malformed) {
    static const char text[] = "{\"Data\":\"\\u0000";
    for (size_t length = 0; length < sizeof text; length++) {
        char *copy =
            malloc(length > 0 ? length : 1); /* exactly as long, for the address sanitizer */
        memcpy(copy, text, length);
        ck_assert_int_eq(invocation_parse(copy, length, true, &invocation, &err), STATUS_MALFORMED);
        free(copy);
    }
}
END_TEST

/* ---- answers ---- */

static void fill_answer(void) {
    answer.status = 409;
    http_headers_add(&answer.headers, "Content-Type", "application/json");
    http_headers_add(&answer.headers, "ETag", "\"12\"");
    strbuf_append_string(&answer.body, "{\"a\":\"\\\"\xC3\xA4\\n\"}");
}

START_TEST(an_answer_is_wrapped_whole) {
    fill_answer();
    invocation_wrap_response(&answer, &out);
    ck_assert_int_eq(out.status, 200);
    ck_assert_str_eq(http_headers_get(&out.headers, "Content-Type"), "application/json");
    ck_assert_str_eq(
        out.body.data,
        "{\"Outputs\":{\"res\":{\"statusCode\":\"409\",\"headers\":{\"Content-Type\":\"application/"
        "json\","
        "\"ETag\":\"\\\"12\\\"\"},\"body\":\"{\\\"a\\\":\\\"\\\\\\\"\xC3\xA4\\\\n\\\"}\"}},"
        "\"Logs\":[],\"ReturnValue\":null}");
}
END_TEST

START_TEST(an_answer_that_had_no_memory_fails_the_invocation) {
    http_response_cleanup(&answer);
    http_response_init(&answer, 3);
    strbuf_append_string(&answer.body, "{\"a\":1}");
    invocation_wrap_response(&answer, &out);
    ck_assert_int_eq(out.status, 500);
    ck_assert_ptr_nonnull(strstr(out.body.data, "InternalError"));
}
END_TEST

START_TEST(headers_that_had_no_memory_fail_the_invocation) {
    answer.headers.status = STATUS_NO_MEMORY;
    invocation_wrap_response(&answer, &out);
    ck_assert_int_eq(out.status, 500);
}
END_TEST

START_TEST(a_return_value_is_wrapped_with_its_log) {
    invocation_wrap_return_value(cJSON_CreateTrue(), "a \"line\"", &out);
    ck_assert_int_eq(out.status, 200);
    ck_assert_str_eq(out.body.data,
                     "{\"Outputs\":{},\"Logs\":[\"a \\\"line\\\"\"],\"ReturnValue\":true}");
}
END_TEST

START_TEST(no_return_value_fails_the_invocation) {
    invocation_wrap_return_value(NULL, "line", &out);
    ck_assert_int_eq(out.status, 500);
    ck_assert_ptr_nonnull(strstr(out.body.data, "InternalError"));
}
END_TEST

START_TEST(a_wrapped_answer_is_whole_or_a_500_whichever_allocation_fails) {
    fill_answer();
    bool failed = true;
    for (int count = 0; failed; count++) {
        json_memory_limit(count);
        if (_i == 0) {
            invocation_wrap_response(&answer, &out);
        } else {
            invocation_wrap_return_value(cJSON_CreateTrue(), "line", &out);
        }
        failed = json_memory_unlimit();
        ck_assert_int_eq(out.status, failed ? 500 : 200);
        ck_assert_ptr_nonnull(strstr(out.body.data, failed ? "InternalError" : "ReturnValue"));
        ck_assert_int_lt(count, 100);
        http_response_cleanup(&out);
        http_response_init(&out, 4096);
    }
}
END_TEST

START_TEST(a_payload_is_read_or_there_was_no_memory_whichever_allocation_fails) {
    static const char payload[] =
        "{\"Data\":{\"req\":{\"Method\":\"GET\",\"Params\":{\"productId\":\"A\"}}}}";
    enum status status = STATUS_NO_MEMORY;
    for (int count = 0; status != STATUS_OK; count++) {
        json_memory_limit(count);
        status = parse(payload, true);
        ck_assert_int_eq(status, json_memory_unlimit() ? STATUS_NO_MEMORY : STATUS_OK);
        ck_assert_int_lt(count, 100);
    }
    invocation_cleanup(&invocation);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("invocation");
    TCase *payloads = tcase_create("payloads");
    tcase_add_test(payloads, an_http_payload_is_read);
    tcase_add_test(payloads, what_a_request_need_not_have_may_be_absent);
    tcase_add_test(payloads, a_header_may_be_a_plain_string);
    tcase_add_test(payloads, a_timers_payload_needs_no_request);
    tcase_add_test(payloads, what_is_no_payload_is_malformed);
    tcase_add_test(payloads, a_nul_of_the_callers_becomes_another_control_character);
    tcase_add_test(payloads, a_payload_that_ends_in_an_escape_is_malformed);
    tcase_add_test(payloads, a_payload_is_read_or_there_was_no_memory_whichever_allocation_fails);
    suite_add_tcase(suite, payloads);
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_test(answers, an_answer_is_wrapped_whole);
    tcase_add_test(answers, an_answer_that_had_no_memory_fails_the_invocation);
    tcase_add_test(answers, headers_that_had_no_memory_fail_the_invocation);
    tcase_add_test(answers, a_return_value_is_wrapped_with_its_log);
    tcase_add_test(answers, no_return_value_fails_the_invocation);
    tcase_add_loop_test(answers, a_wrapped_answer_is_whole_or_a_500_whichever_allocation_fails, 0,
                        2);
    suite_add_tcase(suite, answers);
    return check_main(suite);
}
