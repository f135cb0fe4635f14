#include "functions/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions/function_table.h"
#include "server/http_answer.h"
#include "support/fakes/function_steps.h"
#include "support/processes/check_main.h"

static void ask(const char *method, const char *path, const char *body) {
    http_response_cleanup(&answer);
    answer = function_app_request(&app, method, path, body);
}

static void call(int shape, const struct function_call *function_call) {
    http_response_cleanup(&answer);
    answer = function_app_call(&app, shape, function_call);
}

static void assert_error(int status, const char *code, const char *what) {
    char expected[64];
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    ck_assert_msg(answer.status == status, "%s: %d %s", what, answer.status, answer.body.data);
    ck_assert_msg(strncmp(answer.body.data, expected, strlen(expected)) == 0, "%s: %s", what,
                  answer.body.data);
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- the host's poll ---- */

START_TEST(the_readiness_poll_is_answered) {
    ask("GET", "/", NULL);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body.data, "{\"status\":\"ok\"}");
    ask("POST", "/", NULL);
    assert_error(405, "MethodNotAllowed", "POST /");
    ck_assert_str_eq(header("Allow"), "GET");
}
END_TEST

/* ---- routes ---- */

START_TEST(routes_match_as_asp_net_matches_them) {
    static const char *const paths[] = {
        "/api/inventory/PROD-001",   "/API/Inventory/PROD-001",   "/api/inventory/PROD-001/",
        "/api/inventory/PROD%2D001", "/api/inventory/PROD%2d001", "/api/inventor%79/%50ROD-001/",
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        ask("GET", paths[i], NULL);
        ck_assert_msg(answer.status == 200, "%s: %d", paths[i], answer.status);
    }
    ask("POST", "/Api/INVENTORY/PROD-001/RESERVE/", "{\"quantity\":1,\"customerId\":\"C\"}");
    ck_assert_int_eq(answer.status, 200);
    ask("POST", "/api/inventory/PROD-001/Release", "{\"quantity\":1,\"customerId\":\"C\"}");
    ck_assert_int_eq(answer.status, 200);
}
END_TEST

START_TEST(a_product_id_is_compared_by_case) {
    ask("GET", "/api/inventory/prod-001", NULL);
    assert_error(404, "ProductNotFound", "prod-001");
}
END_TEST

START_TEST(there_is_nothing_at_other_paths) {
    static const char *const paths[] = {"",
                                        "x",
                                        "*",
                                        "//",
                                        "///",
                                        "/api",
                                        "/api/",
                                        "/api/inventory",
                                        "/api/inventory/",
                                        "/api/inventory//",
                                        "/api/inventory//reserve",
                                        "/api/inventory/PROD-001//",
                                        "/api/inventory/PROD-001/reserve//",
                                        "/api/inventory/PROD-001/reserve/now",
                                        "/api/inventory/PROD-001/reserves",
                                        "/api/inventory/PROD-001/reserv",
                                        "/api/inventory/PROD-001/%2Freserve",
                                        "/api/inventory/PROD-001%2Freserve/",
                                        "/api//inventory/PROD-001",
                                        "//api/inventory/PROD-001",
                                        "/api%2Finventory/PROD-001",
                                        "/apis/inventory/PROD-001",
                                        "/ap/inventory/PROD-001",
                                        "/api/inventory%/PROD-001",
                                        "/inventory/PROD-001",
                                        "/api/GetInventory",
                                        "/getinventory",
                                        "/GetInventory/",
                                        "/GetInventor",
                                        "/GetInventory2",
                                        "GetInventory"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        bool product_segment = strstr(paths[i], "PROD-001%2F") != NULL;
        ask("GET", paths[i], NULL);
        if (product_segment) {
            assert_error(400, "InvalidProductId", paths[i]);
        } else {
            assert_error(404, "NotFound", paths[i]);
        }
        ck_assert_ptr_null(header("Allow"));
    }
}
END_TEST

