/*
 * http_front and timers: callers' requests in, the handler's answers out. The handler is a server of the test's own, which
 * a script that tells its port stands for.
 */
#include "devhost/http_front.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/http_server.h"
#include "support/check_main.h"
#include "support/temp_folder.h"

enum { DEADLINE_MS = 20000, POLL_US = 2000, TEXT_BYTES = 4096 };

static struct temp_folder folder;
static struct host_config config;
static struct http_transport *transport;
static struct handler_process *process;
static struct timers *timers;
static struct http_server *handler;
static struct http_front front;
static struct http_headers headers;
static struct http_response response;
static struct error err;

/* What the handler saw last, and what it is to do. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char request[TEXT_BYTES]; /* "METHOD PATH?QUERY\nNAME: VALUE\n...\nBODY" */
    int timer_count;
    bool hold_timers;
    bool no_json;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void record(const struct http_request *request) {
    struct strbuf text;
    strbuf_init(&text, TEXT_BYTES - 1);
    strbuf_appendf(&text, "%s %s?%s\n", request->method, request->path, request->query);
    for (size_t i = 0; i < request->headers->count; i++) {
        strbuf_appendf(&text, "%s: %s\n", request->headers->items[i].name, request->headers->items[i].value);
    }
    strbuf_append(&text, request->body, request->body_length);
    snprintf(seen.request, sizeof seen.request, "%s", text.data);
    strbuf_release(&text);
}

static void handle(void *context, const struct http_request *request, struct http_response *out) {
    (void)context;
    pthread_mutex_lock(&seen.lock);
    record(request);
    if (strcmp(request->path, "/Clean") == 0) {
        seen.timer_count++;
        pthread_cond_broadcast(&seen.changed);
        while (seen.hold_timers) {
            pthread_cond_wait(&seen.changed, &seen.lock);
        }
        strbuf_append_string(&out->body, "{\"Outputs\":{},\"Logs\":[\"a log line\"],\"ReturnValue\":{\"n\":1}}");
    } else if (strcmp(request->path, "/Get") == 0) {
        strbuf_append_string(
            &out->body, seen.no_json ? "hello"
                                     : "{\"Outputs\":{\"res\":{\"statusCode\":\"418\",\"headers\":{\"X-Tea\":\"pot\"},"
                                       "\"body\":\"short\"}},\"Logs\":[],\"ReturnValue\":null}");
    } else {
        out->status = 409;
        http_headers_add(&out->headers, "ETag", "\"7\"");
        strbuf_append(&out->body, "by\0tes", 6);
    }
    pthread_mutex_unlock(&seen.lock);
}

static void write_app(const char *schedule) {
    char text[512];
    temp_folder_write(&folder, "host.json",
                      "{\"customHandler\":{\"enableProxyingHttpRequest\":true,\"description\":{"
                      "\"defaultExecutablePath\":\"handler\"}}}");
    temp_folder_write(&folder, "handler",
                      "#!/bin/sh\necho $FUNCTIONS_CUSTOMHANDLER_PORT > port.new; mv port.new port\nexec sleep 600\n");
    snprintf(text, sizeof text, "%s/handler", folder.path);
    ck_assert_int_eq(chmod(text, 0700), 0);
    temp_folder_write_folder(&folder, "Get");
    temp_folder_write(&folder, "Get/function.json",
                      "{\"bindings\":[{\"type\":\"httpTrigger\",\"name\":\"req\",\"methods\":[\"get\",\"post\"],"
                      "\"route\":\"things/{id}\"},"
                      "{\"type\":\"http\",\"name\":\"res\"}]}");
    temp_folder_write_folder(&folder, "Clean");
    snprintf(text, sizeof text, "{\"bindings\":[{\"type\":\"timerTrigger\",\"name\":\"timer\",\"schedule\":\"%s\"}]}",
             schedule);
    temp_folder_write(&folder, "Clean/function.json", text);
}

/* The port that the script was told, once it has written it. */
static int read_port(void) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/port", folder.path);
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    FILE *file;
    while ((file = fopen(path, "re")) == NULL) {
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "the script did not start");
        usleep(POLL_US);
    }
    char line[16] = "";
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    fclose(file);
    return (int)strtol(line, NULL, 10);
}

