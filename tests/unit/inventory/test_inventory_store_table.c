/* What the table store makes of answers that were lost; its everyday is in tests/integration/. */
#include "inventory/inventory_store_table.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support/check_main.h"
#include "support/http_fake.h"
#include "support/storage_connection.h"

enum { DEADLINE_MS = 3000 };
#define JSON_HEADERS "Content-Type: application/json;odata=minimalmetadata\r\n"

static struct http_fake *fake;
static struct storage_connection connection;
static struct inventory_store_table table;
static struct product_state state;

/* One commit, made on a thread of its own while the test plays storage. */
static struct {
    pthread_t thread;
    int64_t deadline_ms;
    enum status status;
    struct error err;
} commit;

static void set_up(void) {
    char connection_string[1024];
    fake = http_fake_new();
    const char *url = http_fake_url(fake);
    snprintf(connection_string, sizeof connection_string,
             "AccountName=fake;AccountKey=c2VjcmV0;BlobEndpoint=%s/fake;TableEndpoint=%s/fake", url, url);
    storage_connection_open(&connection, connection_string);
    inventory_store_table_init(&table, &connection.client, "inventory");
    product_state_init(&state);
    strcpy(state.product.id, "P");
    strcpy(state.token, "W/\"datetime'7'\"");
    state.product.total = state.product.available = 10;
    state.product.version = 7;
    bool reserved = false;
    const struct reservation *row = NULL;
    ck_assert_int_eq(inventory_reserve(&state, "C1", 4, 1737297930000, 1000, &reserved, &row), STATUS_OK);
    commit.deadline_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
}

static void tear_down(void) {
    product_state_release(&state);
    storage_connection_close(&connection);
    http_fake_free(fake);
}

static void *run_commit(void *unused) {
    commit.status = table.base.ops->commit(&table.base, &state, commit.deadline_ms, &commit.err);
    return unused;
}

static void start_commit(void) {
    ck_assert_int_eq(pthread_create(&commit.thread, NULL, run_commit, NULL), 0);
}

static void finish_commit(void) {
    ck_assert_int_eq(pthread_join(commit.thread, NULL), 0);
}

/* Our commit's id, from the transaction that storage was sent. */
static void sent_commit_id(char out[UUID_TEXT_BYTES]) {
    http_fake_wait(fake, 1);
    const char *found = strstr(http_fake_request(fake, 0)->body, "\"commitId\":\"");
    ck_assert_ptr_nonnull(found);
    snprintf(out, UUID_TEXT_BYTES, "%s", found + strlen("\"commitId\":\""));
}

static void push_answer(int status, const char *body) {
    http_fake_push(fake, &(struct http_fake_answer){.status = status, .headers = JSON_HEADERS, .body = body});
}

static void push_product(int version, const char *commit_id) {
    char body[512];
    snprintf(
        body, sizeof body,
        "{\"odata.etag\":\"W/"
        "\\\"datetime'%d'\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\",\"total\":\"10\",\"available\":\"6\","
        "\"version\":\"%d\",\"commitId\":\"%s\"}",
        version, version, commit_id);
    push_answer(200, body);
}

static void push_lost(void) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
}

static void push_committed(void) {
    http_fake_push(
        fake,
        &(struct http_fake_answer){
            .status = 202,
            .headers = "Content-Type: multipart/mixed; boundary=batchresponse_1\r\n",
            .body =
                "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n"
                "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                "HTTP/1.1 204 No Content\r\nETag: W/\"datetime'8'\"\r\n\r\n\r\n"
                "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                "HTTP/1.1 204 No Content\r\nETag: W/\"datetime'8r'\"\r\n\r\n\r\n"
                "--changesetresponse_1--\r\n--batchresponse_1--\r\n"});
}

static void assert_committed(void) {
    ck_assert_msg(commit.status == STATUS_OK, "%s", commit.err.message);
    ck_assert_int_eq(state.product.version, 8);
    ck_assert_str_eq(state.token, "W/\"datetime'8'\"");
    ck_assert_int_eq(state.change_count, 0);
}

static void assert_not_committed(enum status expected) {
    ck_assert_msg(commit.status == expected, "%s: %s", status_name(commit.status), commit.err.message);
    ck_assert_int_eq(state.product.version, 7);
    ck_assert_int_eq(state.change_count, 1);
}

START_TEST(a_lost_answer_to_a_commit_that_happened_is_a_success) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG, .status = 503});
    start_commit();
    char id[UUID_TEXT_BYTES];
    sent_commit_id(id);
    push_product(8, id);
    http_fake_let_go(fake);
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(a_lost_answer_to_a_commit_that_did_not_happen_is_sent_again_as_it_was) {
    push_lost();
    push_product(7, "00000000-0000-4000-8000-000000000007");
    push_committed();
    start_commit();
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 3);
    const char *first = http_fake_request(fake, 0)->body, *second = http_fake_request(fake, 2)->body;
    ck_assert_ptr_nonnull(strstr(first, "If-Match: W/\"datetime'7'\""));
    const char *id = strstr(first, "\"commitId\"");
    char same[64];
    snprintf(same, sizeof same, "%.50s", id);
    ck_assert_msg(strstr(second, same) != NULL, "%s\nis not in\n%s", same, second);
}
END_TEST

