#include "inventory/expiry_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "inventory/expiry_cleanup.h"
#include "inventory/store_operation.h"
#include "storage/table_client.h"

enum {
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    QUERY_DEADLINE_MS = 5 * MINUTE_MS, /* all pages */
    FILTER_MAX_BYTES = 256,
};

void expiry_index_init(struct expiry_index *index, struct inventory_store *store,
                       struct storage_client *client, const char *table) {
    *index = (struct expiry_index){.store = store, .client = client, .table = table};
}

void expiry_index_cleanup(struct expiry_index *index) {
    free(index->seen);
}

/* ---- adding ---- */

int64_t expiry_index_minute_ms(int64_t expires_ms) {
    return expires_ms - expires_ms % MINUTE_MS;
}

/* The end of the hour: the first moment at which nothing in it is to be kept. */
static int64_t record_bucket_ms(int64_t keep_until_ms) {
    return keep_until_ms - keep_until_ms % HOUR_MS + HOUR_MS;
}

/* Returns true if change number `at` needs a row that `after` does not yet say to be there. */
static bool row_of_change(const struct product_state *state, struct product *after, size_t at,
                          struct expiry_row *row) {
    int64_t *indexed_ms;
    if (at < state->changed_count) {
        if (state->changed[at]->mark != RESERVATION_ADDED) {
            return false;
        }
        *row = (struct expiry_row){.kind = EXPIRY_OF_RESERVATIONS,
                                .time_ms = expiry_index_minute_ms(state->changed[at]->expires_ms)};
        indexed_ms = &after->indexed_due_ms;
    } else {
        int64_t keep_until_ms = state->records[at - state->changed_count].keep_until_ms;
        *row = (struct expiry_row){.kind = EXPIRY_OF_RECORDS, .time_ms = record_bucket_ms(keep_until_ms)};
        indexed_ms = &after->indexed_keep_ms;
    }
    bool is_new = *indexed_ms != row->time_ms;
    *indexed_ms = row->time_ms;
    return is_new;
}

