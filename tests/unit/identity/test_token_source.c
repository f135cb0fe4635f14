/*
 * The sources that ask over HTTP: what they ask, to the byte, and how they read each answer.
 * Timeouts, and the choice among several sources, are tested in test_token_fetch.c.
 */
#include "identity/token_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/utc.h"
#include "http/http_transport.h"
#include "support/calls/token_wait.h"
#include "support/checks/jwt.h"
#include "support/fakes/clock_fake.h"
#include "support/fakes/http_fake.h"
#include "support/processes/certificates.h"
#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"

#define WALL_MS 1737288000000LL /* 2025-01-19T12:00:00Z */
#define GOOD "{\"access_token\":\"ey\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"
#define RESOURCE "resource=https%3A%2F%2Fstorage.azure.com%2F"
#define SECRET "hunter2~"

static struct http_fake *fake;
static struct clock_fake the_clock;
static struct http_transport *transport;
static struct platform platform;
static struct token token;
static struct error err;
static struct temp_folder folder;
static char path[128];
static struct token_client client;

static void set_up(void) {
    fake = http_fake_new();
    clock_fake_init(&the_clock, 5000, WALL_MS);
    ck_assert_int_eq(http_transport_new(&transport, &the_clock.base, &err), STATUS_OK);
    platform = http_transport_platform(transport, random_system());
    client = (struct token_client){http_fake_url(fake), "the/tenant", "the client"};
    token_init(&token);
    memset(&err, 0, sizeof err);
    temp_folder_make(&folder);
    snprintf(path, sizeof path, "%s/file", folder.path);
}

static void tear_down(void) {
    token_cleanup(&token);
    temp_folder_remove(&folder);
    http_transport_free(transport);
    http_fake_free(fake);
}

static enum status fetch(struct token_source *source) {
    memset(&err, 0, sizeof err);
    return token_wait_fetch(source, &platform, &token, &err);
}

static void answer(int status, const char *body) {
    http_fake_push(fake, &(struct http_fake_answer){.status = status, .body = body});
}

static void fetch_well(struct token_source *source) {
    answer(200, GOOD);
    ck_assert_msg(fetch(source) == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(token.text.data, "ey");
    ck_assert_int_eq(token.expires_ms, 5000 + 3600 * 1000);
}

static const struct http_fake_request *last_request(void) {
    return http_fake_request(fake, http_fake_count(fake) - 1);
}

static const char *last_header(const char *name) {
    return http_headers_get(&last_request()->headers, name);
}

static void assert_asked(const char *method, const char *target, const char *body) {
    ck_assert_str_eq(last_request()->method, method);
    ck_assert_str_eq(last_request()->target, target);
    ck_assert_str_eq(last_request()->body, body);
}

/* ---- App Service ---- */

static struct token_source_app_service app_service;

static void use_app_service(const char *endpoint_path, const char *client_id) {
    static char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s%s", http_fake_url(fake), endpoint_path);
    token_source_app_service_init(&app_service, endpoint, SECRET, client_id);
}

START_TEST(app_service_is_asked_as_documented) {
    use_app_service("/msi/token", NULL);
    fetch_well(&app_service.http.base);
    assert_asked("GET", "/msi/token?api-version=2019-08-01&" RESOURCE, "");
    ck_assert_str_eq(last_header("X-IDENTITY-HEADER"), SECRET);
    use_app_service("/msi/token", "the client");
    fetch_well(&app_service.http.base);
    assert_asked("GET", "/msi/token?api-version=2019-08-01&" RESOURCE "&client_id=the%20client",
                 "");
    use_app_service("/msi/token?x=1", NULL);
    fetch_well(&app_service.http.base);
    assert_asked("GET", "/msi/token?x=1&api-version=2019-08-01&" RESOURCE, "");
}
END_TEST

/* How every source reads a bad answer. */
static const struct {
    int status;
    enum status made;
    const char *body;
    const char *says;
} bad[] = {
    {200, STATUS_MALFORMED, "garbage " SECRET, "the answer is not JSON"},
    {200, STATUS_MALFORMED, "", "the answer is not JSON"},
    {204, STATUS_UNAUTHORIZED, "", "it answered 204"},
    {302, STATUS_UNAUTHORIZED, "", "it answered 302"},
    {400, STATUS_UNAUTHORIZED, "{\"error\":\"" SECRET "\"}", "it answered 400"},
    {401, STATUS_UNAUTHORIZED,
     "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: " SECRET "\"}",
     "it answered 401 invalid_client AADSTS7000215"},
    {403, STATUS_UNAUTHORIZED, SECRET, "it answered 403"},
    {408, STATUS_UNAVAILABLE, SECRET, "it answered 408"},
    {429, STATUS_UNAVAILABLE, SECRET, "it answered 429"},
    {500, STATUS_UNAVAILABLE, SECRET, "it answered 500"},
    {503, STATUS_UNAVAILABLE, SECRET, "it answered 503"},
};

START_TEST(a_bad_answer_is_told_without_repeating_it) {
    use_app_service("/msi/token", NULL);
    answer(bad[_i].status, bad[_i].body);
    ck_assert_int_eq(fetch(&app_service.http.base), bad[_i].made);
    char expected[256];
    snprintf(expected, sizeof expected, "the identity endpoint of App Service, %s/msi/token: %s",
             http_fake_url(fake), bad[_i].says);
    ck_assert_str_eq(err.message, expected);
    ck_assert_uint_eq(token.text.length, 0);
}
END_TEST

START_TEST(an_answer_without_end_is_cut_off) {
    char *body = calloc(1, TOKEN_ANSWER_MAX_BYTES + 2);
    use_app_service("/msi/token", NULL);
    memset(body, ' ', TOKEN_ANSWER_MAX_BYTES + 1);
    answer(200, body);
    ck_assert_int_eq(fetch(&app_service.http.base), STATUS_TOO_LARGE);
    memcpy(body, GOOD, sizeof GOOD - 1);
    body[TOKEN_ANSWER_MAX_BYTES] = '\0';
    answer(200, body);
    ck_assert_int_eq(fetch(&app_service.http.base), STATUS_OK);
    free(body);
}
END_TEST

START_TEST(an_endpoint_that_asks_for_patience_is_heard) {
    use_app_service("/msi/token", NULL);
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 429, .headers = "Retry-After: 7\r\n"});
    ck_assert_int_eq(fetch(&app_service.http.base), STATUS_UNAVAILABLE);
    ck_assert_int_eq(err.retry_after_ms, 7000);
}
END_TEST

