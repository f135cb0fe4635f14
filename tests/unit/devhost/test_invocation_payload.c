/* invocation_payload: what the handler is told, and what its answer becomes. */
#include "devhost/invocation_payload.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "support/processes/check_main.h"

enum { MAX_BYTES = 64 * 1024 };

static char name[] = "ReserveInventory";
static char trigger_name[] = "req";
static const struct host_function function = {.name = name, .trigger_name = trigger_name};
static const struct route_values params = {
    .items = {{.name = "productId", .value = "a \"b\" \xc3\xa9"}}, .count = 1};
static const struct invocation_sys sys = {.id = "11111111-2222-4333-8444-555555555555",
                                          .now_ms = 1737297930123};

static struct strbuf payload;
static struct http_headers headers;
static struct http_response response;

static void set_up(void) {
    strbuf_init(&payload, MAX_BYTES);
    http_headers_init(&headers);
    http_response_init(&response, MAX_BYTES);
}

static void tear_down(void) {
    strbuf_cleanup(&payload);
    http_headers_cleanup(&headers);
    http_response_cleanup(&response);
}

/*
 * Builds the payload of a POST and answers it parsed, strictly: it is JSON that the handler would
 * take.
 */
static cJSON *build(const char *query, const char *body, size_t body_length) {
    const struct http_request request = {.method = "POST",
                                         .path = "/api/inventory/a%20b/reserve",
                                         .query = query,
                                         .headers = &headers,
                                         .body = body,
                                         .body_length = body_length};
    strbuf_clear(&payload);
    invocation_payload_http(&payload, &function, &request, "localhost:7071", &params, &sys);
    ck_assert_int_eq(strbuf_status(&payload), STATUS_OK);
    cJSON *parsed = NULL;
    struct error err = {.message = ""};
    ck_assert_msg(json_parse(payload.data, payload.length, &parsed, &err) == STATUS_OK, "%s: %s",
                  err.message, payload.data);
    return parsed;
}

static const cJSON *req_of(const cJSON *parsed) {
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(parsed, "Data"),
                                            "req");
}

static void assert_json(const cJSON *value, const char *expected) {
    char *text = cJSON_PrintUnformatted(value);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, expected);
    cJSON_free(text);
}

START_TEST(an_http_payload_has_all_that_the_host_tells) {
    http_headers_add(&headers, "Content-Type", "application/json");
    cJSON *parsed = build("x=1", "{\"quantity\":5}", 14);
    static const char expected[] =
        "{\"Data\":{\"req\":{\"Url\":\"http://localhost:7071/api/inventory/a%20b/"
        "reserve?x=1\",\"Method\":\"POST\","
        "\"Query\":{\"x\":\"1\"},\"Headers\":{\"Content-Type\":[\"application/json\"]},"
        "\"Params\":{\"productId\":\"a \\\"b\\\" \xc3\xa9\"},"
        "\"Identities\":[{\"AuthenticationType\":null,\"IsAuthenticated\":false,\"Claims\":[]}],"
        "\"Body\":\"{\\\"quantity\\\":5}\"}},"
        "\"Metadata\":{\"productId\":\"a \\\"b\\\" "
        "\xc3\xa9\",\"sys\":{\"MethodName\":\"ReserveInventory\","
        "\"UtcNow\":\"2025-01-19T14:45:30.123Z\",\"RandGuid\":\"11111111-2222-4333-8444-"
        "555555555555\"}}}";
    ck_assert_str_eq(payload.data, expected);
    cJSON_Delete(parsed);
}
END_TEST

START_TEST(no_body_is_no_member) {
    cJSON *parsed = build("", "", 0);
    ck_assert_ptr_null(cJSON_GetObjectItemCaseSensitive(req_of(parsed), "Body"));
    ck_assert_str_eq(json_string(req_of(parsed), "Url"),
                     "http://localhost:7071/api/inventory/a%20b/reserve");
    cJSON_Delete(parsed);
}
END_TEST

START_TEST(a_binary_body_is_base64) {
    static const char *const types[] = {"application/octet-stream", "Application/Octet-Stream; x=y",
                                        "multipart/form-data; boundary=b"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        http_headers_cleanup(&headers);
        http_headers_add(&headers, "content-type", types[i]);
        cJSON *parsed = build("", "\0\xff{", 3);
        ck_assert_str_eq(json_string(req_of(parsed), "Body"), "AP97");
        cJSON_Delete(parsed);
    }
}
END_TEST

