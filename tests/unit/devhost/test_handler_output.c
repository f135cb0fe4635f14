/* handler_output: what a handler writes, line by line, with the host's levels. */
#include "devhost/handler_output.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devhost/console.h"
#include "support/processes/check_main.h"
#include "support/processes/stdout_capture.h"

enum {
    PRINTED_BYTES = 4 * 1024 * 1024,
    LONG_LINE_BYTES = 1024 * 1024,
    TIME_BYTES = sizeof "[2025-01-19T14:45:30.123Z] " - 1
};

static char *printed;
static size_t printed_length;

static void set_up(void) {
    printed = malloc(PRINTED_BYTES);
    ck_assert_ptr_nonnull(printed);
}

static void tear_down(void) {
    free(printed);
}

/* Prints what was written to stdout, without the times. */
static void print(const char *bytes, size_t length) {
    int output[2];
    int errors[2];
    struct handler_output *handler;
    stdout_capture_start();
    ck_assert_int_eq(pipe2(output, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(errors, O_CLOEXEC), 0);
    ck_assert_int_eq(handler_output_start(&handler, output[0], errors[0], NULL), STATUS_OK);
    while (length > 0) {
        ssize_t written = write(output[1], bytes, length);
        ck_assert_int_gt(written, 0);
        bytes += written;
        length -= (size_t)written;
    }
    close(output[1]);
    close(errors[1]);
    handler_output_stop(handler);
    printed_length = stdout_capture_read(printed, PRINTED_BYTES);
    stdout_capture_stop();
}

/* Checks the lines that were printed; each ends with LF. */
static void assert_lines(const char *expected, size_t length) {
    const char *at = printed;
    const char *end = printed + printed_length;
    while (length > 0) {
        const char *newline = memchr(expected, '\n', length);
        ck_assert_ptr_nonnull(newline);
        size_t line = (size_t)(newline + 1 - expected);
        ck_assert_msg((size_t)(end - at) >= TIME_BYTES + line && at[0] == '[', "too little: %.*s",
                      (int)(end - at), at);
        ck_assert_mem_eq(at + TIME_BYTES, expected, line);
        at += TIME_BYTES + line;
        expected += line;
        length -= line;
    }
    ck_assert_ptr_eq(at, end);
}

START_TEST(lf_cr_and_crlf_each_end_a_line) {
    static const char written[] = "a\nb\r\nc\rd\n\n\r\re";
    static const char lines[] = "a\nb\nc\nd\n\n\n\ne\n";
    print(written, sizeof written - 1);
    assert_lines(lines, sizeof lines - 1);
}
END_TEST

START_TEST(a_nul_stays_and_what_is_no_utf_8_is_replaced) {
    static const char written[] = "a\0b\xff\xc3\xa9\xe2\x82\n";
    static const char lines[] = "a\0b\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\n";
    print(written, sizeof written - 1);
    assert_lines(lines, sizeof lines - 1);
}
END_TEST

START_TEST(a_line_of_any_length_stays_whole) {
    char *line = malloc(LONG_LINE_BYTES);
    ck_assert_ptr_nonnull(line);
    memset(line, 'x', LONG_LINE_BYTES);
    line[LONG_LINE_BYTES - 1] = '\n';
    print(line, LONG_LINE_BYTES);
    assert_lines(line, LONG_LINE_BYTES);
    free(line);
}
END_TEST

START_TEST(lines_have_the_host_s_levels) {
    static const char after_nul[] = "a\0Warn";
    ck_assert_int_eq(console_level_of_line(false, "Error: warning", 14), LOG_INFORMATION);
    ck_assert_int_eq(console_level_of_line(true, "Lease WARNing, an error", 23), LOG_WARNING);
    ck_assert_int_eq(console_level_of_line(true, "an ERROR", 8), LOG_ERROR);
    ck_assert_int_eq(console_level_of_line(true, "hello", 5), LOG_ERROR);
    ck_assert_int_eq(console_level_of_line(true, "warn", 3), LOG_ERROR);
    ck_assert_int_eq(console_level_of_line(true, "", 0), LOG_ERROR);
    ck_assert_int_eq(console_level_of_line(true, after_nul, sizeof after_nul - 1), LOG_WARNING);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("handler_output");
    TCase *tcase = tcase_create("handler_output");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, lf_cr_and_crlf_each_end_a_line);
    tcase_add_test(tcase, a_nul_stays_and_what_is_no_utf_8_is_replaced);
    tcase_add_test(tcase, a_line_of_any_length_stays_whole);
    tcase_add_test(tcase, lines_have_the_host_s_levels);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
