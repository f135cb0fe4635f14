/*
 * rows.h - where the fake storage's tables are kept: partitions by key, each with its rows in order (a skip list).
 */
#ifndef BENCH_STORAGE_ROWS_H
#define BENCH_STORAGE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum { ROWS_NAME_BYTES = 64 };

struct partition {
    struct partition *chain; /* with the same hash */
    char *table, *key;
    struct row **first; /* on each level */
};

struct row {
    struct partition *partition;
    char *key;
    char *properties; /* the inside of a JSON object, without keys */
    size_t properties_length;
    uint64_t version;
    int64_t written_ms;
    struct row *next[]; /* on each of its levels */
};

/* False: it is there already. */
bool rows_make_table(const char *table);
bool rows_has_table(const char *table);

/* NULL: it is not there. */
struct row *rows_find(const char *table, const char *partition_key, const char *row_key);

/* The row of that key, made if it is absent, now with these properties and a new version. */
struct row *rows_put(const char *table, const char *partition_key, const char *row_key,
                     const struct strbuf *properties);

void rows_delete(struct row *row_freed);

/* The first row of a partition at or after that key; NULL: none. */
struct row *rows_seek(const char *table, const char *partition_key, const char *row_key);

/* The key of the table's first partition at or after that key; NULL: none. */
const char *rows_partition_from(const char *table, const char *partition_key);

#endif