static void start_handler(void) {
    const struct http_server_options options = {
        .port = read_port(), .thread_count = 8, .max_body_bytes = 1 << 20, .max_response_bytes = 1 << 20};
    ck_assert_int_eq(http_server_start(&handler, &options, handle, NULL, &err), STATUS_OK);
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    while (handler_process_step(process) != HANDLER_READY) {
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "the handler is not ready");
        usleep(POLL_US);
    }
}

static void start(const char *schedule) {
    write_app(schedule);
    ck_assert_msg(host_config_load(&config, folder.path, &err) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(http_transport_new(&transport, clock_system(), &err), STATUS_OK);
    ck_assert_int_eq(handler_process_new(&process, &config, transport, &err), STATUS_OK);
    ck_assert_int_eq(timers_new(&timers, &config, process, transport, &err), STATUS_OK);
    front = (struct http_front){.config = &config, .process = process, .timers = timers, .transport = transport};
}

static void set_up(void) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, NULL);
    temp_folder_make(&folder);
    http_headers_init(&headers);
    http_response_init(&response, HTTP_FRONT_MAX_BODY_BYTES);
    seen.request[0] = '\0';
    seen.timer_count = 0;
    seen.hold_timers = false;
    seen.no_json = false;
    start("0 0 0 30 2 *"); /* never by itself */
}

static void stop(void) {
    timers_stop(timers);
    handler_process_stop(process, DEADLINE_MS);
    http_server_stop(handler);
    handler = NULL;
    http_transport_free(transport);
    timers_free(timers);
    handler_process_free(process);
    host_config_release(&config);
}

static void tear_down(void) {
    stop();
    http_headers_release(&headers);
    http_response_release(&response);
    temp_folder_remove(&folder);
}

static int ask(const char *method, const char *path, const char *query, const char *body) {
    const struct http_request request = {
        .method = method, .path = path, .query = query, .headers = &headers, .body = body, .body_length = strlen(body)};
    http_response_release(&response);
    http_response_init(&response, HTTP_FRONT_MAX_BODY_BYTES);
    http_front_answer(&front, &request, &response);
    return response.status;
}

static bool handler_saw(const char *part) {
    pthread_mutex_lock(&seen.lock);
    bool found = strcasestr(seen.request, part) != NULL;
    pthread_mutex_unlock(&seen.lock);
    return found;
}

/* Waits until the timer function has been called `count` times. */
static void wait_for_timers(int count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_MS / 1000;
    pthread_mutex_lock(&seen.lock);
    while (seen.timer_count < count) {
        ck_assert_msg(pthread_cond_timedwait(&seen.changed, &seen.lock, &until) == 0,
                      "the timer was fired %d times, not %d", seen.timer_count, count);
    }
    pthread_mutex_unlock(&seen.lock);
}

START_TEST(the_caller_s_own_request_goes_through_unchanged) {
    start_handler();
    http_headers_add(&headers, "Host", "localhost:7071");
    http_headers_add(&headers, "X-Mine", "a; b");
    http_headers_add(&headers, "Idempotency-Key", "k");
    http_headers_add(&headers, "Connection", "close");
    http_headers_add(&headers, "Transfer-Encoding", "chunked");
    http_headers_add(&headers, "Expect", "100-continue");
    ck_assert_int_eq(ask("POST", "/api/things/a%2Fb%20c", "x=%41&y", "the body"), 409);
    ck_assert(handler_saw("POST /api/things/a%2Fb%20c?x=%41&y\n"));
    ck_assert(handler_saw("\nX-Mine: a; b\n") && handler_saw("\nIdempotency-Key: k\n"));
    ck_assert(handler_saw("\nX-Azure-Functions-InvocationId: ") && handler_saw("\nthe body"));
    ck_assert(!handler_saw("localhost:7071") && !handler_saw("Transfer-Encoding") && !handler_saw("Expect"));
    ck_assert_str_eq(http_headers_get(&response.headers, "ETag"), "\"7\"");
    ck_assert_ptr_null(http_headers_get(&response.headers, "Connection"));
    ck_assert_uint_eq(response.body.length, 6);
    ck_assert_mem_eq(response.body.data, "by\0tes", 6);
}
END_TEST

