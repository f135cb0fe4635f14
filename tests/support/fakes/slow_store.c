#include "support/fakes/slow_store.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/calls/http_client.h"
#include "support/processes/azurite.h"

enum { REQUEST_BYTES = 8 * 1024, ANSWER_BYTES = 1024, MAX_EVENTS = 64 };

struct connection {
    TAILQ_ENTRY(connection) queued; /* in server->queue while `answers` */
    int fd;
    bool answers; /* `answer` waits for due_ms; what comes meanwhile stays in `request` */
    int64_t due_ms;
    size_t answer_length;
    size_t request_length;
    char answer[ANSWER_BYTES];
    char request[REQUEST_BYTES + 1];
};

/*
 * The delay is the same for all, so those who came first are answered first: a queue is all that it
 * takes.
 */
TAILQ_HEAD(queue, connection);

struct server {
    int listen_fd;
    int epoll_fd;
    int64_t delay_ms;
    struct slow_leases *leases;
    struct queue queue;
    int64_t queue_length;
    int64_t connection_count;
    struct slow_store_stats stats;
};

static int64_t now_ms(void) {
    return clock_now_ms(clock_system());
}

static void need(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "slow_store: %s: %s\n", what, strerror(errno));
        abort();
    }
}

static int64_t max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* --- one request --- */

/* The value of a header in `out`; "" where there is none, or it is longer than any that matters. */
static const char *header(const char *head, const char *name, char *out, size_t size) {
    char start[64];
    out[0] = '\0';
    snprintf(start, sizeof start, "\r\n%s:", name);
    const char *line = strcasestr(head, start);
    if (line != NULL) {
        const char *value = line + strlen(start) + strspn(line + strlen(start), " ");
        size_t length = strcspn(value, "\r");
        if (length < size) {
            memcpy(out, value, length);
            out[length] = '\0';
        }
    }
    return out;
}

/* Takes `head` apart; its headers are read before its request line is cut up. */
static struct slow_answer ask_leases(struct server *server, char *head) {
    char action[16], lease_id[64], duration[16];
    struct slow_request request = {
        .action = header(head, "x-ms-lease-action", action, sizeof action),
        .lease_id = header(head, "x-ms-lease-id", lease_id, sizeof lease_id),
        .duration = header(head, "x-ms-lease-duration", duration, sizeof duration),
    };
    if (lease_id[0] == '\0') {
        header(head, "x-ms-proposed-lease-id", lease_id, sizeof lease_id);
    }
    char *rest = head;
    request.method = strsep(&rest, " ");
    char *target = rest != NULL ? strsep(&rest, " ") : head;
    request.path = strsep(&target, "?");
    request.query = target != NULL ? target : "";
    return slow_leases_answer(server->leases, &request, now_ms());
}

/* In RFC 1123's form, made anew once a second. */
static const char *date(void) {
    static char text[64];
    static time_t made;
    time_t now = time(NULL);
    if (now != made) {
        struct tm parts;
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
        made = now;
    }
    return text;
}

static int print_answer(char *out, const struct slow_answer *answer) {
    char code[128] = "", lease_id[128] = "";
    if (answer->code != NULL) {
        snprintf(code, sizeof code, "x-ms-error-code: %s\r\n", answer->code);
    }
    if (answer->lease_id[0] != '\0') {
        snprintf(lease_id, sizeof lease_id, "x-ms-lease-id: %s\r\n", answer->lease_id);
    }
    return snprintf(
        out, ANSWER_BYTES,
        "HTTP/1.1 %d Slow\r\nServer: slow_store\r\nx-ms-request-id: 1\r\nx-ms-version: "
        "2021-12-02\r\nDate: %s\r\n"
        "ETag: \"0x8D0000000000000\"\r\nLast-Modified: %s\r\n%s%sContent-Length: 0\r\n\r\n",
        answer->status, date(), date(), code, lease_id);
}

static int print_stats(const struct server *server, char *out) {
    struct slow_counts leases = slow_leases_count(server->leases, now_ms());
    const struct slow_store_stats *stats = &server->stats;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
                     usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    char body[ANSWER_BYTES / 2];
    int length =
        snprintf(body, sizeof body,
                 "{\"acquired\":%jd,\"renewed\":%jd,\"released\":%jd,\"refused\":%jd,\"ranOut\":%"
                 "jd,\"held\":%jd,"
                 "\"requests\":%jd,\"connections\":%jd,\"requestsQueued\":%jd,\"cpuUs\":%jd}",
                 (intmax_t)leases.acquired, (intmax_t)leases.renewed, (intmax_t)leases.released,
                 (intmax_t)leases.refused, (intmax_t)leases.ran_out, (intmax_t)leases.held,
                 (intmax_t)stats->requests, (intmax_t)stats->connections,
                 (intmax_t)stats->requests_queued, (intmax_t)cpu_us);
    return snprintf(
        out, ANSWER_BYTES,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length,
        body);
}

/* --- one connection --- */

static void hang_up(struct server *server, struct connection *connection) {
    if (connection->answers) {
        TAILQ_REMOVE(&server->queue, connection, queued);
        server->queue_length--;
    }
    close(connection->fd);
    free(connection);
    server->connection_count--;
}

