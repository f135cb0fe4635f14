/*
 * handler_process: shell scripts as handlers. A script that is to become ready writes its port to a
 * file, and the test listens there in its place.
 */
#include "devhost/handler_process.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/fakes/stub_handler.h"
#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"

enum { DEADLINE_MS = 20000, STOP_MS = 1000, POLL_US = 2000 };

#define WRITE_PORT "echo $FUNCTIONS_CUSTOMHANDLER_PORT $$ > port.new; mv port.new port\n"

static struct temp_folder folder;
static char folder_path[PATH_MAX]; /* as realpath has it */
static char executable[PATH_MAX + 16];
static struct host_config config;
static struct handler_client *client;
static struct handler_process *process;
static bool listens;
static struct error err;

static void stop_listening(void) {
    if (listens) {
        stub_handler_stop();
        listens = false;
    }
}

static void set_up(void) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigaddset(&child, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &child, NULL);
    temp_folder_make(&folder);
    ck_assert_ptr_nonnull(realpath(folder.path, folder_path));
    snprintf(executable, sizeof executable, "%s/handler", folder_path);
    config = (struct host_config){.folder = folder_path, .executable = executable};
    client = handler_client_new();
    ck_assert_ptr_nonnull(client);
}

static void tear_down(void) {
    if (process != NULL) {
        handler_process_stop(process, STOP_MS);
        handler_process_free(process);
        process = NULL;
    }
    stop_listening();
    handler_client_free(client);
    temp_folder_remove(&folder);
}

static void write_script(const char *body) {
    char text[2048];
    snprintf(text, sizeof text, "#!/bin/sh\necho run >> runs\n%s", body);
    temp_folder_write(&folder, "handler", text);
    ck_assert_int_eq(chmod(executable, 0700), 0);
}

static void start(const char *body) {
    write_script(body);
    enum status status = handler_process_new(&process, &config, client, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
}

/* Steps until the handler is in `state`. */
static void step_until(enum handler_state state) {
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    while (handler_process_step(process) != state) {
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms,
                      "the handler does not come into state %d", (int)state);
        usleep(POLL_US);
    }
}

/* The first line of a file once it is there. */
static void read_line(const char *name, char *out, int size) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    FILE *file;
    while ((file = fopen(path, "re")) == NULL) {
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "%s is not written", path);
        usleep(POLL_US);
    }
    ck_assert_ptr_nonnull(fgets(out, size, file));
    fclose(file);
    out[strcspn(out, "\n")] = '\0';
}

static int count_runs(void) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/runs", folder.path);
    struct stat file;
    return stat(path, &file) == 0 ? (int)file.st_size / 4 : 0;
}

static void read_port(int *out_port, int *out_pid) {
    char line[64];
    char path[PATH_MAX];
    read_line("port", line, sizeof line);
    char *pid;
    *out_port = (int)strtol(line, &pid, 10);
    *out_pid = (int)strtol(pid, NULL, 10);
    ck_assert(*out_port > 0 && *out_pid > 0);
    snprintf(path, sizeof path, "%s/port", folder.path);
    ck_assert_int_eq(unlink(path), 0);
}

static void listen_as_handler(int port) {
    stop_listening();
    stub_handler_start(port, NULL, NULL); /* pings alone come */
    listens = true;
}

/* Whether the process has ended, even if nobody has waited for it. */
static bool has_ended(int pid) {
    char path[64];
    char state = 'X';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        ck_assert_int_eq(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
        fclose(file);
    }
    return state == 'X' || state == 'Z';
}

static void wait_until_ended(int pid) {
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    while (!has_ended(pid)) {
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "process %d does not end", pid);
        usleep(POLL_US);
    }
}

START_TEST(a_handler_is_ready_once_it_answers) {
    int port;
    int pid;
    start(WRITE_PORT "exec sleep 60\n");
    read_port(&port, &pid);
    ck_assert_int_eq(handler_process_step(process), HANDLER_STARTING);
    ck_assert_int_eq(handler_process_await(process, 0), 0);
    listen_as_handler(port);
    step_until(HANDLER_READY);
    ck_assert_int_eq(handler_process_await(process, 0), port);
}
END_TEST

