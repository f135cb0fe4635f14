#include "devhost/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_free(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return bound;
}

int free_port_find(void) {
    /* Linux gives 32768 and above to connections (ip_local_port_range). */
    enum { FIRST = 11000, COUNT = 21000, EACH = 64 };
    static atomic_int used;
    for (int tries = 0; tries < COUNT; tries++) {
        int port = FIRST + (int)(((int64_t)getpid() * EACH + atomic_fetch_add(&used, 1)) % COUNT);
        if (is_free(port)) {
            return port;
        }
    }
    return 0;
}
