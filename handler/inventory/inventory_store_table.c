#include "inventory/inventory_store_table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "inventory/product_entity.h"
#include "storage/storage_clock.h"
#include "storage/table_client.h"

enum { FILTER_MAX_BYTES = 8192, SCAN_DEADLINE_MS = 5 * 60 * 1000 /* all pages of a large table */ };

static struct inventory_store_table *table_of(struct inventory_store *store) {
    return (struct inventory_store_table *)store;
}

static int64_t storage_deadline_ms(const struct inventory_store_table *store) {
    return clock_now_ms(store->client->clock) + STORAGE_DEADLINE_MS;
}

/* ---- prepare ---- */

static enum status insert_seed(struct inventory_store_table *store, const struct seed_product *seed,
                               struct error *err) {
    struct product product = {.total = seed->total, .available = seed->total, .version = 1};
    memcpy(product.id, seed->id, sizeof product.id);
    enum status status = uuid_v4(product.commit_id);
    if (status != STATUS_OK) {
        return error_set(err, status, "no random bytes");
    }
    cJSON *entity = product_entity_of_product(&product);
    if (entity == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for a product's entity");
    }
    status = table_insert(store->client, store->table, entity, storage_deadline_ms(store), err);
    cJSON_Delete(entity);
    return status == STATUS_ALREADY_EXISTS ? STATUS_OK : status;
}

static enum status create_table(struct inventory_store_table *store, struct error *err) {
    enum status status = table_create(store->client, store->table, storage_deadline_ms(store), err);
    return status == STATUS_ALREADY_EXISTS ? STATUS_OK : status;
}

static enum status table_prepare(struct inventory_store *base, const struct seed_product *seeds, size_t count,
                                 struct error *err) {
    struct inventory_store_table *store = table_of(base);
    enum status status = count == 0 ? create_table(store, err) : STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = insert_seed(store, &seeds[i], err);
        if (status != STATUS_CONTAINER_NOT_FOUND) {
            continue;
        }
        status = create_table(store, err);
        if (status == STATUS_OK) {
            status = insert_seed(store, &seeds[i], err);
        }
    }
    if (status != STATUS_OK) {
        error_wrap(err, "preparing table %s", store->table);
    }
    return status;
}

static int64_t table_now_ms(struct inventory_store *base) {
    return storage_clock_ms(&table_of(base)->client->storage_clock);
}

/* ---- read ---- */

/* The key range of a product's own rows; those that have expired are its beginning. */
static void append_range(struct strbuf *filter, const char *end) {
    strbuf_append_string(filter, "RowKey ge '" PRODUCT_ROW "' and RowKey lt ");
    table_append_literal(filter, end);
}

static void append_first_unexpired_key(struct strbuf *key, int64_t now_ms) {
    char prefix[UUID_TIME_PREFIX_BYTES];
    uuid_time_prefix(now_ms + 1, prefix);
    strbuf_appendf(key, RESERVATION_ROW_PREFIX "%s", prefix);
}

static void append_read_filter(struct strbuf *filter, const char *product_id, const struct inventory_query *query) {
    struct strbuf unexpired;
    strbuf_init(&unexpired, PRODUCT_ENTITY_KEY_BYTES);
    append_first_unexpired_key(&unexpired, query->now_ms);
    bool expired_only = !query->all && query->customer_id == NULL && query->reservation_id == NULL;

    strbuf_append_string(filter, "PartitionKey eq ");
    table_append_literal(filter, product_id);
    strbuf_append_string(filter, " and ");
    append_range(filter, expired_only ? unexpired.data : AFTER_RESERVATION_ROWS);
    if (!query->all && !expired_only) {
        strbuf_append_string(filter, " and (RowKey lt ");
        table_append_literal(filter, unexpired.data);
        if (query->customer_id != NULL) {
            strbuf_append_string(filter, " or customerId eq ");
            table_append_literal(filter, query->customer_id);
        }
        if (query->reservation_id != NULL) {
            strbuf_appendf(filter, " or RowKey eq '" RESERVATION_ROW_PREFIX "%s'", query->reservation_id);
        }
        strbuf_append_char(filter, ')');
    }
    if (strbuf_status(&unexpired) != STATUS_OK) {
        filter->status = strbuf_status(&unexpired);
    }
    strbuf_release(&unexpired);
}

