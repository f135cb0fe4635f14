/* http_server over real sockets: what reaches the handler, what goes back, and how it stops. */
#include "server/http_server.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/calls/raw_http.h"
#include "support/fakes/blocking_server.h"
#include "support/processes/check_main.h"
#include "support/processes/descriptors.h"

enum {
    MAX_BODY_BYTES = 1000,
    MAX_RESPONSE_BYTES = 2000,
    REQUEST_TIMEOUT_MS = 30 * 1000,
    THREAD_COUNT = 8,
    LISTENS_MS = 50,
    CLIENT_COUNT = 6,
    REQUESTS_PER_CLIENT = 50,
    REQUEST_COUNT = CLIENT_COUNT * REQUESTS_PER_CLIENT
};

/* 127.0.0.1 as /proc/net/tcp writes it: hexadecimal in the order of this machine's bytes. */
#define LOOPBACK "0100007F"

static struct blocking_server host;
static struct http_server *server;
static struct raw_response answer;
static sem_t entered; /* posted when a request to /wait is in its handler */
static sem_t go_on;   /* awaited by it */
static atomic_int call_count;

/* Sends back all that it was given: "METHOD PATH|QUERY|BODY". */
static void echo(void *context, const struct http_request *request,
                 struct http_response *response) {
    (void)context;
    atomic_fetch_add(&call_count, 1);
    if (strcmp(request->path, "/wait") == 0) {
        sem_post(&entered);
        sem_wait(&go_on);
    }
    if (strcmp(request->path, "/oversized") == 0) {
        for (int i = 0; i <= MAX_RESPONSE_BYTES; i++) {
            strbuf_append_char(&response->body, 'x');
        }
    }
    if (request->body_too_large) {
        response->status = 413;
        strbuf_appendf(&response->body, "%zu", request->body_length);
        return;
    }
    const char *custom = http_headers_get(request->headers, "x-custom");
    if (custom != NULL) {
        http_headers_add(&response->headers, "X-Custom", custom);
        http_headers_add(&response->headers, "Content-Length", "1");
    }
    if (strcmp(request->path, "/split") == 0) {
        http_headers_add(&response->headers, "X-Split", "one\r\nX-Injected: two");
    }
    response->status = strcmp(request->path, "/created") == 0 ? 201
                       : strcmp(request->path, "/empty") == 0 ? 204
                                                              : 200;
    strbuf_appendf(&response->body, "%s %s|%s|", request->method, request->path, request->query);
    strbuf_append(&response->body, request->body, request->body_length);
}

static struct http_server *start(int port, int thread_count) {
    struct http_server_options options = {.port = port,
                                          .max_in_hand = thread_count,
                                          .max_body_bytes = MAX_BODY_BYTES,
                                          .max_response_bytes = MAX_RESPONSE_BYTES,
                                          .request_timeout_ms = REQUEST_TIMEOUT_MS};
    struct http_server *started = NULL;
    struct error err;
    ck_assert_int_eq(blocking_server_start(&host, &started, &options, &err), STATUS_OK);
    return started;
}

static void set_up(void) {
    sem_init(&entered, 0, 0);
    sem_init(&go_on, 0, 0);
    atomic_store(&call_count, 0);
    blocking_server_open(&host, echo, NULL);
    server = start(0, THREAD_COUNT);
}

static void tear_down(void) {
    http_server_stop(server);
    blocking_server_close(&host);
    raw_response_cleanup(&answer);
    sem_destroy(&entered);
    sem_destroy(&go_on);
}

/* Sends one request on a connection of its own and reads its answer; the connection stays open. */
static int ask(const char *request) {
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(fd, request));
    raw_http_read(fd, &answer, strncmp(request, "HEAD ", 5) == 0);
    return fd;
}

static void ask_once(const char *request) {
    close(ask(request));
}

static void assert_header(const char *name, const char *expected) {
    char value[256];
    ck_assert_str_eq(raw_response_header(&answer, name, value, sizeof value), expected);
}

