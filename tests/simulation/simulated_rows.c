#include "simulation/simulated_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utc.h"
#include "inventory/product_entity.h"

/* The value of "NAME":"...", which is how storage keeps texts, times and 64-bit numbers. */
static bool read_text(const struct row *row, const char *name, char *out, size_t size) {
    char wanted[64];
    int length = snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    const char *at = memmem(row->properties, row->properties_length, wanted, (size_t)length);
    const char *end = at == NULL ? NULL : strchr(at + length, '"');
    if (end == NULL || (size_t)(end - at - length) >= size) {
        return false;
    }
    memcpy(out, at + length, (size_t)(end - at - length));
    out[end - at - length] = '\0';
    return true;
}

static bool read_number(const struct row *row, const char *name, int64_t *out) {
    char text[32];
    if (!read_text(row, name, text, sizeof text)) {
        return false;
    }
    *out = strtoll(text, NULL, 10);
    return true;
}

static bool read_time(const struct row *row, const char *name, int64_t *out_ms) {
    char text[40];
    return read_text(row, name, text, sizeof text) && utc_parse_iso8601(text, out_ms);
}

static bool is_reservation(const struct row *row) {
    return strncmp(row->key, RESERVATION_ROW_PREFIX, strlen(RESERVATION_ROW_PREFIX)) == 0;
}

/* The earliest row of the expiry index that speaks of the product's reservations, as the start of a minute. */
static int64_t first_indexed_ms(struct table *table, const char *product_id) {
    for (struct row *row = rows_seek(table, "!due", ""); row != NULL; row = row->next[0]) {
        const char *product = strstr(row->key, "-r-");
        if (product != NULL && strcmp(product + 3, product_id) == 0) {
            return strtoll(row->key, NULL, 10);
        }
    }
    return INT64_MAX;
}

const char *simulated_rows_check(struct simulated_storage *storage, const char *table_name, const char *product_id) {
    struct table *table = rows_table(&storage->rows, table_name, NULL);
    const struct row *product = table == NULL ? NULL : rows_find(table, product_id, PRODUCT_ROW);
    int64_t total = 0, available = 0, version = 0, reserved = 0;
    int64_t first_expiry_ms = INT64_MAX;
    if (product == NULL) {
        return NULL;
    }
    if (!read_number(product, "total", &total) || !read_number(product, "available", &available) ||
        !read_number(product, "version", &version)) {
        return "the product's row is not complete";
    }
    for (struct row *row = rows_seek(table, product_id, RESERVATION_ROW_PREFIX); row != NULL && is_reservation(row);
         row = row->next[0]) {
        int64_t quantity = 0, expires_ms = 0;
        if (!read_number(row, "quantity", &quantity) || !read_time(row, "expiresAt", &expires_ms)) {
            return "a reservation's row is not complete";
        }
        if (quantity <= 0) {
            return "a reservation has no units";
        }
        reserved += quantity;
        first_expiry_ms = expires_ms < first_expiry_ms ? expires_ms : first_expiry_ms;
    }
    if (available < 0 || total < 0) {
        return "there are less than no units";
    }
    if (available + reserved != total) {
        return "available and reserved are not the total";
    }
    if (first_expiry_ms != INT64_MAX && first_indexed_ms(table, product_id) > first_expiry_ms + 60 * 1000) {
        return "no row of the expiry index stands for a reservation";
    }
    return NULL;
}

bool simulated_rows_read(struct simulated_storage *storage, const char *table_name, const char *product_id,
                         struct checker_product *out) {
    struct table *table = rows_table(&storage->rows, table_name, NULL);
    const struct row *product = table == NULL ? NULL : rows_find(table, product_id, PRODUCT_ROW);
    if (product == NULL || !read_number(product, "total", &out->stored_total) ||
        !read_number(product, "available", &out->stored_available) ||
        !read_number(product, "version", &out->stored_version)) {
        return false;
    }
    for (struct row *row = rows_seek(table, product_id, RESERVATION_ROW_PREFIX); row != NULL && is_reservation(row);
         row = row->next[0]) {
        struct history_reservation *rows = reallocarray(out->rows, out->row_count + 1, sizeof *rows);
        out->rows = rows;
        struct history_reservation *into = &rows[out->row_count++];
        *into = (struct history_reservation){.quantity = 0};
        snprintf(into->id, sizeof into->id, "%s", row->key + strlen(RESERVATION_ROW_PREFIX));
        if (!read_number(row, "quantity", &into->quantity) || !read_time(row, "reservedAt", &into->reserved_ms) ||
            !read_time(row, "expiresAt", &into->expires_ms) ||
            !read_text(row, "customerId", into->customer, sizeof into->customer)) {
            return false;
        }
    }
    return true;
}
