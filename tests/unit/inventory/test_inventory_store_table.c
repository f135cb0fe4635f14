/* How the table store reads; its everyday is in tests/integration/. */
#include "inventory/inventory_store_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/utc.h"
#include "support/calls/store_wait.h"
#include "support/fakes/table_script.h"
#include "support/processes/check_main.h"

#define PRODUCT_ENTITY(version)                                    \
    "{\"odata.etag\":\"W/\\\"datetime'" version                    \
    "'\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\","       \
    "\"total\":\"10\",\"available\":\"10\",\"version\":\"" version \
    "\",\"dueAt\":\"9999-12-31T23:59:59.999Z\","                   \
    "\"commitIds\":\"" OTHERS_ID "\",\"indexedDue\":\"0\",\"indexedKeep\":\"0\"}"

static void push_two_pages(void) {
    http_fake_push(
        fake, &(struct http_fake_answer){
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
    push_answer(200, "{\"value\":[" PRODUCT_ENTITY("8") "]}"); /* one page: one snapshot */
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

/* ---- with a visitor ---- */

#define RESERVATION(id, units)                                                                \
    "{\"PartitionKey\":\"P\",\"RowKey\":\"r-0194a0b1-2345-8678-9abc-def01234567" id           \
    "\",\"customerId\":\"C\",\"quantity\":" units ",\"reservedAt\":\"2025-01-19T14:45:30Z\"," \
    "\"expiresAt\":\"2025-01-19T15:15:30Z\"}"

static struct note_visitor {
    struct reservation_visitor base; /* first */
    int begun;
    int64_t now_ms;
    char seen[64]; /* the last character of each id in this try */
} notes;

static void note_begin(struct reservation_visitor *visitor, int64_t now_ms) {
    struct note_visitor *own = (struct note_visitor *)visitor;
    own->begun++;
    own->now_ms = now_ms;
    own->seen[0] = '\0';
}

static enum status note_visit(struct reservation_visitor *visitor, const struct reservation *row,
                              const char *customer_id, struct error *err) {
    struct note_visitor *own = (struct note_visitor *)visitor;
    (void)err;
    ck_assert_str_eq(customer_id, "C");
    strcat(own->seen, &row->id[UUID_TEXT_BYTES - 2]);
    return STATUS_OK;
}

static enum status visit_all(void) {
    struct error err;
    notes = (struct note_visitor){.base = {.begin = note_begin, .visit = note_visit}};
    struct inventory_query query = {.all = true, .visitor = &notes.base};
    return inventory_store_read_and_wait(&table.base, "P", &query, &state, &err);
}

static void push_visited_pages(const char *version, const char *first, const char *second) {
    char body[2048];
    snprintf(body, sizeof body, "{\"value\":[%s,%s]}", version, first);
    http_fake_push(
        fake, &(struct http_fake_answer){
                  .headers = JSON_HEADERS
                  "x-ms-continuation-NextPartitionKey: P\r\nx-ms-continuation-NextRowKey: r-1\r\n",
                  .body = body});
    snprintf(body, sizeof body, "{\"value\":[%s]}", second);
    push_answer(200, body);
}

START_TEST(a_visitor_gets_the_rows_and_the_state_gets_none) {
    push_visited_pages(PRODUCT_ENTITY("7"), RESERVATION("1", "2"), RESERVATION("2", "3"));
    push_answer(200, PRODUCT_ENTITY("7"));
    ck_assert_int_eq(visit_all(), STATUS_OK);
    ck_assert_str_eq(notes.seen, "12");
    ck_assert_int_eq(notes.begun, 1);
    ck_assert_int_eq(notes.base.units, 5);
    ck_assert_uint_eq(state.reservations.count, 0);
    ck_assert_int_eq(state.product.version, 7);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 0)->target, "top=500"));
}
END_TEST

START_TEST(a_visitor_begins_anew_if_the_product_moved_on_between_the_pages) {
    push_visited_pages(PRODUCT_ENTITY("7"), RESERVATION("1", "2"), RESERVATION("2", "3"));
    push_answer(200, PRODUCT_ENTITY("8"));
    push_visited_pages(PRODUCT_ENTITY("8"), RESERVATION("2", "3"), RESERVATION("3", "4"));
    push_answer(200, PRODUCT_ENTITY("8"));
    ck_assert_int_eq(visit_all(), STATUS_OK);
    ck_assert_str_eq(notes.seen, "23");
    ck_assert_int_eq(notes.begun, 2);
    ck_assert_int_eq(notes.base.units, 7);
}
END_TEST

