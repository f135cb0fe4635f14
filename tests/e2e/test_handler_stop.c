/*
 * How the handler ends under a host: it stays without a lease until the host has gone, and its last
 * words are heard.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "devhost/free_port.h"
#include "support/calls/http_client.h"
#include "support/calls/raw_http.h"
#include "support/processes/app_steps.h"
#include "support/processes/check_main.h"

enum { STAY_MS = 30000, SLACK_MS = 15000, SOON_MS = 5000, LAST_LINE_MS = 300 };
#define RESERVE "/api/inventory/PROD-001/reserve"
#define ONE_UNIT "{\"quantity\":1,\"customerId\":\"CUST-123\"}"
#define IS_READY "listens on"
#define IS_BARE "Every lease is released"
#define NOWHERE                                                                                    \
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/" \
    "a;"                                                                                           \
    "TableEndpoint=http://127.0.0.1:1/a"

static const char *const under_a_host[] = {"FUNCTIONS_HTTPWORKER_PORT=7071", NULL};
static const char *const in_memory[] = {"Inventory:Store=Memory", NULL};

static void start(const char *const *env) {
    app_start_handler(&app, &(struct app_options){
                                .connection_string = NOWHERE, .settings = in_memory, .env = env});
    wait_for_log(0, IS_READY);
}

static void assert_answers_stopping(void) {
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .path = RESERVE, .body = ONE_UNIT});
    ck_assert_msg(reply.status == 503, "%d %s", reply.status, reply.body.data);
    ck_assert_ptr_nonnull(strstr(reply.body.data, "\"code\":\"Stopping\""));
    ck_assert_str_eq(http_headers_get(&reply.headers, "Retry-After"), "1");
    http_reply_cleanup(&reply);
}

START_TEST(under_a_host_it_stays_without_a_lease_and_refuses_until_told_again) {
    static const int signals[] = {SIGTERM, SIGINT};
    static const char *const settings[] = {"Inventory:ProcessingTime=00:01:00", NULL};
    start_azurite();
    app_start_handler(&app, &(struct app_options){.connection_string = azurite.connection_string,
                                                  .settings = settings,
                                                  .env = under_a_host});
    wait_for_log(0, IS_READY);
    int held = raw_http_connect(app.port);
    ck_assert(
        raw_http_send(held, "POST " RESERVE " HTTP/1.1\r\nContent-Length: 38\r\n\r\n" ONE_UNIT));
    wait_for_log(0, "Acquired lease");
    process_signal(&app.process, signals[_i]);
    wait_for_log(0, IS_BARE);
    assert_lease_is_free("inventory-PROD-001");
    struct raw_response answer = {0};
    raw_http_read(held, &answer, false);
    ck_assert_int_eq(answer.status, 503);
    raw_response_cleanup(&answer);
    close(held);
    for (int i = 0; i < 3; i++) {
        assert_answers_stopping();
    }
    ck_assert_int_eq(process_wait(&app.process, LAST_LINE_MS), PROCESS_RUNNING);
    int64_t start_ms = process_now_ms();
    process_signal(&app.process, signals[1 - _i]);
    ck_assert_int_eq(process_wait(&app.process, LOG_TIMEOUT_MS), 0);
    ck_assert_int_le(process_now_ms() - start_ms, SOON_MS);
}
END_TEST

START_TEST(under_a_host_it_ends_by_itself_after_half_a_minute) {
    start(under_a_host);
    int64_t start_ms = process_now_ms();
    process_signal(&app.process, SIGTERM);
    ck_assert_int_eq(process_wait(&app.process, STAY_MS + SLACK_MS), 0);
    ck_assert_int_ge(process_now_ms() - start_ms, STAY_MS);
}
END_TEST

START_TEST(without_a_host_it_ends_at_once) {
    start(NULL);
    int64_t start_ms = process_now_ms();
    process_signal(&app.process, SIGTERM);
    ck_assert_int_eq(process_wait(&app.process, LOG_TIMEOUT_MS), 0);
    ck_assert_int_le(process_now_ms() - start_ms, SOON_MS);
}
END_TEST

/* A shell is its host. It writes the handler's process id first, and waits. */
START_TEST(a_handler_whose_host_has_gone_does_not_stay) {
    char port[64], program[256];
    app.port = free_port_find();
    snprintf(port, sizeof port, "FUNCTIONS_CUSTOMHANDLER_PORT=%d", app.port);
    snprintf(program, sizeof program, "%s/handler", getenv("LEASEHOLD_BIN"));
    const char *const argv[] = {"sh", "-c", "\"$0\" & echo $!; wait; :", program, NULL};
    const char *const env[] = {port, "FUNCTIONS_HTTPWORKER_PORT=7071", "Inventory__Store=Memory",
                               "DistributedLeasing__ConnectionString=" NOWHERE, NULL};
    process_start(&app.process, &(struct process_options){.argv = argv, .env = env, .cwd = "/"});
    wait_for_log(0, IS_READY);
    char *output = process_output_from(&app.process, 0);
    pid_t handler = (pid_t)strtol(output, NULL, 10);
    free(output);
    ck_assert_int_gt(handler, 1);
    kill(handler, SIGTERM);
    wait_for_log(0, IS_BARE);
    int64_t start_ms = process_now_ms();
    process_stop(&app.process, SIGKILL, LOG_TIMEOUT_MS);
    int fd;
    while ((fd = raw_http_try_connect("127.0.0.1", app.port)) >= 0) {
        close(fd);
        ck_assert_int_lt(process_now_ms() - start_ms, SOON_MS);
    }
}
END_TEST

