/*
 * http_head and http_body through the server that uses them: no request is read out of what may
 * have been another's body.
 */
#include "server/http_head.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "server/http_body.h"
#include "support/calls/raw_http.h"
#include "support/fakes/echo_server.h"
#include "support/processes/check_main.h"

enum { THREAD_COUNT = 4, WORKER_COUNT = 8, ANSWER_BYTES = 64 * 1024 };
#define SMUGGLED "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
static_assert(sizeof SMUGGLED - 1 == 35, "the lengths below are those of what may be smuggled");

static struct http_server *server;

static void set_up(void) {
    server = echo_server_start(THREAD_COUNT, ECHO_REQUEST_TIMEOUT_MS);
}

static void tear_down(void) {
    echo_server_stop(server);
}

/* Sends the bytes, then nothing more, and reads until the server ends the connection. */
static char *exchange(const void *bytes, size_t length) {
    static char answers[ANSWER_BYTES];
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send_bytes(fd, bytes, length));
    shutdown(fd, SHUT_WR);
    size_t used = 0;
    for (ssize_t got; used < sizeof answers - 1 &&
                      (got = recv(fd, answers + used, sizeof answers - 1 - used, 0)) > 0;) {
        used += (size_t)got;
    }
    answers[used] = '\0';
    close(fd);
    return answers;
}

static int answer_count(const char *answers) {
    int count = 0;
    for (const char *at = answers; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++) {
        count++;
    }
    return count;
}

#define BYTES(text) \
    { text, sizeof(text) - 1 }
