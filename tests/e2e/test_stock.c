/*
 * test_stock.c - stock that is damaged from outside is not sold: a table deleted, a product's row
 * deleted or written anew, rows that contradict each other. And rows of other releases: older ones
 * are read, what newer ones wrote is kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/calls/http_client.h"
#include "support/calls/table_editor.h"
#include "support/processes/check_main.h"
#include "support/processes/instance_pair.h"

#define TIMER_PAYLOAD "{\"Data\":{\"timer\":{\"IsPastDue\":false}},\"Metadata\":{}}"
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { MAX_WORDS = 8, TOOL_TIMEOUT_MS = 60000, EXIT_REFUSED = 2 };

static struct app *const app = &instance_pair.holder;
static struct process tool;

static void set_up(void) {
    memset(&tool, 0, sizeof tool);
    instance_set_up();
}

static void tear_down(void) {
    process_cleanup(&tool);
    instance_tear_down();
}

/* ---- calls ---- */

static void expect(struct http_ask ask, int status, const char *text) {
    ask.port = app->port;
    struct http_reply reply = http_ask(ask);
    ck_assert_msg(reply.status == status && strstr(reply.body.data, text) != NULL,
                  "%s: %d %s, not %d with %s", ask.path, reply.status, reply.body.data, status,
                  text);
    http_reply_cleanup(&reply);
}

static void expect_get(const char *product_id, int status, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "/api/inventory/%s", product_id);
    expect((struct http_ask){.path = path}, status, text);
}

static void expect_release(const char *product_id, int quantity, int status, const char *text) {
    char path[128], body[128];
    snprintf(path, sizeof path, "/api/inventory/%s/release", product_id);
    snprintf(body, sizeof body, "{\"quantity\":%d,\"customerId\":\"CUST-123\"}", quantity);
    expect((struct http_ask){.path = path, .body = body}, status, text);
}

static void expect_reconciliation(int status, const char *text) {
    expect((struct http_ask){.path = "/ReconcileInventory", .body = TIMER_PAYLOAD}, status, text);
}

static void wait_for_error(const char *text) {
    instance_wait_for_log(app, 0, text, INSTANCE_PATIENCE_MS);
    ck_assert_int_ge(instance_count_in_log(app, 0, "Error: "), 1);
}

/* Runs leasectl, checks its exit code and that it prints `text`. */
static void expect_tool(const char *const *words, int exit_code, const char *text) {
    char path[4096], setting[AZURITE_CONNECTION_STRING_BYTES + 64];
    const char *argv[MAX_WORDS + 2] = {path};
    snprintf(path, sizeof path, "%s/leasectl", getenv("LEASEHOLD_BIN"));
    snprintf(setting, sizeof setting, "DistributedLeasing__ConnectionString=%s",
             instance_pair.azurite.connection_string);
    for (int i = 0; i < MAX_WORDS && words[i] != NULL; i++) {
        argv[i + 1] = words[i];
    }
    process_cleanup(&tool);
    process_start(&tool,
                  &(struct process_options){.argv = argv, .env = WORDS(setting), .cwd = "/"});
    int ended = process_wait(&tool, TOOL_TIMEOUT_MS);
    char *output = process_output_from(&tool, 0);
    ck_assert_msg(ended == exit_code && strstr(output, text) != NULL, "%d, not %d with \"%s\":\n%s",
                  ended, exit_code, text, output);
    free(output);
}

/* ---- the table is gone ---- */

static void expect_lost(void) {
    instance_expect_reserve(app, "PROD-001", 1, 503, "\"StorageUnavailable\"");
    instance_expect_reserve(app, "PROD-002", 1, 503, "\"StorageUnavailable\"");
    expect_release("PROD-001", 1, 503, "\"StorageUnavailable\"");
    expect_get("PROD-003", 503, "\"StorageUnavailable\"");
    expect_reconciliation(503, "the stock has disappeared");
    wait_for_error("the stock has disappeared while this program was running");
}

