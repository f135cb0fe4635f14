/* Answers whose body has a rest in a file: readers that are fast, slow, many, or gone. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temp_file.h"
#include "server/http_server.h"
#include "support/calls/raw_http.h"
#include "support/fakes/clock_fake.h"
#include "support/processes/check_main.h"
#include "support/processes/descriptors.h"

enum {
    MAX_IN_HAND = 16,
    READERS = 8,
    REQUEST_TIMEOUT_MS = 30 * 1000,
    MIB = 1024 * 1024,
    REST_BYTES = 16 * MIB, /* what no socket's buffers hold */
    SHORT_BYTES = 3 * MIB + 17,
    CUT_BYTES = MIB + 5,
    STEP_BYTES = 5000,
};

#define START "It begins in memory. "
#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static struct clock_fake the_clock;
static struct event_loop *loop;
static struct http_server *server;
static struct raw_response answer;
static int other; /* a connection on which nothing long is answered */
static int descriptors_before;

/* The byte at `offset` of the rest. */
static char byte_at(size_t offset) {
    return (char)('a' + (offset / 7 + offset / MIB) % 26);
}

static struct temp_file *make_rest(size_t bytes) {
    static char block[STEP_BYTES];
    struct temp_file *rest = NULL;
    struct error err;
    ck_assert_int_eq(temp_file_new("/tmp", &rest, &err), STATUS_OK);
    while (rest->length < bytes) {
        size_t left = bytes - (size_t)rest->length;
        size_t count = left < sizeof block ? left : sizeof block;
        for (size_t i = 0; i < count; i++) {
            block[i] = byte_at((size_t)rest->length + i);
        }
        ck_assert_int_eq(temp_file_append(rest, block, count, &err), STATUS_OK);
    }
    return rest;
}

static void handle(void *context, struct http_inbound *inbound) {
    (void)context;
    struct http_response *response = &inbound->response;
    const char *path = inbound->request.path;
    if (strcmp(path, "/now") != 0) {
        strbuf_append_string(&response->body, START);
        response->rest = make_rest(strcmp(path, "/long") == 0 ? REST_BYTES : SHORT_BYTES);
    }
    if (strcmp(path, "/cut") == 0) {
        ck_assert_int_eq(ftruncate(response->rest->fd, CUT_BYTES), 0);
    }
    response->status = strcmp(path, "/none") == 0 ? 304 : 200;
    http_inbound_answer(inbound);
}

/* Another connection's answer proves that the loop has had a round. */
static void await_round(void) {
    ck_assert(raw_http_send(other, GET("/now")));
    raw_http_read(other, &answer, false);
    ck_assert_int_eq(answer.status, 200);
}

static void set_up(void) {
    struct http_server_options options = {.max_in_hand = MAX_IN_HAND,
                                          .max_body_bytes = 1000,
                                          .max_response_bytes = 1000,
                                          .request_timeout_ms = REQUEST_TIMEOUT_MS};
    clock_fake_init(&the_clock, 1000, INT64_C(1737297930250));
    ck_assert_int_eq(event_loop_new(&loop, &the_clock.base, NULL), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, NULL), STATUS_OK);
    ck_assert_int_eq(http_server_start(&server, loop, &options, handle, NULL, NULL), STATUS_OK);
    other = raw_http_connect(http_server_port(server));
    await_round();
    descriptors_before = descriptors_count();
}

static void tear_down(void) {
    close(other);
    http_server_stop(server);
    event_loop_stop(loop);
    event_loop_free(loop);
    raw_response_cleanup(&answer);
}

static int ask(const char *request) {
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(fd, request));
    return fd;
}

/* An assertion for each byte would take seconds. */
static void assert_rest(const char *rest, size_t bytes) {
    size_t same = 0;
    while (same < bytes && rest[same] == byte_at(same)) {
        same++;
    }
    ck_assert_uint_eq(same, bytes);
}

static void assert_whole(size_t rest_bytes) {
    char length[32], expected[32];
    size_t start = strlen(START);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(answer.body_length, start + rest_bytes);
    snprintf(expected, sizeof expected, "%zu", start + rest_bytes);
    ck_assert_str_eq(raw_response_header(&answer, "Content-Length", length, sizeof length),
                     expected);
    ck_assert_mem_eq(answer.body, START, start);
    assert_rest(answer.body + start, rest_bytes);
}