START_TEST(a_visitor_gets_nothing_of_a_product_without_its_row) {
    push_answer(200, "{\"value\":[" RESERVATION("1", "2") "]}");
    ck_assert_int_eq(visit_all(), STATUS_MALFORMED);
    ck_assert_str_eq(notes.seen, "");
    push_answer(200, "{\"value\":[]}");
    ck_assert_int_eq(visit_all(), STATUS_NOT_FOUND);
    ck_assert_int_eq(notes.begun, 0);
}
END_TEST

START_TEST(a_record_that_this_program_did_not_write_is_refused) {
    struct error err;
    struct idempotency_record record;
    push_answer(200, "{\"PartitionKey\":\"P\",\"RowKey\":\"i-abc\",\"quantity\":\"1\"}");
    ck_assert_int_eq(inventory_store_find_record_and_wait(&table.base, "P", "abc", &record, &err),
                     STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 0)->target, "RowKey='i-abc'"));
}
END_TEST

START_TEST(rows_that_this_program_did_not_write_are_refused) {
    static const char *const bodies[] = {
        "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"product\",\"total\":\"10\"}]}",
        "{\"value\":[{\"PartitionKey\":\"P\",\"total\":\"10\"}]}",
        "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"r-not-a-uuid\"}]}",
        ("{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"r-0194a0b1-2345-8678-9abc-"
         "def012345678\",\"customerId\":"
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
    http_fake_push(fake,
                   &(struct http_fake_answer){.status = 200,
                                              .headers = headers,
                                              .body = "{\"value\":[" PRODUCT_ENTITY("7") "]}"});
}

static void assert_time_is(int64_t later_ms) {
    ck_assert_int_lt(llabs(table.base.ops->now_ms(&table.base) - wall_ms() - later_ms),
                     DAY_MS / 24);
    ck_assert_int_lt(llabs(table.base.ops->certain_ms(&table.base) - wall_ms() - later_ms),
                     DAY_MS / 24);
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

/* A visitor is told the time before the rows. So it gets none while the time is in doubt. */
START_TEST(a_visitor_waits_until_the_time_is_sure) {
    static const int days[] = {2, 0, 0};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        push_dated((int64_t)days[i] * DAY_MS);
    }
    ck_assert_int_eq(visit_all(), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 3);
    ck_assert_int_eq(notes.begun, 1);
    ck_assert_int_lt(llabs(notes.now_ms - wall_ms()), DAY_MS / 24);
}
END_TEST

START_TEST(a_visitor_believes_a_date_that_two_answers_agree_on) {
    for (int i = 0; i < 3; i++) {
        push_dated(2 * (int64_t)DAY_MS);
    }
    ck_assert_int_eq(visit_all(), STATUS_OK);
    ck_assert_int_lt(llabs(notes.now_ms - wall_ms() - 2 * (int64_t)DAY_MS), DAY_MS / 24);
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

START_TEST(rows_of_a_kind_that_is_not_known_are_passed_over) {
    push_answer(
        200, "{\"value\":[" PRODUCT_ENTITY("7") ",{\"PartitionKey\":\"P\",\"RowKey\":\"q-new\"}]}");
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
    tcase_add_test(tcase, a_visitor_gets_the_rows_and_the_state_gets_none);
    tcase_add_test(tcase, a_visitor_begins_anew_if_the_product_moved_on_between_the_pages);
    tcase_add_test(tcase, a_visitor_gets_nothing_of_a_product_without_its_row);
    tcase_add_test(tcase, a_visitor_waits_until_the_time_is_sure);
    tcase_add_test(tcase, a_visitor_believes_a_date_that_two_answers_agree_on);
    tcase_add_test(tcase, a_record_that_this_program_did_not_write_is_refused);
    tcase_add_loop_test(tcase, rows_that_this_program_did_not_write_are_refused, 0, 4);
    tcase_add_test(tcase, a_read_whose_answer_has_a_strange_date_asks_once_more);
    tcase_add_test(tcase, a_date_that_two_answers_agree_on_is_storages);
    tcase_add_test(tcase, a_read_that_cannot_settle_the_time_is_still_read);
    tcase_add_test(tcase, rows_of_a_kind_that_is_not_known_are_passed_over);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
