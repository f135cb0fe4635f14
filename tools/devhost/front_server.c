#include "devhost/front_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/condition.h"

enum {
    BACKLOG = 4096,
    OWN_DESCRIPTORS = 64, /* what devhost has open besides callers */
    THREAD_STACK_BYTES = 256 * 1024,
    IDLE_MS = 130 * 1000,
    HEAD_MS = 30 * 1000,
    STEP_MS = 120 * 1000, /* the longest pause in a body, or of a caller that takes an answer */
    LINGER_MS = 5000,
    PAUSE_MS = 20
};

struct connection {
    LIST_ENTRY(connection) next;
    struct front_server *server;
    bool is_idle; /* no request is in hand */
    struct stream stream;
};

struct front_server {
    front_server_handler handler;
    void *context;
    int listener;
    int port;
    int stop_event;
    size_t max_connections;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    LIST_HEAD(, connection) connections;
    size_t count;
    bool draining;
};

/* One caller */

static bool begin_request(struct connection *connection, bool is_idle) {
    struct front_server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    connection->is_idle = is_idle;
    bool draining = server->draining;
    pthread_mutex_unlock(&server->lock);
    return !draining;
}

/* Waits for a request's first byte. */
static bool await_request(const struct stream *stream) {
    struct pollfd polled = {.fd = stream->fd, .events = POLLIN};
    int ready = 1;
    while (stream->start == stream->end && (ready = poll(&polled, 1, IDLE_MS)) < 0 &&
           errno == EINTR) {
    }
    return ready > 0;
}

/*
 * Lets the other side read the answer before the connection ends: a close with bytes unread would
 * be a reset.
 */
static void linger(struct stream *stream) {
    char ignored[4096];
    shutdown(stream->fd, SHUT_WR);
    stream->deadline_ms = clock_now_ms(clock_system()) + LINGER_MS;
    while (stream_read(stream, ignored, sizeof ignored) > 0) {
    }
}

static void reset(const struct stream *stream) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* Reads what is left of a body that nobody wanted, so that the next request can be found. */
static bool skip_body(struct body *body) {
    char ignored[4096];
    ssize_t got;
    while ((got = wire_body_read(body, ignored, sizeof ignored)) > 0) {
    }
    return got == 0;
}

/* Serves one request. Returns true if the connection may carry another. */
static bool serve_request(struct connection *connection) {
    struct stream *stream = &connection->stream;
    struct caller_request request;
    stream->deadline_ms = clock_now_ms(clock_system()) + HEAD_MS;
    int status = caller_request_read(&request, stream);
    stream->deadline_ms = INT64_MAX;
    bool keep = false;
    if (status > 0) {
        request.keeps_alive = false;
        caller_request_answer(&request, stream, status);
        linger(stream);
    } else if (status == 0) {
        bool whole = connection->server->handler(connection->server->context, &request, stream);
        if (!whole) {
            reset(stream);
        } else if (!request.keeps_alive || !skip_body(&request.body)) {
            linger(stream);
        } else {
            keep = true;
        }
    }
    caller_request_cleanup(&request);
    return keep;
}

static void *run_connection(void *context) {
    struct connection *connection = context;
    struct front_server *server = connection->server;
    while (await_request(&connection->stream) && begin_request(connection, false) &&
           serve_request(connection) && begin_request(connection, true)) {
    }
    pthread_mutex_lock(&server->lock);
    LIST_REMOVE(connection, next);
    close(connection->stream.fd);
    server->count--;
    pthread_cond_broadcast(
        &server->changed); /* with the lock held: whoever frees the server waits for it */
    pthread_mutex_unlock(&server->lock);
    free(connection);
    return NULL;
}

/* Accepting */

/* Starts a caller's thread. False: there is neither memory nor a thread for it. */
static bool start_connection(struct front_server *server, int fd) {
    struct connection *connection = malloc(sizeof *connection);
    if (connection == NULL) {
        return false;
    }
    connection->server = server;
    connection->is_idle = true;
    stream_init(&connection->stream, fd, STEP_MS);
    pthread_mutex_lock(&server->lock);
    LIST_INSERT_HEAD(&server->connections, connection, next);
    server->count++;
    pthread_mutex_unlock(&server->lock);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    pthread_t thread;
    bool started = pthread_create(&thread, &attributes, run_connection, connection) == 0;
    pthread_attr_destroy(&attributes);
    if (!started) {
        pthread_mutex_lock(&server->lock);
        LIST_REMOVE(connection, next);
        server->count--;
        pthread_mutex_unlock(&server->lock);
        free(connection);
    }
    return started;
}