#define POST "POST /x HTTP/1.1\r\nHost: h\r\n"
static const struct {
    const char *bytes;
    size_t length;
} ambiguous[] = {
    BYTES(POST "Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n23\r\n" SMUGGLED
               "\r\n0\r\n\r\n"),
    BYTES(POST "Content-Length: 0\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length: 35\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length: 0, 0\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length: +0\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length: -0\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length: -1\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length: 0x23\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length:\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length : 35\r\n\r\n" SMUGGLED),
    BYTES(POST "Content-Length\t: 35\r\n\r\n" SMUGGLED),
    BYTES(POST " Content-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "X: y\r\n Content-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "X: y\r\n z\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "X: y\r\n\tz\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "\x80: y\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST ": y\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "no colon\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "X: y\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "X: y\n\n" SMUGGLED),
    BYTES(POST "X: y\rContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "X: a\0b\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "X\0: y\r\nContent-Length: 35\r\n\r\n" SMUGGLED),
    BYTES(POST "Content(Length): y\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
    BYTES("POST /x HTTP/1.1\nHost: h\nContent-Length: 35\n\n" SMUGGLED),
    BYTES("POST /x HTTP/1.1\r\n Content-Length: 35\r\n\r\n" SMUGGLED),
    BYTES("POST  /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
    BYTES("POST /x  HTTP/1.1\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
    BYTES("POST /x HTTP/1.1 \r\nContent-Length: 0\r\n\r\n" SMUGGLED),
    BYTES("POST\r\n/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
    BYTES("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES(POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES(POST "Transfer-Encoding: identity\r\n\r\n" SMUGGLED),
    BYTES(POST "Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n" SMUGGLED),
    BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES(POST
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES(POST
          "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
    BYTES("\r\n\r\n" POST "Content-Length: 0\r\n\r\n" SMUGGLED),
    BYTES("\r\n" POST "Content-Length: 0\r\n\r\n" SMUGGLED),
    BYTES(" " POST "Content-Length: 0\r\n\r\n" SMUGGLED),
};

START_TEST(what_can_be_read_in_two_ways_is_refused_with_all_that_follows) {
    const char *answers = exchange(ambiguous[_i].bytes, ambiguous[_i].length);
    ck_assert_msg(strncmp(answers, "HTTP/1.1 4", 10) == 0 && answer_count(answers) == 1,
                  "%s answered\n%s", ambiguous[_i].bytes, answers);
    ck_assert_ptr_nonnull(strstr(answers, "{\"error\":{\"code\":\"BadRequest\",\"message\":\""));
    ck_assert_int_eq(echo_server_calls(), 0);
}
END_TEST

static const char *const bad_chunks[] = {
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5;name=value\r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhelloxx0\r\n\r\n",
    "4\r\nhello\r\n0\r\n\r\n",
    "\r\n\r\n",
    "x\r\n",
    "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFE0\r\nhello\r\n0\r\n\r\n",
    "8000000000000000\r\nhello\r\n0\r\n\r\n",
    "7FFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n",
    ("00000000000000000000000000000000000000000000000000000000000000000000000000000005\r\nhello\r\n"
     "0"
     "\r\n\r\n"),
};

START_TEST(a_chunk_whose_size_is_no_plain_number_ends_the_connection) {
    char request[512];
    snprintf(request, sizeof request, POST "Transfer-Encoding: chunked\r\n\r\n%s" SMUGGLED,
             bad_chunks[_i]);
    const char *answers = exchange(request, strlen(request));
    ck_assert_msg(strncmp(answers, "HTTP/1.1 4", 10) == 0 && answer_count(answers) == 1,
                  "%s answered\n%s", request, answers);
    ck_assert_int_eq(echo_server_calls(), 0);
}
END_TEST

/* Each ends the connection although the handler saw the first request: the rest may be its body. */
static const char *const refused_bodies[] = {
    POST "Content-Length: 2000\r\n\r\n" SMUGGLED,
    POST "Content-Length: 99999999999999999999999\r\n\r\n" SMUGGLED,
    POST "Content-Length: 9223372036854775807\r\n\r\n" SMUGGLED,
    POST "Content-Length: 18446744073709551616\r\n\r\n" SMUGGLED,
    POST "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" SMUGGLED,
};

START_TEST(nothing_is_read_behind_a_request_whose_body_was_refused) {
    const char *answers = exchange(refused_bodies[_i], strlen(refused_bodies[_i]));
    ck_assert_msg(answer_count(answers) == 1, "%s answered\n%s", refused_bodies[_i], answers);
    ck_assert_int_eq(echo_server_smuggled(), 0);
}
END_TEST

START_TEST(a_body_is_read_to_its_end_whatever_it_looks_like) {
    char request[512];
    snprintf(request, sizeof request,
             POST "Content-Length: %zu\r\n\r\n%sGET /next HTTP/1.1\r\nHost: h\r\n\r\n",
             strlen(SMUGGLED), SMUGGLED);
    const char *answers = exchange(request, strlen(request));
    ck_assert_int_eq(answer_count(answers), 2);
    ck_assert_ptr_nonnull(strstr(answers, "GET /next||"));
    ck_assert_int_eq(echo_server_smuggled(), 0);
}
END_TEST

/*
 * An empty line in front of a request is refused, and nothing that came before, on this connection
 * or another, is read again.
 */
START_TEST(nothing_that_came_before_is_read_again_behind_white_space) {
    static const char both[] = "GET /first HTTP/1.1\r\nHost: h\r\nX: xyz\r\n\r\n" SMUGGLED;
    for (int i = 1; i <= WORKER_COUNT; i++) {
        exchange(both, strlen(both));
        ck_assert_int_eq(echo_server_smuggled(), i);
        const char *answers = exchange("\r\n\r\n", 4);
        ck_assert_msg(strncmp(answers, "HTTP/1.1 400 ", 13) == 0, "%s", answers);
        ck_assert_ptr_nonnull(strstr(answers, "can be read in more than one way"));
        ck_assert_int_eq(echo_server_smuggled(), i);
    }
}
END_TEST

/* What has one reading only. */
static const char *const plain[] = {
    POST "Content-Length: 2 \t\r\n\r\nhiGET /next HTTP/1.1\r\n\r\n",
    POST "Content-Length:\t2\r\n\r\nhiGET /next HTTP/1.1\r\n\r\n",
    POST "Content-Length: 002\r\n\r\nhiGET /next HTTP/1.1\r\n\r\n",
    POST "X: a\tb\r\nContent-Length: 2\r\n\r\nhiGET /next HTTP/1.1\r\n\r\n",
    POST "X:\r\nContent-Length: 2\r\n\r\nhiGET /next HTTP/1.1\r\n\r\n",
    POST "!#$%&'*+-.^_`|~09azAZ: y\r\nContent-Length: 2\r\n\r\nhiGET /next HTTP/1.1\r\n\r\n",
    POST "Transfer-Encoding: Chunked\r\n\r\n1\r\nh\r\n01\r\ni\r\n0\r\nTrailer: t\r\n\r\nGET /next "
         "HTTP/1.1\r\n\r\n",
};

START_TEST(a_plain_request_is_read_whole_and_the_next_behind_it) {
    const char *answers = exchange(plain[_i], strlen(plain[_i]));
    ck_assert_msg(answer_count(answers) == 2, "%s answered\n%s", plain[_i], answers);
    ck_assert_ptr_nonnull(strstr(answers, "POST /x||hi"));
    ck_assert_ptr_nonnull(strstr(answers, "GET /next||"));
}
END_TEST

/* However it is cut into pieces, a request reads the same. */
START_TEST(a_request_that_comes_byte_by_byte_is_read_as_in_one_piece) {
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        struct http_head_reader reader;
        http_head_reader_init(&reader);
        const char *at = plain[i];
        size_t used = 0;
        while (http_head_feed(&reader, at, 1, &used) == HTTP_HEAD_PARTIAL) {
            ck_assert_uint_eq(used, 1);
            at++;
        }
        struct http_head_reader whole;
        http_head_reader_init(&whole);
        ck_assert_int_eq(http_head_feed(&whole, plain[i], strlen(plain[i]), &used),
                         HTTP_HEAD_COMPLETE);
        ck_assert_ptr_eq(plain[i] + used, at + 1);
        ck_assert_str_eq(reader.text.data, whole.text.data);
        http_head_reader_cleanup(&reader);
        http_head_reader_cleanup(&whole);
    }
}
END_TEST

START_TEST(headers_of_one_name_are_joined) {
    static const char text[] =
        "GET / HTTP/1.1\r\nKey: k1\r\nOther: o\r\nkey:  k2\r\nKEY: k3 \r\n\r\n";
    struct http_head_reader reader;
    struct http_headers headers;
    struct http_head head;
    enum http_refusal why;
    size_t used = 0;
    http_headers_init(&headers);
    http_head_reader_init(&reader);
    ck_assert_int_eq(http_head_feed(&reader, text, strlen(text), &used), HTTP_HEAD_COMPLETE);
    ck_assert(http_head_parse(&reader, &head, &headers, &why));
    ck_assert_uint_eq(headers.count, 2);
    ck_assert_str_eq(http_headers_get(&headers, "Key"), "k1, k2, k3");
    http_headers_cleanup(&headers);
    http_head_reader_cleanup(&reader);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_head");
    TCase *tcase = tcase_create("http_head");
    tcase_set_timeout(tcase, 3 * RAW_HTTP_TIMEOUT_S);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, what_can_be_read_in_two_ways_is_refused_with_all_that_follows, 0,
                        sizeof ambiguous / sizeof *ambiguous);
    tcase_add_loop_test(tcase, a_chunk_whose_size_is_no_plain_number_ends_the_connection, 0,
                        sizeof bad_chunks / sizeof *bad_chunks);
    tcase_add_loop_test(tcase, nothing_is_read_behind_a_request_whose_body_was_refused, 0,
                        sizeof refused_bodies / sizeof *refused_bodies);
    tcase_add_test(tcase, a_body_is_read_to_its_end_whatever_it_looks_like);
    tcase_add_test(tcase, nothing_that_came_before_is_read_again_behind_white_space);
    tcase_add_loop_test(tcase, a_plain_request_is_read_whole_and_the_next_behind_it, 0,
                        sizeof plain / sizeof *plain);
    tcase_add_test(tcase, a_request_that_comes_byte_by_byte_is_read_as_in_one_piece);
    tcase_add_test(tcase, headers_of_one_name_are_joined);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