static void assert_error(int status, const char *code) {
    char expected[128];
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    ck_assert_int_eq(answer.status, status);
    ck_assert_msg(strncmp(answer.body, expected, strlen(expected)) == 0, "%s", answer.body);
    assert_header("Content-Type", "application/json");
}

/* The server neither closes nor sends more, and takes what is sent: its answer cannot get lost. */
static void assert_is_listened_to(int fd) {
    struct pollfd end = {.fd = fd, .events = POLLIN};
    ck_assert(raw_http_send(fd, "more"));
    ck_assert_int_eq(poll(&end, 1, LISTENS_MS), 0);
    ck_assert(raw_http_send(fd, "and more"));
    ck_assert_int_eq(poll(&end, 1, LISTENS_MS), 0);
}

/* What reaches the handler */

START_TEST(path_and_query_arrive_as_they_were_sent) {
    ask_once("GET /api/a%2Fb%00c/.././/d%zz?x=%41&y=a+b?c HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "GET /api/a%2Fb%00c/.././/d%zz|x=%41&y=a+b?c|");
}
END_TEST

START_TEST(a_path_of_an_absolute_target_arrives_without_its_host) {
    char request[128];
    snprintf(request, sizeof request, "GET http://localhost:%d/a?b HTTP/1.1\r\nHost: h\r\n\r\n",
             http_server_port(server));
    ask_once(request);
    ck_assert_str_eq(answer.body, "GET /a|b|");
}
END_TEST

START_TEST(every_method_reaches_the_handler) {
    static const char *const methods[] = {"GET",     "POST",     "PUT",  "PATCH", "DELETE",
                                          "OPTIONS", "PROPFIND", "LOCK", "FOO",   "get"};
    char request[128];
    char expected[64];
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        snprintf(
            request, sizeof request,
            "%s /x HTTP/1.1\r\nHost: h\r\nOrigin: o\r\nAccess-Control-Request-Method: GET\r\n\r\n",
            methods[i]);
        snprintf(expected, sizeof expected, "%s /x||", methods[i]);
        ask_once(request);
        ck_assert_str_eq(answer.body, expected);
    }
}
END_TEST

START_TEST(a_websocket_handshake_is_a_request_like_any_other) {
    ask_once("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
             "websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
    ck_assert_str_eq(answer.body, "GET /ws||");
}
END_TEST

START_TEST(a_body_may_hold_nuls) {
    static const char request[] = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\na\0b\0c";
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send_bytes(fd, request, sizeof request - 1));
    raw_http_read(fd, &answer, false);
    ck_assert_uint_eq(answer.body_length, strlen("POST /b||") + 5);
    ck_assert_mem_eq(answer.body, "POST /b||a\0b\0c", answer.body_length);
    close(fd);
}
END_TEST