START_TEST(other_methods_are_told_which_one_is_allowed) {
    static const struct {
        const char *method, *path, *allow;
    } rows[] = {{"POST", "/api/inventory/PROD-001", "GET"},
                {"HEAD", "/api/inventory/PROD-001", "GET"},
                {"get", "/api/inventory/PROD-001", "GET"},
                {"GET", "/api/inventory/PROD-001/reserve", "POST"},
                {"PUT", "/api/inventory/PROD-001/release/", "POST"},
                {"DELETE", "/api/inventory/%/reserve", "POST"},
                {"GET", "/ReserveInventory", "POST"},
                {"PUT", "/GetInventory", "POST"},
                {"GET", "/ReconcileInventory", "POST"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        ask(rows[i].method, rows[i].path, NULL);
        assert_error(405, "MethodNotAllowed", rows[i].path);
        ck_assert_str_eq(header("Allow"), rows[i].allow);
    }
}
END_TEST

START_TEST(the_route_prefix_may_be_empty) {
    app.dispatch.route_prefix = "";
    ask("GET", "/inventory/PROD-001", NULL);
    ck_assert_int_eq(answer.status, 200);
    ask("GET", "/api/inventory/PROD-001", NULL);
    assert_error(404, "NotFound", "the old prefix");
    ask("GET", "/inventory/ReserveInventory", NULL);
    assert_error(404, "ProductNotFound", "a product called as a function");
    ask("POST", "/GetInventory",
        "{\"Data\":{\"req\":{\"Method\":\"GET\",\"Params\":{\"productId\":\"PROD-001\"}}}}");
    ck_assert_int_eq(answer.status, 200);
    ask("GET", "/", NULL);
    ck_assert_int_eq(answer.status, 200);
}
END_TEST

START_TEST(the_route_prefix_may_have_several_segments) {
    app.dispatch.route_prefix = "v1/Store";
    ask("GET", "/V1/store/inventory/PROD-001", NULL);
    ck_assert_int_eq(answer.status, 200);
    static const char *const paths[] = {"/v1/inventory/PROD-001",
                                        "/v1%2Fstore/inventory/PROD-001",
                                        "/store/inventory/PROD-001",
                                        "/v1/store/x/inventory/PROD-001",
                                        "/v1/store",
                                        "/v1"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        ask("GET", paths[i], NULL);
        assert_error(404, "NotFound", paths[i]);
    }
}
END_TEST

/* ---- invocations ---- */

/* In the envelope, for a caller: the host makes an empty 500 of anything else. */
static void assert_wrapped(int status, const char *code, const char *what) {
    char expected[64];
    snprintf(expected, sizeof expected, "{\"Outputs\":{\"res\":{\"statusCode\":\"%d\",", status);
    ck_assert_msg(answer.status == 200 &&
                      strncmp(answer.body.data, expected, strlen(expected)) == 0,
                  "%s: %d %s", what, answer.status, answer.body.data);
    ck_assert_msg(strstr(answer.body.data, code) != NULL, "%s: %s", what, answer.body.data);
    ck_assert_str_eq(answer.reason, "");
}

/* A timer has no caller; the host logs the reason phrase. */
static void assert_reason(int status, const char *reason, const char *what) {
    ck_assert_msg(answer.status == status && strcmp(answer.reason, reason) == 0, "%s: %d %s", what,
                  answer.status, answer.reason);
}

START_TEST(what_is_no_payload_is_told_to_the_caller_or_fails_the_timer) {
    static const char *const payloads[] = {"",
                                           "{",
                                           "[]",
                                           "null",
                                           "{}",
                                           "{\"Data\":1}",
                                           "{\"Data\":{},\"Data\":{}}",
                                           "{\"Data\":{\"x\":\"\xFF\"}}"};
    for (size_t p = 0; p < COUNT(payloads); p++) {
        for (const struct function *called = function_table; called->name != NULL; called++) {
            char path[64];
            snprintf(path, sizeof path, "/%s", called->name);
            ask("POST", path, payloads[p]);
            if (called->method != NULL) {
                assert_wrapped(400, "InvalidJson", payloads[p]);
            } else {
                assert_error(400, "InvalidJson", payloads[p]);
                assert_reason(400, "InvalidJson: The payload is not an invocation's.", payloads[p]);
            }
        }
    }
    ask("POST", "/ReserveInventory", "{\"Data\":{\"timer\":{}}}");
    assert_wrapped(400, "InvalidJson", "a timer's payload for a function of HTTP's");
}
END_TEST

START_TEST(a_function_that_is_not_ours_is_the_caller_s_404) {
    static const char payload[] = "{\"Data\":{\"req\":{\"Method\":\"GET\"}},\"Metadata\":{}}";
    ask("POST", "/NoSuchFunction", payload);
    assert_wrapped(404, "NotFound", "/NoSuchFunction");
    ask("POST", "/no/such", payload);
    assert_error(404, "NotFound", "a caller's own body");
    ask("POST", "/NoSuchFunction", "{\"quantity\":1}");
    assert_error(404, "NotFound", "no payload");
}
END_TEST

/* The server's own refusal of a request for `path`. */
static void refuse(const char *method, const char *path) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "X-Azure-Functions-InvocationId", "id-1");
    struct http_request request = {
        .method = method, .path = path, .query = "", .headers = &headers, .body = ""};
    http_response_cleanup(&answer);
    http_answer_refuse(&answer, HTTP_REFUSAL_STOPPING);
    http_headers_add(&answer.headers, "X-Kept", "yes");
    dispatch_refusal(&app.dispatch, &request, &answer);
    http_headers_cleanup(&headers);
}

