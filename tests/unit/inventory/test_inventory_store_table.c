/* How the table store reads; its everyday is in tests/integration/. */
#include "inventory/inventory_store_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/utc.h"
#include "inventory/inventory_store_wait.h"
#include "inventory/table_setup.h"
#include "support/check_main.h"
#include "support/table_script.h"

#define PRODUCT_ENTITY(version)                                                                                 \
    "{\"odata.etag\":\"W/\\\"datetime'" version "'\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\","        \
    "\"total\":\"10\",\"available\":\"10\",\"version\":\"" version "\",\"dueAt\":\"9999-12-31T23:59:59.999Z\"," \
    "\"commitIds\":\"" OTHERS_ID "\",\"indexedDue\":\"0\",\"indexedKeep\":\"0\"}"

static void push_two_pages(void) {
    http_fake_push(fake, &(struct http_fake_answer){
                             .headers = JSON_HEADERS
                             "x-ms-continuation-NextPartitionKey: P\r\nx-ms-continuation-NextRowKey: r-1\r\n",
                             .body = "{\"value\":[" PRODUCT_ENTITY("7") "]}"});
    push_answer(200, "{\"value\":[]}");
}

static enum status read_all(void) {
    struct error err;
    struct inventory_query query = {.all = true, .until_ms = RESERVED_MS};
    return inventory_store_read_and_wait(&table.base, "P", &query, &state, &err);
}

START_TEST(several_pages_are_read_again_if_the_product_moved_on_between_them) {
    push_two_pages();
    push_answer(200, PRODUCT_ENTITY("8"));
    push_answer(200, "{\"value\":[" PRODUCT_ENTITY("8") "]}"); /* one page: one picture */
    ck_assert_int_eq(read_all(), STATUS_OK);
    ck_assert_int_eq(state.product.version, 8);
    ck_assert_int_eq(state.product.due_ms, INT64_MAX);
    ck_assert_uint_eq(http_fake_count(fake), 4);
}
END_TEST

START_TEST(a_product_that_moves_on_between_the_pages_each_time_cannot_be_read_so) {
    for (int i = 0; i < 3; i++) {
        push_two_pages();
        push_answer(200, PRODUCT_ENTITY("8"));
    }
    ck_assert_int_eq(read_all(), STATUS_PRECONDITION_FAILED);
    ck_assert_uint_eq(http_fake_count(fake), 9);
    ck_assert_uint_eq(state.reservations.count, 0);
}
END_TEST

START_TEST(a_record_that_this_program_did_not_write_is_refused) {
    struct error err;
    struct idempotency_record record;
    push_answer(200, "{\"PartitionKey\":\"P\",\"RowKey\":\"i-abc\",\"quantity\":\"1\"}");
    ck_assert_int_eq(inventory_store_find_record_and_wait(&table.base, "P", "abc", &record, &err), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 0)->target, "RowKey='i-abc'"));
}
END_TEST

START_TEST(rows_that_this_program_did_not_write_are_refused) {
    static const char *const bodies[] = {
        "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"product\",\"total\":\"10\"}]}",
        "{\"value\":[{\"PartitionKey\":\"P\",\"total\":\"10\"}]}",
        "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"r-not-a-uuid\"}]}",
        ("{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"r-0194a0b1-2345-8678-9abc-def012345678\",\"customerId\":"
         "\"C\",\"quantity\":\"0\","
         "\"reservedAt\":\"2025-01-19T14:45:30Z\",\"expiresAt\":\"2025-01-19T14:45:30Z\"}]}"),
    };
    push_answer(200, bodies[_i]);
    ck_assert_int_eq(read_all(), STATUS_MALFORMED);
    ck_assert_uint_eq(state.reservations.count, 0);
}
END_TEST

/* ---- the time ---- */

enum { DAY_MS = 24 * 3600 * 1000 };

static int64_t wall_ms(void) {
    return clock_wall_ms(clock_system());
}

