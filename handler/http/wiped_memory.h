/*
 * wiped_memory.h - free and realloc that overwrite the memory that they release.
 *
 * They are for a library whose buffers hold our secrets. They belong to the same allocator as
 * malloc, calloc and strdup, so memory of malloc's may still be passed to free.
 *
 * Rules    Overwriting costs a tenth of a whole request. So nothing is overwritten until somebody
 *          announces secrets. Credentials with tokens or a SAS announce them, because whoever reads
 *          a token or SAS can use it for hours. An account key needs no announcement: it never
 *          reaches libcurl. Its signatures do, but each is valid for one request and 15 minutes.
 */
#ifndef HTTP_WIPED_MEMORY_H
#define HTTP_WIPED_MEMORY_H

#include <stddef.h>

/*
 * Call it before the first secret. From then on, for the rest of the process, released memory is
 * overwritten.
 */
void wiped_memory_expect_secrets(void);

/* Overwrites the whole block, then frees it. NULL is fine. */
void wiped_memory_free(void *memory);

/* realloc that overwrites the old block if it moves. NULL: no memory, and `memory` is unchanged. */
void *wiped_memory_realloc(void *memory, size_t size);

#endif
