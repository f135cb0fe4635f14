/*
 * table_client.h - tables, entities, queries with continuation, and entity group transactions.
 *
 * Entities  They travel as JSON with minimal metadata. A property has its type beside it as
 *           "property@odata.type" where JSON's own type is not enough (Edm.Int64, Edm.DateTime).
 *           An entity that is sent is one line of text, without U+2028 and U+2029
 *           (json_append_string). Azurite finds it with a regular expression that stops at line
 *           ends. NULL stands for an entity that could not be built for lack of memory.
 *           An entity that is read is a cJSON object, with its ETag in "odata.etag".
 * Statuses  Those of storage_done and storage_error.h. Each comment lists the ones that a caller
 *           must expect.
 * Threads   The loop's. ..._start starts an operation. `done` is called once, last, and never
 *           inside start. The owner may free the operation or start it again there. Arguments are
 *           copied, except those of a query, which are borrowed until `done`. Outputs are borrowed
 *           until `done`, and untouched on failure. storage_client_cancel ends an operation.
 */
#ifndef STORAGE_TABLE_CLIENT_H
#define STORAGE_TABLE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"
#include "storage/storage_client.h"
#include "storage/table_batch.h"

/* How an operation ended. `err` is never NULL. */
typedef void (*table_done)(void *context, enum status status, const struct error *err);

/*
 * Receives one entity of a query's answer, which is borrowed. Any status but STATUS_OK ends the
 * query with that status.
 */
typedef enum status (*table_entity_visitor)(void *context, const cJSON *entity, struct error *err);

/* What to ask for. Everything is borrowed. */
struct table_query {
    const char *table;
    const char *filter; /* OData, not encoded; NULL: all entities */
    int page_rows;      /* $top: the most entities in one answer; 0: storage's limit of 1,000 */
    table_entity_visitor visit;
    void *context;
    const bool *is_enough; /* set by the visitor to end the query early; NULL: read to the end */
    int *out_pages;        /* the number of answers; more than one is no snapshot. May be NULL */
};

/* An operation under way. Zeroed at first. Its owner must keep it until it has ended. */
struct table_call {
    struct storage_operation operation;
    struct storage_client *client;
    struct storage_request request;
    int64_t deadline_ms;
    table_done done;
    void *context;

    /* Reads the answer, which exists if `sent` is STATUS_OK. Returns the operation's status. */
    enum status (*read_answer)(struct table_call *call, enum status sent,
                               const struct http_reply *reply, struct error *err);

    cJSON **out_entity; /* of a get */

    /* Of a query. `continuation` has the parameters that ask for the next page, if there is one. */
    struct table_query query;
    struct http_headers continuation;
    int pages;

    /* Of a transaction. */
    size_t operation_count;
    char *out_first_etag;
};

/* Create Table. STATUS_ALREADY_EXISTS, also for a repeat after a lost answer. */
void table_create_start(struct table_call *call, struct storage_client *client, const char *table,
                        int64_t deadline_ms, table_done done, void *context);

/*
 * Insert Entity. The entity holds PartitionKey and RowKey.
 * STATUS_ALREADY_EXISTS, also for a repeat after a lost answer; STATUS_CONTAINER_NOT_FOUND
 */
void table_insert_start(struct table_call *call, struct storage_client *client, const char *table,
                        const char *entity, int64_t deadline_ms, table_done done, void *context);

/*
 * Insert Or Replace Entity. The entity holds the same keys. It is safe to repeat.
 * STATUS_CONTAINER_NOT_FOUND
 */
void table_upsert_start(struct table_call *call, struct storage_client *client, const char *table,
                        const char *partition_key, const char *row_key, const char *entity,
                        int64_t deadline_ms, table_done done, void *context);

/*
 * Query Entities for one partition key and row key. The caller frees `*out` with cJSON_Delete.
 * STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND
 * STATUS_UNAVAILABLE   also if the answer is not a whole JSON object
 * STATUS_MALFORMED     the row cannot be read
 */
void table_get_start(struct table_call *call, struct storage_client *client, const char *table,
                     const char *partition_key, const char *row_key, int64_t deadline_ms,
                     cJSON **out, table_done done, void *context);

/*
 * Query Entities, in key order. Follows continuation tokens to the end. A query that fails may have
 * visited entities before.
 * STATUS_CONTAINER_NOT_FOUND
 * STATUS_UNAVAILABLE   also if an answer is not a whole JSON object with entities
 * STATUS_MALFORMED     a row cannot be read
 * and the visitor's own
 */
void table_query_start(struct table_call *call, struct storage_client *client,
                       const struct table_query *query, int64_t deadline_ms, table_done done,
                       void *context);

/*
 * An entity group transaction: all operations are carried out, or none. It has 1 to 100 operations
 * in one partition, and each row at most once. `out_first_etag` (may be NULL) receives the new ETag
 * of the first operation; "" if there is none, as for a delete.
 *
 * There is one attempt only. A repeat after a lost answer would fail because of its own success,
 * and only the caller can tell what that means. If err->may_have_happened is set, the transaction
 * may have been committed. It may also be committed later, because a sent request cannot be called
 * back. So a missing row that it inserts proves nothing. Sending the same operations again is safe
 * if one of them has an ETag for If-Match: then at most one of the two transactions succeeds.
 *
 * STATUS_PRECONDITION_FAILED   an If-Match did not match
 * STATUS_ALREADY_EXISTS        an inserted row existed
 * STATUS_NOT_FOUND             a merged or deleted row did not exist
 * STATUS_CONTAINER_NOT_FOUND   there is no such table
 * STATUS_TOO_LARGE             over TABLE_TRANSACTION_MAX_BYTES; nothing was sent
 * STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_NO_MEMORY
 */
void table_transaction_start(struct table_call *call, struct storage_client *client,
                             const char *table, const struct table_operation *operations,
                             size_t count, int64_t deadline_ms,
                             char out_first_etag[TABLE_ETAG_BYTES], table_done done, void *context);

/* Appends an OData string literal: in quotes, with inner quotes doubled. */
void table_append_literal(struct strbuf *filter, const char *text);

#endif
