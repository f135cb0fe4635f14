#include "inventory/product_entity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/inventory.h"
#include "support/processes/check_main.h"

static const struct product product = {
    .id = "PROD-001",
    .total = 9007199254740993,
    .available = 7,
    .version = 12,
    .due_ms = 1737299730123,
    .format = PRODUCT_ENTITY_FORMAT,
    .commit_ids = "a2b1c4d6-0000-4000-8000-000000000002,a2b1c4d6-0000-4000-8000-000000000001",
    .indexed_due_ms = 1737299700000,
    .indexed_keep_ms = 1737385200000};
static const struct reservation reservation = {.id = "0194a0b1-2345-8678-9abc-def012345678",
                                               .quantity = 3,
                                               .reserved_ms = 1737297930123,
                                               .expires_ms = 1737299730123};

/* What was written, read as JSON; `text` is released. */
static cJSON *parse(struct strbuf *text) {
    cJSON *entity = NULL;
    ck_assert_ptr_null(strchr(text->data, '\n'));
    ck_assert_int_eq(json_parse(text->data, text->length, &entity, NULL), STATUS_OK);
    strbuf_cleanup(text);
    return entity;
}

static cJSON *entity_of_product(const struct product *of) {
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    product_entity_write_product(of, &text);
    return parse(&text);
}

static cJSON *entity_of_record(const struct idempotency_record *record) {
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    product_entity_write_record("PROD-001", record, &text);
    return parse(&text);
}

/* The row of a reservation, O'Brien's. */
static cJSON *entity_of(const struct reservation *like) {
    struct product_state state;
    product_state_init(&state);
    ck_assert_int_eq(product_state_add(&state, like, "O'Brien"), STATUS_OK);
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    product_entity_write_reservation("PROD-001", state.reservations.rows[0], &text);
    product_state_cleanup(&state);
    return parse(&text);
}

static bool read_reservation(const cJSON *entity, const char *row_key, struct reservation *out) {
    const char *customer_id = NULL;
    *out = (struct reservation){0};
    bool is_read = product_entity_read_reservation(entity, row_key, out, &customer_id);
    ck_assert(!is_read || strlen(customer_id) < CUSTOMER_ID_BYTES);
    return is_read;
}

static void assert_text(cJSON *entity, const char *expected) {
    char *text = cJSON_PrintUnformatted(entity);
    ck_assert_str_eq(text, expected);
    cJSON_free(text);
}

START_TEST(a_product_is_written_exactly) {
    cJSON *entity = entity_of_product(&product);
    assert_text(
        entity,
        "{\"PartitionKey\":\"PROD-001\",\"RowKey\":\"product\",\"format\":2,\"total@odata.type\":"
        "\"Edm.Int64\","
        "\"total\":\"9007199254740993\",\"available@odata.type\":\"Edm.Int64\",\"available\":\"7\","
        "\"version@odata.type\":\"Edm.Int64\",\"version\":\"12\","
        "\"dueAt@odata.type\":\"Edm.DateTime\",\"dueAt\":\"2025-01-19T15:15:30.123Z\","
        "\"commitIds\":\"a2b1c4d6-0000-4000-8000-000000000002,a2b1c4d6-0000-4000-8000-"
        "000000000001\","
        "\"commitId\":\"a2b1c4d6-0000-4000-8000-000000000002\","
        "\"indexedDue@odata.type\":\"Edm.Int64\",\"indexedDue\":\"1737299700000\","
        "\"indexedKeep@odata.type\":\"Edm.Int64\",\"indexedKeep\":\"1737385200000\"}");
    cJSON_Delete(entity);
}
END_TEST

