/*
 * row_change.h - one change to one row: read from a request or from a part of a transaction,
 * checked, and then made.
 */
#ifndef SIMULATION_STORAGE_ROW_CHANGE_H
#define SIMULATION_STORAGE_ROW_CHANGE_H

#include "simulation/storage/entity.h"
#include "simulation/storage/rows.h"
#include "simulation/storage/simulated_answer.h"

enum row_change_kind { ROW_INSERT, ROW_REPLACE, ROW_MERGE, ROW_DELETE };

/* What asks for a change. The texts must outlive it; empty ones are missing. */
struct row_change_request {
    struct text method;
    struct text path; /* behind the account's own */
    struct text if_match;
    struct text body;
};

struct row_change {
    enum row_change_kind kind;
    struct table *table;
    char partition_key[ENTITY_KEY_BYTES], row_key[ENTITY_KEY_BYTES];
    struct text if_match, body;
    struct row *row; /* as it was; NULL: absent */
};

/* What "/table", "/table()" or "/table(PartitionKey='a',RowKey='b')" names. */
struct row_change_path {
    char table[ROWS_NAME_BYTES];
    bool has_keys;
    char partition_key[ENTITY_KEY_BYTES], row_key[ENTITY_KEY_BYTES];
};

/* Returns false if it names none of these. */
bool row_change_read_path(struct text path, struct row_change_path *out);

/* The refusal of a request about a table that is not there. */
struct simulated_refusal row_change_no_table(bool is_being_deleted);

/* Reads a change and finds its table. */
struct simulated_refusal row_change_read(struct row_change *change, struct rows *rows,
                                         const struct row_change_request *request);

/* Checks it against the row that is there. */
struct simulated_refusal row_change_check(struct row_change *change);

/* Makes the change. Returns the row's new version; 0 for a deletion. */
uint64_t row_change_make(struct row_change *change, struct rows *rows);

/* W/"datetime'...'", where the version stands in place of a time. */
enum { ROW_CHANGE_ETAG_BYTES = 96 };
void row_change_write_etag(uint64_t version, char out[ROW_CHANGE_ETAG_BYTES]);

#endif
