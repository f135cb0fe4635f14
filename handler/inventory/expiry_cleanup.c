#include "inventory/expiry_cleanup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utc.h"

enum { FILTER_MAX_BYTES = 1024 };

static int64_t storage_deadline_ms(const struct expiry_cleanup *purge) {
    return clock_now_ms(purge->client->platform->clock) + STORAGE_DEADLINE_MS;
}

static void end_purge(struct expiry_cleanup *purge, enum status status, const struct error *err) {
    free(purge->found);
    purge->found = NULL;
    purge->done(purge->context, status, err);
}

/* ---- DELETING, WAITING ---- */

static void fail_deletion(struct expiry_cleanup *purge, enum status status,
                          const struct error *err) {
    struct error failure = *err;
    error_wrap(&failure, "deleting rows of partition %s", purge->partition_key);
    end_purge(purge, status, &failure);
}

/* How many rows are deleted together. */
static size_t batch_size(const struct expiry_cleanup *purge) {
    size_t left = purge->count - purge->at;
    if (purge->at < purge->singly_until) {
        return 1;
    }
    return left < TABLE_TRANSACTION_MAX_OPERATIONS ? left : TABLE_TRANSACTION_MAX_OPERATIONS;
}

static void send_deletion(struct expiry_cleanup *purge);

static void on_wait_over(void *context, enum status status, struct http_reply *reply,
                         const struct error *err) {
    struct expiry_cleanup *purge = context;
    (void)reply;
    if (status == STATUS_OK) {
        send_deletion(purge);
    } else {
        fail_deletion(purge, status, err);
    }
}

static void back_off(struct expiry_cleanup *purge) {
    int64_t delay_ms = storage_client_delay_ms(purge->client, purge->attempts,
                                               purge->failure.retry_after_ms, purge->deadline_ms);
    if (delay_ms < 0) {
        fail_deletion(purge, STATUS_UNAVAILABLE, &purge->failure);
        return;
    }
    storage_operation_wait(&purge->wait, purge->client, delay_ms, on_wait_over, purge);
}

static void delete_next(struct expiry_cleanup *purge) {
    const struct error none = {.status = STATUS_OK};
    if (purge->at == purge->count) {
        end_purge(purge, STATUS_OK, &none);
        return;
    }
    purge->attempts = 0;
    purge->deadline_ms = storage_deadline_ms(purge);
    send_deletion(purge);
}

/* Whether somebody else has taken the row away, or written it anew. */
static bool is_passed_over(enum status status) {
    return status == STATUS_NOT_FOUND || status == STATUS_PRECONDITION_FAILED;
}

/*
 * A transaction is tried once, since a repeat may meet its own success. Here that is the outcome
 * that is wished for, and the rows are looked at one by one then.
 */
static void on_deleted(void *context, enum status status, const struct error *err) {
    struct expiry_cleanup *purge = context;
    size_t size = batch_size(purge);
    if (status == STATUS_UNAVAILABLE) {
        purge->failure = *err;
        back_off(purge);
    } else if (is_passed_over(status) && size > 1) {
        purge->singly_until = purge->at + size;
        delete_next(purge);
    } else if (status == STATUS_OK || is_passed_over(status)) {
        purge->deleted += status == STATUS_OK ? (int)size : 0;
        purge->at += size;
        delete_next(purge);
    } else {
        fail_deletion(purge, status, err);
    }
}

static void send_deletion(struct expiry_cleanup *purge) {
    struct table_operation operations[TABLE_TRANSACTION_MAX_OPERATIONS];
    size_t size = batch_size(purge);
    for (size_t i = 0; i < size; i++) {
        const struct expiry_cleanup_row *row = &purge->rows[purge->at + i];
        operations[i] = (struct table_operation){.kind = TABLE_DELETE,
                                                 .partition_key = purge->partition_key,
                                                 .row_key = row->row_key,
                                                 .if_match = row->etag};
    }
    purge->attempts++;
    table_transaction_start(&purge->call, purge->client, purge->table, operations, size,
                            purge->deadline_ms, NULL, on_deleted, purge);
}

void expiry_cleanup_rows_start(struct expiry_cleanup *purge, struct storage_client *client,
                               const char *table, const char *partition_key,
                               const struct expiry_cleanup_row *rows, size_t count, table_done done,
                               void *context) {
    assert(count > 0);
    *purge = (struct expiry_cleanup){.client = client,
                                     .table = table,
                                     .partition_key = partition_key,
                                     .rows = rows,
                                     .count = count,
                                     .done = done,
                                     .context = context};
    delete_next(purge);
}

/* ---- FINDING ---- */

static enum status take_record(void *context, const cJSON *entity, struct error *err) {
    struct expiry_cleanup *purge = context;
    if (purge->count == purge->found_capacity) {
        size_t capacity = purge->found_capacity == 0 ? TABLE_TRANSACTION_MAX_OPERATIONS
                                                     : purge->found_capacity * 2;
        struct expiry_cleanup_row *grown = realloc(purge->found, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for the list of records");
        }
        purge->found = grown;
        purge->found_capacity = capacity;
    }
    struct expiry_cleanup_row *row = &purge->found[purge->count];
    if (product_entity_copy_text(entity, "RowKey", row->row_key, sizeof row->row_key) &&
        product_entity_copy_text(entity, "odata.etag", row->etag, sizeof row->etag)) {
        purge->count++;
    } /* else it is a newer release's, which purges it itself */
    return STATUS_OK;
}

static void on_found(void *context, enum status status, const struct error *err) {
    struct expiry_cleanup *purge = context;
    strbuf_cleanup(&purge->filter);
    if (status != STATUS_OK) {
        end_purge(purge, status, err);
        return;
    }
    purge->rows = purge->found;
    delete_next(purge);
}

/* Ends it in the loop's next round. */
static void on_unwritten(void *context, enum status status, struct http_reply *reply,
                         const struct error *err) {
    struct expiry_cleanup *purge = context;
    struct error failure;
    (void)status, (void)reply, (void)err;
    error_set(&failure, strbuf_status(&purge->filter), "the query could not be written");
    on_found(purge, failure.status, &failure);
}

static void append_filter(struct strbuf *filter, const char *product_id, int64_t now_ms) {
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
 * The ETags matter: once a record is gone, its key may be used anew, and that record is nobody's to
 * delete. So does the whole filter: half of it would find every row of the product.
 */
void expiry_cleanup_records_start(struct expiry_cleanup *purge, struct storage_client *client,
                                  const char *table, const char *product_id, int64_t now_ms,
                                  table_done done, void *context) {
    *purge = (struct expiry_cleanup){.client = client,
                                     .table = table,
                                     .partition_key = product_id,
                                     .done = done,
                                     .context = context};
    strbuf_init(&purge->filter, FILTER_MAX_BYTES);
    append_filter(&purge->filter, product_id, now_ms);
    if (strbuf_status(&purge->filter) != STATUS_OK) {
        storage_operation_wait(&purge->wait, client, 0, on_unwritten, purge);
        return;
    }
    const struct table_query query = {
        .table = table, .filter = purge->filter.data, .visit = take_record, .context = purge};
    table_query_start(&purge->call, client, &query, storage_deadline_ms(purge), on_found, purge);
}