START_TEST(the_server_s_refusals_take_the_request_s_shape) {
    refuse("POST", "/ReserveInventory");
    assert_wrapped(503, "Stopping", "invocation");
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"Retry-After\":\"1\""));
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"X-Kept\":\"yes\""));
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"x-ms-request-id\":\"id-1\""));
    refuse("POST", "/ReconcileInventory");
    assert_error(503, "Stopping", "timer");
    assert_reason(503, "Stopping: The server is stopping. Please retry the request.", "timer");
    static const char *const others[][2] = {{"POST", "/api/inventory/PROD-001/reserve"},
                                            {"GET", "/"},
                                            {"", ""},
                                            {"GET", "/ReserveInventory"}};
    for (size_t i = 0; i < COUNT(others); i++) {
        refuse(others[i][0], others[i][1]);
        assert_error(503, "Stopping", others[i][1]);
        assert_reason(503, "", others[i][1]);
        ck_assert_str_eq(header("Retry-After"), "1");
        ck_assert_str_eq(header("x-ms-request-id"), "id-1");
    }
}
END_TEST

START_TEST(the_method_of_the_caller_is_checked_in_a_payload_too) {
    call(CALL_INVOCATION, &(struct function_call){.method = "GET", .action = "reserve"});
    assert_error(405, "MethodNotAllowed", "GET reserve");
    ck_assert_str_eq(header("Allow"), "POST");
    call(CALL_INVOCATION, &(struct function_call){.method = "POST", .action = ""});
    assert_error(405, "MethodNotAllowed", "POST get");
    ck_assert_str_eq(header("Allow"), "GET");
}
END_TEST

START_TEST(a_payload_without_a_product_is_of_no_valid_one) {
    ask("POST", "/GetInventory", "{\"Data\":{\"req\":{\"Method\":\"GET\"}}}");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"statusCode\":\"400\""));
    ck_assert_ptr_nonnull(strstr(answer.body.data, "InvalidProductId"));
}
END_TEST

