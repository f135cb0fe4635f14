#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_BYTES = 16 * 1024,
    MAX_EVENTS = 128,
    ANSWER_MAX_BYTES = 16 * 1024 * 1024,
};

struct connection {
    int fd;
    enum simulated_service service;
    bool is_listener;
    bool is_closed;
    bool waits_for_room;
    bool is_busy; /* its request is in one of the queues */
    char *in;     /* one byte more than the capacity, for a NUL */
    size_t in_length, in_capacity, request_length;
    struct strbuf out;
    size_t sent;
    struct simulated_request request;
    int64_t due_us;
    TAILQ_ENTRY(connection) link;
};

TAILQ_HEAD(connection_queue, connection);

static struct {
    int epoll_fd;
    int64_t half_delay_us;
    struct connection_queue arriving, leaving; /* in order of time, since all are delayed alike */
    http_serve_request serve;
    void *context;
} server;

static void *checked(void *memory) {
    if (memory == NULL) {
        fputs("fake storage: no memory\n", stderr);
        exit(1);
    }
    return memory;
}

static int64_t clock_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- requests ---- */

/* Whether the whole request is there. */
static bool take_request(struct connection *connection) {
    connection->request_length = simulated_request_read(
        (struct text){connection->in, connection->in_length}, &connection->request);
    return connection->request_length > 0;
}

static void serve_request(struct connection *connection) {
    server.serve(server.context, connection->service, &connection->request, &connection->out);
    connection->in_length -= connection->request_length;
    memmove(connection->in, connection->in + connection->request_length, connection->in_length);
    if (strbuf_status(&connection->out) != STATUS_OK) {
        checked(NULL);
    }
}

/* ---- connections: ends, and answers on their way ---- */

static void watch(struct connection *connection, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(server.epoll_fd, operation, connection->fd, &event) != 0) {
        perror("fake storage: epoll_ctl");
        exit(1);
    }
}

static void free_connection(struct connection *connection) {
    close(connection->fd);
    strbuf_cleanup(&connection->out);
    free(connection->in);
    free(connection);
}

/* One that is in a queue is freed when it leaves it. */
static void end_connection(struct connection *connection) {
    if (!connection->is_closed) {
        watch(connection, EPOLL_CTL_DEL, 0);
        connection->is_closed = true;
    }
    if (!connection->is_busy) {
        free_connection(connection);
    }
}

/* False: the connection is gone. */
static bool send_answer(struct connection *connection) {
    while (connection->sent < connection->out.length) {
        ssize_t count =
            send(connection->fd, connection->out.data + connection->sent,
                 connection->out.length - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) {
            if (!connection->waits_for_room) {
                watch(connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
                connection->waits_for_room = true;
            }
            return true;
        }
        if (count < 0) {
            end_connection(connection);
            return false;
        }
        connection->sent += (size_t)count;
    }
    strbuf_clear(&connection->out);
    connection->sent = 0;
    if (connection->waits_for_room) {
        watch(connection, EPOLL_CTL_MOD, EPOLLIN);
        connection->waits_for_room = false;
    }
    return true;
}

/* ---- the way there and back ---- */

static void enqueue(struct connection_queue *queue, struct connection *connection) {
    connection->is_busy = true;
    connection->due_us = clock_us(CLOCK_MONOTONIC) + server.half_delay_us;
    TAILQ_INSERT_TAIL(queue, connection, link);
}

static void go_on(struct connection *connection) {
    while (!connection->is_busy && connection->out.length == 0 && take_request(connection)) {
        if (server.half_delay_us > 0) {
            enqueue(&server.arriving, connection);
            return;
        }
        serve_request(connection);
        if (!send_answer(connection)) {
            return;
        }
    }
}

/* Takes the first of the queue whose time has come; NULL: none. */
static struct connection *take_due(struct connection_queue *queue, int64_t now_us) {
    struct connection *first = TAILQ_FIRST(queue);
    if (first == NULL || first->due_us > now_us) {
        return NULL;
    }
    TAILQ_REMOVE(queue, first, link);
    first->is_busy = false;
    if (first->is_closed) {
        free_connection(first);
        return take_due(queue, now_us);
    }
    return first;
}

static void serve_due(void) {
    int64_t now_us = clock_us(CLOCK_MONOTONIC);
    for (struct connection *next; (next = take_due(&server.arriving, now_us)) != NULL;) {
        serve_request(next);
        enqueue(&server.leaving, next);
    }
    for (struct connection *next; (next = take_due(&server.leaving, now_us)) != NULL;) {
        if (send_answer(next)) {
            go_on(next);
        }
    }
}

/* ---- connections ---- */

static struct connection *new_connection(int fd, enum simulated_service service, bool is_listener) {
    struct connection *connection = checked(calloc(1, sizeof *connection));
    connection->fd = fd;
    connection->service = service;
    connection->is_listener = is_listener;
    strbuf_init(&connection->out, ANSWER_MAX_BYTES);
    if (!is_listener) {
        connection->in_capacity = FIRST_BYTES;
        connection->in = checked(malloc(FIRST_BYTES + 1));
    }
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    return connection;
}

static void accept_connection(const struct connection *listener) {
    int fd = accept(listener->fd, NULL, NULL), yes = 1;
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        new_connection(fd, listener->service, false);
    }
}

