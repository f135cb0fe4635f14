#include "support/processes/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/processes/check_main.h"

enum { LONG_MS = 20000 };

static struct process process;

static void start_shell(const char *script, const char *const *env, const char *cwd) {
    const char *const argv[] = {"sh", "-c", script, NULL};
    process_start(&process, &(struct process_options){.argv = argv, .env = env, .cwd = cwd});
}

static void release(void) {
    process_cleanup(&process);
}

static void assert_output(size_t from, const char *expected) {
    char *output = process_output_from(&process, from);
    ck_assert_str_eq(output, expected);
    free(output);
}

START_TEST(output_of_both_kinds_and_the_exit_code_are_there_after_the_end) {
    start_shell("echo out; echo err >&2; exit 7", NULL, NULL);
    ck_assert_int_eq(process_wait(&process, LONG_MS), 7);
    ck_assert_int_eq(process_wait(&process, LONG_MS), 7);
    assert_output(0, "out\nerr\n");
    assert_output(4, "err\n");
    assert_output(100, "");
    ck_assert_uint_eq(process_output_length(&process), 8);
}
END_TEST

START_TEST(environment_and_folder_are_the_callers) {
    static const char *const env[] = {"HOME=/overridden", "LEASEHOLD_NEW=1", NULL};
    setenv("LEASEHOLD_OLD", "2", 1);
    start_shell("echo $HOME $LEASEHOLD_NEW $LEASEHOLD_OLD; pwd", env, "/usr");
    ck_assert_int_eq(process_wait(&process, LONG_MS), 0);
    assert_output(0, "/overridden 1 2\n/usr\n");
}
END_TEST

START_TEST(a_program_that_does_not_exist_exits_with_127) {
    const char *const argv[] = {"/nonexistent/program", NULL};
    process_start(&process, &(struct process_options){.argv = argv});
    ck_assert_int_eq(process_wait(&process, LONG_MS), 127);
}
END_TEST

START_TEST(a_signal_that_ends_it_is_told_as_the_shell_tells_it) {
    start_shell("echo ready; exec sleep 1000", NULL, NULL);
    ck_assert(process_wait_for_output(&process, 0, "ready", LONG_MS));
    ck_assert_int_eq(process_wait(&process, 10), PROCESS_RUNNING);
    process_signal(&process, SIGTERM);
    ck_assert_int_eq(process_wait(&process, LONG_MS), 128 + SIGTERM);
    process_signal(&process, SIGTERM);
}
END_TEST

START_TEST(one_that_does_not_end_when_asked_is_killed) {
    start_shell("trap '' TERM; echo ready; while :; do sleep 0.05; done", NULL, NULL);
    ck_assert(process_wait_for_output(&process, 0, "ready", LONG_MS));
    ck_assert_int_eq(process_stop(&process, SIGTERM, 100), 128 + SIGKILL);
}
END_TEST

START_TEST(signals_that_the_test_ignores_or_blocks_reach_it) {
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    signal(SIGTERM, SIG_IGN);
    start_shell("echo ready; while :; do sleep 0.05; done", NULL, NULL);
    ck_assert(process_wait_for_output(&process, 0, "ready", LONG_MS));
    ck_assert_int_eq(process_stop(&process, SIGTERM, LONG_MS), 128 + SIGTERM);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
}
END_TEST

START_TEST(waiting_for_output_ends_with_the_text_the_program_or_the_deadline) {
    start_shell("echo one; read line <&3; echo two", NULL,
                NULL); /* fd 3 is closed: read fails, and it goes on */
    ck_assert(process_wait_for_output(&process, 0, "two", LONG_MS));
    ck_assert(!process_wait_for_output(&process, 0, "three", LONG_MS));
    ck_assert(!process_wait_for_output(&process, strlen("one\n"), "one", LONG_MS));
    process_cleanup(&process);
    start_shell("exec sleep 1000", NULL, NULL);
    int64_t before_ms = process_now_ms();
    ck_assert(!process_wait_for_output(&process, 0, "never", 50));
    ck_assert_int_ge(process_now_ms() - before_ms, 50);
}
END_TEST

/* The middle process starts a program and is killed; the program must not outlive it. */
START_TEST(a_program_dies_with_the_one_that_started_it) {
    int pipe_fds[2];
    ck_assert_int_eq(pipe(pipe_fds), 0);
    pid_t middle = fork();
    if (middle == 0) {
        start_shell("exec sleep 1000", NULL, NULL);
        if (write(pipe_fds[1], &process.pid, sizeof process.pid) < 0) {
            _exit(1);
        }
        pause();
    }
    pid_t program;
    ck_assert_int_eq(read(pipe_fds[0], &program, sizeof program), sizeof program);
    struct process orphan = {.pid = program, .exit_code = PROCESS_RUNNING};
    orphan.output_fd = fileno(tmpfile());
    kill(middle, SIGKILL);
    waitpid(middle, NULL, 0);
    int64_t before_ms = process_now_ms();
    ck_assert(
        !process_wait_for_output(&orphan, 0, "anything", LONG_MS)); /* ends early: it has ended */
    ck_assert_int_lt(process_now_ms() - before_ms, LONG_MS);
}
END_TEST

START_TEST(a_zeroed_process_can_be_released) {
    process_cleanup(&process);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("programs");
    tcase_add_checked_fixture(tcase, NULL, release);
    tcase_add_test(tcase, output_of_both_kinds_and_the_exit_code_are_there_after_the_end);
    tcase_add_test(tcase, environment_and_folder_are_the_callers);
    tcase_add_test(tcase, a_program_that_does_not_exist_exits_with_127);
    tcase_add_test(tcase, a_signal_that_ends_it_is_told_as_the_shell_tells_it);
    tcase_add_test(tcase, one_that_does_not_end_when_asked_is_killed);
    tcase_add_test(tcase, signals_that_the_test_ignores_or_blocks_reach_it);
    tcase_add_test(tcase, waiting_for_output_ends_with_the_text_the_program_or_the_deadline);
    tcase_add_test(tcase, a_program_dies_with_the_one_that_started_it);
    tcase_add_test(tcase, a_zeroed_process_can_be_released);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
