#include "functions/request_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/processes/check_main.h"

enum {
    MAX_LIFETIME_MS = 24 * 60 * 60 * 1000,
    RESERVE_PARTS = CHANGE_QUANTITY | CHANGE_CUSTOMER | CHANGE_MAY_HAVE_LIFETIME,
    RELEASE_PARTS = CHANGE_QUANTITY | CHANGE_CUSTOMER | CHANGE_MAY_HAVE_RESERVATION,
    CONFIRM_PARTS = CHANGE_MAY_HAVE_QUANTITY | CHANGE_MAY_HAVE_CUSTOMER |
                    CHANGE_ROUTE_NAMES_RESERVATION | CHANGE_MAY_HAVE_NO_BODY,
};

static unsigned parts;
static struct function_request request;
static struct change_request change;
static struct http_response response;

static void set_up(void) {
    parts = RELEASE_PARTS;
    request = (struct function_request){.route = "{productId}", .params = {"PROD-001"}, .body = ""};
    http_response_init(&response, 4096);
}

static void tear_down(void) {
    http_response_cleanup(&response);
}

static bool check_bytes(const char *body, size_t length) {
    http_response_cleanup(&response);
    http_response_init(&response, 4096);
    request.body = body;
    request.body_length = length;
    return request_check_change(&request, parts, MAX_LIFETIME_MS, &change, &response);
}

static bool check(const char *body) {
    return check_bytes(body, strlen(body));
}

static void assert_accepted(const char *body) {
    ck_assert_msg(check(body), "refused: %s with %s", body, response.body.data);
    ck_assert_uint_eq(response.body.length, 0);
    ck_assert_uint_eq(response.headers.count, 0);
}

static void assert_answer(int status, const char *code, const char *what) {
    char expected[64];
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    ck_assert_msg(response.status == status, "%s: %d instead of %d", what, response.status, status);
    ck_assert_msg(strncmp(response.body.data, expected, strlen(expected)) == 0, "%s: %s", what,
                  response.body.data);
    ck_assert_str_eq(http_headers_get(&response.headers, "Content-Type"), "application/json");
    ck_assert(utf8_is_valid(response.body.data, response.body.length));
}

static void assert_refused(const char *body, int status, const char *code) {
    ck_assert_msg(!check(body), "accepted: %s", body);
    assert_answer(status, code, body);
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char good_body[] = "{\"quantity\":1,\"customerId\":\"C\"}";

/* ---- what is right ---- */

/* Writes `unit` as often, and a NUL. */
static void repeat(char *out, const char *unit, size_t count) {
    size_t length = strlen(unit);
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * length, unit, length);
    }
    out[count * length] = '\0';
}

START_TEST(a_request_is_read) {
    assert_accepted("{\"quantity\":5,\"customerId\":\"CUST-123\"}");
    ck_assert_int_eq(change.quantity, 5);
    ck_assert_str_eq(change.customer_id, "CUST-123");
    ck_assert_str_eq(change.reservation_id, "");
}
END_TEST

START_TEST(whole_numbers_may_be_written_as_json_allows) {
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {{"1", 1},
                {"1000000", 1000000},
                {"5.0", 5},
                {"1e2", 100},
                {"1E+6", 1000000},
                {"0.5e1", 5},
                {"100e-2", 1},
                {"1000000.000", 1000000},
                {"5.00000000000000000000000000000000000000000000000000000", 5},
                {"0.00000000000000000000000000000000000000000000005e+47", 5}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"quantity\":%s,\"customerId\":\"C\"}", rows[i].text);
        assert_accepted(body);
        ck_assert_int_eq(change.quantity, rows[i].value);
    }
}
END_TEST

START_TEST(unknown_members_and_the_order_of_members_do_not_matter) {
    assert_accepted(" {\"x\":{\"quantity\":[1]},\"customerId\":\"C\",\"quantit\":\"no\","
                    "\"quantity\":7,\"y\":\"\\u0000\"}\r\n");
    ck_assert_int_eq(change.quantity, 7);
}
END_TEST

