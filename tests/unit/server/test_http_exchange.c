#include "server/http_exchange.h"

#include <unistd.h>

#include "server/http_server.h"
#include "support/calls/raw_http.h"
#include "support/fakes/clock_fake.h"
#include "support/processes/check_main.h"

enum { MAX_BYTES = 1000, REQUEST_TIMEOUT_MS = 30 * 1000 };
static const int64_t START_MS = 1737297930250; /* 2025-01-19T14:45:30.250Z */

static struct clock_fake the_clock;
static struct event_loop *loop;
static struct http_server *server;
static struct raw_response answer;

static void handle(void *context, struct http_inbound *inbound) {
    (void)context;
    http_inbound_answer(inbound);
}

static void set_up(void) {
    struct http_server_options options = {.max_in_hand = 1,
                                          .max_body_bytes = MAX_BYTES,
                                          .max_response_bytes = MAX_BYTES,
                                          .request_timeout_ms = REQUEST_TIMEOUT_MS};
    clock_fake_init(&the_clock, 1000, START_MS);
    ck_assert_int_eq(event_loop_new(&loop, &the_clock.base, NULL), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, NULL), STATUS_OK);
    ck_assert_int_eq(http_server_start(&server, loop, &options, handle, NULL, NULL), STATUS_OK);
}

static void tear_down(void) {
    http_server_stop(server);
    event_loop_stop(loop);
    event_loop_free(loop);
    raw_response_cleanup(&answer);
}

static void assert_date(int fd, const char *expected) {
    char date[UTC_TEXT_BYTES];
    ck_assert(raw_http_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    raw_http_read(fd, &answer, false);
    ck_assert_str_eq(raw_response_header(&answer, "Date", date, sizeof date), expected);
}

START_TEST(an_answer_s_date_is_the_clock_s) {
    int fd = raw_http_connect(http_server_port(server));
    assert_date(fd, "Sun, 19 Jan 2025 14:45:30 GMT");
    clock_fake_advance(&the_clock, 749);
    assert_date(fd, "Sun, 19 Jan 2025 14:45:30 GMT");
    clock_fake_advance(&the_clock, 1);
    assert_date(fd, "Sun, 19 Jan 2025 14:45:31 GMT");
    clock_fake_advance(&the_clock, 24 * 3600 * 1000);
    assert_date(fd, "Mon, 20 Jan 2025 14:45:31 GMT");
    close(fd);
}
END_TEST

START_TEST(a_clock_that_was_set_back_is_followed) {
    int fd = raw_http_connect(http_server_port(server));
    assert_date(fd, "Sun, 19 Jan 2025 14:45:30 GMT");
    clock_fake_jump_wall(&the_clock, -3600 * 1000);
    assert_date(fd, "Sun, 19 Jan 2025 13:45:30 GMT");
    clock_fake_jump_wall(&the_clock, 3600 * 1000 - START_MS);
    assert_date(fd, "Thu, 01 Jan 1970 00:00:00 GMT");
    close(fd);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_exchange");
    TCase *tests = tcase_create("http_exchange");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_answer_s_date_is_the_clock_s);
    tcase_add_test(tests, a_clock_that_was_set_back_is_followed);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