START_TEST(its_last_line_has_time_to_be_read_before_it_ends_in_failure) {
    static const char *const settings[] = {"Logging:LogLevel:Default=Bogus", NULL};
    int64_t start_ms = process_now_ms();
    app_start_handler(&app,
                      &(struct app_options){.connection_string = NOWHERE, .settings = settings});
    ck_assert_int_eq(process_wait(&app.process, LOG_TIMEOUT_MS), 64);
    ck_assert_int_ge(process_now_ms() - start_ms, LAST_LINE_MS);
    char *log = process_output_from(&app.process, 0);
    ck_assert_ptr_nonnull(strstr(log, "Error: Logging:LogLevel:Default is 'Bogus'"));
    ck_assert_msg(strcasestr(log, "warn") == NULL, "the host would take it for a warning: %s", log);
    free(log);
}
END_TEST

START_TEST(a_port_in_use_is_told_before_the_end_too) {
    start(NULL);
    char port[64], program[256];
    snprintf(port, sizeof port, "FUNCTIONS_CUSTOMHANDLER_PORT=%d", app.port);
    snprintf(program, sizeof program, "%s/handler", getenv("LEASEHOLD_BIN"));
    const char *const argv[] = {program, NULL};
    const char *const env[] = {port, "Inventory__Store=Memory",
                               "DistributedLeasing__ConnectionString=" NOWHERE, NULL};
    struct process second = {0};
    int64_t start_ms = process_now_ms();
    process_start(&second, &(struct process_options){.argv = argv, .env = env, .cwd = "/"});
    ck_assert_int_eq(process_wait(&second, LOG_TIMEOUT_MS), 1);
    ck_assert_int_ge(process_now_ms() - start_ms, LAST_LINE_MS);
    process_cleanup(&second);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("handler_stop");
    TCase *tcase = tcase_create("handler_stop");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_loop_test(tcase, under_a_host_it_stays_without_a_lease_and_refuses_until_told_again,
                        0, 2);
    tcase_add_test(tcase, under_a_host_it_ends_by_itself_after_half_a_minute);
    tcase_add_test(tcase, without_a_host_it_ends_at_once);
    tcase_add_test(tcase, a_handler_whose_host_has_gone_does_not_stay);
    tcase_add_test(tcase, its_last_line_has_time_to_be_read_before_it_ends_in_failure);
    tcase_add_test(tcase, a_port_in_use_is_told_before_the_end_too);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
