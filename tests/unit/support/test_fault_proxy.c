/*
 * test_fault_proxy.c - each fault, seen from both sides: what the server was asked and what the
 * client got.
 */
#include "support/proxies/fault_proxy.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/calls/raw_http.h"
#include "support/fakes/http_fake.h"
#include "support/processes/check_main.h"

#define GET "GET /acme/a?comp=lease HTTP/1.1\r\nHost: x\r\n\r\n"
#define RENEW                                                                  \
    "PUT /acme/leases/a?comp=lease HTTP/1.1\r\nHost: x\r\nX-Ms-Lease-Action: " \
    "renew\r\nContent-Length: 0\r\n\r\n"
#define ACQUIRE                                                                \
    "PUT /acme/leases/b?comp=lease HTTP/1.1\r\nHost: x\r\nx-ms-lease-action: " \
    "acquire\r\nContent-Length: 0\r\n\r\n"

enum { DELAY_MS = 150, CLIENTS = 8, ROUNDS = 40 };

static struct http_fake *server;
static struct fault_proxy *proxy;
static struct raw_response answer;
static int client;

static int64_t now_ms(void) {
    return clock_now_ms(clock_system());
}

static void set_up(void) {
    server = http_fake_new();
    proxy = fault_proxy_new((int)strtol(strrchr(http_fake_url(server), ':') + 1, NULL, 10), 7);
    client = raw_http_connect(fault_proxy_port(proxy));
    memset(&answer, 0, sizeof answer);
}

static void tear_down(void) {
    raw_response_cleanup(&answer);
    close(client);
    fault_proxy_free(proxy);
    http_fake_free(server);
}

static void push(const char *body) {
    http_fake_push(
        server, &(struct http_fake_answer){
                    .is_foreign = true, .status = 201, .headers = "x-ms-a: b\r\n", .body = body});
}

static void ask(const char *request) {
    ck_assert(raw_http_send(client, request));
}

static void ask_and_expect(const char *request, int status, const char *body) {
    ask(request);
    raw_http_read(client, &answer, false);
    ck_assert_int_eq(answer.status, status);
    ck_assert_str_eq(answer.body, body);
}

static void expect_status(const char *request, int status) {
    ask(request);
    raw_http_read(client, &answer, false);
    ck_assert_int_eq(answer.status, status);
}

static int add(enum fault_kind kind, int times) {
    return fault_proxy_add(
        proxy, &(struct fault_rule){.kind = kind, .times = times, .delay_ms = DELAY_MS});
}

/* A rule that is used up is as none. */
static void expect_good_again(void) {
    push("again");
    ask_and_expect(GET, 201, "again");
}

static void reconnect(void) {
    close(client);
    client = raw_http_connect(fault_proxy_port(proxy));
}

static void expect_seen(size_t count) {
    ck_assert_uint_eq(http_fake_count(server), count);
}

static bool is_reset(void) {
    char byte;
    return recv(client, &byte, 1, 0) < 0 && errno == ECONNRESET;
}

