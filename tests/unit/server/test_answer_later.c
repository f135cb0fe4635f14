/*
 * Answers that come later: the handler keeps its requests, and the test has them answered on the
 * loop's thread.
 */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/loop_call.h"
#include "server/http_server.h"
#include "support/calls/raw_http.h"
#include "support/processes/check_main.h"

enum {
    MAX_IN_HAND = 8,
    MAX_KEPT = 64,
    SILENCE_MS = 50,
    REQUEST_TIMEOUT_MS = 30 * 1000,
    LARGE_BYTES = 32 * 1024 * 1024, /* what no socket's buffers hold */
};

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static struct event_loop *loop;
static struct http_server *server;
static struct raw_response answer;

/* The loop's thread. */
static struct http_inbound *kept[MAX_KEPT]; /* in the order in which they came */
static int kept_count;

static sem_t arrived; /* posted when one is kept */

static void fill_in(struct http_inbound *inbound) {
    struct http_response *response = &inbound->response;
    const struct http_request *request = &inbound->request;
    if (strcmp(request->path, "/large") == 0) {
        static char block[LARGE_BYTES];
        memset(block, 'x', sizeof block);
        strbuf_append(&response->body, block, sizeof block);
    } else if (strcmp(request->path, "/wrong") == 0) {
        response->status = 700;
    } else {
        strbuf_appendf(&response->body, "%s %s|", request->method, request->path);
        strbuf_append(&response->body, request->body, request->body_length);
    }
}

static void answer_kept(int index) {
    fill_in(kept[index]);
    http_inbound_answer(kept[index]);
}

/* Answers /now at once, keeps what else comes; /flush answers all that is kept, and then itself. */
static void handle(void *context, struct http_inbound *inbound) {
    (void)context;
    bool flushes = strcmp(inbound->request.path, "/flush") == 0;
    for (int i = 0; flushes && i < kept_count; i++) {
        answer_kept(i);
    }
    if (flushes || strcmp(inbound->request.path, "/now") == 0) {
        fill_in(inbound);
        http_inbound_answer(inbound);
        return;
    }
    ck_assert_int_lt(kept_count, MAX_KEPT);
    kept[kept_count++] = inbound;
    sem_post(&arrived);
}

static void set_up(void) {
    struct http_server_options options = {.max_in_hand = MAX_IN_HAND,
                                          .max_body_bytes = 1000,
                                          .max_response_bytes = LARGE_BYTES,
                                          .request_timeout_ms = REQUEST_TIMEOUT_MS};
    kept_count = 0;
    sem_init(&arrived, 0, 0);
    ck_assert_int_eq(event_loop_new(&loop, clock_system(), NULL), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, NULL), STATUS_OK);
    ck_assert_int_eq(http_server_start(&server, loop, &options, handle, NULL, NULL), STATUS_OK);
}

static void tear_down(void) {
    http_server_stop(server);
    event_loop_stop(loop);
    event_loop_free(loop);
    raw_response_cleanup(&answer);
    sem_destroy(&arrived);
}

static int send_on_new(const char *text) {
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(fd, text));
    return fd;
}

static void await_kept(void) {
    while (sem_wait(&arrived) != 0) { /* interrupted by a signal */
    }
}

static void assert_no_other_is_kept(void) {
    int count = -1;
    sem_getvalue(&arrived, &count);
    ck_assert_int_eq(count, 0);
}

struct answering {
    struct loop_call call;
    int index;
};

static void answer_on_loop(void *context) {
    struct answering *answering = context;
    answer_kept(answering->index);
    loop_call_end(&answering->call);
}

static void answer_number(int index) {
    struct answering answering = {.index = index};
    loop_call_run(&answering.call, loop, answer_on_loop, &answering);
}

static void assert_silent(int fd) {
    struct pollfd end = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, SILENCE_MS), 0);
}

static void assert_answer(int fd, const char *body) {
    raw_http_read(fd, &answer, false);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, body);
}

static void assert_connection(const char *expected) {
    char value[32];
    ck_assert_str_eq(raw_response_header(&answer, "Connection", value, sizeof value), expected);
}

static void assert_idle(void) {
    ck_assert(http_server_wait_idle(server, RAW_HTTP_TIMEOUT_S * INT64_C(1000)));
}

/* One connection */

