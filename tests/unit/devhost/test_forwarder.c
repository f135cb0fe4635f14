/*
 * forwarder: what reaches a handler in the host's three shapes, and what callers get when it does
 * not answer.
 */
#include "devhost/forwarder.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/fakes/stub_host.h"
#include "support/processes/check_main.h"

enum {
    TEXT_BYTES = 64 * 1024,
    RETRIES_MS = 1850,
    AT_ONCE_MS = 1500,
    CROWD = 600,
    BIG_BYTES = 8 * 1024 * 1024
};
enum { LONGER_THAN_ANY_RETRY_MS = 2200 };

#define GET "GET /api/things/x HTTP/1.1\r\nHost: h:1\r\n\r\n"
#define POST "POST /api/things/x HTTP/1.1\r\nHost: h:1\r\nContent-Length: 2\r\n\r\n{}"
#define EMPTY_POST "POST /api/things/x HTTP/1.1\r\nHost: h:1\r\nContent-Length: 0\r\n\r\n"

enum behaviour { ANSWER, END, CUT_OFF, SAY_NOTHING, END_AFTER_ANSWER, WAIT_FOR_CROWD };

static struct stub_host host;
static struct raw_response response;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum behaviour behaviour;
    char head[TEXT_BYTES]; /* of the last request */
    char body[TEXT_BYTES];
    size_t body_length;
    bool is_chunked;
    int waiting;
    bool has_seen_end;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void note(const struct stub_request *request) {
    snprintf(seen.head, sizeof seen.head, "%s", request->head);
    snprintf(seen.body, sizeof seen.body, "%s", request->body);
    seen.body_length = request->body_length;
    seen.is_chunked = request->is_chunked;
}

static void wait_for_crowd(void) {
    seen.waiting++;
    pthread_cond_broadcast(&seen.changed);
    while (seen.waiting % CROWD != 0) {
        pthread_cond_wait(&seen.changed, &seen.lock);
    }
}

