#include "inventory/product_entity.h"

#include <string.h>

#include "support/check_main.h"

static const struct product product = {.id = "PROD-001",
                                       .total = 9007199254740993,
                                       .available = 7,
                                       .version = 12,
                                       .commit_id = "a2b1c4d6-0000-4000-8000-000000000001"};
static const struct reservation reservation = {.id = "0194a0b1-2345-8678-9abc-def012345678",
                                               .customer_id = "O'Brien",
                                               .quantity = 3,
                                               .reserved_ms = 1737297930123,
                                               .expires_ms = 1737299730123};

static void assert_text(cJSON *entity, const char *expected) {
    char *text = cJSON_PrintUnformatted(entity);
    ck_assert_str_eq(text, expected);
    cJSON_free(text);
}

START_TEST(a_product_is_written_exactly) {
    cJSON *entity = product_entity_of_product(&product);
    assert_text(entity, "{\"PartitionKey\":\"PROD-001\",\"RowKey\":\"product\",\"total@odata.type\":\"Edm.Int64\","
                        "\"total\":\"9007199254740993\",\"available@odata.type\":\"Edm.Int64\",\"available\":\"7\","
                        "\"version@odata.type\":\"Edm.Int64\",\"version\":\"12\","
                        "\"commitId\":\"a2b1c4d6-0000-4000-8000-000000000001\"}");
    cJSON_Delete(entity);
}
END_TEST

START_TEST(a_reservation_is_written_exactly) {
    cJSON *entity = product_entity_of_reservation("PROD-001", &reservation);
    assert_text(entity, "{\"PartitionKey\":\"PROD-001\",\"RowKey\":\"r-0194a0b1-2345-8678-9abc-def012345678\","
                        "\"customerId\":\"O'Brien\",\"quantity@odata.type\":\"Edm.Int64\",\"quantity\":\"3\","
                        "\"reservedAt@odata.type\":\"Edm.DateTime\",\"reservedAt\":\"2025-01-19T14:45:30.123Z\","
                        "\"expiresAt@odata.type\":\"Edm.DateTime\",\"expiresAt\":\"2025-01-19T15:15:30.123Z\"}");
    cJSON_Delete(entity);
}
END_TEST

START_TEST(what_is_written_is_read_back) {
    struct product read = {0};
    struct reservation row = {0};
    char token[INVENTORY_TOKEN_BYTES];
    cJSON *entity = product_entity_of_product(&product);
    ck_assert(!product_entity_read_product(entity, &read, token)); /* storage adds the ETag */
    cJSON_AddStringToObject(entity, "odata.etag", "W/\"1\"");
    ck_assert(product_entity_read_product(entity, &read, token));
    ck_assert_mem_eq(&read, &product, sizeof read);
    ck_assert_str_eq(token, "W/\"1\"");
    cJSON_Delete(entity);
    entity = product_entity_of_reservation("PROD-001", &reservation);
    ck_assert(product_entity_read_reservation(entity, json_string(entity, "RowKey"), &row));
    ck_assert_str_eq(row.id, reservation.id);
    ck_assert_str_eq(row.customer_id, reservation.customer_id);
    ck_assert_int_eq(row.quantity, 3);
    ck_assert_int_eq(row.reserved_ms, reservation.reserved_ms);
    ck_assert_int_eq(row.expires_ms, reservation.expires_ms);
    cJSON_Delete(entity);
}
END_TEST

START_TEST(each_property_must_be_there_and_of_its_kind) {
    static const char *const properties[] = {"customerId", "quantity", "reservedAt", "expiresAt"};
    cJSON *entity = product_entity_of_reservation("PROD-001", &reservation);
    struct reservation row;
    cJSON_ReplaceItemInObjectCaseSensitive(entity, properties[_i], cJSON_CreateBool(1));
    ck_assert(!product_entity_read_reservation(entity, "r-0194a0b1-2345-8678-9abc-def012345678", &row));
    cJSON_DeleteItemFromObjectCaseSensitive(entity, properties[_i]);
    ck_assert(!product_entity_read_reservation(entity, "r-0194a0b1-2345-8678-9abc-def012345678", &row));
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
    tcase_add_test(tcase, what_is_written_is_read_back);
    tcase_add_loop_test(tcase, each_property_must_be_there_and_of_its_kind, 0, 4);
    tcase_add_test(tcase, a_text_that_does_not_fit_is_not_cut);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
