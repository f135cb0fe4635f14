#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

START_TEST(every_code_point_but_the_surrogates_is_valid) {
    for (uint32_t code_point = 0; code_point <= 0x110010; code_point++) {
        char text[4];
        size_t size;
        if (code_point < 0x80) {
            size = 1;
            text[0] = (char)code_point;
        } else if (code_point < 0x800) {
            size = 2;
            text[0] = (char)(0xC0 | code_point >> 6);
        } else if (code_point < 0x10000) {
            size = 3;
            text[0] = (char)(0xE0 | code_point >> 12);
        } else {
            size = 4;
            text[0] = (char)(0xF0 | code_point >> 18);
        }
        for (size_t i = 1; i < size; i++) {
            text[i] = (char)(0x80 | (code_point >> (6 * (size - 1 - i)) & 0x3F));
        }
        bool valid = code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
        uint32_t decoded = 0;
        size_t taken = utf8_decode(text, size, &decoded);
        bool right = valid ? taken == size && decoded == code_point : taken == 0;
        if (!right || utf8_decode(text, size - 1, &decoded) !=
                          0) { /* a million assertions would take a minute */
            ck_abort_msg("U+%04X", code_point);
        }
    }
}
END_TEST

static const char *const invalid[] = {
    "\x80", /* a continuation without a start */
    "\xBF",
    "\xC0\x80",
    "\xC1\xBF", /* overlong */
    "\xE0\x9F\xBF",
    "\xF0\x8F\xBF\xBF", /* overlong */
    "\xED\xA0\x80",
    "\xED\xBF\xBF", /* surrogates */
    "\xF4\x90\x80\x80",
    "\xF5\x80\x80\x80",
    "\xFF",
    "\xFE", /* beyond the last code point */
    "\xC3",
    "\xE2\x9C",
    "\xF0\x9F\x98", /* cut */
    "\xC3\x28",
    "\xE2\x28\xA1",
    "\xE2\x82\x28",
    "\xF0\x28\x8C\xBC",
};

START_TEST(what_is_not_utf8_is_refused) {
    ck_assert(!utf8_is_valid(invalid[_i], strlen(invalid[_i])));
    ck_assert_int_eq(utf8_count_printable(invalid[_i]), -1);
}
END_TEST

START_TEST(validity_stops_at_the_length_and_not_at_a_nul) {
    ck_assert(utf8_is_valid("a\0b", 3));
    ck_assert(!utf8_is_valid("a\0\xFF", 3));
    ck_assert(utf8_is_valid("ab\xFF", 2));
    ck_assert(utf8_is_valid("", 0));
}
END_TEST

START_TEST(printable_code_points_are_counted_and_controls_refused) {
    ck_assert_int_eq(utf8_count_printable(""), 0);
    ck_assert_int_eq(utf8_count_printable("CUST-123"), 8);
    ck_assert_int_eq(utf8_count_printable("\xC3\xA9\xE2\x9C\x93\xF0\x9F\x98\x80 \xC2\xA0"), 5);
    ck_assert_int_eq(utf8_count_printable("a\x1F"), -1);
    ck_assert_int_eq(utf8_count_printable("\x7F"), -1);
    ck_assert_int_eq(utf8_count_printable("\xC2\x80"), -1);
    ck_assert_int_eq(utf8_count_printable("\xC2\x9F"), -1);
}
END_TEST

static const struct {
    const char *text;
    const char *line;
} lines[] = {
    {"", ""},
    {"plain \xE2\x9C\x93", "plain \xE2\x9C\x93"},
    {"a\nb\rc\td\x7F", "a b c d "},
    {"a\xC2\x85z", "a  z"},       /* NEL */
    {"cut \xE2\x9C", "cut "},     /* two of three bytes */
    {"cut \xF0\x9F\x98", "cut "}, /* three of four */
    {"cut \xC3", "cut "},         /* one of two */
    {"whole \xF0\x9F\x98\x80", "whole \xF0\x9F\x98\x80"},
    {"not UTF-8 \xFF!", "not UTF-8 \xFF!"}, /* it stays visible */
    {"\x80\x80\x80\x80\x80", "\x80\x80\x80\x80\x80"},
};

START_TEST(a_line_has_no_controls_and_no_cut_character) {
    char text[64];
    snprintf(text, sizeof text, "%s", lines[_i].text);
    utf8_make_line(text);
    ck_assert_str_eq(text, lines[_i].line);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");
    tcase_add_test(tcase, every_code_point_but_the_surrogates_is_valid);
    tcase_add_loop_test(tcase, what_is_not_utf8_is_refused, 0, sizeof invalid / sizeof invalid[0]);
    tcase_add_test(tcase, validity_stops_at_the_length_and_not_at_a_nul);
    tcase_add_test(tcase, printable_code_points_are_counted_and_controls_refused);
    tcase_add_loop_test(tcase, a_line_has_no_controls_and_no_cut_character, 0,
                        sizeof lines / sizeof lines[0]);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
