/*
 * wiped_memory.h - free and realloc that overwrite what they give back: for a library whose buffers hold secrets of ours.
 *
 * They go with malloc, calloc and strdup, and belong to one allocator: what malloc has made, free may still be given.
 * Threads: any.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_WIPED_MEMORY_H
#define STORAGE_WIPED_MEMORY_H

#include <stddef.h>

/* free, once all of it is overwritten. NULL is fine. */
void wiped_memory_free(void *memory);

/* realloc; where it moves, the old place is overwritten. NULL (no memory): `memory` is as it was. */
void *wiped_memory_realloc(void *memory, size_t size);

#endif
