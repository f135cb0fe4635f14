/* The identity server grants tokens to exact requests alone, and misbehaves as it is told. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "support/calls/raw_http.h"
#include "support/fakes/identity_server.h"
#include "support/processes/check_main.h"

#define RESOURCE "resource=https%3A%2F%2Fstorage.azure.com%2F"
#define APP_SERVICE "GET /msi/token?api-version=2019-08-01&" RESOURCE
#define IMDS "GET /metadata/identity/oauth2/token?api-version=2018-02-01&" RESOURCE
#define TOKEN "POST /" IDENTITY_TENANT_ID "/oauth2/v2.0/token"
#define END " HTTP/1.1\r\nHost: x\r\n"
#define HEADER "X-IDENTITY-HEADER: hush-hush\r\n"
#define METADATA "Metadata: true\r\n"
#define FORM_TYPE "Content-Type: application/x-www-form-urlencoded\r\n"
#define FORM                                                      \
    "grant_type=client_credentials&client_id=" IDENTITY_CLIENT_ID \
    "&scope=https%3A%2F%2Fstorage.azure.com%2F.default"
#define ASSERTION_TYPE \
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"

static struct identity_server *server;

static void set_up(void) {
    server = identity_server_start(&(struct identity_rules){.header_secret = "hush-hush"});
}

static void tear_down(void) {
    identity_server_stop(server);
}

static int begin(const char *head, const char *body) {
    char text[4096];
    snprintf(text, sizeof text, "%sContent-Length: %zu\r\n\r\n%s", head, strlen(body), body);
    int fd = raw_http_connect(atoi(strrchr(identity_server_url(server), ':') + 1));
    ck_assert(raw_http_send(fd, text));
    return fd;
}

static struct raw_response finish(int fd) {
    struct raw_response response = {.status = 0};
    raw_http_read(fd, &response, false);
    close(fd);
    return response;
}

static struct raw_response ask(const char *head, const char *body) {
    return finish(begin(head, body));
}

static const struct identity_request *last(void) {
    return identity_server_request(server, identity_server_count(server) - 1);
}

static void assert_granted(const char *head, const char *body) {
    struct raw_response response = ask(head, body);
    ck_assert_msg(response.status == 200, "%d: %s", response.status, last()->complaint);
    ck_assert_str_eq(last()->complaint, "");
    cJSON *json = NULL;
    struct error err;
    ck_assert_int_eq(json_parse(response.body, response.body_length, &json, &err), STATUS_OK);
    ck_assert_str_eq(json_string(json, "access_token"), last()->token);
    ck_assert_str_ne(last()->token, "");
    cJSON_Delete(json);
    raw_response_cleanup(&response);
}

static void assert_refused(const char *head, const char *body, const char *complaint) {
    struct raw_response response = ask(head, body);
    ck_assert_int_eq(response.status, 400);
    ck_assert_str_eq(last()->complaint, complaint);
    ck_assert_str_eq(last()->token, "");
    raw_response_cleanup(&response);
}

static void restart(const struct identity_rules *rules) {
    identity_server_stop(server);
    server = identity_server_start(rules);
}

START_TEST(managed_identities_ask_exactly) {
    assert_granted(APP_SERVICE END HEADER, "");
    assert_granted(IMDS END METADATA, "");
    assert_refused(APP_SERVICE END, "", "X-IDENTITY-HEADER is not the secret");
    assert_refused(APP_SERVICE "&client_id=x" END HEADER, "",
                   "client_id is not the identity that is assigned");
    assert_refused(IMDS END, "", "Metadata is not true");
    assert_refused(IMDS END METADATA "X-Forwarded-For: 1.2.3.4\r\n", "",
                   "X-Forwarded-For is there");
    assert_refused(
        "GET /metadata/identity/oauth2/token?api-version=2019-08-01&" RESOURCE END METADATA, "",
        "api-version is another");
    assert_refused("GET /msi/token?api-version=2019-08-01&resource=x" END HEADER, "",
                   "resource is not https://storage.azure.com/");
    assert_refused("GET /msi/token?api-version=2019-08-01&" RESOURCE "&" RESOURCE END HEADER, "",
                   "resource is not https://storage.azure.com/");
    assert_refused("GET /other" END, "", "there is nothing at this path");
}
END_TEST

START_TEST(a_user_assigned_identity_has_to_be_named) {
    restart(&(struct identity_rules){.header_secret = "hush-hush", .managed_identity = "mine"});
    assert_granted(APP_SERVICE "&client_id=mine" END HEADER, "");
    assert_granted(IMDS "&client_id=mine" END METADATA, "");
    assert_refused(IMDS END METADATA, "", "client_id is not the identity that is assigned");
}
END_TEST

START_TEST(a_client_secret_is_compared_decoded) {
    restart(&(struct identity_rules){.client_secret = "a+b/c&d~="});
    assert_granted(TOKEN END FORM_TYPE, FORM "&client_secret=a%2Bb%2Fc%26d~%3D");
    assert_refused(TOKEN END FORM_TYPE,
                   FORM "&client_secret=a+b/c%26d~=", "client_secret is another");
    assert_refused(TOKEN END, FORM "&client_secret=a%2Bb%2Fc%26d~%3D",
                   "Content-Type is not a form's");
    assert_refused(TOKEN "?x=1" END FORM_TYPE, FORM "&client_secret=a%2Bb%2Fc%26d~%3D",
                   "there is a query");
    assert_refused(TOKEN END FORM_TYPE, "client_secret=a%2Bb%2Fc%26d~%3D", "grant_type is another");
    assert_refused(APP_SERVICE END HEADER, "", "X-IDENTITY-HEADER is not the secret");
}
END_TEST

START_TEST(a_federated_token_is_the_present_one) {
    restart(&(struct identity_rules){.federated_token = "one.two.three"});
    assert_granted(TOKEN END FORM_TYPE, FORM ASSERTION_TYPE "&client_assertion=one.two.three");
    ck_assert_str_eq(last()->assertion, "one.two.three");
    assert_refused(TOKEN END FORM_TYPE, FORM "&client_assertion=one.two.three",
                   "client_assertion_type is another");
    assert_refused(TOKEN END FORM_TYPE, FORM ASSERTION_TYPE, "client_assertion is missing");
    identity_server_expect_federated_token(server, "four.five.six");
    assert_refused(TOKEN END FORM_TYPE, FORM ASSERTION_TYPE "&client_assertion=one.two.three",
                   "client_assertion is not the federated token");
    assert_granted(TOKEN END FORM_TYPE, FORM ASSERTION_TYPE "&client_assertion=four.five.six");
}
END_TEST

START_TEST(it_answers_as_it_is_told) {
    identity_server_answer_next(server, 2,
                                &(struct identity_answer){.status = 429, .retry_after_s = 7});
    identity_server_answer(server, &(struct identity_answer){.body = "a\0b", .body_length = 3});
    for (int i = 0; i < 2; i++) {
        struct raw_response response = ask(APP_SERVICE END HEADER, "");
        char value[16];
        ck_assert_int_eq(response.status, 429);
        ck_assert_str_eq(raw_response_header(&response, "Retry-After", value, sizeof value), "7");
        ck_assert_ptr_null(strstr(response.body, "hush"));
        raw_response_cleanup(&response);
    }
    struct raw_response response = ask(APP_SERVICE END HEADER, "");
    ck_assert_int_eq(response.status, 200);
    ck_assert_mem_eq(response.body, "a\0b", 3);
    raw_response_cleanup(&response);
    identity_server_answer(server, &(struct identity_answer){.status = 500, .echo = true});
    response = ask(APP_SERVICE END HEADER, "");
    ck_assert_int_eq(response.status, 500);
    ck_assert_ptr_nonnull(strstr(response.body, "hush-hush"));
    raw_response_cleanup(&response);
}
END_TEST

START_TEST(a_request_that_hangs_is_counted_and_answered_once_let_go) {
    identity_server_answer(server, &(struct identity_answer){.hang = true});
    int fd = begin(APP_SERVICE END HEADER, "");
    ck_assert(identity_server_wait(server, 1, 20000));
    ck_assert_str_eq(last()->token, "");
    identity_server_let_go(server);
    struct raw_response response = finish(fd);
    ck_assert_int_eq(response.status, 200);
    raw_response_cleanup(&response);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("identity_server");
    TCase *tcase = tcase_create("identity_server");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, managed_identities_ask_exactly);
    tcase_add_test(tcase, a_user_assigned_identity_has_to_be_named);
    tcase_add_test(tcase, a_client_secret_is_compared_decoded);
    tcase_add_test(tcase, a_federated_token_is_the_present_one);
    tcase_add_test(tcase, it_answers_as_it_is_told);
    tcase_add_test(tcase, a_request_that_hangs_is_counted_and_answered_once_let_go);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