/* A read's answer, dated so much later than now. */
static void push_dated(int64_t later_ms) {
    char date[UTC_TEXT_BYTES], headers[256];
    utc_format_http(wall_ms() + later_ms, date);
    snprintf(headers, sizeof headers, JSON_HEADERS "Date: %s\r\n", date);
    http_fake_push(fake, &(struct http_fake_answer){
                             .status = 200, .headers = headers, .body = "{\"value\":[" PRODUCT_ENTITY("7") "]}"});
}

static void assert_time_is(int64_t later_ms) {
    ck_assert_int_lt(llabs(table.base.ops->now_ms(&table.base) - wall_ms() - later_ms), DAY_MS / 24);
    ck_assert_int_lt(llabs(table.base.ops->certain_ms(&table.base) - wall_ms() - later_ms), DAY_MS / 24);
}

/* Decisions follow a read: it may not leave open what the time is. */
START_TEST(a_read_whose_answer_has_a_strange_date_asks_once_more) {
    static const int days[] = {2, -2};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        push_dated((int64_t)days[i] * DAY_MS);
        push_dated(0);
        ck_assert_int_eq(read_all(), STATUS_OK);
        ck_assert_uint_eq(http_fake_count(fake), 2 * i + 2);
        assert_time_is(0);
    }
    push_dated(0);
    ck_assert_int_eq(read_all(), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 5); /* all is well: one request */
    assert_time_is(0);
}
END_TEST

START_TEST(a_date_that_two_answers_agree_on_is_storages) {
    push_dated(2 * (int64_t)DAY_MS);
    push_dated(2 * (int64_t)DAY_MS);
    ck_assert_int_eq(read_all(), STATUS_OK);
    assert_time_is(2 * (int64_t)DAY_MS);
}
END_TEST

START_TEST(a_read_that_cannot_settle_the_time_is_still_read) {
    push_dated(2 * (int64_t)DAY_MS);
    push_answer(404, "{\"odata.error\":{\"code\":\"ResourceNotFound\"}}"); /* without a Date */
    ck_assert_int_eq(read_all(), STATUS_OK);
    ck_assert_int_eq(state.product.version, 7);
    assert_time_is(0);
}
END_TEST

/* ---- for operators ---- */

static enum status added(struct error *err) {
    const struct seed_product product = {.id = "P", .total = 10};
    return table_setup_add(&table, &product, err);
}

static void push_absent(void) {
    push_answer(404, "{\"odata.error\":{\"code\":\"ResourceNotFound\"}}");
}

static void push_empty(void) {
    push_answer(200, "{\"value\":[]}");
}

static void push_there(void) {
    push_answer(409, "{\"odata.error\":{\"code\":\"EntityAlreadyExists\"}}");
}

START_TEST(a_product_is_added_after_a_look_at_what_is_there) {
    struct error err;
    push_absent();
    push_empty();
    push_answer(204, "");
    ck_assert_msg(added(&err) == STATUS_OK, "%s", err.message);
    const char *body = http_fake_request(fake, 2)->body;
    ck_assert_ptr_nonnull(strstr(body, "\"total\":\"10\""));
    ck_assert_ptr_nonnull(strstr(body, "\"available\":\"10\""));
    ck_assert_ptr_nonnull(strstr(body, "\"version\":\"1\""));
    ck_assert_uint_eq(http_fake_count(fake), 3);
}
END_TEST