/* Until the host ends the connection. */
static void await_end(int fd) {
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {
    }
    pthread_mutex_lock(&seen.lock);
    seen.has_seen_end = true;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static bool answer(const struct stub_request *request) {
    static const char told[] = "{\"Outputs\":{\"res\":{\"statusCode\":\"409\",\"headers\":{"
                               "\"ETag\":\"7\"},\"body\":\"no\"}},"
                               "\"Logs\":[],\"ReturnValue\":null}";
    return strncmp(request->head, "POST /Get ", 10) == 0
               ? stub_handler_answer(request, "200 OK", "Content-Type: application/json\r\n", told)
               : stub_handler_answer(request, "409 Not Now",
                                     "ETag: 7\r\nConnection: keep-alive\r\n", "no");
}

static bool serve(void *context, const struct stub_request *request) {
    static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    (void)context;
    pthread_mutex_lock(&seen.lock);
    note(request);
    enum behaviour behaviour = seen.behaviour;
    if (behaviour == WAIT_FOR_CROWD) {
        wait_for_crowd();
    }
    pthread_mutex_unlock(&seen.lock);
    if (behaviour == CUT_OFF) {
        send(request->fd, half, sizeof half - 1, MSG_NOSIGNAL);
    } else if (behaviour == SAY_NOTHING) {
        await_end(request->fd);
    } else if (behaviour != END) {
        return answer(request) && behaviour != END_AFTER_ANSWER;
    }
    return false;
}

static void start(enum host_shape shape, enum behaviour behaviour) {
    seen.behaviour = behaviour;
    seen.head[0] = '\0';
    seen.waiting = 0;
    seen.has_seen_end = false;
    stub_host_start(&host, &(struct stub_host_options){.shape = shape});
    stub_host_handle(&host, serve, NULL);
}

static void tear_down(void) {
    raw_response_cleanup(&response);
    stub_host_stop(&host);
}

static bool saw(const char *part) {
    pthread_mutex_lock(&seen.lock);
    bool found = strcasestr(seen.head, part) != NULL;
    pthread_mutex_unlock(&seen.lock);
    return found;
}

static void assert_empty_500(void) {
    ck_assert_int_eq(response.status, 500);
    ck_assert_uint_eq(response.body_length, 0);
}

/* Asks, checks that the answer is an empty 500, and returns how long it took. */
static int64_t ask_in_vain(const char *bytes) {
    int64_t start_ms = clock_now_ms(clock_system());
    stub_host_ask(&host, bytes, &response);
    assert_empty_500();
    raw_response_cleanup(&response);
    return clock_now_ms(clock_system()) - start_ms;
}

START_TEST(a_proxied_request_is_the_caller_s_own) {
    start(HOST_SHAPE_PROXY, ANSWER);
    stub_host_ask(
        &host,
        "POST /api/./x/../things/a%2Fb%20c%41?x=%41&y HTTP/1.1\r\nHost: shop.test:7071\r\nKey: "
        "k1\r\nkey: k2\r\n"
        "Cookie: a=1\r\nCookie: b=2\r\nTE: trailers\r\nX-Forwarded-For: 9.9.9.9\r\nX-Tab: a\tb\r\n"
        "Content-Type: text/x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
        &response);
    ck_assert_int_eq(response.status, 409);
    ck_assert(saw("POST /api/things/a%252Fb%20cA?x=A&y HTTP/1.1\n"));
    ck_assert(saw("\nKey: k1, k2\n") && saw("\nCookie: a=1; b=2\n") && saw("\nX-Tab: a\tb\n"));
    ck_assert(saw("\nx-ms-invocation-id: ") && saw("\ntraceparent: 00-") &&
              saw("\nContent-Type: text/x\n"));
    ck_assert(saw("\nX-Forwarded-For: 127.0.0.1\n") && !saw("9.9.9.9") &&
              saw("\nX-Forwarded-Host: shop.test:7071\n"));
    ck_assert(!saw("\nTE:") && !saw("\nConnection:") && !saw("\nHost: shop.test"));
    ck_assert(!saw("X-Azure-Functions") && !saw("User-Agent"));
    ck_assert_str_eq(seen.body, "body");
}
END_TEST

START_TEST(who_waits_for_100_continue_gets_it) {
    start(HOST_SHAPE_PROXY, ANSWER);
    int fd = raw_http_connect(front_server_port(host.server));
    ck_assert(raw_http_send(fd, "POST /api/things/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                                "Content-Length: 4\r\n\r\n"));
    raw_http_read(fd, &response, true);
    ck_assert_int_eq(response.status, 100);
    ck_assert(raw_http_send(fd, "body"));
    raw_http_read(fd, &response, false);
    ck_assert_int_eq(response.status, 409);
    ck_assert(saw("\nExpect: 100-continue\n"));
    close(fd);
}
END_TEST

START_TEST(an_answer_goes_back_as_it_is_but_for_its_connection) {
    char value[64];
    start((enum host_shape)_i, ANSWER);
    stub_host_ask(&host, POST, &response);
    ck_assert_int_eq(response.status, 409);
    ck_assert_str_eq(response.body, "no");
    ck_assert_str_eq(raw_response_header(&response, "ETag", value, sizeof value), "7");
    ck_assert_str_eq(raw_response_header(&response, "Connection", value, sizeof value), "");
}
END_TEST

START_TEST(a_caller_s_trace_is_passed_on_and_its_invocation_id_replaced) {
    start(HOST_SHAPE_PROXY, ANSWER);
    stub_host_ask(&host,
                  "GET /api/things/x HTTP/1.1\r\nHost: h\r\nx-ms-invocation-id: "
                  "mine\r\ntraceparent: 00-t\r\n\r\n",
                  &response);
    ck_assert(saw("\nx-ms-invocation-id: ") && !saw("mine") && saw("\ntraceparent: 00-t\n"));
}
END_TEST

START_TEST(a_forwarded_request_is_built_anew) {
    start(HOST_SHAPE_FORWARD, ANSWER);
    stub_host_ask(&host,
                  "POST /api/things/a%2541b%25%20c?x=%41+b&x=2&y HTTP/1.1\r\nHost: "
                  "shop.test:7071\r\nUser-Agent: mine\r\n"
                  "Content-Type: text/x\r\nContent-Encoding: gzip\r\nTE: "
                  "trailers\r\nContent-Length: 4\r\n\r\nbody",
                  &response);
    ck_assert(saw("POST /api/things/a%41b%25%20c?x=A%20b,2&y= HTTP/1.1\n"));
    ck_assert(saw("\nHost: shop.test:7071\n") && saw("\nX-Azure-Functions-InvocationId: "));
    ck_assert(saw("\nX-Azure-Functions-HostVersion: 4.") &&
              saw("\nUser-Agent: mine Azure-Functions-Host/4."));
    ck_assert(saw("\nContent-Type: text/x\n") && saw("\nTE: trailers\n") &&
              !saw("Content-Encoding"));
    raw_response_cleanup(&response);
    ck_assert_int_eq(
        stub_host_status(&host,
                         "GET /api/things/a%23b?q HTTP/1.1\r\nHost: h\r\nContent-Type: t\r\n\r\n"),
        409);
    ck_assert(saw("GET /api/things/a?q= HTTP/1.1\n") && !saw("Content-"));
    ck_assert_int_eq(stub_host_status(&host, "GET /api/things/a%3Fb HTTP/1.1\r\nHost: h\r\n\r\n"),
                     409);
    ck_assert(saw("GET /api/things/a HTTP/1.1\n"));
}
END_TEST

START_TEST(a_forwarded_body_has_one_media_type) {
    static const struct {
        const char *headers;
        int status;
    } rows[] = {{"", 409},
                {"Content-Type: application/json; charset=\"a,b\"\r\n", 409},
                {"Content-Type: a/b\r\nContent-Type: a/b\r\n", 500},
                {"Content-Type: a/b, c/d\r\n", 500},
                {"Content-Type: json\r\n", 500},
                {"Content-Type: a/b;c=d,e/f\r\n", 500}};
    start(HOST_SHAPE_FORWARD, ANSWER);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "POST /api/things/x HTTP/1.1\r\nHost: h\r\n%sContent-Length: 2\r\n\r\n{}",
                 rows[i].headers);
        ck_assert_msg(stub_host_status(&host, text) == rows[i].status, "%s", rows[i].headers);
    }
}
END_TEST

START_TEST(an_invocation_is_told_in_chunks) {
    start(HOST_SHAPE_INVOCATION, ANSWER);
    stub_host_ask(
        &host,
        "POST /api/things/x HTTP/1.1\r\nHost: h:1\r\nContent-Length: 5\r\n\r\n\xef\xbb\xbf{}",
        &response);
    ck_assert(saw("POST /Get HTTP/1.1\n") &&
              saw("\nContent-Type: application/json; charset=utf-8\n"));
    ck_assert(saw("\nX-Azure-Functions-InvocationId: ") &&
              saw("\nUser-Agent: Azure-Functions-Host/4."));
    ck_assert(seen.is_chunked);
    ck_assert_ptr_nonnull(strstr(seen.body, "\"Params\":{\"id\":\"x\"}"));
    ck_assert_ptr_nonnull(strstr(seen.body, "\"Body\":\"{}\""));
}
END_TEST

START_TEST(a_chunked_body_arrives_in_the_proxied_shape_alone) {
    static const char chunked[] = "POST /api/things/x HTTP/1.1\r\nHost: h\r\nContent-Length: "
                                  "99\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
    start((enum host_shape)_i, ANSWER);
    int status = stub_host_status(&host, chunked);
    if (_i == HOST_SHAPE_PROXY) {
        ck_assert_int_eq(status, 409);
        ck_assert_str_eq(seen.body, "abcde");
    } else if (_i == HOST_SHAPE_FORWARD) {
        ck_assert_int_eq(status, 500);
        ck_assert_int_eq(stub_handler_count(), 0);
    } else {
        ck_assert_int_eq(status, 409);
        ck_assert_ptr_null(strstr(seen.body, "\"Body\""));
    }
}
END_TEST

START_TEST(where_nothing_listens_a_proxied_request_is_tried_for_2_s_and_others_once) {
    start((enum host_shape)_i, ANSWER);
    stub_host_stop_handling(&host);
    int64_t get_ms = ask_in_vain(GET);
    int64_t post_ms = ask_in_vain(POST);
    if (_i == HOST_SHAPE_PROXY) {
        ck_assert_int_ge(get_ms, RETRIES_MS);
        ck_assert_int_ge(post_ms, RETRIES_MS);
    } else {
        ck_assert_int_lt(get_ms, AT_ONCE_MS);
        ck_assert_int_lt(post_ms, AT_ONCE_MS);
    }
}
END_TEST

START_TEST(a_handler_that_comes_back_in_time_is_reached) {
    start(HOST_SHAPE_PROXY, ANSWER);
    stub_host_stop_handling(&host);
    int fd = raw_http_connect(front_server_port(host.server));
    ck_assert(raw_http_send(fd, POST));
    stub_handler_start(host.handler_port, serve, NULL);
    host.is_handled = true;
    raw_http_read(fd, &response, false);
    ck_assert_int_eq(response.status, 409);
    close(fd);
}
END_TEST

/* shape, request, how often it is sent, whether the caller waits for the retries */
static const struct {
    enum host_shape shape;
    const char *request;
    int sends;
    bool waits;
} unanswered[] = {
    {HOST_SHAPE_PROXY, POST, 1, true},          {HOST_SHAPE_PROXY, EMPTY_POST, 10, true},
    {HOST_SHAPE_PROXY, GET, 40, true},          {HOST_SHAPE_FORWARD, POST, 1, false},
    {HOST_SHAPE_FORWARD, EMPTY_POST, 1, false}, {HOST_SHAPE_FORWARD, GET, 4, false},
    {HOST_SHAPE_INVOCATION, POST, 1, false},    {HOST_SHAPE_INVOCATION, GET, 1, false}};

START_TEST(an_unanswered_request_with_a_body_is_sent_once_and_others_more_often) {
    start(unanswered[_i].shape, END);
    int64_t took_ms = ask_in_vain(unanswered[_i].request);
    ck_assert_int_eq(stub_handler_count(), unanswered[_i].sends);
    if (unanswered[_i].waits) {
        ck_assert_int_ge(took_ms, RETRIES_MS);
    } else {
        ck_assert_int_lt(took_ms, AT_ONCE_MS);
    }
}
END_TEST

START_TEST(a_connection_whose_end_has_come_is_not_used_again) {
    start(HOST_SHAPE_PROXY, END_AFTER_ANSWER);
    for (int i = 1; i <= 20; i++) {
        ck_assert_int_eq(stub_host_status(&host, POST), 409);
        ck_assert_int_eq(stub_handler_count(), i);
        stub_handler_await_open(0);
    }
}
END_TEST

START_TEST(a_proxied_answer_that_is_cut_off_is_a_reset_and_another_an_empty_500) {
    start((enum host_shape)_i, CUT_OFF);
    if (_i != HOST_SHAPE_PROXY) {
        ask_in_vain(GET);
        return;
    }
    int fd = raw_http_connect(front_server_port(host.server));
    ck_assert(raw_http_send(fd, GET));
    char bytes[1024];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0) {
    }
    ck_assert_int_eq(got, -1);
    ck_assert_int_eq(errno, ECONNRESET);
    close(fd);
}
END_TEST

