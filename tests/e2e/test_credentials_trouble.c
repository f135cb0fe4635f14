/* Tokens that end, are revoked or cannot be had, while callers call. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check_main.h"
#include "support/http_client.h"
#include "support/login.h"

enum { LOG_TIMEOUT_MS = 30000, STOP_MS = 5000, CLIENTS = 8, HUGE_BYTES = 48 * 1024 * 1024 };
#define PRODUCT "/api/inventory/PROD-001"
#define TWO_UNITS "{\"quantity\":2,\"customerId\":\"CUST-123\"}"

static struct certificates certificates;
static struct azurite azurite;
static struct login login;
static struct app app;

static void start_storage(void) {
    certificates_make(&certificates);
    azurite_start_https(&azurite, AZURITE_IN_MEMORY, &certificates.server);
}

static void stop_storage(void) {
    azurite_release(&azurite);
    certificates_remove(&certificates);
}

static void tear_down(void) {
    app_release(&app);
    login_release(&login);
}

static void prepare(enum login_way way) {
    login_prepare(&login, way, false, &azurite, &certificates);
}

static void wait_for_log(size_t from, const char *text) {
    if (!app_wait_for_log(&app, from, text, LOG_TIMEOUT_MS)) {
        ck_abort_msg("'%s' is not in the log:\n%s", text, process_output_from(&app.process, 0));
    }
}

static void start_handler(void) {
    login_start_handler(&login, &app);
    wait_for_log(0, "listens on");
}

static void stop_handler(void) {
    if (app_stop(&app, SIGTERM) != 0) {
        ck_abort_msg("exit code %d:\n%s", app.process.exit_code, process_output_from(&app.process, 0));
    }
}

static void assert_status(int status, const char *path, const char *body) {
    struct http_reply reply = http_ask((struct http_ask){.port = app.port, .path = path, .body = body});
    if (reply.status != status) {
        ck_abort_msg("%s: %d %s instead of %d\n%s", path, reply.status, reply.body.data, status,
                     process_output_from(&app.process, 0));
    }
    http_reply_release(&reply);
}

/* A caller who cannot be served is told so as the API says, and when to come again. */
static void assert_unavailable(void) {
    struct http_reply reply = http_ask((struct http_ask){.port = app.port, .path = PRODUCT});
    ck_assert_msg(reply.status == 503, "%d %s\n%s", reply.status, reply.body.data,
                  process_output_from(&app.process, 0));
    ck_assert_ptr_nonnull(strstr(reply.body.data, "\"code\":\"StorageUnavailable\""));
    ck_assert_ptr_nonnull(http_headers_get(&reply.headers, "Retry-After"));
    http_reply_release(&reply);
}

static void wait_for_requests(size_t count) {
    if (!identity_server_wait(login.server, count, LOG_TIMEOUT_MS)) {
        ck_abort_msg("%zu requests instead of %zu\n%s", identity_server_count(login.server), count,
                     process_output_from(&app.process, 0));
    }
}

/* --- callers --- */

struct callers {
    pthread_t threads[CLIENTS];
    atomic_bool stop;
    atomic_int answers, failures;
};

static void *call_in_turn(void *context) {
    struct callers *callers = context;
    for (int i = 0; !atomic_load(&callers->stop); i++) {
        static const char *const paths[] = {PRODUCT "/reserve", PRODUCT, PRODUCT "/release"};
        const char *body = i % 3 == 1 ? NULL : TWO_UNITS;
        int status = http_ask_status((struct http_ask){.port = app.port, .path = paths[i % 3], .body = body});
        /* With several callers for one customer, somebody finds all released, or all reserved. */
        bool fine = status == 200 || (i % 3 == 2 && status == 404);
        atomic_fetch_add(fine ? &callers->answers : &callers->failures, 1);
    }
    return NULL;
}

static void start_callers(struct callers *callers) {
    atomic_init(&callers->stop, false), atomic_init(&callers->answers, 0), atomic_init(&callers->failures, 0);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(pthread_create(&callers->threads[i], NULL, call_in_turn, callers), 0);
    }
}

static void stop_callers(struct callers *callers) {
    atomic_store(&callers->stop, true);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(callers->threads[i], NULL);
    }
}

/* --- tokens that end --- */

