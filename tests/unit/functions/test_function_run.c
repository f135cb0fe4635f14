/* Functions as dispatch runs them: those that end at once, soon, or when somebody ends them. */
#include "functions/function.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "functions/api_answer.h"
#include "functions/dispatch.h"
#include "http/loop_call.h"
#include "server/http_server.h"
#include "support/calls/raw_http.h"
#include "support/processes/check_main.h"

enum {
    MAX_IN_HAND = 8,
    ANSWER_BYTES = 64 * 1024,
    EXTRA_BYTES = 500,
    REQUEST_TIMEOUT_MS = 30 * 1000
};

/* A sanitizer tells of an allocation that is too large, and the runner takes that for a failure. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MAY_ASK_FOR_TOO_MUCH = false };
#else
enum { MAY_ASK_FOR_TOO_MUCH = true };
#endif

#define ID "6c8e5a31-0000-0000-0000-000000000000"
#define PAYLOAD(method)                        \
    "{\"Data\":{\"req\":{\"Method\":\"" method \
    "\",\"Params\":{\"productId\":\"P-1\"},\"Body\":\"hi\"}},\"Metadata\":{}}"
#define TIMER_PAYLOAD "{\"Data\":{\"timer\":{}},\"Metadata\":{}}"

/* ---- the functions ---- */

struct later {
    struct function_run run; /* first */
    struct loop_timer timer;
    char extra[EXTRA_BYTES];
};

static struct event_loop *loop;
static struct later *waiting; /* of the loop's thread */
static sem_t started;
static atomic_int start_count;

static bool is_zero(const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Answers with what it was given. */
static void end_run(struct function_run *run) {
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "product", function_request_param(&run->request, "productId"));
    if (function_request_param(&run->request, "reservationId")[0] != '\0') {
        cJSON_AddStringToObject(body, "reservation",
                                function_request_param(&run->request, "reservationId"));
    }
    cJSON_AddStringToObject(body, "body", run->request.body == NULL ? "" : run->request.body);
    cJSON_AddStringToObject(body, "id", run->correlation.invocation_id);
    api_answer_json(run->response, 200, body, 0);
    function_run_end(run);
}

static void end_waiting(void *context) {
    struct later *later = context;
    end_run(&later->run);
}

/* Waits for the test to end it. */
static void start_later(struct function_run *run) {
    struct later *later = (struct later *)run;
    ck_assert(event_loop_is_current(loop));
    ck_assert(is_zero(later->extra, sizeof later->extra));
    ck_assert_ptr_eq(correlation_current(), &run->correlation);
    memset(later->extra, 'x', sizeof later->extra);
    waiting = later;
    atomic_fetch_add(&start_count, 1);
    sem_post(&started);
}

/* Ends by itself, when the loop comes to it. */
static void start_soon(struct function_run *run) {
    struct later *later = (struct later *)run;
    later->timer = (struct loop_timer){.fired = end_waiting, .context = later};
    event_loop_set_timer(loop, &later->timer, 0);
}

static void start_now(struct function_run *run) {
    end_run(run);
}

static void start_in_vain(struct function_run *run) {
    const struct error err = {.status = STATUS_UNAVAILABLE, .message = "storage is away"};
    api_answer_failure(run->response, err.status, "Starting", NULL, &err);
    function_run_end(run);
}

static const struct function_handler later = {start_later, sizeof(struct later)};
static const struct function_handler soon = {start_soon, sizeof(struct later)};
static const struct function_handler now = {start_now, sizeof(struct function_run)};
static const struct function_handler in_vain = {start_in_vain, sizeof(struct function_run)};
static const struct function_handler huge = {start_now, SIZE_MAX / 4};

static const struct function table[] = {
    {"Later", "POST", "inventory/{productId}/later", &later},
    {"Soon", "POST", "inventory/{productId}/soon", &soon},
    {"Now", "POST", "inventory/{productId}/now", &now},
    {"InVain", "POST", "inventory/{productId}/in-vain", &in_vain},
    {"Put", "PUT", "inventory/{productId}/now", &now},
    {"Confirm", "POST", "inventory/{productId}/reservations/{reservationId}/confirm", &now},
    {"Huge", "POST", "inventory/{productId}/huge", &huge},
    {"Timer", NULL, NULL, &in_vain},
    {0}};

