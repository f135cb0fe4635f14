/*
 * operation.h - one change to one row: read from a request or from a part of a transaction, checked, and then made.
 */
#ifndef BENCH_STORAGE_OPERATION_H
#define BENCH_STORAGE_OPERATION_H

#include "entity.h"
#include "http.h"
#include "rows.h"

enum operation_kind { OPERATION_INSERT, OPERATION_REPLACE, OPERATION_MERGE, OPERATION_DELETE };

struct operation {
    enum operation_kind kind;
    char table[ROWS_NAME_BYTES];
    char partition_key[ENTITY_KEY_BYTES], row_key[ENTITY_KEY_BYTES];
    struct text if_match; /* empty: none */
    struct text body;
    struct row *row; /* as it was; NULL: absent */
};

struct operation_failure {
    int status; /* 0: none */
    const char *code;
};

/* Splits "/table", "/table()" or "/table(PartitionKey='a',RowKey='b')", percent-encoded; keys are "" where there are none. */
bool operation_read_path(struct text path, char table[ROWS_NAME_BYTES], char partition_key[ENTITY_KEY_BYTES],
                         char row_key[ENTITY_KEY_BYTES]);

/* Reads it and checks it against the row that is there. The texts must outlive it. */
struct operation_failure operation_init(struct operation *operation, struct text method, struct text path,
                                        struct text if_match, struct text body);

/* Makes the change. Returns the row's new version; 0 for a deletion. */
uint64_t operation_apply(struct operation *operation);

void operation_append_etag(struct strbuf *out, uint64_t version);

#endif
