#include "base/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 10 };

bool standard_streams_open(void) {
    int file;
    do {
        file = open("/dev/null", O_RDONLY); /* open takes the lowest descriptor that is free */
    } while (file >= STDIN_FILENO && file <= STDERR_FILENO);
    if (file > STDERR_FILENO) {
        close(file);
    }
    return file >= 0;
}

/* On Linux FIONREAD counts a pipe's unread bytes at both of its ends. */
static bool has_unread_bytes(int descriptor) {
    struct stat status;
    int bytes = 0;
    return fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode) &&
           ioctl(descriptor, FIONREAD, &bytes) == 0 && bytes > 0;
}

void standard_streams_await_reader(int descriptor, int timeout_ms) {
    bool has_reader = true;
    for (int waited_ms = 0; waited_ms < timeout_ms && has_reader && has_unread_bytes(descriptor);
         waited_ms += LOOK_EVERY_MS) {
        struct pollfd end = {.fd = descriptor}; /* POLLERR: the other end is closed */
        has_reader = poll(&end, 1, LOOK_EVERY_MS) == 0;
    }
}
