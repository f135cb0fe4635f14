#include "base/percent.h"

#include <string.h>

#include "support/processes/check_main.h"

static int escape_of(const char *text) {
    return percent_escape(text, strlen(text));
}

START_TEST(an_escape_is_a_percent_sign_and_two_digits_of_either_case) {
    ck_assert_int_eq(escape_of("%00"), 0);
    ck_assert_int_eq(escape_of("%2Fx"), '/');
    ck_assert_int_eq(escape_of("%2f"), '/');
    ck_assert_int_eq(escape_of("%fF"), 255);
    ck_assert_int_eq(escape_of("%Fa12"), 0xfa);
    static const char *const others[] = {"", "%", "%2", "%2g", "%g2", "2F%", "x2F", "%%2F"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_msg(escape_of(others[i]) == -1, "%s", others[i]);
    }
}
END_TEST

START_TEST(an_escape_does_not_reach_beyond_the_end) {
    ck_assert_int_eq(percent_escape("%2F", 2), -1);
    ck_assert_int_eq(percent_escape("%2F", 1), -1);
    ck_assert_int_eq(percent_escape("%2F", 0), -1);
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
    tcase_add_test(tests, an_escape_is_a_percent_sign_and_two_digits_of_either_case);
    tcase_add_test(tests, an_escape_does_not_reach_beyond_the_end);
    tcase_add_test(tests, a_text_is_decoded_in_place_and_once);
    tcase_add_test(tests, what_would_cut_the_text_and_what_is_no_escape_stays);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
