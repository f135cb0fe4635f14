#include "support/free_port.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_free(int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_free;
}

int free_port_find(void) {
    enum { FIRST = 11000, COUNT = 21000, EACH = 64 };
    static int used;
    int port;
    do {
        ck_assert_int_lt(used, COUNT);
        port = FIRST + (int)(((int64_t)getpid() * EACH + used++) % COUNT);
    } while (!is_free(port));
    return port;
}
