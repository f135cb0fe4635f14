#include "inventory/product_entity.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utc.h"

bool product_entity_copy_text(const cJSON *entity, const char *property, char *out, size_t out_bytes) {
    const char *text = json_string(entity, property);
    size_t bytes = text == NULL ? SIZE_MAX : strlen(text) + 1;
    if (bytes > out_bytes) {
        return false;
    }
    memcpy(out, text, bytes);
    return true;
}

static bool add_typed(cJSON *entity, const char *property, const char *type, const char *value) {
    char name[64];
    snprintf(name, sizeof name, "%s@odata.type", property);
    return cJSON_AddStringToObject(entity, name, type) != NULL &&
           cJSON_AddStringToObject(entity, property, value) != NULL;
}

/* JSON numbers are doubles to many readers, so the Table service writes and takes Edm.Int64 as text. */
static bool add_int64(cJSON *entity, const char *property, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return add_typed(entity, property, "Edm.Int64", text);
}

static bool add_time(cJSON *entity, const char *property, int64_t time_ms) {
    char text[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(time_ms, text);
    return add_typed(entity, property, "Edm.DateTime", text);
}

static bool add_keys(cJSON *entity, const char *partition_key, const char *row_key) {
    return cJSON_AddStringToObject(entity, "PartitionKey", partition_key) != NULL &&
           cJSON_AddStringToObject(entity, "RowKey", row_key) != NULL;
}

void product_entity_row_key(const struct reservation *row, char out[PRODUCT_ENTITY_KEY_BYTES]) {
    snprintf(out, PRODUCT_ENTITY_KEY_BYTES, RESERVATION_ROW_PREFIX "%s", row->id);
}

cJSON *product_entity_of_product(const struct product *product) {
    cJSON *entity = cJSON_CreateObject();
    if (entity != NULL && add_keys(entity, product->id, PRODUCT_ROW) && add_int64(entity, "total", product->total) &&
        add_int64(entity, "available", product->available) && add_int64(entity, "version", product->version) &&
        cJSON_AddStringToObject(entity, "commitId", product->commit_id) != NULL) {
        return entity;
    }
    cJSON_Delete(entity);
    return NULL;
}

cJSON *product_entity_of_reservation(const char *product_id, const struct reservation *row) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_row_key(row, row_key);
    cJSON *entity = cJSON_CreateObject();
    if (entity != NULL && add_keys(entity, product_id, row_key) &&
        cJSON_AddStringToObject(entity, "customerId", row->customer_id) != NULL &&
        add_int64(entity, "quantity", row->quantity) && add_time(entity, "reservedAt", row->reserved_ms) &&
        add_time(entity, "expiresAt", row->expires_ms)) {
        return entity;
    }
    cJSON_Delete(entity);
    return NULL;
}

bool product_entity_read_product(const cJSON *entity, struct product *product, char token[INVENTORY_TOKEN_BYTES]) {
    return product_entity_copy_text(entity, "PartitionKey", product->id, sizeof product->id) &&
           json_int64(entity, "total", &product->total) && json_int64(entity, "available", &product->available) &&
           json_int64(entity, "version", &product->version) &&
           product_entity_copy_text(entity, "commitId", product->commit_id, sizeof product->commit_id) &&
           product_entity_copy_text(entity, "odata.etag", token, INVENTORY_TOKEN_BYTES);
}

static bool read_time(const cJSON *entity, const char *property, int64_t *out_ms) {
    const char *text = json_string(entity, property);
    return text != NULL && utc_parse_iso8601(text, out_ms);
}

bool product_entity_read_reservation(const cJSON *entity, const char *row_key, struct reservation *row) {
    const char *id = row_key + strlen(RESERVATION_ROW_PREFIX);
    if (!uuid_is_valid(id)) {
        return false;
    }
    memcpy(row->id, id, sizeof row->id);
    return product_entity_copy_text(entity, "customerId", row->customer_id, sizeof row->customer_id) &&
           json_int64(entity, "quantity", &row->quantity) && row->quantity > 0 &&
           read_time(entity, "reservedAt", &row->reserved_ms) && read_time(entity, "expiresAt", &row->expires_ms);
}
