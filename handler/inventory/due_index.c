#include "inventory/due_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "inventory/due_purge.h"
#include "storage/table_client.h"

enum {
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    QUERY_DEADLINE_MS = 5 * MINUTE_MS, /* all pages */
    FILTER_MAX_BYTES = 256,
};

void due_index_init(struct due_index *index, struct storage_client *client, const char *table) {
    *index = (struct due_index){.client = client, .table = table};
    pthread_mutex_init(&index->lock, NULL);
}

void due_index_release(struct due_index *index) {
    free(index->seen);
    pthread_mutex_destroy(&index->lock);
}

/* ---- adding ---- */

int64_t due_index_expiry_ms(int64_t expires_ms) {
    return expires_ms - expires_ms % MINUTE_MS;
}

/* The end of the hour: the first moment at which nothing in it is to be kept. */
static int64_t record_bucket_ms(int64_t keep_until_ms) {
    return keep_until_ms - keep_until_ms % HOUR_MS + HOUR_MS;
}

/* Returns true if change number `at` needs a row that `after` does not yet say to be there. */
static bool row_of_change(const struct product_state *state, struct product *after, size_t at, struct due_row *row) {
    int64_t *indexed_ms;
    if (at < state->changed_count) {
        if (state->changed[at]->mark != RESERVATION_ADDED) {
            return false;
        }
        *row =
            (struct due_row){.kind = DUE_RESERVATION, .time_ms = due_index_expiry_ms(state->changed[at]->expires_ms)};
        indexed_ms = &after->indexed_due_ms;
    } else {
        int64_t keep_until_ms = state->records[at - state->changed_count].keep_until_ms;
        *row = (struct due_row){.kind = DUE_RECORD, .time_ms = record_bucket_ms(keep_until_ms)};
        indexed_ms = &after->indexed_keep_ms;
    }
    bool is_new = *indexed_ms != row->time_ms;
    *indexed_ms = row->time_ms;
    return is_new;
}

bool due_index_next_row(const struct product_state *state, struct product *after, size_t *at, struct due_row *out) {
    bool found = false;
    while (!found && *at < state->changed_count + state->record_count) {
        found = row_of_change(state, after, (*at)++, out);
    }
    if (found) {
        snprintf(out->product_id, sizeof out->product_id, "%s", after->id);
    }
    return found;
}

void due_index_insert_start(struct due_index *index, struct table_call *call, const struct due_row *row,
                            int64_t deadline_ms, table_done done, void *context) {
    cJSON *entity = product_entity_of_due(row);
    table_insert_start(call, index->client, index->table, entity, deadline_ms, done, context);
    cJSON_Delete(entity);
}

/* ---- finding ---- */

struct due_list {
    struct due_row *rows;
    size_t count, capacity;
};

static enum status take_row(void *context, const cJSON *entity, struct error *err) {
    struct due_list *list = context;
    const char *row_key = json_string(entity, "RowKey");
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct due_row *grown = realloc(list->rows, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for what is due");
        }
        list->rows = grown;
        list->capacity = capacity;
    }
    if (row_key == NULL || !product_entity_read_due_key(row_key, &list->rows[list->count])) {
        log_event(LOG_WARNING,
                  "Row %.200s of partition " DUE_PARTITION " in the table cannot be read; it is left alone",
                  row_key == NULL ? "?" : row_key);
        return STATUS_OK; /* the others are due all the same */
    }
    list->count++;
    return STATUS_OK;
}

static int by_product(const void *left, const void *right) {
    const struct due_row *a = left, *b = right;
    return strcmp(a->product_id, b->product_id);
}