static enum status take_row(void *context, const cJSON *entity, struct error *err) {
    struct product_state *state = context;
    const char *row_key = json_string(entity, "RowKey");
    struct reservation row = {0};
    if (row_key != NULL && strcmp(row_key, PRODUCT_ROW) == 0 &&
        product_entity_read_product(entity, &state->product, state->token)) {
        return STATUS_OK;
    }
    if (row_key == NULL || strncmp(row_key, RESERVATION_ROW_PREFIX, strlen(RESERVATION_ROW_PREFIX)) != 0 ||
        !product_entity_read_reservation(entity, row_key, &row)) {
        return error_set(err, STATUS_MALFORMED, "row %s is not as this program writes it",
                         row_key == NULL ? "?" : row_key);
    }
    enum status status = product_state_add(state, &row);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "no memory for a reservation");
}

static enum status read_pages(struct inventory_store_table *store, const char *filter, struct product_state *state,
                              int *out_pages, struct error *err) {
    product_state_release(state);
    enum status status =
        table_query(store->client, store->table, filter, storage_deadline_ms(store), take_row, state, out_pages, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (state->token[0] != '\0') {
        return STATUS_OK;
    }
    if (state->reservation_count == 0) {
        return error_set(err, STATUS_NOT_FOUND, "there is no such product");
    }
    return error_set(err, STATUS_MALFORMED, "there are reservations, but no product");
}

static enum status read_product_row(struct inventory_store_table *store, const char *product_id,
                                    struct product *product, char token[INVENTORY_TOKEN_BYTES], struct error *err) {
    cJSON *entity = NULL;
    enum status status =
        table_get(store->client, store->table, product_id, PRODUCT_ROW, storage_deadline_ms(store), &entity, err);
    if (status != STATUS_OK) {
        return status;
    }
    bool good = product_entity_read_product(entity, product, token);
    cJSON_Delete(entity);
    return good ? STATUS_OK : error_set(err, STATUS_MALFORMED, "the product's row is not as this program writes it");
}

/* Several pages are several moments: they are one picture only if the product has not moved on meanwhile. */
static enum status read_picture(struct inventory_store_table *store, const char *product_id, const char *filter,
                                struct product_state *state, struct error *err) {
    int64_t deadline_ms = storage_deadline_ms(store);
    for (;;) {
        int pages = 0;
        enum status status = read_pages(store, filter, state, &pages, err);
        if (status != STATUS_OK || pages <= 1) {
            return status;
        }
        struct product product;
        char token[INVENTORY_TOKEN_BYTES];
        status = read_product_row(store, product_id, &product, token, err);
        if (status != STATUS_OK || strcmp(token, state->token) == 0) {
            return status;
        }
        if (clock_now_ms(store->client->clock) >= deadline_ms) {
            return error_set(err, STATUS_UNAVAILABLE, "the product kept changing while its reservations were read");
        }
    }
}

static enum status table_read(struct inventory_store *base, const char *product_id, const struct inventory_query *query,
                              struct product_state *state, struct error *err) {
    struct strbuf filter;
    strbuf_init(&filter, FILTER_MAX_BYTES);
    append_read_filter(&filter, product_id, query);
    enum status status = strbuf_status(&filter);
    if (status == STATUS_OK) {
        status = read_picture(table_of(base), product_id, filter.data, state, err);
    } else {
        error_set(err, status, "the query could not be written");
    }
    strbuf_release(&filter);
    if (status != STATUS_OK) {
        product_state_release(state);
        error_wrap(err, "reading product %s", product_id);
    }
    return status;
}

/* ---- commit ---- */

/* A transaction in the making: its operations, and what they borrow. */
struct transaction {
    struct table_operation operations[TABLE_TRANSACTION_MAX_OPERATIONS];
    cJSON *entities[TABLE_TRANSACTION_MAX_OPERATIONS];
    char row_keys[TABLE_TRANSACTION_MAX_OPERATIONS][PRODUCT_ENTITY_KEY_BYTES];
    size_t count;
    bool failed;
};

static void transaction_add(struct transaction *transaction, enum table_operation_kind kind, const char *partition_key,
                            const char *row_key, const char *if_match, cJSON *entity_taken) {
    assert(transaction->count < TABLE_TRANSACTION_MAX_OPERATIONS);
    size_t i = transaction->count++;
    if (entity_taken == NULL && kind != TABLE_DELETE) {
        transaction->failed = true;
    }
    snprintf(transaction->row_keys[i], PRODUCT_ENTITY_KEY_BYTES, "%s", row_key);
    transaction->entities[i] = entity_taken;
    transaction->operations[i] = (struct table_operation){.kind = kind,
                                                          .partition_key = partition_key,
                                                          .row_key = transaction->row_keys[i],
                                                          .if_match = if_match,
                                                          .entity = entity_taken};
}

static void transaction_add_row(struct transaction *transaction, const char *product_id,
                                const struct reservation *row) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_row_key(row, row_key);
    switch (row->mark) {
    case RESERVATION_ADDED:
        transaction_add(transaction, TABLE_INSERT, product_id, row_key, NULL,
                        product_entity_of_reservation(product_id, row));
        break;
    case RESERVATION_CHANGED:
        transaction_add(transaction, TABLE_MERGE, product_id, row_key, "*",
                        product_entity_of_reservation(product_id, row));
        break;
    case RESERVATION_REMOVED:
        transaction_add(transaction, TABLE_DELETE, product_id, row_key, "*", NULL);
        break;
    case RESERVATION_STORED:
    case RESERVATION_DROPPED:
        break;
    }
}

