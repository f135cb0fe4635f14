#include "simulation/simulated_memory.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In front of each piece of memory. */
struct simulated_block {
    alignas(max_align_t) union {
        LIST_ENTRY(simulated_block) link; /* in its process's, if it has one */
        SLIST_ENTRY(simulated_block) kept;
    };
    struct simulated_memory *memory; /* `freed`: nobody's */
    size_t size;
};

/*
 * The C library's tsearch allocates by itself, so what a crashed process had in a tree stays.
 * LeakSanitizer asks here.
 */
const char *lsan_suppressions(void) __asm__("__lsan_default_suppressions");
const char *lsan_suppressions(void) {
    return "leak:tsearch\n";
}

/* What it leaves out is no report. */
const char *lsan_options(void) __asm__("__lsan_default_options");
const char *lsan_options(void) {
    return "print_suppressions=0";
}

static struct simulated_memory *current;

/* The linker's names: it takes __wrap_malloc for malloc, and malloc for __real_malloc. */
void *real_malloc(size_t size) __asm__("__real_malloc");
void real_free(void *memory) __asm__("__real_free");
void *wrap_malloc(size_t size) __asm__("__wrap_malloc");
void *wrap_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
void *wrap_realloc(void *memory, size_t size) __asm__("__wrap_realloc");
void *wrap_reallocarray(void *memory, size_t count, size_t size) __asm__("__wrap_reallocarray");
char *wrap_strdup(const char *text) __asm__("__wrap_strdup");
void wrap_free(void *memory) __asm__("__wrap_free");

/* ---- blocks that are used again ---- */

/*
 * Nearly all memory of a run is small and soon freed, so freed blocks are kept by size. A tool that
 * watches memory has to see each of them freed: in its build the Makefile has none kept.
 */
#ifndef SIMULATED_MEMORY_KEPT_SIZES
#define SIMULATED_MEMORY_KEPT_SIZES 0
#endif
enum { SIZE_STEP = 16 };
static const size_t kept_sizes = SIMULATED_MEMORY_KEPT_SIZES;

static SLIST_HEAD(, simulated_block)
    kept[SIMULATED_MEMORY_KEPT_SIZES + 1]; /* in the last there are none: they would be too large */
static struct simulated_memory freed;

static size_t size_index(size_t size) {
    size_t index = (size + SIZE_STEP - 1) / SIZE_STEP;
    return index < kept_sizes ? index : kept_sizes;
}

static struct simulated_block *take_block(size_t size) {
    size_t index = size_index(size);
    struct simulated_block *block = SLIST_FIRST(&kept[index]);
    if (block != NULL) {
        SLIST_REMOVE_HEAD(&kept[index], kept);
        return block;
    }
    block = real_malloc(sizeof *block + (index < kept_sizes ? index * SIZE_STEP : size));
    if (block == NULL) {
        abort();
    }
    return block;
}

static void put_block(struct simulated_block *block) {
    size_t index = size_index(block->size);
    block->memory = &freed;
    if (index < kept_sizes) {
        SLIST_INSERT_HEAD(&kept[index], block, kept);
    } else {
        real_free(block);
    }
}

/* ---- whose memory it is ---- */

void simulated_memory_init(struct simulated_memory *memory) {
    LIST_INIT(&memory->blocks);
}

struct simulated_memory *simulated_memory_use(struct simulated_memory *memory) {
    struct simulated_memory *before = current;
    current = memory;
    return before;
}

void simulated_memory_free_all(struct simulated_memory *memory) {
    struct simulated_block *block;
    while ((block = LIST_FIRST(&memory->blocks)) != NULL) {
        LIST_REMOVE(block, link);
        put_block(block);
    }
}

/* ---- in place of the C library's ---- */

void *wrap_malloc(size_t size) {
    struct simulated_block *block = take_block(size);
    block->memory = current;
    block->size = size;
    if (current != NULL) {
        LIST_INSERT_HEAD(&current->blocks, block, link);
    }
    return block + 1;
}

void wrap_free(void *memory) {
    if (memory == NULL) {
        return;
    }
    struct simulated_block *block = (struct simulated_block *)memory - 1;
    if (block->memory == &freed) {
        fprintf(stderr, "simulation: memory is freed twice\n");
        abort();
    }
    if (block->memory != NULL) {
        LIST_REMOVE(block, link);
    }
    put_block(block);
}

void *wrap_calloc(size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / 2 / size) {
        abort();
    }
    void *memory = wrap_malloc(count * size);
    memset(memory, 0, count * size);
    return memory;
}

void *wrap_realloc(void *memory, size_t size) {
    void *moved = wrap_malloc(size);
    if (memory != NULL) {
        size_t before = ((struct simulated_block *)memory - 1)->size;
        memcpy(moved, memory, before < size ? before : size);
        wrap_free(memory);
    }
    return moved;
}

void *wrap_reallocarray(void *memory, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / 2 / size) {
        abort();
    }
    return wrap_realloc(memory, count * size);
}

char *wrap_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(wrap_malloc(size), text, size);
}