START_TEST(a_reservation_is_written_exactly) {
    cJSON *entity = entity_of(&reservation);
    assert_text(
        entity,
        "{\"PartitionKey\":\"PROD-001\",\"RowKey\":\"r-0194a0b1-2345-8678-9abc-def012345678\","
        "\"format\":2,"
        "\"customerId\":\"O'Brien\",\"quantity@odata.type\":\"Edm.Int64\",\"quantity\":\"3\","
        "\"reservedAt@odata.type\":\"Edm.DateTime\",\"reservedAt\":\"2025-01-19T14:45:30.123Z\","
        "\"expiresAt@odata.type\":\"Edm.DateTime\",\"expiresAt\":\"2025-01-19T15:15:30.123Z\"}");
    cJSON_Delete(entity);
}
END_TEST

static const struct idempotency_record record = {
    .key_hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    .request_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    .reservation_id = "0194a0b1-2345-8678-9abc-def012345678",
    .quantity = 3,
    .available = 97,
    .version = 12,
    .reserved_ms = 1737297930123,
    .expires_ms = 1737299730123,
    .keep_until_ms = 1737384330123};

START_TEST(a_record_is_written_exactly) {
    cJSON *entity = entity_of_record(&record);
    assert_text(
        entity,
        "{\"PartitionKey\":\"PROD-001\","
        "\"RowKey\":\"i-ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
        "\"format\":2,"
        "\"requestHash\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
        "\"reservationId\":\"0194a0b1-2345-8678-9abc-def012345678\","
        "\"quantity@odata.type\":\"Edm.Int64\",\"quantity\":\"3\","
        "\"available@odata.type\":\"Edm.Int64\",\"available\":\"97\","
        "\"version@odata.type\":\"Edm.Int64\",\"version\":\"12\","
        "\"reservedAt@odata.type\":\"Edm.DateTime\",\"reservedAt\":\"2025-01-19T14:45:30.123Z\","
        "\"expiresAt@odata.type\":\"Edm.DateTime\",\"expiresAt\":\"2025-01-19T15:15:30.123Z\","
        "\"keepUntil@odata.type\":\"Edm.DateTime\",\"keepUntil\":\"2025-01-20T14:45:30.123Z\"}");
    cJSON_Delete(entity);
}
END_TEST

START_TEST(a_record_is_read_back) {
    struct idempotency_record read;
    cJSON *entity = entity_of_record(&record);
    memset(&read, 0xFF, sizeof read);
    ck_assert(product_entity_read_record(entity, record.key_hash, &read));
    ck_assert_mem_eq(&read, &record, sizeof read);
    cJSON_Delete(entity);
}
END_TEST

START_TEST(each_property_of_a_record_must_be_there) {
    static const char *const properties[] = {"requestHash", "reservationId", "quantity",
                                             "available",   "version",       "reservedAt",
                                             "expiresAt",   "keepUntil"};
    struct idempotency_record read = {.quantity = 77};
    cJSON *entity = entity_of_record(&record);
    cJSON_DeleteItemFromObjectCaseSensitive(entity, properties[_i]);
    ck_assert(!product_entity_read_record(entity, record.key_hash, &read));
    ck_assert_int_eq(read.quantity, 77);
    cJSON_Delete(entity);
}
END_TEST

START_TEST(what_every_release_writes_of_a_product_must_be_there) {
    static const char *const properties[] = {"PartitionKey", "total", "available", "version",
                                             "odata.etag"};
    struct product read;
    char etag[INVENTORY_ETAG_BYTES];
    cJSON *entity = entity_of_product(&product);
    cJSON_AddStringToObject(entity, "odata.etag", "W/\"1\"");
    ck_assert(product_entity_read_product(entity, &read, etag));
    cJSON_DeleteItemFromObjectCaseSensitive(entity, properties[_i]);
    ck_assert(!product_entity_read_product(entity, &read, etag));
    cJSON_Delete(entity);
}
END_TEST

