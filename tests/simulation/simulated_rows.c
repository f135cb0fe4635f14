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

static bool has_prefix(const char *key, const char *prefix) {
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

enum { MINUTE_MS = 60 * 1000, OVERDUE_MS = 4 * MINUTE_MS };

/*
 * Whether the expiry index has a row of that product for the minute in which a reservation expires.
 */
static bool is_indexed(const struct table *table, const char *product_id, int64_t expires_ms) {
    char key[96];
    snprintf(key, sizeof key, "%015lld-r-%s", (long long)(expires_ms - expires_ms % MINUTE_MS),
             product_id);
    return rows_find(table, EXPIRY_PARTITION, key) != NULL;
}

/*
 * Whether the expiry index has a row that has long been due, for a product's reservations ("-r-")
 * or records ("-k-"). One that is not due yet may have nothing behind it: it is written before the
 * commit that then fails, or is not needed.
 */
static bool has_overdue_row(const struct table *table, const char *product_id, const char *kind,
                            int64_t now_ms) {
    for (struct row *row = rows_seek(table, EXPIRY_PARTITION, ""); row != NULL;
         row = row->next[0]) {
        const char *product = strstr(row->key, kind);
        if (product != NULL && strcmp(product + strlen(kind), product_id) == 0 &&
            strtoll(row->key, NULL, 10) + OVERDUE_MS <= now_ms) {
            return true;
        }
    }
    return false;
}

const char *simulated_rows_check(struct simulated_storage *storage, const char *table_name,
                                 const char *product_id, bool is_table_new) {
    struct table *table = rows_table(&storage->rows, table_name, NULL);
    const struct row *product = table == NULL ? NULL : rows_find(table, product_id, PRODUCT_ROW);
    int64_t total = 0, available = 0, version = 0, reserved = 0;
    if (product == NULL) {
        return NULL;
    }
    if (!read_number(product, "total", &total) || !read_number(product, "available", &available) ||
        !read_number(product, "version", &version)) {
        return "the product's row is not complete";
    }
    for (struct row *row = rows_seek(table, product_id, RESERVATION_ROW_PREFIX);
         row != NULL && has_prefix(row->key, RESERVATION_ROW_PREFIX); row = row->next[0]) {
        int64_t quantity = 0, expires_ms = 0;
        if (!read_number(row, "quantity", &quantity) || !read_time(row, "expiresAt", &expires_ms)) {
            return "a reservation's row is not complete";
        }
        if (quantity <= 0) {
            return "a reservation has no units";
        }
        reserved += quantity;
        if (!is_table_new && !is_indexed(table, product_id, expires_ms)) {
            return "no row of the expiry index stands for a reservation";
        }
    }
    if (available < 0 || total < 0) {
        return "there are less than no units";
    }
    if (available + reserved != total) {
        return "available and reserved are not the total";
    }
    return NULL;
}

static struct table *table_of(struct simulated_storage *storage, const char *table_name) {
    return rows_table(&storage->rows, table_name, NULL);
}

bool simulated_rows_is_record_complete(struct simulated_storage *storage, const char *table_name,
                                       const char *product_id, const char *row_key) {
    static const char *const properties[] = {"requestHash", "reservationId", "quantity",
                                             "available",   "version",       "reservedAt",
                                             "expiresAt",   "keepUntil"};
    struct table *table = table_of(storage, table_name);
    const struct row *row = table == NULL || !has_prefix(row_key, RECORD_ROW_PREFIX)
                                ? NULL
                                : rows_find(table, product_id, row_key);
    char value[128];
    for (size_t i = 0; row != NULL && i < sizeof properties / sizeof properties[0]; i++) {
        if (!read_text(row, properties[i], value, sizeof value)) {
            return false;
        }
    }
    return true;
}

const char *simulated_rows_left(struct simulated_storage *storage, const char *table_name,
                                const char *product_id, bool with_records) {
    struct table *table = table_of(storage, table_name);
    const struct row *reservation =
        table == NULL ? NULL : rows_seek(table, product_id, RESERVATION_ROW_PREFIX);
    const struct row *record =
        table == NULL ? NULL : rows_seek(table, product_id, RECORD_ROW_PREFIX);
    int64_t now_ms = clock_wall_ms(storage->clock);
    if (reservation != NULL && has_prefix(reservation->key, RESERVATION_ROW_PREFIX)) {
        return "a reservation that has expired is not swept";
    }
    if (table != NULL && has_overdue_row(table, product_id, "-r-", now_ms)) {
        return "a row of the expiry index is left, and no reservation";
    }
    if (with_records && record != NULL && has_prefix(record->key, RECORD_ROW_PREFIX)) {
        return "the record of a key is not purged after a day";
    }
    if (with_records && table != NULL && has_overdue_row(table, product_id, "-k-", now_ms)) {
        return "a row of the expiry index is left, and no record";
    }
    return NULL;
}

/* ---- what others do to it ---- */

static struct row *product_row(struct simulated_storage *storage, const char *table_name,
                               const char *product_id) {
    struct table *table = table_of(storage, table_name);
    return table == NULL ? NULL : rows_find(table, product_id, PRODUCT_ROW);
}

/* The first reservation of a product that is there; NULL: none. */
static struct row *first_reservation(struct simulated_storage *storage, const char *table_name,
                                     const char *product_id) {
    struct row *row =
        product_row(storage, table_name, product_id) == NULL
            ? NULL
            : rows_seek(table_of(storage, table_name), product_id, RESERVATION_ROW_PREFIX);
    return row != NULL && has_prefix(row->key, RESERVATION_ROW_PREFIX) ? row : NULL;
}

bool simulated_rows_delete_product(struct simulated_storage *storage, const char *table_name,
                                   const char *product_id) {
    bool has_reservation = first_reservation(storage, table_name, product_id) != NULL;
    if (has_reservation) {
        rows_delete(product_row(storage, table_name, product_id));
    }
    return has_reservation;
}

bool simulated_rows_delete_all(struct simulated_storage *storage, const char *table_name,
                               const char *product_id) {
    bool is_there = product_row(storage, table_name, product_id) != NULL;
    struct row *row;
    while (is_there && (row = rows_seek(table_of(storage, table_name), product_id, "")) != NULL) {
        rows_delete(row);
    }
    return is_there;
}

bool simulated_rows_spoil(struct simulated_storage *storage, const char *table_name,
                          const char *product_id) {
    const struct row *row = first_reservation(storage, table_name, product_id);
    struct strbuf nonsense;
    char key[ENTITY_KEY_BYTES];
    if (row == NULL) {
        return false;
    }
    snprintf(key, sizeof key, "%s", row->key);
    strbuf_init(&nonsense, 64);
    strbuf_append_string(&nonsense, "\"quantity\":\"many\"");
    rows_put(&storage->rows, table_of(storage, table_name), product_id, key, &nonsense);
    strbuf_cleanup(&nonsense);
    return true;
}

/* ---- for the verdict ---- */

bool simulated_rows_read(struct simulated_storage *storage, const char *table_name,
                         const char *product_id, struct checker_product *out) {
    struct table *table = rows_table(&storage->rows, table_name, NULL);
    const struct row *product = table == NULL ? NULL : rows_find(table, product_id, PRODUCT_ROW);
    if (product == NULL || !read_number(product, "total", &out->stored_total) ||
        !read_number(product, "available", &out->stored_available) ||
        !read_number(product, "version", &out->stored_version)) {
        return false;
    }
    for (struct row *row = rows_seek(table, product_id, RESERVATION_ROW_PREFIX);
         row != NULL && has_prefix(row->key, RESERVATION_ROW_PREFIX); row = row->next[0]) {
        struct history_reservation *rows =
            reallocarray(out->rows, out->row_count + 1, sizeof *rows);
        out->rows = rows;
        struct history_reservation *into = &rows[out->row_count++];
        *into = (struct history_reservation){.quantity = 0};
        snprintf(into->id, sizeof into->id, "%s", row->key + strlen(RESERVATION_ROW_PREFIX));
        if (!read_number(row, "quantity", &into->quantity) ||
            !read_time(row, "reservedAt", &into->reserved_ms) ||
            !read_time(row, "expiresAt", &into->expires_ms) ||
            !read_text(row, "customerId", into->customer, sizeof into->customer)) {
            return false;
        }
    }
    return true;
}
