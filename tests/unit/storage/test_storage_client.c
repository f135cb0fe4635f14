#include "storage/storage_client.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/correlation.h"
#include "base/log.h"
#include "base/utc.h"
#include "base/uuid.h"
#include "http/http_transport.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "storage/storage_error.h"
#include "support/fakes/http_fake.h"
#include "support/processes/check_main.h"

#define BUSY \
    { .status = 503, .code = "ServerBusy", .body = "<Error><Code>ServerBusy</Code></Error>" }

/* Adds a header. `answer` makes it fail, and `renews` lets it get another token. */
struct credential_fake {
    struct credential base;
    enum status answer;
    bool renews;
    int authorized;
    int rejected;
    int authenticated; /* of these */
    unsigned rejected_generation;
    int tokenless; /* for so many attempts it has no token */
    char path[128];
};

static struct http_fake *fake;
static struct http_transport *transport;
static struct storage_account account;
static struct credential_fake credential;
static struct platform platform;
static struct storage_client client;
static struct storage_request request;
static struct http_reply reply;
static struct error err;

static enum status authorize(struct credential *base, struct credential_request *signed_request,
                             struct error *failure) {
    struct credential_fake *self = (struct credential_fake *)base;
    self->authorized++;
    snprintf(self->path, sizeof self->path, "%.*s", (int)signed_request->path_length,
             signed_request->path);
    if (self->tokenless > 0) {
        self->tokenless--;
        return error_set(failure, STATUS_UNAVAILABLE, "no token yet");
    }
    signed_request->token_generation = (unsigned)self->authorized;
    http_headers_addf(signed_request->headers, "Authorization", "Fake %d", self->authorized);
    return self->answer == STATUS_OK ? STATUS_OK : error_set(failure, self->answer, "no token yet");
}

static bool on_rejected(struct credential *base, unsigned generation, bool is_authenticated) {
    struct credential_fake *self = (struct credential_fake *)base;
    self->rejected++;
    self->authenticated += is_authenticated;
    self->rejected_generation = generation;
    return self->renews;
}

static void set_up(void) {
    fake = http_fake_new();
    memset(&account, 0, sizeof account);
    snprintf(account.blob_endpoint, sizeof account.blob_endpoint, "%s", http_fake_url(fake));
    snprintf(account.table_endpoint, sizeof account.table_endpoint, "%s/acme", http_fake_url(fake));
    credential = (struct credential_fake){.base = {authorize, on_rejected}, .answer = STATUS_OK};
    ck_assert_int_eq(http_transport_new(&transport, clock_system(), &err), STATUS_OK);
    platform = http_transport_platform(transport, random_system());
    storage_client_init(&client, &platform, &account, &credential.base);
    storage_request_init(&request, STORAGE_BLOB, "PUT", 200);
    strbuf_append_string(&request.path, "/leases/lease-x");
    http_headers_add(&request.query, "comp", "lease");
    http_reply_init(&reply);
    memset(&err, 0, sizeof err);
}

static void tear_down(void) {
    http_reply_cleanup(&reply);
    storage_request_cleanup(&request);
    http_transport_free(transport);
    storage_client_cleanup(&client);
    http_fake_free(fake);
}

static int64_t from_now(int64_t ms) {
    return clock_now_ms(clock_system()) + ms;
}

static enum status send_within(int64_t ms) {
    http_reply_cleanup(&reply);
    return storage_client_send(&client, &request, from_now(ms), &reply, &err);
}

/* Returns the description of the request in messages, followed by `rest`. */
static const char *expected_message(const char *rest) {
    static char text[512];
    snprintf(text, sizeof text, "PUT %s/leases/lease-x?comp=lease%s", http_fake_url(fake), rest);
    return text;
}

static const char *sent_header(size_t index, const char *name) {
    return http_headers_get(&http_fake_request(fake, index)->headers, name);
}

/* ---- what is sent ---- */

START_TEST(a_request_is_built_dated_and_signed) {
    http_headers_add(&request.query, "$filter", "a eq 'b&c'");
    http_headers_add(&request.headers, "x-ms-lease-action", "acquire");
    strbuf_append_string(&request.body, "body");
    http_fake_push(fake, &(struct http_fake_answer){
                             .status = 200, .body = "done", .headers = "ETag: \"1\"\r\n"});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body.data, "done");
    ck_assert_str_eq(http_headers_get(&reply.headers, "ETag"), "\"1\"");
    const struct http_fake_request *got = http_fake_request(fake, 0);
    ck_assert_str_eq(got->method, "PUT");
    ck_assert_str_eq(got->target, "/leases/lease-x?comp=lease&%24filter=a%20eq%20%27b%26c%27");
    ck_assert_str_eq(got->body, "body");
    ck_assert_str_eq(sent_header(0, "x-ms-lease-action"), "acquire");
    ck_assert_str_eq(sent_header(0, "x-ms-version"), "2021-12-02");
    ck_assert_str_eq(sent_header(0, "Authorization"), "Fake 1");
    ck_assert(uuid_is_valid(sent_header(0, "x-ms-client-request-id")));
    int64_t date_ms = 0, wall_ms = clock_wall_ms(clock_system());
    ck_assert(utc_parse_http(sent_header(0, "x-ms-date"), &date_ms));
    ck_assert_int_le(date_ms, wall_ms);
    ck_assert_int_gt(date_ms, wall_ms - 20000);
    ck_assert_str_eq(credential.path, "/leases/lease-x");
    ck_assert_uint_eq(request.headers.count, 1); /* the caller's request is as it was */
}
END_TEST