START_TEST(what_is_there_of_a_product_must_be_of_its_kind) {
    static const char *const properties[] = {"dueAt", "commitIds", "indexedDue", "indexedKeep",
                                             "format"};
    struct product read;
    char etag[INVENTORY_ETAG_BYTES];
    cJSON *entity = entity_of_product(&product);
    cJSON_AddStringToObject(entity, "odata.etag", "W/\"1\"");
    cJSON_ReplaceItemInObjectCaseSensitive(entity, properties[_i], cJSON_CreateBool(1));
    ck_assert(!product_entity_read_product(entity, &read, etag));
    cJSON_Delete(entity);
}
END_TEST

/* ---- rows of other releases ---- */

static cJSON *read_rows(const char *name) {
    const char *root = getenv("LEASEHOLD_ROOT");
    char path[512];
    static char text[16384];
    cJSON *rows = NULL;
    snprintf(path, sizeof path, "%s/tests/data/rows/%s", root == NULL ? "." : root, name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no file %s", path);
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    ck_assert_int_eq(json_parse(text, length, &rows, NULL), STATUS_OK);
    return rows;
}

static void read_row(const cJSON *entity, int counts[4]) {
    const char *row_key = json_string(entity, "RowKey");
    struct product read;
    struct reservation row;
    struct idempotency_record answer;
    struct expiry_row due;
    char etag[INVENTORY_ETAG_BYTES];
    if (strcmp(row_key, PRODUCT_ROW) == 0) {
        ck_assert(product_entity_read_product(entity, &read, etag));
        ck_assert_int_eq(read.format, 0);
        ck_assert_uint_ge(strlen(read.commit_ids), UUID_TEXT_BYTES - 1);
        counts[0]++;
    } else if (strcmp(json_string(entity, "PartitionKey"), EXPIRY_PARTITION) == 0) {
        ck_assert(product_entity_read_expiry_key(row_key, &due));
        counts[3]++;
    } else if (row_key[0] == 'r') {
        ck_assert(read_reservation(entity, row_key, &row));
        counts[1]++;
    } else {
        ck_assert(product_entity_read_record(entity, row_key + strlen(RECORD_ROW_PREFIX), &answer));
        counts[2]++;
    }
}

START_TEST(rows_of_older_releases_are_read) {
    static const struct {
        const char *name;
        int counts[4]; /* products, reservations, records, due rows */
    } files[] = {{"first_release.json", {3, 3, 0, 0}}, {"release_before.json", {3, 3, 1, 3}}};
    int counts[4] = {0};
    cJSON *rows = read_rows(files[_i].name);
    const cJSON *entity;
    cJSON_ArrayForEach(entity, rows) {
        read_row(entity, counts);
    }
    cJSON_Delete(rows);
    ck_assert_mem_eq(counts, files[_i].counts, sizeof counts);
}
END_TEST

/*
 * A row as the release before would read it: what it needs is there, of the same kind and meaning.
 */
START_TEST(what_the_release_before_needs_is_written) {
    static const char *const names[] = {"first_release.json", "release_before.json"};
    cJSON *rows = read_rows(names[_i]), *written = entity_of_product(&product);
    const cJSON *entity, *property;
    cJSON_ArrayForEach(entity, rows) {
        bool is_product = strcmp(json_string(entity, "RowKey"), PRODUCT_ROW) == 0;
        for (property = is_product ? entity->child : NULL; property != NULL;
             property = property->next) {
            const cJSON *ours = cJSON_GetObjectItemCaseSensitive(written, property->string);
            if (strcmp(property->string, "Timestamp") == 0 ||
                strcmp(property->string, "odata.etag") == 0) {
                continue; /* storage's */
            }
            ck_assert_msg(ours != NULL && ours->type == property->type, "%s", property->string);
            if (strstr(property->string, "@odata.type") != NULL) {
                ck_assert_str_eq(ours->valuestring, property->valuestring);
            }
        }
    }
    cJSON_Delete(rows);
    cJSON_Delete(written);
}
END_TEST

static cJSON *with_etag(cJSON *entity) {
    cJSON_AddStringToObject(entity, "odata.etag", "W/\"1\"");
    return entity;
}

/* The first release merges what it writes, and leaves the rest as it finds it. */
START_TEST(a_due_time_that_an_older_release_has_not_kept_up_is_not_known) {
    struct product read;
    char etag[INVENTORY_ETAG_BYTES];
    cJSON *entity = with_etag(entity_of_product(&product));
    ck_assert(product_entity_read_product(entity, &read, etag));
    ck_assert_int_eq(read.due_ms, product.due_ms);
    cJSON_ReplaceItemInObjectCaseSensitive(
        entity, "commitId", cJSON_CreateString("a2b1c4d6-0000-4000-8000-000000000003"));
    ck_assert(product_entity_read_product(entity, &read, etag));
    ck_assert_int_eq(read.due_ms, 0);
    ck_assert_str_eq(read.commit_ids, product.commit_ids);
    cJSON_DeleteItemFromObjectCaseSensitive(entity, "commitId");
    ck_assert(product_entity_read_product(entity, &read, etag));
    ck_assert_int_eq(read.due_ms, product.due_ms);
    cJSON_Delete(entity);
}
END_TEST

START_TEST(the_format_of_a_newer_release_stays_with_its_rows) {
    struct product read;
    struct reservation row;
    struct error err;
    char etag[INVENTORY_ETAG_BYTES];
    cJSON *entity = with_etag(entity_of_product(&product));
    cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(entity, "format"), 77);
    cJSON_AddStringToObject(entity, "colour", "red");
    ck_assert(product_entity_read_product(entity, &read, etag));
    cJSON_ReplaceItemInObjectCaseSensitive(entity, "total", cJSON_CreateString("none"));
    ck_assert_int_eq(product_entity_unreadable(entity, &err), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(err.message, "row product of partition PROD-001"));
    ck_assert_ptr_nonnull(strstr(err.message, "a newer release has written it, in format 77"));
    cJSON_Delete(entity);
    entity = entity_of_product(&read);
    ck_assert_int_eq(cJSON_GetObjectItemCaseSensitive(entity, "format")->valueint, 77);
    cJSON_Delete(entity);
    entity = entity_of(&reservation);
    cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(entity, "format"), 78);
    ck_assert(read_reservation(entity, json_string(entity, "RowKey"), &row));
    cJSON_Delete(entity);
    entity = entity_of(&row);
    ck_assert_int_eq(cJSON_GetObjectItemCaseSensitive(entity, "format")->valueint, 78);
    cJSON_Delete(entity);
}
END_TEST