static bool is_silent(void) {
    char byte;
    return recv(client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* --- without a fault --- */

START_TEST(a_request_and_its_answer_pass_unchanged) {
    push("done");
    ask_and_expect("PUT /acme/a%20b?x=%2f HTTP/1.1\r\nHost: here\r\nAuthorization: SharedKey "
                   "a:b\r\nX-Odd:  two \r\n"
                   "Content-Length: 5\r\n\r\nhello",
                   201, "done");
    ck_assert_str_eq(answer.head,
                     "HTTP/1.1 201 Scripted\r\nx-ms-a: b\r\nContent-Length: 4\r\n\r\n");
    const struct http_fake_request *got = http_fake_request(server, 0);
    ck_assert_str_eq(got->method, "PUT");
    ck_assert_str_eq(got->target, "/acme/a%20b?x=%2f");
    ck_assert_str_eq(got->body, "hello");
    ck_assert_str_eq(http_headers_get(&got->headers, "Authorization"), "SharedKey a:b");
    ck_assert_str_eq(http_headers_get(&got->headers, "Host"), "here");
    ck_assert_uint_eq(got->headers.count, 4);
}
END_TEST

START_TEST(requests_of_one_client_share_a_connection_on_both_sides) {
    for (int i = 0; i < 5; i++) {
        push("x");
        ask_and_expect(GET, 201, "x");
        ck_assert_int_eq(http_fake_request(server, (size_t)i)->connection, 1);
    }
    reconnect();
    push("x");
    ask_and_expect(GET, 201, "x");
    ck_assert_int_eq(http_fake_request(server, 5)->connection, 2);
}
END_TEST

START_TEST(an_answer_that_ends_with_its_connection_ends_the_clients_too) {
    static const char raw[] = "HTTP/1.1 200 OK\r\nServer: old\r\n\r\nall of it, ";
    http_fake_push(server, &(struct http_fake_answer){.interim = raw, .close_after = true});
    ask(GET);
    char got[256] = "";
    size_t length = 0;
    ssize_t more;
    while ((more = recv(client, got + length, sizeof got - 1 - length, 0)) > 0) {
        length += (size_t)more;
    }
    ck_assert_int_eq(more, 0);
    ck_assert_ptr_nonnull(strstr(got, "Server: old\r\n\r\nall of it, "));
}
END_TEST

START_TEST(a_server_that_does_not_answer_in_full_is_passed_on_as_that) {
    http_fake_push(server, &(struct http_fake_answer){.behaviour = (enum http_fake_behaviour)_i,
                                                      .body = "never all of it"});
    ask(GET);
    ck_assert(raw_http_is_closed(client));
}
END_TEST

START_TEST(a_server_that_closes_between_requests_is_not_noticed) {
    http_fake_push(server, &(struct http_fake_answer){.body = "one", .close_after = true});
    ask_and_expect(GET, 200, "one");
    expect_good_again();
    ck_assert_int_eq(http_fake_request(server, 1)->connection, 2);
}
END_TEST

/* The connection ends when the proxy has sent on it already. */
START_TEST(a_kept_connection_that_ends_under_a_request_is_replaced_if_that_changes_nothing) {
    expect_status(GET, 200);
    http_fake_push(server, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    expect_good_again();
    expect_seen(3);
    ck_assert_int_eq(http_fake_request(server, 2)->connection, 2);

    http_fake_push(server, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    ask(RENEW);
    ck_assert(raw_http_is_closed(client));
    expect_seen(4);
}
END_TEST

/* _i 0: it closes without a byte, on every connection. 1: half of an answer came. */
START_TEST(a_request_is_repeated_once_and_not_after_a_part_of_an_answer) {
    expect_status(GET, 200);
    for (int i = 0; i < 2; i++) {
        http_fake_push(server, &(struct http_fake_answer){.behaviour = _i == 0 ? HTTP_FAKE_CLOSE
                                                                               : HTTP_FAKE_CUT,
                                                          .body = "never all of it"});
    }
    ask(GET);
    ck_assert(raw_http_is_closed(client));
    expect_seen(_i == 0 ? 3 : 2);
}
END_TEST

START_TEST(nobody_behind_the_proxy_closes_the_connection) {
    struct fault_proxy *alone = fault_proxy_new(1, 1);
    int lost = raw_http_connect(fault_proxy_port(alone));
    ck_assert(raw_http_send(lost, GET));
    ck_assert(raw_http_is_closed(lost));
    fault_proxy_free(alone);
    fault_proxy_free(NULL);
    close(lost);
}
END_TEST

/* --- each fault --- */

START_TEST(delays_take_their_time_on_either_side_of_the_server) {
    int before = add(FAULT_DELAY_REQUEST, 1);
    int64_t begun_ms = now_ms();
    push("x");
    ask(GET);
    fault_proxy_await(proxy, before, 1);
    expect_seen(0);
    raw_http_read(client, &answer, false);
    ck_assert_int_ge(now_ms() - begun_ms, DELAY_MS);

    add(FAULT_DELAY_ANSWER, 1);
    begun_ms = now_ms();
    push("y");
    ask(GET);
    http_fake_wait(server, 2);
    ck_assert(is_silent());
    raw_http_read(client, &answer, false);
    ck_assert_str_eq(answer.body, "y");
    ck_assert_int_ge(now_ms() - begun_ms, DELAY_MS);
    expect_good_again();
}
END_TEST

START_TEST(a_delayed_request_reaches_the_server_though_its_client_has_gone) {
    int rule = add(FAULT_DELAY_REQUEST, 1);
    ask(RENEW);
    fault_proxy_await(proxy, rule, 1);
    reconnect();
    http_fake_wait(server, 1);
    ck_assert_str_eq(http_headers_get(&http_fake_request(server, 0)->headers, "x-ms-lease-action"),
                     "renew");
}
END_TEST

START_TEST(a_status_is_answered_in_the_servers_place_or_instead_of_its_answer) {
    fault_proxy_add(proxy, &(struct fault_rule){.kind = FAULT_STATUS_BEFORE, .times = 1});
    ask_and_expect(GET, 503, "");
    fault_proxy_add(proxy, &(struct fault_rule){.kind = FAULT_STATUS_BEFORE,
                                                .times = 2,
                                                .status = 429,
                                                .retry_after_s = 3,
                                                .error_code = "ServerBusy"});
    ask_and_expect(GET, 429,
                   "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>ServerBusy</Code>"
                   "<Message>A fault was asked for.</Message></Error>");
    char value[32];
    ck_assert_str_eq(raw_response_header(&answer, "Retry-After", value, sizeof value), "3");
    ck_assert_str_eq(raw_response_header(&answer, "x-ms-error-code", value, sizeof value),
                     "ServerBusy");
    ck_assert_str_eq(raw_response_header(&answer, "x-ms-request-id", value, sizeof value), "fault");
    ask("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    raw_http_read(client, &answer, true);
    ck_assert_int_eq(answer.status, 429);
    fault_proxy_add(
        proxy, &(struct fault_rule){.kind = FAULT_STATUS_BEFORE, .times = 1, .body = "{\"a\":1}"});
    ask_and_expect(GET, 503, "{\"a\":1}");
    ck_assert_str_eq(raw_response_header(&answer, "Content-Type", value, sizeof value),
                     "application/json");
    ck_assert_str_eq(raw_response_header(&answer, "x-ms-request-id", value, sizeof value),
                     ""); /* a gateway's */
    expect_seen(0);
    fault_proxy_add(proxy,
                    &(struct fault_rule){.kind = FAULT_STATUS_AFTER, .times = 1, .status = 500});
    push("never seen");
    ask_and_expect(GET, 500, "");
    expect_seen(1);
    expect_good_again();
}
END_TEST

START_TEST(a_connection_is_reset_before_or_after_the_server_has_acted) {
    int before = add(FAULT_RESET_BEFORE, 1), after = add(FAULT_RESET_AFTER, 1);
    ask(GET);
    ck_assert(is_reset());
    expect_seen(0);
    ck_assert_int_eq(fault_proxy_applied(proxy, before), 1);
    reconnect();
    push("never seen");
    ask(GET);
    ck_assert(is_reset());
    expect_seen(1);
    ck_assert_int_eq(fault_proxy_applied(proxy, after), 1);
    reconnect();
    expect_good_again();
}
END_TEST

START_TEST(a_connection_is_closed_before_or_after_the_server_has_acted) {
    add(FAULT_CLOSE_BEFORE, 1);
    add(FAULT_CLOSE_AFTER, 1);
    ask(GET);
    ck_assert(raw_http_is_closed(client));
    expect_seen(0);
    reconnect();
    push("never seen");
    ask(GET);
    ck_assert(raw_http_is_closed(client));
    expect_seen(1);
    reconnect();
    expect_good_again();
}
END_TEST

START_TEST(a_request_that_hangs_reaches_the_server_when_it_is_let_go) {
    int rule = add(FAULT_HANG_BEFORE, 1);
    ask(GET);
    fault_proxy_await(proxy, rule, 1);
    expect_seen(0);
    ck_assert(is_silent());
    push("late");
    fault_proxy_let_go(proxy);
    raw_http_read(client, &answer, false);
    ck_assert_str_eq(answer.body, "late");
    expect_good_again();
}
END_TEST

START_TEST(an_answer_that_hangs_comes_when_it_is_let_go) {
    int rule = add(FAULT_HANG_AFTER, 1);
    push("late");
    ask(GET);
    fault_proxy_await(proxy, rule, 1);
    expect_seen(1);
    ck_assert(is_silent());
    fault_proxy_let_go(proxy);
    raw_http_read(client, &answer, false);
    ck_assert_str_eq(answer.body, "late");
    expect_good_again();
}
END_TEST

START_TEST(what_hangs_or_waits_ends_with_the_proxy) {
    int hanging = add(FAULT_HANG_BEFORE, 1), after = add(FAULT_HANG_AFTER, 1);
    int waiting = fault_proxy_add(
        proxy, &(struct fault_rule){.kind = FAULT_DELAY_REQUEST, .delay_ms = 1000000});
    int clients[] = {client, raw_http_connect(fault_proxy_port(proxy)),
                     raw_http_connect(fault_proxy_port(proxy))};
    ask(GET);
    fault_proxy_await(proxy, hanging, 1);
    ck_assert(raw_http_send(clients[1], GET));
    fault_proxy_await(proxy, after, 1);
    ck_assert(raw_http_send(clients[2], GET));
    fault_proxy_await(proxy, waiting, 1);
    fault_proxy_free(proxy);
    proxy = NULL;
    expect_seen(1);
    for (int i = 0; i < 3; i++) {
        ck_assert(raw_http_is_closed(clients[i]));
    }
    close(clients[1]);
    close(clients[2]);
}
END_TEST

START_TEST(half_of_the_answer_comes_when_it_is_truncated) {
    add(FAULT_TRUNCATE, 1);
    static const char whole[] =
        "HTTP/1.1 201 Scripted\r\nx-ms-a: b\r\nContent-Length: 100\r\n\r\n"; /* and the body */
    char body[101] = "", got[512] = "";
    memset(body, 'b', 100);
    push(body);
    ask(GET);
    size_t half = (strlen(whole) + 100) / 2, length = 0;
    ssize_t more;
    while ((more = recv(client, got + length, sizeof got - 1 - length, 0)) > 0) {
        length += (size_t)more;
    }
    ck_assert_int_eq(more, 0);
    ck_assert_uint_eq(length, half);
    ck_assert_mem_eq(got, whole, strlen(whole));
    expect_seen(1);
    reconnect();
    expect_good_again();
}
END_TEST

START_TEST(a_connection_is_closed_behind_an_answer_without_a_word) {
    add(FAULT_CLOSE_LATER, 1);
    push("all");
    ask_and_expect(GET, 201, "all");
    char value[32];
    ck_assert_str_eq(raw_response_header(&answer, "Connection", value, sizeof value), "");
    ck_assert(raw_http_is_closed(client));
    reconnect();
    expect_good_again();
}
END_TEST

START_TEST(idle_connections_are_closed_and_busy_ones_are_not) {
    int idle = raw_http_connect(fault_proxy_port(proxy));
    int rule = add(FAULT_HANG_BEFORE, 1);
    ask(GET);
    fault_proxy_await(proxy, rule, 1);
    push("idle one's");
    ck_assert(raw_http_send(idle, GET));
    raw_http_read(idle, &answer, false);
    while (fault_proxy_close_idle(proxy) ==
           0) { /* it is busy until shortly after its answer is here */
    }
    ck_assert(raw_http_is_closed(idle));
    close(idle);
    push("busy one's");
    fault_proxy_let_go(proxy);
    raw_http_read(client, &answer, false);
    ck_assert_str_eq(answer.body, "busy one's");
    expect_good_again();
}
END_TEST

/* --- rules and what is written down --- */

START_TEST(cleared_rules_apply_no_more_and_their_counts_stay) {
    int shield =
        fault_proxy_add(proxy, &(struct fault_rule){.lease_action = "renew", .kind = FAULT_NONE});
    int rule = fault_proxy_add(proxy, &(struct fault_rule){.kind = FAULT_STATUS_BEFORE});
    expect_status(RENEW, 200);
    expect_status(GET, 503);
    fault_proxy_clear(proxy);
    expect_status(GET, 200);
    ck_assert_int_eq(fault_proxy_applied(proxy, shield), 1);
    ck_assert_int_eq(fault_proxy_applied(proxy, rule), 1);
    ck_assert_int_eq(fault_proxy_applied_kind(proxy, FAULT_STATUS_BEFORE), 1);
    ck_assert_str_eq(fault_proxy_kind_name(FAULT_STATUS_BEFORE), "status before");
}
END_TEST

START_TEST(requests_are_written_down_with_time_fault_and_answer) {
    int64_t begun_ms = now_ms();
    fault_proxy_add(proxy, &(struct fault_rule){
                               .lease_action = "renew", .times = 1, .kind = FAULT_STATUS_BEFORE});
    push("x");
    expect_status(ACQUIRE, 201);
    expect_status(RENEW, 503);
    expect_status(RENEW, 200);
    struct fault_request got[3];
    ck_assert_uint_eq(fault_proxy_seen(proxy), 3);
    ck_assert_uint_eq(fault_proxy_requests(proxy, &(struct fault_rule){.method = NULL}, got, 3), 3);
    ck_assert_str_eq(got[0].method, "PUT");
    ck_assert_str_eq(got[0].target, "/acme/leases/b?comp=lease");
    ck_assert_str_eq(got[0].lease_action, "acquire");
    ck_assert_int_eq(got[0].status, 201);
    ck_assert_int_eq((int)got[0].fault, FAULT_NONE);
    ck_assert_int_ge(got[0].arrived_ms, begun_ms);
    ck_assert_int_le(got[0].arrived_ms, got[1].arrived_ms);
    ck_assert_int_le(got[1].arrived_ms, now_ms());
    ck_assert_uint_eq(
        fault_proxy_requests(proxy, &(struct fault_rule){.lease_action = "renew"}, got, 1), 2);
    ck_assert_int_eq((int)got[0].fault, FAULT_STATUS_BEFORE);
    ck_assert_int_eq(got[0].status, 0);
}
END_TEST

/* --- many at once --- */

static pthread_barrier_t barrier;

/*
 * Asks ROUNDS times, with a new connection after each loss of one; answers how often it got the
 * server's answer.
 */
static void *ask_often(void *context) {
    int *good = context;
    struct raw_response got = {.status = 0};
    char byte;
    int fd = raw_http_connect(fault_proxy_port(proxy));
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++) {
        if (raw_http_send(fd, GET) && recv(fd, &byte, 1, MSG_PEEK) == 1) {
            raw_http_read(fd, &got, false);
            *good += got.status == 200;
        } else {
            close(fd);
            fd = raw_http_connect(fault_proxy_port(proxy));
        }
    }
    raw_response_cleanup(&got);
    close(fd);
    return NULL;
}

START_TEST(many_clients_with_random_faults_add_up) {
    pthread_t threads[CLIENTS];
    int good[CLIENTS] = {0}, good_count = 0;
    fault_proxy_add(proxy, &(struct fault_rule){.kind = FAULT_RESET_AFTER, .probability = 0.1});
    fault_proxy_add(proxy, &(struct fault_rule){.kind = FAULT_STATUS_BEFORE, .probability = 0.2});
    pthread_barrier_init(&barrier, NULL, CLIENTS + 1);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, &good[i]), 0);
    }
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++) { /* meanwhile */
        fault_proxy_add(
            proxy, &(struct fault_rule){.path_contains = "nowhere", .kind = FAULT_HANG_BEFORE});
        fault_proxy_seen(proxy);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        good_count += good[i];
    }
    pthread_barrier_destroy(&barrier);
    int resets = fault_proxy_applied_kind(proxy, FAULT_RESET_AFTER);
    int statuses = fault_proxy_applied_kind(proxy, FAULT_STATUS_BEFORE);
    ck_assert(resets > 0 && statuses > 0);
    ck_assert_int_eq(good_count + resets + statuses, CLIENTS * ROUNDS);
    ck_assert_uint_eq(fault_proxy_seen(proxy), CLIENTS * ROUNDS);
    ck_assert_int_eq((int)http_fake_count(server), good_count + resets);
}
END_TEST