/* Waits until there is room for one more caller. False: the server stops. */
static bool await_room(struct front_server *server) {
    pthread_mutex_lock(&server->lock);
    while (server->count >= server->max_connections && !server->draining) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    bool draining = server->draining;
    pthread_mutex_unlock(&server->lock);
    return !draining;
}

static void *run(void *context) {
    struct front_server *server = context;
    struct pollfd polled[2] = {{.fd = server->listener, .events = POLLIN},
                               {.fd = server->stop_event, .events = POLLIN}};
    while (await_room(server)) {
        if (poll(polled, 2, -1) < 0 || polled[1].revents != 0) {
            continue;
        }
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
            poll(&polled[1], 1, PAUSE_MS);
        }
        while (fd >= 0 && !start_connection(server, fd)) {
            if (poll(&polled[1], 1, PAUSE_MS) > 0) { /* no thread was free, and the server stops */
                close(fd);
                fd = -1;
            }
        }
    }
    return NULL;
}

/* From start to end */

void front_server_raise_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static size_t count_room(void) {
    struct rlimit limit;
    size_t descriptors = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (size_t)limit.rlim_cur : 1024;
    return descriptors < (size_t)2 * OWN_DESCRIPTORS ? OWN_DESCRIPTORS / 2
                                                     : (descriptors - OWN_DESCRIPTORS) / 2;
}

static int listen_on(int port, int *out_port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, BACKLOG) == 0 && getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
        *out_port = ntohs(address.sin_port);
        return fd;
    }
    if (fd >= 0) {
        int why = errno;
        close(fd);
        errno = why;
    }
    return -1;
}

static void free_server(struct front_server *server) {
    if (server->listener >= 0) {
        close(server->listener);
    }
    if (server->stop_event >= 0) {
        close(server->stop_event);
    }
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

enum status front_server_start(struct front_server **out, int port, front_server_handler handler,
                               void *context, struct error *err) {
    struct front_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the listener");
    }
    server->handler = handler;
    server->context = context;
    server->max_connections = count_room();
    pthread_mutex_init(&server->lock, NULL);
    condition_init(&server->changed);
    LIST_INIT(&server->connections);
    server->stop_event = eventfd(0, EFD_CLOEXEC);
    server->listener = listen_on(port, &server->port);
    if (server->listener < 0) {
        int why = errno;
        free_server(server);
        return error_set(err,
                         why == EADDRINUSE || why == EACCES ? STATUS_UNAVAILABLE : STATUS_INTERNAL,
                         "cannot listen on 127.0.0.1:%d: %s", port, strerror(why));
    }
    if (server->stop_event < 0 || pthread_create(&server->thread, NULL, run, server) != 0) {
        free_server(server);
        return error_set(err, STATUS_INTERNAL, "no thread for the listener");
    }
    *out = server;
    return STATUS_OK;
}

int front_server_port(const struct front_server *server) {
    return server->port;
}

static void shut_down(struct front_server *server, bool idle_only) {
    struct connection *connection;
    LIST_FOREACH(connection, &server->connections, next) {
        if (connection->is_idle || !idle_only) {
            shutdown(connection->stream.fd, SHUT_RDWR);
        }
    }
}

void front_server_drain(struct front_server *server) {
    pthread_mutex_lock(&server->lock);
    server->draining = true;
    shut_down(server, true);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    eventfd_write(server->stop_event, 1);
}

void front_server_stop(struct front_server *server, int64_t timeout_ms) {
    if (server == NULL) {
        return;
    }
    front_server_drain(server);
    pthread_join(server->thread, NULL);
    const struct timespec until = condition_deadline(timeout_ms);
    pthread_mutex_lock(&server->lock);
    while (server->count > 0 && condition_wait_until(&server->changed, &server->lock, &until)) {
    }
    shut_down(server, false);
    while (server->count > 0) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    pthread_mutex_unlock(&server->lock);
    free_server(server);
}
