/*
 * table_client.h - tables, entities, queries with continuation, and entity group transactions.
 *
 * Entities travel in the Table service's JSON (minimal metadata): property, and "property@odata.type" where the JSON
 * type does not tell (Edm.Int64, Edm.DateTime); an answer's entity has its ETag under "odata.etag". One that is sent
 * is text on one line, without U+2028 and U+2029 (json_append_string): Azurite finds it with a regular expression that
 * stops there. NULL stands for one that found no memory. One that is read is a cJSON object.
 * Statuses are storage_done's and storage_error.h's; those that a caller has to expect stand with
 * the operation.
 *
 * Threads   The loop's. ..._start starts an operation. `done` is called once, as the operation's last
 *           act, never inside start. Its owner may free it or start it again there. Arguments are
 *           copied, but for a query's, which are borrowed until `done`. Outputs are borrowed until
 *           `done`, too, and untouched on failure. storage_client_cancel ends it.
 */
#ifndef STORAGE_TABLE_CLIENT_H
#define STORAGE_TABLE_CLIENT_H

#include <stdbool.h>
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

/* How an operation ended. `err` is never NULL. */
typedef void (*table_done)(void *context, enum status status, const struct error *err);

/*
 * Takes one entity of a query's answer; it is borrowed. Any status but STATUS_OK ends the query
 * with it.
 */
typedef enum status (*table_entity_visitor)(void *context, const cJSON *entity, struct error *err);

/* What to ask for. All is borrowed. */
struct table_query {
    const char *table;
    const char *filter; /* OData, not encoded; NULL: all entities */
    int page_rows;      /* $top: entities in one answer at most; 0: 1,000, as storage has it */
    table_entity_visitor visit;
    void *context;
    const bool *is_enough; /* true: no further pages are wanted; NULL: all are */
    int *out_pages;        /* how many answers it took; several are no snapshot. May be NULL */
};

/* An operation under way. Zeroed at first; its owner must keep it until it has ended. */
struct table_call {
    struct storage_operation operation;
    struct storage_client *client;
    struct storage_request request;
    int64_t deadline_ms;
    table_done done;
    void *context;
    /* Reads an answer, if `sent` says that there is one. Returns the operation's status. */
    enum status (*take)(struct table_call *call, enum status sent, const struct http_reply *reply,
                        struct error *err);
    cJSON **out_entity;               /* of a get */
    struct table_query query;         /* of a query */
    struct http_headers continuation; /* parameters that ask for its next page, if any */
    int pages;
    size_t count; /* of a transaction: its operations */
    char *out_first_etag;
};

/* Create Table. STATUS_ALREADY_EXISTS (it may be our own doing). */
void table_create_start(struct table_call *call, struct storage_client *client, const char *table,
                        int64_t deadline_ms, table_done done, void *context);

/*
 * Insert Entity; the entity holds PartitionKey and RowKey. A repeat after a lost answer finds the row there.
 * STATUS_ALREADY_EXISTS (it may be our own), STATUS_CONTAINER_NOT_FOUND.
 */
void table_insert_start(struct table_call *call, struct storage_client *client, const char *table,
                        const char *entity, int64_t deadline_ms, table_done done, void *context);

/*
 * Insert Or Replace Entity; the entity holds the same keys. Safe to repeat.
 * STATUS_CONTAINER_NOT_FOUND.
 */
void table_upsert_start(struct table_call *call, struct storage_client *client, const char *table,
                        const char *partition_key, const char *row_key, const char *entity,
                        int64_t deadline_ms, table_done done, void *context);

/*
 * Query Entities for one partition and row key. `*out` is the caller's (cJSON_Delete).
 * STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE (also for an answer that is no JSON object),
 * STATUS_MALFORMED (a row that cannot be read).
 */
void table_get_start(struct table_call *call, struct storage_client *client, const char *table,
                     const char *partition_key, const char *row_key, int64_t deadline_ms,
                     cJSON **out, table_done done, void *context);

/*
 * Query Entities, in key order, following continuation tokens to the end. A query that fails may
 * have visited entities before, on the loop's thread.
 * STATUS_CONTAINER_NOT_FOUND, STATUS_UNAVAILABLE (also for an answer that is no such JSON), STATUS_MALFORMED (a row
 * that cannot be read), and the visitor's own.
 */
void table_query_start(struct table_call *call, struct storage_client *client,
                       const struct table_query *query, int64_t deadline_ms, table_done done,
                       void *context);

enum table_operation_kind { TABLE_INSERT, TABLE_MERGE, TABLE_DELETE };

/* One operation of a transaction. */
struct table_operation {
    enum table_operation_kind kind;
    const char *partition_key;
    const char *row_key;
    const char *if_match; /* an ETag, or "*"; merge and delete only */
    const char *entity;   /* insert (with its keys) and merge */
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
void table_transaction_start(struct table_call *call, struct storage_client *client,
                             const char *table, const struct table_operation *operations,
                             size_t count, int64_t deadline_ms,
                             char out_first_etag[TABLE_ETAG_BYTES], table_done done, void *context);

/* Appends an OData string literal: quoted, quotes doubled. */
void table_append_literal(struct strbuf *filter, const char *text);

#endif
