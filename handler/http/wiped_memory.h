/*
 * wiped_memory.h - free and realloc that overwrite what they give back: for a library whose buffers hold secrets of ours.
 *
 * They go with malloc, calloc and strdup, and belong to one allocator: what malloc has made may
 * still be given to free.
 *
 * Rules    Overwriting is a tenth of what a request costs. So nothing is overwritten until somebody
 *          says that there will be secrets. Those who sign in with tokens or a SAS do: whoever
 *          reads one can use it for hours. An account's key does not need it, as it never reaches
 *          libcurl. The signatures made with it do, but each is good for one request and 15 minutes.
 */
#ifndef HTTP_WIPED_MEMORY_H
#define HTTP_WIPED_MEMORY_H

#include <stddef.h>

/* Before the first secret: from now on, and for good, what is given back is overwritten. */
void wiped_memory_expect_secrets(void);

/* free, once all of it is overwritten. NULL is fine. */
void wiped_memory_free(void *memory);

/* realloc; where it moves, the old place is overwritten. NULL (no memory): `memory` is as it was. */
void *wiped_memory_realloc(void *memory, size_t size);

#endif
