#include "simulation/storage/simulated_storage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_message.h"
#include "base/utc.h"
#include "identity/credential.h"
#include "support/calls/simulated_calls.h"
#include "support/processes/check_main.h"

#define START_DATE "Mon, 21 Sep 2026 14:13:20 GMT" /* SIMULATED_START_MS */
#define LEASE "11111111-aaaa-4aaa-8aaa-111111111111"
#define OWN_LEASE "x-ms-lease-id: " LEASE "\r\n"
#define PUT_EMPTY "x-ms-blob-type: BlockBlob\r\n"

enum { KEY_BYTES = 64 };

#define ASSERT_SAYS(text) \
    ck_assert_msg(simulated_says(text), "\"%s\" is not in: %s", text, simulated_calls.answer.data)

static void make_blob(void) {
    ck_assert_int_eq(simulated_ask_blob("PUT /leases?restype=container", ""), 201);
    ck_assert_int_eq(simulated_ask_blob("PUT /leases/b", PUT_EMPTY "x-ms-meta-leaseName: b\r\n"),
                     201);
}

static int acquire(void) {
    return simulated_ask_blob("PUT /leases/b?comp=lease",
                              "x-ms-lease-action: acquire\r\nx-ms-lease-duration: 15\r\n"
                              "x-ms-proposed-lease-id: " LEASE "\r\n");
}

/* ---- what every answer has ---- */

START_TEST(an_answer_carries_ids_date_version_and_length) {
    ck_assert_int_eq(
        simulated_ask_blob("PUT /leases?restype=container",
                           "x-ms-client-request-id: abc\r\nx-ms-version: 2021-12-02\r\n"),
        201);
    ASSERT_SAYS("\r\nx-ms-client-request-id: abc\r\n");
    ASSERT_SAYS("\r\nx-ms-version: 2021-12-02\r\n");
    ASSERT_SAYS("\r\nDate: " START_DATE "\r\n");
    ASSERT_SAYS("\r\nServer: Windows-Azure-Blob/1.0");
    ASSERT_SAYS("\r\nx-ms-request-id: 5705a6e0-0000-4000-8000-000000000001\r\n");
    simulated_ask_blob("HEAD /leases?restype=container", "");
    ASSERT_SAYS("\r\nx-ms-request-id: 5705a6e0-0000-4000-8000-000000000002\r\n");
}
END_TEST

START_TEST(a_refusal_names_its_code) {
    ck_assert_int_eq(simulated_ask_blob("GET /leases?restype=container", ""), 404);
    ASSERT_SAYS("\r\nx-ms-error-code: ContainerNotFound\r\n");
    ASSERT_SAYS("<Error><Code>ContainerNotFound</Code>");
    ck_assert_int_eq(simulated_ask_table("GET /inventory()", "", ""), 404);
    ck_assert(!simulated_says("x-ms-error-code"));
    ASSERT_SAYS("{\"odata.error\":{\"code\":\"TableNotFound\"");
}
END_TEST

