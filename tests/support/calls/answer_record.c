#include "support/calls/answer_record.h"

#include <check.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/strbuf.h"
#include "support/calls/raw_http.h"

enum { MAX_PORTS = 65536, MAX_CONNECTIONS = 4096, MAX_LINE_BYTES = 512 * 1024 * 1024 };

/* What listens on a port. */
enum { SERVES_NOT_US, SERVES_HOST, SERVES_HANDLER };

/* Atomic, because a test starts apps while the threads of another app's load are running. */
static atomic_char served[MAX_PORTS];

static struct connection {
    unsigned long long id;
    struct strbuf sent; /* since the last answer */
    int port;           /* 0: not the app's */
    bool is_cut;
} connections[MAX_CONNECTIONS];

static const char *file_path(void) {
    return getenv("LEASEHOLD_ANSWERS");
}

static char server_of(int port) {
    return port > 0 && port < MAX_PORTS ? atomic_load(&served[port]) : SERVES_NOT_US;
}

void answer_record_add_port(int port, bool is_handler) {
    ck_assert(port > 0 && port < MAX_PORTS);
    atomic_store(&served[port], is_handler ? SERVES_HANDLER : SERVES_HOST);
}

void answer_record_remove_port(int port) {
    if (port > 0 && port < MAX_PORTS) {
        atomic_store(&served[port], SERVES_NOT_US);
    }
}

/* ---- a line of the file ---- */

/*
 * {"server","connection","request","answer"[,"isCut"]}, or "stream" instead of the last three:
 * base64 of the bytes as HTTP/1.1 writes them. An answer's body is not chunked any more, whatever
 * its head says.
 */
static void begin_line(struct strbuf *line, int port, unsigned long long connection) {
    strbuf_init(line, MAX_LINE_BYTES);
    strbuf_appendf(line, "{\"server\":\"%s\",\"connection\":\"%d-%llu\"",
                   server_of(port) == SERVES_HANDLER ? "handler" : "host", (int)getpid(),
                   connection);
}

static void add_bytes(struct strbuf *line, const char *name, const void *bytes, size_t length) {
    strbuf_appendf(line, ",\"%s\":\"", name);
    crypto_base64_encode(bytes, length, line);
    strbuf_append_string(line, "\"");
}

/* One write on a file that is open for appending, so that lines of several processes stay whole. */
static void end_line(struct strbuf *line) {
    strbuf_append_string(line, "}\n");
    ck_assert_int_eq(strbuf_status(line), STATUS_OK);
    int fd = open(file_path(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_msg(fd >= 0, "opening %s", file_path());
    ck_assert_int_eq(write(fd, line->data, line->length), (ssize_t)line->length);
    close(fd);
    strbuf_cleanup(line);
}

void answer_record_bytes(int port, const char *request, size_t request_length, const char *answer,
                         size_t answer_length) {
    if (file_path() == NULL || server_of(port) == SERVES_NOT_US) {
        return;
    }
    struct strbuf line;
    begin_line(&line, port, 0);
    add_bytes(&line, "request", request, request_length);
    add_bytes(&line, "answer", answer, answer_length);
    end_line(&line);
}

/* ---- calls ---- */

static int port_of(const char *url, const char **out_path) {
    static const char start[] = "http://127.0.0.1:";
    char *end = NULL;
    if (strncmp(url, start, sizeof start - 1) != 0) {
        return 0;
    }
    long port = strtol(url + sizeof start - 1, &end, 10);
    *out_path = *end == '\0' ? "/" : end;
    return (int)port;
}

static void append_headers(struct strbuf *out, const struct http_headers *headers) {
    for (size_t i = 0; headers != NULL && i < headers->count; i++) {
        strbuf_appendf(out, "%s: %s\r\n", headers->items[i].name, headers->items[i].value);
    }
    strbuf_append_string(out, "\r\n");
}

void answer_record_reply(const struct http_call *call, const struct http_reply *reply) {
    const char *path = NULL;
    int port = port_of(call->url, &path);
    if (file_path() == NULL || server_of(port) == SERVES_NOT_US) {
        return;
    }
    struct strbuf request, answer;
    strbuf_init(&request, MAX_LINE_BYTES);
    strbuf_init(&answer, MAX_LINE_BYTES);
    strbuf_appendf(&request, "%s %s HTTP/1.1\r\nContent-Length: %zu\r\n", call->method, path,
                   call->body_length);
    append_headers(&request, call->headers);
    strbuf_append(&request, call->body, call->body_length);
    strbuf_appendf(&answer, "HTTP/1.1 %d\r\n", reply->status);
    append_headers(&answer, &reply->headers);
    strbuf_append(&answer, reply->body.data, reply->body.length);
    ck_assert(strbuf_status(&request) == STATUS_OK && strbuf_status(&answer) == STATUS_OK);
    answer_record_bytes(port, request.data, request.length, answer.data, answer.length);
    strbuf_cleanup(&request);
    strbuf_cleanup(&answer);
}

/* ---- raw connections ---- */

/* The connection's entry, or NULL if its answers are not written down. */
static struct connection *connection_of(int fd) {
    bool is_ours =
        file_path() != NULL && fd >= 0 && fd < MAX_CONNECTIONS && connections[fd].port != 0;
    return is_ours ? &connections[fd] : NULL;
}

void answer_record_connected(int fd, int port) {
    static atomic_ullong last_id;
    if (file_path() == NULL) {
        return;
    }
    ck_assert_int_lt(fd, MAX_CONNECTIONS);
    struct connection *connection = &connections[fd];
    strbuf_cleanup(&connection->sent);
    *connection = (struct connection){.port = server_of(port) == SERVES_NOT_US ? 0 : port,
                                      .id = atomic_fetch_add(&last_id, 1) + 1};
    strbuf_init(&connection->sent, ANSWER_RECORD_MAX_BYTES);
}

void answer_record_sent(int fd, const void *bytes, size_t length) {
    struct connection *connection = connection_of(fd);
    if (connection == NULL) {
        return;
    }
    size_t room = ANSWER_RECORD_MAX_BYTES - connection->sent.length;
    connection->is_cut = connection->is_cut || length > room;
    strbuf_append(&connection->sent, bytes, length < room ? length : room);
}

void answer_record_raw(int fd, const struct raw_response *answer) {
    struct connection *connection = connection_of(fd);
    if (connection == NULL || answer->status < 200) {
        return;
    }
    struct strbuf line, text;
    strbuf_init(&text, MAX_LINE_BYTES);
    strbuf_append_string(&text, answer->head);
    strbuf_append(&text, answer->body, answer->body_length);
    begin_line(&line, connection->port, connection->id);
    add_bytes(&line, "request", connection->sent.data, connection->sent.length);
    add_bytes(&line, "answer", text.data, text.length);
    if (connection->is_cut) {
        strbuf_append_string(&line, ",\"isCut\":true");
    }
    end_line(&line);
    strbuf_cleanup(&text);
    strbuf_clear(&connection->sent);
    connection->is_cut = false;
}

void answer_record_stream(int fd, const char *bytes, size_t length) {
    struct connection *connection = connection_of(fd);
    if (connection == NULL) {
        return;
    }
    struct strbuf line;
    begin_line(&line, connection->port, connection->id);
    add_bytes(&line, "stream", bytes, length);
    end_line(&line);
}