/* ---- calls ---- */

static struct dispatch dispatch;

struct caller {
    struct http_inbound inbound; /* first */
    struct http_headers headers;
    struct loop_call call;
    bool is_answered;
};

static struct caller caller;
static sem_t answered;

static void set_up(void) {
    ck_assert_int_eq(event_loop_new(&loop, clock_system(), NULL), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, NULL), STATUS_OK);
    dispatch =
        (struct dispatch){.functions = table, .random = random_system(), .route_prefix = "api"};
    sem_init(&started, 0, 0), sem_init(&answered, 0, 0);
    caller.is_answered = false;
    atomic_store(&start_count, 0);
    http_headers_init(&caller.headers);
    http_response_init(&caller.inbound.response, ANSWER_BYTES);
}

static void tear_down(void) {
    event_loop_stop(loop);
    event_loop_free(loop);
    http_response_cleanup(&caller.inbound.response);
    http_headers_cleanup(&caller.headers);
    sem_destroy(&started), sem_destroy(&answered);
}

static void await(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0) { /* interrupted by a signal */
    }
}

static void on_answered(struct http_inbound *inbound) {
    ck_assert(event_loop_is_current(loop));
    ck_assert(!((struct caller *)inbound)->is_answered);
    ((struct caller *)inbound)->is_answered = true;
    sem_post(&answered);
}

static void begin(void *context) {
    (void)context;
    dispatch_request(&dispatch, &caller.inbound);
    ck_assert_ptr_null(correlation_current()); /* the call is over, even if the run is not */
    loop_call_end(&caller.call);
}

static void call_with(const char *method, const char *path, const char *body) {
    http_headers_add(&caller.headers, "x-ms-invocation-id", ID);
    caller.inbound.request = (struct http_request){.method = method,
                                                   .path = path,
                                                   .query = "",
                                                   .headers = &caller.headers,
                                                   .body = body,
                                                   .body_length = strlen(body)};
    caller.inbound.answered = on_answered;
    loop_call_run(&caller.call, loop, begin, NULL);
}

static void call(const char *path, const char *body) {
    call_with("POST", path, body);
}

static void end_on_loop(void *context) {
    struct loop_call *ending = context;
    end_run(&waiting->run);
    loop_call_end(ending);
}

static void end_started(void) {
    struct loop_call ending;
    loop_call_run(&ending, loop, end_on_loop, &ending);
}

static void assert_answer(int status, const char *what) {
    const struct http_response *response = &caller.inbound.response;
    await(&answered);
    ck_assert_int_eq(response->status, status);
    ck_assert_msg(strstr(response->body.data, what) != NULL, "%s", response->body.data);
    ck_assert_str_eq(http_headers_get(&response->headers, "Content-Type"), "application/json");
}

#define GIVEN "{\"product\":\"P-1\",\"body\":\"hi\",\"id\":\"" ID "\"}"
#define GIVEN_IN_ENVELOPE \
    "\"body\":\"{\\\"product\\\":\\\"P-1\\\",\\\"body\\\":\\\"hi\\\",\\\"id\\\":\\\"" ID "\\\"}\""

/* ---- asynchronous functions ---- */

static const struct {
    const char *path, *name;
} quick[] = {{"/api/inventory/P-1/now", "/Now"}, {"/api/inventory/P-1/soon", "/Soon"}};

START_TEST(a_caller_gets_the_answer_of_a_function_of_any_kind) {
    call(quick[_i].path, "hi");
    assert_answer(200, GIVEN);
    ck_assert_str_eq(http_headers_get(&caller.inbound.response.headers, "x-ms-request-id"), ID);
}
END_TEST

START_TEST(an_invocation_gets_it_in_its_envelope) {
    call(quick[_i].name, PAYLOAD("POST"));
    assert_answer(200, GIVEN_IN_ENVELOPE);
    ck_assert_ptr_nonnull(
        strstr(caller.inbound.response.body.data, "\"x-ms-request-id\":\"" ID "\""));
}
END_TEST

