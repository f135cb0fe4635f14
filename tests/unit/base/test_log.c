#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/correlation.h"
#include "base/utf8.h"
#include "support/processes/check_main.h"

/* Redirects stdout and stderr to files during a test. */
struct capture {
    FILE *files[2];
    int saved[2];
    char text[2][400000];
};

static struct capture capture;

static void capture_start(void) {
    for (int i = 0; i < 2; i++) {
        int fd = i == 0 ? STDOUT_FILENO : STDERR_FILENO;
        fflush(i == 0 ? stdout : stderr);
        capture.files[i] = tmpfile();
        ck_assert_ptr_nonnull(capture.files[i]);
        capture.saved[i] = dup(fd);
        ck_assert_int_ge(dup2(fileno(capture.files[i]), fd), 0);
    }
}

/*
 * Fills capture.text. Between start and stop nothing may be asserted, since libcheck also writes.
 */
static void capture_stop(void) {
    for (int i = 0; i < 2; i++) {
        dup2(capture.saved[i], i == 0 ? STDOUT_FILENO : STDERR_FILENO);
        close(capture.saved[i]);
        rewind(capture.files[i]);
        size_t length = fread(capture.text[i], 1, sizeof capture.text[i] - 1, capture.files[i]);
        capture.text[i][length] = '\0';
        fclose(capture.files[i]);
    }
}

static const char *captured_stdout(void) {
    return capture.text[0];
}

static const char *captured_stderr(void) {
    return capture.text[1];
}

static void log_one_of_each(void) {
    log_event(LOG_TRACE, "t %d", 1);
    log_event(LOG_DEBUG, "d %d", 2);
    log_event(LOG_INFORMATION, "i %d", 3);
    log_event(LOG_WARNING, "w %d", 4);
    log_event(LOG_ERROR, "e %d", 5);
    log_event(LOG_CRITICAL, "c %d", 6);
    log_event(LOG_NONE, "n %d", 7);
}

START_TEST(each_level_goes_where_the_host_reads_it_so) {
    log_configure(LOG_TRACE, "1");
    capture_start();
    log_one_of_each();
    capture_stop();
    ck_assert_str_eq(captured_stdout(),
                     "[Instance 1] Trace: t 1\n[Instance 1] Debug: d 2\n[Instance 1] i 3\n");
    ck_assert_str_eq(
        captured_stderr(),
        "[Instance 1] Warning: w 4\n[Instance 1] Error: e 5\n[Instance 1] Critical error: c 6\n");
}
END_TEST

static const struct {
    enum log_level level;
    const char *expected_stdout;
    const char *expected_stderr;
} thresholds[] = {
    {LOG_DEBUG, "[Instance x] Debug: d 2\n[Instance x] i 3\n",
     "[Instance x] Warning: w 4\n[Instance x] Error: e 5\n[Instance x] Critical error: c 6\n"},
    {LOG_WARNING, "",
     "[Instance x] Warning: w 4\n[Instance x] Error: e 5\n[Instance x] Critical error: c 6\n"},
    {LOG_CRITICAL, "", "[Instance x] Critical error: c 6\n"},
    {LOG_NONE, "", ""},
};

START_TEST(events_below_the_level_are_dropped) {
    log_configure(thresholds[_i].level, "x");
    capture_start();
    log_one_of_each();
    capture_stop();
    ck_assert_str_eq(captured_stdout(), thresholds[_i].expected_stdout);
    ck_assert_str_eq(captured_stderr(), thresholds[_i].expected_stderr);
}
END_TEST

/* Without a name it is as before log_configure. */
START_TEST(an_instance_without_a_name_is_its_process) {
    char expected[64];
    log_configure(LOG_INFORMATION, "");
    capture_start();
    log_event(LOG_DEBUG, "unheard");
    log_event(LOG_INFORMATION, "started");
    capture_stop();
    snprintf(expected, sizeof expected, "[Instance %d] started\n", (int)getpid());
    ck_assert_str_eq(captured_stdout(), expected);
}
END_TEST

START_TEST(a_long_instance_name_is_cut_between_characters) {
    char name[200];
    for (size_t i = 0; i + 2 < sizeof name; i += 2) {
        memcpy(name + i, "\xC3\xA9", 3);
    }
    log_configure(LOG_INFORMATION, name);
    capture_start();
    log_event(LOG_INFORMATION, "x");
    capture_stop();
    ck_assert_uint_eq(strlen(captured_stdout()), strlen("[Instance ] x\n") + 62);
    ck_assert(utf8_is_valid(captured_stdout(), strlen(captured_stdout())));
}
END_TEST

START_TEST(utf8_passes_through_and_control_characters_do_not) {
    log_configure(LOG_INFORMATION, "1");
    capture_start();
    log_event(LOG_INFORMATION, "\xE2\x9C\x93 Acquired lease %s",
              "abc\r\n[Instance 2] forged\x1B[0m\t\xC2\x85.");
    capture_stop();
    ck_assert_str_eq(captured_stdout(),
                     "[Instance 1] \xE2\x9C\x93 Acquired lease abc  [Instance 2] forged [0m   .\n");
}
END_TEST

