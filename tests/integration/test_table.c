#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/table_client.h"
#include "support/calls/table_calls.h"
#include "support/processes/check_main.h"
#include "support/processes/storage_steps.h"

static char table[STORAGE_UNIQUE_NAME_BYTES];

static void connect_client(void) {
    open_connection();
    storage_unique_name(table);
    ck_assert_int_eq(table_create(&storage.client, table, deadline(), &err), STATUS_OK);
}

/* ---- short ways to say what tests do ---- */

/* An entity's text, the caller's (free). `note` may be NULL. */
static char *new_entity(const char *partition_key, const char *row_key, int quantity,
                        const char *note) {
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    strbuf_append_string(&text, "{\"PartitionKey\":");
    json_append_string(&text, partition_key);
    strbuf_append_string(&text, ",\"RowKey\":");
    json_append_string(&text, row_key);
    strbuf_appendf(&text, ",\"quantity\":%d", quantity);
    if (note) {
        strbuf_append_string(&text, ",\"note\":");
        json_append_string(&text, note);
    }
    strbuf_append_char(&text, '}');
    ck_assert_int_eq(strbuf_status(&text), STATUS_OK);
    return text.data;
}

static enum status insert(const char *partition_key, const char *row_key, int quantity,
                          const char *note) {
    char *entity = new_entity(partition_key, row_key, quantity, note);
    enum status status = table_insert(&storage.client, table, entity, deadline(), &err);
    free(entity);
    return status;
}

static enum status get(const char *partition_key, const char *row_key, cJSON **out) {
    return table_get(&storage.client, table, partition_key, row_key, deadline(), out, &err);
}

/* The quantity of a row, or -1 where there is no such row. */
static int quantity_of(const char *partition_key, const char *row_key) {
    cJSON *entity = NULL;
    enum status status = get(partition_key, row_key, &entity);
    if (status == STATUS_NOT_FOUND) {
        return -1;
    }
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
    int64_t quantity = -2;
    ck_assert(json_int64(entity, "quantity", &quantity));
    cJSON_Delete(entity);
    return (int)quantity;
}

