/* timers: what a timer's handler is told, when it runs, and what its answers are taken for. */
#include "devhost/timers.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "devhost/timer_status.h"
#include "support/fakes/stub_host.h"
#include "support/processes/check_main.h"
#include "support/processes/stdout_capture.h"

enum { BODY_BYTES = 4096, DEADLINE_MS = 20000, TIMEOUT_MS = 700, OUTPUT_BYTES = 64 * 1024 };

#define GOOD "{\"Outputs\":{},\"Logs\":[\"a log line\"],\"ReturnValue\":{\"n\":1}}"
#define JSON "Content-Type: application/json; charset=utf-8\r\n"

static struct stub_host host;
static struct temp_folder state;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const char *status;
    const char *headers;
    const char *body;
    char told[BODY_BYTES]; /* the last request's body */
    bool is_chunked;
    int count;
    bool hold;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static bool serve(void *context, const struct stub_request *request) {
    (void)context;
    pthread_mutex_lock(&seen.lock);
    snprintf(seen.told, sizeof seen.told, "%s", request->body);
    seen.is_chunked = request->is_chunked;
    seen.count++;
    pthread_cond_broadcast(&seen.changed);
    while (seen.hold) {
        pthread_cond_wait(&seen.changed, &seen.lock);
    }
    pthread_mutex_unlock(&seen.lock);
    return stub_handler_answer(request, seen.status, seen.headers, seen.body);
}

static void set_up(void) {
    seen.status = "200 OK";
    seen.headers = JSON;
    seen.body = GOOD;
    seen.count = 0;
    seen.hold = false;
    setenv("TZ", "UTC-2", 1); /* two hours before Greenwich */
    tzset();
    temp_folder_make(&state);
    stdout_capture_start();
}

static void tear_down(void) {
    stub_host_stop(&host);
    stdout_capture_stop();
    temp_folder_remove(&state);
}

static void start(const char *schedule) {
    stub_host_start(&host, &(struct stub_host_options){.shape = HOST_SHAPE_PROXY,
                                                       .schedule = schedule,
                                                       .state = state.path,
                                                       .timeout_ms = 60000});
    stub_host_handle(&host, serve, NULL);
    struct error err;
    ck_assert_int_eq(timers_start(host.timers, &err), STATUS_OK);
}

/* Waits until the handler was called `count` times. */
static void wait_for_runs(int count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_MS / 1000;
    pthread_mutex_lock(&seen.lock);
    while (seen.count < count) {
        ck_assert_msg(pthread_cond_timedwait(&seen.changed, &seen.lock, &until) == 0,
                      "%d runs, not %d", seen.count, count);
    }
    pthread_mutex_unlock(&seen.lock);
}

static void let_go(void) {
    pthread_mutex_lock(&seen.lock);
    seen.hold = false;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

/* Waits until the host has printed `text`. */
static void wait_for_output(const char *text) {
    static char printed[OUTPUT_BYTES];
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    do {
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "\"%s\" is not in: %s", text,
                      printed);
        usleep(1000);
        stdout_capture_read(printed, sizeof printed);
    } while (strstr(printed, text) == NULL);
}

/* The timer's part of the last request; to be deleted. */
static cJSON *told(void) {
    cJSON *root = NULL;
    pthread_mutex_lock(&seen.lock);
    ck_assert_int_eq(json_parse(seen.told, strlen(seen.told), &root, NULL), STATUS_OK);
    pthread_mutex_unlock(&seen.lock);
    return root;
}

static const cJSON *timer_of(const cJSON *root) {
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "Data"),
                                            "timer");
}

static bool is_past_due(void) {
    cJSON *root = told();
    bool past_due = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(timer_of(root), "IsPastDue"));
    cJSON_Delete(root);
    return past_due;
}

START_TEST(a_run_is_told_in_chunks_and_its_answer_is_printed) {
    start("0 0 0 30 2 *");
    ck_assert(timers_fire(host.timers, host_config_find(&host.config, "Clean")));
    wait_for_output("Executed 'Functions.Clean' (Succeeded");
    wait_for_output("a log line");
    wait_for_output("ReturnValue: {\"n\":1}");
    ck_assert(seen.is_chunked);
}
END_TEST

/* status, headers, body, what is printed */
static const char *const failures[][4] = {
    {"503 StorageUnavailable: no answer", JSON, "{\"error\":{\"code\":\"secret\"}}",
     "Response status code does not indicate success: 503 (StorageUnavailable: no answer)."},
    {"404 Not Found", JSON, "", "404 (Not Found)"},
    {"200 OK", JSON, "[]", "not a JSON object"},
    {"200 OK", JSON, "5", "not a JSON object"},
    {"200 OK", JSON, "{", "cannot be read"},
    {"200 OK", JSON, "nullx", "cannot be read"},
    {"200 OK", "Content-Type: text/plain\r\n", GOOD, "is not application/json"},
    {"200 OK", "Content-Type: application/jsonx\r\n", GOOD, "is not application/json"},
    {"200 OK", "", GOOD, "is not application/json"},
};