/* Readable or not. */
START_TEST(a_product_that_is_there_is_not_added) {
    struct error err;
    if (_i == 0) {
        push_product(7, OTHERS_ID);
    } else {
        push_answer(200, "{\"PartitionKey\":\"P\",\"RowKey\":\"product\"}");
    }
    ck_assert_int_eq(added(&err), STATUS_ALREADY_EXISTS);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

static const char *const leftovers[] = {"r-0194a0b1-2345-8678-9abc-def012345678", "i-abc", "zzz"};

static void push_leftover(const char *row_key) {
    char body[256];
    snprintf(body, sizeof body, "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"%s\"}]}", row_key);
    push_answer(200, body);
}

START_TEST(a_product_is_not_added_beside_any_row_that_is_left_of_it) {
    struct error err;
    push_absent();
    push_leftover(leftovers[_i]);
    ck_assert_int_eq(added(&err), STATUS_PRECONDITION_FAILED);
    ck_assert_uint_eq(http_fake_count(fake), 2);
    ck_assert_str_eq(http_fake_request(fake, 1)->target + strlen("/fake"),
                     "/inventory()?%24filter=PartitionKey%20eq%20%27P%27");
    ck_assert_ptr_nonnull(strstr(err.message, leftovers[_i]));
    ck_assert_ptr_nonnull(strstr(err.message, "Restore that row"));
}
END_TEST

static const struct seed_product two_seeds[] = {{.id = "P", .total = 10}, {.id = "Q", .total = 20}};

static enum status prepared(struct error *err) {
    return table.base.ops->prepare(&table.base, two_seeds, 2, err);
}

static void push_no_table(void) {
    push_answer(404, "{\"odata.error\":{\"code\":\"TableNotFound\"}}");
}

START_TEST(a_seed_is_not_created_beside_old_rows_and_the_others_are) {
    struct error err;
    push_absent();
    push_leftover(leftovers[_i]);
    push_absent();
    push_empty();
    push_answer(204, "");
    ck_assert_int_eq(prepared(&err), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 5);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 4)->body, "\"PartitionKey\":\"Q\""));
}
END_TEST

START_TEST(a_table_that_was_never_there_is_created) {
    struct error err;
    push_no_table();
    push_answer(204, ""); /* the table */
    push_empty();
    push_answer(204, "");
    push_absent();
    push_empty();
    push_answer(204, "");
    ck_assert_int_eq(prepared(&err), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 7);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 1)->target, "/Tables"));
}
END_TEST

/*
 * It disappears between any two requests of a start: it is not created, and what was seeded is not
 * seeded again.
 */
START_TEST(a_table_that_disappears_while_it_is_prepared_is_not_created) {
    struct error err;
    void (*const answers[])(void) = {push_absent, push_empty, push_there, push_absent, push_empty};
    for (int i = 0; i <= _i; i++) {
        answers[i]();
    }
    push_no_table();
    ck_assert_int_eq(prepared(&err), STATUS_CONTAINER_NOT_FOUND);
    push_no_table();
    ck_assert_int_eq(prepared(&err), STATUS_CONTAINER_NOT_FOUND);
    for (size_t i = 0; i < http_fake_count(fake); i++) {
        ck_assert_ptr_null(strstr(http_fake_request(fake, i)->target, "/Tables"));
    }
}
END_TEST

START_TEST(a_seed_that_was_created_is_not_created_again_by_the_next_try) {
    struct error err;
    push_product(1, OTHERS_ID); /* P */
    push_answer(403, "{\"odata.error\":{\"code\":\"AuthorizationFailure\"}}");
    ck_assert_int_eq(prepared(&err), STATUS_UNAUTHORIZED);
    size_t count = http_fake_count(fake);
    push_product(1, OTHERS_ID); /* Q */
    ck_assert_int_eq(prepared(&err), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), count + 1);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, count)->target, "PartitionKey='Q'"));
}
END_TEST

static void *add_on_a_thread(void *context) {
    commit.status = added(&commit.err);
    return context;
}

static enum status count_product(void *context, const struct product *product, struct error *err) {
    (void)err;
    ck_assert_str_eq(product->id, "P");
    ++*(int *)context;
    return STATUS_OK;
}

/* The insert's answer is lost, and its repeat meets a row of `version`, whose commits are ours or another's. */
static void lose_the_answer(int version, bool is_ours) {
    static const char key[] = "\"commitIds\":\"";
    push_absent();
    push_empty();
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG, .status = 503});
    ck_assert_int_eq(pthread_create(&commit.thread, NULL, add_on_a_thread, NULL), 0);
    http_fake_wait(fake, 3);
    const char *found = strstr(http_fake_request(fake, 2)->body, key);
    ck_assert_ptr_nonnull(found);
    char ids[2 * UUID_TEXT_BYTES];
    snprintf(ids, sizeof ids, "%s,%.36s", OTHERS_ID, is_ours ? found + strlen(key) : OTHERS_ID);
    push_there();
    push_product(version, ids);
    http_fake_let_go(fake);
    ck_assert_int_eq(pthread_join(commit.thread, NULL), 0);
    ck_assert_uint_eq(http_fake_count(fake), 5);
}