static enum status query_due(struct due_index *index, int64_t now_ms, struct due_list *list, struct error *err) {
    char end[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_due_key(&(struct due_row){.time_ms = now_ms + 1, .kind = DUE_RECORD}, end);
    struct strbuf filter;
    strbuf_init(&filter, FILTER_MAX_BYTES);
    strbuf_append_string(&filter, "PartitionKey eq '" DUE_PARTITION "' and RowKey lt ");
    table_append_literal(&filter, end);
    enum status status = strbuf_status(&filter);
    if (status == STATUS_OK) {
        int64_t deadline_ms = clock_now_ms(index->client->clock) + QUERY_DEADLINE_MS;
        const struct table_query query = {
            .table = index->table, .filter = filter.data, .visit = take_row, .context = list};
        status = table_query(index->client, &query, deadline_ms, err);
    } else {
        error_set(err, status, "the query could not be written");
    }
    strbuf_release(&filter);
    if (status == STATUS_OK && list->count > 0) {
        qsort(list->rows, list->count, sizeof *list->rows, by_product);
    }
    return status;
}

/* The ids of rows sorted by product, each once; the caller's (free). NULL: no memory. */
static char (*distinct_products(const struct due_list *list, size_t *out_count))[PRODUCT_ID_BYTES] {
    char(*ids)[PRODUCT_ID_BYTES] = malloc((list->count + 1) * sizeof *ids);
    size_t count = 0;
    for (size_t i = 0; ids != NULL && i < list->count; i++) {
        if (count == 0 || strcmp(ids[count - 1], list->rows[i].product_id) != 0) {
            memcpy(ids[count++], list->rows[i].product_id, sizeof *ids);
        }
    }
    *out_count = count;
    return ids;
}

static void remember(struct due_index *index, struct due_list *list_taken) {
    pthread_mutex_lock(&index->lock);
    struct due_row *old = index->seen;
    index->seen = list_taken->rows;
    index->seen_count = list_taken->count;
    pthread_mutex_unlock(&index->lock);
    free(old);
}

/* The list is complete before the first visit: visitors take their time, and the query's deadline must not pay for it. */
enum status due_index_find(struct due_index *index, int64_t now_ms, inventory_product_visitor visit, void *context,
                           struct error *err) {
    struct due_list list = {.rows = NULL};
    size_t count = 0;
    char(*ids)[PRODUCT_ID_BYTES] = NULL;
    enum status status = query_due(index, now_ms, &list, err);
    if (status == STATUS_OK) {
        ids = distinct_products(&list, &count);
        status = ids != NULL ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for the list of products");
    }
    if (status != STATUS_OK) {
        free(list.rows);
        error_wrap(err, "finding what is due");
        return status;
    }
    remember(index, &list);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = visit(context, ids[i], err);
    }
    free(ids);
    return status;
}

/* ---- finishing ---- */

static bool is_over(const struct due_row *row, int64_t now_ms) {
    return row->kind == DUE_RECORD ? row->time_ms <= now_ms : row->time_ms + MINUTE_MS + DUE_GRACE_MS <= now_ms;
}

/*
 * The rows of a product that are to go, the caller's (free); NULL: no memory. A later find may have replaced the ones that
 * brought the caller here; what it saw is judged by the caller's `now_ms`, so that is no less right.
 */
static struct due_purge_row *rows_over(struct due_index *index, const char *product_id, int64_t now_ms,
                                       size_t *out_count, bool *out_has_records) {
    struct due_row key = {.kind = DUE_RECORD};
    snprintf(key.product_id, sizeof key.product_id, "%s", product_id);
    *out_count = 0;
    *out_has_records = false;
    pthread_mutex_lock(&index->lock);
    const struct due_row *end = index->seen + index->seen_count;
    const struct due_row *any =
        index->seen_count == 0 ? NULL : bsearch(&key, index->seen, index->seen_count, sizeof key, by_product);
    const struct due_row *first = any, *behind = any;
    while (first != NULL && first > index->seen && by_product(first - 1, &key) == 0) {
        first--;
    }
    while (behind != NULL && behind < end && by_product(behind, &key) == 0) {
        behind++;
    }
    struct due_purge_row *rows = calloc((size_t)(behind - first) + 1, sizeof *rows);
    for (; rows != NULL && first != behind; first++) {
        if (is_over(first, now_ms)) {
            struct due_purge_row *row = &rows[(*out_count)++];
            product_entity_due_key(first, row->row_key);
            snprintf(row->etag, sizeof row->etag, "*");
            *out_has_records = *out_has_records || first->kind == DUE_RECORD;
        }
    }
    pthread_mutex_unlock(&index->lock);
    return rows;
}

enum status due_index_finish(struct due_index *index, const char *product_id, int64_t now_ms, int *out_records_purged,
                             struct error *err) {
    size_t count;
    bool has_records;
    struct due_purge_row *rows = rows_over(index, product_id, now_ms, &count, &has_records);
    if (rows == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the due rows of product %s", product_id);
    }
    int purged = 0, gone = 0;
    enum status status = STATUS_OK;
    if (has_records) {
        status = due_purge_records(index->client, index->table, product_id, now_ms, &purged, err);
    }
    if (status == STATUS_OK) {
        status = due_purge_rows(index->client, index->table, DUE_PARTITION, rows, count, &gone, err);
    }
    free(rows);
    if (status == STATUS_OK) {
        *out_records_purged = purged;
    } else {
        error_wrap(err, "tidying up behind product %s", product_id);
    }
    return status;
}
