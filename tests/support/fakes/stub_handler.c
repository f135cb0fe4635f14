#include "support/fakes/stub_handler.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, HEAD_BYTES = 64 * 1024, STACK_BYTES = 128 * 1024 };

static struct {
    stub_handler_serve serve;
    void *context;
    int listener;
    pthread_t thread;
    atomic_int count;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    int fds[MAX_CONNECTIONS]; /* -1: free */
    int open;
    bool stopping;
} stub = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* A connection's input. */
struct input {
    int fd;
    size_t start, end;
    char bytes[8192];
};

static int next_byte(struct input *input) {
    if (input->start == input->end) {
        ssize_t got = recv(input->fd, input->bytes, sizeof input->bytes, 0);
        if (got <= 0) {
            return -1;
        }
        input->start = 0;
        input->end = (size_t)got;
    }
    return (unsigned char)input->bytes[input->start++];
}

/* Appends a line with its LF, without CR. False: the connection has ended. */
static bool read_line(struct input *input, char *out, size_t *length, size_t size) {
    for (int c; (c = next_byte(input)) >= 0;) {
        if (c != '\r' && *length < size - 1) {
            out[(*length)++] = (char)c;
        }
        if (c == '\n') {
            out[*length] = '\0';
            return true;
        }
    }
    return false;
}

static bool read_bytes(struct input *input, char **body, size_t *length, size_t count) {
    *body = realloc(*body, *length + count + 1);
    ck_assert_ptr_nonnull(*body);
    for (size_t i = 0; i < count; i++) {
        int c = next_byte(input);
        if (c < 0) {
            return false;
        }
        (*body)[(*length)++] = (char)c;
    }
    (*body)[*length] = '\0';
    return true;
}

static bool read_chunks(struct input *input, char **body, size_t *length) {
    while (true) {
        char line[64];
        size_t used = 0;
        if (!read_line(input, line, &used, sizeof line)) {
            return false;
        }
        size_t count = strtoul(line, NULL, 16);
        if (!read_bytes(input, body, length, count)) {
            return false;
        }
        used = 0;
        if (!read_line(input, line, &used, sizeof line)) {
            return false;
        }
        if (count == 0) {
            return true;
        }
    }
}

/* The value of a header, copied into `out`; "" where there is none. Names compare without case. */
static const char *header_of(const struct stub_request *request, const char *name, char *out,
                             size_t size) {
    out[0] = '\0';
    for (const char *line = strchr(request->head, '\n'); line != NULL && line[1] != '\0';
         line = strchr(line + 1, '\n')) {
        const char *colon = strchr(line + 1, ':');
        if (colon != NULL && (size_t)(colon - line - 1) == strlen(name) &&
            strncasecmp(line + 1, name, strlen(name)) == 0) {
            colon += 1 + strspn(colon + 1, " ");
            snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
        }
    }
    return out;
}

/* Serves one request. False: the connection is to end. */
static bool serve_request(struct input *input, char *head) {
    size_t length = 0;
    size_t line = 0;
    do {
        line = length;
        if (!read_line(input, head, &length, HEAD_BYTES)) {
            return false;
        }
    } while (length - line > 1);
    struct stub_request request = {.head = head, .fd = input->fd};
    if (strncmp(head, "GET / ", 6) == 0) {
        return stub_handler_answer(&request, "404 Not Found", "", "");
    }
    atomic_fetch_add(&stub.count, 1);
    char value[64];
    char *body = NULL;
    size_t body_length = 0;
    request.is_chunked = header_of(&request, "Transfer-Encoding", value, sizeof value)[0] != '\0';
    bool whole =
        request.is_chunked
            ? read_bytes(input, &body, &body_length, 0) && read_chunks(input, &body, &body_length)
            : read_bytes(
                  input, &body, &body_length,
                  strtoul(header_of(&request, "Content-Length", value, sizeof value), NULL, 10));
    request.body = body;
    request.body_length = body_length;
    bool keep = whole && stub.serve(stub.context, &request);
    free(body);
    return keep;
}

static void *run_connection(void *context) {
    int slot = (int)(intptr_t)context;
    struct input *input = calloc(1, sizeof *input);
    char *head = malloc(HEAD_BYTES);
    ck_assert(input != NULL && head != NULL);
    pthread_mutex_lock(&stub.lock);
    input->fd = stub.fds[slot];
    pthread_mutex_unlock(&stub.lock);
    while (serve_request(input, head)) {
    }
    pthread_mutex_lock(&stub.lock);
    close(stub.fds[slot]);
    stub.fds[slot] = -1;
    stub.open--;
    pthread_cond_broadcast(&stub.changed);
    pthread_mutex_unlock(&stub.lock);
    free(input);
    free(head);
    return NULL;
}

static void take_connection(int fd) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_t thread;
    pthread_mutex_lock(&stub.lock);
    int slot = 0;
    while (stub.fds[slot] >= 0) {
        slot++;
        ck_assert_int_lt(slot, MAX_CONNECTIONS);
    }
    stub.fds[slot] = fd;
    stub.open++;
    ck_assert_int_eq(pthread_create(&thread, &attributes, run_connection, (void *)(intptr_t)slot),
                     0);
    pthread_mutex_unlock(&stub.lock);
    pthread_attr_destroy(&attributes);
}

static void *run(void *context) {
    (void)context;
    for (int fd; (fd = accept(stub.listener, NULL, NULL)) >= 0;) {
        take_connection(fd);
    }
    return NULL;
}

int stub_handler_start(int port, stub_handler_serve serve, void *context) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int on = 1;
    stub.serve = serve;
    stub.context = context;
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        stub.fds[i] = -1;
    }
    atomic_store(&stub.count, 0);
    stub.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(stub.listener, 0);
    setsockopt(stub.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(stub.listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(stub.listener, 4096), 0);
    ck_assert_int_eq(getsockname(stub.listener, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(pthread_create(&stub.thread, NULL, run, NULL), 0);
    return ntohs(address.sin_port);
}

void stub_handler_stop(void) {
    shutdown(stub.listener, SHUT_RDWR);
    pthread_join(stub.thread, NULL);
    close(stub.listener);
    pthread_mutex_lock(&stub.lock);
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        if (stub.fds[i] >= 0) {
            shutdown(stub.fds[i], SHUT_RDWR);
        }
    }
    while (stub.open > 0) {
        pthread_cond_wait(&stub.changed, &stub.lock);
    }
    pthread_mutex_unlock(&stub.lock);
}

int stub_handler_count(void) {
    return atomic_load(&stub.count);
}

void stub_handler_await_open(int count) {
    pthread_mutex_lock(&stub.lock);
    while (stub.open > count) {
        pthread_cond_wait(&stub.changed, &stub.lock);
    }
    pthread_mutex_unlock(&stub.lock);
}

bool stub_handler_answer(const struct stub_request *request, const char *status,
                         const char *headers, const char *body) {
    char *text;
    int length = asprintf(&text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
                          strlen(body), body);
    ck_assert_int_gt(length, 0);
    bool sent = send(request->fd, text, (size_t)length, MSG_NOSIGNAL) == length;
    free(text);
    return sent;
}