START_TEST(a_table_request_goes_to_the_table_endpoint_and_its_path_has_the_accounts) {
    request.service = STORAGE_TABLE;
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_str_eq(http_fake_request(fake, 0)->target, "/acme/leases/lease-x?comp=lease");
    ck_assert_str_eq(sent_header(0, "x-ms-version"), "2020-12-06");
    ck_assert_str_eq(credential.path, "/acme/leases/lease-x");
}
END_TEST

START_TEST(a_request_whose_building_failed_is_not_sent) {
    request.body.max_bytes = 3;
    strbuf_append_string(&request.body, "four");
    ck_assert_int_eq(send_within(10000), STATUS_TOO_LARGE);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

#define NOON "Sun, 19 Jan 2025 12:00:00 GMT"
#define NOON_MS INT64_C(1737288000000)
#define DATED_NOON "Date: " NOON "\r\n"

static bool is_after_noon(int64_t ms) {
    return ms >= NOON_MS && ms < NOON_MS + 20000;
}

START_TEST(dates_come_from_storage_after_its_first_answer) {
    http_fake_push(fake, &(struct http_fake_answer){.headers = DATED_NOON});
    http_fake_push(fake, &(struct http_fake_answer){.headers = DATED_NOON});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert(storage_clock_is_in_doubt(&client.clocks[STORAGE_BLOB]));
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_int_eq(strncmp(sent_header(1, "x-ms-date"), "Sun, 19 Jan 2025 12:00:0", 24), 0);
    ck_assert(is_after_noon(storage_clock_ms(&client.clocks[STORAGE_BLOB])));
}
END_TEST

START_TEST(an_error_of_storages_tells_the_time_as_well) {
    for (int i = 0; i < 2; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.status = 403,
                                                        .code = "AuthenticationFailed",
                                                        .headers = DATED_NOON});
        ck_assert_int_eq(send_within(10000), STATUS_UNAUTHORIZED);
    }
    ck_assert(is_after_noon(storage_clock_ms(&client.clocks[STORAGE_BLOB])));
}
END_TEST

START_TEST(each_service_has_a_clock_of_its_own) {
    for (int i = 0; i < 2; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.headers = DATED_NOON});
        ck_assert_int_eq(send_within(10000), STATUS_OK);
    }
    ck_assert(!is_after_noon(storage_clock_ms(&client.clocks[STORAGE_TABLE])));
    request.service = STORAGE_TABLE;
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_int_ne(strncmp(sent_header(2, "x-ms-date"), "Sun, 19 Jan 2025", 16), 0);
}
END_TEST

START_TEST(what_answers_in_storages_place_does_not_tell_the_time) {
    request.max_attempts = 1;
    for (int i = 0; i < 3; i++) {
        http_fake_push(fake, &(struct http_fake_answer){
                                 .is_foreign = true, .status = 200, .headers = DATED_NOON});
        http_fake_push(fake, &(struct http_fake_answer){.status = 404, .headers = DATED_NOON});
        http_fake_push(fake, &(struct http_fake_answer){.status = 201, .headers = DATED_NOON});
    }
    for (int i = 0; i < 9; i++) {
        ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
    }
    ck_assert(!storage_clock_is_in_doubt(&client.clocks[STORAGE_BLOB]));
    ck_assert(!is_after_noon(storage_clock_ms(&client.clocks[STORAGE_BLOB])));
}
END_TEST

/* ---- what answers mean ---- */