START_TEST(an_invocation_is_described_and_its_answer_becomes_the_response) {
    config.shape = HOST_SHAPE_INVOCATION;
    start_handler();
    ck_assert_int_eq(ask("POST", "/api/things/x", "", "{}"), 418);
    ck_assert(handler_saw("POST /Get?\n") && handler_saw("\"Params\":{\"id\":\"x\"}") &&
              handler_saw("\"Body\":\"{}\""));
    ck_assert_str_eq(http_headers_get(&response.headers, "X-Tea"), "pot");
    ck_assert_str_eq(response.body.data, "short");
    seen.no_json = true;
    ck_assert_int_eq(ask("POST", "/api/things/x", "", ""), 500);
}
END_TEST

START_TEST(what_has_no_route_and_method_is_not_found) {
    start_handler();
    ck_assert_int_eq(ask("DELETE", "/api/things/x", "", ""), 404);
    ck_assert_int_eq(ask("HEAD", "/api/things/x", "", ""), 404);
    ck_assert_int_eq(ask("GET", "/api/other", "", ""), 404);
    ck_assert_int_eq(ask("POST", "/Clean", "", ""), 404);
    ck_assert_int_eq(ask("GET", "/", "", ""), 404);
    ck_assert(!handler_saw("things") && !handler_saw("Clean"));
}
END_TEST

START_TEST(without_a_handler_the_answer_is_503_and_without_its_answer_502) {
    ck_assert_int_eq(ask("GET", "/api/things/x", "", ""), 503);
    ck_assert_int_eq(ask("POST", "/admin/functions/Clean", "", ""), 503);
    start_handler();
    http_server_stop(handler);
    handler = NULL;
    ck_assert_int_eq(ask("GET", "/api/things/x", "", ""), 502);
}
END_TEST

START_TEST(a_timer_is_fired_by_hand) {
    start_handler();
    ck_assert_int_eq(ask("POST", "/admin/functions/clean", "", "{\"input\":\"\"}"), 202);
    wait_for_timers(1);
    ck_assert(handler_saw("POST /Clean?\n") && handler_saw("\"Data\":{\"timer\":{"));
    ck_assert_int_eq(ask("POST", "/admin/functions/Nothing", "", ""), 404);
    ck_assert_int_eq(ask("GET", "/admin/functions/Clean", "", ""), 404);
    ck_assert_int_eq(ask("POST", "/admin/functions/Get", "", ""), 400);
}
END_TEST

/* The first run is held until the schedule has come round twice more. */
START_TEST(a_timer_that_still_runs_is_not_fired_again) {
    stop();
    temp_folder_remove(&folder);
    temp_folder_make(&folder);
    seen.hold_timers = true;
    start("* * * * * *");
    start_handler();
    ck_assert_int_eq(timers_start(timers, &err), STATUS_OK);
    wait_for_timers(1);
    int64_t until_ms = clock_wall_ms(clock_system()) + 2100;
    while (clock_wall_ms(clock_system()) < until_ms) {
        usleep(POLL_US);
    }
    pthread_mutex_lock(&seen.lock);
    ck_assert_int_eq(seen.timer_count, 1);
    seen.hold_timers = false;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
    wait_for_timers(2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_front");
    TCase *tcase = tcase_create("http_front");
    tcase_set_timeout(tcase, 2.0 * DEADLINE_MS / 1000);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_caller_s_own_request_goes_through_unchanged);
    tcase_add_test(tcase, an_invocation_is_described_and_its_answer_becomes_the_response);
    tcase_add_test(tcase, what_has_no_route_and_method_is_not_found);
    tcase_add_test(tcase, without_a_handler_the_answer_is_503_and_without_its_answer_502);
    tcase_add_test(tcase, a_timer_is_fired_by_hand);
    tcase_add_test(tcase, a_timer_that_still_runs_is_not_fired_again);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