static struct transaction *transaction_new(const struct product_state *state, const struct product *after) {
    struct transaction *transaction = calloc(1, sizeof *transaction);
    if (transaction == NULL) {
        return NULL;
    }
    transaction_add(transaction, TABLE_MERGE, after->id, PRODUCT_ROW, state->token, product_entity_of_product(after));
    for (size_t i = 0; i < state->reservation_count; i++) {
        transaction_add_row(transaction, after->id, &state->reservations[i]);
    }
    return transaction;
}

static void transaction_free(struct transaction *transaction) {
    if (transaction == NULL) {
        return;
    }
    for (size_t i = 0; i < transaction->count; i++) {
        cJSON_Delete(transaction->entities[i]);
    }
    free(transaction);
}

/* Did this answer leave it open whether the transaction was carried out? */
static bool is_open(enum status status) {
    return status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED || status == STATUS_MALFORMED ||
           status == STATUS_TOO_LARGE || status == STATUS_NO_MEMORY;
}

/* STATUS_OK when the row of the first reservation that this commit adds is there; STATUS_UNAVAILABLE: that cannot be told. */
static enum status find_added_row(struct inventory_store_table *store, const struct product_state *state,
                                  struct error *err) {
    for (size_t i = 0; i < state->reservation_count; i++) {
        if (state->reservations[i].mark != RESERVATION_ADDED) {
            continue;
        }
        char row_key[PRODUCT_ENTITY_KEY_BYTES];
        product_entity_row_key(&state->reservations[i], row_key);
        cJSON *entity = NULL;
        enum status status = table_get(store->client, store->table, state->product.id, row_key,
                                       storage_deadline_ms(store), &entity, err);
        cJSON_Delete(entity);
        if (status == STATUS_OK) {
            return STATUS_OK;
        }
        break;
    }
    return error_set(err, STATUS_UNAVAILABLE,
                     "others have committed since, so whether this commit happened cannot be told");
}

