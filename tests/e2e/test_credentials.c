/*
 * Every way to sign in, through a host, with Azurite over https: the settings' ways, and Auto with
 * each of them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/processes/login_steps.h"

static void prepare_way(int way, bool automatic) {
    login_prepare(&login, (enum login_way)way, automatic, &azurite, &certificates);
}

static void stop_app(void) {
    if (app_stop(&app, SIGTERM) != 0) {
        ck_abort_msg("%s: exit code %d:\n%s", login_name(login.way), app.process.exit_code,
                     process_output_from(&app.process, 0));
    }
}

/*
 * The server grants tokens to exact requests alone; what came besides was not meant to be granted
 * one.
 */
static void assert_requests(enum identity_endpoint endpoint, size_t granted, size_t probes) {
    ck_assert_uint_eq(identity_server_count(login.server), granted + probes);
    for (size_t i = 0; i < granted + probes; i++) {
        const struct identity_request *request = identity_server_request(login.server, i);
        ck_assert_str_eq(request->complaint, i < probes ? "Metadata is not true" : "");
        ck_assert_int_eq(request->endpoint, endpoint);
    }
}

static enum identity_endpoint endpoint_of(int way) {
    return way == LOGIN_APP_SERVICE || way == LOGIN_APP_SERVICE_ASSIGNED ? IDENTITY_APP_SERVICE
           : way == LOGIN_IMDS || way == LOGIN_IMDS_ASSIGNED             ? IDENTITY_IMDS
                                                                         : IDENTITY_TOKEN_ENDPOINT;
}

static bool asks_server(int way) {
    return way != LOGIN_KEY && way != LOGIN_SAS && way != LOGIN_CLI;
}

static void assert_az_calls(const char *expected) {
    char *calls = az_stub_calls(&login.az);
    ck_assert_str_eq(calls, expected);
    free(calls);
}

#define AZ_CALL "account get-access-token --output json --resource https://storage.azure.com/\n"

START_TEST(the_four_functions_work_with_each_way_that_is_configured) {
    prepare_way(_i, false);
    login_start_app(&login, &app);
    login_use_functions(&app);
    stop_app();
    assert_requests(endpoint_of(_i), asks_server(_i), 0);
    assert_az_calls(_i == LOGIN_CLI ? AZ_CALL : "");
}
END_TEST

START_TEST(auto_finds_each_way_and_asks_for_one_token) {
    prepare_way(_i, true);
    login_start_app(&login, &app);
    login_use_functions(&app);
    stop_app();
    assert_requests(endpoint_of(_i), asks_server(_i), endpoint_of(_i) == IDENTITY_IMDS);
    assert_az_calls(_i == LOGIN_CLI ? AZ_CALL : "");
}
END_TEST

START_TEST(auto_with_nothing_says_what_it_has_tried) {
    prepare_way(LOGIN_NONE, true);
    login_start_app(&login, &app);
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .path = "/api/inventory/PROD-001"});
    ck_assert_msg(reply.status == 503, "%d %s", reply.status, reply.body.data);
    ck_assert_ptr_nonnull(strstr(reply.body.data, "\"StorageUnavailable\""));
    ck_assert_ptr_nonnull(http_headers_get(&reply.headers, "Retry-After"));
    http_reply_cleanup(&reply);
    ck_assert(app_wait_for_log(&app, 0, "no way to sign in; tried", LOG_TIMEOUT_MS));
    char *output = process_output_from(&app.process, 0);
    static const char *const tried[] = {
        "service principal: ", "workload identity: ", "IMDS at http://", "az login"};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        ck_assert_msg(strstr(output, tried[i]) != NULL, "%s is not told in:\n%s", tried[i], output);
    }
    free(output);
    stop_app();
}
END_TEST

START_TEST(a_federated_token_that_is_replaced_is_read_again) {
    prepare_way(LOGIN_WORKLOAD, false);
    identity_server_answer(login.server, &(struct identity_answer){.refresh_in_s = 1});
    login_start_app(&login, &app);
    login_use_functions(&app);
    login_replace_federated_token(&login);
    size_t before = identity_server_count(login.server);
    ck_assert(identity_server_wait(login.server, before + 2,
                                   LOG_TIMEOUT_MS)); /* the first may have been on its way */
    login_use_functions(&app);
    stop_app();
    const struct identity_request *last = identity_server_request(login.server, before + 1);
    ck_assert_str_eq(last->complaint, "");
    ck_assert_str_eq(last->assertion, login.federated_token);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("credentials");
    TCase *tcase = tcase_create("credentials");
    tcase_add_unchecked_fixture(tcase, start_storage, stop_storage);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_loop_test(tcase, the_four_functions_work_with_each_way_that_is_configured, 0,
                        LOGIN_NONE);
    tcase_add_loop_test(tcase, auto_finds_each_way_and_asks_for_one_token, LOGIN_APP_SERVICE,
                        LOGIN_NONE);
    tcase_add_test(tcase, auto_with_nothing_says_what_it_has_tried);
    tcase_add_test(tcase, a_federated_token_that_is_replaced_is_read_again);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
