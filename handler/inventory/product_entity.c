#include "inventory/product_entity.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utc.h"
#include "inventory/inventory.h"

/* ---- keys ---- */

void product_entity_reservation_key(const struct reservation *row,
                                    char out[PRODUCT_ENTITY_KEY_BYTES]) {
    snprintf(out, PRODUCT_ENTITY_KEY_BYTES, RESERVATION_ROW_PREFIX "%s", row->id);
}

void product_entity_record_key(const char *key_hash, char out[PRODUCT_ENTITY_KEY_BYTES]) {
    snprintf(out, PRODUCT_ENTITY_KEY_BYTES, RECORD_ROW_PREFIX "%s", key_hash);
}

void product_entity_expiry_key(const struct expiry_row *row, char out[PRODUCT_ENTITY_KEY_BYTES]) {
    snprintf(out, PRODUCT_ENTITY_KEY_BYTES, "%0*lld-%c-%s", EXPIRY_TIME_DIGITS,
             (long long)row->time_ms, (char)row->kind, row->product_id);
}

bool product_entity_read_expiry_key(const char *row_key, struct expiry_row *out) {
    if (strspn(row_key, "0123456789") != EXPIRY_TIME_DIGITS) {
        return false;
    }
    const char *kind = row_key + EXPIRY_TIME_DIGITS;
    if ((strncmp(kind, "-r-", 3) != 0 && strncmp(kind, "-k-", 3) != 0) ||
        !inventory_is_stored_product_id(kind + 3)) {
        return false;
    }
    out->time_ms = strtoll(row_key, NULL, 10);
    out->kind = kind[1] == 'r' ? EXPIRY_OF_RESERVATIONS : EXPIRY_OF_RECORDS;
    snprintf(out->product_id, sizeof out->product_id, "%s", kind + 3);
    return true;
}

void product_entity_wait_partition(const char *product_id, char out[PRODUCT_ENTITY_KEY_BYTES]) {
    snprintf(out, PRODUCT_ENTITY_KEY_BYTES, "!wait-%s", product_id);
}

/* ---- writing ---- */

/* Appends a property after another one. Each entity begins with its PartitionKey. */
static void append_text(struct strbuf *out, const char *property, const char *value) {
    strbuf_append_string(out, ",\"");
    strbuf_append_string(out, property);
    strbuf_append_string(out, "\":");
    json_append_string(out, value);
}

static void append_type(struct strbuf *out, const char *property, const char *type) {
    strbuf_append_string(out, ",\"");
    strbuf_append_string(out, property);
    strbuf_append_string(out, "@odata.type\":\"");
    strbuf_append_string(out, type);
    strbuf_append_char(out, '"');
}

/*
 * The Table service writes and takes Edm.Int64 as text, because many readers take JSON numbers for
 * doubles.
 */
static void append_int64(struct strbuf *out, const char *property, int64_t value) {
    append_type(out, property, "Edm.Int64");
    strbuf_append_string(out, ",\"");
    strbuf_append_string(out, property);
    strbuf_append_string(out, "\":\"");
    strbuf_append_int64(out, value);
    strbuf_append_char(out, '"');
}

static void append_time(struct strbuf *out, const char *property, int64_t time_ms) {
    char text[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(time_ms, text);
    append_type(out, property, "Edm.DateTime");
    append_text(out, property, text);
}

/*
 * Begins an entity with its keys and its format. `format` is that of the stored row (0: none). If
 * it is newer than this release's, it stays.
 */
static void begin_entity(struct strbuf *out, const char *partition_key, const char *row_key,
                         int format) {
    strbuf_append_string(out, "{\"PartitionKey\":");
    json_append_string(out, partition_key);
    append_text(out, "RowKey", row_key);
    strbuf_append_string(out, ",\"format\":");
    strbuf_append_int64(out, format > PRODUCT_ENTITY_FORMAT ? format : PRODUCT_ENTITY_FORMAT);
}

static void end_entity(struct strbuf *out) {
    strbuf_append_char(out, '}');
}

void product_entity_write_product(const struct product *product, struct strbuf *out) {
    char newest[UUID_TEXT_BYTES];
    snprintf(newest, sizeof newest, "%.*s", UUID_TEXT_BYTES - 1, product->commit_ids);
    begin_entity(out, product->id, PRODUCT_ROW, product->format);
    append_int64(out, "total", product->total);
    append_int64(out, "available", product->available);
    append_int64(out, "version", product->version);
    append_time(out, "dueAt", product->due_ms);
    append_text(out, "commitIds", product->commit_ids);
    append_text(out, "commitId", newest);
    append_int64(out, "indexedDue", product->indexed_due_ms);
    append_int64(out, "indexedKeep", product->indexed_keep_ms);
    end_entity(out);
}

void product_entity_write_reservation(const char *product_id, const struct reservation *row,
                                      struct strbuf *out) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_reservation_key(row, row_key);
    begin_entity(out, product_id, row_key, row->format);
    append_text(out, "customerId", row->customer_id);
    append_int64(out, "quantity", row->quantity);
    append_time(out, "reservedAt", row->reserved_ms);
    append_time(out, "expiresAt", row->expires_ms);
    end_entity(out);
}

