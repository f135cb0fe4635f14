#include "support/proxies/http_stream.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/processes/check_main.h"

enum { PIECES = 3 }; /* each test sends whole texts, halves, and single bytes */

static struct http_stream stream;
static struct http_stream_message message;
static int other_side;

static void set_up(void) {
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    http_stream_init(&stream);
    http_stream_message_init(&message);
    stream.fd = pair[0];
    other_side = pair[1];
}

static void tear_down(void) {
    http_stream_message_cleanup(&message);
    http_stream_cleanup(&stream);
    close(stream.fd);
    close(other_side);
}

struct sending {
    pthread_t thread;
    const char *text;
    size_t piece_length;
};

static void *send_pieces(void *context) {
    const struct sending *sending = context;
    size_t length = strlen(sending->text);
    for (size_t sent = 0; sent < length; sent += sending->piece_length) {
        size_t left = length - sent;
        send(other_side, sending->text + sent,
             left < sending->piece_length ? left : sending->piece_length, MSG_NOSIGNAL);
    }
    shutdown(other_side, SHUT_WR);
    return NULL;
}

static void begin_sending(struct sending *sending, int pieces, const char *text) {
    size_t length = strlen(text);
    *sending = (struct sending){.text = text,
                                .piece_length = pieces == 0   ? length
                                                : pieces == 1 ? length / 2 + 1
                                                              : 1};
    ck_assert_int_eq(pthread_create(&sending->thread, NULL, send_pieces, sending), 0);
}

static void expect_request(const char *whole) {
    http_stream_message_cleanup(&message);
    http_stream_message_init(&message);
    ck_assert(http_stream_await(&stream));
    ck_assert(http_stream_read_request(&stream, &message));
    ck_assert_str_eq(message.bytes.data, whole);
}

static void expect_answer(const char *method, const char *whole) {
    http_stream_message_cleanup(&message);
    http_stream_message_init(&message);
    ck_assert(http_stream_read_answer(&stream, method, &message));
    ck_assert_str_eq(message.bytes.data, whole);
}

static void expect_end(struct sending *sending) {
    ck_assert(!http_stream_await(&stream));
    pthread_join(sending->thread, NULL);
}

#define PLAIN "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define SIZED "PUT /a HTTP/1.1\r\ncontent-length: 7\r\n\r\na\r\n\r\nbc"
#define CHUNKED                                                               \
    "PUT /a HTTP/1.1\r\nTransfer-Encoding: "                                  \
    "Chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0\r\n\r\n45678\r\n0\r\nT: t\r\nU: " \
    "u\r\n\r\n"

START_TEST(requests_are_told_apart_however_they_come) {
    struct sending sending;
    begin_sending(&sending, _i, PLAIN SIZED CHUNKED PLAIN);
    expect_request(PLAIN);
    expect_request(SIZED);
    expect_request(CHUNKED);
    expect_request(PLAIN);
    ck_assert(!message.last);
    expect_end(&sending);
}
END_TEST

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HEAD_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"
#define UNCHANGED "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
#define LAST "HTTP/1.1 200 OK\r\nconnection: Close\r\nContent-Length: 0\r\n\r\n"
#define OPEN_ENDED "HTTP/1.1 200 OK\r\nA: b\r\n\r\nuntil the end"

START_TEST(answers_are_told_apart_however_they_come) {
    struct sending sending;
    begin_sending(&sending, _i,
                  ANSWER HEAD_ANSWER
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n" CREATED NO_CONTENT
                      UNCHANGED LAST OPEN_ENDED);
    expect_answer("PUT", ANSWER);
    expect_answer("HEAD", HEAD_ANSWER);
    expect_answer("PUT", CREATED);
    expect_answer("PUT", NO_CONTENT);
    expect_answer("GET", UNCHANGED);
    ck_assert(!message.last);
    expect_answer("GET", LAST);
    ck_assert(message.last);
    expect_answer("GET", OPEN_ENDED);
    ck_assert(message.last);
    expect_end(&sending);
}
END_TEST

START_TEST(a_message_cut_short_is_none) {
    static const char *const cut[] = {
        "PUT", "PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\na",
        "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na",
        "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: t\r\n"};
    struct sending sending;
    begin_sending(&sending, 2, cut[_i]);
    ck_assert(!http_stream_read_request(&stream, &message));
    pthread_join(sending.thread, NULL);
}
END_TEST

START_TEST(a_client_that_asks_whether_it_may_go_on_is_told_so) {
    ck_assert_int_gt(send(other_side,
                          "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", 59,
                          0),
                     0);
    char got[26] = "";
    ck_assert(http_stream_read_request(&stream, &message));
    ck_assert_int_eq(recv(other_side, got, 25, MSG_WAITALL), 25);
    ck_assert_str_eq(got, "HTTP/1.1 100 Continue\r\n\r\n");
}
END_TEST

START_TEST(headers_are_found_in_any_case_and_in_the_head_alone) {
    char value[8];
    struct sending sending;
    begin_sending(&sending, 0,
                  "PUT / HTTP/1.1\r\nAB: 1\r\na:2 3\r\nlong: 0123456789\r\nContent-Length: "
                  "8\r\n\r\n\r\nC: d\r\n");
    ck_assert(http_stream_read_request(&stream, &message));
    ck_assert_str_eq(http_stream_header(&message, "A", value, sizeof value), "2 3");
    ck_assert_str_eq(http_stream_header(&message, "ab", value, sizeof value), "1");
    ck_assert_str_eq(http_stream_header(&message, "Long", value, sizeof value), "0123456");
    ck_assert_str_eq(http_stream_header(&message, "C", value, sizeof value), "");
    expect_end(&sending);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_stream");
    TCase *tests = tcase_create("messages");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, requests_are_told_apart_however_they_come, 0, PIECES);
    tcase_add_loop_test(tests, answers_are_told_apart_however_they_come, 0, PIECES);
    tcase_add_loop_test(tests, a_message_cut_short_is_none, 0, 4);
    tcase_add_test(tests, a_client_that_asks_whether_it_may_go_on_is_told_so);
    tcase_add_test(tests, headers_are_found_in_any_case_and_in_the_head_alone);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
