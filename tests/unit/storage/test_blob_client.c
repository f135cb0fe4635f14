#include "support/calls/blob_calls.h"

#include <stdio.h>
#include <string.h>

#include "support/fakes/fake_storage_steps.h"
#include "support/processes/check_main.h"

static const char lease_id[] = "11111111-2222-4333-8444-555555555555";

static void answer(int status, const char *headers) {
    http_fake_push(fake, &(struct http_fake_answer){.status = status, .headers = headers});
}

static void assert_request(size_t index, const char *target) {
    const struct http_fake_request *request = http_fake_request(fake, index);
    ck_assert_str_eq(request->method, "PUT");
    ck_assert_str_eq(request->target, target);
    ck_assert_uint_eq(request->body_length, 0);
    ck_assert_str_eq(http_fake_sent(fake, index, "Content-Length"), "0");
}

START_TEST(creating_a_container_asks_for_that) {
    answer(201, NULL);
    ck_assert_int_eq(blob_container_create(&storage.client, "leases", deadline(), &err), STATUS_OK);
    assert_request(0, "/acct/leases?restype=container");
}
END_TEST

START_TEST(creating_a_blob_sends_its_metadata_and_never_overwrites) {
    struct http_headers metadata;
    http_headers_init(&metadata);
    http_headers_add(&metadata, "leaseName", "inventory-PROD-001");
    http_headers_add(&metadata, "lease_site", "north 1");
    answer(201, NULL);
    ck_assert_int_eq(
        blob_create_empty(&storage.client, "leases", "lease-a b/c", &metadata, deadline(), &err),
        STATUS_OK);
    http_headers_cleanup(&metadata);
    assert_request(0, "/acct/leases/lease-a%20b/c");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-blob-type"), "BlockBlob");
    ck_assert_str_eq(http_fake_sent(fake, 0, "If-None-Match"), "*");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-meta-leaseName"), "inventory-PROD-001");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-meta-lease_site"), "north 1");
}
END_TEST

START_TEST(whatever_says_that_a_blob_is_there_is_one_status) {
    static const struct {
        int status;
        const char *headers;
    } answers[] = {{409, "x-ms-error-code: BlobAlreadyExists\r\n"},
                   {412, "x-ms-error-code: LeaseIdMissing\r\n"},
                   {412, "x-ms-error-code: ConditionNotMet\r\n"},
                   {409, "x-ms-error-code: LeaseAlreadyPresent\r\n"}};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        answer(answers[i].status, answers[i].headers);
        ck_assert_int_eq(blob_create_empty(&storage.client, "c", "b", NULL, deadline(), &err),
                         STATUS_ALREADY_EXISTS);
        ck_assert_int_eq(err.status, STATUS_ALREADY_EXISTS);
        ck_assert_int_eq(err.http_status, answers[i].status);
    }
    answer(412, "x-ms-error-code: LeaseIdMissing\r\n");
    ck_assert_int_eq(blob_create_empty(&storage.client, "c", "b", NULL, deadline(), NULL),
                     STATUS_ALREADY_EXISTS);
}
END_TEST

START_TEST(metadata_that_no_header_can_hold_is_refused_before_anything_is_sent) {
    struct http_headers metadata;
    http_headers_init(&metadata);
    char name[2000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    http_headers_add(&metadata, name, "v");
    ck_assert_int_eq(blob_create_empty(&storage.client, "c", "b", &metadata, deadline(), &err),
                     STATUS_TOO_LARGE);
    http_headers_cleanup(&metadata);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

START_TEST(acquiring_proposes_the_callers_id_and_duration) {
    int64_t sent_ms;
    answer(201, NULL);
    ck_assert_int_eq(
        blob_lease_acquire(&storage.client, "c", "b", lease_id, 60, deadline(), &sent_ms, &err),
        STATUS_OK);
    assert_request(0, "/acct/c/b?comp=lease");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-action"), "acquire");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-proposed-lease-id"), lease_id);
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-duration"), "60");
    answer(201, NULL);
    ck_assert_int_eq(blob_lease_acquire(&storage.client, "c", "b", lease_id,
                                        LEASE_DURATION_INFINITE_S, deadline(), &sent_ms, &err),
                     STATUS_OK);
    ck_assert_str_eq(http_fake_sent(fake, 1, "x-ms-lease-duration"), "-1");
}
END_TEST

