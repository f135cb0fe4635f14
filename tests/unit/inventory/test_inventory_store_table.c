/* How the table store reads; its everyday is in tests/integration/. */
#include "inventory/inventory_store_table.h"

#include <string.h>

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
    return table.base.ops->read(&table.base, "P", &query, &state, &err);
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
    ck_assert_uint_eq(state.reservation_count, 0);
}
END_TEST

START_TEST(a_record_that_this_program_did_not_write_is_refused) {
    struct error err;
    struct idempotency_record record;
    push_answer(200, "{\"PartitionKey\":\"P\",\"RowKey\":\"i-abc\",\"quantity\":\"1\"}");
    ck_assert_int_eq(table.base.ops->find_record(&table.base, "P", "abc", &record, &err), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 0)->target, "RowKey='i-abc'"));
}
END_TEST

START_TEST(rows_that_this_program_did_not_write_are_refused) {
    static const char *const bodies[] = {
        "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"product\",\"total\":\"10\"}]}",
        "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"other\"}]}",
        "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"r-not-a-uuid\"}]}",
        ("{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"r-0194a0b1-2345-8678-9abc-def012345678\",\"customerId\":"
         "\"C\",\"quantity\":\"0\","
         "\"reservedAt\":\"2025-01-19T14:45:30Z\",\"expiresAt\":\"2025-01-19T14:45:30Z\"}]}"),
    };
    push_answer(200, bodies[_i]);
    ck_assert_int_eq(read_all(), STATUS_MALFORMED);
    ck_assert_uint_eq(state.reservation_count, 0);
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
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
