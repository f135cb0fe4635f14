/*
 * json_memory.h - lets cJSON run out of memory at a chosen allocation.
 *
 * Threads: none: cJSON's hooks are one for the process.
 */
#ifndef SUPPORT_JSON_MEMORY_H
#define SUPPORT_JSON_MEMORY_H

#include <stdbool.h>

/* From now on `count` allocations of cJSON's succeed and all later ones fail. */
void json_memory_limit(int count);

/* Ends that. Returns whether an allocation failed meanwhile. */
bool json_memory_unlimit(void);

#endif