bool expiry_index_next_row(const struct product_state *state, struct product *after, size_t *at,
                           struct expiry_row *out) {
    bool found = false;
    while (!found && *at < state->changed_count + state->record_count) {
        found = row_of_change(state, after, (*at)++, out);
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

/* ---- finding ---- */

struct due_search {
    struct store_operation base;
    struct expiry_index *index;
    struct product_ids *out;
    struct table_call call;
    struct strbuf filter;
    struct expiry_row *rows;
    size_t count, capacity;
};

static enum status take_row(void *context, const cJSON *entity, struct error *err) {
    struct due_search *search = context;
    const char *row_key = json_string(entity, "RowKey");
    if (search->count == search->capacity) {
        size_t capacity = search->capacity == 0 ? 64 : search->capacity * 2;
        struct expiry_row *grown = realloc(search->rows, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for what is due");
        }
        search->rows = grown;
        search->capacity = capacity;
    }
    if (row_key == NULL || !product_entity_read_expiry_key(row_key, &search->rows[search->count])) {
        log_event(LOG_WARNING,
                  "Row %.200s of partition " EXPIRY_PARTITION
                  " in the table cannot be read; it is left alone",
                  row_key == NULL ? "?" : row_key);
        return STATUS_OK; /* the others are due all the same */
    }
    search->count++;
    return STATUS_OK;
}

static int by_product(const void *left, const void *right) {
    const struct expiry_row *a = left, *b = right;
    return strcmp(a->product_id, b->product_id);
}

/* Lists the products of rows sorted by product, each once. STATUS_NO_MEMORY. */
static enum status list_products(const struct due_search *search, struct product_ids *out,
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

/* Takes the rows. */
static void remember(struct due_search *search) {
    free(search->index->seen);
    search->index->seen = search->rows;
    search->index->seen_count = search->count;
    search->rows = NULL;
}

static void on_rows(void *context, enum status status, const struct error *err) {
    struct due_search *search = context;
    struct error failure = *err;
    struct product_ids products;
    if (status == STATUS_OK) {
        if (search->count > 0) {
            qsort(search->rows, search->count, sizeof *search->rows, by_product);
        }
        status = list_products(search, &products, &failure);
    }
    if (status == STATUS_OK) {
        remember(search);
        *search->out = products;
    } else {
        error_wrap(&failure, "finding what is due");
    }
    free(search->rows);
    strbuf_cleanup(&search->filter);
    store_operation_end(&search->base, status, &failure);
}

static void end_unwritten(struct store_operation *operation) {
    struct due_search *search = (struct due_search *)operation;
    struct error err;
    error_set(&err, strbuf_status(&search->filter), "the query could not be written");
    on_rows(search, err.status, &err);
}

void expiry_index_find(struct expiry_index *index, int64_t now_ms, struct product_ids *out,
                       inventory_store_done done, void *context) {
    struct due_search *search = store_operation_new(index->store, sizeof *search, done, context);
    if (search == NULL) {
        return;
    }
    search->index = index;
    search->out = out;
    char end[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_expiry_key(&(struct expiry_row){.time_ms = now_ms + 1, .kind = EXPIRY_OF_RECORDS}, end);
    strbuf_init(&search->filter, FILTER_MAX_BYTES);
    strbuf_append_string(&search->filter, "PartitionKey eq '" EXPIRY_PARTITION "' and RowKey lt ");
    table_append_literal(&search->filter, end);
    if (strbuf_status(&search->filter) != STATUS_OK) {
        store_operation_post(&search->base, index->store->platform->loop, end_unwritten);
        return;
    }
    const struct table_query query = {
        .table = index->table, .filter = search->filter.data, .visit = take_row, .context = search};
    table_query_start(&search->call, index->client, &query,
                      clock_now_ms(index->client->platform->clock) + QUERY_DEADLINE_MS, on_rows,
                      search);
}

/* ---- finishing ---- */

struct due_finish {
    struct store_operation base;
    struct expiry_index *index;
    const char *product_id;
    struct expiry_cleanup_row *rows; /* of the index, that are to go */
    size_t count;
    bool has_records; /* there are rows for records among them */
    int records_purged;
    int *out_records_deleted;
    struct expiry_cleanup purge;
};

static bool is_over(const struct expiry_row *row, int64_t now_ms) {
    return row->kind == EXPIRY_OF_RECORDS ? row->time_ms <= now_ms
                                   : row->time_ms + MINUTE_MS + EXPIRY_GRACE_MS <= now_ms;
}

/* The rows of a product that the last find met: from the one that is returned to before `*out_behind`. */
static const struct expiry_row *rows_seen(const struct expiry_index *index, const char *product_id,
                                       const struct expiry_row **out_behind) {
    struct expiry_row key = {.kind = EXPIRY_OF_RECORDS};
    snprintf(key.product_id, sizeof key.product_id, "%s", product_id);
    const struct expiry_row *end = index->seen + index->seen_count;
    const struct expiry_row *any =
        index->seen_count == 0
            ? NULL
            : bsearch(&key, index->seen, index->seen_count, sizeof key, by_product);
    const struct expiry_row *first = any, *behind = any;
    while (first != NULL && first > index->seen && by_product(first - 1, &key) == 0) {
        first--;
    }
    while (behind != NULL && behind < end && by_product(behind, &key) == 0) {
        behind++;
    }
    *out_behind = behind;
    return first;
}

/*
 * Collects the rows that are to go. A later find may have replaced the ones that brought the caller
 * here. What it saw is judged by the caller's `now_ms`, so that is no less right. STATUS_NO_MEMORY.
 */
static enum status collect_rows(struct due_finish *finish, int64_t now_ms) {
    const struct expiry_row *behind, *row = rows_seen(finish->index, finish->product_id, &behind);
    finish->rows = calloc((size_t)(behind - row) + 1, sizeof *finish->rows);
    if (finish->rows == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (; row != behind; row++) {
        if (is_over(row, now_ms)) {
            struct expiry_cleanup_row *over = &finish->rows[finish->count++];
            product_entity_expiry_key(row, over->row_key);
            snprintf(over->etag, sizeof over->etag, "*");
            finish->has_records = finish->has_records || row->kind == EXPIRY_OF_RECORDS;
        }
    }
    return STATUS_OK;
}

static void on_rows_purged(void *context, enum status status, const struct error *err) {
    struct due_finish *finish = context;
    struct error failure = *err;
    free(finish->rows);
    if (status == STATUS_OK) {
        *finish->out_records_deleted = finish->records_purged;
    } else {
        error_wrap(&failure, "tidying up behind product %s", finish->product_id);
    }
    store_operation_end(&finish->base, status, &failure);
}

static void purge_rows(struct due_finish *finish) {
    expiry_cleanup_rows_start(&finish->purge, finish->index->client, finish->index->table,
                              EXPIRY_PARTITION, finish->rows, finish->count, on_rows_purged, finish);
}

static void on_records_purged(void *context, enum status status, const struct error *err) {
    struct due_finish *finish = context;
    if (status != STATUS_OK) {
        on_rows_purged(finish, status, err);
        return;
    }
    finish->records_purged = finish->purge.deleted;
    purge_rows(finish);
}

static void end_without_rows(struct store_operation *operation) {
    const struct error none = {.status = STATUS_OK};
    on_rows_purged(operation, STATUS_OK, &none);
}

void expiry_index_clean_up(struct expiry_index *index, const char *product_id, int64_t now_ms,
                         int *out_records_deleted, inventory_store_done done, void *context) {
    struct due_finish *finish = store_operation_new(index->store, sizeof *finish, done, context);
    if (finish == NULL) {
        return;
    }
    finish->index = index;
    finish->product_id = product_id;
    finish->out_records_deleted = out_records_deleted;
    if (collect_rows(finish, now_ms) != STATUS_OK) {
        struct error err;
        error_set(&err, STATUS_NO_MEMORY, "no memory for the due rows of product %s", product_id);
        store_operation_fail(&finish->base, index->store->platform->loop, &err);
    } else if (finish->has_records) {
        expiry_cleanup_records_start(&finish->purge, index->client, index->table, product_id,
                                     now_ms, on_records_purged, finish);
    } else if (finish->count > 0) {
        purge_rows(finish);
    } else {
        store_operation_post(&finish->base, index->store->platform->loop, end_without_rows);
    }
}
