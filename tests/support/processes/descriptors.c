#include "support/processes/descriptors.h"

#include <fcntl.h>
#include <string.h>

void descriptors_list(struct descriptors *out) {
    memset(out, 0, sizeof *out);
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        out->is_open[fd] = fcntl(fd, F_GETFD) >= 0;
    }
}

int descriptors_count(void) {
    struct descriptors now;
    int count = 0;
    descriptors_list(&now);
    for (size_t i = 0; i < DESCRIPTORS_MAX; i++) {
        count += now.is_open[i];
    }
    return count;
}

int descriptors_inherited_since(const struct descriptors *then, int *out_last) {
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (!then->is_open[fd] && flags >= 0 && (flags & FD_CLOEXEC) == 0) {
            count++;
            if (out_last != NULL) {
                *out_last = fd;
            }
        }
    }
    return count;
}