/* Reads `count` bytes, or to the end. Returns how many. */
static size_t take(int fd, size_t count) {
    static char block[64 * 1024];
    size_t taken = 0;
    while (taken < count) {
        size_t left = count - taken;
        ssize_t got = recv(fd, block, left < sizeof block ? left : sizeof block, 0);
        if (got <= 0) {
            break;
        }
        taken += (size_t)got;
    }
    return taken;
}

static void await_files_closed(void) {
    ck_assert(http_server_wait_idle(server, RAW_HTTP_TIMEOUT_S * INT64_C(1000)));
    await_round(); /* the sweep that frees what was closed */
    await_round();
    ck_assert_int_eq(descriptors_count(), descriptors_before);
}

START_TEST(an_answer_has_its_rest_and_the_connection_is_kept) {
    int fd = ask(GET("/short"));
    for (int i = 0; i < 3; i++) {
        raw_http_read(fd, &answer, false);
        assert_whole(SHORT_BYTES);
        ck_assert(raw_http_send(fd, GET("/short")));
    }
    raw_http_read(fd, &answer, false);
    ck_assert(raw_http_send(fd, GET("/now")));
    raw_http_read(fd, &answer, false);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(answer.body_length, 0);
    close(fd);
    await_files_closed();
}
END_TEST

START_TEST(an_answer_without_a_body_has_no_rest) {
    int fd = ask("HEAD /short HTTP/1.1\r\nHost: h\r\n\r\n");
    char length[32], expected[32];
    raw_http_read(fd, &answer, true);
    snprintf(expected, sizeof expected, "%zu", strlen(START) + SHORT_BYTES);
    ck_assert_str_eq(raw_response_header(&answer, "Content-Length", length, sizeof length),
                     expected);
    ck_assert(raw_http_send(fd, GET("/none")));
    raw_http_read(fd, &answer, true);
    ck_assert_int_eq(answer.status, 304);
    ck_assert(raw_http_send(fd, GET("/short")));
    raw_http_read(fd, &answer, false);
    assert_whole(SHORT_BYTES);
    close(fd);
    await_files_closed();
}
END_TEST

START_TEST(a_slow_reader_gets_all_and_holds_up_nobody) {
    static char text[sizeof START + SHORT_BYTES + 3 * STEP_BYTES];
    int fd = ask(GET("/short") GET("/now"));
    size_t length = 0;
    int reads = 0;
    const char *body = NULL;
    while (body == NULL || length < (size_t)(body - text) + strlen(START) + SHORT_BYTES) {
        ssize_t got = recv(fd, text + length, STEP_BYTES, 0);
        ck_assert_int_gt(got, 0);
        length += (size_t)got;
        body = body == NULL ? strstr(text, START) : body;
        if (reads++ % 50 == 0) {
            await_round();
        }
        ck_assert_uint_lt(length, sizeof text - STEP_BYTES);
    }
    assert_rest(body + strlen(START), SHORT_BYTES);
    close(fd);
    await_files_closed();
}
END_TEST

START_TEST(many_get_long_answers_at_once) {
    int fds[READERS];
    for (int i = 0; i < READERS; i++) {
        fds[i] = ask(i % 2 == 0 ? GET("/short") : GET("/long"));
    }
    for (int i = READERS; i-- > 0;) {
        raw_http_read(fds[i], &answer, false);
        assert_whole(i % 2 == 0 ? SHORT_BYTES : REST_BYTES);
        close(fds[i]);
    }
    await_files_closed();
}
END_TEST

static void reset(int fd) {
    const struct linger at_once = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(fd);
}

static void end_politely(int fd) {
    close(fd);
}

START_TEST(a_reader_that_goes_leaves_nothing_behind) {
    static void (*const go[])(int fd) = {reset, end_politely};
    int fd = ask(GET("/long"));
    ck_assert_uint_eq(take(fd, 2 * MIB), 2 * MIB);
    ck_assert(!http_server_wait_idle(server, 0));
    go[_i](fd);
    await_files_closed();
}
END_TEST

START_TEST(a_file_that_cannot_be_read_ends_the_connection) {
    int fd = ask(GET("/cut"));
    ck_assert_uint_lt(take(fd, SIZE_MAX), strlen(START) + SHORT_BYTES);
    close(fd);
    await_files_closed();
}
END_TEST