START_TEST(acquiring_after_a_lost_answer_proposes_the_same_id_and_is_reckoned_from_the_repeat) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    answer(503, NULL);
    answer(201, NULL);
    int64_t sent_ms = -1, before_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(
        blob_lease_acquire(&storage.client, "c", "b", lease_id, 15, deadline(), &sent_ms, &err),
        STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(http_fake_sent(fake, i, "x-ms-proposed-lease-id"), lease_id);
    }
    /* sent_ms is the last attempt's: two backoffs of at least 50 and 100 ms come before it. */
    ck_assert_int_ge(sent_ms, before_ms + 150);
}
END_TEST

START_TEST(a_failed_acquire_leaves_the_callers_time_alone) {
    int64_t sent_ms = -1;
    answer(409, "x-ms-error-code: LeaseAlreadyPresent\r\n");
    ck_assert_int_eq(
        blob_lease_acquire(&storage.client, "c", "b", lease_id, 15, deadline(), &sent_ms, &err),
        STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(sent_ms, -1);
}
END_TEST

static void answer_no_lease(void) {
    http_fake_push(fake, &(struct http_fake_answer){
                             .status = 409,
                             .headers = "x-ms-error-code: LeaseNotPresentWithLeaseOperation\r\n"});
}

START_TEST(breaking_what_nobody_holds_says_so) {
    answer_no_lease();
    ck_assert_int_eq(blob_lease_break(&storage.client, "c", "b", deadline(), &err),
                     STATUS_LEASE_LOST);
    ck_assert_int_eq(err.status, STATUS_LEASE_LOST);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_repeated_break_that_finds_no_lease_any_more_has_worked) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    answer_no_lease();
    ck_assert_int_eq(blob_lease_break(&storage.client, "c", "b", deadline(), &err), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(a_break_that_keeps_failing_is_tried_until_its_deadline_and_says_why) {
    for (int i = 0; i < 3; i++) {
        answer(503, "Retry-After: 0\r\nx-ms-error-code: ServerBusy\r\n");
    }
    answer(503, "Retry-After: 3600\r\nx-ms-error-code: ServerBusy\r\n");
    ck_assert_int_eq(blob_lease_break(&storage.client, "c", "b", deadline(), &err),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(err.http_status, 503);
    ck_assert_uint_eq(http_fake_count(fake), 4);
}
END_TEST

START_TEST(breaking_wants_no_break_period) {
    answer(202, NULL);
    ck_assert_int_eq(blob_lease_break(&storage.client, "c", "b", deadline(), &err), STATUS_OK);
    assert_request(0, "/acct/c/b?comp=lease");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-action"), "break");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-break-period"), "0");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-id"), "");
}
END_TEST

typedef enum status (*lease_action)(struct storage_client *client, const char *container,
                                    const char *blob, const char *lease_id, int64_t deadline_ms,
                                    struct error *err);

static enum status act(lease_action action, int64_t timeout_ms) {
    return action(&storage.client, "c", "b", lease_id,
                  storage_connection_deadline(&storage, timeout_ms), &err);
}

static const struct {
    lease_action action;
    const char *name;
} actions[] = {{blob_lease_renew, "renew"}, {blob_lease_release, "release"}};

START_TEST(a_renewal_or_release_names_the_lease) {
    answer(200, NULL);
    ck_assert_int_eq(act(actions[_i].action, TIMEOUT_MS), STATUS_OK);
    assert_request(0, "/acct/c/b?comp=lease");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-action"), actions[_i].name);
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-id"), lease_id);
}
END_TEST

START_TEST(a_renewal_or_release_is_one_attempt) {
    answer(503, NULL);
    ck_assert_int_eq(act(actions[_i].action, TIMEOUT_MS), STATUS_UNAVAILABLE);
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    ck_assert_int_eq(act(actions[_i].action, TIMEOUT_MS), STATUS_UNAVAILABLE);
    answer(200, NULL);
    ck_assert_int_eq(act(actions[_i].action, TIMEOUT_MS), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 3);
}
END_TEST

START_TEST(a_renewal_or_release_ends_with_its_timeout) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    ck_assert_int_eq(act(actions[_i].action, 50), STATUS_UNAVAILABLE);
    http_fake_let_go(fake);
}
END_TEST

/* ---- each operation has one success ---- */

static enum status create_container(void) {
    return blob_container_create(&storage.client, "c", deadline(), &err);
}

static enum status create_blob(void) {
    return blob_create_empty(&storage.client, "c", "b", NULL, deadline(), &err);
}

static enum status acquire(void) {
    int64_t sent_ms;
    return blob_lease_acquire(&storage.client, "c", "b", lease_id, 15, deadline(), &sent_ms, &err);
}

