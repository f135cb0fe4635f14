#include "http/wiped_memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

/* Global, because the library's memory is. */
static atomic_bool expects_secrets;

void wiped_memory_expect_secrets(void) {
    atomic_store(&expects_secrets, true);
}

static bool is_wiping(void) {
    return atomic_load_explicit(&expects_secrets, memory_order_relaxed);
}

void wiped_memory_free(void *memory) {
    if (is_wiping()) {
        crypto_wipe(memory, malloc_usable_size(memory)); /* 0 for NULL */
    }
    free(memory);
}

void *wiped_memory_realloc(void *memory, size_t size) {
    if (!is_wiping()) {
        return realloc(memory, size);
    }
    size_t held = malloc_usable_size(memory);
    void *moved = malloc(size);
    if (moved != NULL && memory != NULL) {
        memcpy(moved, memory, held < size ? held : size);
        wiped_memory_free(memory);
    }
    return moved;
}