static const struct {
    const char *path, *body, *answer;
} shapes[] = {{"/api/inventory/%50-1/later", "hi", GIVEN},
              {"/Later", PAYLOAD("POST"), GIVEN_IN_ENVELOPE}};

START_TEST(a_run_keeps_its_request_until_it_ends) {
    call(shapes[_i].path, shapes[_i].body);
    await(&started);
    ck_assert(!caller.is_answered);
    end_started();
    assert_answer(200, shapes[_i].answer);
}
END_TEST

START_TEST(a_function_that_fails_to_start_answers_with_its_failure) {
    call("/api/inventory/P-1/in-vain", "hi");
    assert_answer(503, "StorageUnavailable");
}
END_TEST

START_TEST(a_function_that_fails_to_start_tells_the_invocation) {
    call("/InVain", PAYLOAD("POST"));
    assert_answer(200, "\"statusCode\":\"503\"");
}
END_TEST

START_TEST(a_timer_s_function_that_fails_to_start_gives_its_reason) {
    call("/Timer", TIMER_PAYLOAD);
    assert_answer(503, "StorageUnavailable");
    ck_assert_msg(strncmp(caller.inbound.response.reason, "StorageUnavailable: ", 20) == 0, "%s",
                  caller.inbound.response.reason);
}
END_TEST

START_TEST(a_run_that_finds_no_memory_is_an_internal_error) {
    call("/api/inventory/P-1/huge", "hi");
    assert_answer(500, "InternalError");
}
END_TEST

START_TEST(an_invocation_s_run_that_finds_no_memory_is_an_internal_error) {
    call("/Huge", PAYLOAD("POST"));
    assert_answer(200, "\"statusCode\":\"500\"");
}
END_TEST

START_TEST(a_function_is_not_started_for_another_method_or_a_payload_that_is_none) {
    call("/Later", PAYLOAD("GET"));
    assert_answer(200, "\"statusCode\":\"405\"");
    http_response_cleanup(&caller.inbound.response);
    http_response_init(&caller.inbound.response, ANSWER_BYTES);
    caller.is_answered = false;
    call("/Later", "{}");
    assert_answer(200, "\"statusCode\":\"400\"");
    ck_assert_int_eq(atomic_load(&start_count), 0);
}
END_TEST

/* ---- with a server ---- */

static struct http_server *server;
static struct raw_response answer;

static void set_up_server(void) {
    set_up();
    struct http_server_options options = {.max_in_hand = MAX_IN_HAND,
                                          .max_body_bytes = ANSWER_BYTES,
                                          .max_response_bytes = ANSWER_BYTES,
                                          .request_timeout_ms = REQUEST_TIMEOUT_MS,
                                          .on_refusal = dispatch_refusal};
    ck_assert_int_eq(http_server_start(&server, loop, &options, dispatch_request, &dispatch, NULL),
                     STATUS_OK);
}

static void tear_down_server(void) {
    http_server_stop(server);
    raw_response_cleanup(&answer);
    tear_down();
}

#define POST(action)                                                                    \
    "POST /api/inventory/P-1/" action " HTTP/1.1\r\nHost: h\r\nx-ms-invocation-id: " ID \
    "\r\nContent-Length: 2\r\n\r\nhi"

static int send_on_new(const char *text) {
    int fd = raw_http_connect(http_server_port(server));
    ck_assert(raw_http_send(fd, text));
    return fd;
}

static void assert_served(int fd) {
    raw_http_read(fd, &answer, false);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, GIVEN);
}

static void assert_idle(void) {
    ck_assert(http_server_wait_idle(server, RAW_HTTP_TIMEOUT_S * INT64_C(1000)));
}

START_TEST(functions_of_all_kinds_share_a_connection) {
    int fd = send_on_new(POST("now") POST("soon") POST("later") POST("now") POST("soon"));
    assert_served(fd), assert_served(fd);
    await(&started);
    end_started();
    assert_served(fd), assert_served(fd), assert_served(fd);
    close(fd);
    assert_idle();
}
END_TEST