START_TEST(names_match_in_any_case) {
    static const char *const names[][3] = {{"Quantity", "CustomerId", "ReservationId"},
                                           {"QUANTITY", "CUSTOMERID", "RESERVATIONID"},
                                           {"\\u0051uantity", "customer\\u0069d", "reservationID"}};
    for (size_t i = 0; i < COUNT(names); i++) {
        static char body[256];
        snprintf(body, sizeof body,
                 "{\"%s\":5,\"%s\":\"C\",\"%s\":\"0194b0a1-2345-8abc-9def-0123456789ab\"}",
                 names[i][0], names[i][1], names[i][2]);
        assert_accepted(body);
        ck_assert_int_eq(change.quantity, 5);
        ck_assert_str_eq(change.customer_id, "C");
        ck_assert_str_eq(change.reservation_id, "0194b0a1-2345-8abc-9def-0123456789ab");
    }
}
END_TEST

/* cJSON ends a string at a NUL: such a name must not become another one. */
START_TEST(a_name_with_a_nul_is_a_name_of_its_own) {
    assert_accepted("{\"quantity\\u0000\":\"no\",\"quantity\":7,\"customerId\":\"C\"}");
    ck_assert_int_eq(change.quantity, 7);
    assert_refused("{\"quantity\\u0000\":7,\"customerId\":\"C\"}", 400, "InvalidQuantity");
}
END_TEST

START_TEST(a_customer_may_be_128_characters_of_any_script) {
    char id[128 * 4 + 1], body[sizeof id + 64];
    repeat(id, "\xF0\x9F\x93\xA6", 128);
    snprintf(body, sizeof body, "{\"quantity\":1,\"customerId\":\"%s\"}", id);
    assert_accepted(body);
    ck_assert_str_eq(change.customer_id, id);
    assert_accepted("{\"quantity\":1,\"customerId\":\"\\\"\\\\\\u00e9 \\ud83d\\ude00\"}");
    ck_assert_str_eq(change.customer_id, "\"\\\xC3\xA9 \xF0\x9F\x98\x80");
}
END_TEST

START_TEST(a_reservation_id_is_read_in_lower_case) {
    assert_accepted("{\"quantity\":1,\"customerId\":\"C\",\"reservationId\":\"0194B0A1-2345-8ABC-"
                    "9DEF-0123456789aF\"}");
    ck_assert_str_eq(change.reservation_id, "0194b0a1-2345-8abc-9def-0123456789af");
}
END_TEST

START_TEST(a_null_reservation_id_is_none) {
    assert_accepted("{\"quantity\":1,\"customerId\":\"C\",\"reservationId\":null}");
    ck_assert_str_eq(change.reservation_id, "");
}
END_TEST

START_TEST(a_reservation_id_is_an_unknown_member_where_none_is_asked_for) {
    request.body = "{\"quantity\":1,\"customerId\":\"C\",\"reservationId\":17}";
    request.body_length = strlen(request.body);
    ck_assert(request_check_change(&request, RESERVE_PARTS, MAX_LIFETIME_MS, &change, &response));
    ck_assert_str_eq(change.reservation_id, "");
}
END_TEST

START_TEST(json_goes_by_several_names) {
    static const char *const types[] = {
        "application/json",
        "APPLICATION/Json",
        " application/json ",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json ; a=\"x; charset=latin1\" ; Charset=Utf-8;",
        "application/json; odata=verbose; q",
        "text/json",
        "application/vnd.api+json",
        "application/problem+JSON; charset=utf-8"};
    for (size_t i = 0; i < COUNT(types); i++) {
        request.content_type.text = types[i];
        assert_accepted("{\"quantity\":1,\"customerId\":\"C\"}");
    }
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(a_product_id_is_of_few_characters) {
    char longest[129], too_long[130];
    memset(longest, 'a', 128);
    longest[128] = '\0';
    memset(too_long, 'a', 129);
    too_long[129] = '\0';
    request.params[0] = longest;
    ck_assert(request_check_product_id(&request, &response));
    const char *const wrong[] = {"",    "A/B", "A B", "A%",   "A\x01", "\xC3\xA4",
                                 "A'B", "A,B", "A#",  "A\nB", too_long};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        request.params[0] = wrong[i];
        assert_refused("{\"quantity\":1,\"customerId\":\"C\"}", 400, "InvalidProductId");
    }
}
END_TEST