START_TEST(an_addition_whose_answer_was_lost_is_known_by_its_commit) {
    lose_the_answer(2, true);
    ck_assert_msg(commit.status == STATUS_OK, "%s", commit.err.message);
}
END_TEST

START_TEST(a_product_that_somebody_else_added_meanwhile_is_not_ours) {
    lose_the_answer(16, false);
    ck_assert_int_eq(commit.status, STATUS_ALREADY_EXISTS);
}
END_TEST

START_TEST(who_added_a_product_cannot_be_told_when_its_first_commit_is_forgotten) {
    lose_the_answer(17, false);
    ck_assert_int_eq(commit.status, STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(a_list_visits_the_products_of_all_pages) {
    struct error err;
    int count = 0;
    push_two_pages();
    ck_assert_int_eq(table_setup_list(&table, count_product, &count, &err), STATUS_OK);
    ck_assert_int_eq(count, 1);
    ck_assert_uint_eq(http_fake_count(fake), 2);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 0)->target, "RowKey%20eq%20%27product%27"));
}
END_TEST

START_TEST(a_product_that_cannot_be_read_is_left_out_of_a_list) {
    struct error err;
    int count = 0;
    push_answer(
        200, "{\"value\":[{\"PartitionKey\":\"A\",\"RowKey\":\"product\",\"total\":\"10\"}," PRODUCT_ENTITY("7") "]}");
    ck_assert_int_eq(table_setup_list(&table, count_product, &count, &err), STATUS_OK);
    ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(rows_of_a_kind_that_is_not_known_are_passed_over) {
    push_answer(200, "{\"value\":[" PRODUCT_ENTITY("7") ",{\"PartitionKey\":\"P\",\"RowKey\":\"q-new\"}]}");
    ck_assert_int_eq(read_all(), STATUS_OK);
    ck_assert_uint_eq(state.reservations.count, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_store_table");
    TCase *tcase = tcase_create("against a script");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, several_pages_are_read_again_if_the_product_moved_on_between_them);
    tcase_add_test(tcase, a_product_that_moves_on_between_the_pages_each_time_cannot_be_read_so);
    tcase_add_test(tcase, a_record_that_this_program_did_not_write_is_refused);
    tcase_add_loop_test(tcase, rows_that_this_program_did_not_write_are_refused, 0, 4);
    tcase_add_test(tcase, a_read_whose_answer_has_a_strange_date_asks_once_more);
    tcase_add_test(tcase, a_date_that_two_answers_agree_on_is_storages);
    tcase_add_test(tcase, a_read_that_cannot_settle_the_time_is_still_read);
    tcase_add_test(tcase, a_product_is_added_after_a_look_at_what_is_there);
    tcase_add_loop_test(tcase, a_product_that_is_there_is_not_added, 0, 2);
    tcase_add_loop_test(tcase, a_product_is_not_added_beside_any_row_that_is_left_of_it, 0, 3);
    tcase_add_loop_test(tcase, a_seed_is_not_created_beside_old_rows_and_the_others_are, 0, 3);
    tcase_add_test(tcase, a_table_that_was_never_there_is_created);
    tcase_add_loop_test(tcase, a_table_that_disappears_while_it_is_prepared_is_not_created, 0, 5);
    tcase_add_test(tcase, a_seed_that_was_created_is_not_created_again_by_the_next_try);
    tcase_add_test(tcase, an_addition_whose_answer_was_lost_is_known_by_its_commit);
    tcase_add_test(tcase, a_product_that_somebody_else_added_meanwhile_is_not_ours);
    tcase_add_test(tcase, who_added_a_product_cannot_be_told_when_its_first_commit_is_forgotten);
    tcase_add_test(tcase, a_list_visits_the_products_of_all_pages);
    tcase_add_test(tcase, a_product_that_cannot_be_read_is_left_out_of_a_list);
    tcase_add_test(tcase, rows_of_a_kind_that_is_not_known_are_passed_over);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