START_TEST(tokens_that_live_for_seconds_are_renewed_and_nobody_gets_an_error) {
    enum { LIFETIME_S = 4, TOKENS = 5 };
    prepare(LOGIN_SECRET);
    identity_server_answer(login.server, &(struct identity_answer){.lifetime_s = LIFETIME_S});
    start_handler();
    struct callers callers;
    int64_t start_ms = process_now_ms();
    start_callers(&callers);
    wait_for_requests(TOKENS);
    int64_t took_ms = process_now_ms() - start_ms;
    stop_callers(&callers);
    size_t count = identity_server_count(login.server);
    stop_handler();
    ck_assert_msg(callers.failures == 0, "%d of %d\n%s", callers.failures, callers.failures + callers.answers,
                  process_output_from(&app.process, 0));
    ck_assert_int_gt(callers.answers, CLIENTS * 3);
    ck_assert_int_ge(took_ms, LIFETIME_S * 1000); /* the first token has ended meanwhile */
    ck_assert_uint_le(count, TOKENS + 1);         /* one for each half of a lifetime, not one for each caller */
}
END_TEST

START_TEST(those_who_wait_for_the_first_token_share_it) {
    prepare(LOGIN_APP_SERVICE);
    identity_server_answer(login.server, &(struct identity_answer){.hang = true});
    start_handler();
    struct callers callers;
    start_callers(&callers);
    wait_for_requests(1);
    identity_server_answer(login.server, &(struct identity_answer){.delay_ms = 0});
    identity_server_let_go(login.server);
    while (callers.answers < CLIENTS * 3 && callers.failures == 0) {
        sched_yield();
    }
    stop_callers(&callers);
    ck_assert_msg(callers.failures == 0, "%s", process_output_from(&app.process, 0));
    ck_assert_uint_eq(identity_server_count(login.server), 1);
    stop_handler();
}
END_TEST

/* How many requests Azurite answered 403 since `mark`. */
static int refusals_since(size_t mark) {
    char *requests = azurite_requests_since(&azurite, mark);
    int count = 0;
    for (const char *at = requests; (at = strstr(at, "\" 403")) != NULL; at++) {
        count++;
    }
    free(requests);
    return count;
}

START_TEST(a_token_that_storage_refuses_is_replaced_once_and_the_request_repeated) {
    prepare(LOGIN_IMDS);
    identity_server_answer_next(login.server, 1, &(struct identity_answer){.actual_lifetime_s = -60});
    size_t mark = azurite_mark(&azurite);
    start_handler();
    assert_status(200, PRODUCT, NULL);
    assert_status(200, PRODUCT "/reserve", TWO_UNITS);
    assert_status(200, PRODUCT "/release", TWO_UNITS);
    stop_handler();
    ck_assert_uint_eq(identity_server_count(login.server), 2);
    int refusals = refusals_since(mark);
    ck_assert_msg(refusals > 0 && refusals <= 3, "%d", refusals); /* the preparation's and the first caller's */
}
END_TEST

START_TEST(a_token_that_is_revoked_in_mid_traffic_is_replaced_unnoticed) {
    prepare(LOGIN_CERTIFICATE);
    identity_server_answer_next(login.server, 1, &(struct identity_answer){.actual_lifetime_s = 3});
    size_t mark = azurite_mark(&azurite);
    start_handler();
    struct callers callers;
    start_callers(&callers);
    wait_for_requests(2);
    int answers = callers.answers;
    while (callers.answers < answers + 3 * CLIENTS && callers.failures == 0) {
        sched_yield();
    }
    stop_callers(&callers);
    ck_assert_msg(callers.failures == 0, "%s", process_output_from(&app.process, 0));
    ck_assert_uint_eq(identity_server_count(login.server), 2);
    ck_assert_int_gt(refusals_since(mark), 0);
    stop_handler();
}
END_TEST

START_TEST(tokens_that_are_all_refused_are_not_asked_for_without_end) {
    prepare(LOGIN_SECRET);
    login_add_setting(&login, "DistributedLeasing:AcquireTimeout=00:00:01");
    identity_server_answer(login.server, &(struct identity_answer){.actual_lifetime_s = -60});
    start_handler();
    for (int i = 0; i < 20; i++) {
        assert_unavailable();
    }
    wait_for_log(0, "AuthenticationFailed");
    ck_assert_uint_le(identity_server_count(login.server), 4);
    stop_handler();
}
END_TEST

