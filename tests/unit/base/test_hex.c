#include "base/hex.h"

#include <string.h>

#include "support/processes/check_main.h"

START_TEST(bytes_become_two_lower_case_digits_each) {
    char text[] = "--------------";
    hex_encode("\x00\x0f\xa5\xF0\xff", 5, text);
    ck_assert_str_eq(text, "000fa5f0ff");
    ck_assert_str_eq(text + 11, "---");
    hex_encode("", 0, text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_digit_of_either_case_has_its_value_and_nothing_else_has_one) {
    for (int c = 0; c < 256; c++) {
        const char *lower = c == 0 ? NULL : strchr(HEX_LOWER, c),
                   *upper = c == 0 ? NULL : strchr(HEX_UPPER, c);
        int value = lower != NULL   ? (int)(lower - HEX_LOWER)
                    : upper != NULL ? (int)(upper - HEX_UPPER)
                                    : -1;
        ck_assert_int_eq(hex_digit((char)c), value);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("hex");
    TCase *tcase = tcase_create("hex");
    tcase_add_test(tcase, bytes_become_two_lower_case_digits_each);
    tcase_add_test(tcase, a_digit_of_either_case_has_its_value_and_nothing_else_has_one);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
