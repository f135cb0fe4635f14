#include "base/negative_control.h"

#ifdef LEASEHOLD_NEGATIVE_CONTROL

#include <stdlib.h>
#include <string.h>

bool negative_control(const char *name) {
    const char *list = getenv("LEASEHOLD_NEGATIVE_CONTROL");
    size_t length = strlen(name);
    for (const char *item = list; item != NULL; item = strchr(item, ',')) {
        item += *item == ',';
        if (strncmp(item, name, length) == 0 && (item[length] == ',' || item[length] == '\0')) {
            return true;
        }
    }
    return false;
}

#else
typedef int negative_control_is_empty; /* C has no empty translation unit */
#endif
