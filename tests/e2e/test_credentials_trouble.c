/* Endpoints that give no token: down, slow, or answering what is no answer. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/checks/jwt.h"
#include "support/processes/login_steps.h"

enum { HUGE_BYTES = 48 * 1024 * 1024 };
#define TWO_UNITS "{\"quantity\":2,\"customerId\":\"CUST-123\"}"

/* --- endpoints in trouble --- */

static char *huge_body(void) {
    static const char start[] =
        "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"";
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
    {"a raw NUL",
     {.body = "{\"access_token\":\"a\0b\",\"expires_in\":3600}", .body_length = 40},
     "not JSON"},
    {"a token that is a number", {.body = TOKEN_BODY("12345", AN_HOUR)}, "no token"},
    {"an empty token", {.body = TOKEN_BODY("\"\"", AN_HOUR)}, "no token"},
    {"another kind of token",
     {.body = "{\"token_type\":\"Negotiate\",\"access_token\":\"abc\"" AN_HOUR "}"},
     "Bearer"},
    {"deeply nested", {.body = DEEP_512 DEEP_512}, "not JSON"},
    {"a token twice",
     {.body = TOKEN_BODY("\"abc\"", ",\"access_token\":\"def\"" AN_HOUR)},
     "not JSON"},
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

/* One app that meets one trouble, and a caller of its own. */
struct victim {
    struct login login;
    struct app app;
    pthread_t caller;
    struct http_reply reply;
};

static void *ask_victim(void *context) {
    struct victim *victim = context;
    victim->reply = http_ask((struct http_ask){.port = victim->app.port, .path = PRODUCT});
    return NULL;
}

static void start_victim(struct victim *victim, const struct trouble *trouble, const char *huge) {
    const struct identity_answer answer = answer_of(trouble, huge);
    login_prepare(&victim->login, LOGIN_SECRET, false, &azurite, &certificates);
    identity_server_answer(victim->login.server, &answer);
    login_start_handler(&victim->login, &victim->app);
}

static void call_victim(struct victim *victim) {
    ck_assert(app_wait_for_log(&victim->app, 0, "listens on", LOG_TIMEOUT_MS));
    ck_assert_int_eq(pthread_create(&victim->caller, NULL, ask_victim, victim), 0);
}

static void judge_victim(struct victim *victim, const struct trouble *trouble) {
    pthread_join(victim->caller, NULL);
    int exit_code = app_stop(&victim->app, SIGTERM);
    char *output = process_output_from(&victim->app.process, 0);
    const char *why = strstr(output, "No token to sign in to storage with");
    ck_assert_msg(why != NULL && strstr(why, trouble->log) != NULL,
                  "%s: '%s' is not in the log:\n%s", trouble->name, trouble->log, output);
    ck_assert_msg(strstr(output, "X-Evil") == NULL, "%s:\n%s", trouble->name, output);
    ck_assert_msg(exit_code == 0, "%s: exit code %d\n%s", trouble->name, exit_code, output);
    assert_is_unavailable(&victim->reply, output);
    http_reply_cleanup(&victim->reply);
    free(output);
    app_cleanup(&victim->app);
    login_cleanup(&victim->login);
}

/* All at once, for each caller waits until the store gives up. */
START_TEST(without_a_token_the_caller_gets_503_and_the_log_says_why) {
    char *huge = huge_body();
    struct victim *victims = calloc(TROUBLES, sizeof *victims);
    ck_assert_ptr_nonnull(victims);
    for (size_t i = 0; i < TROUBLES; i++) {
        start_victim(&victims[i], &troubles[i], huge);
    }
    for (size_t i = 0; i < TROUBLES; i++) {
        call_victim(&victims[i]);
    }
    for (size_t i = 0; i < TROUBLES; i++) {
        judge_victim(&victims[i], &troubles[i]);
    }
    free(victims);
    free(huge);
}
END_TEST

START_TEST(while_the_present_token_is_good_no_trouble_is_noticed) {
    static const int chosen[] = {0, 3, 6, TROUBLES - 1};
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

static void *ask_once(void *status) {
    *(int *)status = http_ask_status((struct http_ask){.port = app.port, .path = PRODUCT});
    return NULL;
}

START_TEST(an_endpoint_that_comes_back_is_found_again) {
    prepare(LOGIN_APP_SERVICE);
    identity_server_answer_next(login.server, 1, &(struct identity_answer){.lifetime_s = 3});
    identity_server_answer(login.server, &(struct identity_answer){.status = 500});
    start_handler();
    assert_status(200, PRODUCT, NULL);
    wait_for_log(0, "No token to sign in to storage with"); /* the first has ended */
    pthread_t caller;
    int status = 0;
    ck_assert_int_eq(pthread_create(&caller, NULL, ask_once, &status), 0);
    identity_server_answer(login.server, &(struct identity_answer){.status = 0});
    wait_for_log(0, "Signed in to storage again");
    pthread_join(caller, NULL);
    ck_assert_int_eq(status, 200); /* who came meanwhile has waited for it */
    stop_handler();
}
END_TEST

/* The first is waited out by each at the same time. */
START_TEST(imds_is_asked_again_as_it_wants_to_be) {
    static const struct identity_answer answers[] = {
        {.status = 404}, {.status = 410}, {.status = 429, .retry_after_s = 3}, {.status = 500}};
    enum { COUNT = sizeof answers / sizeof *answers };
    struct victim *victims = calloc(COUNT, sizeof *victims);
    ck_assert_ptr_nonnull(victims);
    for (size_t i = 0; i < COUNT; i++) {
        login_prepare(&victims[i].login, LOGIN_IMDS, false, &azurite, &certificates);
        identity_server_answer_next(victims[i].login.server, 1, &answers[i]);
        login_start_handler(&victims[i].login, &victims[i].app);
        call_victim(&victims[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        struct victim *victim = &victims[i];
        pthread_join(victim->caller, NULL);
        ck_assert_int_eq(victim->reply.status, 200);
        ck_assert_uint_eq(identity_server_count(victim->login.server), 2);
        int64_t waited_ms = identity_server_request(victim->login.server, 1)->at_ms -
                            identity_server_request(victim->login.server, 0)->at_ms;
        ck_assert_msg(waited_ms >= answers[i].retry_after_s * 1000 && waited_ms >= 1000 &&
                          waited_ms < 9000,
                      "%d: %lld ms", answers[i].status, (long long)waited_ms);
        ck_assert_int_eq(app_stop(&victim->app, SIGTERM), 0);
        http_reply_cleanup(&victim->reply);
        app_cleanup(&victim->app), login_cleanup(&victim->login);
    }
    free(victims);
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

/* The first probe is over by then. */
START_TEST(auto_signs_in_where_imds_takes_two_seconds) {
    login_prepare(&login, LOGIN_IMDS, true, &azurite, &certificates);
    identity_server_answer(login.server, &(struct identity_answer){.delay_ms = 2000});
    start_handler();
    wait_for_log(0, ": no answer (the next attempt waits");
    wait_for_log(0, "Signing in to storage with a managed identity (IMDS)");
    assert_status(200, PRODUCT, NULL);
    stop_handler();
}
END_TEST

static const char *const ends[] = {"",
                                   ",\"expires_on\":\"11/28/2096 7:00:00 PM +00:00\"",
                                   ",\"expires_on\":\"2096-11-28T19:00:00+00:00\"",
                                   ",\"expires_on\":\"soon\"",
                                   ",\"expires_in\":9007199254740991",
                                   ",\"expires_in\":-5",
                                   ",\"expires_in\":1e400",
                                   ",\"expires_in\":[3600]",
                                   ",\"expires_on\":\"1/1/1999 1:00:00 AM +00:00\""};

START_TEST(no_token_is_refused_for_what_is_said_of_its_end) {
    char *token = jwt_make_access_token(3600), body[4096];
    snprintf(body, sizeof body, "{\"token_type\":\"Bearer\",\"access_token\":\"%s\"%s}", token,
             ends[_i]);
    prepare(LOGIN_APP_SERVICE);
    identity_server_answer(login.server,
                           &(struct identity_answer){.body = body, .body_length = strlen(body)});
    start_handler();
    assert_status(200, PRODUCT, NULL);
    stop_handler();
    free(token);
}
END_TEST

START_TEST(an_endpoint_that_is_not_there_is_told) {
    prepare(LOGIN_NONE);
    login_add_setting(&login, "DistributedLeasing:Authentication:Mode=ManagedIdentity");
    start_handler();
    wait_for_log(0, "No token to sign in to storage with");
    wait_for_log(0, "IMDS");
    stop_handler();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("credentials_trouble");
    TCase *tcase = tcase_create("trouble");
    tcase_add_unchecked_fixture(tcase, start_storage, stop_storage);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, without_a_token_the_caller_gets_503_and_the_log_says_why);
    tcase_add_test(tcase, while_the_present_token_is_good_no_trouble_is_noticed);
    tcase_add_test(tcase, an_endpoint_that_comes_back_is_found_again);
    tcase_add_test(tcase, imds_is_asked_again_as_it_wants_to_be);
    tcase_add_test(tcase, a_slow_endpoint_is_waited_for);
    tcase_add_test(tcase, auto_signs_in_where_imds_takes_two_seconds);
    tcase_add_loop_test(tcase, no_token_is_refused_for_what_is_said_of_its_end, 0,
                        sizeof ends / sizeof *ends);
    tcase_add_test(tcase, an_endpoint_that_is_not_there_is_told);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
