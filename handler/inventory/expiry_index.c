#include "inventory/expiry_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "inventory/row_deletion.h"
#include "inventory/store_operation.h"
#include "storage/table_client.h"

enum {
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    QUERY_DEADLINE_MS = 5 * MINUTE_MS, /* for all pages; a later page has the default time */
    FILTER_MAX_BYTES = 256,
};

void expiry_index_init(struct expiry_index *index, struct inventory_store *store,
                       struct storage_client *client, const char *table) {
    *index = (struct expiry_index){.store = store, .client = client, .table = table};
}

void expiry_index_cleanup(struct expiry_index *index) {
    free(index->found);
}

/* ---- expiry rows of a commit ---- */

int64_t expiry_index_minute_ms(int64_t expires_ms) {
    return expires_ms - expires_ms % MINUTE_MS;
}

/* Returns the end of the hour in which a record expires: the time_ms of its expiry row. */
static int64_t record_hour_end_ms(int64_t keep_until_ms) {
    return keep_until_ms - keep_until_ms % HOUR_MS + HOUR_MS;
}

/* Returns true if a change before number `at` needs the row of the same minute. */
static bool is_minute_of_earlier(const struct product_state *state, size_t at) {
    int64_t minute_ms = expiry_index_minute_ms(state->changed[at]->expires_ms);
    for (size_t i = 0; i < at; i++) {
        if (reservation_needs_index(state->changed[i]) &&
            expiry_index_minute_ms(state->changed[i]->expires_ms) == minute_ms) {
            return true;
        }
    }
    return false;
}

/*
 * Returns true if change number `at` needs an expiry row that neither the stored product nor an
 * earlier change names. The numbers go through the reservations first, then through the records.
 * Fills in `row`, and notes its time in `after`. A change that adds no expiry needs no row.
 */
static bool change_needs_row(const struct product_state *state, struct product *after, size_t at,
                             struct expiry_row *row) {
    int64_t *indexed_ms;
    int64_t indexed_before_ms = 0;
    bool is_earlier = false;
    if (at < state->changed_count) {
        if (!reservation_needs_index(state->changed[at])) {
            return false;
        }
        *row =
            (struct expiry_row){.kind = EXPIRY_OF_RESERVATIONS,
                                .time_ms = expiry_index_minute_ms(state->changed[at]->expires_ms)};
        indexed_ms = &after->indexed_due_ms;
        indexed_before_ms = state->product.indexed_due_ms;
        is_earlier = is_minute_of_earlier(state, at);
    } else {
        int64_t keep_until_ms = state->records[at - state->changed_count].keep_until_ms;
        *row = (struct expiry_row){.kind = EXPIRY_OF_RECORDS,
                                   .time_ms = record_hour_end_ms(keep_until_ms)};
        indexed_ms = &after->indexed_keep_ms;
        indexed_before_ms = after->indexed_keep_ms;
    }
    bool is_new = indexed_before_ms != row->time_ms && !is_earlier;
    *indexed_ms = row->time_ms;
    return is_new;
}

bool expiry_index_next_row(const struct product_state *state, struct product *after, size_t *at,
                           struct expiry_row *out) {
    bool found = false;
    while (!found && *at < state->changed_count + state->record_count) {
        found = change_needs_row(state, after, (*at)++, out);
    }
    if (found) {
        snprintf(out->product_id, sizeof out->product_id, "%s", after->id);
    }
    return found;
}

void expiry_index_insert_start(struct expiry_index *index, struct table_call *call,
                               const struct expiry_row *row, int64_t deadline_ms, table_done done,
                               void *context) {
    struct strbuf entity;
    strbuf_init(&entity, SIZE_MAX);
    product_entity_write_expiry(row, &entity);
    table_insert_start(call, index->client, index->table, strbuf_text(&entity), deadline_ms, done,
                       context);
    strbuf_cleanup(&entity);
}

/* ---- find_expired ---- */

struct expiry_search {
    struct store_operation base;
    struct expiry_index *index;
    struct product_ids *out;
    struct table_call call;
    struct strbuf filter;
    struct expiry_row *rows;
    size_t count, capacity;
};

