#include "devhost/handler_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SENDS = 4,
    MAX_HEAD_BYTES = 256 * 1024,
    MAX_STATUS_LINE_BYTES = 16 * 1024,
    BLOCK_BYTES = 16 * 1024
};

struct handler_connection {
    SLIST_ENTRY(handler_connection) next;
    int port;
    struct stream stream;
};

struct handler_client {
    pthread_mutex_t lock; /* guards the list */
    SLIST_HEAD(, handler_connection) idle;
};

struct handler_client *handler_client_new(void) {
    struct handler_client *client = calloc(1, sizeof *client);
    if (client != NULL) {
        pthread_mutex_init(&client->lock, NULL);
        SLIST_INIT(&client->idle);
    }
    return client;
}

static void close_connection(struct handler_connection *connection) {
    close(connection->stream.fd);
    free(connection);
}

void handler_client_free(struct handler_client *client) {
    if (client == NULL) {
        return;
    }
    while (!SLIST_EMPTY(&client->idle)) {
        struct handler_connection *connection = SLIST_FIRST(&client->idle);
        SLIST_REMOVE_HEAD(&client->idle, next);
        close_connection(connection);
    }
    pthread_mutex_destroy(&client->lock);
    free(client);
}

/* Connections */

/*
 * Whether nothing has come on an idle connection: neither its end nor bytes that nobody asked for.
 */
static bool is_quiet(const struct handler_connection *connection) {
    char byte;
    return recv(connection->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Takes the newest idle connection that may be used. NULL: there is none. */
static struct handler_connection *take_idle(struct handler_client *client, int port) {
    while (true) {
        pthread_mutex_lock(&client->lock);
        struct handler_connection *connection = SLIST_FIRST(&client->idle);
        if (connection != NULL) {
            SLIST_REMOVE_HEAD(&client->idle, next);
        }
        pthread_mutex_unlock(&client->lock);
        if (connection == NULL || (connection->port == port && is_quiet(connection))) {
            return connection;
        }
        close_connection(connection);
    }
}

/*
 * Whether the kernel gave our end the very port that we called: where nobody listens, TCP then
 * connects a socket to itself.
 */
static bool is_connected_to_itself(int fd, int port) {
    struct sockaddr_in own = {0};
    socklen_t length = sizeof own;
    return getsockname(fd, (struct sockaddr *)&own, &length) != 0 || ntohs(own.sin_port) == port;
}

static struct handler_connection *open_connection(int port) {
    struct handler_connection *connection = malloc(sizeof *connection);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    if (connection == NULL || fd < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        is_connected_to_itself(fd, port)) {
        free(connection);
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    connection->port = port;
    stream_init(&connection->stream, fd, 0);
    return connection;
}

void handler_client_finish(struct handler_client *client, struct handler_answer *answer) {
    struct handler_connection *connection = answer->connection;
    bool reusable = answer->body.ended && answer->body.kind != BODY_UNTIL_END &&
                    connection->stream.start == connection->stream.end &&
                    !wire_has_token(&answer->headers, "Connection", "close");
    free(answer->reason);
    http_headers_cleanup(&answer->headers);
    if (!reusable) {
        close_connection(connection);
        return;
    }
    pthread_mutex_lock(&client->lock);
    SLIST_INSERT_HEAD(&client->idle, connection, next);
    pthread_mutex_unlock(&client->lock);
}

/* Sending */

static const char *separator_of(const char *name) {
    return strcasecmp(name, "Cookie") == 0       ? "; "
           : strcasecmp(name, "User-Agent") == 0 ? " "
                                                 : ", ";
}

static bool stands_before(const struct http_headers *headers, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcasecmp(headers->items[i].name, headers->items[index].name) == 0) {
            return true;
        }
    }
    return false;
}

static void append_headers(struct strbuf *out, const struct http_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        const struct http_header *header = &headers->items[i];
        if (stands_before(headers, i)) {
            continue;
        }
        strbuf_append_string(out, header->name);
        strbuf_append_string(out, ": ");
        strbuf_append_string(out, header->value);
        for (size_t j = i + 1; j < headers->count; j++) {
            if (strcasecmp(headers->items[j].name, header->name) == 0) {
                strbuf_append_string(out, separator_of(header->name));
                strbuf_append_string(out, headers->items[j].value);
            }
        }
        strbuf_append_string(out, "\r\n");
    }
}

static bool send_head(struct stream *stream, const struct handler_call *call) {
    struct strbuf head;
    strbuf_init(&head, MAX_HEAD_BYTES);
    strbuf_append_string(&head, call->method);
    strbuf_append_char(&head, ' ');
    strbuf_append_string(&head, call->target);
    strbuf_append_string(&head, " HTTP/1.1\r\nHost: ");
    if (call->host != NULL) {
        strbuf_append_string(&head, call->host);
    } else {
        strbuf_appendf(&head, "127.0.0.1:%d", call->port);
    }
    strbuf_append_string(&head, "\r\n");
    append_headers(&head, call->headers);
    if (call->is_chunked) {
        strbuf_append_string(&head, "Transfer-Encoding: chunked\r\n");
    } else if (call->has_length) {
        strbuf_appendf(&head, "Content-Length: %llu\r\n", (unsigned long long)call->length);
    }
    strbuf_append_string(&head, "\r\n");
    bool sent = strbuf_status(&head) == STATUS_OK && stream_write(stream, head.data, head.length);
    strbuf_cleanup(&head);
    return sent;
}

