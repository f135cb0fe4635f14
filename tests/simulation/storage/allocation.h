/*
 * allocation.h - memory for the storage model. A test that has none is over.
 */
#ifndef SIMULATION_STORAGE_ALLOCATION_H
#define SIMULATION_STORAGE_ALLOCATION_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns `memory`; ends the program if it is NULL. */
static inline void *allocation_checked(void *memory) {
    if (memory == NULL) {
        fputs("the storage model has no memory\n", stderr);
        abort();
    }
    return memory;
}

/* A copy with a NUL at its end; the caller's (free). */
static inline char *allocation_copy(const char *bytes, size_t length) {
    char *copy = allocation_checked(malloc(length + 1));
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

#endif
