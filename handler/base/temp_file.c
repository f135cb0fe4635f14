#include "base/temp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status fail_with_errno(struct error *err, const char *what) {
    char reason[128];
    return error_set(err, STATUS_UNAVAILABLE, "%s: %s", what,
                     strerror_r(errno, reason, sizeof reason));
}

/* Returns the descriptor of a new file without a name, or -1; errno says why. */
static int open_nameless(const char *folder) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/leasehold-XXXXXX", folder) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        unlink(path);
    }
    return fd;
}

enum status temp_file_new(const char *folder, struct temp_file **out, struct error *err) {
    struct temp_file *file = malloc(sizeof *file);
    if (file == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for a temporary file");
    }
    *file = (struct temp_file){.fd = open_nameless(folder)};
    if (file->fd < 0) {
        enum status status = fail_with_errno(err, "no temporary file can be made");
        error_wrap(err, "%s", folder);
        free(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

void temp_file_free(struct temp_file *file) {
    if (file != NULL) {
        close(file->fd);
        free(file);
    }
}

enum status temp_file_append(struct temp_file *file, const char *bytes, size_t length,
                             struct error *err) {
    while (length > 0) {
        ssize_t written = pwrite(file->fd, bytes, length, (off_t)file->length);
        if (written < 0 && errno != EINTR) {
            return fail_with_errno(err, "writing a temporary file");
        }
        if (written > 0) {
            file->length += (uint64_t)written;
            bytes += written;
            length -= (size_t)written;
        }
    }
    return STATUS_OK;
}

enum status temp_file_read(const struct temp_file *file, uint64_t offset, char *out,
                           size_t capacity, size_t *out_got, struct error *err) {
    uint64_t left = file->length - offset;
    size_t wanted = left < capacity ? (size_t)left : capacity;
    size_t total = 0;
    while (total < wanted) {
        ssize_t got = pread(file->fd, out + total, wanted - total, (off_t)(offset + total));
        if (got < 0 && errno != EINTR) {
            return fail_with_errno(err, "reading a temporary file");
        }
        if (got == 0) {
            return error_set(err, STATUS_UNAVAILABLE, "a temporary file was cut short");
        }
        total += got > 0 ? (size_t)got : 0;
    }
    *out_got = total;
    return STATUS_OK;
}