static void ask_too_large(const char *path) {
    struct http_headers headers;
    http_headers_init(&headers);
    struct http_request request = {.method = "POST",
                                   .path = path,
                                   .query = "",
                                   .headers = &headers,
                                   .body = "",
                                   .body_too_large = 1};
    http_response_cleanup(&answer);
    http_response_init(&answer, 4096);
    function_app_dispatch(&app, &request, &answer);
}

START_TEST(a_body_that_the_server_did_not_keep_is_the_callers_413_in_both_shapes) {
    ask_too_large("/api/inventory/PROD-001/reserve");
    assert_error(413, "PayloadTooLarge", "proxied");
    ask_too_large("/ReserveInventory");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"statusCode\":\"413\""));
    ck_assert_ptr_nonnull(strstr(answer.body.data, "PayloadTooLarge"));
    ask_too_large("/ReconcileInventory");
    assert_error(413, "PayloadTooLarge", "a timer's");
    ck_assert_msg(strncmp(answer.reason, "PayloadTooLarge: ", 17) == 0, "%s", answer.reason);
}
END_TEST

/* ---- every error, in both shapes ---- */

/* A call that must be refused the same way whatever the shape. */
static void assert_refused(const struct function_call *function_call, int status, const char *code,
                           const char *what) {
    struct http_response proxied = function_app_call(&app, CALL_PROXIED, function_call);
    call(CALL_INVOCATION, function_call);
    assert_error(status, code, what);
    ck_assert_msg(strcmp(proxied.body.data, answer.body.data) == 0, "%s: %s %s", what,
                  proxied.body.data, answer.body.data);
    ck_assert_int_eq(proxied.status, answer.status);
    ck_assert_uint_eq(proxied.headers.count, answer.headers.count);
    for (size_t i = 0; i < proxied.headers.count; i++) {
        ck_assert_str_eq(proxied.headers.items[i].name, answer.headers.items[i].name);
        ck_assert_str_eq(proxied.headers.items[i].value, answer.headers.items[i].value);
    }
    http_response_cleanup(&proxied);
}

static const char *const actions[] = {"reserve", "release"};
static const char good_body[] = "{\"quantity\":5,\"customerId\":\"CUST-123\"}";

START_TEST(a_bad_product_id_is_refused) {
    char too_long[130];
    memset(too_long, 'a', 129);
    too_long[129] = '\0';
    const char *const ids[] = {"A%2FB", "%2F", "A%00",  "%00",    "A%",       "A%4",
                               "A%zz",  "%",   "A%20B", "A%2541", "A%0AB",    "%C3%A4",
                               "A+B",   "A:B", "A%25",  "A*",     "\xC3\xA4", ".",
                               "..",    "A.",  "%2E",   "A%2e",   "A..",      too_long};
    for (size_t i = 0; i < COUNT(ids); i++) {
        for (size_t a = 0; a < COUNT(actions); a++) {
            assert_refused(
                &(struct function_call){.product = ids[i], .action = actions[a], .body = good_body},
                400, "InvalidProductId", ids[i]);
        }
        assert_refused(&(struct function_call){.product = ids[i], .action = ""}, 400,
                       "InvalidProductId", ids[i]);
    }
}
END_TEST

