#include "support/fakes/json_memory.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static int left;
static bool failed;

static void *limited_malloc(size_t size) {
    if (left == 0) {
        failed = true;
        return NULL;
    }
    left--;
    return malloc(size);
}

void json_memory_limit(int count) {
    left = count;
    failed = false;
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = limited_malloc, .free_fn = free});
}

bool json_memory_unlimit(void) {
    cJSON_InitHooks(NULL);
    return failed;
}