START_TEST(a_run_whose_caller_has_gone_ends_all_the_same) {
    int fd = send_on_new(POST("later"));
    await(&started);
    close(fd);
    fd = send_on_new(POST("now")); /* its answer proves that the server has heard of the end */
    assert_served(fd);
    ck_assert(!http_server_wait_idle(server, 0));
    end_started();
    assert_idle();
    close(fd);
}
END_TEST

START_TEST(a_run_under_way_is_answered_while_the_server_drains) {
    int fd = send_on_new(POST("later"));
    await(&started);
    http_server_drain(server);
    ck_assert(!http_server_wait_idle(server, 0));
    end_started();
    assert_idle();
    assert_served(fd);
    char connection[16];
    ck_assert_str_eq(raw_response_header(&answer, "Connection", connection, sizeof connection),
                     "close");
    close(fd);
}
END_TEST

/* ---- routes ---- */

START_TEST(a_route_may_have_several_parameters) {
    call("/api/inventory/P%2D1/reservations/R%201/Confirm/", "hi");
    assert_answer(200, "{\"product\":\"P-1\",\"reservation\":\"R 1\",\"body\":\"hi\"");
}
END_TEST

START_TEST(a_payload_has_all_parameters_of_the_route) {
    call("/Confirm",
         "{\"Data\":{\"req\":{\"Method\":\"POST\",\"Params\":{\"reservationId\":\"R 1\","
         "\"productId\":\"P-1\"}}},\"Metadata\":{}}");
    assert_answer(200, "\"{\\\"product\\\":\\\"P-1\\\",\\\"reservation\\\":\\\"R 1\\\"");
}
END_TEST

START_TEST(functions_with_one_route_are_told_apart_by_their_methods) {
    call_with("PUT", "/api/inventory/P-1/now", "hi");
    assert_answer(200, GIVEN);
}
END_TEST

START_TEST(a_refused_method_is_told_all_that_are_allowed) {
    call_with("GET", "/api/inventory/P-1/now", "");
    assert_answer(405, "Only POST, PUT is allowed here.");
    ck_assert_str_eq(http_headers_get(&caller.inbound.response.headers, "Allow"), "POST, PUT");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("function_run");
    TCase *runs = tcase_create("runs");
    tcase_add_checked_fixture(runs, set_up, tear_down);
    tcase_add_loop_test(runs, a_caller_gets_the_answer_of_a_function_of_any_kind, 0, 2);
    tcase_add_loop_test(runs, an_invocation_gets_it_in_its_envelope, 0, 2);
    tcase_add_loop_test(runs, a_run_keeps_its_request_until_it_ends, 0, 2);
    tcase_add_test(runs, a_function_that_fails_to_start_answers_with_its_failure);
    tcase_add_test(runs, a_function_that_fails_to_start_tells_the_invocation);
    tcase_add_test(runs, a_timer_s_function_that_fails_to_start_gives_its_reason);
    if (MAY_ASK_FOR_TOO_MUCH) {
        tcase_add_test(runs, a_run_that_finds_no_memory_is_an_internal_error);
        tcase_add_test(runs, an_invocation_s_run_that_finds_no_memory_is_an_internal_error);
    }
    tcase_add_test(runs, a_function_is_not_started_for_another_method_or_a_payload_that_is_none);
    suite_add_tcase(suite, runs);
    TCase *routes = tcase_create("routes");
    tcase_add_checked_fixture(routes, set_up, tear_down);
    tcase_add_test(routes, a_route_may_have_several_parameters);
    tcase_add_test(routes, a_payload_has_all_parameters_of_the_route);
    tcase_add_test(routes, functions_with_one_route_are_told_apart_by_their_methods);
    tcase_add_test(routes, a_refused_method_is_told_all_that_are_allowed);
    suite_add_tcase(suite, routes);
    TCase *served = tcase_create("served");
    tcase_add_checked_fixture(served, set_up_server, tear_down_server);
    tcase_add_test(served, functions_of_all_kinds_share_a_connection);
    tcase_add_test(served, a_run_whose_caller_has_gone_ends_all_the_same);
    tcase_add_test(served, a_run_under_way_is_answered_while_the_server_drains);
    suite_add_tcase(suite, served);
    return check_main(suite);
}