START_TEST(a_silent_handler_is_killed_after_the_function_timeout_and_started_again) {
    start((enum host_shape)_i, SAY_NOTHING);
    host.config.function_timeout_ms = 500;
    for (int i = 0; i < 4; i++) { /* uncounted: more often than after a crash */
        int pid = stub_host_pid(&host, 0);
        ck_assert_int_ge(ask_in_vain(POST), 500);
        stub_host_pid(&host, pid);
        ck_assert_int_ne(handler_process_await(host.process, RAW_HTTP_TIMEOUT_S * 1000), 0);
    }
}
END_TEST

START_TEST(a_caller_who_leaves_ends_the_call) {
    start(HOST_SHAPE_PROXY, SAY_NOTHING);
    int fd = raw_http_connect(front_server_port(host.server));
    ck_assert(raw_http_send(fd, POST));
    while (stub_handler_count() == 0) {
        usleep(1000);
    }
    close(fd);
    pthread_mutex_lock(&seen.lock);
    while (!seen.has_seen_end) {
        pthread_cond_wait(&seen.changed, &seen.lock);
    }
    pthread_mutex_unlock(&seen.lock);
}
END_TEST

START_TEST(callers_who_come_while_the_handler_restarts_are_held) {
    start((enum host_shape)_i, ANSWER);
    int pid = stub_host_pid(&host, 0);
    stub_host_stop_handling(&host);
    kill(pid, SIGKILL);
    stub_host_pid(&host, pid);
    int fd = raw_http_connect(front_server_port(host.server));
    ck_assert(raw_http_send(fd, POST));
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&answer, 1, LONGER_THAN_ANY_RETRY_MS), 0);
    stub_host_handle(&host, serve, NULL);
    raw_http_read(fd, &response, false);
    ck_assert_int_eq(response.status, 409);
    ck_assert_int_eq(stub_handler_count(), 1);
    close(fd);
}
END_TEST

