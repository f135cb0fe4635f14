/*
 * simulated_memory.h - what a simulated process has allocated, so that it can be gone at once when
 * the process crashes.
 *
 * The linker puts these functions in the place of malloc, calloc, realloc, reallocarray, strdup and
 * free, for what is ours and not for libraries (Makefile). What is allocated while no process is
 * current belongs to the test.
 *
 * Threads  One.
 */
#ifndef SIMULATION_SIMULATED_MEMORY_H
#define SIMULATION_SIMULATED_MEMORY_H

#include <sys/queue.h>

struct simulated_block;

struct simulated_memory {
    LIST_HEAD(simulated_blocks, simulated_block) blocks;
};

void simulated_memory_init(struct simulated_memory *memory);

/* Whose memory is allocated from now on; NULL: the test's own. Returns whose it was before. */
struct simulated_memory *simulated_memory_use(struct simulated_memory *memory);

void simulated_memory_free_all(struct simulated_memory *memory);

#endif
