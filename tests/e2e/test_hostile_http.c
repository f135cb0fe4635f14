/*
 * The handler among strangers: malformed requests, crowds that say nothing, more requests than it
 * serves, and what it will not hear.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/calls/answer_record.h"
#include "support/calls/raw_http.h"
#include "support/load/hostile_requests.h"
#include "support/processes/app.h"
#include "support/processes/check_main.h"

enum {
    ROUNDS = 4,
    REQUESTS_PER_ROUND = 2500, /* 10,000 in all */
    GOOD_EVERY = 100,
    ANSWER_BYTES = 256 * 1024,
    STATUSES = 600,
    SILENT = 2000,
    SILENT_PATIENCE_MS = 2000,
    REQUESTS_AT_ONCE = 256,
    OWN_THREADS = 8, /* on top of one for each request */
    FEW_FILES = 40,
    CROWD_PAUSE_MS = 50,
    LOG_TIMEOUT_MS = 60000,
    CALM_TIMEOUT_MS = 1000 * RAW_HTTP_TIMEOUT_S
};
#define SEED UINT64_C(20261126)
#define GET_PRODUCT "GET /api/inventory/PROD-001 HTTP/1.1\r\nHost: h\r\n"
#define RESERVE_HEAD \
    "POST /api/inventory/PROD-001/reserve HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\n\r\n"
#define RESERVE_BODY "{\"quantity\":1,\"customerId\":\"CUST-001\"}"
#define RESERVE RESERVE_HEAD RESERVE_BODY

static struct app app;
static struct raw_response answer;

/*
 * Nobody listens where storage would be: a reserve waits there for AcquireTimeout; all else needs
 * none.
 */
static void set_up(void) {
    static const char *const settings[] = {"Inventory:Store=Memory",
                                           "DistributedLeasing:AcquireTimeout=00:00:05", NULL};
    static const char nowhere[] = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;"
                                  "BlobEndpoint=http://127.0.0.1:1/a;"
                                  "TableEndpoint=http://127.0.0.1:1/a";
    app_start_handler(&app,
                      &(struct app_options){.connection_string = nowhere, .settings = settings});
    app_expect_log(&app, 0, "listens on", LOG_TIMEOUT_MS);
}

static void tear_down(void) {
    int exit_code = app_stop(&app, SIGTERM);
    raw_response_cleanup(&answer);
    if (exit_code != 0) {
        ck_abort_msg("it ended with %d:\n%s", exit_code, process_output_from(&app.process, 0));
    }
    app_cleanup(&app);
}

static int send_request(const char *text) {
    int fd = raw_http_connect(app.port);
    ck_assert(raw_http_send(fd, text));
    return fd;
}

/* One request on a connection of its own; answers the status. */
static int ask(const char *text) {
    int fd = send_request(text);
    raw_http_read(fd, &answer, strncmp(text, "HEAD ", 5) == 0);
    close(fd);
    return answer.status;
}

static void assert_serves(void) {
    ck_assert_int_eq(ask(GET_PRODUCT "\r\n"), 200);
    ck_assert_ptr_nonnull(strstr(answer.body, "\"productId\":\"PROD-001\",\"totalQuantity\":100"));
}

/* What it has open */

static int file_count(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)app.process.pid);
    DIR *files = opendir(path);
    ck_assert_ptr_nonnull(files);
    int count = 0;
    while (readdir(files) != NULL) {
        count++;
    }
    closedir(files);
    return count;
}

static int thread_count(void) {
    char path[64];
    char line[256];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)app.process.pid);
    FILE *status = fopen(path, "r");
    ck_assert_ptr_nonnull(status);
    while (count == 0 && fgets(line, sizeof line, status) != NULL) {
        count = strncmp(line, "Threads:", 8) == 0 ? (int)strtol(line + 8, NULL, 10) : 0;
    }
    fclose(status);
    return count;
}

struct footprint {
    int files;
    int threads;
};

static struct footprint take_footprint(void) {
    assert_serves();
    return (struct footprint){file_count(), thread_count()};
}

/* It may have one connection more open than then: the last one asked on. */
static void assert_back_to(struct footprint before) {
    int64_t until_ms = process_now_ms() + CALM_TIMEOUT_MS;
    while ((file_count() > before.files || thread_count() > before.threads) &&
           process_now_ms() < until_ms) {
        poll(NULL, 0, 10);
    }
    ck_assert_msg(file_count() <= before.files && thread_count() <= before.threads,
                  "%d files, %d threads; there were %d and %d", file_count(), thread_count(),
                  before.files, before.threads);
}

/* Malformed requests */

/*
 * What is answered until the server ends the connection, NUL-terminated; what does not fit is left
 * out.
 */
