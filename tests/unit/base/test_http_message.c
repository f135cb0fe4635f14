#include "base/http_message.h"

#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

START_TEST(headers_are_found_in_any_case_and_the_first_counts) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Content-Type", "application/json");
    http_headers_add(&headers, "X-Twice", "one");
    http_headers_add(&headers, "x-twice", "two");
    ck_assert_int_eq(headers.status, STATUS_OK);
    ck_assert_uint_eq(headers.count, 3);
    ck_assert_str_eq(http_headers_get(&headers, "content-TYPE"), "application/json");
    ck_assert_str_eq(http_headers_get(&headers, "X-TWICE"), "one");
    ck_assert_ptr_null(http_headers_get(&headers, "Content-Typ"));
    ck_assert_ptr_null(http_headers_get(&headers, "Content-Type2"));
    http_headers_cleanup(&headers);
    ck_assert_uint_eq(headers.count, 0);
    ck_assert_ptr_null(http_headers_get(&headers, "Content-Type"));
}
END_TEST

START_TEST(names_and_values_are_copies) {
    struct http_headers headers;
    char name[] = "Name", value[] = "value";
    http_headers_init(&headers);
    http_headers_add(&headers, name, value);
    memset(name, 'x', 4);
    memset(value, 'x', 5);
    ck_assert_str_eq(http_headers_get(&headers, "Name"), "value");
    http_headers_cleanup(&headers);
}
END_TEST

START_TEST(a_value_of_any_length_is_formatted) {
    struct http_headers headers;
    char text[5001];
    memset(text, 'v', 5000);
    text[5000] = '\0';
    http_headers_init(&headers);
    http_headers_addf(&headers, "ETag", "\"%d\"", 42);
    http_headers_addf(&headers, "Long", "<%s>", text);
    ck_assert_str_eq(http_headers_get(&headers, "ETag"), "\"42\"");
    ck_assert_uint_eq(strlen(http_headers_get(&headers, "Long")), 5002);
    http_headers_cleanup(&headers);
}
END_TEST

START_TEST(many_headers_keep_their_order) {
    struct http_headers headers;
    http_headers_init(&headers);
    for (int i = 0; i < 500; i++) {
        char name[16];
        snprintf(name, sizeof name, "h%d", i);
        http_headers_addf(&headers, name, "%d", i);
    }
    ck_assert_uint_eq(headers.count, 500);
    for (int i = 0; i < 500; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        ck_assert_str_eq(headers.items[i].value, value);
    }
    http_headers_cleanup(&headers);
}
END_TEST

START_TEST(joining_in_the_middle_moves_what_stands_behind) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "A", "1");
    http_headers_add(&headers, "B", "");
    http_headers_add(&headers, "C", "3");
    char expected_a[2048] = "1", expected_b[2048] = "";
    for (int i = 0; i < 300; i++) { /* the list grows meanwhile */
        http_headers_join(&headers, "A", "x");
        http_headers_join(&headers, "B", "yz");
        strcat(expected_a, ", x");
        strcat(expected_b, ", yz");
    }
    ck_assert_int_eq(headers.status, STATUS_OK);
    ck_assert_uint_eq(headers.count, 3);
    ck_assert_str_eq(http_headers_get(&headers, "a"), expected_a);
    ck_assert_str_eq(http_headers_get(&headers, "b"), expected_b);
    ck_assert_str_eq(headers.items[2].name, "C");
    ck_assert_str_eq(headers.items[2].value, "3");
    http_headers_cleanup(&headers);
}
END_TEST

START_TEST(a_cleared_list_is_wiped_and_takes_others) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_clear(&headers);
    http_headers_addf(&headers, "Authorization", "Bearer %s", "secret");
    http_headers_add(&headers, "A\n", "");
    const char *text = headers.text;
    size_t length = headers.text_length;
    http_headers_clear(&headers);
    ck_assert_int_eq(headers.status, STATUS_OK);
    ck_assert_uint_eq(headers.count, 0);
    for (size_t i = 0; i < length; i++) {
        ck_assert_int_eq(text[i], 0);
    }
    http_headers_add_bytes(&headers, "Name: value", 4, "value and more", 5);
    ck_assert_ptr_eq(headers.text, text);
    ck_assert_str_eq(http_headers_get(&headers, "Name"), "value");
    http_headers_add_bytes(&headers, "N", 1, "a\0b", 3);
    ck_assert_int_eq(headers.status, STATUS_INVALID_ARGUMENT);
    http_headers_cleanup(&headers);
}
END_TEST