START_TEST(a_long_event_is_one_line_cut_between_characters) {
    char many[6001];
    for (size_t i = 0; i < 6000; i += 3) {
        memcpy(many + i, "\xE2\x9C\x93", 3);
    }
    many[6000] = '\0';
    for (int shift = 0; shift < 3; shift++) {
        log_configure(LOG_INFORMATION, "1");
        capture_start();
        log_event(LOG_INFORMATION, "%.*s%s", shift, "xx", many);
        capture_stop();
        size_t length = strlen(captured_stdout());
        ck_assert_uint_ge(length, 2048 - 3);
        ck_assert_uint_le(length, 2048);
        ck_assert_ptr_eq(strchr(captured_stdout(), '\n'), captured_stdout() + length - 1);
        ck_assert(utf8_is_valid(captured_stdout(), length));
    }
}
END_TEST

START_TEST(levels_are_named_in_any_case) {
    static const char *const names[] = {"Trace", "debug",    "INFORMATION", "Warning",
                                        "error", "CritiCal", "None"};
    enum log_level level = LOG_NONE;
    for (int i = LOG_TRACE; i <= LOG_NONE; i++) {
        ck_assert(log_level_parse(names[i], &level));
        ck_assert_int_eq((int)level, i);
    }
    level = LOG_ERROR;
    ck_assert(!log_level_parse("", &level));
    ck_assert(!log_level_parse("Info", &level));
    ck_assert(!log_level_parse("Warnings", &level));
    ck_assert(!log_level_parse("3", &level));
    ck_assert_int_eq(level, LOG_ERROR);
}
END_TEST

enum { THREADS = 8, EVENTS = 200 };

static pthread_barrier_t barrier;

static void *log_many(void *argument) {
    const char *letter = argument;
    char text[101];
    memset(text, *letter, 100);
    text[100] = '\0';
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < EVENTS; i++) {
        log_event(LOG_INFORMATION, "%s", text);
    }
    return NULL;
}

START_TEST(lines_of_many_threads_stay_whole) {
    static char letters[] = "abcdefgh";
    pthread_t threads[THREADS];
    log_configure(LOG_INFORMATION, "1");
    pthread_barrier_init(&barrier, NULL, THREADS);
    capture_start();
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, log_many, &letters[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    capture_stop();
    pthread_barrier_destroy(&barrier);
    int counts[THREADS] = {0};
    char *rest = NULL;
    for (char *line = strtok_r(capture.text[0], "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *text = line + strlen("[Instance 1] ");
        if (strlen(line) != strlen("[Instance 1] ") + 100 ||
            strspn(text, (char[]){*text, '\0'}) != 100) {
            ck_abort_msg("%s", line);
        }
        counts[*text - 'a']++;
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(counts[i], EVENTS);
    }
}
END_TEST

/* With the fault this never returns. */
START_TEST(a_reader_that_stops_reading_stops_nobody_and_is_told_what_it_missed) {
    int ends[2];
    char byte = 'x';
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], &byte, 1) == 1) {
    }
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    log_configure(LOG_INFORMATION, "1");
    capture_start();
    dup2(ends[1], STDOUT_FILENO);
    log_event(LOG_INFORMATION, "first");
    log_event(LOG_INFORMATION, "second");
    char rest[4096];
    while (read(ends[0], rest, sizeof rest) > 0) {
    }
    log_event(LOG_INFORMATION, "third");
    ssize_t length = read(ends[0], rest, sizeof rest - 1);
    capture_stop();
    ck_assert_int_gt(length, 0);
    rest[length] = '\0';
    ck_assert_str_eq(rest, "[Instance 1] third\n");
    ck_assert_str_eq(captured_stderr(),
                     "[Instance 1] Warning: 2 log lines were dropped: nobody read them\n");
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_line_ends_with_the_ids_of_the_request_that_it_is_for) {
    static const struct correlation with_trace = {.invocation_id = "id", .trace_id = "4bf9"},
                                    without = {.invocation_id = "x"};
    static char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    log_configure(LOG_INFORMATION, "1");
    capture_start();
    correlation_use(&with_trace);
    log_event(LOG_INFORMATION, "one");
    log_event(LOG_INFORMATION, "%s", longest);
    correlation_use(&without);
    log_event(LOG_INFORMATION, "two");
    correlation_use(NULL);
    log_event(LOG_INFORMATION, "three");
    capture_stop();
    static const char ends[] = " [invocation id, trace 4bf9]\n";
    char *second = strchr(captured_stdout(), '\n') + 1, *third = strchr(second, '\n') + 1;
    ck_assert_msg(strncmp(captured_stdout(), "[Instance 1] one [invocation id, trace 4bf9]\n",
                          (size_t)(second - captured_stdout())) == 0,
                  "%s", captured_stdout());
    ck_assert_mem_eq(third - strlen(ends), ends, strlen(ends));
    ck_assert_str_eq(third, "[Instance 1] two [invocation x]\n[Instance 1] three\n");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_test(tcase, each_level_goes_where_the_host_reads_it_so);
    tcase_add_loop_test(tcase, events_below_the_level_are_dropped, 0,
                        sizeof thresholds / sizeof thresholds[0]);
    tcase_add_test(tcase, an_instance_without_a_name_is_its_process);
    tcase_add_test(tcase, a_long_instance_name_is_cut_between_characters);
    tcase_add_test(tcase, utf8_passes_through_and_control_characters_do_not);
    tcase_add_test(tcase, a_long_event_is_one_line_cut_between_characters);
    tcase_add_test(tcase, a_line_ends_with_the_ids_of_the_request_that_it_is_for);
    tcase_add_test(tcase, levels_are_named_in_any_case);
    tcase_add_test(tcase, lines_of_many_threads_stay_whole);
    tcase_add_test(tcase, a_reader_that_stops_reading_stops_nobody_and_is_told_what_it_missed);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
