#include "support/fakes/memory_limit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static atomic_int made; /* since memory_limit_begin */
static atomic_int first_failure, failure_count;
static atomic_bool is_limited;
static _Thread_local bool is_exempt;

void memory_limit_begin(int first, int count) {
    atomic_store(&made, 0);
    atomic_store(&first_failure, first);
    atomic_store(&failure_count, count);
    atomic_store(&is_limited, true);
}

static bool is_failure(int number) {
    int first = atomic_load(&first_failure);
    return number >= first && number - first < atomic_load(&failure_count);
}

int memory_limit_end(void) {
    int failed = 0;
    atomic_store(&is_limited, false);
    for (int number = 1; number <= atomic_load(&made); number++) {
        failed += is_failure(number);
    }
    return failed;
}

static bool fails(void) {
    if (is_exempt || !atomic_load(&is_limited) || !is_failure(atomic_fetch_add(&made, 1) + 1)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

/* The linker's names: it takes __wrap_malloc for malloc, and malloc for __real_malloc. */
#define LIMITED(type, name, parameters, arguments)             \
    type limited_##name parameters __asm__("__wrap_" #name);   \
    type unlimited_##name parameters __asm__("__real_" #name); \
    type limited_##name parameters {                           \
        return fails() ? NULL : unlimited_##name arguments;    \
    }

typedef int (*comparison)(const void *left, const void *right);

LIMITED(void *, malloc, (size_t size), (size))
LIMITED(void *, calloc, (size_t count, size_t size), (count, size))
LIMITED(void *, realloc, (void *memory, size_t size), (memory, size))
LIMITED(void *, reallocarray, (void *memory, size_t count, size_t size), (memory, count, size))
LIMITED(char *, strdup, (const char *text), (text))
LIMITED(void *, tsearch, (const void *key, void **root, comparison compare), (key, root, compare))

/* libcheck is linked in, and tells its parent of each assertion, for which it allocates. */
#define EXEMPT(name, parameters, arguments)                   \
    void exempt_##name parameters __asm__("__wrap_" #name);   \
    void original_##name parameters __asm__("__real_" #name); \
    void exempt_##name parameters {                           \
        is_exempt = true;                                     \
        original_##name arguments;                            \
        is_exempt = false;                                    \
    }

EXEMPT(send_loc_info, (const char *file, int line), (file, line))
EXEMPT(send_failure_info, (const char *message), (message))
