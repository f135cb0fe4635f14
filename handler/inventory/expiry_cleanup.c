#include "inventory/expiry_cleanup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utc.h"

enum { FILTER_MAX_BYTES = 1024 };

static void end_cleanup(struct expiry_cleanup *cleanup, enum status status,
                        const struct error *err) {
    free(cleanup->listed);
    cleanup->listed = NULL;
    cleanup->done(cleanup->context, status, err);
}

/* ---- DELETING, WAITING ---- */

static void fail_deletion(struct expiry_cleanup *cleanup, enum status status,
                          const struct error *err) {
    struct error failure = *err;
    error_wrap(&failure, "deleting rows of partition %s", cleanup->partition_key);
    end_cleanup(cleanup, status, &failure);
}

/* Returns how many rows the next request deletes. */
static size_t batch_rows(const struct expiry_cleanup *cleanup) {
    size_t left = cleanup->count - cleanup->next;
    if (cleanup->next < cleanup->single_until) {
        return 1;
    }
    return left < TABLE_TRANSACTION_MAX_OPERATIONS ? left : TABLE_TRANSACTION_MAX_OPERATIONS;
}

static void send_deletion(struct expiry_cleanup *cleanup);

static void on_wait_over(void *context, enum status status, struct http_reply *reply,
                         const struct error *err) {
    struct expiry_cleanup *cleanup = context;
    (void)reply;
    if (status == STATUS_OK) {
        send_deletion(cleanup);
    } else {
        fail_deletion(cleanup, status, err);
    }
}

static void wait_to_delete_again(struct expiry_cleanup *cleanup) {
    int64_t delay_ms = storage_client_delay_ms(
        cleanup->client, cleanup->attempts, cleanup->failure.retry_after_ms, cleanup->deadline_ms);
    if (delay_ms < 0) {
        fail_deletion(cleanup, STATUS_UNAVAILABLE, &cleanup->failure);
        return;
    }
    storage_operation_wait(&cleanup->wait, cleanup->client, delay_ms, on_wait_over, cleanup);
}

static void delete_next(struct expiry_cleanup *cleanup) {
    const struct error none = {.status = STATUS_OK};
    if (cleanup->next == cleanup->count) {
        end_cleanup(cleanup, STATUS_OK, &none);
        return;
    }
    cleanup->attempts = 0;
    cleanup->deadline_ms = storage_client_deadline_ms(cleanup->client);
    send_deletion(cleanup);
}

/* Returns true if a row is gone, or was replaced. */
static bool is_skipped(enum status status) {
    return status == STATUS_NOT_FOUND || status == STATUS_PRECONDITION_FAILED;
}

/*
 * table_transaction_start never repeats a transaction, because the repeat may fail on the success
 * of the first attempt. Here a repeat is safe: if the rows are gone, they are skipped one by one.
 */
static void on_deleted(void *context, enum status status, const struct error *err) {
    struct expiry_cleanup *cleanup = context;
    size_t size = batch_rows(cleanup);
    if (status == STATUS_UNAVAILABLE) {
        cleanup->failure = *err;
        wait_to_delete_again(cleanup);
    } else if (is_skipped(status) && size > 1) {
        cleanup->single_until = cleanup->next + size;
        delete_next(cleanup);
    } else if (status == STATUS_OK || is_skipped(status)) {
        cleanup->deleted_count += status == STATUS_OK ? (int)size : 0;
        cleanup->next += size;
        delete_next(cleanup);
    } else {
        fail_deletion(cleanup, status, err);
    }
}

static void send_deletion(struct expiry_cleanup *cleanup) {
    struct table_operation operations[TABLE_TRANSACTION_MAX_OPERATIONS];
    size_t size = batch_rows(cleanup);
    for (size_t i = 0; i < size; i++) {
        const struct expiry_cleanup_row *row = &cleanup->rows[cleanup->next + i];
        operations[i] = (struct table_operation){.kind = TABLE_DELETE,
                                                 .partition_key = cleanup->partition_key,
                                                 .row_key = row->row_key,
                                                 .if_match = row->etag};
    }
    cleanup->attempts++;
    table_transaction_start(&cleanup->call, cleanup->client, cleanup->table, operations, size,
                            cleanup->deadline_ms, NULL, on_deleted, cleanup);
}

