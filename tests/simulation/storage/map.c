#include "simulation/storage/map.h"

#include <stdlib.h>
#include <string.h>

#include "simulation/storage/allocation.h"

enum { FIRST_BUCKETS = 16 };

static uint32_t hash_of(const char *key) {
    uint32_t hash = 5381;
    for (const char *c = key; *c != '\0'; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    return hash;
}

struct map_entry *map_find(const struct map *map, const char *key) {
    if (map->bucket_count == 0) {
        return NULL;
    }
    uint32_t hash = hash_of(key);
    struct map_entry *entry = map->buckets[hash & (map->bucket_count - 1)];
    while (entry != NULL && (entry->hash != hash || strcmp(entry->key, key) != 0)) {
        entry = entry->next;
    }
    return entry;
}

static void link_entry(struct map *map, struct map_entry *entry) {
    struct map_entry **bucket = &map->buckets[entry->hash & (map->bucket_count - 1)];
    entry->next = *bucket;
    *bucket = entry;
}

static void grow(struct map *map) {
    struct map old = *map;
    map->bucket_count = old.bucket_count == 0 ? FIRST_BUCKETS : 2 * old.bucket_count;
    map->buckets = allocation_checked(calloc(map->bucket_count, sizeof(struct map_entry *)));
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (struct map_entry *each = old.buckets[i], *next; each != NULL; each = next) {
            next = each->next;
            link_entry(map, each);
        }
    }
    free(old.buckets);
}

void map_add(struct map *map, struct map_entry *entry) {
    if (map->count == map->bucket_count) {
        grow(map);
    }
    entry->hash = hash_of(entry->key);
    link_entry(map, entry);
    map->count++;
}

void map_remove(struct map *map, struct map_entry *entry) {
    struct map_entry **at = &map->buckets[entry->hash & (map->bucket_count - 1)];
    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    map->count--;
}

void map_clear(struct map *map, void (*release)(struct map_entry *entry)) {
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (struct map_entry *each = map->buckets[i], *next; each != NULL; each = next) {
            next = each->next;
            release(each);
        }
    }
    free(map->buckets);
    *map = (struct map){.count = 0};
}

static int by_key(const void *left, const void *right) {
    return strcmp((*(struct map_entry *const *)left)->key,
                  (*(struct map_entry *const *)right)->key);
}

struct map_entry **map_sorted(const struct map *map) {
    struct map_entry **sorted = allocation_checked(calloc(map->count + 1, sizeof *sorted));
    size_t count = 0;
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (struct map_entry *each = map->buckets[i]; each != NULL; each = each->next) {
            sorted[count++] = each;
        }
    }
    qsort(sorted, count, sizeof *sorted, by_key);
    return sorted;
}