START_TEST(header_bytes_beyond_ascii_are_500_and_no_utf_8_is_400) {
    start((enum host_shape)_i, ANSWER);
    ck_assert_int_eq(
        stub_host_status(&host, "GET /api/things/x HTTP/1.1\r\nHost: h\r\nA: \xff\r\n\r\n"), 400);
    ck_assert_int_eq(
        stub_host_status(&host, "GET /api/things/x HTTP/1.1\r\nHost: h\r\nA: \xc3\xa9\r\n\r\n"),
        _i == HOST_SHAPE_INVOCATION ? 409 : 500);
}
END_TEST

START_TEST(a_body_of_up_to_100_mb_arrives_and_a_larger_one_is_a_500) {
    start(HOST_SHAPE_PROXY, ANSWER);
    char *bytes = calloc(1, BIG_BYTES);
    ck_assert_ptr_nonnull(bytes);
    char head[128];
    snprintf(head, sizeof head,
             "PUT /api/things/x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", BIG_BYTES);
    int fd = raw_http_connect(front_server_port(host.server));
    ck_assert(raw_http_send(fd, head) && raw_http_send_bytes(fd, bytes, BIG_BYTES));
    raw_http_read(fd, &response, false);
    ck_assert_int_eq(response.status, 409);
    ck_assert_uint_eq(seen.body_length, BIG_BYTES);
    raw_response_cleanup(&response);
    close(fd);
    free(bytes);
    stub_host_ask(&host,
                  "PUT /api/things/x HTTP/1.1\r\nHost: h\r\nContent-Length: 104857601\r\n\r\n",
                  &response);
    assert_empty_500();
    ck_assert_int_eq(stub_handler_count(), 1);
}
END_TEST