START_TEST(a_body_may_come_in_chunks_and_pieces) {
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(
        fd, "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"));
    ck_assert(raw_http_send(fd, "llo\r\nA\r\n, chunks! \r\n0\r\n\r\n"));
    raw_http_read(fd, &answer, false);
    ck_assert_str_eq(answer.body, "POST /b||hello, chunks! ");
    ck_assert(raw_http_send(fd, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"));
    raw_http_read(fd, &answer, false);
    ck_assert_str_eq(answer.body, "GET /next||");
    close(fd);
}
END_TEST

START_TEST(a_body_that_waits_to_be_invited_is_invited) {
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(
        fd, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    raw_http_read(fd, &answer, true);
    ck_assert_int_eq(answer.status, 100);
    ck_assert(raw_http_send(fd, "hi"));
    raw_http_read(fd, &answer, false);
    ck_assert_str_eq(answer.body, "POST /b||hi");
    close(fd);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order_on_one_connection) {
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(
        fd,
        "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
        "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
        "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n"
        "GET /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    static const char *const expected[] = {"POST /1||one", "GET /2||", "POST /3||three",
                                           "GET /4||"};
    for (size_t i = 0; i < 4; i++) {
        raw_http_read(fd, &answer, false);
        ck_assert_str_eq(answer.body, expected[i]);
        assert_header("Connection", i < 3 ? "keep-alive" : "close");
    }
    ck_assert(raw_http_is_closed(fd));
    close(fd);
}
END_TEST

/* The body limit */

static void post_body(size_t length, bool chunked) {
    char request[MAX_BODY_BYTES + 512];
    int used =
        chunked
            ? snprintf(request, sizeof request,
                       "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
                       length)
            : snprintf(request, sizeof request,
                       "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", length);
    memset(request + used, 'x', length);
    snprintf(request + used + length, sizeof request - (size_t)used - length, "%s",
             chunked ? "\r\n0\r\n\r\n" : "");
    ask_once(request);
}

START_TEST(a_body_at_the_limit_arrives_whole) {
    for (int chunked = 0; chunked <= 1; chunked++) {
        post_body(MAX_BODY_BYTES, chunked);
        ck_assert_int_eq(answer.status, 200);
        ck_assert_uint_eq(answer.body_length, strlen("POST /b||") + MAX_BODY_BYTES);
        assert_header("Connection", "keep-alive");
    }
}
END_TEST

START_TEST(a_body_one_byte_over_the_limit_is_told_to_the_handler_and_ends_the_connection) {
    for (int chunked = 0; chunked <= 1; chunked++) {
        post_body(MAX_BODY_BYTES + 1, chunked);
        ck_assert_int_eq(answer.status, 413);
        ck_assert_str_eq(answer.body, "0");
        assert_header("Connection", "close");
    }
}
END_TEST

START_TEST(who_sends_far_too_much_can_finish_and_read_the_answer) {
    static char block[100 * 1024];
    memset(block, 'x', sizeof block);
    int fd = ask("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 921600\r\n\r\n");
    for (int i = 0; i < 9; i++) {
        ck_assert_msg(raw_http_send_bytes(fd, block, sizeof block),
                      "the connection was reset at block %d", i);
    }
    ck_assert_int_eq(answer.status, 413);
    assert_is_listened_to(fd);
    close(fd);
}
END_TEST

START_TEST(an_uninvited_body_over_the_limit_is_not_invited) {
    int fd =
        ask("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n");
    ck_assert_int_eq(answer.status, 413);
    close(fd);
}
END_TEST

/* Requests that cannot be read */

START_TEST(what_is_no_request_is_answered_in_the_api_s_shape) {
    ask_once("GET /x HTTP/3.0\r\nHost: h\r\n\r\n");
    assert_error(505, "HttpVersionNotSupported");
    int fd = ask("nonsense\r\n\r\n");
    assert_error(400, "BadRequest");
    assert_header("Connection", "close");
    assert_is_listened_to(fd);
    close(fd);
    ck_assert_int_eq(atomic_load(&call_count), 0);
}
END_TEST

/* A request of `count` headers, or with one of `length` bytes. */
static void ask_with_headers(const char *start, size_t count, size_t length, const char *rest) {
    struct strbuf request;
    strbuf_init(&request, 1 << 20);
    strbuf_append_string(&request, start);
    for (size_t i = 0; i < count; i++) {
        strbuf_append_string(&request, "X-Many: ");
        for (size_t j = 0; j < length; j++) {
            strbuf_append_char(&request, 'x');
        }
        strbuf_append_string(&request, "\r\n");
    }
    strbuf_append_string(&request, rest);
    ck_assert_int_eq(strbuf_status(&request), STATUS_OK);
    ask_once(request.data);
    strbuf_cleanup(&request);
}

START_TEST(headers_over_64_kib_are_refused) {
    static const char start[] = "GET /x HTTP/1.1\r\nHost: h\r\n";
    size_t rest = HTTP_SERVER_MAX_HEAD_BYTES - strlen(start) - strlen("X-Many: ");
    ask_with_headers(start, 1, rest, "\r\n");
    ck_assert_int_eq(answer.status, 200);
    ask_with_headers(start, 1, rest + 1, "\r\n");
    assert_error(431, "RequestHeadersTooLarge");
    ask_with_headers(start, 1, 2 * rest + 1000, "\r\n");
    assert_error(431, "RequestHeadersTooLarge");
}
END_TEST

START_TEST(a_url_over_8_kib_is_refused) {
    char request[HTTP_SERVER_MAX_URL_BYTES + 64];
    for (int over = 0; over <= 1; over++) {
        for (size_t path_bytes = 2; path_bytes <= HTTP_SERVER_MAX_URL_BYTES;
             path_bytes *= 4096) { /* a long query, then a long path */
            char url[HTTP_SERVER_MAX_URL_BYTES + 2] = "";
            memset(url, 'a', HTTP_SERVER_MAX_URL_BYTES + (size_t)over);
            url[0] = '/';
            url[path_bytes - 1] = '?';
            snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", url);
            ask_once(request);
            if (over == 0) {
                ck_assert_int_ne(answer.status, 414);
            } else {
                assert_error(414, "UriTooLong");
            }
        }
    }
    ck_assert_int_eq(atomic_load(&call_count), 2);
}
END_TEST

START_TEST(two_hundred_headers_pass_and_one_more_does_not) {
    ask_with_headers("POST /x HTTP/1.1\r\n", HTTP_SERVER_MAX_HEADERS - 1, 1,
                     "Content-Length: 2\r\n\r\nhi");
    ck_assert_str_eq(answer.body, "POST /x||hi");
    ask_with_headers("POST /x HTTP/1.1\r\n", HTTP_SERVER_MAX_HEADERS, 1,
                     "Content-Length: 27\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
    assert_error(431, "RequestHeadersTooLarge");
    assert_header("Connection", "close");
    ck_assert_int_eq(atomic_load(&call_count), 1);
}
END_TEST

/* A caller may send 100; the host adds seven, and Azure's front ends some twenty. */
START_TEST(a_caller_s_hundred_headers_pass_with_those_of_all_on_the_way) {
    ask_with_headers("POST /x HTTP/1.1\r\n", 130, 1, "Content-Length: 2\r\n\r\nhi");
    ck_assert_str_eq(answer.body, "POST /x||hi");
}
END_TEST

START_TEST(a_body_whose_end_is_ambiguous_is_refused) {
    static const char *const framings[] = {
        "Content-Length: 3x\r\n\r\nabc",
        "Content-Length: +3\r\n\r\nabc",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    };
    char request[256];
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        snprintf(request, sizeof request, "POST /x HTTP/1.1\r\nHost: h\r\n%s", framings[i]);
        int fd = ask(request);
        assert_error(400, "BadRequest");
        assert_is_listened_to(fd);
        close(fd);
    }
    ck_assert_int_eq(atomic_load(&call_count), 0);
}
END_TEST

START_TEST(a_body_cut_short_never_reaches_the_handler) {
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(fd, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
    shutdown(fd, SHUT_WR);
    raw_http_read(fd, &answer, false);
    assert_error(400, "BadRequest");
    close(fd);
    ck_assert_int_eq(atomic_load(&call_count), 0);
}
END_TEST

/* What goes back */

START_TEST(an_answer_has_reason_length_date_and_the_handler_s_headers) {
    ask_once("GET /created HTTP/1.1\r\nHost: h\r\nX-Custom: v\xc3\xa4lue\r\n\r\n");
    ck_assert_msg(strncmp(answer.head, "HTTP/1.1 201 Created\r\n", 22) == 0, "%s", answer.head);
    ck_assert_str_eq(answer.body, "GET /created||");
    assert_header("X-Custom", "v\xc3\xa4lue");
    assert_header("Content-Length", "14");
    char date[64];
    ck_assert_uint_eq(strlen(raw_response_header(&answer, "Date", date, sizeof date)), 29);
}
END_TEST

START_TEST(a_header_that_would_start_another_becomes_an_internal_error) {
    ask_once("GET /split HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_error(500, "InternalError");
    assert_header("X-Injected", "");
}
END_TEST

START_TEST(an_answer_to_head_has_the_length_but_no_body) {
    int fd = ask("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_header("Content-Length", "9");
    ck_assert(raw_http_send(fd, "GET /y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    raw_http_read(fd, &answer, false);
    ck_assert_str_eq(answer.body, "GET /y||");
    close(fd);
}
END_TEST

START_TEST(an_answer_without_content_has_no_length) {
    int fd = ask("GET /empty HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_int_eq(answer.status, 204);
    assert_header("Content-Length", "");
    ck_assert(raw_http_send(fd, "GET /y HTTP/1.1\r\nHost: h\r\n\r\n"));
    raw_http_read(fd, &answer, false);
    ck_assert_str_eq(answer.body, "GET /y||");
    close(fd);
}
END_TEST

START_TEST(an_answer_over_its_limit_becomes_an_internal_error) {
    ask_once("GET /oversized HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_error(500, "InternalError");
}
END_TEST

START_TEST(http_1_0_connections_close_unless_asked_to_stay) {
    int fd = ask("GET /x HTTP/1.0\r\n\r\n");
    assert_header("Connection", "close");
    ck_assert(raw_http_is_closed(fd));
    close(fd);
    fd = ask("GET /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_header("Connection", "keep-alive");
    close(fd);
}
END_TEST

/* Many at once */

START_TEST(idle_connections_cost_no_worker_and_are_kept) {
    int fds[4 * THREAD_COUNT];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
            fds[i] = round == 0 ? raw_http_connect(http_server_port(server)) : fds[i];
            ck_assert(raw_http_send(fds[i], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"));
            raw_http_read(fds[i], &answer, false);
            assert_header("Connection", "keep-alive");
        }
    }
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        close(fds[i]);
    }
}
END_TEST

struct client {
    pthread_t thread;
    pthread_barrier_t *start;
    int number;
};

static void *run_client(void *context) {
    const struct client *client = context;
    struct raw_response response = {0};
    int fd = raw_http_connect(http_server_port(server));
    pthread_barrier_wait(client->start);
    for (int i = 0; i < REQUESTS_PER_CLIENT; i++) {
        char request[128];
        char expected[64];
        char body[16];
        snprintf(body, sizeof body, "%d", client->number * REQUESTS_PER_CLIENT + i);
        snprintf(request, sizeof request,
                 "POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", client->number,
                 strlen(body), body);
        snprintf(expected, sizeof expected, "POST /%d||%s", client->number, body);
        ck_assert(raw_http_send(fd, request));
        raw_http_read(fd, &response, false);
        ck_assert_str_eq(response.body, expected);
    }
    raw_response_cleanup(&response);
    close(fd);
    return NULL;
}

START_TEST(parallel_clients_each_get_their_own_answers) {
    struct client clients[CLIENT_COUNT];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, CLIENT_COUNT);
    for (int i = 0; i < CLIENT_COUNT; i++) {
        clients[i] = (struct client){.start = &barrier, .number = i};
        ck_assert_int_eq(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENT_COUNT; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    pthread_barrier_destroy(&barrier);
    ck_assert_int_eq(atomic_load(&call_count), REQUEST_COUNT);
}
END_TEST

/* Starting and stopping */

START_TEST(a_port_in_use_is_a_clear_error) {
    struct http_server_options options = {.port = http_server_port(server),
                                          .max_in_hand = 1,
                                          .max_body_bytes = 1,
                                          .max_response_bytes = 1,
                                          .request_timeout_ms = 1};
    struct http_server *second = NULL;
    struct error err;
    ck_assert_int_eq(blocking_server_start(&host, &second, &options, &err), STATUS_UNAVAILABLE);
    ck_assert_ptr_null(second);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%d", options.port);
    ck_assert_msg(strstr(err.message, address) != NULL &&
                      strstr(err.message, "Address already in use") != NULL,
                  "%s", err.message);
}
END_TEST

START_TEST(a_port_can_be_listened_on_again_after_a_stop) {
    int port = http_server_port(server);
    int fd = ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    http_server_stop(server);
    server = start(port, THREAD_COUNT);
    close(fd);
    ask_once("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_int_eq(answer.status, 200);
}
END_TEST

START_TEST(only_the_loopback_address_listens) {
    ck_assert_int_eq(raw_http_try_connect("127.0.0.2", http_server_port(server)), -1);
    FILE *sockets = fopen("/proc/net/tcp", "r");
    ck_assert_ptr_nonnull(sockets);
    char line[512];
    int found = 0;
    while (fgets(line, sizeof line, sockets) != NULL) {
        char listening[64];
        snprintf(listening, sizeof listening, ":%04X 00000000:0000 0A",
                 (unsigned)http_server_port(server));
        const char *entry = strstr(line, listening);
        if (entry != NULL) {
            ck_assert_mem_eq(entry - strlen(LOOPBACK), LOOPBACK, strlen(LOOPBACK));
            found++;
        }
    }
    fclose(sockets);
    ck_assert_int_eq(found, 1);
}
END_TEST

START_TEST(a_draining_server_answers_503_without_the_handler) {
    int kept = ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    http_server_drain(server);
    ck_assert(raw_http_send(kept, "POST /y HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"));
    raw_http_read(kept, &answer, false);
    assert_error(503, "Stopping");
    assert_header("Retry-After", "1");
    assert_header("Connection", "close");
    assert_is_listened_to(kept);
    close(kept);
    ck_assert_int_eq(atomic_load(&call_count), 1);
}
END_TEST

START_TEST(wait_idle_waits_for_the_request_in_hand_and_its_answer) {
    ck_assert(http_server_wait_idle(server, 0));
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(fd, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"));
    sem_wait(&entered);
    http_server_drain(server);
    ck_assert(!http_server_wait_idle(server, 20));
    sem_post(&go_on);
    ck_assert(http_server_wait_idle(server, RAW_HTTP_TIMEOUT_S * INT64_C(1000)));
    http_server_stop(server);
    server = NULL;
    raw_http_read(fd, &answer, false);
    ck_assert_str_eq(answer.body, "GET /wait||");
    assert_header("Connection", "close");
    close(fd);
}
END_TEST

START_TEST(stopping_does_not_wait_for_idle_connections) {
    int kept = ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    int silent = raw_http_connect(http_server_port(server));
    int halfway = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(halfway, "GET /x HTT"));
    int64_t before_ms = clock_now_ms(clock_system());
    http_server_stop(server);
    server = NULL;
    ck_assert_int_lt(clock_now_ms(clock_system()) - before_ms, 1000);
    ck_assert(raw_http_is_closed(kept));
    close(kept);
    close(silent);
    close(halfway);
}
END_TEST

START_TEST(stopping_leaves_the_sockets_of_others_alone) {
    struct http_server *other = start(0, 2);
    int fd = raw_http_connect(http_server_port(other));
    http_server_stop(server);
    server = NULL;
    ck_assert(raw_http_send(fd, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"));
    raw_http_read(fd, &answer, false);
    ck_assert_str_eq(answer.body, "GET /x||");
    close(fd);
    http_server_stop(other);
}
END_TEST

/* The listener, what the server waits with, and a connection at each of its phases. */
START_TEST(no_descriptor_of_the_server_is_inherited) {
    struct descriptors before;
    descriptors_list(&before);
    struct http_server *other = start(0, 2);
    int fds[2] = {raw_http_connect(http_server_port(other)),
                  raw_http_connect(http_server_port(other))};
    for (int i = 0; i < 2; i++) {
        ck_assert(raw_http_send(fds[i],
                                i == 0 ? "GET /x HTTP/1.1\r\n\r\n" : "GET /wait HTTP/1.1\r\n\r\n"));
    }
    raw_http_read(fds[0], &answer, false);
    sem_wait(&entered);
    ck_assert_int_eq(descriptors_inherited_since(&before, NULL), 0);
    sem_post(&go_on);
    raw_http_read(fds[1], &answer, false);
    close(fds[0]), close(fds[1]);
    http_server_stop(other);
}
END_TEST

START_TEST(children_can_still_be_waited_for) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(7);
    }
    int how = 0;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(WEXITSTATUS(how), 7);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_server");
    TCase *tcase = tcase_create("http_server");
    tcase_set_timeout(tcase, 3 * RAW_HTTP_TIMEOUT_S);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, path_and_query_arrive_as_they_were_sent);
    tcase_add_test(tcase, a_path_of_an_absolute_target_arrives_without_its_host);
    tcase_add_test(tcase, every_method_reaches_the_handler);
    tcase_add_test(tcase, a_websocket_handshake_is_a_request_like_any_other);
    tcase_add_test(tcase, a_body_may_hold_nuls);
    tcase_add_test(tcase, a_body_may_come_in_chunks_and_pieces);
    tcase_add_test(tcase, a_body_that_waits_to_be_invited_is_invited);
    tcase_add_test(tcase, pipelined_requests_are_answered_in_order_on_one_connection);
    tcase_add_test(tcase, a_body_at_the_limit_arrives_whole);
    tcase_add_test(tcase,
                   a_body_one_byte_over_the_limit_is_told_to_the_handler_and_ends_the_connection);
    tcase_add_test(tcase, who_sends_far_too_much_can_finish_and_read_the_answer);
    tcase_add_test(tcase, an_uninvited_body_over_the_limit_is_not_invited);
    tcase_add_test(tcase, what_is_no_request_is_answered_in_the_api_s_shape);
    tcase_add_test(tcase, headers_over_64_kib_are_refused);
    tcase_add_test(tcase, a_url_over_8_kib_is_refused);
    tcase_add_test(tcase, a_caller_s_hundred_headers_pass_with_those_of_all_on_the_way);
    tcase_add_test(tcase, two_hundred_headers_pass_and_one_more_does_not);
    tcase_add_test(tcase, a_body_whose_end_is_ambiguous_is_refused);
    tcase_add_test(tcase, a_body_cut_short_never_reaches_the_handler);
    tcase_add_test(tcase, an_answer_has_reason_length_date_and_the_handler_s_headers);
    tcase_add_test(tcase, a_header_that_would_start_another_becomes_an_internal_error);
    tcase_add_test(tcase, an_answer_to_head_has_the_length_but_no_body);
    tcase_add_test(tcase, an_answer_without_content_has_no_length);
    tcase_add_test(tcase, an_answer_over_its_limit_becomes_an_internal_error);
    tcase_add_test(tcase, http_1_0_connections_close_unless_asked_to_stay);
    tcase_add_test(tcase, idle_connections_cost_no_worker_and_are_kept);
    tcase_add_test(tcase, parallel_clients_each_get_their_own_answers);
    tcase_add_test(tcase, a_port_in_use_is_a_clear_error);
    tcase_add_test(tcase, a_port_can_be_listened_on_again_after_a_stop);
    tcase_add_test(tcase, only_the_loopback_address_listens);
    tcase_add_test(tcase, a_draining_server_answers_503_without_the_handler);
    tcase_add_test(tcase, wait_idle_waits_for_the_request_in_hand_and_its_answer);
    tcase_add_test(tcase, stopping_does_not_wait_for_idle_connections);
    tcase_add_test(tcase, stopping_leaves_the_sockets_of_others_alone);
    tcase_add_test(tcase, no_descriptor_of_the_server_is_inherited);
    tcase_add_test(tcase, children_can_still_be_waited_for);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