static void check_nothing_behind(const struct http_headers *headers) {
    for (size_t i = headers->text_length; i < headers->text_capacity; i++) {
        ck_assert_int_eq(headers->text[i], 0);
    }
}

/* The memory behind the text is made zero first, because it may hold anything. */
START_TEST(a_printed_header_that_is_refused_leaves_nothing_behind) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Name", "value");
    memset(headers.text + headers.text_length, 0, headers.text_capacity - headers.text_length);
    http_headers_addf(&headers, "Authorization", "Bearer %s\n", "secret");
    ck_assert_int_eq(headers.status, STATUS_INVALID_ARGUMENT);
    ck_assert_uint_eq(headers.count, 1);
    ck_assert_str_eq(http_headers_get(&headers, "name"), "value");
    check_nothing_behind(&headers);
    http_headers_cleanup(&headers);
}
END_TEST

static const char *const breaks[][2] = {
    {"A", "b\r\nC: d"}, {"A", "b\nC: d"}, {"A", "b\r"}, {"A\r\nB", "c"}, {"A\n", "c"}};

START_TEST(a_line_break_is_refused_and_the_failure_remembered) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Good", "1");
    if (_i % 2 == 0) {
        http_headers_add(&headers, breaks[_i][0], breaks[_i][1]);
    } else {
        http_headers_addf(&headers, breaks[_i][0], "%s", breaks[_i][1]);
    }
    http_headers_add(&headers, "Later", "2");
    http_headers_addf(&headers, "Later", "%d", 3);
    ck_assert_int_eq(headers.status, STATUS_INVALID_ARGUMENT);
    ck_assert_uint_eq(headers.count, 1);
    http_headers_cleanup(&headers);
    ck_assert_int_eq(headers.status, STATUS_OK);
}
END_TEST

START_TEST(a_response_starts_as_an_empty_200) {
    struct http_response response;
    http_response_init(&response, 3);
    ck_assert_int_eq(response.status, 200);
    ck_assert_uint_eq(response.headers.count, 0);
    ck_assert_str_eq(response.body.data, "");
    strbuf_append_string(&response.body, "four");
    ck_assert_int_eq(strbuf_status(&response.body), STATUS_TOO_LARGE);
    http_headers_add(&response.headers, "A", "b");
    http_response_cleanup(&response);
}
END_TEST

START_TEST(headers_of_one_name_can_be_joined) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_join(&headers, "Key", "k1");
    http_headers_join(&headers, "Other", "o");
    http_headers_join(&headers, "kEY", "");
    http_headers_join(&headers, "KEY", "k3");
    ck_assert_uint_eq(headers.count, 2);
    ck_assert_str_eq(headers.items[0].name, "Key");
    ck_assert_str_eq(headers.items[0].value, "k1, , k3");
    http_headers_join(&headers, "Key", "k4\r\nX: y");
    ck_assert_int_eq(headers.status, STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(headers.items[0].value, "k1, , k3");
    http_headers_cleanup(&headers);
}
END_TEST

START_TEST(a_reason_is_one_line_of_ascii_whatever_it_is_made_of) {
    struct http_response response;
    http_response_init(&response, 0);
    ck_assert_str_eq(response.reason, "");
    http_response_set_reason(&response, "a\r\nb: \x7f\tc\xc3\xa4 ~");
    ck_assert_str_eq(response.reason, "a??b: ??c?? ~");
    char longest[2 * HTTP_REASON_BYTES] = "";
    memset(longest, 'x', sizeof longest - 1);
    http_response_set_reason(&response, longest);
    ck_assert_uint_eq(strlen(response.reason), HTTP_REASON_BYTES - 1);
    http_response_cleanup(&response);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_message");
    TCase *tcase = tcase_create("http_message");
    tcase_add_test(tcase, headers_are_found_in_any_case_and_the_first_counts);
    tcase_add_test(tcase, names_and_values_are_copies);
    tcase_add_test(tcase, a_value_of_any_length_is_formatted);
    tcase_add_test(tcase, many_headers_keep_their_order);
    tcase_add_test(tcase, joining_in_the_middle_moves_what_stands_behind);
    tcase_add_test(tcase, a_cleared_list_is_wiped_and_takes_others);
    tcase_add_test(tcase, a_printed_header_that_is_refused_leaves_nothing_behind);
    tcase_add_loop_test(tcase, a_line_break_is_refused_and_the_failure_remembered, 0,
                        sizeof breaks / sizeof breaks[0]);
    tcase_add_test(tcase, a_response_starts_as_an_empty_200);
    tcase_add_test(tcase, headers_of_one_name_can_be_joined);
    tcase_add_test(tcase, a_reason_is_one_line_of_ascii_whatever_it_is_made_of);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