/*
 * _i 0: it stays away; 1: somebody restores it empty, 2: or full. Stock does not come back by
 * itself, nor without a restart.
 */
START_TEST(a_table_that_is_deleted_under_a_running_app_does_not_come_back_full) {
    instance_start(app, NULL);
    instance_expect_reserve(app, "PROD-001", 60, 200, "\"availableQuantity\":40");
    table_editor_delete_table();
    size_t mark = azurite_mark(&instance_pair.azurite);
    expect_lost();
    ck_assert_int_eq(instance_count_requests(mark, "POST /devstoreaccount1/Tables"), 0);
    if (_i > 0) {
        table_editor_create_table();
    }
    if (_i == 2) {
        table_editor_load("release_before.json");
    }
    expect_lost();
    ck_assert_int_eq(instance_count_requests(mark, "POST /devstoreaccount1/inventory "),
                     _i == 2 ? 10 : 0);
    instance_stop(app);
    instance_start(app, NULL); /* the operator's consent */
    ck_assert_int_eq(instance_available(app, "PROD-001"), _i == 2 ? 77 : 100);
    instance_stop(app);
}
END_TEST

/* Leases may heal themselves. */
START_TEST(a_container_that_is_deleted_under_a_running_app_is_made_again) {
    instance_start(app, NULL);
    instance_expect_reserve(app, "PROD-001", 60, 200, "\"availableQuantity\":40");
    instance_delete_lease_container();
    instance_expect_reserve(app, "PROD-001", 10, 200, "\"availableQuantity\":30");
    expect_reconciliation(200, "\"wasProcessed\":true");
    instance_stop(app);
}
END_TEST

/* ---- a product's row is gone, or made anew ---- */

#define NEW_ROW                                                                                 \
    "{\"PartitionKey\":\"PROD-002\",\"RowKey\":\"product\",\"total@odata.type\":\"Edm.Int64\"," \
    "\"total\":\"50\","                                                                         \
    "\"available@odata.type\":\"Edm.Int64\",\"available\":\"50\",\"version@odata.type\":\"Edm." \
    "Int64\",\"version\":"                                                                      \
    "\"1\",\"dueAt@odata.type\":\"Edm.DateTime\",\"dueAt\":\"9999-12-31T23:59:59.999Z\","       \
    "\"commitIds\":"                                                                            \
    "\"00000000-0000-4000-8000-000000000001\",\"indexedDue@odata.type\":\"Edm.Int64\","         \
    "\"indexedDue\":\"0\","                                                                     \
    "\"indexedKeep@odata.type\":\"Edm.Int64\",\"indexedKeep\":\"0\"}"

START_TEST(a_product_whose_row_is_gone_is_not_created_beside_its_old_rows) {
    instance_start(app, NULL);
    instance_expect_reserve(app, "PROD-002", 20, 200, "\"availableQuantity\":30");
    table_editor_delete("PROD-002", "product");
    instance_stop(app);
    instance_start(app, NULL);
    wait_for_error("Product PROD-002 was not created: its row `product` is missing");
    expect_tool(WORDS("products", "add", "PROD-002", "50"), EXIT_REFUSED,
                "other rows of it are there (r-");
    ck_assert_ptr_null(table_editor_get("PROD-002", "product"));
    expect_get("PROD-002", 500, "\"InternalError\"");
    instance_expect_reserve(app, "PROD-001", 1, 200, "\"availableQuantity\":99");
    instance_expect_reserve(app, "PROD-003", 1, 200, "\"availableQuantity\":199");
    instance_stop(app);
}
END_TEST