/* --- endpoints in trouble --- */

static char *huge_body(void) {
    static const char start[] = "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"";
    char *body = malloc(HUGE_BYTES);
    ck_assert_ptr_nonnull(body);
    memset(body, 'a', HUGE_BYTES);
    memcpy(body, start, sizeof start - 1);
    memcpy(body + HUGE_BYTES - 2, "\"}", 2);
    return body;
}

#define TOKEN_BODY(token, rest) "{\"token_type\":\"Bearer\",\"access_token\":" token rest "}"
#define AN_HOUR ",\"expires_in\":3600"
#define DEEP_8 "[[[[[[[["
#define DEEP_64 DEEP_8 DEEP_8 DEEP_8 DEEP_8 DEEP_8 DEEP_8 DEEP_8 DEEP_8
#define DEEP_512 DEEP_64 DEEP_64 DEEP_64 DEEP_64 DEEP_64 DEEP_64 DEEP_64 DEEP_64

/* What an endpoint must not get away with, and what the log says of it. */
static const struct trouble {
    const char *name;
    struct identity_answer answer;
    const char *log;
} troubles[] = {
    {"500", {.status = 500}, "500"},
    {"429", {.status = 429, .retry_after_s = 2}, "429"},
    {"refused", {.status = 401}, "AADSTS7000215"},
    {"no JSON", {.body = "<html>Service Unavailable</html>", .body_length = 32}, "not JSON"},
    {"nothing", {.body = "", .body_length = 0}, "not JSON"},
    {"no token", {.body = "{}", .body_length = 2}, "answer"},
    {"a token with a line break",
     {.body = TOKEN_BODY("\"abc\\r\\nX-Evil: yes\"", AN_HOUR)},
     "characters that no token has"},
    {"a token with a NUL", {.body = TOKEN_BODY("\"abc\\u0000def\"", AN_HOUR)}, "not JSON"},
    {"a raw NUL", {.body = "{\"access_token\":\"a\0b\",\"expires_in\":3600}", .body_length = 40}, "not JSON"},
    {"a token that is a number", {.body = TOKEN_BODY("12345", AN_HOUR)}, "no token"},
    {"an empty token", {.body = TOKEN_BODY("\"\"", AN_HOUR)}, "no token"},
    {"a negative lifetime", {.body = TOKEN_BODY("\"abc\"", ",\"expires_in\":-5")}, "expired"},
    {"an absurd lifetime", {.body = TOKEN_BODY("\"abc\"", ",\"expires_in\":9007199254740991")}, "longer than any"},
    {"a lifetime beyond numbers", {.body = TOKEN_BODY("\"abc\"", ",\"expires_in\":1e400")}, "expires"},
    {"a lifetime that is a list", {.body = TOKEN_BODY("\"abc\"", ",\"expires_in\":[3600]")}, "expires"},
    {"no lifetime", {.body = TOKEN_BODY("\"abc\"", "")}, "expires"},
    {"another kind of token", {.body = "{\"token_type\":\"Negotiate\",\"access_token\":\"abc\"" AN_HOUR "}"}, "Bearer"},
    {"deeply nested", {.body = DEEP_512 DEEP_512}, "not JSON"},
    {"a token twice", {.body = TOKEN_BODY("\"abc\"", ",\"access_token\":\"def\"" AN_HOUR)}, "not JSON"},
    {"tens of megabytes", {.body_length = HUGE_BYTES}, ""},
};
enum { TROUBLES = sizeof troubles / sizeof *troubles };

/* `huge` is what stands for the body of tens of megabytes. */
static struct identity_answer answer_of(const struct trouble *trouble, const char *huge) {
    struct identity_answer answer = trouble->answer;
    if (answer.body == NULL && answer.body_length > 0) {
        answer.body = huge;
    } else if (answer.body != NULL && answer.body_length == 0) {
        answer.body_length = strlen(answer.body);
    }
    return answer;
}

/* Ten at once is quicker than each with a program of its own after the other, and says the same. */
START_TEST(without_a_token_the_caller_gets_503_and_the_log_says_why) {
    const struct trouble *trouble = &troubles[_i];
    char *huge = huge_body();
    const struct identity_answer answer = answer_of(trouble, huge);
    prepare(LOGIN_SECRET);
    login_add_setting(&login, "DistributedLeasing:AcquireTimeout=00:00:00.100");
    identity_server_answer(login.server, &answer);
    start_handler();
    wait_for_requests(1);
    wait_for_log(0, "No token to sign in to storage with");
    wait_for_log(0, trouble->log);
    ck_assert_ptr_null(strstr(process_output_from(&app.process, 0), "X-Evil"));
    assert_unavailable();
    stop_handler();
    free(huge);
}
END_TEST

