#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "http.h"

enum { BUCKETS = 1 << 17, MAX_LEVEL = 12, MAX_TABLES = 8 };

static struct partition *buckets[BUCKETS];
static struct partition **sorted; /* all, by key; made when it is asked for */
static size_t partition_count, sorted_count;
static char *tables[MAX_TABLES];
static uint64_t last_version;

static void *checked(void *memory) {
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* ---- tables and partitions ---- */

bool rows_has_table(const char *table) {
    for (size_t i = 0; i < MAX_TABLES && tables[i] != NULL; i++) {
        if (strcmp(tables[i], table) == 0) {
            return true;
        }
    }
    return false;
}

bool rows_make_table(const char *table) {
    size_t i = 0;
    while (i < MAX_TABLES && tables[i] != NULL && strcmp(tables[i], table) != 0) {
        i++;
    }
    if (i == MAX_TABLES || tables[i] != NULL) {
        return false;
    }
    tables[i] = checked(strdup(table));
    return true;
}

static struct partition **find_partition(const char *table, const char *key) {
    uint32_t hash = 5381;
    for (const char *c = key; *c != '\0'; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    struct partition **at = &buckets[hash % BUCKETS];
    while (*at != NULL && (strcmp((*at)->key, key) != 0 || strcmp((*at)->table, table) != 0)) {
        at = &(*at)->chain;
    }
    return at;
}

static struct partition *make_partition(const char *table, const char *key) {
    struct partition **at = find_partition(table, key);
    if (*at == NULL) {
        struct partition *made = checked(calloc(1, sizeof *made));
        made->table = checked(strdup(table));
        made->key = checked(strdup(key));
        made->first = checked(calloc(MAX_LEVEL, sizeof(struct row *)));
        *at = made;
        partition_count++;
    }
    return *at;
}

static int by_key(const void *left, const void *right) {
    return strcmp((*(struct partition *const *)left)->key, (*(struct partition *const *)right)->key);
}

static void sort_partitions(void) {
    if (sorted_count == partition_count) {
        return;
    }
    sorted = checked(realloc(sorted, partition_count * sizeof *sorted));
    sorted_count = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct partition *each = buckets[i]; each != NULL; each = each->chain) {
            sorted[sorted_count++] = each;
        }
    }
    qsort(sorted, sorted_count, sizeof *sorted, by_key);
}

const char *rows_partition_from(const char *table, const char *partition_key) {
    sort_partitions();
    size_t low = 0, high = sorted_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(sorted[middle]->key, partition_key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low < sorted_count && strcmp(sorted[low]->table, table) != 0) {
        low++;
    }
    return low < sorted_count ? sorted[low]->key : NULL;
}

/* ---- rows ---- */

/* A row is on the next level with one chance in four. */
static int draw_level(void) {
    static uint64_t state = 88172645463325252U;
    int level = 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    for (uint64_t bits = state; level < MAX_LEVEL && (bits & 3) == 0; bits >>= 2) {
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

struct row *rows_seek(const char *table, const char *partition_key, const char *row_key) {
    struct partition *partition = *find_partition(table, partition_key);
    return partition == NULL ? NULL : seek(partition, row_key, NULL);
}

struct row *rows_find(const char *table, const char *partition_key, const char *row_key) {
    struct row *row = rows_seek(table, partition_key, row_key);
    return row != NULL && strcmp(row->key, row_key) == 0 ? row : NULL;
}

static struct row *insert(struct partition *partition, const char *row_key, struct row **before[MAX_LEVEL]) {
    int levels = draw_level();
    struct row *row = checked(calloc(1, sizeof *row + (size_t)levels * sizeof(struct row *)));
    row->partition = partition;
    row->key = checked(strdup(row_key));
    for (int level = 0; level < levels; level++) {
        row->next[level] = *before[level];
        *before[level] = row;
    }
    return row;
}

struct row *rows_put(const char *table, const char *partition_key, const char *row_key,
                     const struct strbuf *properties) {
    struct row **before[MAX_LEVEL];
    struct partition *partition = make_partition(table, partition_key);
    struct row *row = seek(partition, row_key, before);
    if (row == NULL || strcmp(row->key, row_key) != 0) {
        row = insert(partition, row_key, before);
    }
    char *copy = checked(malloc(properties->length + 1));
    memcpy(copy, properties->data, properties->length);
    free(row->properties);
    row->properties = copy;
    row->properties_length = properties->length;
    row->version = ++last_version;
    row->written_ms = http_wall_ms();
    return row;
}

void rows_delete(struct row *row_freed) {
    struct row **before[MAX_LEVEL];
    seek(row_freed->partition, row_freed->key, before);
    for (int level = 0; level < MAX_LEVEL && *before[level] == row_freed; level++) {
        *before[level] = row_freed->next[level];
    }
    free(row_freed->key);
    free(row_freed->properties);
    free(row_freed);
}