START_TEST(other_media_types_are_refused) {
    static const char *const types[] = {"text/plain",
                                        "application/xml",
                                        "application/jsonx",
                                        "application/json/x",
                                        "application/+json",
                                        "text/vnd.example.api+json",
                                        "json",
                                        "",
                                        ";",
                                        "application/x-www-form-urlencoded",
                                        "multipart/form-data; boundary=x",
                                        "application/octet-stream",
                                        "application/json; charset=latin1",
                                        "application/json; charset=utf-16",
                                        "application/json; charset=utf-8x",
                                        "application/json; charset=",
                                        "application/json; charset",
                                        "application/json; a=b; CHARSET=\"iso-8859-1\""};
    for (size_t i = 0; i < COUNT(types); i++) {
        request.content_type.text = types[i];
        ck_assert_msg(!check("{\"quantity\":1,\"customerId\":\"C\"}"), "accepted: %s", types[i]);
        assert_answer(415, "UnsupportedMediaType", types[i]);
    }
}
END_TEST

START_TEST(two_content_types_are_refused_however_they_arrive) {
    static const char *const joined[] = {"application/json, text/plain",
                                         "application/json,application/json", ",",
                                         "application/json; a=\"x, y\", text/json"};
    for (size_t i = 0; i < COUNT(joined); i++) {
        request.content_type.text = joined[i];
        assert_refused(good_body, 400, "BadRequest");
    }
    request.content_type =
        (struct http_header_value){.text = "application/json", .is_repeated = true};
    assert_refused(good_body, 400, "BadRequest");
    request.content_type = (struct http_header_value){.text = "application/json; a=\"x, y\""};
    assert_accepted(good_body);
}
END_TEST

START_TEST(a_body_may_not_be_encoded) {
    static const char *const encodings[] = {
        "gzip", "br", "GZIP", "identity, gzip", "identity, identity", "", "x"};
    for (size_t i = 0; i < COUNT(encodings); i++) {
        request.content_encoding.text = encodings[i];
        assert_refused(good_body, 415, "UnsupportedMediaType");
    }
    request.content_encoding = (struct http_header_value){.text = "identity", .is_repeated = true};
    assert_refused(good_body, 415, "UnsupportedMediaType");
    request.content_encoding = (struct http_header_value){.text = "Identity"};
    assert_accepted(good_body);
}
END_TEST

START_TEST(a_key_is_one_key_of_1_to_128_printable_characters_without_a_comma) {
    char longest[129], too_long[130];
    repeat(longest, "k", 128);
    repeat(too_long, "k", 129);
    const char *const right[] = {"k", "a b", "~!@#$%^&*()", longest};
    for (size_t i = 0; i < COUNT(right); i++) {
        request.idempotency_key.text = right[i];
        assert_accepted(good_body);
    }
    const char *const wrong[] = {"",     ",",        "k1, k2", "k1,k2", "k, k",
                                 "a\tb", "\xC3\xA4", "a\x7f",  too_long};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        request.idempotency_key.text = wrong[i];
        assert_refused(good_body, 400, "InvalidIdempotencyKey");
    }
    request.idempotency_key = (struct http_header_value){.text = "k", .is_repeated = true};
    assert_refused(good_body, 400, "InvalidIdempotencyKey");
}
END_TEST

START_TEST(a_body_may_hold_64_kib_and_not_a_byte_more) {
    enum { LIMIT = 64 * 1024 };
    char *body = malloc(LIMIT + 2);
    ck_assert_ptr_nonnull(body);
    memset(body, ' ', LIMIT + 1);
    body[LIMIT + 1] = '\0';
    static const char object[] = "{\"quantity\":1,\"customerId\":\"C\"}";
    memcpy(body, object, sizeof object - 1);
    ck_assert(check_bytes(body, LIMIT));
    ck_assert(!check_bytes(body, LIMIT + 1));
    assert_answer(413, "PayloadTooLarge", "64 KiB and one byte");
    free(body);
}
END_TEST

START_TEST(a_body_that_the_server_did_not_keep_is_too_large) {
    request.body_too_large = true;
    assert_refused("", 413, "PayloadTooLarge");
}
END_TEST