/* Checks the one-line statement of a text property. */
static void assert_note(const char *partition_key, const char *row_key, const char *note) {
    cJSON *entity = NULL;
    ck_assert_msg(get(partition_key, row_key, &entity) == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(json_string(entity, "PartitionKey"), partition_key);
    ck_assert_str_eq(json_string(entity, "RowKey"), row_key);
    ck_assert_str_eq(json_string(entity, "note"), note);
    cJSON_Delete(entity);
}

static void read_etag(const char *partition_key, const char *row_key, char out[TABLE_ETAG_BYTES]) {
    cJSON *entity = NULL;
    ck_assert_msg(get(partition_key, row_key, &entity) == STATUS_OK, "%s", err.message);
    snprintf(out, TABLE_ETAG_BYTES, "%s", json_string(entity, "odata.etag"));
    cJSON_Delete(entity);
}

static enum status transact(const struct table_operation *operations, size_t count,
                            char *out_etag) {
    return table_transaction(&storage.client, table, operations, count, deadline(), out_etag, &err);
}

/*
 * Merges row "product" of partition "p" to `quantity` and inserts row `inserted`, in one
 * transaction.
 */
static enum status reserve(const char *if_match, int quantity, const char *inserted,
                           char *out_etag) {
    char change[64], *row = new_entity("p", inserted, 1, NULL);
    snprintf(change, sizeof change, "{\"quantity\":%d}", quantity);
    const struct table_operation operations[] = {{TABLE_MERGE, "p", "product", if_match, change},
                                                 {TABLE_INSERT, "p", inserted, NULL, row}};
    enum status status = transact(operations, 2, out_etag);
    free(row);
    return status;
}

/* ---- tables and single entities ---- */

START_TEST(a_table_is_created_only_once) {
    ck_assert_int_eq(table_create(&storage.client, table, deadline(), &err), STATUS_ALREADY_EXISTS);
    ck_assert_str_eq(err.code, "TableAlreadyExists");
}
END_TEST

START_TEST(an_inserted_entity_is_read_back_with_its_types_and_an_etag) {
    const char *sent = "{\"PartitionKey\":\"p\",\"RowKey\":\"r\",\"note\":\"text\","
                       "\"at\":\"2025-01-19T14:45:30.123Z\",\"at@odata.type\":\"Edm.DateTime\","
                       "\"version\":\"9007199254740993\"," /* 2^53 + 1: no double holds it */
                       "\"version@odata.type\":\"Edm.Int64\"}";
    ck_assert_int_eq(table_insert(&storage.client, table, sent, deadline(), &err), STATUS_OK);

    cJSON *entity = NULL;
    ck_assert_int_eq(get("p", "r", &entity), STATUS_OK);
    int64_t version = 0;
    ck_assert(json_int64(entity, "version", &version));
    ck_assert_int_eq(version, 9007199254740993);
    ck_assert_str_eq(json_string(entity, "note"), "text");
    ck_assert_str_eq(json_string(entity, "at@odata.type"), "Edm.DateTime");
    ck_assert_int_eq(strncmp(json_string(entity, "at"), "2025-01-19T14:45:30.123", 23), 0);
    ck_assert_int_eq(strncmp(json_string(entity, "odata.etag"), "W/\"datetime'", 12), 0);
    cJSON_Delete(entity);
}
END_TEST

START_TEST(an_insert_does_not_replace_a_row) {
    ck_assert_int_eq(insert("p", "r", 1, NULL), STATUS_OK);
    ck_assert_int_eq(insert("p", "r", 2, NULL), STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(quantity_of("p", "r"), 1);
}
END_TEST

static enum status refuse_visit(void *context, const cJSON *entity, struct error *error) {
    (void)context;
    (void)entity;
    return error_set(error, STATUS_INTERNAL, "visited");
}

START_TEST(a_missing_table_is_told_from_a_missing_row) {
    cJSON *entity = NULL;
    ck_assert_int_eq(get("p", "none", &entity), STATUS_NOT_FOUND);
    storage_unique_name(table);
    ck_assert_int_eq(get("p", "none", &entity), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(insert("p", "r", 1, NULL), STATUS_CONTAINER_NOT_FOUND);
    const struct table_query query = {.table = table, .visit = refuse_visit};
    ck_assert_int_eq(table_query(&storage.client, &query, deadline(), &err),
                     STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(reserve("*", 1, "r", NULL), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_str_eq(err.code, "TableNotFound");
    ck_assert_ptr_null(entity);
}
END_TEST

/* ---- queries ---- */

struct found {
    int count;
    int stop_after;        /* 0: never */
    char last_row_key[64]; /* they come in order */
    int64_t quantity_sum;
};

static enum status visit(void *context, const cJSON *entity, struct error *error) {
    struct found *found = context;
    const char *row_key = json_string(entity, "RowKey");
    ck_assert_ptr_nonnull(row_key);
    ck_assert_msg(strcmp(found->last_row_key, row_key) < 0, "%s after %s", row_key,
                  found->last_row_key);
    snprintf(found->last_row_key, sizeof found->last_row_key, "%s", row_key);
    int64_t quantity = 0;
    ck_assert(json_int64(entity, "quantity", &quantity));
    found->quantity_sum += quantity;
    found->count++;
    return found->count == found->stop_after ? error_set(error, STATUS_CANCELLED, "enough")
                                             : STATUS_OK;
}

static int count_found(const char *filter) {
    struct found found = {.count = 0};
    int pages = 0;
    const struct table_query query = {
        .table = table, .filter = filter, .visit = visit, .context = &found, .out_pages = &pages};
    ck_assert_msg(table_query(&storage.client, &query, deadline(), &err) == STATUS_OK, "%s",
                  err.message);
    ck_assert_int_eq(pages, 1);
    return found.count;
}

START_TEST(a_filter_chooses_rows) {
    insert("p", "r1", 1, NULL);
    insert("p", "r2", 2, NULL);
    insert("p", "s3", 3, NULL);
    ck_assert_int_eq(count_found(NULL), 3);
    ck_assert_int_eq(count_found("PartitionKey eq 'p' and RowKey ge 'r2'"), 2);
    ck_assert_int_eq(count_found("PartitionKey eq 'p' and RowKey ge 'r' and RowKey lt 's'"), 2);
    ck_assert_int_eq(count_found("quantity gt 2"), 1);
    ck_assert_int_eq(count_found("PartitionKey eq 'other'"), 0);
}
END_TEST

/* What breaks a filter, a URL or a line, when it is not written as it should be. */
static const char *const awkward[] = {
    "O'Neil", "''",        "' or RowKey ne '",
    "a b",    "100%",      "%41",
    "a+b",    "a&b=c",     "a,b",
    "f(x)",   "{\"j\":1}", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8D\x8E",
    "a;b",    "~!@$^*_-.", "\"quoted\"",
};
enum { AWKWARD_COUNT = sizeof awkward / sizeof awkward[0] };

START_TEST(awkward_keys_are_inserted_read_filtered_merged_and_deleted) {
    const char *key = awkward[_i];
    ck_assert_msg(insert(key, key, 1, key) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(insert(key, "another", 2, "x"), STATUS_OK);
    assert_note(key, key, key);

    struct strbuf filter;
    strbuf_init(&filter, 1024);
    strbuf_append_string(&filter, "PartitionKey eq ");
    table_append_literal(&filter, key);
    strbuf_append_string(&filter, " and note eq ");
    table_append_literal(&filter, key);
    ck_assert_int_eq(count_found(filter.data), 1);
    strbuf_cleanup(&filter);

    char *row = new_entity(key, "third", 4, key);
    const struct table_operation operations[] = {{TABLE_MERGE, key, key, "*", "{\"quantity\":3}"},
                                                 {TABLE_INSERT, key, "third", NULL, row},
                                                 {TABLE_DELETE, key, "another", "*", NULL}};
    ck_assert_msg(transact(operations, 3, NULL) == STATUS_OK, "%s", err.message);
    free(row);
    ck_assert_int_eq(quantity_of(key, key), 3);
    ck_assert_int_eq(quantity_of(key, "another"), -1);
    assert_note(key, "third", key);
}
END_TEST

static const char *const awkward_values[] = {
    "#hash/slash\\back?",
    "line\r\nend\tand tab",
    "U+2028 \xE2\x80\xA8 and U+2029 \xE2\x80\xA9 and \xE2\x80\xA6",
    "--changeset_",
    "}{ HTTP/1.1 DELETE http://x/y/z",
    "",
};
enum { AWKWARD_VALUE_COUNT = sizeof awkward_values / sizeof awkward_values[0] };

START_TEST(awkward_values_survive_an_insert_and_a_transaction) {
    const char *value = awkward_values[_i];
    ck_assert_msg(insert("p", "single", 1, value) == STATUS_OK, "%s", err.message);
    assert_note("p", "single", value);
    char *row = new_entity("p", "r", 1, value), *change = new_entity("p", "single", 1, value);
    const struct table_operation operations[] = {{TABLE_INSERT, "p", "r", NULL, row},
                                                 {TABLE_MERGE, "p", "single", "*", change}};
    ck_assert_msg(transact(operations, 2, NULL) == STATUS_OK, "%s", err.message);
    free(row);
    free(change);
    assert_note("p", "r", value);
    assert_note("p", "single", value);
}
END_TEST

/* Inserts rows "0000" to count - 1 of partition "p" with quantity 1, a hundred at a time. */
static void insert_many(int count) {
    struct table_operation operations[TABLE_TRANSACTION_MAX_OPERATIONS];
    char *rows[TABLE_TRANSACTION_MAX_OPERATIONS];
    char keys[TABLE_TRANSACTION_MAX_OPERATIONS][16];
    for (int first = 0; first < count; first += TABLE_TRANSACTION_MAX_OPERATIONS) {
        size_t size = 0;
        for (int i = first; i < count && size < TABLE_TRANSACTION_MAX_OPERATIONS; i++, size++) {
            snprintf(keys[size], sizeof keys[size], "%04d", i);
            rows[size] = new_entity("p", keys[size], 1, NULL);
            operations[size] =
                (struct table_operation){TABLE_INSERT, "p", keys[size], NULL, rows[size]};
        }
        ck_assert_msg(transact(operations, size, NULL) == STATUS_OK, "%s", err.message);
        for (size_t i = 0; i < size; i++) {
            free(rows[i]);
        }
    }
}

START_TEST(a_query_follows_its_continuation_over_a_thousand_rows_in_order) {
    insert_many(2150);
    size_t mark = azurite_mark(&azurite);
    struct found found = {.count = 0};
    int pages = 0;
    const struct table_query query = {.table = table,
                                      .filter = "PartitionKey eq 'p'",
                                      .visit = visit,
                                      .context = &found,
                                      .out_pages = &pages};
    ck_assert_msg(table_query(&storage.client, &query, deadline(), &err) == STATUS_OK, "%s",
                  err.message);
    ck_assert_int_eq(found.count, 2150);
    ck_assert_int_eq(found.quantity_sum, 2150);
    ck_assert_str_eq(found.last_row_key, "2149");
    ck_assert_int_eq(pages, 3);
    ck_assert_int_eq(azurite_request_count(&azurite, mark), 3);
}
END_TEST

START_TEST(a_visitor_that_fails_ends_the_query_with_its_status) {
    insert_many(1001);
    size_t mark = azurite_mark(&azurite);
    struct found found = {.stop_after = 3};
    int pages = -1;
    const struct table_query query = {
        .table = table, .visit = visit, .context = &found, .out_pages = &pages};
    ck_assert_int_eq(table_query(&storage.client, &query, deadline(), &err), STATUS_CANCELLED);
    ck_assert_str_eq(err.message, "enough");
    ck_assert_int_eq(found.count, 3);
    ck_assert_int_eq(pages, -1);
    ck_assert_int_eq(azurite_request_count(&azurite, mark), 1);
}
END_TEST

/* ---- transactions ---- */

START_TEST(a_transaction_of_a_hundred_operations_is_one_request) {
    size_t mark = azurite_mark(&azurite);
    insert_many(TABLE_TRANSACTION_MAX_OPERATIONS);
    ck_assert_int_eq(azurite_request_count(&azurite, mark), 1);
    ck_assert_int_eq(count_found(NULL), TABLE_TRANSACTION_MAX_OPERATIONS);
}
END_TEST

START_TEST(a_transactions_etag_is_the_one_that_is_read_and_the_next_if_match) {
    char read[TABLE_ETAG_BYTES], first[TABLE_ETAG_BYTES], second[TABLE_ETAG_BYTES];
    insert("p", "product", 100, "kept");
    read_etag("p", "product", read);
    ck_assert_msg(reserve(read, 99, "r1", first) == STATUS_OK, "%s", err.message);
    ck_assert_str_ne(first, read);
    read_etag("p", "product", read);
    ck_assert_str_eq(first, read);
    ck_assert_msg(reserve(first, 98, "r2", second) == STATUS_OK, "%s", err.message);
    ck_assert_str_ne(second, first);
    ck_assert_int_eq(quantity_of("p", "product"), 98);
    assert_note("p", "product", "kept");
}
END_TEST

START_TEST(an_if_match_that_does_not_match_fails_the_whole) {
    char stale[TABLE_ETAG_BYTES], etag[TABLE_ETAG_BYTES] = "untouched", now[TABLE_ETAG_BYTES],
                                  later[TABLE_ETAG_BYTES];
    insert("p", "product", 100, NULL);
    read_etag("p", "product", stale);
    ck_assert_int_eq(reserve(stale, 99, "r1", NULL), STATUS_OK);
    read_etag("p", "product", now);

    ck_assert_int_eq(reserve(stale, 50, "r2", etag), STATUS_PRECONDITION_FAILED);
    ck_assert_str_eq(etag, "untouched");
    ck_assert_int_eq(err.http_status, 412);
    ck_assert_str_eq(err.code, "UpdateConditionNotSatisfied");
    ck_assert_str_ne(err.request_id, "");
    ck_assert_int_eq(quantity_of("p", "product"), 99);
    ck_assert_int_eq(quantity_of("p", "r2"), -1);
    read_etag("p", "product", later);
    ck_assert_str_eq(later, now);
    ck_assert_int_eq(reserve(now, 98, "r2", NULL), STATUS_OK);
}
END_TEST

START_TEST(a_row_that_is_there_already_fails_the_whole) {
    insert("p", "product", 100, NULL);
    ck_assert_int_eq(reserve("*", 99, "r1", NULL), STATUS_OK);
    ck_assert_int_eq(reserve("*", 98, "r1", NULL), STATUS_ALREADY_EXISTS);
    ck_assert_str_eq(err.code, "EntityAlreadyExists");
    ck_assert_int_eq(quantity_of("p", "product"), 99);
}
END_TEST

START_TEST(a_merge_or_delete_of_a_missing_row_fails_the_whole) {
    ck_assert_int_eq(reserve("*", 99, "r1", NULL), STATUS_NOT_FOUND);
    ck_assert_int_eq(quantity_of("p", "r1"), -1);
    ck_assert_int_eq(quantity_of("p", "product"), -1);
    char *row = new_entity("p", "r1", 1, NULL);
    const struct table_operation operations[] = {{TABLE_INSERT, "p", "r1", NULL, row},
                                                 {TABLE_DELETE, "p", "none", "*", NULL}};
    ck_assert_int_eq(transact(operations, 2, NULL), STATUS_NOT_FOUND);
    free(row);
    ck_assert_int_eq(quantity_of("p", "r1"), -1);
}
END_TEST

START_TEST(a_delete_with_an_etag_deletes_only_that_state_of_the_row) {
    char stale[TABLE_ETAG_BYTES], now[TABLE_ETAG_BYTES], etag[TABLE_ETAG_BYTES] = "?";
    insert("p", "product", 100, NULL);
    read_etag("p", "product", stale);
    ck_assert_int_eq(reserve("*", 99, "r1", now), STATUS_OK);
    struct table_operation operation = {TABLE_DELETE, "p", "product", stale, NULL};
    ck_assert_int_eq(transact(&operation, 1, NULL), STATUS_PRECONDITION_FAILED);
    ck_assert_int_eq(quantity_of("p", "product"), 99);
    operation.if_match = now;
    ck_assert_msg(transact(&operation, 1, etag) == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(etag, "");
    ck_assert_int_eq(quantity_of("p", "product"), -1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("one Azurite");
    tcase_add_unchecked_fixture(tcase, start_azurite, release_azurite);
    tcase_add_checked_fixture(tcase, connect_client, close_connection);
    tcase_add_test(tcase, a_table_is_created_only_once);
    tcase_add_test(tcase, an_inserted_entity_is_read_back_with_its_types_and_an_etag);
    tcase_add_test(tcase, an_insert_does_not_replace_a_row);
    tcase_add_test(tcase, a_missing_table_is_told_from_a_missing_row);
    tcase_add_test(tcase, a_filter_chooses_rows);
    tcase_add_loop_test(tcase, awkward_keys_are_inserted_read_filtered_merged_and_deleted, 0,
                        AWKWARD_COUNT);
    tcase_add_loop_test(tcase, awkward_values_survive_an_insert_and_a_transaction, 0,
                        AWKWARD_VALUE_COUNT);
    tcase_add_test(tcase, a_query_follows_its_continuation_over_a_thousand_rows_in_order);
    tcase_add_test(tcase, a_visitor_that_fails_ends_the_query_with_its_status);
    tcase_add_test(tcase, a_transaction_of_a_hundred_operations_is_one_request);
    tcase_add_test(tcase, a_transactions_etag_is_the_one_that_is_read_and_the_next_if_match);
    tcase_add_test(tcase, an_if_match_that_does_not_match_fails_the_whole);
    tcase_add_test(tcase, a_row_that_is_there_already_fails_the_whole);
    tcase_add_test(tcase, a_merge_or_delete_of_a_missing_row_fails_the_whole);
    tcase_add_test(tcase, a_delete_with_an_etag_deletes_only_that_state_of_the_row);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