static const char *read_all(int fd) {
    static char answers[ANSWER_BYTES];
    int64_t until_ms = process_now_ms() + CALM_TIMEOUT_MS;
    size_t used = 0;
    for (ssize_t got; (got = recv(fd, answers + used, sizeof answers - 1 - used, 0)) > 0;) {
        used += (size_t)got;
    }
    ck_assert_msg(process_now_ms() < until_ms,
                  "the server keeps a connection whose client has left");
    answers[used] = '\0';
    answer_record_stream(fd, answers, used);
    return answers;
}

static void send_hostile(int fd, const struct hostile_request *request) {
    bool taken = raw_http_send_bytes(fd, request->bytes, request->split_at);
    poll(NULL, 0, request->pause_ms);
    if (taken) { /* it may have been refused meanwhile, or half way through */
        (void)raw_http_send_bytes(fd, request->bytes + request->split_at,
                                  request->length - request->split_at);
    }
    shutdown(fd, SHUT_WR);
}

static void count_answers(const char *answers, int *counts) {
    int found = 0;
    for (const char *at = answers; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++, found++) {
        int status = (int)strtol(at + 9, NULL, 10);
        if (status >= 100 && status < STATUSES) { /* else it is in a message */
            counts[status]++;
        }
    }
    counts[0] += found == 0;
}

static void print_counts(const int *counts, uint64_t seed) {
    printf("seed %llu, %d requests; answers by status (0: none):", (unsigned long long)seed,
           REQUESTS_PER_ROUND);
    for (int i = 0; i < STATUSES; i++) {
        if (counts[i] > 0) {
            printf(" %d: %d,", i, counts[i]);
        }
    }
    printf("\n");
    fflush(stdout);
}

START_TEST(malformed_requests_leave_it_serving_and_nothing_behind) {
    static struct hostile_source source;
    static int counts[STATUSES];
    uint64_t seed = SEED + (uint64_t)_i;
    struct footprint before = take_footprint();
    hostile_source_init(&source, seed);
    for (int i = 0; i < REQUESTS_PER_ROUND; i++) {
        struct hostile_request request = hostile_source_next(&source);
        int fd = raw_http_connect(app.port);
        send_hostile(fd, &request);
        const char *answers = read_all(fd);
        close(fd);
        count_answers(answers, counts);
        ck_assert_msg(strstr(answers, HOSTILE_PRODUCT) == NULL,
                      "seed %llu, request %d: read out of a body:\n%.*s\n%s",
                      (unsigned long long)seed, i, (int)request.length, request.bytes, answers);
        if (i % GOOD_EVERY == 0) {
            assert_serves();
        }
    }
    print_counts(counts, seed);
    ck_assert_int_eq(counts[500], 0);
    ck_assert_int_gt(counts[400], REQUESTS_PER_ROUND / 10);
    ck_assert_int_gt(counts[404], REQUESTS_PER_ROUND / 10);
    assert_serves();
    assert_back_to(before);
}
END_TEST

/* Crowds */

static int silent[SILENT];

static void allow_many_files(void) {
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < SILENT + 100) {
        limit.rlim_cur = limit.rlim_max < SILENT + 100 ? SILENT + 100 : limit.rlim_max;
        limit.rlim_max = limit.rlim_cur > limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
        ck_assert_msg(setrlimit(RLIMIT_NOFILE, &limit) == 0, "this test needs %d open files",
                      SILENT + 100);
    }
}

START_TEST(two_thousand_silent_connections_keep_nobody_waiting) {
    allow_many_files();
    struct footprint before = take_footprint();
    int64_t longest_ms = 0;
    for (int i = 0; i < SILENT; i++) {
        silent[i] = raw_http_connect(app.port);
        if ((i + 1) % GOOD_EVERY == 0) {
            int64_t start_ms = process_now_ms();
            assert_serves();
            int64_t took_ms = process_now_ms() - start_ms;
            longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        }
    }
    printf("with up to %d silent connections, the longest of %d good requests took %lld ms\n",
           SILENT, SILENT / GOOD_EVERY, (long long)longest_ms);
    ck_assert_int_lt(longest_ms, SILENT_PATIENCE_MS);
    for (int i = 0; i < SILENT; i++) {
        close(silent[i]);
    }
    assert_back_to(before);
}
END_TEST

/*
 * Half of the files that it may open are lost to silence. The silent must make room, and are told
 * why.
 */
