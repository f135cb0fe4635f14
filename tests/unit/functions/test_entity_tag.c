/* test_entity_tag.c - which version the values of If-Match and If-None-Match mean. */
#include "functions/entity_tag.h"

#include <stddef.h>

#include "support/processes/check_main.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct entity_tag tag;

static bool read_text(const char *text) {
    const struct http_header_value header = {.text = text};
    return entity_tag_read(&header, &tag);
}

START_TEST(a_strong_tag_is_a_version_for_both_headers) {
    static const char *const texts[] = {"\"7\"", " \t\"7\" \t"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert(read_text(texts[i]));
        ck_assert_int_eq(entity_tag_expected_version(&tag), 7);
        ck_assert(entity_tag_names(&tag, 7));
        ck_assert(!entity_tag_names(&tag, 8));
    }
    ck_assert(read_text("\"999999999999999999\""));
    ck_assert_int_eq(entity_tag_expected_version(&tag), 999999999999999999);
}
END_TEST

START_TEST(a_weak_tag_is_a_version_for_if_none_match_alone) {
    ck_assert(read_text("W/\"7\""));
    ck_assert_int_eq(entity_tag_expected_version(&tag), -1);
    ck_assert(entity_tag_names(&tag, 7));
}
END_TEST

START_TEST(a_star_is_any_version) {
    ck_assert(read_text(" * "));
    ck_assert_int_eq(entity_tag_expected_version(&tag), 0);
    ck_assert(entity_tag_names(&tag, 1));
}
END_TEST

START_TEST(without_a_header_nothing_is_expected_or_known) {
    ck_assert(read_text(NULL));
    ck_assert_int_eq(entity_tag_expected_version(&tag), 0);
    ck_assert(!entity_tag_names(&tag, 0));
}
END_TEST

START_TEST(a_tag_that_no_product_has_matches_nothing) {
    static const char *const texts[] = {"\"\"",
                                        "\"0\"",
                                        "\"07\"",
                                        "\"-7\"",
                                        "\"+7\"",
                                        "\"7.0\"",
                                        "\"abc\"",
                                        "\"7,8\"",
                                        "\"\xc3\xa4\"",
                                        "\"9999999999999999999\"",
                                        "\"99999999999999999999999999\""};
    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_msg(read_text(texts[i]), "%s", texts[i]);
        ck_assert_msg(entity_tag_expected_version(&tag) == -1, "%s", texts[i]);
        ck_assert(!entity_tag_names(&tag, 7) && !entity_tag_names(&tag, 0));
    }
}
END_TEST

START_TEST(anything_else_is_refused) {
    static const char *const texts[] = {"",
                                        " ",
                                        "7",
                                        "\"7",
                                        "7\"",
                                        "\"",
                                        "\"7\"8",
                                        "\"7\", \"8\"",
                                        "\"7\",",
                                        "*, \"7\"",
                                        "**",
                                        "w/\"7\"",
                                        "W/7",
                                        "W/ \"7\"",
                                        "W/*",
                                        "\"7 8\"",
                                        "\"7\x7f\"",
                                        "\"7\"\"8\"",
                                        "\"7\", W/\"7\""};
    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_msg(!read_text(texts[i]), "%s", texts[i]);
    }
    const struct http_header_value twice = {.text = "\"7\"", .is_repeated = true};
    ck_assert(!entity_tag_read(&twice, &tag));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("entity_tag");
    TCase *tests = tcase_create("tags");
    tcase_add_test(tests, a_strong_tag_is_a_version_for_both_headers);
    tcase_add_test(tests, a_weak_tag_is_a_version_for_if_none_match_alone);
    tcase_add_test(tests, a_star_is_any_version);
    tcase_add_test(tests, without_a_header_nothing_is_expected_or_known);
    tcase_add_test(tests, a_tag_that_no_product_has_matches_nothing);
    tcase_add_test(tests, anything_else_is_refused);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
