#include "leasectl/product_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "support/processes/check_main.h"

enum { LONG_BYTES = 1024 * 1024 };

static struct product_file file;
static struct error err;
static char refused[8192]; /* the refused lines, each as "N: why\n" */

static void note_refused(void *context, size_t number, const struct error *why) {
    size_t length = strlen(refused);
    ck_assert_ptr_eq(context, refused);
    snprintf(refused + length, sizeof refused - length, "%zu: %s\n", number, why->message);
}

static void set_up(void) {
    memset(&file, 0, sizeof file);
    file.refuse = note_refused;
    file.context = refused;
    refused[0] = '\0';
}

static void tear_down(void) {
    product_file_cleanup(&file);
}

static enum status read_bytes(const char *bytes, size_t length) {
    FILE *stream = tmpfile();
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, length, stream), length);
    rewind(stream);
    enum status status = product_file_read(&file, stream, &err);
    fclose(stream);
    return status;
}

/* Checks which lines are right, each as "NUMBER PRODUCT TOTAL;", and which are refused. */
static void expect(const char *text, const char *right, const char *wrong) {
    char lines[1024] = "";
    const struct product_line *line;
    size_t count = 0;
    ck_assert_msg(read_bytes(text, strlen(text)) == STATUS_OK, "%s", err.message);
    STAILQ_FOREACH(line, &file.lines, link) {
        size_t length = strlen(lines);
        snprintf(lines + length, sizeof lines - length, "%zu %s %lld;", line->number,
                 line->product.id, (long long)line->product.total);
        count++;
    }
    ck_assert_str_eq(lines, right);
    ck_assert_str_eq(refused, wrong);
    ck_assert_uint_eq(file.count, count);
}

START_TEST(a_line_is_a_product_and_its_total) {
    expect("PROD-001,100\nB,0\nC,1000000000\n", "1 PROD-001 100;2 B 0;3 C 1000000000;", "");
}
END_TEST

START_TEST(the_last_line_needs_no_end) {
    expect("A,1\nB,2", "1 A 1;2 B 2;", "");
}
END_TEST

START_TEST(a_heading_and_a_byte_order_mark_may_come_first) {
    static const char *const texts[] = {"product,total\nA,1\n",
                                        "\xEF\xBB\xBFProduct,TOTAL\r\nA,1\r\n",
                                        "\"product\", \"total\"\nA,1\n", "\xEF\xBB\xBF\nA,1\n"};
    expect(texts[_i], "2 A 1;", "");
}
END_TEST

START_TEST(a_heading_in_another_line_is_refused) {
    expect("A,1\nproduct,total\n", "1 A 1;",
           "2: TOTAL is a whole number from 0 to 1000000000: \"total\"\n");
}
END_TEST

START_TEST(blanks_quotes_and_empty_lines_mean_nothing) {
    expect(" A ,\t1 \r\n\r\n  \t\n\"B\",\"2\"\n \"C\" , \"3\" \n", "1 A 1;4 B 2;5 C 3;", "");
}
END_TEST

START_TEST(a_wrong_line_is_refused_and_the_others_are_read) {
    expect("A,1\na/b,2\nC,-3\nD\nE,5,6\nF,7\n,8\nH,\n", "1 A 1;6 F 7;",
           "2: a PRODUCT is 1 to 128 of A-Z a-z 0-9 . _ ~ -, no dot at the end, and not "
           "reconciliation-job: \"a/b\"\n"
           "3: TOTAL is a whole number from 0 to 1000000000: \"-3\"\n"
           "4: a line is PRODUCT,TOTAL: \"D\"\n"
           "5: a line is PRODUCT,TOTAL: \"E,5,6\"\n"
           "7: a PRODUCT is 1 to 128 of A-Z a-z 0-9 . _ ~ -, no dot at the end, and not "
           "reconciliation-job: \"\"\n"
           "8: TOTAL is a whole number from 0 to 1000000000: \"\"\n");
}
END_TEST

START_TEST(a_wrong_total_is_refused) {
    static const char *const totals[] = {"+1",  "+0",         "-1",    "1.0",
                                         "1e3", "1000000001", "0x10",  "99999999999999999999",
                                         "ten", "1 000",      "\"1000"};
    char text[64], wrong[256];
    snprintf(text, sizeof text, "A,%s\nB,2\n", totals[_i]);
    snprintf(wrong, sizeof wrong, "1: TOTAL is a whole number from 0 to 1000000000: \"%s\"\n",
             totals[_i]);
    expect(text, "2 B 2;", wrong);
}
END_TEST

START_TEST(an_open_quote_spoils_no_other_line) {
    expect("\"A,1\nB,2\n", "2 B 2;",
           "1: a PRODUCT is 1 to 128 of A-Z a-z 0-9 . _ ~ -, no dot at the end, and not "
           "reconciliation-job: \"\"A\"\n");
}
END_TEST

