#include "inventory/due_purge.h"

#include <stdlib.h>
#include <string.h>

#include "base/utc.h"
#include "storage/table_client.h"

enum { FILTER_MAX_BYTES = 1024 };

static int64_t storage_deadline_ms(const struct storage_client *client) {
    return clock_now_ms(client->clock) + STORAGE_DEADLINE_MS;
}

/*
 * One transaction. table_transaction tries once, since a repeat may meet its own success; here that is the wished-for outcome,
 * and the caller finds out row by row.
 */
static enum status delete_together(struct storage_client *client, const char *table, const char *partition_key,
                                   const struct due_purge_row *rows, size_t count, struct error *err) {
    struct table_operation operations[TABLE_TRANSACTION_MAX_OPERATIONS];
    for (size_t i = 0; i < count; i++) {
        operations[i] = (struct table_operation){
            .kind = TABLE_DELETE, .partition_key = partition_key, .row_key = rows[i].row_key, .if_match = rows[i].etag};
    }
    int64_t deadline_ms = storage_deadline_ms(client);
    for (int attempt = 1;; attempt++) {
        struct error failure = {.status = STATUS_OK};
        enum status status = table_transaction(client, table, operations, count, deadline_ms, NULL, &failure);
        if (status != STATUS_OK && err != NULL) {
            *err = failure;
        }
        if (status != STATUS_UNAVAILABLE) {
            return status;
        }
        enum status wait = storage_client_back_off(client, attempt, failure.retry_after_ms, deadline_ms);
        if (wait != STATUS_OK) {
            return wait == STATUS_UNAVAILABLE ? status : error_set(err, wait, "cancelled while rows were deleted");
        }
    }
}

/* Was the row taken away, or written anew, by somebody else? */
static bool is_passed_over(enum status status) {
    return status == STATUS_NOT_FOUND || status == STATUS_PRECONDITION_FAILED;
}

static enum status delete_one_by_one(struct storage_client *client, const char *table, const char *partition_key,
                                     const struct due_purge_row *rows, size_t count, int *deleted, struct error *err) {
    for (size_t i = 0; i < count; i++) {
        enum status status = delete_together(client, table, partition_key, &rows[i], 1, err);
        if (status != STATUS_OK && !is_passed_over(status)) {
            return status;
        }
        *deleted += status == STATUS_OK;
    }
    return STATUS_OK;
}

enum status due_purge_rows(struct storage_client *client, const char *table, const char *partition_key,
                           const struct due_purge_row *rows, size_t count, int *deleted, struct error *err) {
    for (size_t at = 0; at < count; at += TABLE_TRANSACTION_MAX_OPERATIONS) {
        size_t some = count - at < TABLE_TRANSACTION_MAX_OPERATIONS ? count - at : TABLE_TRANSACTION_MAX_OPERATIONS;
        enum status status = delete_together(client, table, partition_key, &rows[at], some, err);
        if (status == STATUS_OK) {
            *deleted += (int)some;
        } else if (is_passed_over(status)) {
            status = delete_one_by_one(client, table, partition_key, &rows[at], some, deleted, err);
        }
        if (status != STATUS_OK) {
            error_wrap(err, "deleting rows of partition %s", partition_key);
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- records ---- */

struct row_list {
    struct due_purge_row *items;
    size_t count, capacity;
};

static enum status take_record(void *context, const cJSON *entity, struct error *err) {
    struct row_list *list = context;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? TABLE_TRANSACTION_MAX_OPERATIONS : list->capacity * 2;
        struct due_purge_row *grown = realloc(list->items, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for the list of records");
        }
        list->items = grown;
        list->capacity = capacity;
    }
    struct due_purge_row *row = &list->items[list->count];
    if (product_entity_copy_text(entity, "RowKey", row->row_key, sizeof row->row_key) &&
        product_entity_copy_text(entity, "odata.etag", row->etag, sizeof row->etag)) {
        list->count++;
    } /* else it is a newer release's, which purges it itself */
    return STATUS_OK;
}

/* The ETags matter: once a record is gone, its key may be used anew, and that record is nobody's to delete. */
enum status due_purge_records(struct storage_client *client, const char *table, const char *product_id, int64_t now_ms,
                              int *deleted, struct error *err) {
    char until[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(now_ms, until);
    struct strbuf filter;
    strbuf_init(&filter, FILTER_MAX_BYTES);
    strbuf_append_string(&filter, "PartitionKey eq ");
    table_append_literal(&filter, product_id);
    strbuf_appendf(&filter,
                   " and RowKey ge '" RECORD_ROW_PREFIX "' and RowKey lt '" AFTER_RECORD_ROWS
                   "' and keepUntil le datetime'%s'",
                   until);
    struct row_list list = {.items = NULL};
    enum status status = strbuf_status(&filter);
    if (status == STATUS_OK) {
        const struct table_query query = {
            .table = table, .filter = filter.data, .visit = take_record, .context = &list};
        status = table_query(client, &query, storage_deadline_ms(client), err);
    } else {
        error_set(err, status, "the query could not be written");
    }
    if (status == STATUS_OK) {
        status = due_purge_rows(client, table, product_id, list.items, list.count, deleted, err);
    }
    strbuf_release(&filter);
    free(list.items);
    return status;
}