START_TEST(a_bad_body_is_refused) {
    static const struct {
        const char *body, *code;
    } rows[] = {
        {NULL, "InvalidJson"},
        {"", "InvalidJson"},
        {"   ", "InvalidJson"},
        {"quantity=5", "InvalidJson"},
        {"[5]", "InvalidJson"},
        {"{\"quantity\":5,\"customerId\":\"C\"", "InvalidJson"},
        {"{\"quantity\":5,\"customerId\":\"C\"}}", "InvalidJson"},
        {"{\"quantity\":5,\"quantity\":6,\"customerId\":\"C\"}", "InvalidJson"},
        {"{\"quantity\":NaN,\"customerId\":\"C\"}", "InvalidJson"},
        {"\xEF\xBB\xBF", "InvalidJson"},
        {"\xEF\xBB\xBF\xEF\xBB\xBF{\"quantity\":5,\"customerId\":\"C\"}", "InvalidJson"},
        {"{\"quantity\":5,\"customerId\":\"C\",\"QUANTITY\":5}", "InvalidJson"},
        {"{\"quantity\":4.99999999999999999999,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":5,\"customerId\":\"\\u0000\"}", "InvalidCustomerId"},
        {"{\"quantity\":5,\"customerId\":\"a\\u0000b\"}", "InvalidCustomerId"},
        {"{\"quantity\":5,\"customerId\":\"\\ud800\"}", "InvalidJson"},
        {"{\"quantity\":5,\"customerId\":\"C\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
         "[[]]]]]]]]]]]]]]]]]]"
         "]"
         "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
         "InvalidJson"},
        {"{}", "InvalidQuantity"},
        {"{\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":null,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":\"5\",\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":true,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":0,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":-5,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":1.5,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":1000001,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":1e400,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":99999999999999999999999999,\"customerId\":\"C\"}", "InvalidQuantity"},
        {"{\"quantity\":5}", "InvalidCustomerId"},
        {"{\"quantity\":5,\"customerId\":null}", "InvalidCustomerId"},
        {"{\"quantity\":5,\"customerId\":7}", "InvalidCustomerId"},
        {"{\"quantity\":5,\"customerId\":\"\"}", "InvalidCustomerId"},
        {"{\"quantity\":5,\"customerId\":\"a\\nb\"}", "InvalidCustomerId"},
        {"{\"quantity\":5,\"customerId\":\"a\\u0085b\"}", "InvalidCustomerId"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t a = 0; a < COUNT(actions); a++) {
            assert_refused(&(struct function_call){.action = actions[a], .body = rows[i].body}, 400,
                           rows[i].code, rows[i].body == NULL ? "no body" : rows[i].body);
        }
    }
}
END_TEST

START_TEST(a_nul_in_the_body_is_refused) {
    static const char in_string[] = "{\"quantity\":5,\"customerId\":\"C\0D\"}",
                      outside[] = "{\"quantity\":5\0}",
                      escaped[] = "{\"quantity\":5,\"customerId\":\"C\\\0\"}";
    assert_refused(&(struct function_call){.action = "reserve",
                                           .body = in_string,
                                           .body_length = sizeof in_string - 1},
                   400, "InvalidJson", "in a string");
    assert_refused(&(struct function_call){.action = "reserve",
                                           .body = outside,
                                           .body_length = sizeof outside - 1},
                   400, "InvalidJson", "outside");
    assert_refused(&(struct function_call){.action = "reserve",
                                           .body = escaped,
                                           .body_length = sizeof escaped - 1},
                   400, "InvalidJson", "behind a backslash");
}
END_TEST

/*
 * The host replaces such bytes with U+FFFD before a payload shows them to us: proxied alone can
 * this be seen.
 */
START_TEST(a_proxied_body_that_is_not_utf_8_is_refused) {
    call(CALL_PROXIED,
         &(struct function_call){.action = "reserve",
                                 .body = "{\"quantity\":5,\"customerId\":\"C\xFF\"}"});
    assert_error(400, "InvalidJson", "not UTF-8");
}
END_TEST

START_TEST(a_bad_reservation_id_is_refused_where_it_matters) {
    struct function_call with_id = {
        .action = "release",
        .body = "{\"quantity\":5,\"customerId\":\"C\",\"reservationId\":\"R-1\"}"};
    assert_refused(&with_id, 400, "InvalidReservationId", "release");
    with_id.action = "reserve";
    call(CALL_PROXIED, &with_id);
    ck_assert_int_eq(answer.status, 200);
}
END_TEST