START_TEST(where_descriptors_run_short_all_who_ask_are_answered) {
    struct rlimit few = {.rlim_cur = (rlim_t)take_footprint().files + FEW_FILES};
    few.rlim_max = few.rlim_cur;
    ck_assert_int_eq(prlimit(app.process.pid, RLIMIT_NOFILE, &few, NULL), 0);
    for (int i = 0; i < 2 * FEW_FILES; i++) {
        silent[i] = raw_http_connect(app.port);
    }
    for (int i = 0; i < FEW_FILES; i++) {
        int fd = send_request("GET / HTTP/1.1\r\n\r\n");
        raw_http_read(fd, &answer,
                      false); /* of a product nobody could tell: that needs a file as well */
        ck_assert_int_eq(answer.status, 200);
        silent[2 * FEW_FILES + i] = fd;
        raw_http_read(silent[i], &answer, false); /* the longest silent has been ended for it */
        ck_assert_int_eq(answer.status, 503);
        close(silent[i]);
    }
    for (int i = FEW_FILES; i < 3 * FEW_FILES; i++) {
        close(silent[i]);
    }
}
END_TEST

/*
 * As the host does: a connection for each request under way, its head in one write and its body in
 * another.
 */
static const int crowds[] = {257, 300, 600, 1000};

START_TEST(of_a_crowd_of_callers_everybody_gets_an_answer) {
    static int callers[SILENT];
    int counts[STATUSES] = {0};
    allow_many_files();
    for (int i = 0; i < crowds[_i]; i++) {
        callers[i] = raw_http_connect(app.port);
    }
    poll(NULL, 0, CROWD_PAUSE_MS);
    for (int i = 0; i < crowds[_i]; i++) {
        ck_assert(raw_http_send(callers[i], RESERVE_HEAD));
    }
    for (int i = 0; i < crowds[_i]; i++) {
        ck_assert(raw_http_send(callers[i], RESERVE_BODY));
    }
    for (int i = 0; i < crowds[_i]; i++) {
        raw_http_read(callers[i], &answer, false);
        counts[answer.status]++;
        close(callers[i]);
    }
    ck_assert_int_eq(counts[200] + counts[409] + counts[503], crowds[_i]);
    ck_assert_int_le(thread_count(), REQUESTS_AT_ONCE + OWN_THREADS);
    assert_serves();
}
END_TEST

START_TEST(a_request_beyond_what_it_serves_is_told_so_at_once) {
    static int held[REQUESTS_AT_ONCE];
    for (int i = 0; i < REQUESTS_AT_ONCE; i++) {
        held[i] = send_request(RESERVE);
    }
    int64_t until_ms = process_now_ms() + CALM_TIMEOUT_MS;
    while (ask("GET / HTTP/1.1\r\n\r\n") != 503) {
        ck_assert_int_lt(process_now_ms(), until_ms);
    }
    char seconds[16];
    ck_assert_str_eq(raw_response_header(&answer, "Retry-After", seconds, sizeof seconds), "1");
    ck_assert_ptr_nonnull(strstr(answer.body, "\"code\":\"TooManyRequests\""));
    int64_t start_ms = process_now_ms();
    ck_assert_int_eq(ask(GET_PRODUCT "\r\n"), 503);
    ck_assert_int_lt(process_now_ms() - start_ms, SILENT_PATIENCE_MS);
    for (int i = 0; i < REQUESTS_AT_ONCE; i++) {
        raw_http_read(held[i], &answer, false);
        ck_assert_msg(answer.status == 503 || answer.status == 409, "%d %s", answer.status,
                      answer.body); /* was let in */
        ck_assert_ptr_null(strstr(answer.body, "TooManyRequests"));
        close(held[i]);
    }
    assert_serves();
}
END_TEST

/* Strange paths and methods */

static const struct {
    const char *request_line;
    int status;
    const char *allow;
    const char *code;
} strange[] = {
    {"GET /nothing HTTP/1.1", 404, "", "NotFound"},
    {"POST /api/inventory/PROD-001/steal HTTP/1.1", 404, "", "NotFound"},
    {"FOO /nothing HTTP/1.1", 404, "", "NotFound"},
    {"OPTIONS * HTTP/1.1", 404, "", "NotFound"},
    {"FOO * HTTP/1.1", 404, "", "NotFound"},
    {"CONNECT localhost:443 HTTP/1.1", 404, "", "NotFound"},
    {"GET http://localhost:1/api/inventory/PROD-001 HTTP/1.1", 404, "", "NotFound"},
    {"GET http://elsewhere/ HTTP/1.1", 404, "", "NotFound"},
    {"GET nothing HTTP/1.1", 404, "", "NotFound"},
    {"DELETE / HTTP/1.1", 405, "GET", "MethodNotAllowed"},
    {"OPTIONS / HTTP/1.1", 405, "GET", "MethodNotAllowed"},
    {"TRACE / HTTP/1.1", 405, "GET", "MethodNotAllowed"},
    {"FOO / HTTP/1.1", 405, "GET", "MethodNotAllowed"},
    {"get / HTTP/1.1", 405, "GET", "MethodNotAllowed"},
    {"PUT /api/inventory/PROD-001 HTTP/1.1", 405, "GET", "MethodNotAllowed"},
    {"FOO /api/inventory/PROD-001?a=b HTTP/1.1", 405, "GET", "MethodNotAllowed"},
    {"GET /api/inventory/PROD-001/reserve HTTP/1.1", 405, "POST", "MethodNotAllowed"},
    {"FOO /api/inventory/PROD-001/release HTTP/1.1", 405, "POST", "MethodNotAllowed"},
    {"GET /ReserveInventory HTTP/1.1", 405, "POST", "MethodNotAllowed"},
    {"FOO /ReconcileInventory HTTP/1.1", 405, "POST", "MethodNotAllowed"},
};