START_TEST(an_endpoint_that_is_cut_off_or_gone_may_come_back) {
    use_app_service("/msi/token", NULL);
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CUT, .body = GOOD});
    ck_assert_int_eq(fetch(&app_service.http.base), STATUS_UNAVAILABLE);
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    ck_assert_int_eq(fetch(&app_service.http.base), STATUS_UNAVAILABLE);
}
END_TEST

/* The endpoint's clock made the date; ours may be wrong. */
START_TEST(a_date_of_expiry_is_reckoned_from_the_answers_own_date) {
    char headers[64], body[128], date[UTC_TEXT_BYTES];
    use_app_service("/msi/token", NULL);
    utc_format_http(WALL_MS + 10 * 3600 * 1000LL, date);
    snprintf(headers, sizeof headers, "Date: %s\r\n", date);
    snprintf(body, sizeof body, "{\"access_token\":\"ey\",\"expires_on\":\"%lld\"}",
             (WALL_MS + 11 * 3600 * 1000LL) / 1000);
    http_fake_push(fake, &(struct http_fake_answer){.headers = headers, .body = body});
    ck_assert_int_eq(fetch(&app_service.http.base), STATUS_OK);
    ck_assert_int_eq(token.expires_ms, 5000 + 3600 * 1000);
    answer(200, body);
    ck_assert_int_eq(fetch(&app_service.http.base), STATUS_OK);
    ck_assert_int_eq(token.expires_ms, 5000 + 11 * 3600 * 1000);
}
END_TEST

/* ---- IMDS ---- */

static struct token_source_imds imds;

#define IMDS_TARGET "/metadata/identity/oauth2/token?api-version=2018-02-01&" RESOURCE

START_TEST(imds_is_asked_as_documented) {
    token_source_imds_init(&imds, http_fake_url(fake), NULL, false);
    fetch_well(&imds.http.base);
    assert_asked("GET", IMDS_TARGET, "");
    ck_assert_str_eq(last_header("Metadata"), "true");
    token_source_imds_init(&imds, http_fake_url(fake), "the client", false);
    fetch_well(&imds.http.base);
    assert_asked("GET", IMDS_TARGET "&client_id=the%20client", "");
}
END_TEST