START_TEST(a_request_is_delivered_twice_and_answered_once_as_the_second) {
    int rule = add(FAULT_TWICE, 1);
    push("first");
    push("second");
    ask_and_expect(ACQUIRE, 201, "second");
    expect_seen(2);
    ck_assert_str_eq(http_fake_request(server, 0)->target, http_fake_request(server, 1)->target);
    ck_assert_int_eq(fault_proxy_applied(proxy, rule), 1);
    expect_good_again();
    expect_seen(3);
}
END_TEST

/* Nothing of the first answer, which the proxy has, is passed on. */
START_TEST(a_second_delivery_that_is_not_answered_is_no_answer) {
    add(FAULT_TWICE, 1);
    push("first");
    http_fake_push(server, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    ask(ACQUIRE);
    ck_assert(raw_http_is_closed(client));
    expect_seen(2);
}
END_TEST

#define DATE "Date: Sun, 19 Jan 2025 14:45:30 GMT\r\n"

/* _i 0: later, 1: earlier, 2: none at all. */
START_TEST(an_answers_date_is_changed_or_taken_away) {
    static const struct {
        enum fault_kind kind;
        int64_t by_ms;
        const char *date;
    } cases[] = {
        {FAULT_WRONG_DATE, INT64_C(172800000), "\r\nDate: Tue, 21 Jan 2025 14:45:30 GMT\r\n"},
        {FAULT_WRONG_DATE, INT64_C(-60000), "\r\nDate: Sun, 19 Jan 2025 14:44:30 GMT\r\n"},
        {FAULT_NO_DATE, 0, NULL}};
    fault_proxy_add(proxy, &(struct fault_rule){
                               .kind = cases[_i].kind, .times = 1, .delay_ms = cases[_i].by_ms});
    for (int i = 0; i < 2; i++) {
        http_fake_push(
            server, &(struct http_fake_answer){.headers = "A: b\r\n" DATE "C: d\r\n", .body = "x"});
    }
    ask_and_expect(GET, 200, "x");
    ck_assert_ptr_null(strstr(answer.head, "\r\n" DATE));
    ck_assert(cases[_i].date == NULL ? strstr(answer.head, "\r\nDate:") == NULL
                                     : strstr(answer.head, cases[_i].date) != NULL);
    ck_assert(strstr(answer.head, "A: b\r\n") != NULL && strstr(answer.head, "C: d\r\n") != NULL);
    ask_and_expect(GET, 200, "x");
    ck_assert_ptr_nonnull(strstr(answer.head, "\r\n" DATE));
}
END_TEST

static TCase *make_case(const char *name) {
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("fault_proxy");
    TCase *plain = make_case("without a fault");
    tcase_add_test(plain, a_request_and_its_answer_pass_unchanged);
    tcase_add_test(plain, requests_of_one_client_share_a_connection_on_both_sides);
    tcase_add_test(plain, an_answer_that_ends_with_its_connection_ends_the_clients_too);
    tcase_add_loop_test(plain, a_server_that_does_not_answer_in_full_is_passed_on_as_that,
                        HTTP_FAKE_CLOSE, HTTP_FAKE_HANG);
    tcase_add_test(plain, a_server_that_closes_between_requests_is_not_noticed);
    tcase_add_test(plain,
                   a_kept_connection_that_ends_under_a_request_is_replaced_if_that_changes_nothing);
    tcase_add_loop_test(plain, a_request_is_repeated_once_and_not_after_a_part_of_an_answer, 0, 2);
    tcase_add_test(plain, nobody_behind_the_proxy_closes_the_connection);
    suite_add_tcase(suite, plain);
    TCase *faults = make_case("each fault");
    tcase_add_test(faults, delays_take_their_time_on_either_side_of_the_server);
    tcase_add_test(faults, a_delayed_request_reaches_the_server_though_its_client_has_gone);
    tcase_add_test(faults, a_status_is_answered_in_the_servers_place_or_instead_of_its_answer);
    tcase_add_test(faults, a_connection_is_reset_before_or_after_the_server_has_acted);
    tcase_add_test(faults, a_connection_is_closed_before_or_after_the_server_has_acted);
    tcase_add_test(faults, a_request_that_hangs_reaches_the_server_when_it_is_let_go);
    tcase_add_test(faults, an_answer_that_hangs_comes_when_it_is_let_go);
    tcase_add_test(faults, what_hangs_or_waits_ends_with_the_proxy);
    tcase_add_test(faults, half_of_the_answer_comes_when_it_is_truncated);
    tcase_add_test(faults, a_connection_is_closed_behind_an_answer_without_a_word);
    tcase_add_test(faults, idle_connections_are_closed_and_busy_ones_are_not);
    tcase_add_test(faults, a_request_is_delivered_twice_and_answered_once_as_the_second);
    tcase_add_test(faults, a_second_delivery_that_is_not_answered_is_no_answer);
    tcase_add_loop_test(faults, an_answers_date_is_changed_or_taken_away, 0, 3);
    suite_add_tcase(suite, faults);
    TCase *rules = make_case("rules");
    tcase_add_test(rules, cleared_rules_apply_no_more_and_their_counts_stay);
    tcase_add_test(rules, requests_are_written_down_with_time_fault_and_answer);
    tcase_add_test(rules, many_clients_with_random_faults_add_up);
    suite_add_tcase(suite, rules);
    return check_main(suite);
}