/* Numbers that would break the arithmetic, or that no commit of ours can have left. */
START_TEST(numbers_that_cannot_be_are_not_read) {
    static const char *const rows[][2] = {{"total", "-1"},
                                          {"total", "9223372036854775807"},
                                          {"available", "-1"},
                                          {"available", "9223372036854775807"},
                                          {"version", "9223372036854775807"},
                                          {"PartitionKey", "a/b"}};
    struct product read;
    char etag[INVENTORY_ETAG_BYTES];
    cJSON *entity = entity_of_product(&product);
    cJSON_AddStringToObject(entity, "odata.etag", "W/\"1\"");
    ck_assert(product_entity_read_product(entity, &read, etag));
    cJSON_ReplaceItemInObjectCaseSensitive(entity, rows[_i][0], cJSON_CreateString(rows[_i][1]));
    ck_assert(!product_entity_read_product(entity, &read, etag));
    cJSON_Delete(entity);
}
END_TEST

START_TEST(a_reservation_has_one_to_a_million_units) {
    static const struct {
        const char *quantity;
        bool is_read;
    } rows[] = {{"0", false}, {"-1", false}, {"1", true}, {"1000000", true}, {"1000001", false}};
    cJSON *entity = entity_of(&reservation);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reservation row;
        cJSON_ReplaceItemInObjectCaseSensitive(entity, "quantity",
                                               cJSON_CreateString(rows[i].quantity));
        ck_assert_msg(read_reservation(entity, json_string(entity, "RowKey"), &row) ==
                          rows[i].is_read,
                      "%s", rows[i].quantity);
    }
    cJSON_Delete(entity);
}
END_TEST

