#include "server/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/admission.h"
#include "server/http_loop.h"

enum { LISTEN_BACKLOG = 4096, BODIES_MAX_BYTES = 64 * 1024 * 1024 };

struct http_server {
    struct admission admission;
    struct http_loop *loop;
    int port;
};

static enum status listen_error(int port, struct error *err) {
    enum status status =
        errno == EADDRINUSE || errno == EACCES ? STATUS_UNAVAILABLE : STATUS_INTERNAL;
    return error_set(err, status, "the HTTP server cannot listen on 127.0.0.1:%d: %s", port,
                     strerror(errno));
}

/* If *in_out_port is 0, it becomes the port that was chosen. */
static enum status open_listener(int *in_out_port, int *out, struct error *err) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((in_port_t)*in_out_port)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return listen_error(*in_out_port, err);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    /* On Linux, accepted sockets inherit this. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (bind(fd, (const struct sockaddr *)&address, length) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        enum status status = listen_error(*in_out_port, err);
        close(fd);
        return status;
    }
    *in_out_port = ntohs(address.sin_port);
    *out = fd;
    return STATUS_OK;
}

static enum status start_loop(struct http_server *server, struct event_loop *loop,
                              const struct http_server_options *options,
                              http_inbound_handler handler, void *context, struct error *err) {
    struct http_connections connections = {.shared = {.options = *options,
                                                      .handler = handler,
                                                      .context = context,
                                                      .admission = &server->admission,
                                                      .loop = loop},
                                           .max_buffered_bytes =
                                               BODIES_MAX_BYTES + options->max_body_bytes};
    int listener = -1;
    server->port = options->port;
    enum status status = open_listener(&server->port, &listener, err);
    if (status == STATUS_OK) {
        connections.shared.port = server->port;
        status = http_loop_start(&server->loop, &connections, listener, err);
        if (status != STATUS_OK) {
            close(listener);
        }
    }
    return status;
}

enum status http_server_start(struct http_server **out, struct event_loop *loop,
                              const struct http_server_options *options,
                              http_inbound_handler handler, void *context, struct error *err) {
    assert(options->port >= 0 && options->port <= 65535);
    assert(options->max_in_hand > 0 && options->request_timeout_ms > 0);
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    admission_init(&server->admission, options->max_in_hand);
    enum status status = start_loop(server, loop, options, handler, context, err);
    if (status != STATUS_OK) {
        error_wrap(err, "starting the HTTP server");
        admission_cleanup(&server->admission);
        free(server);
        return status;
    }
    *out = server;
    return STATUS_OK;
}

int http_server_port(const struct http_server *server) {
    return server->port;
}

void http_server_drain(struct http_server *server) {
    admission_drain(&server->admission);
}

bool http_server_wait_idle(struct http_server *server, int64_t timeout_ms) {
    return admission_wait_idle(&server->admission, timeout_ms);
}

void http_server_stop(struct http_server *server) {
    if (server == NULL) {
        return;
    }
    http_server_drain(server);
    http_loop_stop(server->loop);
    admission_cleanup(&server->admission);
    free(server);
}