START_TEST(a_refused_head_has_no_body) {
    ck_assert_int_eq(simulated_ask_blob("HEAD /leases/b", ""), 404);
    ck_assert_str_eq(strstr(simulated_calls.answer.data, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

START_TEST(what_is_no_whole_request_is_refused) {
    static const char *const bad[] = {"", "PUT", "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n1234",
                                      "GET / HTTP/1.1\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        strbuf_clear(&simulated_calls.answer);
        simulated_storage_answer(&simulated_calls.storage, SIMULATED_TABLE_SERVICE, bad[i],
                                 strlen(bad[i]), &simulated_calls.answer);
        ASSERT_SAYS("HTTP/1.1 400 ");
    }
}
END_TEST

START_TEST(the_same_requests_at_the_same_times_get_the_same_bytes) {
    struct strbuf all[2];
    for (int i = 0; i < 2; i++) {
        strbuf_init(&all[i], SIZE_MAX);
        make_blob();
        strbuf_append(&all[i], simulated_calls.answer.data, simulated_calls.answer.length);
        acquire();
        strbuf_append(&all[i], simulated_calls.answer.data, simulated_calls.answer.length);
        simulated_make_table();
        for (int row = 0; row < 100; row++) {
            simulated_insert("p", row * 37 % 100, row);
            strbuf_append(&all[i], simulated_calls.answer.data, simulated_calls.answer.length);
        }
        simulated_ask_table("GET /inventory()", "", "");
        strbuf_append(&all[i], simulated_calls.answer.data, simulated_calls.answer.length);
        simulated_calls_end();
        simulated_calls_begin();
    }
    ck_assert_str_eq(all[0].data, all[1].data);
    strbuf_cleanup(&all[0]);
    strbuf_cleanup(&all[1]);
}
END_TEST

/* ---- signatures ---- */

/* Sends a request that the product has signed, `late_ms` ago. */
static int ask_signed(bool is_table, const char *sent_method, int64_t late_ms) {
    static struct storage_account owner;
    struct credential_shared_key credential;
    struct http_headers headers, query;
    struct strbuf url, text;
    struct error err;
    owner = *simulated_calls.storage.account;
    owner.key_length = KEY_BYTES;
    simulated_storage_cleanup(&simulated_calls.storage);
    ck_assert_int_eq(
        simulated_storage_init(&simulated_calls.storage, &simulated_calls.clock, &owner),
        STATUS_OK);
    ck_assert_int_eq(credential_shared_key_init(&credential, &owner, &err), STATUS_OK);
    char date[UTC_TEXT_BYTES];
    utc_format_http(simulated_calls.now_ms - late_ms, date);
    http_headers_init(&headers);
    http_headers_init(&query);
    http_headers_add(&query, "restype", "container");
    http_headers_add(&query, "comp", "list");
    http_headers_add(&headers, "x-ms-meta-b_1", "z");
    http_headers_add(&headers, "x-ms-meta-b1", "y");
    http_headers_add(&headers, "x-ms-date", date);
    http_headers_add(&headers, "If-None-Match", "*");
    strbuf_init(&url, SIZE_MAX);
    strbuf_append_string(&url, "/some%20thing");
    struct credential_request request = {.is_table = is_table,
                                         .method = "PUT",
                                         .path = url.data,
                                         .path_length = url.length,
                                         .query = &query,
                                         .headers = &headers,
                                         .url = &url};
    ck_assert_int_eq(credential.base.authorize(&credential.base, &request, &err), STATUS_OK);
    strbuf_init(&text, SIZE_MAX);
    strbuf_appendf(&text, "%s %s?restype=container&comp=list HTTP/1.1\r\n", sent_method, url.data);
    for (size_t i = 0; i < headers.count; i++) {
        strbuf_appendf(&text, "%s: %s\r\n", headers.items[i].name, headers.items[i].value);
    }
    strbuf_append_string(&text, "\r\n");
    strbuf_clear(&simulated_calls.answer);
    simulated_storage_answer(&simulated_calls.storage,
                             is_table ? SIMULATED_TABLE_SERVICE : SIMULATED_BLOB_SERVICE, text.data,
                             text.length, &simulated_calls.answer);
    credential_shared_key_cleanup(&credential);
    http_headers_cleanup(&headers);
    http_headers_cleanup(&query);
    strbuf_cleanup(&url);
    strbuf_cleanup(&text);
    return (int)strtol(simulated_calls.answer.data + strlen("HTTP/1.1 "), NULL, 10);
}

START_TEST(a_request_is_carried_out_if_it_is_signed_with_the_key) {
    bool is_table = _i == 1;
    ck_assert_int_ne(ask_signed(is_table, "PUT", 0), 403);
    ck_assert_int_eq(ask_signed(is_table, "GET", 0), 403);
    ASSERT_SAYS("AuthenticationFailed");
    ck_assert_int_eq(simulated_calls.storage.outcome.kind, SIMULATED_UNSIGNED);
}
END_TEST

START_TEST(a_signature_is_good_for_15_minutes) {
    enum { MINUTE_MS = 60 * 1000 };
    ck_assert_int_ne(ask_signed(_i == 1, "PUT", 15 * MINUTE_MS), 403);
    ck_assert_int_eq(ask_signed(_i == 1, "PUT", 15 * MINUTE_MS + 1000), 403);
    ck_assert_int_ne(ask_signed(_i == 1, "PUT", -15 * MINUTE_MS), 403);
    ck_assert_int_eq(ask_signed(_i == 1, "PUT", -15 * MINUTE_MS - 1000), 403);
}
END_TEST

/* "good" is. */
static bool accepts_token(void *context, struct text token) {
    (void)context;
    return text_is(token, "good");
}

START_TEST(a_token_is_good_if_the_test_says_so) {
    static const char what[] = "PUT /leases?restype=container";
    ck_assert_int_eq(simulated_ask_blob(what, "Authorization: Bearer good\r\n"), 401);
    simulated_calls.storage.accepts_token = accepts_token;
    ck_assert_int_eq(simulated_ask_blob(what, "Authorization: Bearer expired\r\n"), 401);
    ASSERT_SAYS("InvalidAuthenticationInfo");
    ck_assert_int_eq(simulated_ask_blob(what, "Authorization: Bearer good\r\n"), 201);
}
END_TEST

/* ---- containers, blobs, leases ---- */

START_TEST(a_container_that_was_deleted_is_being_deleted_for_30_s) {
    make_blob();
    ck_assert_int_eq(simulated_ask_blob("DELETE /leases?restype=container", ""), 202);
    ck_assert_int_eq(simulated_ask_blob("HEAD /leases/b", ""), 404);
    ASSERT_SAYS("ContainerNotFound");
    simulated_calls.now_ms += BLOBS_DELETION_MS - 1;
    ck_assert_int_eq(simulated_ask_blob("PUT /leases?restype=container", ""), 409);
    ASSERT_SAYS("ContainerBeingDeleted");
    simulated_calls.now_ms += 1;
    ck_assert_int_eq(simulated_ask_blob("PUT /leases?restype=container", ""), 201);
    ck_assert_int_eq(simulated_ask_blob("HEAD /leases/b", ""), 404);
    ASSERT_SAYS("BlobNotFound");
}
END_TEST

START_TEST(metadata_is_written_under_a_lease_only_with_its_id) {
    make_blob();
    ck_assert_int_eq(acquire(), 201);
    ASSERT_SAYS("\r\nx-ms-lease-id: " LEASE "\r\n");
    ck_assert_int_eq(simulated_ask_blob("PUT /leases/b?comp=metadata", "x-ms-meta-holder: me\r\n"),
                     412);
    ASSERT_SAYS("LeaseIdMissing");
    ck_assert_int_eq(
        simulated_ask_blob("PUT /leases/b?comp=metadata", OWN_LEASE "x-ms-meta-holder: me\r\n"),
        200);
    ck_assert_int_eq(simulated_ask_blob("HEAD /leases/b", ""), 200);
    ASSERT_SAYS("\r\nx-ms-meta-holder: me\r\n");
    ASSERT_SAYS("\r\nx-ms-lease-state: leased\r\n");
    ck_assert(!simulated_says("leaseName"));
}
END_TEST

START_TEST(a_write_takes_an_expired_lease_from_its_holder) {
    make_blob();
    acquire();
    simulated_calls.now_ms += 15000;
    ck_assert_int_eq(simulated_ask_blob("PUT /leases/b?comp=metadata", ""), 200);
    ck_assert_int_eq(
        simulated_ask_blob("PUT /leases/b?comp=lease", "x-ms-lease-action: renew\r\n" OWN_LEASE),
        409);
    ASSERT_SAYS("LeaseIdMismatchWithLeaseOperation");
}
END_TEST

START_TEST(a_blob_is_created_only_where_there_is_none) {
    make_blob();
    ck_assert_int_eq(simulated_ask_blob("PUT /leases/b", PUT_EMPTY "If-None-Match: *\r\n"), 409);
    ASSERT_SAYS("BlobAlreadyExists");
    acquire();
    ck_assert_int_eq(simulated_ask_blob("PUT /leases/b", PUT_EMPTY "If-None-Match: *\r\n"), 412);
    ASSERT_SAYS("LeaseIdMissing");
}
END_TEST

static const struct {
    const char *headers, *code;
} bad_lease_requests[] = {
    {"", "MissingRequiredHeader"},
    {"x-ms-lease-action: steal\r\n", "InvalidHeaderValue"},
    {"x-ms-lease-action: acquire\r\n", "MissingRequiredHeader"},
    {"x-ms-lease-action: acquire\r\nx-ms-lease-duration: 14\r\n", "InvalidHeaderValue"},
    {"x-ms-lease-action: acquire\r\nx-ms-lease-duration: 61\r\n", "InvalidHeaderValue"},
    {"x-ms-lease-action: acquire\r\nx-ms-lease-duration: soon\r\n", "InvalidHeaderValue"},
    {"x-ms-lease-action: acquire\r\nx-ms-lease-duration: 15\r\nx-ms-proposed-lease-id: me\r\n",
     "InvalidHeaderValue"},
    {"x-ms-lease-action: renew\r\n", "MissingRequiredHeader"},
    {"x-ms-lease-action: release\r\nx-ms-lease-id: me\r\n", "InvalidHeaderValue"},
    {"x-ms-lease-action: change\r\n" OWN_LEASE, "MissingRequiredHeader"},
    {"x-ms-lease-action: break\r\nx-ms-lease-break-period: 61\r\n", "InvalidHeaderValue"},
    {"x-ms-lease-action: break\r\nx-ms-lease-break-period: -1\r\n", "InvalidHeaderValue"},
};

START_TEST(a_lease_request_that_makes_no_sense_is_refused) {
    make_blob();
    acquire();
    ck_assert_int_eq(simulated_ask_blob("PUT /leases/b?comp=lease", bad_lease_requests[_i].headers),
                     400);
    ASSERT_SAYS(bad_lease_requests[_i].code);
    ck_assert(blobs_is_leased(&simulated_calls.storage.blobs, "leases", "b"));
}
END_TEST

START_TEST(blobs_are_listed_by_name_with_lease_and_metadata) {
    make_blob();
    simulated_ask_blob("PUT /leases/a", PUT_EMPTY "x-ms-meta-note: 1 < 2\r\n");
    simulated_ask_blob("PUT /leases/other", PUT_EMPTY);
    acquire();
    ck_assert_int_eq(
        simulated_ask_blob("GET /leases?restype=container&comp=list&include=metadata", ""), 200);
    const char *a = strstr(simulated_calls.answer.data, "<Name>a</Name>"),
               *b = strstr(simulated_calls.answer.data, "<Name>b</Name>");
    ck_assert(a != NULL && b != NULL && a < b && simulated_says("<note>1 &lt; 2</note>") &&
              simulated_says("<LeaseState>leased</LeaseState>"));
    ck_assert_int_eq(simulated_ask_blob("GET /leases?restype=container&comp=list&prefix=o", ""),
                     200);
    ck_assert(!simulated_says("<Name>a<") && simulated_says("<Name>other<") &&
              !simulated_says("<Metadata>"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("simulated_storage");
    TCase *tests = tcase_create("storage");
    tcase_add_checked_fixture(tests, simulated_calls_begin, simulated_calls_end);
    tcase_add_test(tests, an_answer_carries_ids_date_version_and_length);
    tcase_add_test(tests, a_refusal_names_its_code);
    tcase_add_test(tests, a_refused_head_has_no_body);
    tcase_add_test(tests, what_is_no_whole_request_is_refused);
    tcase_add_test(tests, the_same_requests_at_the_same_times_get_the_same_bytes);
    tcase_add_loop_test(tests, a_request_is_carried_out_if_it_is_signed_with_the_key, 0, 2);
    tcase_add_loop_test(tests, a_signature_is_good_for_15_minutes, 0, 2);
    tcase_add_test(tests, a_token_is_good_if_the_test_says_so);
    tcase_add_test(tests, a_container_that_was_deleted_is_being_deleted_for_30_s);
    tcase_add_test(tests, metadata_is_written_under_a_lease_only_with_its_id);
    tcase_add_test(tests, a_write_takes_an_expired_lease_from_its_holder);
    tcase_add_test(tests, a_blob_is_created_only_where_there_is_none);
    tcase_add_loop_test(tests, a_lease_request_that_makes_no_sense_is_refused, 0,
                        (int)(sizeof bad_lease_requests / sizeof bad_lease_requests[0]));
    tcase_add_test(tests, blobs_are_listed_by_name_with_lease_and_metadata);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