void expiry_cleanup_rows_start(struct expiry_cleanup *cleanup, struct storage_client *client,
                               const char *table, const char *partition_key,
                               const struct expiry_cleanup_row *rows, size_t count, table_done done,
                               void *context) {
    assert(count > 0);
    *cleanup = (struct expiry_cleanup){.client = client,
                                       .table = table,
                                       .partition_key = partition_key,
                                       .rows = rows,
                                       .count = count,
                                       .done = done,
                                       .context = context};
    delete_next(cleanup);
}

/* ---- LISTING ---- */

/* Lists a record. One that cannot be read is a newer release's, which deletes it itself. */
static enum status list_record(void *context, const cJSON *entity, struct error *err) {
    struct expiry_cleanup *cleanup = context;
    if (cleanup->count == cleanup->listed_capacity) {
        size_t capacity = cleanup->listed_capacity == 0 ? TABLE_TRANSACTION_MAX_OPERATIONS
                                                        : cleanup->listed_capacity * 2;
        struct expiry_cleanup_row *grown = realloc(cleanup->listed, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for the list of records");
        }
        cleanup->listed = grown;
        cleanup->listed_capacity = capacity;
    }
    struct expiry_cleanup_row *row = &cleanup->listed[cleanup->count];
    if (product_entity_copy_text(entity, "RowKey", row->row_key, sizeof row->row_key) &&
        product_entity_copy_text(entity, "odata.etag", row->etag, sizeof row->etag)) {
        cleanup->count++;
    }
    return STATUS_OK;
}

static void on_listed(void *context, enum status status, const struct error *err) {
    struct expiry_cleanup *cleanup = context;
    strbuf_cleanup(&cleanup->filter);
    if (status != STATUS_OK) {
        end_cleanup(cleanup, status, err);
        return;
    }
    cleanup->rows = cleanup->listed;
    delete_next(cleanup);
}

/* Ends a cleanup whose query could not be written, in the loop's next round. */
static void on_no_query(void *context, enum status status, struct http_reply *reply,
                        const struct error *err) {
    struct expiry_cleanup *cleanup = context;
    struct error failure;
    (void)status, (void)reply, (void)err;
    error_set(&failure, strbuf_status(&cleanup->filter), "the query could not be written");
    on_listed(cleanup, failure.status, &failure);
}

static void append_record_filter(struct strbuf *filter, const char *product_id, int64_t now_ms) {
    char until[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(now_ms, until);
    strbuf_append_string(filter, "PartitionKey eq ");
    table_append_literal(filter, product_id);
    strbuf_appendf(filter,
                   " and RowKey ge '" RECORD_ROW_PREFIX "' and RowKey lt '" AFTER_RECORD_ROWS
                   "' and keepUntil le datetime'%s'",
                   until);
}

/*
 * The records are deleted by their ETags: a key whose record is gone may be used again, and the new
 * record must stay. The query is not sent unless its filter is complete: a part of it would select
 * every row of the product.
 */
void expiry_cleanup_records_start(struct expiry_cleanup *cleanup, struct storage_client *client,
                                  const char *table, const char *product_id, int64_t now_ms,
                                  table_done done, void *context) {
    *cleanup = (struct expiry_cleanup){.client = client,
                                       .table = table,
                                       .partition_key = product_id,
                                       .done = done,
                                       .context = context};
    strbuf_init(&cleanup->filter, FILTER_MAX_BYTES);
    append_record_filter(&cleanup->filter, product_id, now_ms);
    if (strbuf_status(&cleanup->filter) != STATUS_OK) {
        storage_operation_wait(&cleanup->wait, client, 0, on_no_query, cleanup);
        return;
    }
    const struct table_query query = {
        .table = table, .filter = cleanup->filter.data, .visit = list_record, .context = cleanup};
    table_query_start(&cleanup->call, client, &query, storage_client_deadline_ms(client), on_listed,
                      cleanup);
}