START_TEST(a_product_of_which_nothing_is_due_says_so_with_the_last_moment) {
    struct product read, nothing_due = product;
    char etag[INVENTORY_ETAG_BYTES];
    nothing_due.due_ms = INT64_MAX;
    cJSON *entity = entity_of_product(&nothing_due);
    ck_assert_str_eq(json_string(entity, "dueAt"), "9999-12-31T23:59:59.999Z");
    cJSON_AddStringToObject(entity, "odata.etag", "W/\"1\"");
    ck_assert(product_entity_read_product(entity, &read, etag));
    ck_assert_int_eq(read.due_ms, INT64_MAX);
    cJSON_Delete(entity);
}
END_TEST

START_TEST(a_due_row_is_written_exactly_and_read_back) {
    struct expiry_row row = {.time_ms = 1737299700000,
                             .kind = EXPIRY_OF_RESERVATIONS,
                             .product_id = "a~b-r-C._1"},
                      read = {0};
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    product_entity_write_expiry(&row, &text);
    cJSON *entity = parse(&text);
    assert_text(
        entity,
        "{\"PartitionKey\":\"!due\",\"RowKey\":\"001737299700000-r-a~b-r-C._1\",\"format\":2}");
    ck_assert(product_entity_read_expiry_key(json_string(entity, "RowKey"), &read));
    ck_assert_int_eq(read.time_ms, row.time_ms);
    ck_assert_int_eq(read.kind, EXPIRY_OF_RESERVATIONS);
    ck_assert_str_eq(read.product_id, row.product_id);
    cJSON_Delete(entity);
    ck_assert(product_entity_read_expiry_key("001737299700000-k-P", &read));
    ck_assert_int_eq(read.kind, EXPIRY_OF_RECORDS);
    ck_assert(product_entity_read_expiry_key("001737299700000-r-A.",
                                             &read)); /* an older release took such ids */
    ck_assert(!inventory_is_stored_product_id(EXPIRY_PARTITION));
}
END_TEST

START_TEST(the_longest_due_key_is_not_cut) {
    struct expiry_row row = {.time_ms = (INT64_C(1) << 48) - 1, .kind = EXPIRY_OF_RECORDS}, read;
    char key[PRODUCT_ENTITY_KEY_BYTES];
    memset(row.product_id, 'x', sizeof row.product_id - 1);
    product_entity_expiry_key(&row, key);
    ck_assert(product_entity_read_expiry_key(key, &read));
    ck_assert_int_eq(read.time_ms, row.time_ms);
    ck_assert_str_eq(read.product_id, row.product_id);
}
END_TEST

START_TEST(what_is_written_is_read_back) {
    struct product read = {0};
    struct reservation row = {0};
    char etag[INVENTORY_ETAG_BYTES];
    cJSON *entity = entity_of_product(&product);
    ck_assert(!product_entity_read_product(entity, &read, etag)); /* storage adds the ETag */
    cJSON_AddStringToObject(entity, "odata.etag", "W/\"1\"");
    ck_assert(product_entity_read_product(entity, &read, etag));
    ck_assert_mem_eq(&read, &product, sizeof read);
    ck_assert_str_eq(etag, "W/\"1\"");
    cJSON_Delete(entity);
    entity = entity_of(&reservation);
    const char *customer_id = NULL;
    ck_assert(
        product_entity_read_reservation(entity, json_string(entity, "RowKey"), &row, &customer_id));
    ck_assert_str_eq(row.id, reservation.id);
    ck_assert_str_eq(customer_id, "O'Brien");
    ck_assert_int_eq(row.quantity, 3);
    ck_assert_int_eq(row.reserved_ms, reservation.reserved_ms);
    ck_assert_int_eq(row.expires_ms, reservation.expires_ms);
    cJSON_Delete(entity);
}
END_TEST