static const struct {
    const char *code;
    int http_status;
    enum status status;
} meanings[] = {
    {"InvalidInput", 400, STATUS_INTERNAL},
    {"InvalidAuthenticationInfo", 401, STATUS_UNAUTHORIZED},
    {"AuthenticationFailed", 403, STATUS_UNAUTHORIZED},
    {"ContainerNotFound", 404, STATUS_CONTAINER_NOT_FOUND},
    {"TableNotFound", 404, STATUS_CONTAINER_NOT_FOUND},
    {"BlobNotFound", 404, STATUS_NOT_FOUND},
    {"ResourceNotFound", 404, STATUS_NOT_FOUND},
    {"EntityNotFound", 404, STATUS_NOT_FOUND},
    {"UnheardOf", 404, STATUS_INTERNAL},
    {"", 408, STATUS_UNAVAILABLE},
    {"LeaseAlreadyPresent", 409, STATUS_LEASE_CONFLICT},
    {"LeaseIsBreakingAndCannotBeAcquired", 409, STATUS_LEASE_CONFLICT},
    {"LeaseIsBrokenAndCannotBeRenewed", 409, STATUS_LEASE_LOST},
    {"LeaseIdMismatchWithLeaseOperation", 409, STATUS_LEASE_LOST},
    {"LeaseNotPresentWithLeaseOperation", 409, STATUS_LEASE_LOST},
    {"BlobAlreadyExists", 409, STATUS_ALREADY_EXISTS},
    {"EntityAlreadyExists", 409, STATUS_ALREADY_EXISTS},
    {"ContainerBeingDeleted", 409, STATUS_UNAVAILABLE},
    {"TableBeingDeleted", 409, STATUS_UNAVAILABLE},
    {"UpdateConditionNotSatisfied", 409, STATUS_PRECONDITION_FAILED},
    {"SnapshotsPresent", 409, STATUS_INTERNAL},
    {"ConditionNotMet", 412, STATUS_PRECONDITION_FAILED},
    {"UpdateConditionNotSatisfied", 412, STATUS_PRECONDITION_FAILED},
    {"LeaseIdMissing", 412, STATUS_LEASE_LOST},
    {"LeaseLost", 412, STATUS_LEASE_LOST},
    {"", 429, STATUS_UNAVAILABLE},
    {"OperationTimedOut", 500, STATUS_UNAVAILABLE},
    {"ServerBusy", 503, STATUS_UNAVAILABLE},
};

START_TEST(an_answer_has_one_meaning) {
    enum status status = storage_error_status(meanings[_i].http_status, meanings[_i].code);
    ck_assert_msg(status == meanings[_i].status, "%d %s is %s", meanings[_i].http_status,
                  meanings[_i].code, status_name(status));
}
END_TEST

START_TEST(a_blob_error_is_reported_in_full) {
    http_fake_push(
        fake,
        &(struct http_fake_answer){
            .status = 409,
            .headers = "x-ms-error-code: LeaseAlreadyPresent\r\nx-ms-request-id: "
                       "abc-1\r\nRetry-After: 3\r\n",
            .body = "<?xml version=\"1.0\"?><Error><Code>LeaseAlreadyPresent</Code><Message>There "
                    "is already a "
                    "lease present.\nRequestId:abc-1\nTime:2025</Message></Error>"});
    ck_assert_int_eq(send_within(10000), STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(err.status, STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(err.http_status, 409);
    ck_assert_int_eq(err.retry_after_ms, 3000);
    ck_assert_str_eq(err.code, "LeaseAlreadyPresent");
    ck_assert_str_eq(err.request_id, "abc-1");
    ck_assert_str_eq(
        err.message,
        expected_message(": 409 LeaseAlreadyPresent: There is already a lease present."));
    ck_assert_int_eq(reply.status, 0); /* untouched */
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_table_error_is_reported_in_full) {
    http_fake_push(fake,
                   &(struct http_fake_answer){
                       .status = 404,
                       .body = "{\"odata.error\":{\"code\":\"TableNotFound\",\"message\":{\"lang\":"
                               "\"en-US\",\"value\":\"No such table.\\nRequestId:1\"}}}"});
    ck_assert_int_eq(send_within(10000), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_str_eq(err.code, "TableNotFound");
    ck_assert_str_eq(err.message, expected_message(": 404 TableNotFound: No such table."));
}
END_TEST

/* Each of these may come from a gateway on the way. Storage has said nothing. */
static const struct http_fake_answer foreign_answers[] = {
    {.is_foreign = true, .status = 200},
    {.is_foreign = true, .status = 404, .headers = "x-ms-request-id:\r\n", .code = "BlobNotFound"},
    {.is_foreign = true, .status = 404, .code = "BlobNotFound"},
    {.is_foreign = true, .status = 409, .body = "<Error><Code>LeaseAlreadyPresent</Code></Error>"},
    {.is_foreign = true,
     .status = 412,
     .body = "{\"odata.error\":{\"code\":\"UpdateConditionNotSatisfied\"}}"},
    {.status = 201},
    {.status = 202},
    {.status = 204},
    {.status = 206},
    {.status = 301, .code = "AccountRequiresHttps"},
    {.status = 302, .headers = "Location: http://login.example/\r\n"},
    {.status = 304, .code = "ConditionNotMet"},
    {.status = 307},
    {.status = 400},
    {.status = 401, .body = "<html>Sign in</html>"},
    {.status = 403, .body = "{"},
    {.status = 404, .body = "{\"odata.error\":7}"},
    {.status = 404, .body = "<Code>never closed"},
    {.status = 405, .body = "<Error><Code></Code></Error>"},
    {.status = 407},
    {.status = 409},
    {.status = 412},
    {.status = 451},
    {.status = 503},
};
enum { FOREIGN_COUNT = sizeof foreign_answers / sizeof foreign_answers[0] };

START_TEST(an_answer_that_is_not_storages_is_no_answer) {
    credential.renews = true;
    request.max_attempts = 2;
    http_fake_push(fake, &foreign_answers[_i]);
    http_fake_push(fake, &foreign_answers[_i]);
    ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert_uint_eq(http_fake_count(fake),
                      2); /* tried again as without an answer, and with the same token */
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    ck_assert(err.may_have_happened);
    ck_assert_int_eq(err.http_status, 0);
    ck_assert_str_eq(err.code, "");
    ck_assert_int_eq(credential.rejected, 0);
    char expected[64];
    snprintf(expected, sizeof expected, ": answered, but not by storage: %d",
             foreign_answers[_i].status);
    ck_assert_msg(
        strncmp(err.message, expected_message(expected), strlen(expected_message(expected))) == 0,
        "%s", err.message);
    ck_assert_int_eq(send_within(10000), STATUS_OK); /* storage is back */
}
END_TEST

START_TEST(the_message_says_what_answered_in_storages_place) {
    request.max_attempts = 1;
    http_fake_push(fake, &(struct http_fake_answer){
                             .is_foreign = true,
                             .status = 404,
                             .headers = "Content-Type: text/html\r\nServer: nginx\r\n"});
    ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert_str_eq(
        err.message,
        expected_message(
            ": answered, but not by storage: 404, Content-Type text/html, Server nginx, "
            "without x-ms-request-id"));
}
END_TEST

static const struct {
    const char *headers;
    int status;
    bool is_table; /* what was asked */
    const char *says;
} services[] = {
    {"Server: Windows-Azure-Table/1.0 Microsoft-HTTPAPI/2.0\r\n", 400, false,
     ": the Table service answered (400), not the Blob service: the addresses of blobs and tables "
     "may be swapped"},
    {"Server: Azurite-Table/3.35.0\r\n", 200, false,
     ": the Table service answered (200), not the Blob service: the addresses of blobs and tables "
     "may be swapped"},
    {"Server: Azurite-Blob/3.35.0\r\n", 404, true,
     ": the Blob service answered (404), not the Table service: the addresses of blobs and tables "
     "may be swapped"},
    {"Server: Windows-Azure-Queue/1.0\r\n", 400, true,
     ": the Queue service answered (400), not the Table service: the addresses of blobs and tables "
     "may be swapped"},
};
enum { SERVICE_COUNT = sizeof services / sizeof services[0] };

START_TEST(an_answer_of_another_service_is_named) {
    request.max_attempts = 1;
    request.success.service = services[_i].is_table ? "Table" : "Blob";
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = services[_i].status,
                                              .headers = services[_i].headers,
                                              .body = "<Error><Code>InvalidUri</Code></Error>"});
    ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, expected_message(services[_i].says));
}
END_TEST