START_TEST(while_the_present_token_is_good_no_trouble_is_noticed) {
    static const int chosen[] = {0, 3, 6, 12, TROUBLES - 1};
    char *huge = huge_body();
    prepare(LOGIN_WORKLOAD);
    const struct identity_answer good = {.refresh_in_s = 1};
    identity_server_answer(login.server, &good);
    start_handler();
    assert_status(200, PRODUCT, NULL);
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        const struct identity_answer answer = answer_of(&troubles[chosen[i]], huge);
        size_t from = process_output_length(&app.process);
        identity_server_answer_next(login.server, 1, &answer);
        wait_for_log(from, "could not be renewed; it is good for another");
        assert_status(200, PRODUCT "/reserve", TWO_UNITS);
        assert_status(200, PRODUCT "/release", TWO_UNITS);
        wait_for_log(from, "Signed in to storage again");
    }
    stop_handler();
    free(huge);
}
END_TEST

START_TEST(an_endpoint_that_comes_back_is_found_again) {
    prepare(LOGIN_APP_SERVICE);
    login_add_setting(&login, "DistributedLeasing:AcquireTimeout=00:00:01");
    identity_server_answer_next(login.server, 1, &(struct identity_answer){.lifetime_s = 3});
    identity_server_answer(login.server, &(struct identity_answer){.status = 500});
    start_handler();
    assert_status(200, PRODUCT, NULL);
    wait_for_log(0, "No token to sign in to storage with"); /* the first has ended */
    assert_unavailable();
    identity_server_answer(login.server, &(struct identity_answer){.status = 0});
    wait_for_log(0, "Signed in to storage again");
    assert_status(200, PRODUCT, NULL);
    stop_handler();
}
END_TEST

static const int imds_statuses[] = {404, 410, 429, 500};

START_TEST(imds_is_asked_again_as_it_wants_to_be) {
    prepare(LOGIN_IMDS);
    const struct identity_answer answer = {.status = imds_statuses[_i],
                                           .retry_after_s = imds_statuses[_i] == 429 ? 3 : 0};
    identity_server_answer_next(login.server, 1, &answer);
    start_handler();
    wait_for_requests(1);
    int64_t asked_ms = process_now_ms();
    wait_for_requests(2);
    int64_t waited_ms = process_now_ms() - asked_ms;
    assert_status(200, PRODUCT, NULL);
    ck_assert_int_ge(waited_ms, answer.retry_after_s > 0 ? 2900 : 900); /* what was seen is a moment late */
    ck_assert_int_le(waited_ms, 10000);
    stop_handler();
}
END_TEST

START_TEST(a_slow_endpoint_is_waited_for) {
    prepare(LOGIN_IMDS);
    identity_server_answer(login.server, &(struct identity_answer){.delay_ms = 2000});
    start_handler();
    assert_status(200, PRODUCT, NULL);
    ck_assert_uint_eq(identity_server_count(login.server), 1);
    stop_handler();
}
END_TEST

START_TEST(an_endpoint_that_is_not_there_is_told) {
    prepare(LOGIN_NONE);
    login_add_setting(&login, "DistributedLeasing:Authentication:Mode=ManagedIdentity");
    login_add_setting(&login, "DistributedLeasing:AcquireTimeout=00:00:01");
    start_handler();
    wait_for_log(0, "No token to sign in to storage with");
    wait_for_log(0, "IMDS");
    assert_unavailable();
    stop_handler();
}
END_TEST

/* --- stopping --- */

static void assert_stops_in_time(void) {
    int64_t start_ms = process_now_ms();
    stop_handler();
    ck_assert_int_le(process_now_ms() - start_ms, STOP_MS);
}

static void *ask_once(void *status) {
    *(int *)status = http_ask_status((struct http_ask){.port = app.port, .path = PRODUCT});
    return NULL;
}

static const enum login_way waited_for[] = {LOGIN_APP_SERVICE, LOGIN_IMDS, LOGIN_WORKLOAD, LOGIN_CERTIFICATE};

