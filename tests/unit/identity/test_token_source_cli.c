#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/http_transport.h"
#include "identity/token_source.h"
#include "support/calls/token_wait.h"
#include "support/fakes/az_stub.h"
#include "support/processes/check_main.h"

static struct az_stub az;
static struct event_loop *loop;
static struct platform platform;
static struct token_source_cli source;
static struct token token;
static struct error err;
static char *old_path;

/* ---- the machine's clock, but that a test may jump ahead ---- */

static _Atomic int64_t ahead_ms;

static int64_t now_ms(const struct clock *clock) {
    (void)clock;
    return clock_now_ms(clock_system()) + atomic_load(&ahead_ms);
}

static int64_t wall_ms(const struct clock *clock) {
    (void)clock;
    return clock_wall_ms(clock_system());
}

static const struct clock the_clock = {now_ms, wall_ms};

static atomic_bool is_posted, is_over; /* `look` is; the fetch is */

static void look(void *unused) {
    (void)unused;
    atomic_store(&is_posted, false);
}

/* The loop reads the clock after a task. */
static void jump(int64_t ms) {
    static struct loop_task task = {.run = look};
    atomic_fetch_add(&ahead_ms, ms);
    if (!atomic_exchange(&is_posted, true)) {
        event_loop_post(loop, &task);
    }
}

/* ---- kill, but that a test may have it fail as it does for some programs ---- */

static enum { FAILS_NEVER, FAILS_FOR_GROUPS, FAILS_ALWAYS } kill_fails;

/* The names are the linker's: __wrap_kill replaces kill, and __real_kill is the original. */
int failing_kill(pid_t pid, int signal) __asm__("__wrap_kill");
int system_kill(pid_t pid, int signal) __asm__("__real_kill");

int failing_kill(pid_t pid, int signal) {
    if (signal == SIGKILL &&
        (kill_fails == FAILS_ALWAYS || (kill_fails == FAILS_FOR_GROUPS && pid < 0))) {
        errno = pid < 0 ? ESRCH : EPERM;
        return -1;
    }
    return system_kill(pid, signal);
}

/* posix_spawnp looks where this program's own PATH says. */
static void set_up(void) {
    const char *path = getenv("PATH");
    ck_assert_ptr_nonnull(path);
    old_path = strdup(path);
    az_stub_make(&az);
    ck_assert_int_eq(setenv("PATH", az.path + strlen("PATH="), 1), 0);
    ck_assert_int_eq(event_loop_new(&loop, &the_clock, &err), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, &err), STATUS_OK);
    platform = (struct platform){.loop = loop, .clock = &the_clock};
    token_source_cli_init(&source, environ);
    token_init(&token);
    memset(&err, 0, sizeof err);
}

static void tear_down(void) {
    token_cleanup(&token);
    event_loop_stop(loop);
    event_loop_free(loop);
    az_stub_remove(&az);
    kill_fails = FAILS_NEVER;
    setenv("PATH", old_path, 1);
    free(old_path);
}

static enum status fetch(void) {
    return token_wait_fetch(&source.base, &platform, &token, &err);
}

/* Reads the process number in the file `name`. The process should have ended with the script. */
static pid_t written_pid(const char *name) {
    char path[256], text[32] = "";
    snprintf(path, sizeof path, "%s/%s", az.folder.path, name);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    fclose(file);
    return (pid_t)strtol(text, NULL, 10);
}

static bool has_ended(pid_t pid) {
    for (int i = 0; i < 1000; i++) {
        if (kill(pid, 0) != 0) {
            return true;
        }
        usleep(5000);
    }
    return false;
}

