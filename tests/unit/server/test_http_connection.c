/*
 * http_connection and admission through the server that uses them: the slow, the silent, and the
 * one request too many.
 */
#include "server/http_connection.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/calls/raw_http.h"
#include "support/fakes/echo_server.h"
#include "support/processes/check_main.h"

enum {
    THREAD_COUNT = 8,
    SPARE_COUNT = 4,
    SHORT_MS = 300,
    TRICKLE_MS = 20,
    SLACK_MS = 5000, /* on a loaded machine, under a tool */
    SLOP_MS = 100,
    LISTENS_MS = 50,
    LINGER_MS = 5000,
    CROWD = 1000,
    CROWD_PATIENCE_MS = 2000
};

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static struct http_server *server;
static struct raw_response answer;
static int crowd[CROWD];
static int crowd_count;

static void set_up(void) {
    server = echo_server_start(THREAD_COUNT, ECHO_REQUEST_TIMEOUT_MS);
    crowd_count = 0;
}

static void set_up_impatient(void) {
    server = echo_server_start(THREAD_COUNT, SHORT_MS);
    crowd_count = 0;
}

static void tear_down(void) {
    for (int i = 0; i < crowd_count; i++) {
        close(crowd[i]);
    }
    raw_response_cleanup(&answer);
    echo_server_stop(server);
}

static int64_t now_ms(void) {
    return clock_now_ms(clock_system());
}

static int connect_silently(void) {
    return raw_http_connect(http_server_port(server));
}

static int send_on_new(const char *text) {
    int fd = connect_silently();
    ck_assert(raw_http_send(fd, text));
    return fd;
}

static void read_answer(int fd) {
    raw_http_read(fd, &answer, false);
}

static void assert_refused(int status, const char *code) {
    char expected[128];
    char connection[16];
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    ck_assert_int_eq(answer.status, status);
    ck_assert_msg(strncmp(answer.body, expected, strlen(expected)) == 0, "%s", answer.body);
    ck_assert_str_eq(raw_response_header(&answer, "Connection", connection, sizeof connection),
                     "close");
}

static void assert_busy(void) {
    char seconds[16];
    assert_refused(503, "TooManyRequests");
    ck_assert_str_eq(raw_response_header(&answer, "Retry-After", seconds, sizeof seconds), "1");
}

static void assert_served(const char *path) {
    char request[64];
    char expected[64];
    snprintf(request, sizeof request, GET("%s"), path);
    snprintf(expected, sizeof expected, "GET %s||", path);
    int fd = send_on_new(request);
    read_answer(fd);
    ck_assert_str_eq(answer.body, expected);
    close(fd);
}

static void open_crowd(int count) {
    for (crowd_count = 0; crowd_count < count; crowd_count++) {
        crowd[crowd_count] = connect_silently();
    }
}

/* For so long the server neither sends nor closes. */
static void assert_is_silent(int fd, int ms) {
    struct pollfd end = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, ms), 0);
}

/* The server neither closes nor sends more, and takes what is sent: its answer cannot get lost. */
static void assert_is_listened_to(int fd) {
    ck_assert(raw_http_send(fd, "more"));
    assert_is_silent(fd, LISTENS_MS);
    ck_assert(raw_http_send(fd, "and more"));
    assert_is_silent(fd, LISTENS_MS);
}

/* Slow clients */

/*
 * Sends a byte now and then for as long as the server listens to it; answers for how long that was.
 */
static int64_t trickle(int fd) {
    int64_t start_ms = now_ms();
    struct pollfd end = {.fd = fd, .events = POLLIN};
    while (poll(&end, 1, TRICKLE_MS) == 0) {
        ck_assert_int_lt(now_ms() - start_ms, SHORT_MS + SLACK_MS);
        ck_assert(raw_http_send(fd, "x"));
    }
    return now_ms() - start_ms;
}

START_TEST(a_head_that_trickles_in_is_ended_at_the_limit) {
    int fd = send_on_new("GET /x HTTP/1.1\r\nX: ");
    int64_t took_ms = trickle(fd);
    ck_assert_int_ge(took_ms, SHORT_MS - 2 * TRICKLE_MS);
    read_answer(fd);
    assert_refused(408, "RequestTimeout");
    assert_is_listened_to(fd);
    close(fd);
}
END_TEST

