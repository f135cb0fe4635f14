#include "leasectl/table.h"

#include <string.h>

#include "support/processes/check_main.h"

static const struct table_column columns[] = {
    {"name", "NAME", false}, {"count", "COUNT", true}, {"state", "STATE", false}};

static void expect(const char *json, const char *text) {
    cJSON *rows = NULL;
    ck_assert_int_eq(json_parse(json, strlen(json), &rows, NULL), STATUS_OK);
    cJSON *row;
    int64_t count = INT64_C(9007199254740993); /* more than a double holds */
    cJSON_ArrayForEach(row, rows) {
        ck_assert(json_add_int64(row, "count", count));
        count = 5;
    }
    char *table = table_text(columns, 3, rows, false);
    ck_assert_ptr_nonnull(table);
    ck_assert_str_eq(table, text);
    free(table);
    cJSON_Delete(rows);
}

START_TEST(columns_line_up_and_numbers_stand_right) {
    expect("[{\"name\":\"Söhne\",\"state\":\"leased\"},{\"name\":\"b\",\"state\":null}]",
           "NAME             COUNT STATE\n"
           "Söhne 9007199254740993 leased\n"
           "b                    5 -\n");
}
END_TEST

START_TEST(what_the_locale_cannot_print_is_shown_as_its_bytes) {
    setenv("LC_ALL", "C", 1);
    expect("[{\"name\":\"Söhne\",\"state\":\"x\"}]", "NAME                    COUNT STATE\n"
                                                     "S\\xc3\\xb6hne 9007199254740993 x\n");
    setenv("LC_ALL", "C.UTF-8", 1);
}
END_TEST

START_TEST(without_rows_there_are_the_headings) {
    expect("[]", "NAME COUNT STATE\n");
}
END_TEST

START_TEST(control_characters_are_shown_and_not_sent) {
    expect("[{\"name\":\"a\\u001b[2Jb\",\"state\":\"x\"}]", "NAME                 COUNT STATE\n"
                                                            "a\\x1b[2Jb 9007199254740993 x\n");
}
END_TEST

START_TEST(a_table_without_titles_has_no_headings) {
    static const struct table_column untitled[] = {{"name", NULL, false}, {"state", NULL, false}};
    static const char json[] = "[{\"name\":\"a\",\"state\":\"b\"}]";
    cJSON *rows = NULL;
    ck_assert_int_eq(json_parse(json, strlen(json), &rows, NULL), STATUS_OK);
    char *table = table_text(untitled, 2, rows, false);
    ck_assert_str_eq(table, "a b\n");
    free(table);
    cJSON_Delete(rows);
}
END_TEST

int main(void) {
    setenv("LC_ALL", "C.UTF-8", 1);
    Suite *suite = suite_create("table");
    TCase *text = tcase_create("text");
    tcase_add_test(text, columns_line_up_and_numbers_stand_right);
    tcase_add_test(text, what_the_locale_cannot_print_is_shown_as_its_bytes);
    tcase_add_test(text, without_rows_there_are_the_headings);
    tcase_add_test(text, control_characters_are_shown_and_not_sent);
    tcase_add_test(text, a_table_without_titles_has_no_headings);
    suite_add_tcase(suite, text);
    return check_main(suite);
}
