/*
 * Stopping while a token is waited for, and an az that is a program of its own with troubles of its
 * own.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/processes/login_steps.h"

enum { STOP_MS = 5000, SOON_MS = 1000 };

static void assert_stops_in_time(void) {
    int64_t start_ms = process_now_ms();
    stop_handler();
    ck_assert_int_le(process_now_ms() - start_ms, STOP_MS);
}

static void *ask_once(void *status) {
    *(int *)status = http_ask_status((struct http_ask){.port = app.port, .path = PRODUCT});
    return NULL;
}

static const enum login_way waited_for[] = {LOGIN_APP_SERVICE, LOGIN_IMDS, LOGIN_WORKLOAD,
                                            LOGIN_CERTIFICATE};

START_TEST(a_stop_does_not_wait_for_an_endpoint_that_hangs) {
    prepare(waited_for[_i]);
    identity_server_answer(login.server, &(struct identity_answer){.hang = true});
    start_handler();
    ck_assert(identity_server_wait(login.server, 1, LOG_TIMEOUT_MS));
    pthread_t caller;
    int status = 0;
    ck_assert_int_eq(pthread_create(&caller, NULL, ask_once, &status), 0);
    assert_stops_in_time();
    pthread_join(caller, NULL);
    ck_assert_msg(status == 503 || status == 0, "%d",
                  status); /* 0: it came too late to be served at all */
}
END_TEST

static void wait_for_az(void) {
    int64_t deadline_ms = process_now_ms() + LOG_TIMEOUT_MS;
    bool called = false;
    while (!called) {
        char *calls = az_stub_calls(&login.az);
        called = calls[0] != '\0';
        free(calls);
        ck_assert_int_lt(process_now_ms(), deadline_ms);
        sched_yield();
    }
}

START_TEST(a_stop_ends_an_az_that_hangs) {
    prepare(LOGIN_CLI);
    az_stub_hang(&login.az);
    start_handler();
    wait_for_az();
    /* that az and its children have gone as well, tools/run-tests.sh sees */
    assert_stops_in_time();
}
END_TEST

/* Starts another handler like the one that runs, on the same port. */
static void start_rival(struct process *rival) {
    char program[256], port[64];
    const char *env[2 * LOGIN_MAX_TEXTS + 2] = {port};
    size_t count = 1;
    snprintf(program, sizeof program, "%s/handler", getenv("LEASEHOLD_BIN"));
    snprintf(port, sizeof port, "FUNCTIONS_CUSTOMHANDLER_PORT=%d", app.port);
    for (const char *const *setting = login.settings.list; *setting != NULL; setting++) {
        env[count++] = *setting;
    }
    for (const char *const *variable = login.env.list; *variable != NULL; variable++) {
        env[count++] = *variable;
    }
    const char *const argv[] = {program, NULL};
    process_start(rival, &(struct process_options){.argv = argv, .env = env, .cwd = app.folder});
}

/* Whether it is there, and still is after a while. */
static bool stays(pid_t pid) {
    int64_t deadline_ms = process_now_ms() + SOON_MS;
    while (kill(pid, 0) == 0) {
        if (process_now_ms() > deadline_ms) {
            return true;
        }
        sched_yield();
    }
    return false;
}

/* It may be told of the port before az is started, or before az has written its number. */
START_TEST(a_handler_that_cannot_start_ends_its_az) {
    char text[32] = "", path[256];
    struct process rival = {0};
    prepare(LOGIN_CLI);
    start_handler();
    assert_status(200, PRODUCT, NULL); /* this handler has its token, and runs az no more */
    az_stub_do(&login.az, "echo $$ >\"${0%/*}/pid\"\nexec sleep 1000\n");
    start_rival(&rival);
    ck_assert_int_eq(process_wait(&rival, LOG_TIMEOUT_MS), 1);
    snprintf(path, sizeof path, "%s/pid", login.az.folder.path);
    FILE *file = fopen(path, "r");
    if (file != NULL && fgets(text, sizeof text, file) != NULL) {
        ck_assert(!stays((pid_t)strtol(text, NULL, 10)));
    }
    if (file != NULL) {
        fclose(file);
    }
    process_cleanup(&rival);
    stop_handler();
}
END_TEST

/* --- az --- */

static const struct {
    const char *script, *log;
} az_troubles[] = {
    {"echo \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n", "az login"},
    {"echo no JSON at all\n", "not JSON"},
    {"exit 0\n", "az"},
    {"kill -KILL $$\n", "az"},
    {"while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n",
     "az"},
    {"head -c 10000000 /dev/zero >&2\nexit 1\n", "az"},
};

START_TEST(an_az_in_trouble_is_told_and_asked_again) {
    prepare(LOGIN_CLI);
    az_stub_do(&login.az, az_troubles[_i].script);
    start_handler();
    wait_for_log(0, "No token to sign in to storage with");
    wait_for_log(0, az_troubles[_i].log);
    az_stub_answer(&login.az, login.cli_token, 3600);
    wait_for_log(0, "Signed in to storage again");
    ck_assert_int_eq(http_ask_status((struct http_ask){.port = app.port, .path = PRODUCT}), 200);
    stop_handler();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("credentials_stop");
    TCase *tcase = tcase_create("stopping and az");
    tcase_add_unchecked_fixture(tcase, start_storage, stop_storage);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_loop_test(tcase, a_stop_does_not_wait_for_an_endpoint_that_hangs, 0,
                        sizeof waited_for / sizeof *waited_for);
    tcase_add_test(tcase, a_stop_ends_an_az_that_hangs);
    tcase_add_test(tcase, a_handler_that_cannot_start_ends_its_az);
    tcase_add_loop_test(tcase, an_az_in_trouble_is_told_and_asked_again, 0,
                        sizeof az_troubles / sizeof *az_troubles);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