static enum handler_outcome send_body(struct stream *stream, const struct handler_call *call) {
    char block[BLOCK_BYTES];
    ssize_t got;
    while ((got = call->read_body(call->body_context, block, sizeof block)) > 0) {
        bool sent = call->is_chunked ? wire_write_chunk(stream, block, (size_t)got)
                                     : stream_write(stream, block, (size_t)got);
        if (!sent) {
            return HANDLER_GONE;
        }
    }
    if (got < 0) {
        return HANDLER_CALLER_GONE;
    }
    return !call->is_chunked || stream_write(stream, "0\r\n\r\n", 5) ? HANDLER_ANSWERED
                                                                     : HANDLER_GONE;
}

/* Receiving */

static enum handler_outcome failure_of(bool late) {
    return late ? HANDLER_SILENT : errno == ECONNABORTED ? HANDLER_CALLER_GONE : HANDLER_GONE;
}

/* HTTP/1.1 503 Any Reason */
static bool parse_status_line(const char *line, int *out_status, const char **out_reason) {
    if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] == '\0' || line[8] != ' ') {
        return false;
    }
    char *end;
    long status = strtol(line + 9, &end, 10);
    if (end != line + 12 || status < 100 || status > 599 || (*end != ' ' && *end != '\0')) {
        return false;
    }
    *out_status = (int)status;
    *out_reason = *end == ' ' ? end + 1 : end;
    return true;
}

static bool read_framing(struct handler_answer *answer, struct stream *stream, const char *method) {
    const char *length_text = http_headers_get(&answer->headers, "Content-Length");
    uint64_t length = 0;
    if (strcasecmp(method, "HEAD") == 0 || answer->status == 204 || answer->status == 304) {
        wire_body_init(&answer->body, stream, BODY_NONE, 0);
    } else if (http_headers_get(&answer->headers, "Transfer-Encoding") != NULL) {
        wire_body_init(&answer->body, stream, BODY_CHUNKED, 0);
    } else if (length_text == NULL) {
        wire_body_init(&answer->body, stream, BODY_UNTIL_END, 0);
    } else if (!wire_parse_length(length_text, &length)) {
        return false;
    } else {
        wire_body_init(&answer->body, stream, length > 0 ? BODY_LENGTH : BODY_NONE, length);
    }
    return true;
}

/* Reads one head, an interim one (100 Continue) as well. */
static enum handler_outcome read_head(struct stream *stream, struct handler_answer *answer) {
    struct strbuf line;
    strbuf_init(&line, MAX_STATUS_LINE_BYTES);
    const char *reason = "";
    errno = 0;
    enum stream_line got = stream_read_line(stream, &line);
    enum handler_outcome outcome =
        got != STREAM_LINE ? failure_of(got == STREAM_LINE_LATE) : HANDLER_ANSWERED;
    if (outcome == HANDLER_ANSWERED && !parse_status_line(line.data, &answer->status, &reason)) {
        outcome = HANDLER_GONE;
    }
    if (outcome == HANDLER_ANSWERED) {
        enum wire_result result = wire_read_headers(stream, &answer->headers);
        answer->reason = strdup(reason);
        outcome = result == WIRE_OK && answer->reason != NULL ? HANDLER_ANSWERED
                                                              : failure_of(result == WIRE_LATE);
    }
    strbuf_cleanup(&line);
    return outcome;
}

static enum handler_outcome read_answer(struct stream *stream, const struct handler_call *call,
                                        struct handler_answer *out) {
    enum handler_outcome outcome;
    do {
        free(out->reason);
        out->reason = NULL;
        http_headers_cleanup(&out->headers);
        http_headers_init(&out->headers);
        outcome = read_head(stream, out);
    } while (outcome == HANDLER_ANSWERED && out->status < 200);
    if (outcome == HANDLER_ANSWERED && !read_framing(out, stream, call->method)) {
        outcome = HANDLER_GONE;
    }
    return outcome;
}

/* Sends the call once, on a connection of its own. */
static enum handler_outcome call_once(struct handler_client *client,
                                      const struct handler_call *call, struct handler_answer *out) {
    struct handler_connection *connection = take_idle(client, call->port);
    if (connection == NULL) {
        connection = open_connection(call->port);
    }
    if (connection == NULL) {
        return HANDLER_UNREACHABLE;
    }
    struct stream *stream = &connection->stream;
    stream->timeout_ms = call->silence_ms;
    stream->deadline_ms = call->deadline_ms;
    stream->watch_fd = call->watch_fd;
    *out = (struct handler_answer){.connection = connection};
    http_headers_init(&out->headers);
    enum handler_outcome outcome = send_head(stream, call) ? HANDLER_ANSWERED : HANDLER_GONE;
    if (outcome == HANDLER_ANSWERED && call->read_body != NULL) {
        outcome = send_body(stream, call);
    }
    if (outcome == HANDLER_ANSWERED) {
        outcome = read_answer(stream, call, out);
    }
    if (outcome != HANDLER_ANSWERED) {
        free(out->reason);
        http_headers_cleanup(&out->headers);
        close_connection(connection);
    }
    return outcome;
}

enum handler_outcome handler_client_call(struct handler_client *client,
                                         const struct handler_call *call,
                                         struct handler_answer *out) {
    enum handler_outcome outcome = call_once(client, call, out);
    for (int sent = 1; outcome == HANDLER_GONE && call->is_repeatable && sent < SENDS; sent++) {
        outcome = call_once(client, call, out);
    }
    return outcome;
}
