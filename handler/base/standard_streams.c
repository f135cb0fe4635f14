#include "base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

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