static const struct {
    int status;
    enum status made;
} imds_answers[] = {
    {400, STATUS_NOT_FOUND},   {401, STATUS_UNAUTHORIZED}, {403, STATUS_UNAUTHORIZED},
    {404, STATUS_UNAVAILABLE}, {405, STATUS_UNAUTHORIZED}, {410, STATUS_UNAVAILABLE},
    {429, STATUS_UNAVAILABLE}, {500, STATUS_UNAVAILABLE},  {502, STATUS_UNAVAILABLE},
    {599, STATUS_UNAVAILABLE},
};

START_TEST(imds_is_asked_again_after_what_its_rules_name) {
    token_source_imds_init(&imds, http_fake_url(fake), NULL, false);
    answer(imds_answers[_i].status, SECRET);
    ck_assert_int_eq(fetch(&imds.http.base), imds_answers[_i].made);
    ck_assert_ptr_null(strstr(err.message, SECRET));
    char at[64];
    snprintf(at, sizeof at, "IMDS at %s: ", http_fake_url(fake));
    ck_assert_int_eq(strncmp(err.message, at, strlen(at)), 0);
}
END_TEST

START_TEST(imds_is_probed_once_where_it_may_not_be) {
    token_source_imds_init(&imds, http_fake_url(fake), NULL, true);
    answer(400, "");
    fetch_well(&imds.http.base);
    ck_assert_uint_eq(http_fake_count(fake), 2);
    ck_assert_str_eq(http_fake_request(fake, 0)->target, IMDS_TARGET);
    ck_assert_ptr_null(http_headers_get(&http_fake_request(fake, 0)->headers, "Metadata"));
    ck_assert_str_eq(last_header("Metadata"), "true");
    fetch_well(&imds.http.base);
    ck_assert_uint_eq(http_fake_count(fake), 3);
}
END_TEST

START_TEST(where_nothing_of_imds_answers_a_probe_there_is_no_imds) {
    token_source_imds_init(&imds, http_fake_url(fake), NULL, true);
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    ck_assert_int_eq(fetch(&imds.http.base), STATUS_NOT_FOUND);
    static const int elses[] = {401, 403, 404, 405};
    for (size_t i = 0; i < sizeof elses / sizeof elses[0]; i++) {
        answer(elses[i], "");
        ck_assert_int_eq(fetch(&imds.http.base), STATUS_NOT_FOUND);
    }
    answer(400, "");
    fetch_well(&imds.http.base);
}
END_TEST

START_TEST(what_gives_no_token_though_it_answers_a_probe_is_not_imds) {
    token_source_imds_init(&imds, http_fake_url(fake), NULL, true);
    answer(200, "<html>Sign in to the airport's network</html>");
    answer(200, "<html>Sign in to the airport's network</html>");
    ck_assert_int_eq(fetch(&imds.http.base), STATUS_NOT_FOUND);
    ck_assert_msg(strstr(err.message, "is not IMDS: the answer is not JSON") != NULL, "%s",
                  err.message);
    answer(400, "");
    fetch_well(&imds.http.base);
    answer(200, "<html>"); /* it has given a token, so a bad answer is its own */
    ck_assert_int_eq(fetch(&imds.http.base), STATUS_MALFORMED);
}
END_TEST

/* ---- the token endpoint ---- */

static struct token_source_workload workload;
static struct token_source_principal principal;

#define TOKEN_TARGET "/the%2Ftenant/oauth2/v2.0/token"
#define FORM                                                                                      \
    "grant_type=client_credentials&client_id=the%20client&scope=https%3A%2F%2Fstorage.azure.com%" \
    "2F.default"
#define ASSERTION_FORM                                                                       \
    FORM "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-" \
         "bearer&client_assertion="

START_TEST(a_workload_shows_its_federated_token) {
    token_source_workload_init(&workload, &client, path);
    temp_folder_write(&folder, "file", "ey.first+1\n");
    fetch_well(&workload.http.base);
    assert_asked("POST", TOKEN_TARGET, ASSERTION_FORM "ey.first%2B1");
    ck_assert_str_eq(last_header("Content-Type"), "application/x-www-form-urlencoded");
    temp_folder_write(&folder, "file", "ey.second");
    fetch_well(&workload.http.base);
    assert_asked("POST", TOKEN_TARGET, ASSERTION_FORM "ey.second");
}
END_TEST