START_TEST(strange_paths_and_methods_are_answered_as_everywhere) {
    char request[256];
    char expected[64];
    char allow[16];
    snprintf(request, sizeof request, "%s\r\nHost: h\r\n\r\n", strange[_i].request_line);
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",\"message\":\"",
             strange[_i].code);
    ck_assert_int_eq(ask(request), strange[_i].status);
    ck_assert_msg(strncmp(answer.body, expected, strlen(expected)) == 0, "%s", answer.body);
    ck_assert_str_eq(raw_response_header(&answer, "Allow", allow, sizeof allow), strange[_i].allow);
}
END_TEST

/* Who may speak, and what is not listened to */

START_TEST(what_a_request_says_of_its_sender_and_goal_changes_nothing) {
    static const char *const claims[] = {
        "Host: elsewhere\r\n",
        "Host: 127.0.0.1:1\r\n",
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: elsewhere\r\nX-Forwarded-Proto: "
        "https\r\nX-Forwarded-Port: "
        "1\r\n"
        "X-Forwarded-Prefix: /admin\r\nForwarded: "
        "for=192.0.2.1;host=elsewhere;proto=https\r\nX-Real-IP: 192.0.2.1\r\n",
        ("X-Original-URL: /\r\nX-Rewrite-URL: /\r\nX-HTTP-Method-Override: "
         "DELETE\r\nX-Original-Host: elsewhere\r\n"),
    };
    assert_serves();
    char *plain = strdup(answer.body);
    char head[RAW_HTTP_HEAD_BYTES];
    strcpy(head, strstr(answer.head, "Content-Type")); /* behind the Date */
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        char request[1024];
        snprintf(request, sizeof request, "GET /api/inventory/PROD-001 HTTP/1.1\r\n%s\r\n",
                 claims[i]);
        ck_assert_int_eq(ask(request), 200);
        ck_assert_str_eq(answer.body, plain);
        ck_assert_str_eq(strstr(answer.head, "Content-Type"), head);
    }
    free(plain);
}
END_TEST

START_TEST(nobody_reaches_it_on_another_address_of_this_machine) {
    struct ifaddrs *addresses = NULL;
    ck_assert_int_eq(getifaddrs(&addresses), 0);
    int tried = 0;
    for (const struct ifaddrs *next = addresses; next != NULL; next = next->ifa_next) {
        char text[INET_ADDRSTRLEN];
        if (next->ifa_addr == NULL || next->ifa_addr->sa_family != AF_INET) {
            continue;
        }
        struct sockaddr_in address;
        memcpy(&address, next->ifa_addr, sizeof address);
        ck_assert_ptr_nonnull(inet_ntop(AF_INET, &address.sin_addr, text, sizeof text));
        int fd = raw_http_try_connect(text, app.port);
        ck_assert_msg((fd >= 0) == (strcmp(text, "127.0.0.1") == 0), "%s", text);
        if (fd >= 0) {
            close(fd);
        }
        tried++;
    }
    freeifaddrs(addresses);
    ck_assert_int_ge(tried, 1);
    ck_assert_int_eq(raw_http_try_connect("127.0.0.2", app.port),
                     -1); /* a machine may have no other */
}
END_TEST

int main(void) {
    Suite *suite = suite_create("hostile_http");
    TCase *tcase = tcase_create("hostile_http");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, malformed_requests_leave_it_serving_and_nothing_behind, 0, ROUNDS);
    tcase_add_test(tcase, two_thousand_silent_connections_keep_nobody_waiting);
    tcase_add_test(tcase, where_descriptors_run_short_all_who_ask_are_answered);
    tcase_add_loop_test(tcase, of_a_crowd_of_callers_everybody_gets_an_answer, 0,
                        sizeof crowds / sizeof *crowds);
    tcase_add_test(tcase, a_request_beyond_what_it_serves_is_told_so_at_once);
    tcase_add_loop_test(tcase, strange_paths_and_methods_are_answered_as_everywhere, 0,
                        sizeof strange / sizeof *strange);
    tcase_add_test(tcase, what_a_request_says_of_its_sender_and_goal_changes_nothing);
    tcase_add_test(tcase, nobody_reaches_it_on_another_address_of_this_machine);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