START_TEST(a_repeat_that_meets_its_own_first_success_is_a_success) {
    static const char failed[] =
        "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n"
        "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        "HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\n\r\n"
        "{\"odata.error\":{\"code\":\"UpdateConditionNotSatisfied\",\"message\":{\"lang\":\"en-US\",\"value\":\"0:x\"}}"
        "}\r\n"
        "--changesetresponse_1--\r\n--batchresponse_1--\r\n";
    push_lost();
    push_product(7, "00000000-0000-4000-8000-000000000007"); /* not yet: the first is still under way */
    http_fake_push(fake,
                   &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG,
                                              .status = 202,
                                              .headers = "Content-Type: multipart/mixed; boundary=batchresponse_1\r\n",
                                              .body = failed});
    start_commit();
    char id[UUID_TEXT_BYTES];
    sent_commit_id(id);
    http_fake_wait(fake, 3);
    push_product(8, id);
    http_fake_let_go(fake);
    finish_commit();
    assert_committed();
}
END_TEST

START_TEST(a_lost_answer_behind_another_commit_is_no_commit) {
    push_lost();
    push_product(8, "00000000-0000-4000-8000-000000000008");
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_PRECONDITION_FAILED);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(behind_later_commits_the_reservations_row_tells) {
    push_lost();
    push_product(9, "00000000-0000-4000-8000-000000000009");
    push_answer(200, "{\"PartitionKey\":\"P\"}");
    start_commit();
    finish_commit();
    ck_assert_msg(commit.status == STATUS_OK, "%s", commit.err.message);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 2)->target, "r-"));
    /* Its numbers are not the store's any more: it may not be committed over what others have. */
    start_commit();
    finish_commit();
    ck_assert_int_eq(commit.status, STATUS_INTERNAL);
    ck_assert_uint_eq(http_fake_count(fake), 3);
}
END_TEST

START_TEST(behind_later_commits_without_the_row_nobody_knows) {
    push_lost();
    push_product(9, "00000000-0000-4000-8000-000000000009");
    push_answer(404,
                "{\"odata.error\":{\"code\":\"ResourceNotFound\",\"message\":{\"lang\":\"en-US\",\"value\":\"x\"}}}");
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(a_commit_that_cannot_be_made_in_time_is_unknown_not_failed) {
    commit.deadline_ms = clock_now_ms(clock_system()) + 400;
    for (int i = 0; i < 50; i++) {
        push_lost();
        push_product(7, "00000000-0000-4000-8000-000000000007");
    }
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(stopping_in_mid_commit_is_unknown_not_cancelled) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    start_commit();
    http_fake_wait(fake, 1);
    storage_client_cancel(&connection.client);
    finish_commit();
    assert_not_committed(STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(without_an_etag_nothing_is_sent) {
    state.token[0] = '\0';
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_INTERNAL);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

#define PRODUCT_ENTITY(version)                                               \
    "{\"odata.etag\":\"W/\\\"datetime'" version                               \
    "'\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\",\"total\":\"10\"," \
    "\"available\":\"10\",\"version\":\"" version "\",\"commitId\":\"00000000-0000-4000-8000-000000000007\"}"

START_TEST(several_pages_are_read_again_if_the_product_moved_on_between_them) {
    http_fake_push(fake, &(struct http_fake_answer){
                             .headers = JSON_HEADERS
                             "x-ms-continuation-NextPartitionKey: P\r\nx-ms-continuation-NextRowKey: r-1\r\n",
                             .body = "{\"value\":[" PRODUCT_ENTITY("7") "]}"});
    push_answer(200, "{\"value\":[]}");
    push_answer(200, PRODUCT_ENTITY("8"));
    push_answer(200, "{\"value\":[" PRODUCT_ENTITY("8") "]}"); /* one page: one picture */
    struct error err;
    struct inventory_query query = {.all = true, .now_ms = 1737297930000};
    ck_assert_int_eq(table.base.ops->read(&table.base, "P", &query, &state, &err), STATUS_OK);
    ck_assert_int_eq(state.product.version, 8);
    ck_assert_uint_eq(http_fake_count(fake), 4);
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
    struct error err;
    struct inventory_query query = {.all = true, .now_ms = 1737297930000};
    ck_assert_int_eq(table.base.ops->read(&table.base, "P", &query, &state, &err), STATUS_MALFORMED);
    ck_assert_uint_eq(state.reservation_count, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_store_table");
    TCase *lost = tcase_create("lost answers");
    tcase_add_checked_fixture(lost, set_up, tear_down);
    tcase_add_test(lost, a_lost_answer_to_a_commit_that_happened_is_a_success);
    tcase_add_test(lost, a_lost_answer_to_a_commit_that_did_not_happen_is_sent_again_as_it_was);
    tcase_add_test(lost, a_repeat_that_meets_its_own_first_success_is_a_success);
    tcase_add_test(lost, a_lost_answer_behind_another_commit_is_no_commit);
    tcase_add_test(lost, behind_later_commits_the_reservations_row_tells);
    tcase_add_test(lost, behind_later_commits_without_the_row_nobody_knows);
    tcase_add_test(lost, a_commit_that_cannot_be_made_in_time_is_unknown_not_failed);
    tcase_add_test(lost, stopping_in_mid_commit_is_unknown_not_cancelled);
    tcase_add_test(lost, without_an_etag_nothing_is_sent);
    tcase_add_test(lost, several_pages_are_read_again_if_the_product_moved_on_between_them);
    tcase_add_loop_test(lost, rows_that_this_program_did_not_write_are_refused, 0, 4);
    suite_add_tcase(suite, lost);
    return check_main(suite);
}