START_TEST(the_right_service_may_name_itself_or_not) {
    static const char *const servers[] = {
        "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0\r\n",
        "Server: Azurite-Blob/3.35.0\r\n", "Server: nginx\r\n", "Server: Azurite-\r\n", ""};
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.headers = servers[i]});
        ck_assert_int_eq(send_within(10000), STATUS_OK);
    }
}
END_TEST

START_TEST(a_success_that_names_another_lease_is_not_storages) {
    static const char *const names[] = {"",
                                        "x-ms-lease-id: 99999999-2222-4333-8444-555555555555\r\n",
                                        "x-ms-lease-id: 11111111-2222-4333-8444-55555555555\r\n"};
    static const char ours[] = "11111111-2222-4333-8444-555555555555";
    strcpy(request.success.lease_id, ours);
    request.max_attempts = 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.headers = names[i]});
        ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
        ck_assert_str_eq(
            err.message,
            expected_message(
                ": answered, but not by storage: 200, without our lease in x-ms-lease-id"));
    }
    http_fake_push(fake, &(struct http_fake_answer){
                             .headers = "X-MS-Lease-Id: 11111111-2222-4333-8444-555555555555\r\n"});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
}
END_TEST

START_TEST(no_message_holds_a_sas_or_a_parameter) {
    struct credential_sas sas;
    snprintf(account.sas, sizeof account.sas, "sv=1&sig=SECRET");
    credential_sas_init(&sas, &account);
    client.attempt.credential = &sas.base;
    http_headers_add(&request.query, "prefix", "SECRET");
    http_fake_push(fake,
                   &(struct http_fake_answer){
                       .status = 403, .body = "<Error><Code>AuthenticationFailed</Code></Error>"});
    ck_assert_int_eq(send_within(10000), STATUS_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 0)->target, "&sv=1&sig=SECRET"));
    ck_assert_str_eq(err.message, expected_message(": 403 AuthenticationFailed"));
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    request.max_attempts = 1;
    ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert_ptr_null(strstr(err.message, "SECRET"));
}
END_TEST

