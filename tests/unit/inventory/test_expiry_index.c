/*
 * The index in the order of its requests; what it finds and costs is in
 * tests/integration/test_inventory_store_table.c.
 */
#include "inventory/expiry_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fakes/table_script.h"
#include "support/processes/check_main.h"

#define DUE_ROW(time, kind) \
    "{\"PartitionKey\":\"!due\",\"RowKey\":\"" time "-" kind "-P\",\"format\":2}"

START_TEST(a_reservation_in_another_minute_is_noted_before_its_commit_is_sent) {
    state.product.indexed_due_ms = BUCKET_MS - MINUTE_MS;
    push_answer(_i == 0 ? 204 : 409, "{\"odata.error\":{\"code\":\"EntityAlreadyExists\"}}");
    push_committed();
    start_commit();
    finish_commit();
    assert_committed();
    ck_assert_int_eq(state.product.indexed_due_ms, BUCKET_MS);
    ck_assert_uint_eq(http_fake_count(fake), 2);
    ck_assert_str_eq(http_fake_request(fake, 0)->body, DUE_ROW("001737297900000", "r"));
    ck_assert_ptr_nonnull(
        strstr(http_fake_request(fake, 1)->body, "\"indexedDue\":\"1737297900000\""));
}
END_TEST

START_TEST(each_minute_of_a_commit_is_noted_and_the_hour_behind_its_records) {
    bool reserved = false;
    const struct reservation *row = NULL;
    add_record();
    state.product.indexed_keep_ms = 0;
    ck_assert_int_eq(inventory_reserve(&state, "C1", 1, RESERVED_MS, MINUTE_MS, random_system(),
                                       &reserved, &row),
                     STATUS_OK);
    push_answer(204, "");
    push_answer(204, "");
    push_committed();
    start_commit();
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 3);
    ck_assert_str_eq(http_fake_request(fake, 0)->body, DUE_ROW("001737297960000", "r"));
    ck_assert_str_eq(http_fake_request(fake, 1)->body, DUE_ROW("001737298800000", "k"));
    ck_assert_ptr_nonnull(
        strstr(http_fake_request(fake, 2)->body, "\"indexedKeep\":\"1737298800000\""));
}
END_TEST

/* The row of its old minute may be gone by the time that it expires. */
START_TEST(the_new_minute_of_an_extended_reservation_is_noted_before_its_commit_is_sent) {
    product_state_committed(&state); /* the fixture's reservation is stored */
    struct reservation *row = state.reservations.rows[0];
    inventory_extend(&state, row, BUCKET_MS + 5 * MINUTE_MS + 1);
    push_answer(204, "");
    push_committed();
    start_commit();
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 2);
    ck_assert_str_eq(http_fake_request(fake, 0)->body, DUE_ROW("001737298200000", "r"));
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 1)->body, "\"expiresAt\":"));
    ck_assert_int_eq(state.product.indexed_due_ms, BUCKET_MS + 5 * MINUTE_MS);
}
END_TEST

START_TEST(a_commit_that_cannot_be_noted_is_not_sent) {
    state.product.indexed_due_ms = 0;
    commit.deadline_ms = clock_now_ms(clock_system()) + 400;
    for (int i = 0; i < 50; i++) {
        push_answer(503, "");
    }
    start_commit();
    finish_commit();
    ck_assert_int_eq(commit.status, STATUS_UNAVAILABLE);
    ck_assert_int_eq(state.product.version, 7);
    for (size_t i = 0; i < http_fake_count(fake); i++) {
        ck_assert_ptr_null(strstr(http_fake_request(fake, i)->target, "$batch"));
    }
}
END_TEST

static struct product_ids find_expired(void) {
    struct product_ids due = {.ids = NULL};
    struct error err = {.status = STATUS_OK};
    enum status status =
        inventory_store_find_expired_and_wait(&table.base, RESERVED_MS, &due, &err);
    ck_assert_msg(status == STATUS_OK, "%s: %s", status_name(status), err.message);
    return due;
}

/* Product P is due, and nothing else. */
static void find_product(void) {
    struct product_ids due = find_expired();
    ck_assert_uint_eq(due.count, 1);
    ck_assert_str_eq(due.ids[0], "P");
    free(due.ids);
}

static enum status clean_up_expired(int *purged) {
    struct error err;
    return inventory_store_clean_up_expired_and_wait(&table.base, "P", RESERVED_MS, purged, &err);
}

#define RECORD(hash) "{\"odata.etag\":\"W/\\\"" hash "\\\"\",\"RowKey\":\"i-" hash "\"}"