START_TEST(a_customer_id_is_read_up_to_its_longest) {
    char id[CUSTOMER_ID_BYTES + 1];
    struct reservation row;
    memset(id, 'x', sizeof id);
    for (size_t length = CUSTOMER_ID_BYTES - 1; length <= CUSTOMER_ID_BYTES; length++) {
        id[length] = '\0';
        cJSON *entity = entity_of(&reservation);
        cJSON_ReplaceItemInObjectCaseSensitive(entity, "customerId", cJSON_CreateString(id));
        ck_assert(read_reservation(entity, json_string(entity, "RowKey"), &row) ==
                  (length < CUSTOMER_ID_BYTES));
        cJSON_Delete(entity);
        id[length] = 'x';
    }
}
END_TEST

START_TEST(each_property_must_be_there_and_of_its_kind) {
    static const char *const properties[] = {"customerId", "quantity", "reservedAt", "expiresAt"};
    cJSON *entity = entity_of(&reservation);
    struct reservation row;
    cJSON_ReplaceItemInObjectCaseSensitive(entity, properties[_i], cJSON_CreateBool(1));
    ck_assert(!read_reservation(entity, "r-0194a0b1-2345-8678-9abc-def012345678", &row));
    cJSON_DeleteItemFromObjectCaseSensitive(entity, properties[_i]);
    ck_assert(!read_reservation(entity, "r-0194a0b1-2345-8678-9abc-def012345678", &row));
    cJSON_Delete(entity);
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_not_cut) {
    cJSON *entity = cJSON_CreateObject();
    char out[4] = "old";
    cJSON_AddStringToObject(entity, "p", "1234");
    ck_assert(!product_entity_copy_text(entity, "p", out, sizeof out));
    ck_assert_str_eq(out, "old");
    cJSON_ReplaceItemInObjectCaseSensitive(entity, "p", cJSON_CreateString("123"));
    ck_assert(product_entity_copy_text(entity, "p", out, sizeof out));
    ck_assert_str_eq(out, "123");
    cJSON_Delete(entity);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_entity");
    TCase *tcase = tcase_create("entities");
    tcase_add_test(tcase, a_product_is_written_exactly);
    tcase_add_test(tcase, a_reservation_is_written_exactly);
    tcase_add_test(tcase, a_record_is_written_exactly);
    tcase_add_test(tcase, a_record_is_read_back);
    tcase_add_loop_test(tcase, each_property_of_a_record_must_be_there, 0, 8);
    tcase_add_loop_test(tcase, what_every_release_writes_of_a_product_must_be_there, 0, 5);
    tcase_add_loop_test(tcase, what_is_there_of_a_product_must_be_of_its_kind, 0, 5);
    tcase_add_loop_test(tcase, rows_of_older_releases_are_read, 0, 2);
    tcase_add_loop_test(tcase, what_the_release_before_needs_is_written, 0, 2);
    tcase_add_test(tcase, a_due_time_that_an_older_release_has_not_kept_up_is_not_known);
    tcase_add_test(tcase, the_format_of_a_newer_release_stays_with_its_rows);
    tcase_add_loop_test(tcase, numbers_that_cannot_be_are_not_read, 0, 6);
    tcase_add_test(tcase, a_reservation_has_one_to_a_million_units);
    tcase_add_test(tcase, a_customer_id_is_read_up_to_its_longest);
    tcase_add_test(tcase, a_product_of_which_nothing_is_due_says_so_with_the_last_moment);
    tcase_add_test(tcase, a_due_row_is_written_exactly_and_read_back);
    tcase_add_test(tcase, the_longest_due_key_is_not_cut);
    tcase_add_test(tcase, what_is_written_is_read_back);
    tcase_add_loop_test(tcase, each_property_must_be_there_and_of_its_kind, 0, 4);
    tcase_add_test(tcase, a_text_that_does_not_fit_is_not_cut);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
