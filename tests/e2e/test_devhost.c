/* The app behind devhost: its end, a handler that is killed, and a crowd of callers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/calls/http_client.h"
#include "support/calls/raw_http.h"
#include "support/processes/app_steps.h"
#include "support/processes/check_main.h"

enum { CROWD = 600, STOCK = 100 };

#define RESERVE_TEXT                                                                     \
    "POST /api/inventory/PROD-001/reserve HTTP/1.1\r\nHost: localhost\r\nContent-Type: " \
    "application/json\r\n"                                                               \
    "Content-Length: 31\r\n\r\n{\"quantity\":1,\"customerId\":\"C\"}\n"

static void start(const char *setting) {
    const char *const settings[] = {setting, NULL};
    app_start(&app, &(struct app_options){.connection_string = azurite.connection_string,
                                          .settings = settings});
}

static const int stop_signals[] = {SIGINT, SIGTERM};

START_TEST(its_end_leaves_no_lease_in_the_way_of_the_next_start) {
    start("Inventory:ProcessingTime=00:01:00");
    int fd = raw_http_connect(app.port);
    ck_assert(raw_http_send(fd, RESERVE_TEXT));
    wait_for_log(0, "Acquired lease");
    ck_assert_int_eq(app_stop(&app, stop_signals[_i]), 0);
    assert_lease_is_free("inventory-PROD-001");
    close(fd);
}
END_TEST

/* The process that the last line about it names. */
static int handler_pid(void) {
    static const char line[] = "The handler (process ";
    char *log = process_output_from(&app.process, 0);
    int pid = 0;
    for (const char *at = strstr(log, line); at != NULL; at = strstr(at + 1, line)) {
        pid = (int)strtol(at + strlen(line), NULL, 10);
    }
    ck_assert_msg(pid > 0, "%s", log);
    free(log);
    return pid;
}

START_TEST(a_killed_handler_is_replaced_and_its_callers_wait) {
    start("Inventory:ProcessingTime=00:00:00");
    struct http_ask get = {.port = app.port, .path = "/api/inventory/PROD-001"};
    ck_assert_int_eq(http_ask_status(get), 200);
    size_t from = process_output_length(&app.process);
    ck_assert_int_eq(kill(handler_pid(), SIGKILL), 0);
    ck_assert_int_eq(http_ask_status(get), 200);
    wait_for_log(from, "Starting it again (1 of 2)");
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

START_TEST(a_crowd_gets_an_answer_of_the_handler_s_each) {
    static int callers[CROWD];
    struct raw_response response = {0};
    int reserved = 0;
    start("Inventory:ProcessingTime=00:00:00");
    for (int i = 0; i < CROWD; i++) {
        callers[i] = raw_http_connect(app.port);
    }
    for (int i = 0; i < CROWD; i++) {
        ck_assert(raw_http_send(callers[i], RESERVE_TEXT));
    }
    for (int i = 0; i < CROWD; i++) {
        raw_http_read(callers[i], &response, false);
        bool known = response.status == 200 || response.status == 409 || response.status == 503;
        ck_assert_msg(known && response.body_length > 0, "%d: %s", response.status, response.head);
        reserved += response.status == 200;
        close(callers[i]);
    }
    ck_assert_int_gt(reserved, 0);
    ck_assert_int_le(reserved, STOCK);
    raw_response_cleanup(&response);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("devhost");
    TCase *tcase = tcase_create("devhost");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, start_azurite, tear_down);
    tcase_add_loop_test(tcase, its_end_leaves_no_lease_in_the_way_of_the_next_start, 0, 2);
    tcase_add_test(tcase, a_killed_handler_is_replaced_and_its_callers_wait);
    tcase_add_test(tcase, a_crowd_gets_an_answer_of_the_handler_s_each);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