START_TEST(a_federated_token_that_cannot_be_read_may_come) {
    token_source_workload_init(&workload, &client, path);
    ck_assert_int_eq(fetch(&workload.http.base), STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.message, path));
    temp_folder_write(&folder, "file", "");
    ck_assert_int_eq(fetch(&workload.http.base), STATUS_UNAVAILABLE);
    char *text = calloc(1, TOKEN_FILE_MAX_BYTES + 1);
    memset(text, 'x', TOKEN_FILE_MAX_BYTES + 1);
    temp_folder_write_bytes(&folder, "file", text, TOKEN_FILE_MAX_BYTES + 1);
    ck_assert_int_eq(fetch(&workload.http.base), STATUS_UNAVAILABLE);
    temp_folder_write_bytes(&folder, "file", text, TOKEN_FILE_MAX_BYTES);
    free(text);
    fetch_well(&workload.http.base);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_pipe_for_a_file_is_not_waited_for) {
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    token_source_workload_init(&workload, &client, path);
    ck_assert_int_eq(fetch(&workload.http.base), STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(a_principal_shows_its_secret) {
    token_source_principal_init(&principal, &client, "s~e&c=r e+t", NULL);
    fetch_well(&principal.http.base);
    assert_asked("POST", TOKEN_TARGET, FORM "&client_secret=s~e%26c%3Dr%20e%2Bt");
}
END_TEST

START_TEST(a_principal_that_is_refused_learns_why_and_its_secret_is_not_shown) {
    char expected[256];
    token_source_principal_init(&principal, &client, SECRET, NULL);
    answer(401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid "
                "client secret " SECRET "\"}");
    ck_assert_int_eq(fetch(&principal.http.base), STATUS_UNAUTHORIZED);
    snprintf(expected, sizeof expected,
             "the token endpoint %s%s: it answered 401 invalid_client AADSTS7000215",
             http_fake_url(fake), TOKEN_TARGET);
    ck_assert_str_eq(err.message, expected);
}
END_TEST

/* The endpoint names its errors. An answer without a name came from something on the way. */
static const struct {
    int status;
    enum status made;
    const char *body;
    const char *says;
} principals[] = {
    {400, STATUS_UNAUTHORIZED, "{\"error\":\"invalid_request\"}",
     "it answered 400 invalid_request"},
    {400, STATUS_UNAUTHORIZED, "{\"error_description\":\"AADSTS90002: no such tenant\"}",
     "it answered 400 AADSTS90002"},
    {403, STATUS_UNAUTHORIZED, "{\"error\":\"unauthorized_client\"}",
     "it answered 403 unauthorized_client"},
    {403, STATUS_UNAVAILABLE, "<html>" SECRET "</html>",
     "it answered 403 without naming an error, as a proxy on the way would"},
    {404, STATUS_UNAVAILABLE, "",
     "it answered 404 without naming an error, as a proxy on the way would"},
    {401, STATUS_UNAVAILABLE, "{\"error\":{\"code\":\"Forbidden\"}}",
     "it answered 401 without naming an error, as a proxy on the way would"},
    {407, STATUS_UNAVAILABLE, "{\"error\":\"Proxy Authentication Required\"}",
     "it answered 407 without naming an error, as a proxy on the way would"},
    {302, STATUS_UNAVAILABLE, "",
     "it answered 302 without naming an error, as a proxy on the way would"},
    {503, STATUS_UNAVAILABLE, "<html>", "it answered 503"},
    {503, STATUS_UNAVAILABLE, "{\"error\":\"temporarily_unavailable\"}",
     "it answered 503 temporarily_unavailable"},
};

START_TEST(the_token_endpoint_counts_only_if_it_names_its_error) {
    char expected[256];
    temp_folder_write(&folder, "file", "ey.federated");
    token_source_principal_init(&principal, &client, SECRET, NULL);
    token_source_workload_init(&workload, &client, path);
    struct token_source *const sources[] = {&principal.http.base, &workload.http.base};
    snprintf(expected, sizeof expected, "the token endpoint %s%s: %s", http_fake_url(fake),
             TOKEN_TARGET, principals[_i].says);
    for (size_t i = 0; i < 2; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.status = principals[_i].status,
                                                        .body = principals[_i].body,
                                                        .headers = "Retry-After: 7\r\n"});
        ck_assert_int_eq(fetch(sources[i]), principals[_i].made);
        ck_assert_str_eq(err.message, expected);
        ck_assert_int_eq(err.retry_after_ms, 7000);
    }
}
END_TEST

START_TEST(a_slash_at_the_end_of_the_authority_does_not_count) {
    char authority[128];
    snprintf(authority, sizeof authority, "%s/", http_fake_url(fake));
    client.authority = authority;
    token_source_principal_init(&principal, &client, "s", NULL);
    fetch_well(&principal.http.base);
    ck_assert_str_eq(last_request()->target, TOKEN_TARGET);
}
END_TEST