/* The request in hand points into `in`, so that it grows only while none is. */
static void receive(struct connection *connection) {
    if (connection->is_busy) { /* a client that pipelines, or has gone */
        char byte;
        if (recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
            end_connection(connection);
        }
        return;
    }
    if (connection->in_length == connection->in_capacity) {
        connection->in_capacity *= 2;
        connection->in = checked(realloc(connection->in, connection->in_capacity + 1));
    }
    ssize_t count = recv(connection->fd, connection->in + connection->in_length,
                         connection->in_capacity - connection->in_length, MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN)) {
        end_connection(connection);
    } else if (count > 0) {
        connection->in_length += (size_t)count;
        go_on(connection);
    }
}

static void handle(struct connection *connection, uint32_t events) {
    if (connection->is_listener) {
        accept_connection(connection);
    } else if ((events & EPOLLOUT) != 0 && connection->out.length > 0) {
        if (send_answer(connection)) {
            go_on(connection);
        }
    } else {
        receive(connection);
    }
}

static int listen_at(enum simulated_service service) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        perror("fake storage: listening");
        exit(1);
    }
    new_connection(fd, service, true);
    return ntohs(address.sin_port);
}

static struct timespec *time_left(struct timespec *left) {
    const struct connection *arriving = TAILQ_FIRST(&server.arriving),
                            *leaving = TAILQ_FIRST(&server.leaving);
    if (arriving == NULL && leaving == NULL) {
        return NULL;
    }
    int64_t due_us = arriving == NULL || (leaving != NULL && leaving->due_us < arriving->due_us)
                         ? leaving->due_us
                         : arriving->due_us;
    int64_t left_us = due_us - clock_us(CLOCK_MONOTONIC);
    left_us = left_us < 0 ? 0 : left_us;
    *left = (struct timespec){.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
    return left;
}

void http_serve(http_serve_request serve, void *context, int64_t delay_us) {
    server.serve = serve;
    server.context = context;
    server.epoll_fd = epoll_create1(0);
    server.half_delay_us = delay_us / 2;
    TAILQ_INIT(&server.arriving);
    TAILQ_INIT(&server.leaving);
    int blob_port = listen_at(SIMULATED_BLOB_SERVICE),
        table_port = listen_at(SIMULATED_TABLE_SERVICE);
    printf("{\"blob\":%d,\"table\":%d}\n", blob_port, table_port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        struct timespec left;
        int count = epoll_pwait2(server.epoll_fd, events, MAX_EVENTS, time_left(&left), NULL);
        for (int i = 0; i < count; i++) {
            handle(events[i].data.ptr, events[i].events);
        }
        serve_due();
    }
}