enum commit_trace { COMMIT_HAPPENED, COMMIT_NOT_YET, COMMIT_NEVER, COMMIT_UNKNOWN };

/*
 * An answer was lost: reads what happened. The product's row names the commit that made its version; only `after`'s commit could
 * have made the version after ours, and only while the row is still the one that was read.
 */
static enum commit_trace trace_commit(struct inventory_store_table *store, const struct product_state *state,
                                      const struct product *after, char token[INVENTORY_TOKEN_BYTES],
                                      struct error *err) {
    struct product found;
    enum status status = read_product_row(store, after->id, &found, token, err);
    if (status != STATUS_OK) {
        return COMMIT_UNKNOWN;
    }
    if (strcmp(found.commit_id, after->commit_id) == 0) {
        return COMMIT_HAPPENED;
    }
    if (found.version < after->version) {
        return COMMIT_NOT_YET;
    }
    if (found.version == after->version) {
        return COMMIT_NEVER;
    }
    token[0] = '\0'; /* what was read is somebody else's version: nothing of this state may be committed on it */
    return find_added_row(store, state, err) == STATUS_OK ? COMMIT_HAPPENED : COMMIT_UNKNOWN;
}

/*
 * Sends the transaction until it is known to be in the store or known not to be. A repeat is safe: its If-Match lets it through only
 * while the first has not been carried out.
 */
static enum status send_transaction(struct inventory_store_table *store, const struct product_state *state,
                                    const struct product *after, const struct transaction *transaction,
                                    int64_t deadline_ms, char token[INVENTORY_TOKEN_BYTES], struct error *err) {
    bool open = false;
    for (int attempt = 1;; attempt++) {
        struct error lost = {0};
        enum status status = table_transaction(store->client, store->table, transaction->operations, transaction->count,
                                               deadline_ms, token, &lost);
        open = open || is_open(status);
        if (status == STATUS_OK) {
            return STATUS_OK;
        }
        if (err != NULL) {
            *err = lost;
        }
        if (!open) {
            return status;
        }
        switch (trace_commit(store, state, after, token, err)) {
        case COMMIT_HAPPENED:
            return STATUS_OK;
        case COMMIT_NEVER:
            return error_set(err, STATUS_PRECONDITION_FAILED, "another commit came first");
        case COMMIT_UNKNOWN:
            return error_set(err, STATUS_UNAVAILABLE,
                             "the answer was lost (%s) and what happened could not be read: %s", lost.message,
                             err == NULL ? "" : err->message);
        case COMMIT_NOT_YET:
            if (storage_client_back_off(store->client, attempt, lost.retry_after_ms, deadline_ms) != STATUS_OK) {
                return error_set(err, STATUS_UNAVAILABLE, "not committed when its time was up: %s", lost.message);
            }
        }
    }
}

static enum status table_commit(struct inventory_store *base, struct product_state *state, int64_t deadline_ms,
                                struct error *err) {
    assert(state->change_count <= INVENTORY_MAX_CHANGES);
    struct product after = state->product;
    after.version++;
    /* Without an ETag the merge would be unconditional. */
    if (state->token[0] == '\0') {
        return error_set(err, STATUS_INTERNAL, "the ETag of product %s is not known", after.id);
    }
    enum status status = uuid_v4(after.commit_id);
    if (status != STATUS_OK) {
        return error_set(err, status, "no random bytes");
    }
    struct transaction *transaction = transaction_new(state, &after);
    char token[INVENTORY_TOKEN_BYTES] = "";
    if (transaction == NULL || transaction->failed) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory for the transaction");
    } else {
        status = send_transaction(table_of(base), state, &after, transaction, deadline_ms, token, err);
    }
    transaction_free(transaction);
    /* A row that was read and is gone, or was not there and is: the product has moved on, whatever its ETag says. */
    if (status == STATUS_NOT_FOUND || status == STATUS_ALREADY_EXISTS) {
        status =
            error_set(err, STATUS_PRECONDITION_FAILED, "its rows have changed: %s", err == NULL ? "" : err->message);
    }
    if (status != STATUS_OK) {
        error_wrap(err, "committing product %s", state->product.id);
        return status;
    }
    state->product = after;
    memcpy(state->token, token, sizeof state->token);
    product_state_committed(state);
    return STATUS_OK;
}