START_TEST(a_product_that_is_named_again_is_refused) {
    expect("A,1\nB,x\nB,2\n A,5\nA,1\nB,2\n", "1 A 1;3 B 2;",
           "2: TOTAL is a whole number from 0 to 1000000000: \"x\"\n"
           "4: line 1 has product A already\n"
           "5: line 1 has product A already\n"
           "6: line 3 has product B already\n");
}
END_TEST

/* A product that is named in another case is another product, as in a URL. */
START_TEST(products_differ_in_case) {
    expect("A,1\na,2\n", "1 A 1;2 a 2;", "");
}
END_TEST

START_TEST(a_file_without_lines_has_none) {
    static const char *const texts[] = {"", "\n", "\r\n \n", "product,total\n", "\xEF\xBB\xBF"};
    expect(texts[_i], "", "");
}
END_TEST

static char *make_long_text(char first, const char *end) {
    char *text = malloc(LONG_BYTES + 64);
    ck_assert_ptr_nonnull(text);
    memset(text, first, LONG_BYTES);
    strcpy(text + LONG_BYTES, end);
    return text;
}

START_TEST(a_line_of_a_megabyte_is_refused) {
    char *text = make_long_text("x "[_i], "A,1\nB,2\n");
    expect(text, "2 B 2;", "1: the line has 1048579 bytes; a right one has less than 1024\n");
    free(text);
}
END_TEST

START_TEST(the_longest_product_is_read) {
    char text[256], right[256];
    snprintf(text, sizeof text, "%0128d,5\n", 7);
    snprintf(right, sizeof right, "1 %0128d 5;", 7);
    expect(text, right, "");
    tear_down();
    set_up();
    snprintf(text, sizeof text, "%0129d,5\n", 7);
    ck_assert_int_eq(read_bytes(text, strlen(text)), STATUS_OK);
    ck_assert_uint_eq(file.count, 0);
    ck_assert_ptr_nonnull(strstr(refused, "1: a PRODUCT is"));
}
END_TEST

/* An archive, or a text in UTF-16. */
START_TEST(a_file_that_is_no_text_is_refused_as_a_whole) {
    static const char binary[] = "A,1\nP\0K\3\4\n", utf16[] = "\xFF\xFE"
                                                              "A\0,\0001\0\n\0";
    ck_assert_int_eq(read_bytes(binary, sizeof binary - 1), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "line 2 has a zero byte: it is no text in UTF-8");
    tear_down();
    set_up();
    ck_assert_int_eq(read_bytes(utf16, sizeof utf16 - 1), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "line 1 has a zero byte: it is no text in UTF-8");
}
END_TEST

START_TEST(a_folder_cannot_be_read) {
    FILE *stream = fopen("/", "r");
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(product_file_read(&file, stream, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "Is a directory");
    fclose(stream);
}
END_TEST

/* Sorted, so that a tree without balance would be a list. */
START_TEST(many_lines_are_read_in_order) {
    enum { LINES = 100000 };
    FILE *stream = tmpfile();
    ck_assert_ptr_nonnull(stream);
    for (int i = 1; i <= LINES; i++) {
        fprintf(stream, "P-%06d,%d\n", i, i);
    }
    rewind(stream);
    ck_assert_int_eq(product_file_read(&file, stream, &err), STATUS_OK);
    fclose(stream);
    ck_assert_uint_eq(file.count, LINES);
    const struct product_line *line;
    int64_t number = 0;
    STAILQ_FOREACH(line, &file.lines, link) {
        number++;
        ck_assert_int_eq(line->product.total, number);
        ck_assert_uint_eq(line->number, (size_t)number);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_file");
    TCase *tcase = tcase_create("lines");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_line_is_a_product_and_its_total);
    tcase_add_test(tcase, the_last_line_needs_no_end);
    tcase_add_loop_test(tcase, a_heading_and_a_byte_order_mark_may_come_first, 0, 4);
    tcase_add_test(tcase, a_heading_in_another_line_is_refused);
    tcase_add_test(tcase, blanks_quotes_and_empty_lines_mean_nothing);
    tcase_add_test(tcase, a_wrong_line_is_refused_and_the_others_are_read);
    tcase_add_loop_test(tcase, a_wrong_total_is_refused, 0, 11);
    tcase_add_test(tcase, an_open_quote_spoils_no_other_line);
    tcase_add_test(tcase, a_product_that_is_named_again_is_refused);
    tcase_add_test(tcase, products_differ_in_case);
    tcase_add_loop_test(tcase, a_file_without_lines_has_none, 0, 5);
    tcase_add_loop_test(tcase, a_line_of_a_megabyte_is_refused, 0, 2);
    tcase_add_test(tcase, the_longest_product_is_read);
    tcase_add_test(tcase, a_file_that_is_no_text_is_refused_as_a_whole);
    tcase_add_test(tcase, a_folder_cannot_be_read);
    tcase_add_test(tcase, many_lines_are_read_in_order);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
