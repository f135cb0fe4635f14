#include "base/standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/processes/check_main.h"

/* Runs in a child process, since the test needs its own streams. */
static int look(unsigned closed, int free_before) {
    for (int file = 0; file <= 2; file++) {
        if ((closed & 1u << file) != 0) {
            close(file);
        }
    }
    if (!standard_streams_open()) {
        return 10;
    }
    for (int file = 0; file <= 2; file++) {
        char byte;
        bool was_closed = (closed & 1u << file) != 0;
        if (fcntl(file, F_GETFD) != 0) {
            return 20 + file; /* it is closed, or will be in children */
        }
        if (was_closed &&
            (read(file, &byte, 1) != 0 || write(file, "x", 1) != -1 || errno != EBADF)) {
            return 30 + file;
        }
    }
    int next = open("/dev/null", O_RDONLY);
    return next == free_before ? 0 : 40; /* no other descriptor was left open */
}

START_TEST(those_that_are_closed_are_opened_and_no_other) {
    int free_before = open("/dev/null", O_RDONLY);
    close(free_before);
    ck_assert_int_gt(free_before, 2);
    pid_t child = fork();
    if (child == 0) {
        _exit(look((unsigned)_i, free_before));
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* ---- what was printed is read ---- */

enum { ENDLESS_MS = 1000 * 1000, SHORT_MS = 50 };

static int64_t time_for(int descriptor, int timeout_ms) {
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    standard_streams_await_reader(descriptor, timeout_ms);
    clock_gettime(CLOCK_MONOTONIC, &after);
    return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
}

START_TEST(bytes_that_nobody_reads_are_waited_for_until_the_time_is_over) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "last words", 10), 10);
    ck_assert_int_ge(time_for(ends[1], SHORT_MS), SHORT_MS);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static void *read_all(void *context) {
    char text[10];
    ck_assert_int_eq(read(*(const int *)context, text, sizeof text), 10);
    return NULL;
}

START_TEST(bytes_that_are_read_end_the_wait) {
    int ends[2];
    pthread_t reader;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "last words", 10), 10);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &ends[0]), 0);
    standard_streams_await_reader(ends[1], ENDLESS_MS);
    pthread_join(reader, NULL);
    standard_streams_await_reader(ends[1], ENDLESS_MS); /* nothing is left to be read */
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(nobody_waits_for_a_reader_that_is_gone_or_never_was) {
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "last words", 10), 10);
    close(ends[0]);
    standard_streams_await_reader(ends[1], ENDLESS_MS);
    close(ends[1]);
    standard_streams_await_reader(ends[1], ENDLESS_MS); /* closed */
    int file = open("/dev/null", O_WRONLY);
    standard_streams_await_reader(file, ENDLESS_MS);
    close(file);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("standard_streams");
    TCase *tests = tcase_create("opening");
    tcase_add_loop_test(tests, those_that_are_closed_are_opened_and_no_other, 0,
                        8); /* each bit: a closed one */
    suite_add_tcase(suite, tests);
    TCase *reading = tcase_create("reading");
    tcase_add_test(reading, bytes_that_nobody_reads_are_waited_for_until_the_time_is_over);
    tcase_add_test(reading, bytes_that_are_read_end_the_wait);
    tcase_add_test(reading, nobody_waits_for_a_reader_that_is_gone_or_never_was);
    suite_add_tcase(suite, reading);
    return check_main(suite);
}
