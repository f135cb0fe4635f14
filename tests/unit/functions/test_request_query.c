/* test_request_query.c - parameters found in a query string. */
#include "functions/request_query.h"

#include <string.h>

#include "support/processes/check_main.h"

static char value[8];

static enum query_param get(const char *query) {
    strcpy(value, "?");
    return request_query_get(query, "name", value, sizeof value);
}

START_TEST(a_parameter_is_found_decoded_in_any_case) {
    static const struct {
        const char *query, *value;
    } rows[] = {{"name=a", "a"},
                {"x=1&name=a&y=2", "a"},
                {"NAME=a", "a"},
                {"n%61me=a", "a"},
                {"name=a%20b+c", "a b c"},
                {"name=", ""},
                {"name", ""},
                {"&&name=a&", "a"},
                {"name=a=b", "a=b"},
                {"name=%C3%A4", "\xc3\xa4"},
                {"name=1234567", "1234567"},
                {"name=%31%32%33%34%35%36%37", "1234567"},
                {"name=%2500", "%00"},
                {"name=%zz", "%zz"},
                {"a%00=1&name=a", "a"},
                {"name=a&Name=b&x=1", "a,b"},
                {"name=a&name", "a,"},
                {"name&name=&name", ",,"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(get(rows[i].query) == QUERY_FOUND, "%s", rows[i].query);
        ck_assert_str_eq(value, rows[i].value);
    }
}
END_TEST

START_TEST(what_is_not_there_is_absent) {
    static const char *const queries[] = {"",       "&",     "names=a", "nam=e",
                                          "x=name", "=name", "na+me=a"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        ck_assert_msg(get(queries[i]) == QUERY_ABSENT, "%s", queries[i]);
    }
}
END_TEST

START_TEST(a_parameter_that_cannot_be_read_is_bad) {
    static const char *const queries[] = {"name=a%00b",          "name=12345678",
                                          "name=1234&name=1234", "name=1234567&name",
                                          "name=a%00b&name=a",   "name=%31%32%33%34%35%36%37%38"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        ck_assert_msg(get(queries[i]) == QUERY_BAD, "%s", queries[i]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("request_query");
    TCase *tests = tcase_create("query");
    tcase_add_test(tests, a_parameter_is_found_decoded_in_any_case);
    tcase_add_test(tests, what_is_not_there_is_absent);
    tcase_add_test(tests, a_parameter_that_cannot_be_read_is_bad);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