START_TEST(an_error_that_repeats_the_request_is_reported_without_its_secrets) {
    struct credential_sas sas;
    snprintf(account.sas, sizeof account.sas, "sv=1&sig=SECRET");
    credential_sas_init(&sas, &account);
    client.attempt.credential = &sas.base;
    http_headers_add(&request.headers, "Authorization", "SharedKey acme:SECRET");
    http_fake_push(
        fake, &(struct http_fake_answer){
                  .status = 403,
                  .echoes = true,
                  .headers = "x-ms-error-code: SECRET=\r\nx-ms-request-id: SharedKey SECRET\r\n",
                  .body = "<Error><Code>AuthorizationFailure</Code>"
                          "<Message>No: @ at all</Message></Error>"});
    ck_assert_int_eq(send_within(10000), STATUS_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.message, "403 AuthorizationFailure: No: PUT *** "));
    ck_assert_ptr_nonnull(strstr(err.message, " Authorization: *** ***"));
    ck_assert_ptr_null(strstr(err.message, "SECRET"));
    ck_assert_str_eq(err.code, "AuthorizationFailure");
    ck_assert_str_eq(err.request_id, "SharedKey ***");
}
END_TEST

/*
 * What was written to stdout and stderr. Both lead into `file` while a test sends, so nothing may
 * be asserted meanwhile.
 */
static void capture_begin(FILE *file, int saved[2]) {
    fflush(NULL);
    saved[0] = dup(STDOUT_FILENO);
    saved[1] = dup(STDERR_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    dup2(fileno(file), STDERR_FILENO);
}

static void capture_end(FILE *file, const int saved[2], char *out, size_t size) {
    fflush(NULL);
    dup2(saved[0], STDOUT_FILENO);
    dup2(saved[1], STDERR_FILENO);
    close(saved[0]);
    close(saved[1]);
    rewind(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

START_TEST(no_log_line_holds_a_sas_or_a_key_at_trace) {
    static char written[65536];
    struct credential_sas sas;
    struct credential_shared_key shared_key;
    struct credential *const credentials[] = {&sas.base, &shared_key.base};
    int saved[2];
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    snprintf(account.sas, sizeof account.sas, "sv=1&sig=SECRET");
    snprintf(account.name, sizeof account.name, "acme");
    account.key_length = 16;
    credential_sas_init(&sas, &account);
    ck_assert_int_eq(credential_shared_key_init(&shared_key, &account, NULL), STATUS_OK);
    http_headers_add(&request.query, "prefix", "SECRET");
    request.max_attempts = 1;
    log_configure(LOG_TRACE, "1");
    capture_begin(file, saved);
    for (size_t i = 0; i < 2; i++) {
        client.attempt.credential = credentials[i];
        http_fake_push(fake,
                       &(struct http_fake_answer){.status = 403, .code = "AuthorizationFailure"});
        (void)!send_within(10000);
        http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
        (void)!send_within(10000);
    }
    capture_end(file, saved, written, sizeof written);
    credential_shared_key_cleanup(&shared_key);
    const char *signature = strstr(sent_header(2, "Authorization"), ":");
    ck_assert_ptr_nonnull(strstr(written, expected_message(": 403"))); /* it does log */
    ck_assert_ptr_null(strstr(written, "SECRET"));
    ck_assert_ptr_nonnull(signature);
    ck_assert_ptr_null(strstr(written, signature + 1));
}
END_TEST

static const struct correlation caller = {.invocation_id = "0f8c1d2e-0000-4000-8000-0123456789ab"};

START_TEST(what_is_sent_for_a_request_is_named_after_it) {
    http_fake_push(fake, &(struct http_fake_answer)BUSY);
    http_fake_push(fake, &(struct http_fake_answer){.status = 201});
    correlation_use(&caller);
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    correlation_use(NULL);
    ck_assert_str_eq(sent_header(0, "x-ms-client-request-id"), caller.invocation_id);
    ck_assert_str_eq(sent_header(1, "x-ms-client-request-id"), caller.invocation_id);
}
END_TEST

/* ---- trying again ---- */

START_TEST(a_busy_or_silent_storage_is_tried_again_with_a_new_signature) {
    http_fake_push(fake, &(struct http_fake_answer)BUSY);
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    http_fake_push(fake, &(struct http_fake_answer){.status = 200});
    int64_t before_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_eq(http_fake_count(fake), 3);
    ck_assert_str_eq(sent_header(2, "Authorization"), "Fake 3");
    ck_assert_str_eq(sent_header(2, "x-ms-client-request-id"),
                     sent_header(0, "x-ms-client-request-id"));
    /* sent_ms is the last attempt's: two backoffs of at least 50 and 100 ms come before it. */
    ck_assert_int_ge(reply.sent_ms, before_ms + 150);
}
END_TEST

START_TEST(a_deadline_ends_the_attempts_and_the_last_failure_is_reported) {
    for (int i = 0; i < 50; i++) {
        http_fake_push(fake, &(struct http_fake_answer)BUSY);
    }
    int64_t before_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(send_within(2000), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_now_ms(clock_system()), before_ms + 10000);
    ck_assert_int_eq(err.http_status, 503);
    ck_assert_str_eq(err.code, "ServerBusy");
    ck_assert_ptr_nonnull(strstr(err.message, "given up after "));
    ck_assert_uint_ge(http_fake_count(fake), 2);
    ck_assert_uint_le(http_fake_count(fake), 7);
}
END_TEST

START_TEST(an_attempt_does_not_outlast_the_deadline) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    int64_t before_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(send_within(100), STATUS_UNAVAILABLE);
    int64_t took_ms = clock_now_ms(clock_system()) - before_ms;
    ck_assert_int_ge(took_ms, 90);
    ck_assert_int_lt(took_ms, STORAGE_ATTEMPT_TIMEOUT_MS - 1000);
}
END_TEST

START_TEST(a_deadline_that_has_passed_sends_nothing) {
    ck_assert_int_eq(send_within(0), STATUS_UNAVAILABLE);
    ck_assert_uint_eq(http_fake_count(fake), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "deadline"));
}
END_TEST

/* Retry-After ends 50 ms before the deadline. An attempt of 50 ms would only time out. */
START_TEST(a_repeat_that_would_have_no_time_is_not_made) {
    http_fake_push(
        fake, &(struct http_fake_answer){
                  .status = 503, .headers = "Retry-After: 1\r\nx-ms-error-code: ServerBusy\r\n"});
    ck_assert_int_eq(send_within(1050), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.code, "ServerBusy");
    ck_assert_ptr_nonnull(strstr(err.message, "given up after 1 attempt: "));
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(retry_after_past_the_deadline_gives_up_at_once) {
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 503, .headers = "Retry-After: 30\r\n"});
    int64_t before_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_now_ms(clock_system()), before_ms + 5000);
    ck_assert_int_eq(err.retry_after_ms, 30000);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_request_of_one_attempt_is_not_tried_again) {
    http_fake_push(fake, &(struct http_fake_answer)BUSY);
    request.max_attempts = 1;
    ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_refusal_after_an_attempt_without_an_answer_leaves_that_one_in_doubt) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    http_fake_push(fake, &(struct http_fake_answer){.status = 409, .code = "LeaseAlreadyPresent"});
    ck_assert_int_ne(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert(err.may_have_happened);
    http_fake_push(fake, &(struct http_fake_answer){.status = 409, .code = "LeaseAlreadyPresent"});
    ck_assert_int_ne(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert(!err.may_have_happened);
}
END_TEST

/* ---- credentials ---- */

START_TEST(a_rejected_credential_with_another_token_gets_one_more_attempt_even_of_one) {
    credential.renews = true;
    request.max_attempts = 1;
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 401, .code = "InvalidAuthenticationInfo"});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_int_eq(credential.rejected, 1);
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 401, .code = "InvalidAuthenticationInfo"});
    http_fake_push(fake, &(struct http_fake_answer){.status = 403, .code = "AuthorizationFailure"});
    ck_assert_int_eq(send_within(10000), STATUS_UNAUTHORIZED);
    ck_assert_uint_eq(http_fake_count(fake), 4);
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 401, .code = "InvalidAuthenticationInfo"});
    http_fake_push(fake, &(struct http_fake_answer)BUSY);
    ck_assert_int_eq(send_within(10000), STATUS_UNAVAILABLE);
    ck_assert_uint_eq(http_fake_count(fake), 6);
}
END_TEST

