#include "inventory/row_deletion.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utc.h"

enum { FILTER_MAX_BYTES = 1024 };

static void end_deletion(struct row_deletion *deletion, enum status status,
                         const struct error *err) {
    free(deletion->listed);
    deletion->listed = NULL;
    deletion->done(deletion->context, status, err);
}

/* ---- DELETING, WAITING ---- */

static void fail_deletion(struct row_deletion *deletion, enum status status,
                          const struct error *err) {
    struct error failure = *err;
    error_wrap(&failure, "deleting rows of partition %s", deletion->partition_key);
    end_deletion(deletion, status, &failure);
}

/* Returns how many rows the next request deletes. */
static size_t next_row_count(const struct row_deletion *deletion) {
    size_t left = deletion->count - deletion->next;
    if (deletion->next < deletion->single_until) {
        return 1;
    }
    return left < TABLE_TRANSACTION_MAX_OPERATIONS ? left : TABLE_TRANSACTION_MAX_OPERATIONS;
}

static void send_deletion(struct row_deletion *deletion);

static void on_wait_over(void *context, enum status status, struct http_reply *reply,
                         const struct error *err) {
    struct row_deletion *deletion = context;
    (void)reply;
    if (status == STATUS_OK) {
        send_deletion(deletion);
    } else {
        fail_deletion(deletion, status, err);
    }
}

static void wait_to_delete_again(struct row_deletion *deletion) {
    int64_t delay_ms =
        storage_client_delay_ms(deletion->client, deletion->attempts,
                                deletion->failure.retry_after_ms, deletion->deadline_ms);
    if (delay_ms < 0) {
        fail_deletion(deletion, STATUS_UNAVAILABLE, &deletion->failure);
        return;
    }
    storage_operation_wait(&deletion->wait, deletion->client, delay_ms, on_wait_over, deletion);
}

static void delete_next(struct row_deletion *deletion) {
    const struct error none = {.status = STATUS_OK};
    if (deletion->next == deletion->count) {
        end_deletion(deletion, STATUS_OK, &none);
        return;
    }
    deletion->attempts = 0;
    deletion->deadline_ms = storage_client_deadline_ms(deletion->client);
    send_deletion(deletion);
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
    struct row_deletion *deletion = context;
    size_t size = next_row_count(deletion);
    if (status == STATUS_UNAVAILABLE) {
        deletion->failure = *err;
        wait_to_delete_again(deletion);
    } else if (is_skipped(status) && size > 1) {
        deletion->single_until = deletion->next + size;
        delete_next(deletion);
    } else if (status == STATUS_OK || is_skipped(status)) {
        deletion->deleted_count += status == STATUS_OK ? (int)size : 0;
        deletion->next += size;
        delete_next(deletion);
    } else {
        fail_deletion(deletion, status, err);
    }
}

static void send_deletion(struct row_deletion *deletion) {
    struct table_operation operations[TABLE_TRANSACTION_MAX_OPERATIONS];
    size_t size = next_row_count(deletion);
    for (size_t i = 0; i < size; i++) {
        const struct row_to_delete *row = &deletion->rows[deletion->next + i];
        operations[i] = (struct table_operation){.kind = TABLE_DELETE,
                                                 .partition_key = deletion->partition_key,
                                                 .row_key = row->row_key,
                                                 .if_match = row->etag};
    }
    deletion->attempts++;
    table_transaction_start(&deletion->call, deletion->client, deletion->table, operations, size,
                            deletion->deadline_ms, NULL, on_deleted, deletion);
}

void row_deletion_start(struct row_deletion *deletion, struct storage_client *client,
                        const char *table, const char *partition_key,
                        const struct row_to_delete *rows, size_t count, table_done done,
                        void *context) {
    assert(count > 0);
    *deletion = (struct row_deletion){.client = client,
                                      .table = table,
                                      .partition_key = partition_key,
                                      .rows = rows,
                                      .count = count,
                                      .done = done,
                                      .context = context};
    delete_next(deletion);
}

/* ---- LISTING ---- */

/* Lists a record. One that cannot be read is a newer release's, which deletes it itself. */
static enum status list_record(void *context, const cJSON *entity, struct error *err) {
    struct row_deletion *deletion = context;
    if (deletion->count == deletion->listed_capacity) {
        size_t capacity = deletion->listed_capacity == 0 ? TABLE_TRANSACTION_MAX_OPERATIONS
                                                         : deletion->listed_capacity * 2;
        struct row_to_delete *grown = realloc(deletion->listed, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for the list of records");
        }
        deletion->listed = grown;
        deletion->listed_capacity = capacity;
    }
    struct row_to_delete *row = &deletion->listed[deletion->count];
    if (product_entity_copy_text(entity, "RowKey", row->row_key, sizeof row->row_key) &&
        product_entity_copy_text(entity, "odata.etag", row->etag, sizeof row->etag)) {
        deletion->count++;
    }
    return STATUS_OK;
}

static void on_listed(void *context, enum status status, const struct error *err) {
    struct row_deletion *deletion = context;
    strbuf_cleanup(&deletion->filter);
    if (status != STATUS_OK) {
        end_deletion(deletion, status, err);
        return;
    }
    deletion->rows = deletion->listed;
    delete_next(deletion);
}

/* Ends a deletion whose query could not be written, in the loop's next round. */
static void on_no_query(void *context, enum status status, struct http_reply *reply,
                        const struct error *err) {
    struct row_deletion *deletion = context;
    struct error failure;
    (void)status, (void)reply, (void)err;
    error_set(&failure, strbuf_status(&deletion->filter), "the query could not be written");
    on_listed(deletion, failure.status, &failure);
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
void row_deletion_start_expired_records(struct row_deletion *deletion,
                                        struct storage_client *client, const char *table,
                                        const char *product_id, int64_t now_ms, table_done done,
                                        void *context) {
    *deletion = (struct row_deletion){.client = client,
                                      .table = table,
                                      .partition_key = product_id,
                                      .done = done,
                                      .context = context};
    strbuf_init(&deletion->filter, FILTER_MAX_BYTES);
    append_record_filter(&deletion->filter, product_id, now_ms);
    if (strbuf_status(&deletion->filter) != STATUS_OK) {
        storage_operation_wait(&deletion->wait, client, 0, on_no_query, deletion);
        return;
    }
    const struct table_query query = {
        .table = table, .filter = deletion->filter.data, .visit = list_record, .context = deletion};
    table_query_start(&deletion->call, client, &query, storage_client_deadline_ms(client),
                      on_listed, deletion);
}
