/* Whose request a log line is about: in the log, in the answer, with storage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/calls/raw_http.h"
#include "support/processes/app_steps.h"
#include "support/processes/check_main.h"

enum { CALLERS = 20 };
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define HEAD                                                                     \
    "Host: h\r\ntraceparent: 00-" TRACE "-00f067aa0ba902b7-01\r\nContent-Type: " \
    "application/json\r\n"
#define ONE_UNIT "{\"quantity\":1,\"customerId\":\"CUST-123\"}"

static struct raw_response answer;

static void set_up(void) {
    static const char *const settings[] = {"Logging:LogLevel:Default=Debug", NULL};
    start_azurite();
    app_start_handler(&app, &(struct app_options){.connection_string = azurite.connection_string,
                                                  .settings = settings});
    wait_for_log(0, "listens on");
}

static void clean_up(void) {
    raw_response_cleanup(&answer);
    tear_down();
}

static int send_on_new(const char *request) {
    int fd = raw_http_connect(app.port);
    ck_assert(raw_http_send(fd, request));
    return fd;
}

static void read_and_close(int fd) {
    raw_http_read(fd, &answer, false);
    close(fd);
}

static void assert_request_id(const char *expected) {
    char id[128];
    ck_assert_str_eq(raw_response_header(&answer, "x-ms-request-id", id, sizeof id), expected);
}

/* Ends the text behind its next line, which is returned; NULL: no more. */
static char *next_line(char **log) {
    return *log != NULL && **log != '\0' ? strsep(log, "\n") : NULL;
}

START_TEST(every_line_of_a_request_names_it_and_its_trace) {
    static const char *const id_headers[] = {"x-ms-invocation-id",
                                             "X-Azure-Functions-InvocationId"};
    char request[512], expected[128];
    read_and_close(
        send_on_new("GET /api/inventory/PROD-001 HTTP/1.1\r\n\r\n")); /* storage is ready */
    size_t from = process_output_length(&app.process);
    snprintf(request, sizeof request,
             "POST /api/inventory/PROD-001/reserve HTTP/1.1\r\n%s: id-%d\r\n" HEAD
             "Content-Length: %zu\r\n\r\n%s",
             id_headers[_i], _i, strlen(ONE_UNIT), ONE_UNIT);
    read_and_close(send_on_new(request));
    ck_assert_int_eq(answer.status, 200);
    snprintf(expected, sizeof expected, "id-%d", _i);
    assert_request_id(expected);
    snprintf(expected, sizeof expected, " [invocation id-%d, trace " TRACE "]", _i);
    char *log = process_output_from(&app.process, from), *rest = log;
    int count = 0;
    for (const char *line = next_line(&rest); line != NULL; line = next_line(&rest)) {
        if (strstr(line, "Acquired lease") != NULL || strstr(line, "inventory()") != NULL ||
            strstr(line, "$batch") != NULL || strstr(line, "Successfully reserved") != NULL) {
            ck_assert_msg(strstr(line, expected) != NULL, "%s", line);
            count++;
        }
    }
    free(log);
    ck_assert_int_ge(count, 3);
}
END_TEST

/*
 * Many requests of one batch: each has its own line, with the reservation that its caller was told.
 */
START_TEST(in_a_batch_each_request_has_its_own_line) {
    int fds[CALLERS];
    char request[512];
    for (int i = 0; i < CALLERS; i++) {
        snprintf(request, sizeof request,
                 "POST /api/inventory/PROD-001/reserve HTTP/1.1\r\nx-ms-invocation-id: "
                 "caller-%d-\r\n" HEAD "Content-Length: %zu\r\n\r\n%s",
                 i, strlen(ONE_UNIT), ONE_UNIT);
        fds[i] = send_on_new(request);
    }
    for (int i = 0; i < CALLERS; i++) {
        char id[64], line[256], reservation[64] = "";
        read_and_close(fds[i]);
        ck_assert_msg(answer.status == 200, "%d %s", answer.status, answer.body);
        snprintf(id, sizeof id, "caller-%d-", i);
        assert_request_id(id);
        ck_assert_int_eq(sscanf(strstr(answer.body, "\"reservationId\":"),
                                "\"reservationId\":\"%63[^\"]", reservation),
                         1);
        snprintf(line, sizeof line,
                 "Reservation: %s Renewal count: 0 [invocation %s, trace " TRACE "]", reservation,
                 id);
        wait_for_log(0, line);
    }
}
END_TEST

static const struct {
    const char *request;
    int status;
} others[] = {
    {"GET / HTTP/1.1\r\nx-ms-invocation-id: other\r\n\r\n", 200},
    {"GET /nothing HTTP/1.1\r\nx-ms-invocation-id: other\r\n\r\n", 404},
    {"DELETE / HTTP/1.1\r\nx-ms-invocation-id: other\r\n\r\n", 405},
    {"POST /ReconcileInventory HTTP/1.1\r\nx-ms-invocation-id: other\r\nContent-Length: "
     "2\r\n\r\n{}",
     400},
    {"POST /api/inventory/PROD-001/reserve HTTP/1.1\r\nx-ms-invocation-id: "
     "other\r\nContent-Length: 99999999\r\n\r\n",
     413},
    {"POST / HTTP/1.1\r\nx-ms-invocation-id: other\r\nContent-Length: x\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nx-ms-invocation-id: other\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
     400},
};

START_TEST(every_answer_names_its_request) {
    read_and_close(send_on_new(others[_i].request));
    ck_assert_int_eq(answer.status, others[_i].status);
    assert_request_id("other");
}
END_TEST

START_TEST(a_request_that_cannot_be_read_gets_an_id_of_its_own) {
    char first[128], second[128];
    read_and_close(send_on_new("nonsense\r\n\r\n"));
    ck_assert_uint_eq(strlen(raw_response_header(&answer, "x-ms-request-id", first, sizeof first)),
                      36);
    read_and_close(send_on_new("nonsense\r\n\r\n"));
    ck_assert_uint_eq(
        strlen(raw_response_header(&answer, "x-ms-request-id", second, sizeof second)), 36);
    ck_assert_str_ne(first, second);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("correlation");
    TCase *tcase = tcase_create("correlation");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, clean_up);
    tcase_add_loop_test(tcase, every_line_of_a_request_names_it_and_its_trace, 0, 2);
    tcase_add_test(tcase, in_a_batch_each_request_has_its_own_line);
    tcase_add_loop_test(tcase, every_answer_names_its_request, 0, sizeof others / sizeof *others);
    tcase_add_test(tcase, a_request_that_cannot_be_read_gets_an_id_of_its_own);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