/* The checking program uses the system's clock. */
START_TEST(a_principal_signs_with_its_certificate) {
    struct certificates certificates;
    char audience[256], complaint[JWT_COMPLAINT_BYTES] = "";
    certificates_make(&certificates);
    clock_fake_jump_wall(&the_clock, clock_wall_ms(clock_system()) - WALL_MS);
    snprintf(audience, sizeof audience, "%s%s", http_fake_url(fake), TOKEN_TARGET);
    token_source_principal_init(&principal, &client, NULL, certificates.app);
    const struct jwt_expectation expected = {certificates.app, "the client", audience};
    for (int i = 0; i < 2; i++) {
        fetch_well(&principal.http.base);
        const char *form = last_request()->body;
        ck_assert_int_eq(strncmp(form, ASSERTION_FORM, strlen(ASSERTION_FORM)), 0);
        const char *assertion = form + strlen(ASSERTION_FORM);
        ck_assert_msg(jwt_check_assertion(assertion, &expected, complaint), "%s", complaint);
    }
    ck_assert_str_ne(http_fake_request(fake, 0)->body, http_fake_request(fake, 1)->body); /* jti */
    certificates_remove(&certificates);
}
END_TEST

static enum status fill_with_nothing(const struct random_source *source, void *out, size_t size) {
    (void)source, (void)out, (void)size;
    return STATUS_INTERNAL;
}

START_TEST(an_assertion_that_cannot_be_made_is_not_sent) {
    static const struct random_source nothing = {.fill = fill_with_nothing};
    struct certificates certificates;
    certificates_make(&certificates);
    platform.random = &nothing;
    token_source_principal_init(&principal, &client, NULL, certificates.app);
    ck_assert_int_eq(fetch(&principal.http.base), STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, "signing an assertion with "));
    ck_assert_uint_eq(http_fake_count(fake), 0);
    certificates_remove(&certificates);
}
END_TEST

START_TEST(a_certificate_that_cannot_be_used_is_named) {
    token_source_principal_init(&principal, &client, NULL, path);
    ck_assert_int_eq(fetch(&principal.http.base), STATUS_UNAVAILABLE);
    temp_folder_write(&folder, "file", "no PEM");
    ck_assert_int_eq(fetch(&principal.http.base), STATUS_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.message, path));
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void) {
    Suite *suite = suite_create("token_source");
    TCase *tcase = tcase_create("token_source");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, app_service_is_asked_as_documented);
    tcase_add_loop_test(tcase, a_bad_answer_is_told_without_repeating_it, 0, COUNT(bad));
    tcase_add_test(tcase, an_answer_without_end_is_cut_off);
    tcase_add_test(tcase, an_endpoint_that_asks_for_patience_is_heard);
    tcase_add_test(tcase, an_endpoint_that_is_cut_off_or_gone_may_come_back);
    tcase_add_test(tcase, a_date_of_expiry_is_reckoned_from_the_answers_own_date);
    tcase_add_test(tcase, imds_is_asked_as_documented);
    tcase_add_loop_test(tcase, imds_is_asked_again_after_what_its_rules_name, 0,
                        COUNT(imds_answers));
    tcase_add_test(tcase, imds_is_probed_once_where_it_may_not_be);
    tcase_add_test(tcase, where_nothing_of_imds_answers_a_probe_there_is_no_imds);
    tcase_add_test(tcase, what_gives_no_token_though_it_answers_a_probe_is_not_imds);
    tcase_add_test(tcase, a_workload_shows_its_federated_token);
    tcase_add_test(tcase, a_federated_token_that_cannot_be_read_may_come);
    tcase_add_test(tcase, a_pipe_for_a_file_is_not_waited_for);
    tcase_add_test(tcase, a_principal_shows_its_secret);
    tcase_add_test(tcase, a_principal_that_is_refused_learns_why_and_its_secret_is_not_shown);
    tcase_add_loop_test(tcase, the_token_endpoint_counts_only_if_it_names_its_error, 0,
                        COUNT(principals));
    tcase_add_test(tcase, a_slash_at_the_end_of_the_authority_does_not_count);
    tcase_add_test(tcase, a_principal_signs_with_its_certificate);
    tcase_add_test(tcase, an_assertion_that_cannot_be_made_is_not_sent);
    tcase_add_test(tcase, a_certificate_that_cannot_be_used_is_named);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