/* Takes the first request off what has come, if it is there whole; its answer waits from now on. */
static void take_request(struct server *server, struct connection *connection) {
    char *head = connection->request;
    head[connection->request_length] = '\0';
    char *end = strstr(head, "\r\n\r\n");
    if (connection->answers || end == NULL) {
        return;
    }
    end[2] = '\0'; /* the last header's own line break stays */
    char length[32];
    size_t whole = (size_t)(end + 4 - head) +
                   strtoul(header(head, "Content-Length", length, sizeof length), NULL, 10);
    if (connection->request_length < whole) {
        end[2] = '\r';
        return;
    }
    if (strncmp(head, "GET /stats ", 11) == 0) {
        connection->answer_length = (size_t)print_stats(server, connection->answer);
    } else {
        server->stats.requests++;
        struct slow_answer answer = ask_leases(server, head);
        connection->answer_length = (size_t)print_answer(connection->answer, &answer);
    }
    connection->request_length -= whole;
    memmove(head, head + whole, connection->request_length);
    connection->answers = true;
    connection->due_ms = now_ms() + server->delay_ms;
    TAILQ_INSERT_TAIL(&server->queue, connection, queued);
    server->stats.requests_queued = max(server->stats.requests_queued, ++server->queue_length);
}

static void read_more(struct server *server, struct connection *connection) {
    size_t room = REQUEST_BYTES - connection->request_length;
    ssize_t got = recv(connection->fd, connection->request + connection->request_length, room, 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) { /* the client has gone, or has sent more than any request has */
        hang_up(server, connection);
        return;
    }
    connection->request_length += (size_t)got;
    take_request(server, connection);
}

static void send_answer(struct server *server, struct connection *connection) {
    TAILQ_REMOVE(&server->queue, connection, queued);
    server->queue_length--;
    connection->answers = false;
    /*
     * An answer is small and the client waits for it: it goes out in one piece, or the client has
     * gone.
     */
    ssize_t sent =
        send(connection->fd, connection->answer, connection->answer_length, MSG_NOSIGNAL);
    if (sent != (ssize_t)connection->answer_length) {
        hang_up(server, connection);
        return;
    }
    take_request(server, connection);
}

/* --- the server --- */

static void take_connection(struct server *server) {
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    need(server->connection_count < SLOW_STORE_MAX_CONNECTIONS, "too many connections");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct connection *connection = calloc(1, sizeof *connection);
    need(connection != NULL, "calloc");
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    /* The kernel keeps the connection until it reports it with an event. */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    need(epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    server->stats.connections = max(server->stats.connections, ++server->connection_count);
}

static int ms_to_next(const struct server *server) {
    const struct connection *first = TAILQ_FIRST(&server->queue);
    return first != NULL ? (int)max(first->due_ms - now_ms(), 0) : -1;
}

/* The descriptors first, so that no connection goes while events of it are in hand. */
static void serve_once(struct server *server) {
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(server->epoll_fd, events, MAX_EVENTS, ms_to_next(server));
    need(count >= 0 || errno == EINTR, "epoll_wait");
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            take_connection(server);
        } else {
            read_more(server, events[i].data.ptr);
        }
    }
    struct connection *first;
    /* The analyzer does not see that a connection leaves the queue before it is freed. */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    while ((first = TAILQ_FIRST(&server->queue)) != NULL && first->due_ms <= now_ms()) {
        send_answer(server, first);
    }
}

static _Noreturn void serve(int listen_fd, int64_t delay_ms, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE); /* it died before it was asked for */
    }
    struct server server = {
        .listen_fd = listen_fd, .delay_ms = delay_ms, .leases = slow_leases_new()};
    TAILQ_INIT(&server.queue);
    server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    need(server.epoll_fd >= 0, "epoll_create1");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    need(epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) == 0, "epoll_ctl");
    for (;;) {
        serve_once(&server);
    }
}

/* --- its owner's side --- */

/*
 * Listens before there is a process, so that the port is known and a client that connects at once
 * is not refused.
 */
static int listen_somewhere(int *out_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_msg(fd >= 0, "socket: %s", strerror(errno));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, SLOW_STORE_MAX_CONNECTIONS), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

void slow_store_start(struct slow_store *store, int64_t delay_ms) {
    *store = (struct slow_store){.delay_ms = delay_ms};
    int listen_fd = listen_somewhere(&store->port);
    pid_t parent = getpid();
    store->pid = fork();
    if (store->pid == 0) {
        serve(listen_fd, delay_ms, parent);
    }
    ck_assert_msg(store->pid > 0, "fork: %s", strerror(errno));
    close(listen_fd);
    snprintf(store->connection_string, sizeof store->connection_string,
             "AccountName=" AZURITE_ACCOUNT ";AccountKey=" AZURITE_KEY
             ";BlobEndpoint=http://127.0.0.1:%d/" AZURITE_ACCOUNT,
             store->port);
}

static int64_t number(const cJSON *json, const char *name) {
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);
    ck_assert_msg(cJSON_IsNumber(member), "the store's stats have no %s", name);
    return (int64_t)cJSON_GetNumberValue(member);
}

struct slow_store_stats slow_store_stats(const struct slow_store *store) {
    struct http_reply reply = http_ask((struct http_ask){.port = store->port, .path = "/stats"});
    ck_assert_int_eq(reply.status, 200);
    cJSON *json = http_reply_json(&reply);
    struct slow_store_stats stats = {
        .leases = {.acquired = number(json, "acquired"),
                   .renewed = number(json, "renewed"),
                   .released = number(json, "released"),
                   .refused = number(json, "refused"),
                   .ran_out = number(json, "ranOut"),
                   .held = number(json, "held")},
        .requests = number(json, "requests"),
        .connections = number(json, "connections"),
        .requests_queued = number(json, "requestsQueued"),
        .cpu_us = number(json, "cpuUs"),
    };
    cJSON_Delete(json);
    http_reply_cleanup(&reply);
    return stats;
}

void slow_store_cleanup(struct slow_store *store) {
    if (store->pid > 0) {
        kill(store->pid, SIGKILL);
        ck_assert_int_eq(waitpid(store->pid, NULL, 0), store->pid);
    }
    *store = (struct slow_store){.pid = 0};
}
