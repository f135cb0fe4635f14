#include "storage/wiped_memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

void wiped_memory_free(void *memory) {
    crypto_wipe(memory, malloc_usable_size(memory)); /* 0 for NULL */
    free(memory);
}

void *wiped_memory_realloc(void *memory, size_t size) {
    size_t held = malloc_usable_size(memory);
    void *moved = malloc(size);
    if (moved != NULL && memory != NULL) {
        memcpy(moved, memory, held < size ? held : size);
        wiped_memory_free(memory);
    }
    return moved;
}