START_TEST(a_handler_starts_in_the_app_s_folder_with_arguments_settings_and_open_ears) {
    char *arguments[] = {(char[]){"--one"}, (char[]){"two words"}};
    struct host_setting settings[] = {{(char[]){"A_SETTING"}, (char[]){"its value"}}};
    config.arguments = arguments;
    config.argument_count = 2;
    config.settings = settings;
    config.setting_count = 1;
    signal(SIGINT, SIG_DFL); /* a shell's background job may have begun without them */
    signal(SIGQUIT, SIG_DFL);
    ck_assert_int_eq(dup2(STDERR_FILENO, 50), 50); /* a file without close-on-exec */
    start("signals=0; leaked=no; [ ! -e /proc/$$/fd/50 ] || leaked=yes\n"
          "while read -r key value; do case $key in SigIgn:|SigBlk:) signals=$((signals | "
          "0x$value)) ;; esac; done < "
          "/proc/$$/status\n"
          "echo \"$PWD|$1|$2|$#|$A_SETTING|$FUNCTIONS_APP_ROOT_PATH|$((signals & "
          "0x7fffffff))|$leaked\" > "
          "told.new\n"
          "mv told.new told\nexec sleep 60\n");
    char told[1024];
    char expected[3 * PATH_MAX];
    read_line("told", told, sizeof told);
    close(50);
    /*
     * No signal is blocked, and SIGPIPE alone is ignored; those from 32 on are libc's own and not
     * ours to set.
     */
    snprintf(expected, sizeof expected, "%s|--one|two words|2|its value|%s|%d|no", folder_path,
             folder_path, 1 << (SIGPIPE - 1));
    ck_assert_str_eq(told, expected);
}
END_TEST

/* Exit codes after which the host starts the handler again without counting. */
static const int uncounted[] = {0, 200};

START_TEST(some_exit_codes_are_restarted_without_end) {
    char script[128];
    snprintf(script, sizeof script, "[ $(wc -l < runs) -lt 8 ] && exit %d\nexec sleep 60\n",
             uncounted[_i]);
    start(script);
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    while (count_runs() < 8) {
        ck_assert_int_eq(handler_process_step(process), HANDLER_STARTING);
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "%d runs", count_runs());
        usleep(POLL_US);
    }
    ck_assert_int_eq(handler_process_await(process, 0), 0);
}
END_TEST

START_TEST(another_exit_code_is_restarted_twice_on_the_same_port) {
    start("echo $FUNCTIONS_HTTPWORKER_PORT >> ports\necho 'Error: a bad setting' >&2\nexit 64\n");
    step_until(HANDLER_FAILED);
    ck_assert_int_eq(count_runs(), 3);
    ck_assert_int_eq(handler_process_step(process), HANDLER_FAILED);
    ck_assert_int_eq(count_runs(), 3);
    ck_assert_int_eq(handler_process_await(process, DEADLINE_MS), 0);
    int ports[3] = {0};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/ports", folder.path);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%d %d %d", &ports[0], &ports[1], &ports[2]), 3);
    fclose(file);
    ck_assert(ports[0] > 0 && ports[1] == ports[0] && ports[2] == ports[0]);
}
END_TEST

START_TEST(a_restart_that_was_asked_for_kills_and_is_not_counted) {
    int port = 0;
    int pid = 0;
    start("trap '' TERM\n" WRITE_PORT "exec sleep 60\n");
    for (int i = 1; i <= 5; i++) {
        read_port(&port, &pid);
        listen_as_handler(port);
        step_until(HANDLER_READY);
        handler_process_ask_restart(process);
        sigset_t asked;
        sigemptyset(&asked);
        sigaddset(&asked, SIGUSR1);
        ck_assert_int_eq(sigwaitinfo(&asked, NULL), SIGUSR1); /* what wakes the main thread */
        ck_assert_int_eq(handler_process_step(process), HANDLER_STARTING);
        ck_assert(has_ended(pid));
        stop_listening();
    }
    read_port(&port, &pid);
    ck_assert_int_eq(count_runs(), 6);
}
END_TEST

START_TEST(a_handler_that_was_killed_is_restarted_and_becomes_ready_again) {
    int port;
    int pid;
    start(WRITE_PORT "exec sleep 60\n");
    read_port(&port, &pid);
    listen_as_handler(port);
    step_until(HANDLER_READY);
    kill(pid, SIGKILL);
    step_until(HANDLER_STARTING);
    ck_assert_int_eq(handler_process_await(process, 0), 0);
    read_port(&port, &pid);
    listen_as_handler(port);
    step_until(HANDLER_READY);
    ck_assert_int_eq(handler_process_await(process, 0), port);
    ck_assert_int_eq(count_runs(), 2);
}
END_TEST

START_TEST(stopping_lets_the_handler_finish) {
    int port;
    int pid;
    start("trap 'echo bye > bye; exit 0' TERM\n" WRITE_PORT "while :; do sleep 0.01; done\n");
    read_port(&port, &pid);
    handler_process_stop(process, DEADLINE_MS);
    char line[16];
    read_line("bye", line, sizeof line);
    ck_assert_str_eq(line, "bye");
    ck_assert(has_ended(pid));
}
END_TEST