START_TEST(a_body_over_64_kib_is_refused) {
    enum { LIMIT = 64 * 1024 };
    char *body = malloc(LIMIT + 1);
    ck_assert_ptr_nonnull(body);
    memset(body, ' ', LIMIT + 1);
    memcpy(body, good_body, sizeof good_body - 1);
    for (size_t a = 0; a < COUNT(actions); a++) {
        assert_refused(
            &(struct function_call){.action = actions[a], .body = body, .body_length = LIMIT + 1},
            413, "PayloadTooLarge", "64 KiB and a byte");
    }
    for (int shape = 0; shape < CALL_SHAPES; shape++) {
        call(shape,
             &(struct function_call){.action = "reserve", .body = body, .body_length = LIMIT});
        ck_assert_int_eq(answer.status, 200);
    }
    /* As many bytes as a body of the largest size may take in a payload. */
    memset(body, 1, LIMIT);
    assert_refused(&(struct function_call){.action = "reserve", .body = body, .body_length = LIMIT},
                   400, "InvalidJson", "64 KiB to be escaped");
    free(body);
}
END_TEST

START_TEST(another_media_type_is_refused) {
    static const char *const types[] = {"text/plain", "application/octet-stream",
                                        "multipart/form-data; boundary=\"x\"",
                                        "application/json; charset=latin1"};
    for (size_t i = 0; i < COUNT(types); i++) {
        for (size_t a = 0; a < COUNT(actions); a++) {
            assert_refused(&(struct function_call){.action = actions[a],
                                                   .content_type = types[i],
                                                   .body = good_body},
                           415, "UnsupportedMediaType", types[i]);
        }
    }
}
END_TEST

/* A header that was sent twice arrives joined, on two lines, or as two elements. */
START_TEST(a_header_that_was_sent_twice_is_refused) {
    static const struct {
        const char *name, *values[3], *code;
    } rows[] = {
        {"Idempotency-Key", {"k1", "k2"}, "InvalidIdempotencyKey"},
        {"Idempotency-Key", {"k1", "k1"}, "InvalidIdempotencyKey"},
        {"idempotency-key", {"k1", ""}, "InvalidIdempotencyKey"},
        {"IDEMPOTENCY-KEY", {"k1, k2"}, "InvalidIdempotencyKey"},
        {"Idempotency-Key", {"k1,k1"}, "InvalidIdempotencyKey"},
        {"Content-Type", {"application/json", "text/plain"}, "BadRequest"},
        {"Content-Type", {"application/json", "application/json"}, "BadRequest"},
        {"content-type", {"application/json, application/json"}, "BadRequest"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t a = 0; a < COUNT(actions); a++) {
            struct function_call twice = {.action = actions[a], .body = good_body};
            twice.header.name = rows[i].name;
            memcpy(twice.header.values, rows[i].values, sizeof rows[i].values);
            assert_refused(&twice, 400, rows[i].code, rows[i].values[0]);
        }
    }
}
END_TEST

START_TEST(an_encoded_body_is_refused) {
    static const char *const encodings[][3] = {
        {"gzip"}, {"identity, br"}, {"identity", "gzip"}, {"gzip", "identity"}};
    for (size_t i = 0; i < COUNT(encodings); i++) {
        struct function_call encoded = {
            .action = "reserve", .body = good_body, .header.name = "Content-Encoding"};
        memcpy(encoded.header.values, encodings[i], sizeof encodings[i]);
        assert_refused(&encoded, 415, "UnsupportedMediaType", encodings[i][0]);
    }
}
END_TEST

START_TEST(a_body_may_begin_with_a_byte_order_mark_and_have_names_in_any_case) {
    static const char *const bodies[] = {"\xEF\xBB\xBF{\"quantity\":5,\"customerId\":\"C\"}",
                                         "{\"Quantity\":1,\"CustomerId\":\"c\"}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        call(_i, &(struct function_call){.action = "reserve", .body = bodies[i]});
        ck_assert_msg(answer.status == 200, "%s: %s", bodies[i], answer.body.data);
    }
}
END_TEST