/* _i 0: the handler knows the product as it was; 1: it has been started since. */
START_TEST(a_product_that_is_made_anew_beside_its_old_rows_is_not_sold) {
    instance_start(app, NULL);
    instance_expect_reserve(app, "PROD-002", 20, 200, "\"availableQuantity\":30");
    table_editor_delete("PROD-002", "product");
    table_editor_insert(NEW_ROW);
    if (_i == 1) {
        instance_stop(app);
        instance_start(app, NULL);
    }
    instance_expect_reserve(app, "PROD-002", 50, 500, "\"InternalError\"");
    instance_expect_reserve(app, "PROD-002", 1, 500, "\"InternalError\"");
    expect_release("PROD-002", 1, 500, "\"InternalError\"");
    expect_get("PROD-002", 500, "\"InternalError\"");
    wait_for_error("where `available` has to be 30");
    instance_expect_reserve(app, "PROD-001", 1, 200, "\"availableQuantity\":99");
    expect_tool(WORDS("products", "set", "PROD-002", "80"), 1, "`available` has to be 30");
    expect_tool(WORDS("products", "list"), 0, "PROD-003");

    table_editor_merge("PROD-002", "product",
                       "{\"available@odata.type\":\"Edm.Int64\",\"available\":\"30\"}");
    instance_expect_reserve(app, "PROD-002", 30, 200, "\"availableQuantity\":0");
    instance_expect_reserve(app, "PROD-002", 1, 409, "Available: 0");
    instance_stop(app);
}
END_TEST

/* ---- rows of other releases ---- */

static const char *const older[] = {"first_release.json", "release_before.json"};

START_TEST(rows_of_older_releases_are_sold_from) {
    table_editor_create_table();
    table_editor_load(older[_i]);
    instance_start(app, NULL);
    ck_assert_int_eq(instance_available(app, "PROD-001"), 77);
    expect_get("PROD-001", 200, "\"customerId\":\"O'Brien & Söhne\",\"quantity\":20");
    expect_tool(WORDS("products", "list"), 0, "PROD-001   100        77       23       4\n");
    expect_tool(WORDS("--json", "show", "PROD-001"), 0,
                _i == 0 ? "\"dueAt\":null" : "\"dueAt\":\"2036-");
    instance_expect_reserve(app, "PROD-001", 78, 409, "Available: 77");
    instance_expect_reserve(app, "PROD-001", 7, 200, "\"availableQuantity\":70");
    expect_release("PROD-001", 3, 200, "\"newAvailableQuantity\":73");
    instance_expect_reserve(app, "PROD-002", 1, 409, "Available: 0");
    instance_expect_reserve(app, "PROD-003", 200, 200, "\"availableQuantity\":0");
    expect_reconciliation(200, "\"wasProcessed\":true");
    cJSON *row = table_editor_get("PROD-001", "product");
    ck_assert_int_eq(cJSON_GetObjectItemCaseSensitive(row, "format")->valueint, 2);
    cJSON_Delete(row);
    instance_assert_calm(app);
    instance_stop(app);
}
END_TEST

/*
 * What the first release does between two commits of this one: it keeps neither dueAt nor commitIds
 * up.
 */
START_TEST(what_an_older_release_has_sold_beside_this_one_expires) {
    table_editor_create_table();
    table_editor_load("first_release.json");
    instance_start(app, NULL);
    instance_expect_reserve(app, "PROD-003", 1, 200, "\"availableQuantity\":199");
    expect_release("PROD-003", 1, 200,
                   "\"newAvailableQuantity\":200"); /* nothing is due, says its row */
    table_editor_insert(
        "{\"PartitionKey\":\"PROD-003\",\"RowKey\":\"r-0194a0b1-2345-8678-9abc-def012345678\","
        "\"customerId\":\"C\",\"quantity@odata.type\":\"Edm.Int64\",\"quantity\":\"200\","
        "\"reservedAt@odata.type\":\"Edm.DateTime\",\"reservedAt\":\"2025-01-19T14:45:30.123Z\","
        "\"expiresAt@odata.type\":\"Edm.DateTime\",\"expiresAt\":\"2025-01-19T15:15:30.123Z\"}");
    table_editor_merge("PROD-003", "product",
                       "{\"available@odata.type\":\"Edm.Int64\",\"available\":\"0\",\"version@"
                       "odata.type\":\"Edm.Int64\","
                       "\"version\":\"4\",\"commitId\":\"00000000-0000-4000-8000-000000000001\"}");
    expect_tool(WORDS("products", "list"), 0, "PROD-003   200       200        0       4\n");
    instance_expect_reserve(app, "PROD-003", 200, 200, "\"availableQuantity\":0");
    instance_stop(app);
}
END_TEST

