#include "base/percent.h"

#include <string.h>

#include "support/processes/check_main.h"

static int byte_of(const char *text) {
    return percent_byte(text, text + strlen(text));
}

START_TEST(an_escape_is_a_percent_sign_and_two_digits) {
    ck_assert_int_eq(byte_of("%00"), 0);
    ck_assert_int_eq(byte_of("%2Fx"), '/');
    ck_assert_int_eq(byte_of("%2f"), '/');
    ck_assert_int_eq(byte_of("%fF"), 255);
    static const char *const others[] = {"", "%", "%2", "%2g", "%g2", "2F%", "x2F", "%%2F"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_msg(byte_of(others[i]) == -1, "%s", others[i]);
    }
}
END_TEST

START_TEST(an_escape_does_not_reach_beyond_the_end) {
    static const char text[] = "%2F";
    ck_assert_int_eq(percent_byte(text, text + 2), -1);
    ck_assert_int_eq(percent_byte(text, text), -1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("percent");
    TCase *tcase = tcase_create("percent");
    tcase_add_test(tcase, an_escape_is_a_percent_sign_and_two_digits);
    tcase_add_test(tcase, an_escape_does_not_reach_beyond_the_end);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