static enum status renew(void) {
    return act(blob_lease_renew, TIMEOUT_MS);
}

static enum status release(void) {
    return act(blob_lease_release, TIMEOUT_MS);
}

static enum status break_lease(void) {
    return blob_lease_break(&storage.client, "c", "b", deadline(), &err);
}

static const struct {
    enum status (*run)(void);
    int success;
    bool names_lease, is_one_attempt;
} operations[] = {{create_container, 201, false, false}, {create_blob, 201, false, false},
                  {acquire, 201, true, false},           {renew, 200, true, true},
                  {release, 200, false, true},           {break_lease, 202, false, false}};
static int current; /* index of the operation under test */
enum { OPERATION_COUNT = sizeof operations / sizeof operations[0] };

/* A foreign answer is followed by storage's own, or ends the operation if there is one attempt. */
static void expect_no_success(const struct http_fake_answer *foreign) {
    size_t before = http_fake_count(fake);
    http_fake_push(fake, foreign);
    enum status status = operations[current].run();
    ck_assert_msg(status == (operations[current].is_one_attempt ? STATUS_UNAVAILABLE : STATUS_OK),
                  "%d: %s", foreign->status, status_name(status));
    ck_assert_uint_eq(http_fake_count(fake) - before, operations[current].is_one_attempt ? 1 : 2);
}

START_TEST(an_operation_has_one_success) {
    static const int statuses[] = {200, 201, 202, 203, 204, 206, 301, 302, 304};
    current = _i;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i] != operations[_i].success) {
            expect_no_success(&(struct http_fake_answer){.status = statuses[i]});
        }
    }
    expect_no_success(
        &(struct http_fake_answer){.is_foreign = true, .status = operations[_i].success});
    if (operations[_i].names_lease) {
        expect_no_success(&(struct http_fake_answer){
            .status = operations[_i].success,
            .headers = "x-ms-lease-id: 99999999-2222-4333-8444-555555555555\r\n"});
        expect_no_success(&(struct http_fake_answer){.is_foreign = true,
                                                     .status = operations[_i].success,
                                                     .headers = "x-ms-request-id: 1\r\n"});
    }
    ck_assert_int_eq(operations[_i].run(), STATUS_OK);
}
END_TEST

/* A gateway's answer says nothing about a container, a blob or a lease. */
START_TEST(a_gateways_refusal_is_no_answer_to_an_operation) {
    static const int statuses[] = {400, 401, 403, 404, 405, 407, 409, 412, 451, 502};
    current = _i;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        expect_no_success(&(struct http_fake_answer){
            .is_foreign = true, .status = statuses[i], .body = "<html>not storage</html>"});
        expect_no_success(
            &(struct http_fake_answer){.status = statuses[i], .body = "<html>not storage</html>"});
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("blob_client");
    TCase *tcase = tcase_create("requests");
    tcase_add_checked_fixture(tcase, open_fake, close_fake);
    tcase_add_test(tcase, creating_a_container_asks_for_that);
    tcase_add_test(tcase, creating_a_blob_sends_its_metadata_and_never_overwrites);
    tcase_add_test(tcase, whatever_says_that_a_blob_is_there_is_one_status);
    tcase_add_test(tcase, metadata_that_no_header_can_hold_is_refused_before_anything_is_sent);
    tcase_add_test(tcase, acquiring_proposes_the_callers_id_and_duration);
    tcase_add_test(
        tcase, acquiring_after_a_lost_answer_proposes_the_same_id_and_is_reckoned_from_the_repeat);
    tcase_add_test(tcase, a_failed_acquire_leaves_the_callers_time_alone);
    tcase_add_test(tcase, breaking_wants_no_break_period);
    tcase_add_test(tcase, breaking_what_nobody_holds_says_so);
    tcase_add_test(tcase, a_repeated_break_that_finds_no_lease_any_more_has_worked);
    tcase_add_test(tcase, a_break_that_keeps_failing_is_tried_until_its_deadline_and_says_why);
    tcase_add_loop_test(tcase, a_renewal_or_release_names_the_lease, 0, 2);
    tcase_add_loop_test(tcase, a_renewal_or_release_is_one_attempt, 0, 2);
    tcase_add_loop_test(tcase, a_renewal_or_release_ends_with_its_timeout, 0, 2);
    tcase_add_loop_test(tcase, an_operation_has_one_success, 0, OPERATION_COUNT);
    tcase_add_loop_test(tcase, a_gateways_refusal_is_no_answer_to_an_operation, 0, OPERATION_COUNT);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