START_TEST(an_unknown_product_is_not_found) {
    for (size_t a = 0; a < COUNT(actions); a++) {
        assert_refused(
            &(struct function_call){.product = "PROD-404", .action = actions[a], .body = good_body},
            404, "ProductNotFound", actions[a]);
    }
    assert_refused(&(struct function_call){.product = "PROD-404", .action = ""}, 404,
                   "ProductNotFound", "get");
}
END_TEST

START_TEST(other_names_of_json_are_taken_in_both_shapes) {
    static const char *const types[] = {"application/json", "Application/JSON; charset=UTF-8",
                                        "text/json", "application/vnd.api+json"};
    for (size_t i = 0; i < COUNT(types); i++) {
        call(_i, &(struct function_call){
                     .action = "reserve", .content_type = types[i], .body = good_body});
        ck_assert_msg(answer.status == 200, "%s: %s", types[i], answer.body.data);
    }
}
END_TEST

START_TEST(a_get_does_not_look_at_a_body) {
    call(_i,
         &(struct function_call){.action = "", .content_type = "text/plain", .body = "nonsense"});
    ck_assert_int_eq(answer.status, 200);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("dispatch");
    TCase *routes = tcase_create("routes");
    tcase_add_checked_fixture(routes, set_up, tear_down);
    tcase_add_test(routes, the_readiness_poll_is_answered);
    tcase_add_test(routes, routes_match_as_asp_net_matches_them);
    tcase_add_test(routes, a_product_id_is_compared_by_case);
    tcase_add_test(routes, there_is_nothing_at_other_paths);
    tcase_add_test(routes, other_methods_are_told_which_one_is_allowed);
    tcase_add_test(routes, the_route_prefix_may_be_empty);
    tcase_add_test(routes, the_route_prefix_may_have_several_segments);
    suite_add_tcase(suite, routes);
    TCase *invocations = tcase_create("invocations");
    tcase_add_checked_fixture(invocations, set_up, tear_down);
    tcase_add_test(invocations, what_is_no_payload_is_told_to_the_caller_or_fails_the_timer);
    tcase_add_test(invocations, a_function_that_is_not_ours_is_the_caller_s_404);
    tcase_add_test(invocations, the_server_s_refusals_take_the_request_s_shape);
    tcase_add_test(invocations, the_method_of_the_caller_is_checked_in_a_payload_too);
    tcase_add_test(invocations, a_payload_without_a_product_is_of_no_valid_one);
    tcase_add_test(invocations,
                   a_body_that_the_server_did_not_keep_is_the_callers_413_in_both_shapes);
    suite_add_tcase(suite, invocations);
    TCase *errors = tcase_create("errors in both shapes");
    tcase_add_checked_fixture(errors, set_up, tear_down);
    tcase_add_test(errors, a_bad_product_id_is_refused);
    tcase_add_test(errors, a_bad_body_is_refused);
    tcase_add_test(errors, a_nul_in_the_body_is_refused);
    tcase_add_test(errors, a_proxied_body_that_is_not_utf_8_is_refused);
    tcase_add_test(errors, a_bad_reservation_id_is_refused_where_it_matters);
    tcase_add_test(errors, a_body_over_64_kib_is_refused);
    tcase_add_test(errors, another_media_type_is_refused);
    tcase_add_test(errors, a_header_that_was_sent_twice_is_refused);
    tcase_add_test(errors, an_encoded_body_is_refused);
    tcase_add_loop_test(errors, a_body_may_begin_with_a_byte_order_mark_and_have_names_in_any_case,
                        0, CALL_SHAPES);
    tcase_add_test(errors, an_unknown_product_is_not_found);
    tcase_add_loop_test(errors, other_names_of_json_are_taken_in_both_shapes, 0, CALL_SHAPES);
    tcase_add_loop_test(errors, a_get_does_not_look_at_a_body, 0, CALL_SHAPES);
    suite_add_tcase(suite, errors);
    return check_main(suite);
}
