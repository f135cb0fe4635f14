/*
 * rows.h - where the simulated Table service keeps its tables: partitions by key, each with its
 * rows in order (a skip list).
 *
 * Rules        Table names compare in any case ("Understanding the Table service data model").
 *              A table that was deleted is being deleted for ROWS_DELETION_MS ("Delete Table": at
 *              least 40 seconds); it cannot be created again before that.
 */
#ifndef SIMULATION_STORAGE_ROWS_H
#define SIMULATION_STORAGE_ROWS_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "simulation/storage/map.h"

enum { ROWS_NAME_BYTES = 64, ROWS_DELETION_MS = 40000 };

struct table {
    struct map_entry entry; /* its key is the name in small letters */
    struct map partitions;
    struct map_entry **sorted; /* all partitions, by key; made when it is asked for */
    size_t sorted_count;
    int64_t deleted_until_ms; /* of the clock that does not jump; 0: it is there */
};

struct partition {
    struct map_entry entry;
    struct row **first; /* on each level */
};

struct row {
    struct partition *partition;
    char *key;
    char *properties; /* the inside of a JSON object, without keys */
    size_t properties_length;
    uint64_t version;
    int64_t written_ms; /* wall time */
    struct row *next[]; /* on each of its levels */
};

/* Zeroed at first, but for `clock`. */
struct rows {
    const struct clock *clock;
    struct map tables;
    uint64_t last_version;
    uint64_t levels_drawn;
};

void rows_clear(struct rows *rows);

/* NULL: there is none. `*out_is_being_deleted` (may be NULL): whether that is because it goes. */
struct table *rows_table(struct rows *rows, const char *name, bool *out_is_being_deleted);

/* There is none of that name, and none is being deleted. */
struct table *rows_make_table(struct rows *rows, const char *name);

/* Its rows are gone at once. */
void rows_delete_table(struct rows *rows, struct table *table);

/* NULL: it is not there. */
struct row *rows_find(const struct table *table, const char *partition_key, const char *row_key);

/* The row of that key, made if it is absent, now with these properties and a new version. */
struct row *rows_put(struct rows *rows, struct table *table, const char *partition_key,
                     const char *row_key, const struct strbuf *properties);

void rows_delete(struct row *row);

/* The first row of a partition at or after that key; NULL: none. */
struct row *rows_seek(const struct table *table, const char *partition_key, const char *row_key);

/* The key of the table's first partition at or after that key; NULL: none. It may have no rows. */
const char *rows_partition_from(struct table *table, const char *partition_key);

#endif
