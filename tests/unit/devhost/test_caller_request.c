/* caller_request: which requests the host's server takes, and which it refuses with what. */
#include "devhost/caller_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/processes/check_main.h"

enum { BODY_BYTES = 4096, SENT_BYTES = 128 * 1024 };

static struct stream stream;
static struct caller_request request;
static int ends[2];

static void set_up(void) {
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    stream_init(&stream, ends[0], 10000);
}

static void tear_down(void) {
    close(ends[0]);
    close(ends[1]);
}

/* Reads one head from these bytes, after which the connection ends. */
static int read_bytes(const char *bytes, size_t length) {
    tear_down();
    set_up();
    ck_assert_int_eq(write(ends[1], bytes, length), (ssize_t)length);
    shutdown(ends[1], SHUT_WR);
    return caller_request_read(&request, &stream);
}

static int status_of(const char *bytes) {
    int status = read_bytes(bytes, strlen(bytes));
    caller_request_cleanup(&request);
    return status;
}

/* Reads the request's body. Returns its length; -1: it is cut off. */
static int read_body(char out[BODY_BYTES]) {
    int length = 0;
    ssize_t got;
    while ((got = wire_body_read(&request.body, out + length, BODY_BYTES - 1 - (size_t)length)) >
           0) {
        length += (int)got;
    }
    out[length] = '\0';
    return got < 0 ? -1 : length;
}

static void assert_body(const char *bytes, const char *expected) {
    char body[BODY_BYTES];
    ck_assert_int_eq(read_bytes(bytes, strlen(bytes)), 0);
    ck_assert_msg(read_body(body) >= 0, "cut off: %s", bytes);
    ck_assert_str_eq(body, expected);
    caller_request_cleanup(&request);
}

#define HOST "Host: localhost:7071\r\n"

static const char *const accepted[] = {
    "GET / HTTP/1.1\r\n" HOST "\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", /* empty lines before it */
    "GET / HTTP/1.1\nHost: h\n\n",            /* LF alone */
    "GET / HTTP/1.0\r\n\r\n",                 /* no Host */
    "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "GET http://localhost:7071/x?y HTTP/1.1\r\n" HOST "\r\n",
    "GET https://h?y HTTP/1.1\r\nHost: h:80\r\n\r\n",
    "GET /  HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", /* two spaces before the version */
    "GET / HTTP/1.1\r\n" HOST "X(A): b\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: +7\r\n\r\n",
    "CONNECT localhost:7071 HTTP/1.1\r\n" HOST "\r\n",
    "OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
    "BREW /pot HTTP/1.1\r\n" HOST "\r\n",
    "GET / HTTP/1.1\r\n" HOST "A: \t b\tc \t\r\nEmpty:\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "A: \xc3\xa9\r\n\r\n", /* UTF-8 */
    "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
};

START_TEST(kestrel_takes_it) {
    ck_assert_msg(status_of(accepted[_i]) == 0, "%s", accepted[_i]);
}
END_TEST

static const char *const malformed[] = {
    "GET / HTTP/1.1\r\n\r\n",                       /* no Host */
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", /* two */
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "GET /a%00b HTTP/1.1\r\n" HOST "\r\n",
    "GET /a\x01 HTTP/1.1\r\n" HOST "\r\n",
    "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n",
    "GET a HTTP/1.1\r\n" HOST "\r\n",
    "GET http://other/ HTTP/1.1\r\n" HOST "\r\n",
    "GET http:/// HTTP/1.1\r\n" HOST "\r\n",
    "CONNECT other:80 HTTP/1.1\r\n" HOST "\r\n",
    "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a,a\r\n\r\n",
    "GET /\r\n" HOST "\r\n",
    "GET  / HTTP/1.1\r\n" HOST "\r\n",
    "G(T / HTTP/1.1\r\n" HOST "\r\n",
    " / HTTP/1.1\r\n" HOST "\r\n",
    "GET / HTTP/1.1 \r\n" HOST "\r\n",
    "GET / HTTP/1.1\r\n" HOST "A: \xff\r\n\r\n", /* no UTF-8 */
    "GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "nothing\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: x\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n",
    "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
};