START_TEST(the_generation_of_the_rejected_token_is_passed) {
    credential.renews = true;
    http_fake_push(fake, &(struct http_fake_answer){.status = 200});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 401, .code = "InvalidAuthenticationInfo"});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_uint_eq(credential.rejected_generation, 2);
}
END_TEST

/* Azurite answers an expired token with AuthenticationFailed. Other codes mean: authenticated. */
START_TEST(a_forbidden_token_is_distinguished_from_a_rejected_one) {
    credential.renews = true;
    http_fake_push(
        fake, &(struct http_fake_answer){.status = 403,
                                         .headers = "x-ms-error-code: AuthenticationFailed\r\n"});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 401, .code = "InvalidAuthenticationInfo"});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_int_eq(credential.rejected, 2);
    ck_assert_int_eq(credential.authenticated, 0);
    http_fake_push(fake, &(struct http_fake_answer){
                             .status = 403,
                             .headers = "x-ms-error-code: AuthorizationPermissionMismatch\r\n"});
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_int_eq(credential.rejected, 3);
    ck_assert_int_eq(credential.authenticated, 1);
}
END_TEST

START_TEST(waiting_for_a_token_is_no_attempt) {
    credential.tokenless = 2;
    request.max_attempts = 1;
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    ck_assert_int_eq(credential.authorized, 3);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_rejected_credential_without_another_token_is_final) {
    http_fake_push(fake, &(struct http_fake_answer){.status = 403, .code = "AuthorizationFailure"});
    ck_assert_int_eq(send_within(10000), STATUS_UNAUTHORIZED);
    ck_assert_uint_eq(http_fake_count(fake), 1);
    credential.base.on_rejected = NULL;
    http_fake_push(fake, &(struct http_fake_answer){.status = 403, .code = "AuthorizationFailure"});
    ck_assert_int_eq(send_within(10000), STATUS_UNAUTHORIZED);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(a_credential_without_a_token_yet_is_waited_for_and_one_that_fails_is_not) {
    credential.answer = STATUS_UNAVAILABLE;
    ck_assert_int_eq(send_within(2000), STATUS_UNAVAILABLE);
    ck_assert_int_ge(credential.authorized, 2);
    ck_assert_ptr_nonnull(strstr(err.message, expected_message(": no token yet")));
    credential.answer = STATUS_UNAUTHORIZED;
    credential.authorized = 0;
    ck_assert_int_eq(send_within(10000), STATUS_UNAUTHORIZED);
    ck_assert_int_eq(credential.authorized, 1);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

/* ---- operations ---- */

struct outcome {
    struct loop_task start;
    struct storage_operation operation;
    int64_t deadline_ms;
    sem_t ended;
    bool is_starting;
    bool ended_in_start;
    enum status status;
    int http_status;
    struct error err;
};

static void take_outcome(void *context, enum status status, struct http_reply *got,
                         const struct error *failure) {
    struct outcome *outcome = context;
    outcome->status = status;
    outcome->http_status = got ? got->status : 0;
    outcome->err = *failure;
    outcome->ended_in_start = outcome->is_starting;
    sem_post(&outcome->ended);
}

static void start_operation(void *context) {
    struct outcome *outcome = context;
    outcome->is_starting = true;
    storage_operation_start(&outcome->operation, &client, &request, outcome->deadline_ms,
                            take_outcome, outcome);
    outcome->is_starting = false;
}

static void start_within(struct outcome *outcome, int64_t ms) {
    memset(outcome, 0, sizeof *outcome);
    sem_init(&outcome->ended, 0, 0);
    outcome->deadline_ms = from_now(ms);
    outcome->start = (struct loop_task){.run = start_operation, .context = outcome};
    event_loop_post(platform.loop, &outcome->start);
}

static void wait_for_end(struct outcome *outcome) {
    while (sem_wait(&outcome->ended) != 0) {
    }
}

START_TEST(an_operation_may_be_started_again_once_it_has_ended) {
    struct outcome outcome;
    request.max_attempts = 1;
    http_fake_push(fake, &(struct http_fake_answer)BUSY);
    start_within(&outcome, 5000);
    wait_for_end(&outcome);
    ck_assert_int_eq(outcome.status, STATUS_UNAVAILABLE);
    ck_assert_str_eq(outcome.err.code, "ServerBusy");
    ck_assert_int_eq(outcome.http_status, 0);
    start_within(&outcome, 5000);
    wait_for_end(&outcome);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    ck_assert_int_eq(outcome.http_status, 200);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

/* Its owner may hold what `done` frees. */
START_TEST(done_is_never_called_while_the_operation_is_started) {
    struct outcome outcome;
    credential.answer = STATUS_UNAUTHORIZED; /* the first attempt fails before it is sent */
    start_within(&outcome, 5000);
    wait_for_end(&outcome);
    ck_assert_int_eq(outcome.status, STATUS_UNAUTHORIZED);
    ck_assert(!outcome.ended_in_start);
    start_within(&outcome, -1);
    wait_for_end(&outcome);
    ck_assert_int_eq(outcome.status, STATUS_UNAVAILABLE);
    ck_assert(!outcome.ended_in_start);
}
END_TEST

static void abandon(void *context) {
    struct outcome *outcome = context;
    storage_operation_abandon(&outcome->operation);
    sem_post(&outcome->ended);
}

static void abandon_and_wait(struct outcome *outcome) {
    struct loop_task task = {.run = abandon, .context = outcome};
    event_loop_post(platform.loop, &task);
    wait_for_end(outcome);
}

START_TEST(an_abandoned_operation_is_not_answered) {
    struct outcome outcome;
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    start_within(&outcome, 20000);
    http_fake_wait(fake, 1);
    outcome.status = STATUS_INTERNAL;
    abandon_and_wait(&outcome);
    http_fake_let_go(fake);
    ck_assert_int_eq(send_within(10000), STATUS_OK); /* what has come meanwhile is handled */
    ck_assert_int_eq(outcome.status, STATUS_INTERNAL);
    abandon_and_wait(&outcome); /* nothing is under way */
}
END_TEST

START_TEST(an_operation_that_waits_ends_with_its_client) {
    struct outcome outcome;
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 503, .headers = "Retry-After: 40\r\n"});
    start_within(&outcome, 60000);
    http_fake_wait(fake, 1);
    ck_assert_int_eq(send_within(10000), STATUS_OK);
    http_transport_stop(transport);
    storage_client_cleanup(&client);
    wait_for_end(&outcome);
    ck_assert_int_eq(outcome.status, STATUS_CANCELLED);
    platform = http_transport_platform(transport, random_system());
    storage_client_init(&client, &platform, &account, &credential.base);
}
END_TEST

/* ---- cancelling ---- */

static void *send_for_ever(void *user) {
    enum status *status = user;
    struct http_reply mine;
    http_reply_init(&mine);
    *status = storage_client_send(&client, &request, from_now(60000), &mine, NULL);
    http_reply_cleanup(&mine);
    return NULL;
}

START_TEST(cancelling_ends_a_send_under_way_and_lets_operations_through) {
    enum status status = STATUS_OK;
    struct outcome outcome;
    pthread_t thread;
    for (int i = 0; i < 2; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    }
    int64_t before_ms = clock_now_ms(clock_system());
    start_within(&outcome, 20000);
    ck_assert_int_eq(pthread_create(&thread, NULL, send_for_ever, &status), 0);
    http_fake_wait(fake, 2);
    storage_client_cancel(&client);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status, STATUS_CANCELLED);
    ck_assert_int_lt(clock_now_ms(clock_system()), before_ms + STORAGE_ATTEMPT_TIMEOUT_MS - 500);
    http_fake_let_go(fake);
    wait_for_end(&outcome);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    start_within(&outcome, 5000);
    wait_for_end(&outcome);
    ck_assert_int_eq(outcome.status, STATUS_OK);
}
END_TEST