START_TEST(an_answer_may_come_later_and_the_connection_is_kept) {
    int fd = send_on_new("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    await_kept();
    assert_silent(fd);
    ck_assert(!http_server_wait_idle(server, 0));
    answer_number(0);
    assert_answer(fd, "POST /a|hi");
    assert_connection("keep-alive");
    assert_idle();
    ck_assert(raw_http_send(fd, GET("/b")));
    await_kept();
    answer_number(1);
    assert_answer(fd, "GET /b|");
    close(fd);
}
END_TEST

START_TEST(answers_at_once_and_later_take_turns_on_one_connection) {
    int fd = send_on_new(GET("/now"));
    for (int i = 0; i < 3; i++) {
        assert_answer(fd, "GET /now|");
        ck_assert(raw_http_send(fd, GET("/later")));
        await_kept();
        answer_number(i);
        assert_answer(fd, "GET /later|");
        ck_assert(raw_http_send(fd, GET("/now")));
    }
    assert_answer(fd, "GET /now|");
    close(fd);
}
END_TEST

START_TEST(pipelined_requests_reach_the_handler_one_by_one) {
    int fd = send_on_new(GET("/1") GET(
        "/now") "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo" GET("/3"));
    await_kept();
    assert_silent(fd);
    assert_no_other_is_kept();
    answer_number(0);
    assert_answer(fd, "GET /1|");
    assert_answer(fd, "GET /now|");
    await_kept();
    assert_silent(fd);
    assert_no_other_is_kept();
    answer_number(1);
    assert_answer(fd, "POST /2|two");
    await_kept();
    answer_number(2);
    assert_answer(fd, "GET /3|");
    close(fd);
}
END_TEST

START_TEST(a_request_that_comes_while_another_is_in_hand_waits_its_turn) {
    int fd = send_on_new(GET("/1"));
    await_kept();
    ck_assert(raw_http_send(fd, "GET /2 HTT"));
    ck_assert(raw_http_send(fd, "P/1.1\r\nHost: h\r\n\r\n"));
    assert_silent(fd);
    assert_no_other_is_kept();
    answer_number(0);
    assert_answer(fd, "GET /1|");
    await_kept();
    answer_number(1);
    assert_answer(fd, "GET /2|");
    close(fd);
}
END_TEST

START_TEST(an_answer_that_cannot_be_sent_as_it_is_becomes_an_internal_error) {
    int fd = send_on_new(GET("/wrong"));
    await_kept();
    answer_number(0);
    raw_http_read(fd, &answer, false);
    ck_assert_int_eq(answer.status, 500);
    ck_assert_ptr_nonnull(strstr(answer.body, "InternalError"));
    close(fd);
}
END_TEST

/* Several connections */

START_TEST(answers_go_to_those_who_asked_in_whatever_order_they_come) {
    int fds[MAX_IN_HAND];
    for (int i = 0; i < MAX_IN_HAND; i++) {
        char request[64];
        snprintf(request, sizeof request, GET("/%d"), i);
        fds[i] = send_on_new(request);
        await_kept();
    }
    for (int i = MAX_IN_HAND; i-- > 0;) {
        char expected[64];
        snprintf(expected, sizeof expected, "GET /%d|", i);
        answer_number(i);
        assert_answer(fds[i], expected);
        close(fds[i]);
    }
}
END_TEST

START_TEST(one_request_s_handler_may_answer_the_others) {
    int waiting[3];
    for (int i = 0; i < 3; i++) {
        waiting[i] = send_on_new(GET("/wait"));
        await_kept();
    }
    int fd = send_on_new(GET("/flush"));
    assert_answer(fd, "GET /flush|");
    close(fd);
    for (int i = 0; i < 3; i++) {
        assert_answer(waiting[i], "GET /wait|");
        close(waiting[i]);
    }
}
END_TEST

START_TEST(one_request_too_many_is_refused_until_another_is_answered) {
    int fds[MAX_IN_HAND];
    for (int i = 0; i < MAX_IN_HAND; i++) {
        fds[i] = send_on_new(GET("/wait"));
        await_kept();
    }
    int refused = send_on_new(GET("/now"));
    raw_http_read(refused, &answer, false);
    ck_assert_int_eq(answer.status, 503);
    assert_connection("close");
    close(refused);
    answer_number(3);
    assert_answer(fds[3], "GET /wait|");
    ck_assert(raw_http_send(fds[3], GET("/now")));
    assert_answer(fds[3], "GET /now|");
    for (int i = 0; i < MAX_IN_HAND; i++) {
        if (i != 3) {
            answer_number(i);
            assert_answer(fds[i], "GET /wait|");
        }
        close(fds[i]);
    }
}
END_TEST

/* Callers who do not wait */

static void reset(int fd) {
    const struct linger at_once = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(fd);
}

static void end_politely(int fd) {
    close(fd);
}

/* Another connection's answer proves that the loop has heard of the end. */
static void await_loop(void) {
    int fd = send_on_new(GET("/now"));
    assert_answer(fd, "GET /now|");
    close(fd);
}

START_TEST(the_answer_to_a_caller_who_has_gone_is_dropped) {
    static void (*const go[])(int fd) = {reset, end_politely};
    static const char *const requests[] = {GET("/gone"), GET("/large"),
                                           GET("/gone") GET("/now") GET("/gone")};
    int fd = send_on_new(requests[_i % 3]);
    await_kept();
    go[_i / 3](fd);
    await_loop();
    ck_assert(!http_server_wait_idle(server, 0)); /* what the handler has, it has */
    answer_number(0);
    await_loop();
    if (sem_trywait(&arrived) == 0) { /* the last of three, if the end was not seen before */
        answer_number(1);
    }
    assert_idle();
    await_loop();
}
END_TEST

START_TEST(a_caller_who_goes_while_the_answer_is_written_harms_nobody) {
    static char block[64 * 1024];
    int fd = send_on_new(GET("/large"));
    await_kept();
    answer_number(0);
    ck_assert_int_gt(recv(fd, block, sizeof block, 0), 0);
    ck_assert(!http_server_wait_idle(server, 0));
    reset(fd);
    assert_idle();
    await_loop();
}
END_TEST

START_TEST(a_caller_who_has_said_all_gets_every_answer_and_then_the_end) {
    int fd = send_on_new(GET("/1") GET("/2"));
    await_kept();
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    await_loop();
    answer_number(0);
    assert_answer(fd, "GET /1|");
    await_kept();
    answer_number(1);
    assert_answer(fd, "GET /2|");
    ck_assert(raw_http_is_closed(fd));
    close(fd);
}
END_TEST

/* The end */

static void *stop_server(void *unused) {
    (void)unused;
    http_server_stop(server);
    return NULL;
}

START_TEST(draining_lets_requests_in_hand_be_answered_later) {
    int fds[] = {send_on_new(GET("/1")), send_on_new(GET("/2") GET("/3"))};
    await_kept(), await_kept();
    http_server_drain(server);
    int late = send_on_new(GET("/late"));
    raw_http_read(late, &answer, false);
    ck_assert_int_eq(answer.status, 503);
    close(late);
    for (int i = 0; i < 2; i++) {
        ck_assert(!http_server_wait_idle(server, 0));
        answer_number(i);
    }
    assert_idle();
    for (int i = 0; i < 2;
         i++) { /* what was pipelined behind the second is not answered: the answer says so */
        raw_http_read(fds[i], &answer, false);
        ck_assert_int_eq(answer.status, 200);
        assert_connection("close");
        close(fds[i]);
    }
    assert_no_other_is_kept();
}
END_TEST

START_TEST(stopping_waits_for_the_answers_to_what_is_in_hand) {
    int idle = send_on_new(GET("/now"));
    assert_answer(idle, "GET /now|");
    int fd = send_on_new(GET("/1"));
    int gone = send_on_new(GET("/2"));
    await_kept(), await_kept();
    reset(gone);
    pthread_t stopper;
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_server, NULL), 0);
    ck_assert(raw_http_is_closed(idle)); /* now it waits */
    answer_number(1);
    assert_silent(fd);
    ck_assert_int_ne(pthread_tryjoin_np(stopper, NULL), 0);
    answer_number(0);
    ck_assert_int_eq(pthread_join(stopper, NULL), 0);
    server = NULL;
    raw_http_read(fd, &answer, false);
    ck_assert_int_eq(answer.status, 200);
    assert_connection("close");
    close(idle), close(fd);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("answer_later");
    TCase *tests = tcase_create("answer_later");
    tcase_set_timeout(tests, 3 * RAW_HTTP_TIMEOUT_S);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_answer_may_come_later_and_the_connection_is_kept);
    tcase_add_test(tests, answers_at_once_and_later_take_turns_on_one_connection);
    tcase_add_test(tests, pipelined_requests_reach_the_handler_one_by_one);
    tcase_add_test(tests, a_request_that_comes_while_another_is_in_hand_waits_its_turn);
    tcase_add_test(tests, an_answer_that_cannot_be_sent_as_it_is_becomes_an_internal_error);
    tcase_add_test(tests, answers_go_to_those_who_asked_in_whatever_order_they_come);
    tcase_add_test(tests, one_request_s_handler_may_answer_the_others);
    tcase_add_test(tests, one_request_too_many_is_refused_until_another_is_answered);
    tcase_add_loop_test(tests, the_answer_to_a_caller_who_has_gone_is_dropped, 0, 6);
    tcase_add_test(tests, a_caller_who_goes_while_the_answer_is_written_harms_nobody);
    tcase_add_test(tests, a_caller_who_has_said_all_gets_every_answer_and_then_the_end);
    tcase_add_test(tests, draining_lets_requests_in_hand_be_answered_later);
    tcase_add_test(tests, stopping_waits_for_the_answers_to_what_is_in_hand);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