START_TEST(text_is_escaped_and_what_is_not_utf_8_is_replaced) {
    static const char body[] = "\"\\\n\t\x01\x1f\x7f \xf0\x9f\x98\x80 \xff\xc3( \xed\xa0\x80";
    cJSON *parsed = build("", body, sizeof body - 1);
    ck_assert_str_eq(json_string(req_of(parsed), "Body"),
                     "\"\\\n\t\x01\x1f\x7f \xf0\x9f\x98\x80 \xef\xbf\xbd\xef\xbf\xbd( "
                     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    cJSON_Delete(parsed);
}
END_TEST

START_TEST(one_byte_order_mark_is_taken_away) {
    static const char body[] = "\xef\xbb\xbf\xef\xbb\xbf{}";
    cJSON *parsed = build("", body, sizeof body - 1);
    ck_assert_str_eq(json_string(req_of(parsed), "Body"), "\xef\xbb\xbf{}");
    cJSON_Delete(parsed);
}
END_TEST

START_TEST(names_that_are_one_after_decoding_are_one_member) {
    cJSON *parsed =
        build("%61b%ff=1&A%62%ff=2&ab%25ff=3&ab%fe=4", "", 0); /* escapes of no UTF-8 stay */
    assert_json(cJSON_GetObjectItemCaseSensitive(req_of(parsed), "Query"),
                "{\"ab%ff\":\"1,2,3\",\"ab%fe\":\"4\"}");
    cJSON_Delete(parsed);
}
END_TEST

START_TEST(the_query_is_decoded_and_repeated_names_are_joined) {
    cJSON *parsed = build("a=1+2%20%C3%A9&b&A=3&=x&c=&d=%2&e=%zz=&&a=4", "", 0);
    assert_json(cJSON_GetObjectItemCaseSensitive(req_of(parsed), "Query"),
                "{\"a\":\"1 2 "
                "\xc3\xa9,3,4\",\"b\":\"\",\"\":\"x\",\"c\":\"\",\"d\":\"%2\",\"e\":\"%zz=\"}");
    cJSON_Delete(parsed);
}
END_TEST

START_TEST(headers_are_lists_and_repeated_names_share_one) {
    http_headers_add(&headers, "X-A", "1");
    http_headers_add(&headers, "Host", "localhost");
    http_headers_add(&headers, "x-a", "2\"");
    cJSON *parsed = build("", "", 0);
    assert_json(cJSON_GetObjectItemCaseSensitive(req_of(parsed), "Headers"),
                "{\"X-A\":[\"1\",\"2\\\"\"],\"Host\":[\"localhost\"]}");
    cJSON_Delete(parsed);
}
END_TEST

#define MS(seconds) (INT64_C(1000) * (seconds))

START_TEST(a_timer_payload_has_its_status_under_the_binding_s_name) {
    static char timer_name[] = "myTimer";
    struct host_function timer = {
        .name = name, .trigger_name = timer_name, .schedule = {.is_monitored = true}};
    const struct timer_status first = {TIMER_STATUS_NEVER, MS(1737297900), MS(1737297600) + 7};
    setenv("TZ", "XXX3:30", 1); /* three and a half hours after Greenwich */
    tzset();
    invocation_payload_timer(&payload, &timer, &first, false, &sys);
    ck_assert_str_eq(
        payload.data,
        "{\"Data\":{\"myTimer\":{\"Schedule\":{\"AdjustForDST\":true},\"ScheduleStatus\":{"
        "\"Last\":\"0001-01-01T00:00:00+00:00\",\"Next\":\"2025-01-19T11:15:00-03:30\","
        "\"LastUpdated\":\"2025-01-19T11:10:00.007-03:30\"},"
        "\"IsPastDue\":false}},\"Metadata\":{\"sys\":{\"MethodName\":\"ReserveInventory\","
        "\"UtcNow\":\"2025-01-19T14:45:30.123Z\",\"RandGuid\":\"11111111-2222-4333-8444-"
        "555555555555\"}}}");
    strbuf_clear(&payload);
    timer.schedule = (struct schedule){.interval_ms = 1};
    invocation_payload_timer(&payload, &timer, &first, true, &sys);
    ck_assert_ptr_nonnull(strstr(payload.data,
                                 "{\"Schedule\":{\"AdjustForDST\":false},\"ScheduleStatus\":null,"
                                 "\"IsPastDue\":true}"));
}
END_TEST

/* Answers */

static enum status respond(const char *text, struct error *err) {
    cJSON *answer = NULL;
    ck_assert_int_eq(invocation_payload_parse(text, strlen(text), &answer, err), STATUS_OK);
    http_response_cleanup(&response);
    http_response_init(&response, MAX_BYTES);
    enum status status = invocation_payload_response(answer, "res", &response, err);
    cJSON_Delete(answer);
    return status;
}

static void assert_response(const char *text, int status, const char *body) {
    struct error err = {.message = ""};
    ck_assert_msg(respond(text, &err) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(response.status, status);
    ck_assert_str_eq(response.body.data, body);
}

START_TEST(an_answer_becomes_the_response_byte_for_byte) {
    assert_response("{\"Outputs\":{\"res\":{\"statusCode\":\"409\",\"headers\":{\"Content-Type\":"
                    "\"application/json\","
                    "\"Retry-After\":\"1\"},\"body\":\"{\\\"a\\\": "
                    "\\\"\\u00e9\\\\n\\\"}\"}},\"Logs\":[],\"ReturnValue\":null}",
                    409, "{\"a\": \"\xc3\xa9\\n\"}");
    ck_assert_uint_eq(response.headers.count, 2);
    ck_assert_str_eq(http_headers_get(&response.headers, "Content-Type"), "application/json");
    ck_assert_str_eq(http_headers_get(&response.headers, "Retry-After"), "1");
}
END_TEST

START_TEST(an_answer_may_leave_much_out_and_spell_names_in_any_case) {
    assert_response("{\"Outputs\":{\"res\":{}}}", 200, "");
    assert_response("{\"outputs\":{\"RES\":{\"StatusCode\":202,\"Body\":\"x\"}}}", 202, "x");
    assert_response("{\"Outputs\":{\"res\":{\"status\":404,\"body\":{\"a\":[1]}}}}", 404,
                    "{\"a\":[1]}");
    assert_response("{\"Outputs\":{\"res\":{\"statusCode\":null,\"body\":null}}}", 200, "");
}
END_TEST

START_TEST(an_answer_that_makes_no_response_is_refused) {
    static const char *const answers[] = {
        "{}",
        "{\"Outputs\":{}}",
        "{\"Outputs\":{\"res\":\"x\"}}",
        "{\"Outputs\":{\"other\":{}}}",
        "{\"Outputs\":{\"res\":{\"statusCode\":\"199\"}}}",
        "{\"Outputs\":{\"res\":{\"statusCode\":600}}}",
        "{\"Outputs\":{\"res\":{\"statusCode\":\"ok\"}}}",
        "{\"Outputs\":{\"res\":{\"statusCode\":[]}}}",
        "{\"Outputs\":{\"res\":{\"headers\":{\"X\":\"a\\r\\nY: b\"}}}}",
    };
    struct error err;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        ck_assert_msg(respond(answers[i], &err) == STATUS_MALFORMED, "%s was taken", answers[i]);
    }
}
END_TEST

START_TEST(an_answer_that_is_no_json_object_is_refused) {
    static const char *const answers[] = {"", "[]", "null", "hello", "{\"a\":1} x"};
    struct error err;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        cJSON *answer = NULL;
        ck_assert_int_eq(invocation_payload_parse(answers[i], strlen(answers[i]), &answer, &err),
                         STATUS_MALFORMED);
        ck_assert_ptr_null(answer);
    }
}
END_TEST