START_TEST(a_failed_run_tells_the_reason_phrase_and_drops_the_body) {
    seen.status = failures[_i][0];
    seen.headers = failures[_i][1];
    seen.body = failures[_i][2];
    start("0 0 0 30 2 *");
    ck_assert(timers_fire(host.timers, host_config_find(&host.config, "Clean")));
    wait_for_output(failures[_i][3]);
    wait_for_output("Executed 'Functions.Clean' (Failed");
    char printed[OUTPUT_BYTES];
    ck_assert_uint_gt(stdout_capture_read(printed, sizeof printed), 0);
    ck_assert_ptr_null(strstr(printed, "secret"));
}
END_TEST

static const char *const nothings[][3] = {{"200 OK", JSON, "null"},
                                          {"200 OK", JSON, " null\r\n"},
                                          {"200 OK", JSON, ""},
                                          {"200 OK", "", ""},
                                          {"204 No Content", JSON, ""}};

START_TEST(an_answer_that_says_nothing_hangs_until_the_timeout_which_restarts_the_handler) {
    seen.status = nothings[_i][0];
    seen.headers = nothings[_i][1];
    seen.body = nothings[_i][2];
    start("0 0 0 30 2 *");
    host.config.function_timeout_ms = TIMEOUT_MS;
    int pid = stub_host_pid(&host, 0);
    int64_t start_ms = clock_now_ms(clock_system());
    ck_assert(timers_fire(host.timers, host_config_find(&host.config, "Clean")));
    stub_host_pid(&host, pid);
    ck_assert_int_ge(clock_now_ms(clock_system()) - start_ms, TIMEOUT_MS);
    wait_for_output("Timeout value of 00:00:00.7000000 exceeded by function 'Functions.Clean'");
}
END_TEST

START_TEST(a_schedule_faster_than_a_minute_has_no_status) {
    start("* * * * * *");
    wait_for_runs(2);
    cJSON *root = told();
    ck_assert(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(timer_of(root), "ScheduleStatus")));
    cJSON_Delete(root);
    struct timer_status status;
    ck_assert(!timer_status_load(&status, state.path, "Clean"));
}
END_TEST

START_TEST(a_first_run_never_had_a_last_and_times_are_local) {
    start("00:01:00");
    ck_assert(timers_fire(host.timers, host_config_find(&host.config, "Clean")));
    wait_for_runs(1);
    cJSON *root = told();
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(timer_of(root), "ScheduleStatus");
    ck_assert_str_eq(json_string(status, "Last"), "0001-01-01T00:00:00+00:00");
    const char *next = json_string(status, "Next");
    ck_assert_msg(strcmp(next + strlen(next) - 6, "+02:00") == 0, "%s", next);
    cJSON_Delete(root);
}
END_TEST

/*
 * The first run lasts over several of its times: one run follows, which is not past due, and the
 * others are dropped.
 */
START_TEST(a_run_that_outlasts_its_period_is_followed_by_one) {
    seen.hold = true;
    start("* * * * * *");
    wait_for_runs(1);
    int64_t until_ms = clock_wall_ms(clock_system()) + 3200;
    while (clock_wall_ms(clock_system()) < until_ms) {
        usleep(1000);
    }
    ck_assert_int_eq(seen.count, 1);
    int64_t free_ms = clock_wall_ms(clock_system());
    let_go();
    wait_for_runs(2);
    ck_assert(!is_past_due());
    wait_for_runs(3);
    ck_assert_int_ge(clock_wall_ms(clock_system()) / 1000,
                     free_ms / 1000 + 1); /* its own second, not one made up for */
}
END_TEST

START_TEST(a_run_that_was_missed_is_made_up_for_once_at_start) {
    int64_t now_ms = clock_wall_ms(clock_system());
    int64_t last_ms = now_ms - 100 * INT64_C(3600000);
    const struct timer_status stored = {last_ms, last_ms + 50 * INT64_C(3600000), last_ms};
    ck_assert(timer_status_store(&stored, state.path, "Clean"));
    start("2.02:00:00");
    wait_for_output("Executed 'Functions.Clean' (Succeeded");
    ck_assert(is_past_due());
    struct timer_status status;
    do {
        ck_assert(timer_status_load(&status, state.path, "Clean"));
    } while (status.last_ms < now_ms);
    ck_assert_int_eq(status.next_ms, status.last_ms + 50 * INT64_C(3600000));
    ck_assert_int_eq(seen.count, 1);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void) {
    Suite *suite = suite_create("timers");
    TCase *tcase = tcase_create("timers");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_run_is_told_in_chunks_and_its_answer_is_printed);
    tcase_add_loop_test(tcase, a_failed_run_tells_the_reason_phrase_and_drops_the_body, 0,
                        COUNT(failures));
    tcase_add_loop_test(
        tcase, an_answer_that_says_nothing_hangs_until_the_timeout_which_restarts_the_handler, 0,
        COUNT(nothings));
    tcase_add_test(tcase, a_schedule_faster_than_a_minute_has_no_status);
    tcase_add_test(tcase, a_first_run_never_had_a_last_and_times_are_local);
    tcase_add_test(tcase, a_run_that_outlasts_its_period_is_followed_by_one);
    tcase_add_test(tcase, a_run_that_was_missed_is_made_up_for_once_at_start);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