START_TEST(hundreds_of_callers_at_once_are_all_served_and_keep_their_connections) {
    static int callers[CROWD];
    start(HOST_SHAPE_PROXY, WAIT_FOR_CROWD);
    for (int i = 0; i < CROWD; i++) {
        callers[i] = raw_http_connect(front_server_port(host.server));
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CROWD; i++) {
            ck_assert(raw_http_send(callers[i], POST));
        }
        for (int i = 0; i < CROWD; i++) {
            raw_http_read(callers[i], &response, false);
            ck_assert_int_eq(response.status, 409);
            raw_response_cleanup(&response);
        }
    }
    ck_assert_int_eq(stub_handler_count(), 2 * CROWD);
    for (int i = 0; i < CROWD; i++) {
        close(callers[i]);
    }
}
END_TEST

int main(void) {
    front_server_raise_limit();
    Suite *suite = suite_create("forwarder");
    TCase *tcase = tcase_create("forwarder");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, a_proxied_request_is_the_caller_s_own);
    tcase_add_test(tcase, who_waits_for_100_continue_gets_it);
    tcase_add_loop_test(tcase, an_answer_goes_back_as_it_is_but_for_its_connection, 0, 3);
    tcase_add_test(tcase, a_caller_s_trace_is_passed_on_and_its_invocation_id_replaced);
    tcase_add_test(tcase, a_forwarded_request_is_built_anew);
    tcase_add_test(tcase, a_forwarded_body_has_one_media_type);
    tcase_add_test(tcase, an_invocation_is_told_in_chunks);
    tcase_add_loop_test(tcase, a_chunked_body_arrives_in_the_proxied_shape_alone, 0, 3);
    tcase_add_loop_test(
        tcase, where_nothing_listens_a_proxied_request_is_tried_for_2_s_and_others_once, 0, 3);
    tcase_add_test(tcase, a_handler_that_comes_back_in_time_is_reached);
    tcase_add_loop_test(tcase, an_unanswered_request_with_a_body_is_sent_once_and_others_more_often,
                        0, sizeof unanswered / sizeof unanswered[0]);
    tcase_add_test(tcase, a_connection_whose_end_has_come_is_not_used_again);
    tcase_add_loop_test(tcase, a_proxied_answer_that_is_cut_off_is_a_reset_and_another_an_empty_500,
                        0, 3);
    tcase_add_loop_test(
        tcase, a_silent_handler_is_killed_after_the_function_timeout_and_started_again, 0, 3);
    tcase_add_test(tcase, a_caller_who_leaves_ends_the_call);
    tcase_add_loop_test(tcase, callers_who_come_while_the_handler_restarts_are_held, 0, 3);
    tcase_add_loop_test(tcase, header_bytes_beyond_ascii_are_500_and_no_utf_8_is_400, 0, 3);
    tcase_add_test(tcase, a_body_of_up_to_100_mb_arrives_and_a_larger_one_is_a_500);
    tcase_add_test(tcase, hundreds_of_callers_at_once_are_all_served_and_keep_their_connections);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
