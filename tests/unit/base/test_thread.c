#include "base/thread.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/processes/check_main.h"

enum { NOBODY = 65534 };

static void *answer(void *context) {
    return context;
}

START_TEST(a_thread_runs_with_its_context) {
    pthread_t thread;
    int context;
    void *result = NULL;
    ck_assert_int_eq(thread_start(&thread, answer, &context, NULL), STATUS_OK);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, &context);
}
END_TEST

/* Runs in a child process that drops root's right to exceed limits. */
static int start_beyond_the_limit(void) {
    const struct rlimit none = {0, 0};
    pthread_t thread;
    struct error err;
    if ((geteuid() == 0 && setuid(NOBODY) != 0) || setrlimit(RLIMIT_NPROC, &none) != 0) {
        return 10;
    }
    if (thread_start(&thread, answer, NULL, &err) != STATUS_NO_THREAD) {
        return 20;
    }
    return strstr(err.message, "no thread can be started") != NULL &&
                   strstr(err.message, "ulimit -u") != NULL
               ? 0
               : 30;
}

START_TEST(a_thread_that_cannot_be_had_is_told_with_what_to_do) {
    pid_t child = fork();
    if (child == 0) {
        _exit(start_beyond_the_limit());
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("thread");
    TCase *tests = tcase_create("starting");
    tcase_add_test(tests, a_thread_runs_with_its_context);
    tcase_add_test(tests, a_thread_that_cannot_be_had_is_told_with_what_to_do);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
