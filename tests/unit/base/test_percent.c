#include "base/percent.h"

#include <string.h>

#include "support/processes/check_main.h"

START_TEST(an_escape_has_two_hexadecimal_digits_of_either_case) {
    ck_assert_int_eq(percent_escape("%2f", 3), 0x2f);
    ck_assert_int_eq(percent_escape("%Fa12", 5), 0xfa);
    ck_assert_int_eq(percent_escape("%00", 3), 0);
}
END_TEST

START_TEST(what_is_no_escape_or_is_cut_has_no_value) {
    ck_assert_int_eq(percent_escape("%2f", 2), -1);
    ck_assert_int_eq(percent_escape("%2g", 3), -1);
    ck_assert_int_eq(percent_escape("%g2", 3), -1);
    ck_assert_int_eq(percent_escape("x2f", 3), -1);
    ck_assert_int_eq(percent_escape("", 0), -1);
}
END_TEST

static void expect_decoded(const char *text, const char *decoded) {
    char copy[64];
    ck_assert_uint_lt(strlen(text), sizeof copy);
    strcpy(copy, text);
    percent_decode(copy);
    ck_assert_str_eq(copy, decoded);
}

START_TEST(a_text_is_decoded_in_place_and_once) {
    expect_decoded("", "");
    expect_decoded("plain", "plain");
    expect_decoded("a%20b%2Fc", "a b/c");
    expect_decoded("%2541", "%41");
    expect_decoded("%C3%BC%ff", "\xC3\xBC\xFF");
}
END_TEST

START_TEST(what_would_cut_the_text_and_what_is_no_escape_stays) {
    expect_decoded("a%00b", "a%00b");
    expect_decoded("%", "%");
    expect_decoded("%4", "%4");
    expect_decoded("%%41", "%A");
    expect_decoded("100%zz", "100%zz");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("percent");
    TCase *tests = tcase_create("percent");
    tcase_add_test(tests, an_escape_has_two_hexadecimal_digits_of_either_case);
    tcase_add_test(tests, what_is_no_escape_or_is_cut_has_no_value);
    tcase_add_test(tests, a_text_is_decoded_in_place_and_once);
    tcase_add_test(tests, what_would_cut_the_text_and_what_is_no_escape_stays);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