START_TEST(az_is_asked_as_documented) {
    int64_t before_ms = now_ms(&the_clock);
    az_stub_answer(&az, "ey.az", 3600);
    ck_assert_msg(fetch() == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(token.text.data, "ey.az");
    ck_assert_int_ge(token.expires_ms, before_ms + 3590 * 1000);
    ck_assert_int_le(token.expires_ms, now_ms(&the_clock) + 3610 * 1000);
    char *calls = az_stub_calls(&az);
    ck_assert_str_eq(
        calls, "account get-access-token --output json --resource https://storage.azure.com/\n");
    free(calls);
}
END_TEST

START_TEST(without_az_or_a_login_this_is_no_way_to_sign_in) {
    ck_assert_int_eq(fetch(), STATUS_NOT_FOUND);
    ck_assert_str_eq(err.message, "az: it gave no token; is somebody logged in? (az login)");
    az_stub_do(&az, "exit 127"); /* as a script does whose interpreter is missing */
    ck_assert_int_eq(fetch(), STATUS_NOT_FOUND);
    ck_assert_str_eq(err.message, "az: it is not installed");
    setenv("PATH", "/nowhere", 1);
    ck_assert_int_eq(fetch(), STATUS_NOT_FOUND);
    ck_assert_str_eq(err.message, "az: it is not installed");
}
END_TEST

static const struct {
    const char *script;
    enum status status;
} bad[] = {
    {"echo garbage hunter2", STATUS_MALFORMED},
    {"true", STATUS_MALFORMED},
    {"echo '{\"access_token\":\"hunter2\"}'", STATUS_MALFORMED},
    {"head -c 65537 /dev/zero", STATUS_TOO_LARGE},
    {"cat /dev/zero", STATUS_TOO_LARGE},
    {"echo '{\"accessToken\":\"hunter2\",\"expires_on\":99999999999}'; kill -9 $$",
     STATUS_NOT_FOUND},
};

START_TEST(what_az_should_not_say_is_refused_without_repeating_it) {
    az_stub_do(&az, bad[_i].script);
    ck_assert_int_eq(fetch(), bad[_i].status);
    ck_assert_ptr_null(strstr(err.message, "hunter2"));
    ck_assert_uint_eq(token.text.length, 0);
}
END_TEST

START_TEST(az_has_no_signals_blocked_and_nothing_to_read) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    az_stub_do(
        &az,
        /* glibc uses the signals 32 and 33 itself. */
        "while read -r name mask; do case $name$mask in\n"
        "SigBlk:*[!0]*) exit 1 ;; SigIgn:*000000) ;; SigIgn:*) exit 1 ;;\n"
        "esac; done </proc/$$/status\ncat\n" /* last: a shell that has waited has unblocked all */
        "echo \"{\\\"accessToken\\\":\\\"ey\\\",\\\"expires_on\\\":$(($(date +%s) + 60))}\"");
    enum status status = fetch();
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_DFL);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
}
END_TEST

/*
 * Whoever sees the file `child` finds both numbers written. The child has az's output, or that of
 * `output`.
 */
#define HANG_WITH(output) \
    "cd \"${0%/*}\"; echo $$ >pid; sleep 1000 " output "& echo $! >new; mv new child; "
#define HANG HANG_WITH("")

/*
 * Moves the clock on once az is there. The loop's alarm does not know of that, so the loop is woken
 * until all is over.
 */
static void *let_time_pass(void *user) {
    (void)user;
    char path[256];
    snprintf(path, sizeof path, "%s/child", az.folder.path);
    while (access(path, F_OK) != 0) {
        usleep(1000);
    }
    jump(TOKEN_FETCH_MS);
    while (!atomic_load(&is_over)) {
        usleep(1000);
        jump(0);
    }
    return NULL;
}

static void assert_timed_out(const char *script) {
    pthread_t time;
    az_stub_do(&az, script);
    ck_assert_int_eq(pthread_create(&time, NULL, let_time_pass, NULL), 0);
    ck_assert_int_eq(fetch(), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, "az: it took longer than 15 s");
    atomic_store(&is_over, true);
    pthread_join(time, NULL);
    ck_assert(has_ended(written_pid("pid")));
    ck_assert(has_ended(written_pid("child")));
}

START_TEST(an_az_that_hangs_is_ended_with_its_children) {
    assert_timed_out(HANG "wait");
}
END_TEST

START_TEST(an_az_that_closes_its_output_and_hangs_is_ended) {
    assert_timed_out(HANG_WITH(">/dev/null ") "exec >&-; wait");
}
END_TEST

static void *stop(void *user) {
    char path[256];
    snprintf(path, sizeof path, "%s/child", az.folder.path);
    while (access(path, F_OK) != 0) {
        usleep(1000);
    }
    token_wait_cancel(&source.base, &platform);
    return user;
}

