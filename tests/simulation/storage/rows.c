#include "simulation/storage/rows.h"

#include <ctype.h>
#include <stdio.h>

#include "simulation/storage/allocation.h"

enum { MAX_LEVEL = 12 };

/* ---- tables ---- */

static void write_table_key(const char *name, char out[ROWS_NAME_BYTES]) {
    size_t length = 0;
    for (; name[length] != '\0' && length + 1 < ROWS_NAME_BYTES; length++) {
        out[length] = (char)tolower((unsigned char)name[length]);
    }
    out[length] = '\0';
}

static void free_key(struct map_entry *entry) {
    char *key;
    memcpy(&key, &entry->key, sizeof key); /* it is const for all but its owner */
    free(key);
}

static void free_row(struct row *row) {
    free(row->key);
    free(row->properties);
    free(row);
}

static void free_partition(struct map_entry *entry) {
    struct partition *partition = (struct partition *)entry;
    for (struct row *row = partition->first[0], *next; row != NULL; row = next) {
        next = row->next[0];
        free_row(row);
    }
    free(partition->first);
    free_key(entry);
    free(partition);
}

static void empty_table(struct table *table) {
    map_clear(&table->partitions, free_partition);
    free(table->sorted);
    table->sorted = NULL;
    table->sorted_count = 0;
}

static void free_table(struct map_entry *entry) {
    empty_table((struct table *)entry);
    free_key(entry);
    free(entry);
}

void rows_clear(struct rows *rows) {
    map_clear(&rows->tables, free_table);
}

struct table *rows_table(struct rows *rows, const char *name, bool *out_is_being_deleted) {
    char key[ROWS_NAME_BYTES];
    write_table_key(name, key);
    struct table *table = (struct table *)map_find(&rows->tables, key);
    bool is_deleted = table != NULL && table->deleted_until_ms != 0;
    if (out_is_being_deleted != NULL) {
        *out_is_being_deleted = is_deleted && clock_now_ms(rows->clock) < table->deleted_until_ms;
    }
    return is_deleted ? NULL : table;
}

struct table *rows_make_table(struct rows *rows, const char *name) {
    char key[ROWS_NAME_BYTES];
    write_table_key(name, key);
    struct table *table = (struct table *)map_find(&rows->tables, key);
    if (table == NULL) {
        table = allocation_checked(calloc(1, sizeof *table));
        table->entry.key = allocation_copy(key, strlen(key));
        map_add(&rows->tables, &table->entry);
    }
    table->deleted_until_ms = 0;
    return table;
}

void rows_delete_table(struct rows *rows, struct table *table) {
    empty_table(table);
    table->deleted_until_ms = clock_now_ms(rows->clock) + ROWS_DELETION_MS;
}

/* ---- partitions ---- */

static struct partition *find_partition(const struct table *table, const char *key) {
    return (struct partition *)map_find(&table->partitions, key);
}

static struct partition *make_partition(struct table *table, const char *key) {
    struct partition *partition = find_partition(table, key);
    if (partition == NULL) {
        partition = allocation_checked(calloc(1, sizeof *partition));
        partition->entry.key = allocation_copy(key, strlen(key));
        partition->first = allocation_checked(calloc(MAX_LEVEL, sizeof(struct row *)));
        map_add(&table->partitions, &partition->entry);
    }
    return partition;
}

const char *rows_partition_from(struct table *table, const char *partition_key) {
    if (table->sorted_count != table->partitions.count) { /* none is ever removed */
        free(table->sorted);
        table->sorted = map_sorted(&table->partitions);
        table->sorted_count = table->partitions.count;
    }
    size_t low = 0, high = table->sorted_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(table->sorted[middle]->key, partition_key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < table->sorted_count ? table->sorted[low]->key : NULL;
}

/* ---- rows ---- */

/*
 * A row is on the next level with one chance in four, as the bits of its number, well mixed
 * (splitmix64), say. So the same requests make the same list.
 */
static int draw_level(struct rows *rows) {
    uint64_t bits = ++rows->levels_drawn * UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    int level = 1;
    for (bits ^= bits >> 31; level < MAX_LEVEL && (bits & 3) == 0; bits >>= 2) {
        level++;
    }
    return level;
}

/* The row at or after `key`; in `before`, for each level, the pointer that leads past it. */
static struct row *seek(struct partition *partition, const char *key, struct row ***before) {
    struct row **links = partition->first;
    for (int level = MAX_LEVEL - 1; level >= 0; level--) {
        while (links[level] != NULL && strcmp(links[level]->key, key) < 0) {
            links = links[level]->next;
        }
        if (before != NULL) {
            before[level] = &links[level];
        }
    }
    return links[0];
}

struct row *rows_seek(const struct table *table, const char *partition_key, const char *row_key) {
    struct partition *partition = find_partition(table, partition_key);
    return partition == NULL ? NULL : seek(partition, row_key, NULL);
}

struct row *rows_find(const struct table *table, const char *partition_key, const char *row_key) {
    struct row *row = rows_seek(table, partition_key, row_key);
    return row != NULL && strcmp(row->key, row_key) == 0 ? row : NULL;
}

static struct row *insert(struct rows *rows, struct partition *partition, const char *row_key,
                          struct row **before[MAX_LEVEL]) {
    int levels = draw_level(rows);
    struct row *row =
        allocation_checked(calloc(1, sizeof *row + (size_t)levels * sizeof(struct row *)));
    row->partition = partition;
    row->key = allocation_copy(row_key, strlen(row_key));
    for (int level = 0; level < levels; level++) {
        row->next[level] = *before[level];
        *before[level] = row;
    }
    return row;
}

struct row *rows_put(struct rows *rows, struct table *table, const char *partition_key,
                     const char *row_key, const struct strbuf *properties) {
    struct row **before[MAX_LEVEL];
    struct partition *partition = make_partition(table, partition_key);
    struct row *row = seek(partition, row_key, before);
    if (row == NULL || strcmp(row->key, row_key) != 0) {
        row = insert(rows, partition, row_key, before);
    }
    char *copy = allocation_copy(properties->data, properties->length);
    free(row->properties);
    row->properties = copy;
    row->properties_length = properties->length;
    row->version = ++rows->last_version;
    row->written_ms = clock_wall_ms(rows->clock);
    return row;
}

void rows_delete(struct row *row) {
    struct row **before[MAX_LEVEL];
    seek(row->partition, row->key, before);
    for (int level = 0; level < MAX_LEVEL && *before[level] == row; level++) {
        *before[level] = row->next[level];
    }
    free_row(row);
}
