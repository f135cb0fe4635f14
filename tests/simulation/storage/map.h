/*
 * map.h - things by their names: a hash table that grows. An entry lies in the thing itself.
 */
#ifndef SIMULATION_STORAGE_MAP_H
#define SIMULATION_STORAGE_MAP_H

#include <stddef.h>
#include <stdint.h>

/* The first member of what is kept. `key` is the owner's, and stays as it is while it is kept. */
struct map_entry {
    struct map_entry *next;
    uint32_t hash;
    const char *key;
};

/* Zeroed at first. */
struct map {
    struct map_entry **buckets;
    size_t bucket_count, count;
};

/* NULL: no such entry. */
struct map_entry *map_find(const struct map *map, const char *key);

/* Its key is set, and no other entry has it. */
void map_add(struct map *map, struct map_entry *entry);
void map_remove(struct map *map, struct map_entry *entry);

/* Empties the map. `release` frees each entry. */
void map_clear(struct map *map, void (*release)(struct map_entry *entry));

/* All entries, sorted by key, byte by byte; `count` of them. The caller's (free). */
struct map_entry **map_sorted(const struct map *map);

#endif