START_TEST(logs_and_return_value_are_found) {
    static const char text[] = "{\"Logs\":[\"one\",\"two\"],\"ReturnValue\":{\"a\":1}}";
    cJSON *answer = NULL;
    ck_assert_int_eq(invocation_payload_parse(text, strlen(text), &answer, NULL), STATUS_OK);
    ck_assert_str_eq(invocation_payload_log(answer, 0), "one");
    ck_assert_str_eq(invocation_payload_log(answer, 1), "two");
    ck_assert_ptr_null(invocation_payload_log(answer, 2));
    assert_json(invocation_payload_return_value(answer), "{\"a\":1}");
    cJSON_Delete(answer);
    ck_assert_int_eq(invocation_payload_parse("{\"ReturnValue\":null}", 20, &answer, NULL),
                     STATUS_OK);
    ck_assert_ptr_null(invocation_payload_return_value(answer));
    ck_assert_ptr_null(invocation_payload_log(answer, 0));
    cJSON_Delete(answer);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("invocation_payload");
    TCase *tcase = tcase_create("invocation_payload");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_http_payload_has_all_that_the_host_tells);
    tcase_add_test(tcase, no_body_is_no_member);
    tcase_add_test(tcase, a_binary_body_is_base64);
    tcase_add_test(tcase, text_is_escaped_and_what_is_not_utf_8_is_replaced);
    tcase_add_test(tcase, one_byte_order_mark_is_taken_away);
    tcase_add_test(tcase, names_that_are_one_after_decoding_are_one_member);
    tcase_add_test(tcase, the_query_is_decoded_and_repeated_names_are_joined);
    tcase_add_test(tcase, headers_are_lists_and_repeated_names_share_one);
    tcase_add_test(tcase, a_timer_payload_has_its_status_under_the_binding_s_name);
    tcase_add_test(tcase, an_answer_becomes_the_response_byte_for_byte);
    tcase_add_test(tcase, an_answer_may_leave_much_out_and_spell_names_in_any_case);
    tcase_add_test(tcase, an_answer_that_makes_no_response_is_refused);
    tcase_add_test(tcase, an_answer_that_is_no_json_object_is_refused);
    tcase_add_test(tcase, logs_and_return_value_are_found);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