START_TEST(a_cancelled_client_sends_nothing) {
    storage_client_cancel(&client);
    ck_assert_int_eq(send_within(10000), STATUS_CANCELLED);
    ck_assert_int_eq(err.status, STATUS_CANCELLED);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name) {
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void add_answers(Suite *suite) {
    TCase *answers = new_case(suite, "answers");
    tcase_add_loop_test(answers, an_answer_has_one_meaning, 0,
                        (int)(sizeof meanings / sizeof meanings[0]));
    tcase_add_test(answers, what_is_sent_for_a_request_is_named_after_it);
    tcase_add_test(answers, a_blob_error_is_reported_in_full);
    tcase_add_test(answers, a_table_error_is_reported_in_full);
    tcase_add_loop_test(answers, an_answer_that_is_not_storages_is_no_answer, 0, FOREIGN_COUNT);
    tcase_add_loop_test(answers, an_answer_of_another_service_is_named, 0, SERVICE_COUNT);
    tcase_add_test(answers, the_right_service_may_name_itself_or_not);
    tcase_add_test(answers, the_message_says_what_answered_in_storages_place);
    tcase_add_test(answers, a_success_that_names_another_lease_is_not_storages);
    tcase_add_test(answers, no_message_holds_a_sas_or_a_parameter);
    tcase_add_test(answers, an_error_that_repeats_the_request_is_reported_without_its_secrets);
    tcase_add_test(answers, no_log_line_holds_a_sas_or_a_key_at_trace);
}

static void add_attempts(Suite *suite) {
    TCase *attempts = new_case(suite, "attempts");
    tcase_add_test(attempts, a_busy_or_silent_storage_is_tried_again_with_a_new_signature);
    tcase_add_test(attempts, a_deadline_ends_the_attempts_and_the_last_failure_is_reported);
    tcase_add_test(attempts, an_attempt_does_not_outlast_the_deadline);
    tcase_add_test(attempts, a_deadline_that_has_passed_sends_nothing);
    tcase_add_test(attempts, a_repeat_that_would_have_no_time_is_not_made);
    tcase_add_test(attempts, retry_after_past_the_deadline_gives_up_at_once);
    tcase_add_test(attempts, a_request_of_one_attempt_is_not_tried_again);
    tcase_add_test(attempts,
                   a_rejected_credential_with_another_token_gets_one_more_attempt_even_of_one);
    tcase_add_test(attempts, the_generation_of_the_rejected_token_is_passed);
    tcase_add_test(attempts, a_forbidden_token_is_distinguished_from_a_rejected_one);
    tcase_add_test(attempts, a_refusal_after_an_attempt_without_an_answer_leaves_that_one_in_doubt);
    tcase_add_test(attempts, waiting_for_a_token_is_no_attempt);
    tcase_add_test(attempts, a_rejected_credential_without_another_token_is_final);
    tcase_add_test(attempts,
                   a_credential_without_a_token_yet_is_waited_for_and_one_that_fails_is_not);
}

int main(void) {
    Suite *suite = suite_create("storage_client");
    TCase *requests = new_case(suite, "requests");
    tcase_add_test(requests, a_request_is_built_dated_and_signed);
    tcase_add_test(requests,
                   a_table_request_goes_to_the_table_endpoint_and_its_path_has_the_accounts);
    tcase_add_test(requests, a_request_whose_building_failed_is_not_sent);
    tcase_add_test(requests, dates_come_from_storage_after_its_first_answer);
    tcase_add_test(requests, an_error_of_storages_tells_the_time_as_well);
    tcase_add_test(requests, each_service_has_a_clock_of_its_own);
    tcase_add_test(requests, what_answers_in_storages_place_does_not_tell_the_time);
    add_answers(suite);
    add_attempts(suite);

    TCase *submits = new_case(suite, "submits");
    tcase_add_test(submits, an_operation_may_be_started_again_once_it_has_ended);
    tcase_add_test(submits, done_is_never_called_while_the_operation_is_started);
    tcase_add_test(submits, an_abandoned_operation_is_not_answered);
    tcase_add_test(submits, an_operation_that_waits_ends_with_its_client);

    TCase *cancelling = new_case(suite, "cancelling");
    tcase_add_test(cancelling, cancelling_ends_a_send_under_way_and_lets_operations_through);
    tcase_add_test(cancelling, a_cancelled_client_sends_nothing);
    return check_main(suite);
}