START_TEST(what_is_not_a_json_object_is_refused) {
    char deep[200] = "{\"quantity\":1,\"customerId\":\"C\",\"x\":";
    memset(deep + strlen(deep), '[', 60);
    static const char *const bodies[] = {
        "",
        " ",
        "null",
        "[]",
        "5",
        "\"text\"",
        "{",
        "{\"quantity\":5,}",
        "{'quantity':5}",
        "{\"quantity\":5,\"customerId\":\"C\"} x",
        "{\"quantity\":5,\"customerId\":\"C\"}{}",
        "{\"quantity\":5,\"quantity\":5,\"customerId\":\"C\"}",
        "{\"quantity\":NaN,\"customerId\":\"C\"}",
        "{\"quantity\":Infinity,\"customerId\":\"C\"}",
        "{\"quantity\":05,\"customerId\":\"C\"}",
        "{\"quantity\":+5,\"customerId\":\"C\"}",
        "{\"quantity\":1,\"customerId\":\"\xC3\"}",
        "{\"quantity\":1,\"customerId\":\"\xED\xA0\x80\"}",
        "{\"quantity\":1,\"customerId\":\"\xC0\x80\"}",
        "{\"quantity\":1,\"customerId\":\"\\ud800\"}",
        "{\"quantity\":1,\"customerId\":\"a\tb\"}",
        "{\"quantity\":1,\"customerId\":\"C\",\"x\":{\"a\":1,\"a\":1}}",
        "{\"quantity\":5,\"Quantity\":5,\"customerId\":\"C\"}",
        "{\"quantity\":5,\"customerId\":\"C\",\"CUSTOMERID\":\"C\"}",
        "{\"quantity\":5,\"customerId\":\"C\",\"x\":1,\"\\u0058\":2}",
        "\xEF\xBB\xBF{\"quantity\":1,\"customerId\":\"C\"}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        assert_refused(bodies[i], 400, "InvalidJson");
    }
    assert_refused(deep, 400, "InvalidJson");
}
END_TEST

START_TEST(a_nul_anywhere_is_not_json) {
    static const char inside[] = "{\"quantity\":1,\"customerId\":\"C\0D\"}",
                      after[] = "{\"quantity\":1,\"customerId\":\"C\"}";
    ck_assert(!check_bytes(inside, sizeof inside - 1));
    assert_answer(400, "InvalidJson", "a NUL in a string");
    ck_assert(!check_bytes(after, sizeof after));
    assert_answer(400, "InvalidJson", "a NUL after the object");
}
END_TEST

START_TEST(a_key_cut_in_the_middle_of_a_character_does_not_get_into_the_answer) {
    char body[512], key[80];
    repeat(key, "\xC3\xA4", 35);
    snprintf(body, sizeof body, "{\"x%s\":1,\"x%s\":1}", key, key);
    assert_refused(body, 400, "InvalidJson");
}
END_TEST

START_TEST(a_quantity_is_a_whole_number_from_1_to_a_million) {
    static const char *const values[] = {"0",
                                         "-1",
                                         "-0",
                                         "1.5",
                                         "0.999",
                                         "1000001",
                                         "1000000.5",
                                         "4.99999999999999999999",
                                         "5.00000000000000000001",
                                         "0.99999999999999999999999",
                                         "1.0000000000000000000000000000000001e0",
                                         "500000000000000000000000000000000000000001e-41",
                                         "1e-99999999999999999999999999999999999999",
                                         "1e99999999999999999999999999999999999999",
                                         "0e99999999999999999999",
                                         "0.0",
                                         "-5e0",
                                         "1e7",
                                         "1e400",
                                         "-1e400",
                                         "1e-400",
                                         "\"5\"",
                                         "true",
                                         "null",
                                         "[5]",
                                         "{}",
                                         "\"five\"",
                                         "\"\"",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "18446744073709551617",
                                         "4294967297"};
    for (size_t i = 0; i < COUNT(values); i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"quantity\":%s,\"customerId\":\"C\"}", values[i]);
        assert_refused(body, 400, "InvalidQuantity");
    }
    assert_refused("{\"customerId\":\"C\"}", 400, "InvalidQuantity");
}
END_TEST