START_TEST(rows_whose_deletion_was_not_answered_are_deleted_one_by_one) {
    int purged = -1;
    push_answer(200, "{\"value\":[" DUE_ROW("001737200000000", "k") "]}");
    push_answer(200, "{\"value\":[" RECORD("1") "," RECORD("2") "]}");
    push_lost();                           /* this one happened ... */
    push_refused(404, "ResourceNotFound"); /* ... as the repeat finds: */
    push_refused(404, "ResourceNotFound"); /* the first is gone, */
    push_refused(
        412, "UpdateConditionNotSatisfied"); /* and under the second key there is a new record */
    push_done(1);                            /* the index's row */
    find_product();
    ck_assert_int_eq(clean_up_expired(&purged), STATUS_OK);
    ck_assert_int_eq(purged, 0);
    ck_assert_uint_eq(http_fake_count(fake), 7);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 5)->body, "If-Match: W/\"2\""));
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 6)->body, "PartitionKey='%21due'"));
}
END_TEST

START_TEST(the_indexs_row_stays_when_records_could_not_be_read) {
    int purged = -1;
    push_answer(200, "{\"value\":[" DUE_ROW("001737200000000", "k") "]}");
    push_answer(403, "{\"odata.error\":{\"code\":\"AuthorizationFailure\"}}");
    find_product();
    ck_assert_int_eq(clean_up_expired(&purged), STATUS_UNAUTHORIZED);
    ck_assert_int_eq(purged, -1);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(the_indexs_row_stays_when_records_could_not_be_deleted) {
    int deleted = -1;
    push_answer(200, "{\"value\":[" DUE_ROW("001737200000000", "k") "]}");
    push_answer(200, "{\"value\":[" RECORD("1") "," RECORD("2") "]}");
    push_refused(403, "AuthorizationFailure");
    find_product();
    ck_assert_int_eq(clean_up_expired(&deleted), STATUS_UNAUTHORIZED);
    ck_assert_int_eq(deleted, -1);
    ck_assert_uint_eq(http_fake_count(fake), 3);
}
END_TEST

#define ROW_OF(product) "{\"RowKey\":\"001737200000000-r-" product "\"}"

START_TEST(only_the_rows_of_the_product_are_deleted) {
    int deleted = -1;
    push_answer(200,
                "{\"value\":[" ROW_OF("Q") "," ROW_OF("P") "," ROW_OF("A") "," ROW_OF("PA") "]}");
    push_done(1);
    struct product_ids expired = find_expired();
    ck_assert_uint_eq(expired.count, 4);
    free(expired.ids);
    ck_assert_int_eq(clean_up_expired(&deleted), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 2);
    const char *body = http_fake_request(fake, 1)->body;
    const char *row = strstr(body, "RowKey='001737200000000-r-P'");
    ck_assert_ptr_nonnull(row);
    ck_assert_ptr_null(strstr(row + 1, "RowKey="));
    ck_assert_ptr_eq(strstr(body, "RowKey="), row);
}
END_TEST

START_TEST(what_no_search_has_met_is_left_to_the_next_one) {
    int purged = -1;
    ck_assert_int_eq(clean_up_expired(&purged), STATUS_OK);
    ck_assert_int_eq(purged, 0);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

START_TEST(a_row_that_this_program_did_not_write_does_not_keep_the_others_from_being_found) {
    static const char *const keys[] = {"1737200000000-k-P", "001737200000000-x-P",
                                       "001737200000000-r-", "x", "001737200000000-r-a/b"};
    char body[256];
    snprintf(body, sizeof body,
             "{\"value\":[{\"RowKey\":\"%s\"}," DUE_ROW("001737200000000", "r") "]}", keys[_i]);
    push_answer(200, body);
    find_product();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("expiry_index");
    TCase *tcase = tcase_create("against a script");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_reservation_in_another_minute_is_noted_before_its_commit_is_sent,
                        0, 2);
    tcase_add_test(tcase, each_minute_of_a_commit_is_noted_and_the_hour_behind_its_records);
    tcase_add_test(tcase,
                   the_new_minute_of_an_extended_reservation_is_noted_before_its_commit_is_sent);
    tcase_add_test(tcase, a_commit_that_cannot_be_noted_is_not_sent);
    tcase_add_test(tcase, rows_whose_deletion_was_not_answered_are_deleted_one_by_one);
    tcase_add_test(tcase, the_indexs_row_stays_when_records_could_not_be_read);
    tcase_add_test(tcase, the_indexs_row_stays_when_records_could_not_be_deleted);
    tcase_add_test(tcase, only_the_rows_of_the_product_are_deleted);
    tcase_add_test(tcase, what_no_search_has_met_is_left_to_the_next_one);
    tcase_add_loop_test(
        tcase, a_row_that_this_program_did_not_write_does_not_keep_the_others_from_being_found, 0,
        5);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