/* Fetches, and cancels that once az is there. */
static void assert_is_cancelled(void) {
    pthread_t stopper;
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop, NULL), 0);
    int64_t before_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(fetch(), STATUS_CANCELLED);
    ck_assert_int_lt(clock_now_ms(clock_system()) - before_ms, 3000);
    pthread_join(stopper, NULL);
}

START_TEST(az_is_ended_with_its_children_when_it_is_cancelled) {
    az_stub_do(&az, HANG "wait");
    assert_is_cancelled();
    ck_assert(has_ended(written_pid("pid")));
    ck_assert(has_ended(written_pid("child")));
}
END_TEST

/* Runs until the file `end` is there, or its folder is not. */
#define ALONE                                                                                   \
    "cd \"${0%/*}\"; echo $$ >new; mv new child; while [ -e child ] && [ ! -e end ]; do sleep " \
    "0.01; done"

START_TEST(an_az_that_has_left_its_group_is_ended) {
    kill_fails = FAILS_FOR_GROUPS;
    az_stub_do(&az, ALONE);
    assert_is_cancelled();
    ck_assert(has_ended(written_pid("child")));
}
END_TEST

/* As if it ran as another user. */
START_TEST(an_az_that_cannot_be_killed_is_given_up_and_reaped_once_it_has_ended) {
    kill_fails = FAILS_ALWAYS;
    az_stub_do(&az, ALONE);
    assert_is_cancelled();
    char message[128];
    snprintf(message, sizeof message,
             "az: an earlier run, process %d, cannot be killed and has not ended",
             (int)written_pid("child"));
    az_stub_answer(&az, "ey.az", 3600);
    ck_assert_int_eq(fetch(), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, message);
    temp_folder_write(&az.folder, "end", "");
    for (enum status status = STATUS_UNAVAILABLE; status != STATUS_OK;) {
        status = fetch(); /* libcheck's timeout ends this */
        ck_assert(status == STATUS_OK || strcmp(err.message, message) == 0);
    }
    ck_assert_str_eq(token.text.data, "ey.az");
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

/* Only its three standard files, apart from ls's own folder and valgrind's reports. */
START_TEST(az_has_no_other_file_of_ours_open) {
    struct http_transport *transport = NULL;
    ck_assert_int_eq(http_transport_new(&transport, clock_system(), &err), STATUS_OK);
    int files[] = {dup(STDERR_FILENO), dup(STDERR_FILENO), fcntl(STDERR_FILENO, F_DUPFD, 100)};
    static const char list[] = "ls -l /proc/self/fd | grep -v -e '/fd$' -e '/report[.][0-9]*$' |"
                               " sed -n 's/.* \\([0-9]*\\) -> .*/\\1/p' | tr '\\n' ' '";
    char script[512], path[256], listed[256] = "";
    snprintf(path, sizeof path, "%s/files", az.folder.path);
    snprintf(script, sizeof script, "%s > '%s'; exit 1\n", list, path);
    az_stub_do(&az, script);
    ck_assert_int_eq(fetch(), STATUS_NOT_FOUND);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(listed, sizeof listed, file));
    fclose(file);
    ck_assert_str_eq(listed, "0 1 2 ");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        ck_assert_int_eq(fcntl(files[i], F_GETFD), 0); /* here they are as they were */
        close(files[i]);
    }
    http_transport_free(transport);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("token_source_cli");
    TCase *tcase = tcase_create("token_source_cli");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, az_is_asked_as_documented);
    tcase_add_test(tcase, without_az_or_a_login_this_is_no_way_to_sign_in);
    tcase_add_loop_test(tcase, what_az_should_not_say_is_refused_without_repeating_it, 0,
                        (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(tcase, az_has_no_signals_blocked_and_nothing_to_read);
    tcase_add_test(tcase, an_az_that_hangs_is_ended_with_its_children);
    tcase_add_test(tcase, an_az_that_closes_its_output_and_hangs_is_ended);
    tcase_add_test(tcase, az_has_no_other_file_of_ours_open);
    tcase_add_test(tcase, az_is_ended_with_its_children_when_it_is_cancelled);
    tcase_add_test(tcase, an_az_that_has_left_its_group_is_ended);
    tcase_add_test(tcase, an_az_that_cannot_be_killed_is_given_up_and_reaped_once_it_has_ended);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