START_TEST(a_customer_is_a_string_of_1_to_128_characters) {
    char too_long[129 * 2 + 3] = "\"";
    repeat(too_long + 1, "\xC3\xA4", 129);
    memcpy(too_long + strlen(too_long), "\"", 2);
    const char *const values[] = {
        "\"\"",         "5",       "null",        "true",          "[\"C\"]",       "{}",
        "\"a\\u0001\"", "\"\\n\"", "\"\\u007f\"", "\"a\\u0085b\"", "\"a\\u0000b\"", "\"\\u0000\"",
        too_long};
    for (size_t i = 0; i < COUNT(values); i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"quantity\":1,\"customerId\":%s}", values[i]);
        assert_refused(body, 400, "InvalidCustomerId");
    }
    assert_refused("{\"quantity\":1}", 400, "InvalidCustomerId");
}
END_TEST

START_TEST(a_reservation_id_is_a_uuid) {
    static const char *const values[] = {"\"\"",
                                         "5",
                                         "false",
                                         "{}",
                                         "\"0194b0a1\"",
                                         "\"0194b0a1-2345-8abc-9def-0123456789a\"",
                                         "\"0194b0a1-2345-8abc-9def-0123456789abc\"",
                                         "\"0194b0a1-2345-8abc-9def-0123456789ag\"",
                                         "\"0194b0a123458abc9def0123456789ab\"",
                                         "\"0194b0a1-2345-8abc-9def-0123456789ab\\u0000\"",
                                         "\"\\u0000\"",
                                         "\"{0194b0a1-2345-8abc-9def-0123456789ab}\""};
    for (size_t i = 0; i < COUNT(values); i++) {
        char body[160];
        snprintf(body, sizeof body, "{\"quantity\":1,\"customerId\":\"C\",\"reservationId\":%s}",
                 values[i]);
        assert_refused(body, 400, "InvalidReservationId");
    }
}
END_TEST

/* ---- confirm, extend, adjust ---- */

#define ROUTE "inventory/{productId}/reservations/{reservationId}/confirm"

static void name_reservation(const char *id) {
    parts = CONFIRM_PARTS;
    request.route = ROUTE;
    request.params[1] = id;
}

START_TEST(a_confirm_may_have_no_body_and_then_means_all_of_anybodys) {
    name_reservation("0194B0A1-2345-8ABC-9DEF-0123456789AF");
    request.content_type.text = "application/x-www-form-urlencoded"; /* curl -d '' sends it */
    assert_accepted("");
    ck_assert_str_eq(change.reservation_id, "0194b0a1-2345-8abc-9def-0123456789af");
    ck_assert_int_eq(change.quantity, 0);
    ck_assert_str_eq(change.customer_id, "");
    request.content_type.text = NULL;
    assert_accepted("{}");
    ck_assert_int_eq(change.quantity, 0);
    assert_accepted("{\"quantity\":null,\"customerId\":null}");
    assert_accepted("{\"quantity\":5,\"customerId\":\"C\",\"reservationId\":17}");
    ck_assert_int_eq(change.quantity, 5);
    ck_assert_str_eq(change.customer_id, "C");
}
END_TEST

START_TEST(what_a_confirm_may_have_is_checked_as_elsewhere) {
    name_reservation("0194b0a1-2345-8abc-9def-0123456789af");
    assert_refused(" ", 400, "InvalidJson");
    assert_refused("null", 400, "InvalidJson");
    assert_refused("{\"quantity\":0}", 400, "InvalidQuantity");
    assert_refused("{\"quantity\":1000001}", 400, "InvalidQuantity");
    assert_refused("{\"customerId\":\"\"}", 400, "InvalidCustomerId");
    request.body_too_large = true;
    assert_refused("", 413, "PayloadTooLarge");
    request.body_too_large = false;
    request.content_type.text = "text/plain";
    assert_refused("{}", 415, "UnsupportedMediaType");
}
END_TEST

START_TEST(a_reservation_in_a_route_is_a_uuid) {
    static const char *const ids[] = {"",
                                      "x",
                                      "0194b0a1-2345-8abc-9def-0123456789a",
                                      "0194b0a1-2345-8abc-9def-0123456789abc",
                                      "0194b0a123458abc9def0123456789ab",
                                      "{0194b0a1-2345-8abc-9def-0123456789ab}"};
    for (size_t i = 0; i < COUNT(ids); i++) {
        name_reservation(ids[i]);
        assert_refused("", 400, "InvalidReservationId");
    }
    request.params[0] = "A B";
    assert_refused("", 400, "InvalidProductId");
}
END_TEST

