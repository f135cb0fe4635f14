/* Stopping while a token is waited for, and an az that is a program of its own with troubles of its own. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "support/login_steps.h"

enum { STOP_MS = 5000 };

static void assert_stops_in_time(void) {
    int64_t start_ms = process_now_ms();
    stop_handler();
    ck_assert_int_le(process_now_ms() - start_ms, STOP_MS);
}

static void *ask_once(void *status) {
    *(int *)status = http_ask_status((struct http_ask){.port = app.port, .path = PRODUCT});
    return NULL;
}

static const enum login_way waited_for[] = {LOGIN_APP_SERVICE, LOGIN_IMDS, LOGIN_WORKLOAD, LOGIN_CERTIFICATE};

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
    ck_assert_msg(status == 503 || status == 0, "%d", status); /* 0: it came too late to be served at all */
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
    assert_stops_in_time(); /* that az and its children have gone as well, tools/run-tests.sh sees */
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
    {"while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n", "az"},
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
    tcase_add_loop_test(tcase, an_az_in_trouble_is_told_and_asked_again, 0, sizeof az_troubles / sizeof *az_troubles);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