/* What no socket's buffers hold has been sent since, so more than a MiB of it has. */
START_TEST(a_reader_has_the_timeout_for_each_mib) {
    int fd = ask(GET("/long"));
    size_t taken = 0;
    for (int i = 0; i < 2; i++) {
        await_round();
        clock_fake_advance(&the_clock, REQUEST_TIMEOUT_MS - 1);
        await_round();
        taken += take(fd, REST_BYTES / 2);
    }
    ck_assert_uint_eq(taken, REST_BYTES);
    ck_assert_uint_gt(take(fd, strlen(START)), 0);
    close(fd);
    await_files_closed();
}
END_TEST

START_TEST(a_reader_that_takes_nothing_for_that_long_is_cut_off) {
    int fd = ask(GET("/long"));
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&readable, 1, RAW_HTTP_TIMEOUT_S * 1000), 1);
    do {
        await_round();
        clock_fake_advance(&the_clock, REQUEST_TIMEOUT_MS);
    } while (!http_server_wait_idle(server, 10));
    ck_assert_uint_lt(take(fd, SIZE_MAX), REST_BYTES);
    close(fd);
    await_files_closed();
}
END_TEST

/* ---- descriptors ---- */

enum {
    FEW_DESCRIPTORS = 2000,
    FOR_STORAGE = 600, /* as http_server.h has it */
    MANY_CLIENTS = FEW_DESCRIPTORS - FOR_STORAGE - MAX_IN_HAND / 2,
};

/* Connects often, says so on `out`, and keeps its connections until it is killed. */
static void connect_often(int in, int out) {
    int port = 0;
    ck_assert_int_eq(read(in, &port, sizeof port), sizeof port);
    for (int i = 0; i < MANY_CLIENTS; i++) {
        (void)raw_http_connect(port);
    }
    ck_assert_int_eq(write(out, &port, sizeof port), sizeof port);
    pause();
}

/* The clients are a process of their own, since they need as many descriptors as the server. */
START_TEST(connections_leave_a_file_for_each_request_in_hand) {
    const struct rlimit few = {FEW_DESCRIPTORS, FEW_DESCRIPTORS};
    int to_clients[2], from_clients[2];
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    ck_assert_int_eq(pipe(to_clients) + pipe(from_clients), 0);
    pid_t clients = fork();
    if (clients == 0) {
        connect_often(to_clients[0], from_clients[1]);
    }
    set_up();
    int port = http_server_port(server);
    ck_assert_int_eq(write(to_clients[1], &port, sizeof port), sizeof port);
    ck_assert_int_eq(read(from_clients[0], &port, sizeof port), sizeof port);
    int last = ask(GET("/now")); /* it is accepted after all of them, as they make room */
    struct pollfd answered = {.fd = last, .events = POLLIN};
    while (poll(&answered, 1, 10) == 0) {
        clock_fake_advance(&the_clock, REQUEST_TIMEOUT_MS);
    }
    raw_http_read(last, &answer, false);
    ck_assert_int_eq(answer.status, 200);
    /* `other` is no longer counted: it has been idle longest. */
    ck_assert_int_le(descriptors_count() - descriptors_before,
                     FEW_DESCRIPTORS - FOR_STORAGE - MAX_IN_HAND);
    kill(clients, SIGKILL);
    ck_assert_int_eq(waitpid(clients, NULL, 0), clients);
    close(last);
    tear_down();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("long_answers");
    TCase *tests = tcase_create("long_answers");
    tcase_set_timeout(tests, 3 * RAW_HTTP_TIMEOUT_S);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_answer_has_its_rest_and_the_connection_is_kept);
    tcase_add_test(tests, an_answer_without_a_body_has_no_rest);
    tcase_add_test(tests, a_slow_reader_gets_all_and_holds_up_nobody);
    tcase_add_test(tests, many_get_long_answers_at_once);
    tcase_add_loop_test(tests, a_reader_that_goes_leaves_nothing_behind, 0, 2);
    tcase_add_test(tests, a_file_that_cannot_be_read_ends_the_connection);
    tcase_add_test(tests, a_reader_has_the_timeout_for_each_mib);
    tcase_add_test(tests, a_reader_that_takes_nothing_for_that_long_is_cut_off);
    suite_add_tcase(suite, tests);
    TCase *descriptors = tcase_create("descriptors");
    tcase_set_timeout(descriptors, 3 * RAW_HTTP_TIMEOUT_S);
    tcase_add_test(descriptors, connections_leave_a_file_for_each_request_in_hand);
    suite_add_tcase(suite, descriptors);
    return check_main(suite);
}