static enum status add_row(struct expiry_search *search, const struct expiry_row *row,
                           struct error *err) {
    if (search->count == search->capacity) {
        size_t capacity = search->capacity == 0 ? 64 : search->capacity * 2;
        struct expiry_row *grown = realloc(search->rows, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for the expiry rows");
        }
        search->rows = grown;
        search->capacity = capacity;
    }
    search->rows[search->count++] = *row;
    return STATUS_OK;
}

/* A row that cannot be read does not keep reconciliation from the others. */
static enum status on_row(void *context, const cJSON *entity, struct error *err) {
    struct expiry_row row;
    const char *row_key = json_string(entity, "RowKey");
    if (row_key == NULL || !product_entity_read_expiry_key(row_key, &row)) {
        log_event(LOG_WARNING,
                  "Row %.200s of partition " EXPIRY_PARTITION
                  " in the table cannot be read; it is left alone",
                  row_key == NULL ? "?" : row_key);
        return STATUS_OK;
    }
    return add_row(context, &row, err);
}

static int compare_products(const void *left, const void *right) {
    const struct expiry_row *a = left, *b = right;
    return strcmp(a->product_id, b->product_id);
}

/* Lists the products of the sorted rows, each once. STATUS_NO_MEMORY. */
static enum status list_products(const struct expiry_search *search, struct product_ids *out,
                                 struct error *err) {
    *out = (struct product_ids){.ids = malloc((search->count + 1) * sizeof *out->ids)};
    if (out->ids == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the list of products");
    }
    for (size_t i = 0; i < search->count; i++) {
        if (out->count == 0 || strcmp(out->ids[out->count - 1], search->rows[i].product_id) != 0) {
            memcpy(out->ids[out->count++], search->rows[i].product_id, sizeof *out->ids);
        }
    }
    return STATUS_OK;
}

static void on_all_rows(void *context, enum status status, const struct error *err) {
    struct expiry_search *search = context;
    struct expiry_index *index = search->index;
    struct error failure = *err;
    struct product_ids products;
    if (status == STATUS_OK) {
        if (search->count > 0) {
            qsort(search->rows, search->count, sizeof *search->rows, compare_products);
        }
        status = list_products(search, &products, &failure);
    }
    if (status == STATUS_OK) {
        free(index->found);
        index->found = search->rows;
        index->found_count = search->count;
        *search->out = products;
    } else {
        error_wrap(&failure, "finding what has expired");
        free(search->rows);
    }
    strbuf_cleanup(&search->filter);
    store_operation_end(&search->base, status, &failure);
}

static void end_without_query(struct store_operation *operation) {
    struct expiry_search *search = (struct expiry_search *)operation;
    struct error err;
    error_set(&err, strbuf_status(&search->filter), "the query could not be written");
    on_all_rows(search, err.status, &err);
}