START_TEST(a_lifetime_is_whole_seconds_up_to_the_limit_or_absent) {
    static const char *const wrong[] = {"0",     "-1",   "0.5", "86400.5", "86401", "1e99",
                                        "\"5\"", "true", "[5]", "{}",      "1e-1",  "\"\""};
    static const struct {
        const char *text;
        int64_t lifetime_ms;
    } right[] = {{"1", 1000}, {"86400", 86400000}, {"6e1", 60000}, {"5.0", 5000}, {"null", 0}};
    char body[128];
    parts = RESERVE_PARTS;
    for (size_t i = 0; i < COUNT(right); i++) {
        snprintf(body, sizeof body, "{\"quantity\":1,\"customerId\":\"C\",\"LifetimeSeconds\":%s}",
                 right[i].text);
        assert_accepted(body);
        ck_assert_int_eq(change.lifetime_ms, right[i].lifetime_ms);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        snprintf(body, sizeof body, "{\"quantity\":1,\"customerId\":\"C\",\"lifetimeSeconds\":%s}",
                 wrong[i]);
        assert_refused(body, 400, "InvalidLifetime");
    }
    parts = RELEASE_PARTS; /* for which it is an unknown member */
    assert_accepted("{\"quantity\":1,\"customerId\":\"C\",\"lifetimeSeconds\":0}");
}
END_TEST

START_TEST(a_delta_is_a_whole_number_but_0) {
    static const char *const wrong[] = {"0",    "-0",   "0.0",   "1.5",  "\"1\"",
                                        "null", "1e30", "-1e30", "true", "9223372036854775807"};
    static const struct {
        const char *text;
        int64_t delta;
    } right[] = {
        {"1", 1}, {"-1", -1}, {"5e3", 5000}, {"-4611686018427387903", -INVENTORY_MAX_TOTAL}};
    char body[64];
    parts = CHANGE_DELTA;
    for (size_t i = 0; i < COUNT(right); i++) {
        snprintf(body, sizeof body, "{\"delta\":%s}", right[i].text);
        assert_accepted(body);
        ck_assert_int_eq(change.delta, right[i].delta);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        snprintf(body, sizeof body, "{\"delta\":%s}", wrong[i]);
        assert_refused(body, 400, "InvalidDelta");
    }
    assert_refused("{}", 400, "InvalidDelta");
    assert_refused("", 400, "InvalidJson"); /* the host repeats a request without a body */
}
END_TEST

START_TEST(a_reason_is_a_text_of_up_to_256_characters) {
    char longest[256 * 4 + 1], too_long[257 * 4 + 1], body[sizeof too_long + 64];
    repeat(longest, "\xF0\x9F\x93\xA6", 256);
    repeat(too_long, "\xF0\x9F\x93\xA6", 257);
    parts = CHANGE_DELTA;
    snprintf(body, sizeof body, "{\"delta\":1,\"reason\":\"%s\"}", longest);
    assert_accepted(body);
    ck_assert_str_eq(change.reason, longest);
    snprintf(body, sizeof body, "{\"delta\":1,\"reason\":\"%s\"}", too_long);
    assert_refused(body, 400, "InvalidReason");
    assert_refused("{\"delta\":1,\"reason\":7}", 400, "InvalidReason");
    assert_refused("{\"delta\":1,\"reason\":\"a\\nb\"}", 400, "InvalidReason");
    assert_accepted("{\"delta\":1,\"reason\":null}");
    assert_accepted("{\"delta\":1,\"reason\":\"\"}");
    ck_assert_str_eq(change.reason, "");
}
END_TEST

START_TEST(if_match_is_one_tag_or_a_star) {
    static const struct {
        const char *text;
        int64_t expected_version;
    } right[] = {{"\"7\"", 7}, {"*", 0}, {"W/\"7\"", -1}, {"\"x\"", -1}, {NULL, 0}};
    static const char *const wrong[] = {"7", "\"7\", \"8\"", "", "\"7", "*, *"};
    for (size_t i = 0; i < COUNT(right); i++) {
        request.if_match.text = right[i].text;
        assert_accepted(good_body);
        ck_assert_int_eq(change.expected_version, right[i].expected_version);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        request.if_match.text = wrong[i];
        assert_refused(good_body, 400, "BadRequest");
    }
    request.if_match = (struct http_header_value){.text = "\"7\"", .is_repeated = true};
    assert_refused(good_body, 400, "BadRequest");
}
END_TEST