START_TEST(what_a_newer_release_has_written_is_kept) {
    instance_start(app, NULL);
    table_editor_merge("PROD-001", "product", "{\"format\":9,\"colour\":\"red\"}");
    table_editor_insert("{\"PartitionKey\":\"PROD-001\",\"RowKey\":\"q-new\",\"x\":1}");
    table_editor_insert("{\"PartitionKey\":\"!due\",\"RowKey\":\"new-kind\"}");
    instance_expect_reserve(app, "PROD-001", 60, 200, "\"availableQuantity\":40");
    expect_reconciliation(200, "\"wasProcessed\":true");
    cJSON *row = table_editor_get("PROD-001", "product");
    ck_assert_int_eq(cJSON_GetObjectItemCaseSensitive(row, "format")->valueint, 9);
    ck_assert_str_eq(json_string(row, "colour"), "red");
    ck_assert_str_eq(json_string(row, "available"), "40");
    cJSON_Delete(row);
    cJSON_Delete(row = table_editor_get("PROD-001", "q-new"));
    ck_assert_ptr_nonnull(row);
    cJSON_Delete(row = table_editor_get("!due", "new-kind"));
    ck_assert_ptr_nonnull(row);
    instance_stop(app);
}
END_TEST

/* In a format that this release cannot read: the product stands still, the others go on. */
START_TEST(a_product_that_cannot_be_read_stops_no_other) {
    table_editor_create_table();
    table_editor_load("release_before.json");
    table_editor_merge("PROD-002", "product", "{\"format\":9,\"total\":\"many\"}");
    instance_start(app, NULL);
    instance_expect_reserve(app, "PROD-002", 1, 500, "\"InternalError\"");
    wait_for_error("a newer release has written it, in format 9; this one knows formats up to 2");
    instance_expect_reserve(app, "PROD-003", 1, 200, "\"availableQuantity\":199");
    expect_tool(WORDS("products", "list"), 0, "PROD-001   100        77       23       4\n");
    expect_tool(WORDS("products", "list"), 0, "PROD-003   200       199        1       2\n");
    expect_tool(WORDS("products", "list"), 0,
                "row product of partition PROD-002 in the table cannot be read");
    expect_tool(WORDS("products", "add", "PROD-002", "1"), EXIT_REFUSED, "it already exists");
    cJSON *row = table_editor_get("PROD-002", "product");
    ck_assert_str_eq(json_string(row, "total"), "many");
    cJSON_Delete(row);
    instance_stop(app);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("stock");
    TCase *tests = tcase_create("damage and upgrades");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_table_that_is_deleted_under_a_running_app_does_not_come_back_full,
                        0, 3);
    tcase_add_test(tests, a_container_that_is_deleted_under_a_running_app_is_made_again);
    tcase_add_test(tests, a_product_whose_row_is_gone_is_not_created_beside_its_old_rows);
    tcase_add_loop_test(tests, a_product_that_is_made_anew_beside_its_old_rows_is_not_sold, 0, 2);
    tcase_add_loop_test(tests, rows_of_older_releases_are_sold_from, 0, 2);
    tcase_add_test(tests, what_an_older_release_has_sold_beside_this_one_expires);
    tcase_add_test(tests, what_a_newer_release_has_written_is_kept);
    tcase_add_test(tests, a_product_that_cannot_be_read_stops_no_other);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
