/*
 * memory_limit.h - lets allocations of the program's own code fail, as they do without memory.
 *
 * It counts malloc, calloc, realloc, reallocarray, strdup and tsearch, on all threads. The linker
 * puts it in their place in the test programs that the Makefile names, and only for what is ours:
 * libraries allocate as ever (but see json_memory.h), and so does libcheck.
 *
 * Threads    begin and end: one.
 */
#ifndef SUPPORT_MEMORY_LIMIT_H
#define SUPPORT_MEMORY_LIMIT_H

/* Allocation number `first` (1, ...) from now on fails, and the `count` - 1 after it. */
void memory_limit_begin(int first, int count);

/* All succeed again. Returns how many have failed. */
int memory_limit_end(void);

#endif