START_TEST(the_first_thing_wrong_is_named) {
    request = (struct function_request){.route = "{productId}",
                                        .params = {"A B"},
                                        .content_type.text = "text/plain",
                                        .body_too_large = true};
    assert_refused("", 400, "InvalidProductId");
    request.params[0] = "A";
    assert_refused("", 415, "UnsupportedMediaType");
    request.content_type.text = "application/json";
    assert_refused("", 413, "PayloadTooLarge");
    request.body_too_large = false;
    assert_refused("{", 400, "InvalidJson");
    assert_refused("{\"quantity\":0,\"customerId\":0,\"reservationId\":0}", 400, "InvalidQuantity");
    assert_refused("{\"quantity\":1,\"customerId\":0,\"reservationId\":0}", 400,
                   "InvalidCustomerId");
    assert_refused("{\"quantity\":1,\"customerId\":\"C\",\"reservationId\":0}", 400,
                   "InvalidReservationId");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("request_check");
    TCase *right = tcase_create("what is right");
    tcase_add_checked_fixture(right, set_up, tear_down);
    tcase_add_test(right, a_request_is_read);
    tcase_add_test(right, whole_numbers_may_be_written_as_json_allows);
    tcase_add_test(right, unknown_members_and_the_order_of_members_do_not_matter);
    tcase_add_test(right, names_match_in_any_case);
    tcase_add_test(right, a_name_with_a_nul_is_a_name_of_its_own);
    tcase_add_test(right, a_customer_may_be_128_characters_of_any_script);
    tcase_add_test(right, a_reservation_id_is_read_in_lower_case);
    tcase_add_test(right, a_null_reservation_id_is_none);
    tcase_add_test(right, a_reservation_id_is_an_unknown_member_where_none_is_asked_for);
    tcase_add_test(right, json_goes_by_several_names);
    tcase_add_test(right, a_confirm_may_have_no_body_and_then_means_all_of_anybodys);
    suite_add_tcase(suite, right);
    TCase *wrong = tcase_create("what is wrong");
    tcase_add_checked_fixture(wrong, set_up, tear_down);
    tcase_add_test(wrong, a_product_id_is_of_few_characters);
    tcase_add_test(wrong, other_media_types_are_refused);
    tcase_add_test(wrong, two_content_types_are_refused_however_they_arrive);
    tcase_add_test(wrong, a_body_may_not_be_encoded);
    tcase_add_test(wrong, a_key_is_one_key_of_1_to_128_printable_characters_without_a_comma);
    tcase_add_test(wrong, a_body_may_hold_64_kib_and_not_a_byte_more);
    tcase_add_test(wrong, a_body_that_the_server_did_not_keep_is_too_large);
    tcase_add_test(wrong, what_is_not_a_json_object_is_refused);
    tcase_add_test(wrong, a_nul_anywhere_is_not_json);
    tcase_add_test(wrong, a_key_cut_in_the_middle_of_a_character_does_not_get_into_the_answer);
    tcase_add_test(wrong, a_quantity_is_a_whole_number_from_1_to_a_million);
    tcase_add_test(wrong, a_customer_is_a_string_of_1_to_128_characters);
    tcase_add_test(wrong, a_reservation_id_is_a_uuid);
    tcase_add_test(wrong, what_a_confirm_may_have_is_checked_as_elsewhere);
    tcase_add_test(wrong, a_reservation_in_a_route_is_a_uuid);
    tcase_add_test(wrong, a_lifetime_is_whole_seconds_up_to_the_limit_or_absent);
    tcase_add_test(wrong, a_delta_is_a_whole_number_but_0);
    tcase_add_test(wrong, a_reason_is_a_text_of_up_to_256_characters);
    tcase_add_test(wrong, if_match_is_one_tag_or_a_star);
    tcase_add_test(wrong, the_first_thing_wrong_is_named);
    suite_add_tcase(suite, wrong);
    return check_main(suite);
}
