#include "base/standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
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

int main(void) {
    Suite *suite = suite_create("standard_streams");
    TCase *tests = tcase_create("opening");
    tcase_add_loop_test(tests, those_that_are_closed_are_opened_and_no_other, 0,
                        8); /* each bit: a closed one */
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
