/*
 * table_batch.h - the operations of entity group transactions, and the bodies that carry them.
 *
 * Pure: it writes and reads multipart/mixed text. table_client.h sends it.
 * Source: "Performing entity group transactions" (Table service REST API).
 */
#ifndef STORAGE_TABLE_BATCH_H
#define STORAGE_TABLE_BATCH_H

#include <stddef.h>

#include "base/status.h"

struct strbuf;

enum {
    TABLE_TRANSACTION_MAX_OPERATIONS = 100, /* a limit of storage's */
    TABLE_TRANSACTION_MAX_BYTES = 4 * 1024 * 1024,
    TABLE_ETAG_BYTES = 128,
};

enum table_operation_kind { TABLE_INSERT, TABLE_MERGE, TABLE_DELETE };

/* One operation of a transaction. */
struct table_operation {
    enum table_operation_kind kind;
    const char *partition_key;
    const char *row_key;
    const char *if_match; /* for merge and delete: an ETag, or "*" */
    const char *entity;   /* for insert (with its keys) and merge */
};

/* ---- writing; a failure is remembered by `out` ---- */

/* Appends an entity. NULL stands for one that could not be built: STATUS_NO_MEMORY. */
void table_batch_append_entity(struct strbuf *out, const char *entity);

/*
 * Appends "/TABLE(PartitionKey='...',RowKey='...')". Quotes in the keys are doubled, and then the
 * keys are percent-encoded.
 */
void table_batch_append_entity_path(struct strbuf *out, const char *table,
                                    const char *partition_key, const char *row_key);

/*
 * Appends the body of a transaction on `table` at `endpoint`
 * ("https://ACCOUNT.table.core.windows.net"). `id`, a UUID, makes the boundaries batch_ID and
 * changeset_ID. STATUS_INVALID_ARGUMENT: an `if_match` is empty or holds a control character.
 */
void table_batch_write(const char *endpoint, const char *table,
                       const struct table_operation *operations, size_t count, const char *id,
                       struct strbuf *out);

/* ---- reading ---- */

/* What an answer says: that all operations succeeded, or the one failure. */
struct table_batch_answer {
    int http_status;  /* of the failed operation; 204 if all succeeded */
    int answer_count; /* parts read */

    /* The failure's OData error code; "" if all succeeded. */
    char code[64];

    /* The first line of its message. It begins with the operation's index: "0:The entity ...". */
    char message[256];

    /* The new ETag of the first operation; "" if there is none (a delete, a failure). */
    char first_etag[TABLE_ETAG_BYTES];
};

/*
 * Reads the body of a 202 answer, in the layout of Azure or of Azurite. `content_type` names the
 * boundary. The body may hold anything: at most `length` bytes are read, in linear time.
 *
 * STATUS_MALFORMED   no such body, or one that is cut short; or it has neither a failure with an
 *                    error code nor `count` successes. `out` is untouched
 */
enum status table_batch_read(const char *content_type, const char *body, size_t length,
                             size_t count, struct table_batch_answer *out,
                             struct error *err) MUST_CHECK;

#endif