START_TEST(a_stop_does_not_wait_for_an_endpoint_that_hangs) {
    prepare(waited_for[_i]);
    identity_server_answer(login.server, &(struct identity_answer){.hang = true});
    start_handler();
    wait_for_requests(1);
    pthread_t caller;
    int status = 0;
    ck_assert_int_eq(pthread_create(&caller, NULL, ask_once, &status), 0);
    assert_stops_in_time();
    pthread_join(caller, NULL);
    ck_assert_msg(status == 503 || status == 0, "%d", status); /* 0: it came too late to be served at all */
}
END_TEST

static void wait_for_az(void) {
    int64_t deadline_ms = process_now_ms() + LOG_TIMEOUT_MS;
    bool called = false;
    while (!called) {
        char *calls = az_stub_calls(&login.az);
        called = calls[0] != '\0';
        free(calls);
        ck_assert_int_lt(process_now_ms(), deadline_ms);
        sched_yield();
    }
}

START_TEST(a_stop_ends_an_az_that_hangs) {
    prepare(LOGIN_CLI);
    az_stub_hang(&login.az);
    start_handler();
    wait_for_az();
    assert_stops_in_time(); /* that az and its children have gone as well, tools/run-tests.sh sees */
}
END_TEST

static const struct {
    const char *script, *log;
} az_troubles[] = {
    {"echo \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n", "az login"},
    {"echo no JSON at all\n", "not JSON"},
    {"exit 0\n", "az"},
    {"kill -KILL $$\n", "az"},
    {"while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; "
     "done\n",
     "az"},
    {"while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa >&2; "
     "done\n",
     "az"},
};

START_TEST(an_az_in_trouble_is_told_and_asked_again) {
    prepare(LOGIN_CLI);
    login_add_setting(&login, "DistributedLeasing:AcquireTimeout=00:00:00.100");
    az_stub_do(&login.az, az_troubles[_i].script);
    start_handler();
    wait_for_log(0, "No token to sign in to storage with");
    wait_for_log(0, az_troubles[_i].log);
    assert_unavailable();
    az_stub_answer(&login.az, login.cli_token, 3600);
    wait_for_log(0, "Signed in to storage again");
    assert_status(200, PRODUCT, NULL);
    stop_handler();
}
END_TEST

static TCase *add_case(Suite *suite, const char *name) {
    TCase *tcase = tcase_create(name);
    tcase_add_unchecked_fixture(tcase, start_storage, stop_storage);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void) {
    Suite *suite = suite_create("credentials_trouble");
    TCase *ends = add_case(suite, "tokens that end");
    tcase_add_test(ends, tokens_that_live_for_seconds_are_renewed_and_nobody_gets_an_error);
    tcase_add_test(ends, those_who_wait_for_the_first_token_share_it);
    tcase_add_test(ends, a_token_that_storage_refuses_is_replaced_once_and_the_request_repeated);
    tcase_add_test(ends, a_token_that_is_revoked_in_mid_traffic_is_replaced_unnoticed);
    tcase_add_test(ends, tokens_that_are_all_refused_are_not_asked_for_without_end);
    TCase *trouble = add_case(suite, "endpoints in trouble");
    tcase_add_loop_test(trouble, without_a_token_the_caller_gets_503_and_the_log_says_why, 0, TROUBLES);
    tcase_add_test(trouble, while_the_present_token_is_good_no_trouble_is_noticed);
    tcase_add_test(trouble, an_endpoint_that_comes_back_is_found_again);
    tcase_add_loop_test(trouble, imds_is_asked_again_as_it_wants_to_be, 0,
                        sizeof imds_statuses / sizeof *imds_statuses);
    tcase_add_test(trouble, a_slow_endpoint_is_waited_for);
    tcase_add_test(trouble, an_endpoint_that_is_not_there_is_told);
    TCase *stopping = add_case(suite, "stopping");
    tcase_add_loop_test(stopping, a_stop_does_not_wait_for_an_endpoint_that_hangs, 0,
                        sizeof waited_for / sizeof *waited_for);
    tcase_add_test(stopping, a_stop_ends_an_az_that_hangs);
    tcase_add_loop_test(stopping, an_az_in_trouble_is_told_and_asked_again, 0,
                        sizeof az_troubles / sizeof *az_troubles);
    return check_main(suite);
}