void product_entity_write_record(const char *product_id, const struct idempotency_record *record,
                                 struct strbuf *out) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_record_key(record->key_hash, row_key);
    begin_entity(out, product_id, row_key, 0);
    append_text(out, "requestHash", record->request_hash);
    append_text(out, "reservationId", record->reservation_id);
    append_int64(out, "quantity", record->quantity);
    append_int64(out, "available", record->available);
    if (record->total != 0) {
        append_int64(out, "total", record->total);
    }
    if (record->remaining != 0) {
        append_int64(out, "remaining", record->remaining);
    }
    if (record->customer_id[0] != '\0') {
        append_text(out, "customerId", record->customer_id);
    }
    append_int64(out, "version", record->version);
    append_time(out, "reservedAt", record->reserved_ms);
    append_time(out, "expiresAt", record->expires_ms);
    append_time(out, "keepUntil", record->keep_until_ms);
    end_entity(out);
}

void product_entity_write_expiry(const struct expiry_row *row, struct strbuf *out) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_expiry_key(row, row_key);
    begin_entity(out, EXPIRY_PARTITION, row_key, 0);
    end_entity(out);
}

void product_entity_write_wait(const char *product_id, struct strbuf *out) {
    char partition[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_wait_partition(product_id, partition);
    begin_entity(out, partition, WAIT_ROW, 0);
    end_entity(out);
}

/* ---- reading ---- */

bool product_entity_copy_text(const cJSON *entity, const char *property, char *out,
                              size_t out_bytes) {
    const char *text = json_string(entity, property);
    size_t bytes = text == NULL ? SIZE_MAX : strlen(text) + 1;
    if (bytes > out_bytes) {
        return false;
    }
    memcpy(out, text, bytes);
    return true;
}

/* INT64_MAX means "never". It is written as the last moment that the text form can express. */
static bool read_time(const cJSON *entity, const char *property, int64_t *out_ms) {
    char last[UTC_TEXT_BYTES];
    int64_t last_ms = 0;
    utc_format_iso8601_ms(INT64_MAX, last);
    const char *text = json_string(entity, property);
    if (text == NULL || !utc_parse_iso8601(text, out_ms) || !utc_parse_iso8601(last, &last_ms)) {
        return false;
    }
    if (*out_ms == last_ms) {
        *out_ms = INT64_MAX;
    }
    return true;
}

static bool read_count(const cJSON *entity, const char *property, int64_t most, int64_t *out) {
    return json_int64(entity, property, out) && *out >= 0 && *out <= most;
}

static bool has_property(const cJSON *entity, const char *property) {
    return cJSON_GetObjectItemCaseSensitive(entity, property) != NULL;
}

static bool read_format(const cJSON *entity, int *out) {
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(entity, "format");
    if (format != NULL &&
        (!cJSON_IsNumber(format) || format->valuedouble < 0 || format->valuedouble > INT_MAX)) {
        return false;
    }
    *out = format == NULL ? 0 : format->valueint;
    return true;
}

/*
 * Reads the properties that the first release does not write. Those that are missing count as
 * unknown. The first two releases do not update all of them. If commitId is not the first of
 * commitIds, one of those releases has changed the row since, and dueAt may be out of date.
 */
static bool read_later_properties(const cJSON *entity, struct product *product) {
    const char *commit_id = json_string(entity, "commitId");
    product->due_ms = product->indexed_due_ms = product->indexed_keep_ms = 0;
    if (!product_entity_copy_text(entity,
                                  has_property(entity, "commitIds") ? "commitIds" : "commitId",
                                  product->commit_ids, sizeof product->commit_ids) ||
        (has_property(entity, "dueAt") && !read_time(entity, "dueAt", &product->due_ms)) ||
        (has_property(entity, "indexedDue") &&
         !json_int64(entity, "indexedDue", &product->indexed_due_ms)) ||
        (has_property(entity, "indexedKeep") &&
         !json_int64(entity, "indexedKeep", &product->indexed_keep_ms))) {
        return false;
    }
    if (commit_id != NULL && strncmp(commit_id, product->commit_ids, UUID_TEXT_BYTES - 1) != 0) {
        product->due_ms = 0;
    }
    return true;
}

bool product_entity_read_product(const cJSON *entity, struct product *product,
                                 char etag[INVENTORY_ETAG_BYTES]) {
    return product_entity_copy_text(entity, "PartitionKey", product->id, sizeof product->id) &&
           inventory_is_stored_product_id(product->id) && read_format(entity, &product->format) &&
           read_count(entity, "total", INVENTORY_MAX_TOTAL, &product->total) &&
           read_count(entity, "available", INVENTORY_MAX_TOTAL, &product->available) &&
           read_count(entity, "version", INVENTORY_MAX_TOTAL, &product->version) &&
           read_later_properties(entity, product) &&
           product_entity_copy_text(entity, "odata.etag", etag, INVENTORY_ETAG_BYTES);
}

bool product_entity_read_reservation(const cJSON *entity, const char *row_key,
                                     struct reservation *row, const char **out_customer_id) {
    const char *id = row_key + strlen(RESERVATION_ROW_PREFIX),
               *customer_id = json_string(entity, "customerId");
    int64_t quantity = 0;
    if (!uuid_is_valid(id) || customer_id == NULL || strlen(customer_id) >= CUSTOMER_ID_BYTES ||
        !read_count(entity, "quantity", INVENTORY_MAX_QUANTITY, &quantity) || quantity == 0) {
        return false;
    }
    memcpy(row->id, id, sizeof row->id);
    row->quantity = (int)quantity;
    *out_customer_id = customer_id;
    return read_format(entity, &row->format) &&
           read_time(entity, "reservedAt", &row->reserved_ms) &&
           read_time(entity, "expiresAt", &row->expires_ms);
}

/* Reads what only the records of some operations have. */
static bool read_rest_of_answer(const cJSON *entity, struct idempotency_record *read) {
    return (!has_property(entity, "customerId") ||
            product_entity_copy_text(entity, "customerId", read->customer_id,
                                     sizeof read->customer_id)) &&
           (!has_property(entity, "total") || json_int64(entity, "total", &read->total)) &&
           (!has_property(entity, "remaining") ||
            json_int64(entity, "remaining", &read->remaining));
}

bool product_entity_read_record(const cJSON *entity, const char *key_hash,
                                struct idempotency_record *record) {
    struct idempotency_record read = {.quantity = 0};
    snprintf(read.key_hash, sizeof read.key_hash, "%s", key_hash);
    if (product_entity_copy_text(entity, "requestHash", read.request_hash,
                                 sizeof read.request_hash) &&
        product_entity_copy_text(entity, "reservationId", read.reservation_id,
                                 sizeof read.reservation_id) &&
        json_int64(entity, "quantity", &read.quantity) &&
        json_int64(entity, "available", &read.available) &&
        json_int64(entity, "version", &read.version) &&
        read_time(entity, "reservedAt", &read.reserved_ms) &&
        read_time(entity, "expiresAt", &read.expires_ms) &&
        read_time(entity, "keepUntil", &read.keep_until_ms) && read_rest_of_answer(entity, &read)) {
        *record = read;
        return true;
    }
    return false;
}

bool product_entity_read_timestamp(const cJSON *entity, int64_t *out_ms) {
    return read_time(entity, "Timestamp", out_ms);
}

enum status product_entity_unreadable(const cJSON *entity, struct error *err) {
    const char *partition_key = json_string(entity, "PartitionKey"),
               *row_key = json_string(entity, "RowKey");
    int format = 0;
    char why[128] = "a property is missing, or has a value that is not allowed";
    if (read_format(entity, &format) && format > PRODUCT_ENTITY_FORMAT) {
        snprintf(why, sizeof why,
                 "a newer release has written it, in format %d; this one knows formats up to %d",
                 format, PRODUCT_ENTITY_FORMAT);
    }
    return error_set(
        err, STATUS_MALFORMED, "row %.200s of partition %.200s in the table cannot be read: %s",
        row_key == NULL ? "?" : row_key, partition_key == NULL ? "?" : partition_key, why);
}
