#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "support/calls/blob_calls.h"
#include "support/processes/check_main.h"
#include "support/processes/storage_steps.h"

static const char mine[] = "11111111-2222-4333-8444-555555555555";
static const char theirs[] = "66666666-7777-4888-9999-aaaaaaaaaaaa";

static char container[STORAGE_UNIQUE_NAME_BYTES];

/* A container of the test's own, with one blob in it: "blob". */
static void connect_client(void) {
    open_connection();
    storage_unique_name(container);
    ck_assert_int_eq(blob_container_create(&storage.client, container, deadline(), &err),
                     STATUS_OK);
    ck_assert_int_eq(blob_create_empty(&storage.client, container, "blob", NULL, deadline(), &err),
                     STATUS_OK);
}

static enum status acquire(const char *blob, const char *lease_id) {
    int64_t sent_ms;
    return blob_lease_acquire(&storage.client, container, blob, lease_id, 60, deadline(), &sent_ms,
                              &err);
}

static enum status break_lease(const char *blob) {
    return blob_lease_break(&storage.client, container, blob, deadline(), &err);
}

static enum status renew(const char *blob, const char *lease_id) {
    return blob_lease_renew(&storage.client, container, blob, lease_id, deadline(), &err);
}

static enum status release(const char *blob, const char *lease_id) {
    return blob_lease_release(&storage.client, container, blob, lease_id, deadline(), &err);
}

/* ---- containers and blobs ---- */

