#include "simulation/simulated_memory.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In front of each piece of memory. */
struct simulated_block {
    alignas(max_align_t) LIST_ENTRY(simulated_block) link; /* in its process's, if it has one */
    struct simulated_memory *memory;
    size_t size;
};

/* The C library's tsearch allocates by itself, so what a crashed process had in a tree stays. LeakSanitizer asks here. */
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
        real_free(block);
    }
}

void *wrap_malloc(size_t size) {
    struct simulated_block *block = real_malloc(sizeof *block + size);
    if (block == NULL) {
        abort();
    }
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
    if (block->memory != NULL) {
        LIST_REMOVE(block, link);
    }
    real_free(block);
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