START_TEST(kestrel_answers_400) {
    ck_assert_msg(status_of(malformed[_i]) == 400, "%s: %d", malformed[_i],
                  status_of(malformed[_i]));
}
END_TEST

START_TEST(a_nul_in_a_head_is_a_400) {
    static const char in_value[] = "GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n";
    static const char in_target[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
    ck_assert_int_eq(read_bytes(in_value, sizeof in_value - 1), 400);
    caller_request_cleanup(&request);
    ck_assert_int_eq(read_bytes(in_target, sizeof in_target - 1), 400);
    caller_request_cleanup(&request);
}
END_TEST

START_TEST(another_version_is_a_505) {
    ck_assert_int_eq(status_of("GET / HTTP/2.0\r\n" HOST "\r\n"), 505);
    ck_assert_int_eq(status_of("GET / HTTP/1.2\r\n" HOST "\r\n"), 505);
    ck_assert_int_eq(status_of("GET / http/1.1\r\n" HOST "\r\n"), 505);
}
END_TEST

START_TEST(an_asterisk_is_for_options_alone) {
    ck_assert_int_eq(status_of("GET * HTTP/1.1\r\n" HOST "\r\n"), 405);
}
END_TEST

START_TEST(a_length_beside_chunked_is_set_aside) {
    const char *text =
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n";
    ck_assert_int_eq(read_bytes(text, strlen(text)), 0);
    ck_assert(!request.has_length && !request.keeps_alive);
    ck_assert_str_eq(http_headers_get(&request.headers, "X-Content-Length"), "9");
    ck_assert_ptr_null(http_headers_get(&request.headers, "Content-Length"));
    caller_request_cleanup(&request);
}
END_TEST

/* A request with a target of `target_bytes` and `count` headers with values of `value_bytes`. */
static int status_of_size(size_t target_bytes, int count, size_t value_bytes) {
    struct strbuf bytes;
    strbuf_init(&bytes, SENT_BYTES);
    char *text = malloc(SENT_BYTES);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', SENT_BYTES);
    strbuf_append_string(&bytes, "GET /");
    strbuf_append(&bytes, text, target_bytes - 1);
    strbuf_append_string(&bytes, " HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < count; i++) {
        strbuf_appendf(&bytes, "H%d: ", i);
        strbuf_append(&bytes, text, value_bytes);
        strbuf_append_string(&bytes, "\r\n");
    }
    strbuf_append_string(&bytes, "\r\n");
    ck_assert_int_eq(strbuf_status(&bytes), STATUS_OK);
    int status = read_bytes(bytes.data, bytes.length);
    caller_request_cleanup(&request);
    strbuf_cleanup(&bytes);
    free(text);
    return status;
}

START_TEST(a_head_has_kestrel_s_limits) {
    ck_assert_int_eq(status_of_size(8000, 1, 10), 0);
    ck_assert_int_eq(status_of_size(8200, 1, 10), 414);
    ck_assert_int_eq(status_of_size(1, 99, 10), 0);
    ck_assert_int_eq(status_of_size(1, 100, 10), 431);
    ck_assert_int_eq(status_of_size(1, 1, 32000), 0);
    ck_assert_int_eq(status_of_size(1, 1, 33000), 431);
    ck_assert_int_eq(status_of_size(1, 2, 17000), 431);
}
END_TEST

START_TEST(a_head_that_is_late_is_a_408_and_one_cut_off_has_no_answer) {
    ck_assert_int_eq(status_of("GET / HT"), -1);
    ck_assert_int_eq(status_of("GET / HTTP/1.1\r\nHost: "), -1);
    ck_assert_int_eq(status_of(""), -1);
    tear_down();
    set_up();
    stream.deadline_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(write(ends[1], "GET / HT", 8), 8);
    ck_assert_int_eq(caller_request_read(&request, &stream), 408);
    caller_request_cleanup(&request);
}
END_TEST

START_TEST(path_and_query_are_told_apart) {
    ck_assert_int_eq(status_of("GET http://localhost:7071 HTTP/1.1\r\n" HOST "\r\n"), 0);
    const char *text =
        "GET http://other.test/a/../b%20c?x=/../%41?y HTTP/1.1\r\nHost: other.test:80\r\n\r\n";
    ck_assert_int_eq(read_bytes(text, strlen(text)), 0);
    ck_assert_str_eq(request.path.data, "/b%20c");
    ck_assert_str_eq(request.query.data, "x=/../%41?y");
    caller_request_cleanup(&request);
}
END_TEST

START_TEST(bodies_end_where_their_framing_says) {
    assert_body("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabcd", "abc");
    assert_body("POST / HTTP/1.1\r\n" HOST "\r\nabc", "");
    assert_body("POST / HTTP/1.1\r\n" HOST
                "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA;e=\"v\"\r\n0123456789\r\n0;x\r\nT: "
                "t\r\n\r\n",
                "ab0123456789");
    assert_body(
        "POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\nContent-Length: 1\n\n2\nab\n0\n\n",
        "ab");
}
END_TEST

static const char *const bad_bodies[] = {
    "Content-Length: 4\r\n\r\nabc",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nx\r\n",
    "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "Transfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
    "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nab",
};

START_TEST(a_bad_body_has_no_end) {
    char text[512];
    char body[BODY_BYTES];
    snprintf(text, sizeof text, "POST / HTTP/1.1\r\n" HOST "%s", bad_bodies[_i]);
    ck_assert_int_eq(read_bytes(text, strlen(text)), 0);
    ck_assert_msg(read_body(body) < 0, "%s", bad_bodies[_i]);
    ck_assert_int_eq(read_body(body), -1); /* nor is one found later */
    caller_request_cleanup(&request);
}
END_TEST

/* version, Connection, whether it is kept */
static const struct {
    const char *version;
    const char *header;
    bool kept;
} kept[] = {{"1.1", "", true},
            {"1.1", "Connection: Close\r\n", false},
            {"1.1", "Connection: x, close\r\n", false},
            {"1.1", "Connection: closed\r\n", true},
            {"1.0", "", false},
            {"1.0", "Connection: keep-alive\r\n", true}};

START_TEST(connections_are_kept_unless_the_caller_says_otherwise) {
    char text[256];
    snprintf(text, sizeof text, "GET / HTTP/%s\r\nHost: h\r\n%s\r\n", kept[_i].version,
             kept[_i].header);
    ck_assert_int_eq(read_bytes(text, strlen(text)), 0);
    ck_assert_msg(request.keeps_alive == kept[_i].kept, "%s", text);
    caller_request_cleanup(&request);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void) {
    Suite *suite = suite_create("caller_request");
    TCase *tcase = tcase_create("caller_request");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, kestrel_takes_it, 0, COUNT(accepted));
    tcase_add_loop_test(tcase, kestrel_answers_400, 0, COUNT(malformed));
    tcase_add_test(tcase, a_nul_in_a_head_is_a_400);
    tcase_add_test(tcase, another_version_is_a_505);
    tcase_add_test(tcase, an_asterisk_is_for_options_alone);
    tcase_add_test(tcase, a_length_beside_chunked_is_set_aside);
    tcase_add_test(tcase, a_head_has_kestrel_s_limits);
    tcase_add_test(tcase, a_head_that_is_late_is_a_408_and_one_cut_off_has_no_answer);
    tcase_add_test(tcase, path_and_query_are_told_apart);
    tcase_add_test(tcase, bodies_end_where_their_framing_says);
    tcase_add_loop_test(tcase, a_bad_body_has_no_end, 0, COUNT(bad_bodies));
    tcase_add_loop_test(tcase, connections_are_kept_unless_the_caller_says_otherwise, 0,
                        COUNT(kept));
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