START_TEST(a_container_is_created_only_once) {
    ck_assert_int_eq(blob_container_create(&storage.client, container, deadline(), &err),
                     STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(err.http_status, 409);
    ck_assert_str_eq(err.code, "ContainerAlreadyExists");
}
END_TEST

START_TEST(a_blob_is_created_once_with_its_metadata) {
    struct http_headers metadata;
    http_headers_init(&metadata);
    http_headers_add(&metadata, "leaseName", "inventory-PROD-001");
    http_headers_add(&metadata, "lease_owner", "warehouse  7");
    ck_assert_int_eq(
        blob_create_empty(&storage.client, container, "b", &metadata, deadline(), &err), STATUS_OK);
    http_headers_cleanup(&metadata);
    ck_assert_int_eq(blob_create_empty(&storage.client, container, "b", NULL, deadline(), &err),
                     STATUS_ALREADY_EXISTS);

    struct storage_request request;
    storage_request_init(&request, STORAGE_BLOB, "HEAD", 200);
    strbuf_appendf(&request.path, "/%s/b", container);
    struct http_reply reply;
    http_reply_init(&reply);
    ck_assert_int_eq(storage_client_send(&storage.client, &request, deadline(), &reply, &err),
                     STATUS_OK);
    ck_assert_str_eq(http_headers_get(&reply.headers, "x-ms-meta-leaseName"), "inventory-PROD-001");
    ck_assert_str_eq(http_headers_get(&reply.headers, "x-ms-meta-lease_owner"), "warehouse 7");
    ck_assert_str_eq(http_headers_get(&reply.headers, "Content-Length"), "0");
    http_reply_cleanup(&reply);
    storage_request_cleanup(&request);
}
END_TEST

START_TEST(a_blob_that_somebody_has_leased_exists_already_and_keeps_its_lease) {
    ck_assert_int_eq(acquire("blob", theirs), STATUS_OK);
    ck_assert_int_eq(blob_create_empty(&storage.client, container, "blob", NULL, deadline(), &err),
                     STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(err.status, STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(renew("blob", theirs), STATUS_OK);
}
END_TEST

START_TEST(names_with_slashes_spaces_and_letters_beyond_ascii_are_taken) {
    static const char *const names[] = {"locks/inventory/PROD-001", "a b+c%2F&d=e?f#g",
                                        "\xC3\xA4\xE2\x82\xAC"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_int_eq(acquire(names[i], mine), STATUS_NOT_FOUND);
        ck_assert_int_eq(
            blob_create_empty(&storage.client, container, names[i], NULL, deadline(), &err),
            STATUS_OK);
        ck_assert_int_eq(acquire(names[i], mine), STATUS_OK);
        ck_assert_int_eq(release(names[i], mine), STATUS_OK);
    }
}
END_TEST

START_TEST(a_missing_container_is_told_from_a_missing_blob) {
    ck_assert_int_eq(acquire("none", mine), STATUS_NOT_FOUND);
    ck_assert_int_eq(break_lease("none"), STATUS_NOT_FOUND);
    ck_assert_int_eq(renew("none", mine), STATUS_NOT_FOUND);
    ck_assert_int_eq(release("none", mine), STATUS_NOT_FOUND);
    storage_unique_name(container);
    ck_assert_int_eq(acquire("none", mine), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(break_lease("none"), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(renew("none", mine), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(release("none", mine), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(blob_create_empty(&storage.client, container, "b", NULL, deadline(), &err),
                     STATUS_CONTAINER_NOT_FOUND);
}
END_TEST

/* ---- leases ---- */

START_TEST(an_acquired_lease_is_reckoned_from_before_it_was_asked_for) {
    int64_t sent_ms = -1, before_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(blob_lease_acquire(&storage.client, container, "blob", mine, 15, deadline(),
                                        &sent_ms, &err),
                     STATUS_OK);
    ck_assert_int_ge(sent_ms, before_ms);
    ck_assert_int_le(sent_ms, clock_now_ms(clock_system()));
}
END_TEST

START_TEST(acquiring_again_with_the_same_id_gets_the_same_lease) {
    ck_assert_int_eq(acquire("blob", mine), STATUS_OK);
    ck_assert_int_eq(acquire("blob", mine), STATUS_OK);
    ck_assert_int_eq(renew("blob", mine), STATUS_OK);
}
END_TEST

START_TEST(a_held_lease_conflicts_and_leaves_the_callers_time_alone) {
    ck_assert_int_eq(acquire("blob", theirs), STATUS_OK);
    int64_t sent_ms = -1;
    ck_assert_int_eq(blob_lease_acquire(&storage.client, container, "blob", mine, 15, deadline(),
                                        &sent_ms, &err),
                     STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(sent_ms, -1);
    ck_assert_str_eq(err.code, "LeaseAlreadyPresent");
}
END_TEST

START_TEST(a_lease_without_end_is_held_renewed_and_released) {
    int64_t sent_ms;
    ck_assert_int_eq(blob_lease_acquire(&storage.client, container, "blob", mine,
                                        LEASE_DURATION_INFINITE_S, deadline(), &sent_ms, &err),
                     STATUS_OK);
    ck_assert_int_eq(acquire("blob", theirs), STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(renew("blob", mine), STATUS_OK);
    ck_assert_int_eq(release("blob", mine), STATUS_OK);
}
END_TEST

START_TEST(only_the_holder_renews) {
    ck_assert_int_eq(renew("blob", mine), STATUS_LEASE_LOST);
    ck_assert_int_eq(acquire("blob", theirs), STATUS_OK);
    ck_assert_int_eq(renew("blob", theirs), STATUS_OK);
    ck_assert_int_eq(renew("blob", mine), STATUS_LEASE_LOST);
}
END_TEST

START_TEST(a_released_lease_is_free_at_once_and_not_the_old_holders_any_more) {
    ck_assert_int_eq(acquire("blob", mine), STATUS_OK);
    ck_assert_int_eq(release("blob", mine), STATUS_OK);
    ck_assert_int_eq(acquire("blob", theirs), STATUS_OK);
    ck_assert_int_eq(renew("blob", mine), STATUS_LEASE_LOST);
    ck_assert_int_eq(release("blob", mine), STATUS_LEASE_LOST);
    ck_assert_int_eq(renew("blob", theirs), STATUS_OK);
}
END_TEST

START_TEST(a_lease_that_is_not_there_cannot_be_released_or_broken) {
    ck_assert_int_eq(release("blob", mine), STATUS_LEASE_LOST);
    ck_assert_int_eq(break_lease("blob"), STATUS_LEASE_LOST);
}
END_TEST

START_TEST(a_broken_lease_is_free_at_once_and_lost_to_its_holder) {
    ck_assert_int_eq(acquire("blob", theirs), STATUS_OK);
    ck_assert_int_eq(break_lease("blob"), STATUS_OK);
    ck_assert_int_eq(renew("blob", theirs), STATUS_LEASE_LOST);
    ck_assert_int_eq(acquire("blob", mine), STATUS_OK);
    ck_assert_int_eq(release("blob", theirs), STATUS_LEASE_LOST);
}
END_TEST

START_TEST(each_operation_is_one_request) {
    size_t mark = azurite_mark(&azurite);
    ck_assert_int_eq(acquire("blob", mine), STATUS_OK);
    ck_assert_int_eq(azurite_request_count(&azurite, mark), 1);
    ck_assert_int_eq(renew("blob", mine), STATUS_OK);
    ck_assert_int_eq(acquire("blob", theirs), STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(release("blob", mine), STATUS_OK);
    char *requests = azurite_requests_since(&azurite, mark);
    int count = 0;
    for (char *line = requests, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
        ck_assert_msg(strncmp(line, "\"PUT /" AZURITE_ACCOUNT "/test", 25) == 0 &&
                          strstr(line, "?comp=lease"),
                      "%s", line);
    }
    ck_assert_int_eq(count, 4);
    free(requests);
}
END_TEST

/* ---- storage that is not there ---- */

START_TEST(absent_storage_is_unavailable_and_its_leases_are_there_when_it_is_back) {
    struct azurite other;
    azurite_start(&other, AZURITE_ON_DISK);
    struct storage_connection client;
    storage_connection_open(&client, other.connection_string);
    int64_t sent_ms = -1;
    int64_t until = storage_connection_deadline(&client, TIMEOUT_MS);
    ck_assert_int_eq(blob_container_create(&client.client, "leases", until, &err), STATUS_OK);
    ck_assert_int_eq(blob_create_empty(&client.client, "leases", "b", NULL, until, &err),
                     STATUS_OK);
    ck_assert_int_eq(blob_lease_acquire(&client.client, "leases", "b", mine,
                                        LEASE_DURATION_INFINITE_S, until, &sent_ms, &err),
                     STATUS_OK);

    azurite_stop(&other);
    until = storage_connection_deadline(&client, 300);
    ck_assert_int_eq(blob_lease_break(&client.client, "leases", "b", until, &err),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(err.http_status, 0);

    azurite_restart(&other);
    until = storage_connection_deadline(&client, TIMEOUT_MS);
    ck_assert_int_eq(
        blob_lease_acquire(&client.client, "leases", "b", theirs, 15, until, &sent_ms, &err),
        STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(
        blob_lease_acquire(&client.client, "leases", "b", mine, 15, until, &sent_ms, &err),
        STATUS_OK);
    storage_connection_close(&client);
    azurite_cleanup(&other);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("blob_leases");
    TCase *shared = tcase_create("one Azurite");
    tcase_add_unchecked_fixture(shared, start_azurite, release_azurite);
    tcase_add_checked_fixture(shared, connect_client, close_connection);
    tcase_add_test(shared, a_container_is_created_only_once);
    tcase_add_test(shared, a_blob_is_created_once_with_its_metadata);
    tcase_add_test(shared, a_blob_that_somebody_has_leased_exists_already_and_keeps_its_lease);
    tcase_add_test(shared, names_with_slashes_spaces_and_letters_beyond_ascii_are_taken);
    tcase_add_test(shared, a_missing_container_is_told_from_a_missing_blob);
    tcase_add_test(shared, an_acquired_lease_is_reckoned_from_before_it_was_asked_for);
    tcase_add_test(shared, acquiring_again_with_the_same_id_gets_the_same_lease);
    tcase_add_test(shared, a_held_lease_conflicts_and_leaves_the_callers_time_alone);
    tcase_add_test(shared, a_lease_without_end_is_held_renewed_and_released);
    tcase_add_test(shared, only_the_holder_renews);
    tcase_add_test(shared, a_released_lease_is_free_at_once_and_not_the_old_holders_any_more);
    tcase_add_test(shared, a_lease_that_is_not_there_cannot_be_released_or_broken);
    tcase_add_test(shared, a_broken_lease_is_free_at_once_and_lost_to_its_holder);
    tcase_add_test(shared, each_operation_is_one_request);
    suite_add_tcase(suite, shared);
    TCase *absent = tcase_create("an Azurite that stops");
    tcase_add_test(absent, absent_storage_is_unavailable_and_its_leases_are_there_when_it_is_back);
    suite_add_tcase(suite, absent);
    return check_main(suite);
}
