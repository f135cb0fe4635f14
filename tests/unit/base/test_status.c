#include "base/status.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "support/processes/check_main.h"

START_TEST(every_status_has_its_name_and_meaning) {
    ck_assert_str_eq(status_name(STATUS_OK), "OK");
    ck_assert_str_eq(status_name(STATUS_LEASE_LOST), "LEASE_LOST");
    ck_assert_str_eq(status_name(STATUS_INTERNAL), "INTERNAL");
    ck_assert_str_eq(status_text(STATUS_LEASE_CONFLICT), "somebody else holds the lease");
    ck_assert_str_eq(status_name((enum status)(STATUS_INTERNAL + 1)), "unknown status");
    ck_assert_str_eq(status_text((enum status) - 1), "unknown status");
}
END_TEST

START_TEST(setting_an_error_clears_what_was_there) {
    struct error err;
    memset(&err, 'x', sizeof err);
    ck_assert_int_eq(error_set(&err, STATUS_NOT_FOUND, "no blob %s", "lease-a"), STATUS_NOT_FOUND);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(err.http_status, 0);
    ck_assert_int_eq(err.retry_after_ms, 0);
    ck_assert_str_eq(err.code, "");
    ck_assert_str_eq(err.request_id, "");
    ck_assert_str_eq(err.message, "no blob lease-a");
}
END_TEST

START_TEST(nobody_needs_to_want_the_detail) {
    ck_assert_int_eq(error_set(NULL, STATUS_CANCELLED, "unheard"), STATUS_CANCELLED);
    error_wrap(NULL, "unheard");
}
END_TEST

START_TEST(an_error_may_be_set_from_its_own_fields) {
    struct error err = {.code = "ServerBusy", .message = "busy"};
    error_set(&err, STATUS_UNAVAILABLE, "%s (%s)", err.message, err.code);
    ck_assert_str_eq(err.message, "busy (ServerBusy)");
}
END_TEST

START_TEST(context_grows_in_front_and_the_rest_stays) {
    struct error err;
    error_set(&err, STATUS_UNAVAILABLE, "connection refused");
    err.http_status = 503;
    snprintf(err.code, sizeof err.code, "ServerBusy");
    error_wrap(&err, "reading %s", "the product");
    error_wrap(&err, "reserving %s", "PROD-001");
    ck_assert_str_eq(err.message, "reserving PROD-001: reading the product: connection refused");
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    ck_assert_int_eq(err.http_status, 503);
    ck_assert_str_eq(err.code, "ServerBusy");
}
END_TEST

/* "é" has two bytes. With one byte in front, the last one is cut in half. */
static void fill_with_e_acute(char *out, size_t pairs) {
    for (size_t i = 0; i < pairs; i++) {
        memcpy(out + 2 * i, "\xC3\xA9", 2);
    }
    out[2 * pairs] = '\0';
}

START_TEST(a_long_message_is_cut_between_characters) {
    char many[2001];
    struct error err;
    fill_with_e_acute(many, 1000);
    error_set(&err, STATUS_INTERNAL, "%s", many);
    ck_assert_uint_eq(strlen(err.message), sizeof err.message - 2);
    ck_assert(utf8_is_valid(err.message, strlen(err.message)));
    error_set(&err, STATUS_INTERNAL, "x%s", many);
    ck_assert_uint_eq(strlen(err.message), sizeof err.message - 1);
    ck_assert(utf8_is_valid(err.message, strlen(err.message)));
}
END_TEST

START_TEST(context_pushes_the_end_of_a_long_message_out) {
    char many[2001];
    struct error err;
    fill_with_e_acute(many, 1000);
    error_set(&err, STATUS_INTERNAL, "%s", many);
    error_wrap(&err, "renewing"); /* an even length, so that a character is cut in half */
    ck_assert_int_eq(strncmp(err.message, "renewing: \xC3\xA9", 12), 0);
    ck_assert_uint_lt(strlen(err.message), sizeof err.message);
    ck_assert(utf8_is_valid(err.message, strlen(err.message)));
    error_wrap(&err, "%s", many);
    ck_assert_uint_lt(strlen(err.message), sizeof err.message);
    ck_assert(utf8_is_valid(err.message, strlen(err.message)));
}
END_TEST

START_TEST(a_message_is_one_line) {
    struct error err;
    error_set(&err, STATUS_MALFORMED, "got \"%s\"", "a\r\nb\x1B[31m");
    error_wrap(&err, "line\n1");
    ck_assert_str_eq(err.message, "line 1: got \"a  b [31m\"");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("status");
    TCase *tcase = tcase_create("status");
    tcase_add_test(tcase, every_status_has_its_name_and_meaning);
    tcase_add_test(tcase, setting_an_error_clears_what_was_there);
    tcase_add_test(tcase, nobody_needs_to_want_the_detail);
    tcase_add_test(tcase, an_error_may_be_set_from_its_own_fields);
    tcase_add_test(tcase, context_grows_in_front_and_the_rest_stays);
    tcase_add_test(tcase, a_long_message_is_cut_between_characters);
    tcase_add_test(tcase, context_pushes_the_end_of_a_long_message_out);
    tcase_add_test(tcase, a_message_is_one_line);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