/* ---- scan ---- */

struct scanned_product {
    char id[PRODUCT_ID_BYTES];
    bool exists;
    bool has_expired;
};

struct scan_list {
    struct scanned_product *items;
    size_t count, capacity;
};

/* Rows come in key order: all of a product's are next to each other. */
static enum status take_scanned(void *context, const cJSON *entity, struct error *err) {
    struct scan_list *list = context;
    struct scanned_product seen = {0};
    const char *row_key = json_string(entity, "RowKey");
    if (row_key == NULL || !product_entity_copy_text(entity, "PartitionKey", seen.id, sizeof seen.id)) {
        return error_set(err, STATUS_MALFORMED, "a row is not as this program writes it");
    }
    if (list->count == 0 || strcmp(list->items[list->count - 1].id, seen.id) != 0) {
        if (list->count == list->capacity) {
            size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
            struct scanned_product *grown = realloc(list->items, capacity * sizeof *grown);
            if (grown == NULL) {
                return error_set(err, STATUS_NO_MEMORY, "no memory for the list of products");
            }
            list->items = grown;
            list->capacity = capacity;
        }
        list->items[list->count++] = seen;
    }
    struct scanned_product *product = &list->items[list->count - 1];
    if (strcmp(row_key, PRODUCT_ROW) == 0) {
        product->exists = true;
    } else {
        product->has_expired = true;
    }
    return STATUS_OK;
}

/* The list is complete before the first visit: visitors take their time, and a query's deadline must not pay for it. */
static enum status table_scan(struct inventory_store *base, int64_t now_ms, inventory_product_visitor visit,
                              void *context, struct error *err) {
    struct inventory_store_table *store = table_of(base);
    struct scan_list list = {0};
    struct strbuf filter, unexpired;
    strbuf_init(&filter, FILTER_MAX_BYTES);
    strbuf_init(&unexpired, PRODUCT_ENTITY_KEY_BYTES);
    append_first_unexpired_key(&unexpired, now_ms);
    strbuf_append_string(&filter,
                         "RowKey eq '" PRODUCT_ROW "' or (RowKey ge '" RESERVATION_ROW_PREFIX "' and RowKey lt ");
    table_append_literal(&filter, unexpired.data);
    strbuf_append_char(&filter, ')');
    enum status status = strbuf_status(&filter);
    if (status == STATUS_OK) {
        status = strbuf_status(&unexpired);
    }
    if (status == STATUS_OK) {
        int64_t deadline_ms = clock_now_ms(store->client->clock) + SCAN_DEADLINE_MS;
        status = table_query(store->client, store->table, filter.data, deadline_ms, take_scanned, &list, NULL, err);
    }
    for (size_t i = 0; i < list.count && status == STATUS_OK; i++) {
        if (list.items[i].exists) {
            status = visit(context, list.items[i].id, list.items[i].has_expired, err);
        }
    }
    strbuf_release(&filter);
    strbuf_release(&unexpired);
    free(list.items);
    return status;
}

void inventory_store_table_init(struct inventory_store_table *store, struct storage_client *client, const char *table) {
    static const struct inventory_store_ops ops = {.prepare = table_prepare,
                                                   .now_ms = table_now_ms,
                                                   .read = table_read,
                                                   .commit = table_commit,
                                                   .scan = table_scan};
    store->base.ops = &ops;
    store->client = client;
    store->table = table;
}
