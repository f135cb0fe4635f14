/*
 * table_client.h - tables, entities, queries with continuation, and entity group transactions.
 *
 * Entities travel as cJSON objects in the Table service's JSON (minimal metadata): property, and "property@odata.type"
 * where the JSON type does not tell (Edm.Int64, Edm.DateTime); an answer's entity has its ETag under "odata.etag".
 * Statuses are storage_client_send's and storage_error.h's; those that a caller has to expect stand with the operation.
 * Threads: any.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_TABLE_CLIENT_H
#define STORAGE_TABLE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"
#include "storage/storage_request.h"

enum {
    TABLE_TRANSACTION_MAX_OPERATIONS = 100, /* "Performing entity group transactions" */
    TABLE_TRANSACTION_MAX_BYTES = 4 * 1024 * 1024,
    TABLE_ETAG_BYTES = 128,
};

/* Create Table. STATUS_ALREADY_EXISTS. */
enum status table_create(struct storage_client *client, const char *table, int64_t deadline_ms,
                         struct error *err) MUST_CHECK;

/*
 * Insert Entity; the entity holds PartitionKey and RowKey. A repeat after a lost answer finds the row there.
 * STATUS_ALREADY_EXISTS (it may be our own), STATUS_CONTAINER_NOT_FOUND.
 */
enum status table_insert(struct storage_client *client, const char *table, const cJSON *entity, int64_t deadline_ms,
                         struct error *err) MUST_CHECK;

/*
 * Query Entities for one partition and row key. `*out` is the caller's (cJSON_Delete).
 * STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, STATUS_MALFORMED (an answer that is not JSON).
 */
enum status table_get(struct storage_client *client, const char *table, const char *partition_key, const char *row_key,
                      int64_t deadline_ms, cJSON **out, struct error *err) MUST_CHECK;

/* Takes one entity of a query's answer, borrowed. Any status but STATUS_OK ends the query with it. */
typedef enum status (*table_entity_visitor)(void *context, const cJSON *entity, struct error *err);

/*
 * Query Entities with an OData filter (not encoded; NULL: all), in key order, following continuation tokens to the end.
 * `out_pages` (may be NULL) receives how many answers it took: more than one means that they are no consistent picture.
 * A query that fails may have visited entities before.
 * STATUS_CONTAINER_NOT_FOUND, STATUS_MALFORMED (an answer that is not such JSON), and the visitor's own.
 */
enum status table_query(struct storage_client *client, const char *table, const char *filter, int64_t deadline_ms,
                        table_entity_visitor visit, void *context, int *out_pages, struct error *err) MUST_CHECK;

enum table_operation_kind { TABLE_INSERT, TABLE_MERGE, TABLE_DELETE };

/* One operation of a transaction; all borrowed. */
struct table_operation {
    enum table_operation_kind kind;
    const char *partition_key;
    const char *row_key;
    const char *if_match; /* an ETag, or "*"; merge and delete only */
    const cJSON *entity;  /* insert (with its keys) and merge; NULL for delete */
};

/*
 * An entity group transaction: all operations, or none. 1 to 100, in one partition, each row at most once.
 * `out_first_etag` (may be NULL) receives the first operation's new ETag ("" where none was told, as for a delete).
 *
 * One attempt only: a repeat after a lost answer fails on its own success, and only the caller can say what that means.
 * After a status that says "unknown" it may have been committed, or may yet be, for nothing calls back a request on its
 * way: that a row which it inserts is not there proves nothing. To try the same operations again is safe while one of
 * them has an ETag for If-Match: at most one of the two can succeed.
 *
 * STATUS_PRECONDITION_FAILED   an If-Match did not match       STATUS_ALREADY_EXISTS   an inserted row was there
 * STATUS_NOT_FOUND             a merged or deleted row was not  STATUS_CONTAINER_NOT_FOUND
 * STATUS_UNAVAILABLE, STATUS_CANCELLED, STATUS_NO_MEMORY        unknown, as said above
 * STATUS_TOO_LARGE             over TABLE_TRANSACTION_MAX_BYTES: nothing was sent
 */
enum status table_transaction(struct storage_client *client, const char *table,
                              const struct table_operation *operations, size_t count, int64_t deadline_ms,
                              char out_first_etag[TABLE_ETAG_BYTES], struct error *err) MUST_CHECK;

/* Appends an OData string literal: quoted, quotes doubled. */
void table_append_literal(struct strbuf *filter, const char *text);

#endif