START_TEST(a_handler_that_does_not_stop_is_killed) {
    int port;
    int pid;
    start("trap '' TERM\n" WRITE_PORT "exec sleep 60\n");
    read_port(&port, &pid);
    int64_t before_ms = clock_now_ms(clock_system());
    handler_process_stop(process, 100);
    ck_assert_int_ge(clock_now_ms(clock_system()) - before_ms, 100);
    ck_assert(has_ended(pid));
}
END_TEST

START_TEST(stopping_asks_again_until_the_handler_exits) {
    int port;
    int pid;
    start("asked=0\ntrap 'asked=$((asked + 1)); [ $asked -lt 3 ] || exit 0' TERM\n" WRITE_PORT
          "while :; do sleep 0.01; done\n");
    read_port(&port, &pid);
    int64_t before_ms = clock_now_ms(clock_system());
    handler_process_stop(process, DEADLINE_MS);
    ck_assert_int_lt(clock_now_ms(clock_system()) - before_ms, DEADLINE_MS);
    ck_assert(has_ended(pid));
}
END_TEST

START_TEST(a_child_that_keeps_the_handler_s_pipes_open_holds_nothing_up) {
    start("[ -e child ] && exec sleep 60\nsleep 60 &\necho $! > child.new; mv child.new "
          "child\nexit 0\n");
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    while (count_runs() < 2) {
        handler_process_step(process);
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "it is not started again");
        usleep(POLL_US);
    }
    char line[32];
    read_line("child", line, sizeof line);
    kill((pid_t)strtol(line, NULL, 10), SIGKILL);
}
END_TEST

START_TEST(the_handler_does_not_outlive_the_host) {
    write_script(WRITE_PORT "exec sleep 60\n");
    char self[PATH_MAX] = ""; /* its real name: valgrind is what runs by the name /proc/self/exe */
    ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    pid_t host = fork();
    ck_assert_int_ge(host, 0);
    if (host == 0) {
        execl(self, self, "--host", folder_path, (char *)NULL);
        _exit(1);
    }
    int port;
    int pid;
    read_port(&port, &pid);
    ck_assert(!has_ended(pid));
    kill(host, SIGKILL);
    ck_assert_int_eq(waitpid(host, NULL, 0), host);
    wait_until_ended(pid);
}
END_TEST

START_TEST(a_missing_executable_is_told_at_once) {
    ck_assert_int_eq(handler_process_new(&process, &config, client, &err), STATUS_NOT_FOUND);
    ck_assert_msg(strstr(err.message, executable) != NULL, "%s", err.message);
}
END_TEST

/*
 * A host that starts the handler in `path` and waits to be killed: a program of its own, as the
 * test may have threads.
 */
static int run_as_host(const char *path) {
    snprintf(folder_path, sizeof folder_path, "%s", path);
    snprintf(executable, sizeof executable, "%s/handler", folder_path);
    config = (struct host_config){.folder = folder_path, .executable = executable};
    client = handler_client_new();
    if (client == NULL || handler_process_new(&process, &config, client, NULL) != STATUS_OK) {
        return EXIT_FAILURE;
    }
    return pause();
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--host") == 0) {
        return run_as_host(argv[2]);
    }
    Suite *suite = suite_create("handler_process");
    TCase *tcase = tcase_create("handler_process");
    tcase_set_timeout(tcase, 2.0 * DEADLINE_MS / 1000);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_handler_is_ready_once_it_answers);
    tcase_add_test(tcase,
                   a_handler_starts_in_the_app_s_folder_with_arguments_settings_and_open_ears);
    tcase_add_loop_test(tcase, some_exit_codes_are_restarted_without_end, 0,
                        sizeof uncounted / sizeof uncounted[0]);
    tcase_add_test(tcase, another_exit_code_is_restarted_twice_on_the_same_port);
    tcase_add_test(tcase, a_restart_that_was_asked_for_kills_and_is_not_counted);
    tcase_add_test(tcase, stopping_asks_again_until_the_handler_exits);
    tcase_add_test(tcase, a_handler_that_was_killed_is_restarted_and_becomes_ready_again);
    tcase_add_test(tcase, stopping_lets_the_handler_finish);
    tcase_add_test(tcase, a_handler_that_does_not_stop_is_killed);
    tcase_add_test(tcase, a_child_that_keeps_the_handler_s_pipes_open_holds_nothing_up);
    tcase_add_test(tcase, the_handler_does_not_outlive_the_host);
    tcase_add_test(tcase, a_missing_executable_is_told_at_once);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