void expiry_index_find_expired(struct expiry_index *index, int64_t now_ms, struct product_ids *out,
                               inventory_store_done done, void *context) {
    struct expiry_search *search = store_operation_new(index->store, sizeof *search, done, context);
    if (search == NULL) {
        return;
    }
    search->index = index;
    search->out = out;
    char end[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_expiry_key(
        &(struct expiry_row){.time_ms = now_ms + 1, .kind = EXPIRY_OF_RECORDS}, end);
    strbuf_init(&search->filter, FILTER_MAX_BYTES);
    strbuf_append_string(&search->filter, "PartitionKey eq '" EXPIRY_PARTITION "' and RowKey lt ");
    table_append_literal(&search->filter, end);
    if (strbuf_status(&search->filter) != STATUS_OK) {
        store_operation_post(&search->base, index->store->platform->loop, end_without_query);
        return;
    }
    const struct table_query query = {
        .table = index->table, .filter = search->filter.data, .visit = on_row, .context = search};
    table_query_start(&search->call, index->client, &query,
                      clock_now_ms(index->client->platform->clock) + QUERY_DEADLINE_MS, on_all_rows,
                      search);
}

/* ---- clean_up_expired: first the records, then the expiry rows ---- */

struct expiry_deletion {
    struct store_operation base;
    struct expiry_index *index;
    const char *product_id;
    int *out_records_deleted;
    /* The expiry rows to delete. */
    struct row_to_delete *rows;
    size_t count;
    bool has_records; /* one of them is for records */
    int records_deleted;
    struct row_deletion rows_under_way;
};

static bool is_deletable(const struct expiry_row *row, int64_t now_ms) {
    return row->kind == EXPIRY_OF_RECORDS ? row->time_ms <= now_ms
                                          : row->time_ms + MINUTE_MS + EXPIRY_GRACE_MS <= now_ms;
}

/* Returns the number of the first found row whose product is not before `product_id`. */
static size_t first_row_of(const struct expiry_index *index, const char *product_id) {
    size_t low = 0, high = index->found_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(index->found[middle].product_id, product_id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/*
 * Collects the expiry rows to delete. A later find_expired may have replaced the rows that led to
 * this visit. That is harmless: this visit has removed all reservations that had expired at
 * `now_ms`, and only rows that were over by then are deleted.
 * STATUS_NO_MEMORY.
 */
static enum status collect_rows(struct expiry_deletion *deletion, int64_t now_ms) {
    const struct expiry_index *index = deletion->index;
    size_t first = first_row_of(index, deletion->product_id), end = first;
    while (end < index->found_count &&
           strcmp(index->found[end].product_id, deletion->product_id) == 0) {
        end++;
    }
    deletion->rows = calloc(end - first + 1, sizeof *deletion->rows);
    if (deletion->rows == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = first; i < end; i++) {
        const struct expiry_row *found = &index->found[i];
        if (is_deletable(found, now_ms)) {
            struct row_to_delete *row = &deletion->rows[deletion->count++];
            product_entity_expiry_key(found, row->row_key);
            snprintf(row->etag, sizeof row->etag, "*");
            deletion->has_records = deletion->has_records || found->kind == EXPIRY_OF_RECORDS;
        }
    }
    return STATUS_OK;
}

static void on_rows_deleted(void *context, enum status status, const struct error *err) {
    struct expiry_deletion *deletion = context;
    struct error failure = *err;
    free(deletion->rows);
    if (status == STATUS_OK) {
        *deletion->out_records_deleted = deletion->records_deleted;
    } else {
        error_wrap(&failure, "cleaning up what has expired of product %s", deletion->product_id);
    }
    store_operation_end(&deletion->base, status, &failure);
}

static void delete_rows(struct expiry_deletion *deletion) {
    row_deletion_start(&deletion->rows_under_way, deletion->index->client, deletion->index->table,
                       EXPIRY_PARTITION, deletion->rows, deletion->count, on_rows_deleted,
                       deletion);
}

static void on_records_deleted(void *context, enum status status, const struct error *err) {
    struct expiry_deletion *deletion = context;
    if (status != STATUS_OK) {
        on_rows_deleted(deletion, status, err);
        return;
    }
    deletion->records_deleted = deletion->rows_under_way.deleted_count;
    delete_rows(deletion);
}

static void end_without_rows(struct store_operation *operation) {
    const struct error none = {.status = STATUS_OK};
    on_rows_deleted(operation, STATUS_OK, &none);
}

void expiry_index_clean_up_expired(struct expiry_index *index, const char *product_id,
                                   int64_t now_ms, int *out_records_deleted,
                                   inventory_store_done done, void *context) {
    struct expiry_deletion *deletion =
        store_operation_new(index->store, sizeof *deletion, done, context);
    if (deletion == NULL) {
        return;
    }
    deletion->index = index;
    deletion->product_id = product_id;
    deletion->out_records_deleted = out_records_deleted;
    if (collect_rows(deletion, now_ms) != STATUS_OK) {
        struct error err;
        error_set(&err, STATUS_NO_MEMORY, "no memory for the expiry rows of product %s",
                  product_id);
        store_operation_fail(&deletion->base, index->store->platform->loop, &err);
    } else if (deletion->has_records) {
        row_deletion_start_expired_records(&deletion->rows_under_way, index->client, index->table,
                                           product_id, now_ms, on_records_deleted, deletion);
    } else if (deletion->count > 0) {
        delete_rows(deletion);
    } else {
        store_operation_post(&deletion->base, index->store->platform->loop, end_without_rows);
    }
}
