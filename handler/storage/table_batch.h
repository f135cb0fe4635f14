/*
 * table_batch.h - the multipart/mixed bodies of entity group transactions, written and read. Pure.
 *
 * Source: "Performing entity group transactions" (Table service REST API).
 */
#ifndef STORAGE_TABLE_BATCH_H
#define STORAGE_TABLE_BATCH_H

#include <stddef.h>

#include "base/status.h"
#include "base/strbuf.h"
#include "storage/table_client.h"

/* The pieces that single requests share. Failures are remembered by `out`. */

/* Appends an entity. NULL stands for one that found no memory: STATUS_NO_MEMORY. */
void table_batch_append_entity(struct strbuf *out, const char *entity);

/* Appends "/TABLE(PartitionKey='...',RowKey='...')", the keys with their quotes doubled and then percent-encoded. */
void table_batch_append_entity_path(struct strbuf *out, const char *table,
                                    const char *partition_key, const char *row_key);

/*
 * Appends the body for `operations` on `table` at `endpoint` ("https://ACCOUNT.table.core.windows.net"). `id` (a UUID)
 * makes the boundaries batch_ID and changeset_ID. A failure is remembered by `out`; STATUS_INVALID_ARGUMENT is an `if_match`
 * that is empty or holds a control character.
 */
void table_batch_write(const char *endpoint, const char *table,
                       const struct table_operation *operations, size_t count, const char *id,
                       struct strbuf *out);

/* What a batch answer says: that all operations succeeded (204 No Content each), or the one failure. */
struct table_batch_answer {
    int http_status;  /* of the failed operation, or 204 when all succeeded */
    int answer_count; /* parts read */
    char code[64];    /* the failure's OData error code; "" if all succeeded */
    char message
        [256]; /* the failure's message, first line; begins with the operation's index: "0:The entity ..." */
    char first_etag
        [TABLE_ETAG_BYTES]; /* the first operation's new ETag; "" if it has none (a delete, a failure) */
};

/*
 * Reads the body of a 202 answer, in Azure's layout and in Azurite's. `content_type` names the boundary. Never reads
 * past `length`, in linear time, whatever is there.
 * STATUS_MALFORMED   not such a body, cut short, or neither a failure with an error code nor `count` successes; *out untouched
 */
enum status table_batch_read(const char *content_type, const char *body, size_t length,
                             size_t count, struct table_batch_answer *out,
                             struct error *err) MUST_CHECK;

#endif
