#include "support/fakes/http_fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_REQUEST_BYTES = 8 * 1024 * 1024, MAX_CONNECTIONS = 1024, WAIT_S = 100 };

struct scripted {
    struct scripted *next;
    struct http_fake_answer answer;
};

struct connection {
    struct http_fake *fake;
    int fd;
    int number;
    pthread_t thread;
};

struct http_fake {
    int listen_fd;
    char url[64];
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows; `changed` tells of every change */
    pthread_cond_t changed;
    struct scripted *script;
    struct scripted **script_tail;
    struct http_fake_request **requests;
    size_t request_count;
    struct connection connections[MAX_CONNECTIONS];
    int connection_count;
    bool let_go;
    bool stopping;
};

static void need(bool holds, const char *what) {
    if (holds) {
        return;
    }
    fprintf(stderr, "http_fake: %s: %s\n", what, strerror(errno));
    abort();
}

static char *copy_text(const char *text) {
    char *copy = text ? strdup(text) : NULL;
    need(!text || copy, "strdup");
    return copy;
}

/* --- one connection --- */

static bool send_all(int fd, const char *data, size_t length) {
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* Reads until `buf` holds `wanted` bytes, or, with `end`, that text. False: the client has gone. */
static bool receive(int fd, struct strbuf *buf, size_t wanted, const char *end) {
    while (end ? !strstr(buf->data, end) : buf->length < wanted) {
        char chunk[16 * 1024];
        ssize_t got = recv(fd, chunk, sizeof chunk, 0);
        if (got <= 0) {
            return false;
        }
        strbuf_append(buf, chunk, (size_t)got);
        need(strbuf_status(buf) == STATUS_OK, "the request is too long");
    }
    return true;
}

static void parse_headers(struct http_fake_request *request, char *head) {
    char *rest = head, *line = strsep(&rest, "\n");
    request->method = copy_text(strsep(&line, " "));
    request->target = copy_text(strsep(&line, " "));
    while ((line = strsep(&rest, "\n")) != NULL) {
        line[strcspn(line, "\r")] = '\0';
        char *value = strchr(line, ':');
        if (!value) {
            continue;
        }
        *value++ = '\0';
        http_headers_add(&request->headers, line, value + strspn(value, " "));
    }
}

/*
 * The next request of a connection; NULL: there is none. `buf` carries over what was read too far.
 */
static struct http_fake_request *read_request(struct connection *connection, struct strbuf *buf) {
    if (!receive(connection->fd, buf, 0, "\r\n\r\n")) {
        return NULL;
    }
    struct http_fake_request *request = calloc(1, sizeof *request);
    need(request, "calloc");
    http_headers_init(&request->headers);
    request->connection = connection->number;
    size_t head_length = (size_t)(strstr(buf->data, "\r\n\r\n") - buf->data) + 4;
    char *head = strndup(buf->data, head_length);
    need(head, "strndup");
    parse_headers(request, head);
    free(head);

    const char *length = http_headers_get(&request->headers, "Content-Length");
    request->body_length = length ? strtoul(length, NULL, 10) : 0;
    bool whole = receive(connection->fd, buf, head_length + request->body_length, NULL);
    char *body = calloc(1, request->body_length + 1);
    need(body, "calloc");
    request->body = body;
    if (whole) {
        memcpy(body, buf->data + head_length, request->body_length);
    }
    strbuf_clear(buf); /* clients of ours do not pipeline */
    return request;
}

/* Remembers the request and takes its answer from the script; the caller frees it. */
static struct scripted *next_answer(struct http_fake *fake, struct http_fake_request *request) {
    struct scripted *taken;
    pthread_mutex_lock(&fake->lock);
    fake->requests =
        realloc(fake->requests, (fake->request_count + 1) * sizeof(struct http_fake_request *));
    need(fake->requests, "realloc");
    fake->requests[fake->request_count++] = request;
    taken = fake->script;
    if (taken) {
        fake->script = taken->next;
        if (!fake->script) {
            fake->script_tail = &fake->script;
        }
    }
    pthread_cond_broadcast(&fake->changed);
    while (taken && taken->answer.behaviour == HTTP_FAKE_HANG && !fake->let_go && !fake->stopping) {
        pthread_cond_wait(&fake->changed, &fake->lock);
    }
    pthread_mutex_unlock(&fake->lock);
    return taken;
}

static bool has_header(const struct http_headers *headers, const char *name, const char *value) {
    const char *found = http_headers_get(headers, name);
    return found && (!value || strcmp(found, value) == 0);
}

/* "Blob service REST API", "Table service REST API". */
static int success_of(const struct http_fake_request *request) {
    const struct http_headers *headers = &request->headers;
    if (has_header(headers, "x-ms-lease-action", "acquire") ||
        has_header(headers, "x-ms-blob-type", NULL) ||
        (strcmp(request->method, "PUT") == 0 && strstr(request->target, "?restype=container"))) {
        return 201;
    }
    if (has_header(headers, "x-ms-lease-action", "break")) {
        return 202;
    }
    return has_header(headers, "Prefer", "return-no-content") ? 204 : 200;
}

/* What makes an answer storage's. */
static void append_storage_headers(struct strbuf *text, int status,
                                   const struct http_headers *asked) {
    const char *action = http_headers_get(asked, "x-ms-lease-action");
    strbuf_append_string(text, "x-ms-request-id: 00000000-0000-4000-8000-000000000000\r\n");
    if (action && status < 300 &&
        (strcmp(action, "acquire") == 0 || strcmp(action, "renew") == 0)) {
        const char *proposed = http_headers_get(asked, "x-ms-proposed-lease-id");
        const char *held = http_headers_get(asked, "x-ms-lease-id");
        strbuf_appendf(text, "x-ms-lease-id: %s\r\n", proposed ? proposed : held ? held : "");
    }
}

/* The last headers come first: Authorization is among them, and a message may be cut. */
static void append_echo(struct strbuf *text, const struct http_fake_request *request) {
    strbuf_appendf(text, "%s %s", request->method, request->target);
    for (size_t i = request->headers.count; i-- > 0;) {
        const struct http_header *header = &request->headers.items[i];
        strbuf_appendf(text, " %s: ", header->name);
        for (const char *c = header->value; *c; c++) {
            const char fit_for_json = (char)(*c == '"' ? '\'' : *c);
            strbuf_append_char(text, fit_for_json);
        }
    }
}

/* The text as the answer has it, "" for NULL. The caller's. */
static struct strbuf text_of(const struct http_fake_answer *answer, const char *text,
                             const struct http_fake_request *request) {
    struct strbuf out;
    strbuf_init(&out, SIZE_MAX);
    for (const char *c = text ? text : ""; *c; c++) {
        if (answer->echoes && *c == '@') {
            append_echo(&out, request);
        } else {
            strbuf_append_char(&out, *c);
        }
    }
    need(strbuf_status(&out) == STATUS_OK, "no memory for an answer");
    return out;
}

static bool send_answer(int fd, const struct http_fake_answer *answer,
                        const struct http_fake_request *request) {
    struct strbuf headers = text_of(answer, answer->headers, request),
                  body = text_of(answer, answer->body, request);
    size_t length = body.length, sent = answer->behaviour == HTTP_FAKE_CUT ? length / 2 : length;
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    strbuf_append_string(&text, answer->interim ? answer->interim : "");
    int status = answer->status ? answer->status : success_of(request);
    strbuf_appendf(&text, "HTTP/1.1 %d Scripted\r\n%s", status, headers.data);
    if (answer->code) {
        strbuf_appendf(&text, "x-ms-error-code: %s\r\n", answer->code);
    }
    if (!answer->is_foreign) {
        append_storage_headers(&text, status, &request->headers);
    }
    if (status != 204 && status != 304) {
        strbuf_appendf(&text, "Content-Length: %zu\r\n", length);
    }
    strbuf_append_string(&text, "\r\n");
    if (strcmp(request->method, "HEAD") != 0) {
        strbuf_append(&text, body.data, sent);
    }
    need(strbuf_status(&text) == STATUS_OK, "no memory for an answer");
    bool ok = send_all(fd, text.data, text.length);
    strbuf_cleanup(&text);
    strbuf_cleanup(&headers);
    strbuf_cleanup(&body);
    return ok && answer->behaviour != HTTP_FAKE_CUT && !answer->close_after;
}

static void scripted_free(struct scripted *scripted) {
    if (!scripted) {
        return;
    }
    free((void *)(uintptr_t)scripted->answer.code);
    free((void *)(uintptr_t)scripted->answer.headers);
    free((void *)(uintptr_t)scripted->answer.body);
    free((void *)(uintptr_t)scripted->answer.interim);
    free(scripted);
}

/* False: the connection is over. */
static bool serve_one(struct connection *connection, struct strbuf *buf) {
    struct http_fake_request *request = read_request(connection, buf);
    if (!request) {
        return false;
    }
    struct scripted *scripted = next_answer(connection->fake, request);
    struct http_fake_answer answer = {0};
    if (scripted) {
        answer = scripted->answer;
    }
    bool open =
        answer.behaviour != HTTP_FAKE_CLOSE && send_answer(connection->fd, &answer, request);
    scripted_free(scripted);
    return open;
}

static void *connection_main(void *user) {
    struct connection *connection = user;
    struct strbuf buf;
    strbuf_init(&buf, MAX_REQUEST_BYTES);
    while (serve_one(connection, &buf)) {
    }
    strbuf_cleanup(&buf);
    shutdown(connection->fd,
             SHUT_RDWR); /* closed by http_fake_free, so that no number is used twice */
    return NULL;
}

/* --- the server --- */

static void *accept_main(void *user) {
    struct http_fake *fake = user;
    int fd;
    while ((fd = accept4(fake->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        need(fake->connection_count < MAX_CONNECTIONS, "too many connections");
        struct connection *connection = &fake->connections[fake->connection_count++];
        *connection = (struct connection){.fake = fake, .fd = fd, .number = fake->connection_count};
        need(pthread_create(&connection->thread, NULL, connection_main, connection) == 0,
             "pthread_create");
    }
    return NULL;
}

static void listen_somewhere(struct http_fake *fake) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    fake->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fake->listen_fd >= 0, "socket");
    need(bind(fake->listen_fd, (struct sockaddr *)&address, size) == 0, "bind");
    need(listen(fake->listen_fd, SOMAXCONN) == 0, "listen");
    need(getsockname(fake->listen_fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
    snprintf(fake->url, sizeof fake->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
}

struct http_fake *http_fake_new(void) {
    struct http_fake *fake = calloc(1, sizeof *fake);
    need(fake, "calloc");
    fake->script_tail = &fake->script;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&fake->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&fake->lock, NULL);
    listen_somewhere(fake);
    need(pthread_create(&fake->thread, NULL, accept_main, fake) == 0, "pthread_create");
    return fake;
}

static void request_free(struct http_fake_request *request) {
    free((void *)(uintptr_t)request->method);
    free((void *)(uintptr_t)request->target);
    free((void *)(uintptr_t)request->body);
    http_headers_cleanup(&request->headers);
    free(request);
}

void http_fake_free(struct http_fake *fake) {
    pthread_mutex_lock(&fake->lock);
    fake->stopping = true;
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->lock);
    shutdown(fake->listen_fd, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    for (int i = 0; i < fake->connection_count; i++) {
        shutdown(fake->connections[i].fd, SHUT_RDWR);
        pthread_join(fake->connections[i].thread, NULL);
        close(fake->connections[i].fd);
    }
    close(fake->listen_fd);
    for (size_t i = 0; i < fake->request_count; i++) {
        request_free(fake->requests[i]);
    }
    while (fake->script) {
        struct scripted *next = fake->script->next;
        scripted_free(fake->script);
        fake->script = next;
    }
    free(fake->requests);
    pthread_cond_destroy(&fake->changed);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}

const char *http_fake_url(const struct http_fake *fake) {
    return fake->url;
}

void http_fake_push(struct http_fake *fake, const struct http_fake_answer *answer) {
    struct scripted *scripted = calloc(1, sizeof *scripted);
    need(scripted, "calloc");
    scripted->answer = *answer;
    scripted->answer.code = copy_text(answer->code);
    scripted->answer.headers = copy_text(answer->headers);
    scripted->answer.body = copy_text(answer->body);
    scripted->answer.interim = copy_text(answer->interim);
    pthread_mutex_lock(&fake->lock);
    *fake->script_tail = scripted;
    fake->script_tail = &scripted->next;
    pthread_mutex_unlock(&fake->lock);
}

void http_fake_wait(struct http_fake *fake, size_t count) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&fake->lock);
    while (fake->request_count < count) {
        errno = pthread_cond_timedwait(&fake->changed, &fake->lock, &until);
        need(errno == 0, "waiting for requests");
    }
    pthread_mutex_unlock(&fake->lock);
}

size_t http_fake_count(struct http_fake *fake) {
    pthread_mutex_lock(&fake->lock);
    size_t count = fake->request_count;
    pthread_mutex_unlock(&fake->lock);
    return count;
}

const struct http_fake_request *http_fake_request(struct http_fake *fake, size_t index) {
    pthread_mutex_lock(&fake->lock);
    need(index < fake->request_count, "there was no such request");
    const struct http_fake_request *request = fake->requests[index];
    pthread_mutex_unlock(&fake->lock);
    return request;
}

const char *http_fake_sent(struct http_fake *fake, size_t index, const char *name) {
    const char *value = http_headers_get(&http_fake_request(fake, index)->headers, name);
    return value != NULL ? value : "";
}

void http_fake_let_go(struct http_fake *fake) {
    pthread_mutex_lock(&fake->lock);
    fake->let_go = true;
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->lock);
}