START_TEST(a_body_that_trickles_in_is_ended_at_the_limit) {
    static const char *const heads[] = {
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
    };
    int fd = send_on_new(heads[_i]);
    int64_t took_ms = trickle(fd);
    ck_assert_int_ge(took_ms, SHORT_MS - 2 * TRICKLE_MS);
    read_answer(fd);
    assert_refused(408, "RequestTimeout");
    close(fd);
    ck_assert_int_eq(echo_server_calls(), 0);
}
END_TEST

START_TEST(head_and_body_have_one_limit_together_and_a_kept_connection_s_body_its_own) {
    int fd = send_on_new(GET("/x"));
    read_answer(fd);
    assert_is_silent(fd, SHORT_MS + 1); /* silence between requests is no slow request */
    ck_assert(raw_http_send(fd, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"));
    int64_t took_ms = trickle(fd);
    ck_assert_int_ge(took_ms, SHORT_MS - 2 * TRICKLE_MS);
    read_answer(fd);
    assert_refused(408, "RequestTimeout");
    close(fd);
}
END_TEST

START_TEST(a_connection_that_says_nothing_stays) {
    int silent = connect_silently();
    int kept = send_on_new(GET("/x"));
    read_answer(kept);
    assert_is_silent(silent, 2 * SHORT_MS);
    for (int i = 0; i < 2; i++) {
        int fd = i == 0 ? silent : kept;
        ck_assert(raw_http_send(fd, GET("/y")));
        read_answer(fd);
        ck_assert_str_eq(answer.body, "GET /y||");
        close(fd);
    }
}
END_TEST

/*
 * Both limits of a client that has been refused, and does not close: silence, and a body that never
 * comes.
 */
START_TEST(who_has_been_refused_and_falls_silent_is_closed_in_the_end) {
    int fd = send_on_new("nonsense\r\n\r\n");
    read_answer(fd);
    assert_refused(400, "BadRequest");
    int64_t start_ms = now_ms();
    ck_assert(raw_http_is_closed(fd));
    ck_assert_int_ge(now_ms() - start_ms, LINGER_MS - SLOP_MS);
    ck_assert_int_le(now_ms() - start_ms, LINGER_MS + SLACK_MS);
    close(fd);
    fd = send_on_new("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
    read_answer(fd);
    ck_assert_int_eq(answer.status, 413);
    start_ms = now_ms();
    ck_assert(raw_http_is_closed(fd));
    ck_assert_int_ge(now_ms() - start_ms, SHORT_MS - SLOP_MS);
    ck_assert_int_le(now_ms() - start_ms, SHORT_MS + SLACK_MS);
    close(fd);
}
END_TEST

/* Its body takes far longer than the limit, but its bytes keep coming. */
START_TEST(who_has_been_refused_may_go_on_sending_and_reads_the_answer_then) {
    static const char *const heads[] = {
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n",               /* 413 */
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n", /* 413 */
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n",                /* 408 */
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",   /* 400 */
    };
    static const int statuses[] = {413, 413, 408, 400};
    char more[ECHO_MAX_BODY_BYTES + 1];
    memset(more, 'x', sizeof more);
    int fd = send_on_new(heads[_i]);
    if (statuses[_i] == 413) {
        ck_assert(raw_http_send_bytes(fd, more, sizeof more));
    }
    for (int64_t start_ms = now_ms(); now_ms() < start_ms + 3 * SHORT_MS;) {
        ck_assert(raw_http_send(fd, "x"));
        poll(NULL, 0, TRICKLE_MS);
    }
    read_answer(fd);
    ck_assert_int_eq(answer.status, statuses[_i]);
    assert_is_listened_to(fd);
    close(fd);
}
END_TEST

START_TEST(an_answer_that_nobody_takes_is_given_up_at_the_limit) {
    int64_t start_ms = now_ms();
    int fd = send_on_new(GET("/large"));
    struct pollfd begun = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&begun, 1, SLACK_MS), 1);
    ck_assert(http_server_wait_idle(server, SHORT_MS + SLACK_MS));
    ck_assert_int_ge(now_ms() - start_ms, SHORT_MS);
    ck_assert_int_le(now_ms() - start_ms, SHORT_MS + SLACK_MS);
    close(fd);
}
END_TEST

START_TEST(an_answer_that_is_taken_too_slowly_is_given_up_at_the_limit) {
    static char block[64 * 1024];
    int64_t start_ms = now_ms();
    int fd = send_on_new(GET("/large"));
    ck_assert_int_gt(recv(fd, block, sizeof block, 0), 0);
    while (!http_server_wait_idle(server, TRICKLE_MS)) {
        ck_assert_int_gt(recv(fd, block, sizeof block, 0), 0);
    }
    ck_assert_int_ge(now_ms() - start_ms, SHORT_MS);
    ck_assert_int_le(now_ms() - start_ms, SHORT_MS + SLACK_MS);
    close(fd);
}
END_TEST

START_TEST(an_answer_that_is_taken_comes_whole) {
    int fd = send_on_new(GET("/large"));
    read_answer(fd);
    ck_assert_uint_eq(answer.body_length, ECHO_LARGE_BYTES);
    close(fd);
}
END_TEST

START_TEST(a_request_in_the_handler_s_hands_has_no_limit) {
    int held = send_on_new(GET("/wait"));
    echo_server_await_held();
    int half = send_on_new("GET /x HTT");
    read_answer(half); /* the limit has passed */
    assert_refused(408, "RequestTimeout");
    close(half);
    echo_server_let_go();
    read_answer(held);
    ck_assert_str_eq(answer.body, "GET /wait||");
    char connection[16];
    ck_assert_str_eq(raw_response_header(&answer, "Connection", connection, sizeof connection),
                     "keep-alive");
    close(held);
}
END_TEST

/* More requests than are served at once */

static void hold(int *fds, int count) {
    for (int i = 0; i < count; i++) {
        fds[i] = send_on_new(GET("/wait"));
    }
    for (int i = 0; i < count; i++) {
        echo_server_await_held();
    }
}

static void let_go(const int *fds, int count) {
    for (int i = 0; i < count; i++) {
        echo_server_let_go();
    }
    for (int i = 0; i < count; i++) {
        read_answer(fds[i]);
        ck_assert_str_eq(answer.body, "GET /wait||");
        close(fds[i]);
    }
}

START_TEST(one_request_too_many_is_told_so_at_once) {
    int fds[THREAD_COUNT];
    hold(fds, THREAD_COUNT);
    for (int i = 0; i < 3 * SPARE_COUNT; i++) {
        int64_t start_ms = now_ms();
        int fd = send_on_new("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        read_answer(fd);
        assert_busy();
        ck_assert_int_lt(now_ms() - start_ms, CROWD_PATIENCE_MS);
        assert_is_listened_to(fd);
        close(fd);
    }
    ck_assert_int_eq(echo_server_calls(), THREAD_COUNT);
    let_go(fds, THREAD_COUNT);
    assert_served("/after");
}
END_TEST

START_TEST(all_threads_but_one_serve_while_one_is_free) {
    int fds[THREAD_COUNT - 1];
    hold(fds, THREAD_COUNT - 1);
    assert_served("/last");
    let_go(fds, THREAD_COUNT - 1);
}
END_TEST

/* Crowds */

START_TEST(a_silent_crowd_keeps_nobody_waiting) {
    open_crowd(CROWD);
    int64_t start_ms = now_ms();
    assert_served("/x");
    ck_assert_int_lt(now_ms() - start_ms, CROWD_PATIENCE_MS);
}
END_TEST

START_TEST(a_crowd_ends_no_request_in_hand) {
    int fds[THREAD_COUNT];
    hold(fds, THREAD_COUNT - 1);
    open_crowd(CROWD);
    assert_served("/x");
    let_go(fds, THREAD_COUNT - 1);
}
END_TEST

START_TEST(a_crowd_and_all_threads_busy_still_get_an_answer_at_once) {
    int fds[THREAD_COUNT];
    hold(fds, THREAD_COUNT);
    open_crowd(CROWD / 4);
    int64_t start_ms = now_ms();
    int fd = send_on_new(GET("/x"));
    read_answer(fd);
    assert_busy();
    ck_assert_int_lt(now_ms() - start_ms, CROWD_PATIENCE_MS);
    close(fd);
    let_go(fds, THREAD_COUNT);
}
END_TEST

/* The host's way: a connection for each request, the head in one write and the body in another. */
START_TEST(of_a_thousand_callers_at_once_everybody_gets_an_answer) {
    int held[THREAD_COUNT];
    hold(held, THREAD_COUNT / 2);
    open_crowd(CROWD);
    for (int i = 0; i < crowd_count; i++) {
        ck_assert(
            raw_http_send(crowd[i], "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n"));
    }
    for (int i = 0; i < crowd_count; i++) {
        ck_assert(raw_http_send(crowd[i], "hi"));
    }
    int served = 0;
    for (int i = 0; i < crowd_count; i++) {
        read_answer(crowd[i]);
        served += answer.status == 200;
        if (answer.status != 200) {
            assert_busy();
        }
    }
    ck_assert_int_gt(served, 0);
    let_go(held, THREAD_COUNT / 2);
}
END_TEST

START_TEST(a_thousand_silent_callers_are_kept_and_served_when_they_speak) {
    open_crowd(CROWD);
    assert_served("/x");
    for (int i = 0; i < crowd_count; i++) {
        ck_assert(raw_http_send(crowd[i], GET("/y")));
        read_answer(crowd[i]);
        ck_assert_str_eq(answer.body, "GET /y||");
    }
}
END_TEST

START_TEST(stopping_in_a_crowd_is_prompt) {
    open_crowd(CROWD);
    assert_served("/x");
    int64_t start_ms = now_ms();
    echo_server_stop(server);
    ck_assert_int_lt(now_ms() - start_ms, CROWD_PATIENCE_MS);
    server = echo_server_start(THREAD_COUNT, ECHO_REQUEST_TIMEOUT_MS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_connection");
    TCase *slow = tcase_create("slow clients");
    tcase_set_timeout(slow, 3 * RAW_HTTP_TIMEOUT_S);
    tcase_add_checked_fixture(slow, set_up_impatient, tear_down);
    tcase_add_test(slow, a_head_that_trickles_in_is_ended_at_the_limit);
    tcase_add_loop_test(slow, a_body_that_trickles_in_is_ended_at_the_limit, 0, 2);
    tcase_add_test(slow,
                   head_and_body_have_one_limit_together_and_a_kept_connection_s_body_its_own);
    tcase_add_test(slow, a_connection_that_says_nothing_stays);
    tcase_add_test(slow, who_has_been_refused_and_falls_silent_is_closed_in_the_end);
    tcase_add_loop_test(slow, who_has_been_refused_may_go_on_sending_and_reads_the_answer_then, 0,
                        4);
    tcase_add_test(slow, an_answer_that_nobody_takes_is_given_up_at_the_limit);
    tcase_add_test(slow, an_answer_that_is_taken_too_slowly_is_given_up_at_the_limit);
    tcase_add_test(slow, a_request_in_the_handler_s_hands_has_no_limit);
    suite_add_tcase(suite, slow);
    TCase *many = tcase_create("many clients");
    tcase_set_timeout(many, 3 * RAW_HTTP_TIMEOUT_S);
    tcase_add_checked_fixture(many, set_up, tear_down);
    tcase_add_test(many, an_answer_that_is_taken_comes_whole);
    tcase_add_test(many, one_request_too_many_is_told_so_at_once);
    tcase_add_test(many, all_threads_but_one_serve_while_one_is_free);
    tcase_add_test(many, a_silent_crowd_keeps_nobody_waiting);
    tcase_add_test(many, a_crowd_ends_no_request_in_hand);
    tcase_add_test(many, a_crowd_and_all_threads_busy_still_get_an_answer_at_once);
    tcase_add_test(many, of_a_thousand_callers_at_once_everybody_gets_an_answer);
    tcase_add_test(many, a_thousand_silent_callers_are_kept_and_served_when_they_speak);
    tcase_add_test(many, stopping_in_a_crowd_is_prompt);
    suite_add_tcase(suite, many);
    return check_main(suite);
}
