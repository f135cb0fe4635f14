#include "support/calls/raw_http.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/calls/answer_record.h"
#include "support/calls/http_head.h"

int raw_http_try_connect(const char *address, int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    ck_assert_int_eq(inet_pton(AF_INET, address, &to.sin_addr), 1);
    const struct timeval timeout = {.tv_sec = RAW_HTTP_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    answer_record_connected(fd, port);
    return fd;
}

int raw_http_connect(int port) {
    int fd = raw_http_try_connect("127.0.0.1", port);
    ck_assert_msg(fd >= 0, "nobody listens on 127.0.0.1:%d", port);
    return fd;
}

bool raw_http_send_bytes(int fd, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, next, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        answer_record_sent(fd, next, (size_t)sent);
        next += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool raw_http_send(int fd, const char *text) {
    return raw_http_send_bytes(fd, text, strlen(text));
}

/* Byte by byte, so that nothing of a following response is taken. */
static void read_head(int fd, struct raw_response *out) {
    size_t length = 0;
    while (length < 4 || memcmp(out->head + length - 4, "\r\n\r\n", 4) != 0) {
        ck_assert_msg(length < sizeof out->head - 1, "a response's head is too long");
        ssize_t got = recv(fd, out->head + length, 1, 0);
        ck_assert_msg(got == 1,
                      "the connection ended or fell silent in a response's head, after: %.*s",
                      (int)length, out->head);
        length++;
    }
    out->head[length] = '\0';
    ck_assert_msg(strncmp(out->head, "HTTP/1.1 ", 9) == 0, "not a status line: %s", out->head);
    out->status = (int)strtol(out->head + 9, NULL, 10);
}

/* Appends exactly `count` bytes to the body. */
static void read_bytes(int fd, struct raw_response *out, size_t count) {
    out->body = realloc(out->body, out->body_length + count + 1);
    ck_assert_ptr_nonnull(out->body);
    for (size_t end = out->body_length + count; out->body_length < end;) {
        ssize_t got = recv(fd, out->body + out->body_length, end - out->body_length, 0);
        ck_assert_msg(got > 0, "the connection ended or fell silent %zu bytes before a body's end",
                      end - out->body_length);
        out->body_length += (size_t)got;
    }
    out->body[out->body_length] = '\0';
}

/* Reads "SIZE\r\n" in hexadecimal. */
static size_t read_chunk_size(int fd) {
    char line[64] = "";
    size_t length = 0;
    while (length < 2 || memcmp(line + length - 2, "\r\n", 2) != 0) {
        ck_assert_uint_lt(length, sizeof line - 1);
        ck_assert_msg(recv(fd, line + length, 1, 0) == 1,
                      "the connection ended or fell silent between two chunks");
        length++;
    }
    line[length] = '\0';
    return strtoul(line, NULL, 16);
}

static void read_chunks(int fd, struct raw_response *out) {
    size_t size;
    do {
        size = read_chunk_size(fd);
        read_bytes(fd, out, size + 2);
        out->body_length -= 2; /* the line's end behind the chunk */
        out->body[out->body_length] = '\0';
    } while (size > 0);
}

void raw_http_read(int fd, struct raw_response *out, bool bodiless) {
    raw_response_cleanup(out);
    read_head(fd, out);
    char length[32], coding[32];
    raw_response_header(out, "Content-Length", length, sizeof length);
    raw_response_header(out, "Transfer-Encoding", coding, sizeof coding);
    read_bytes(fd, out, bodiless ? 0 : strtoul(length, NULL, 10));
    if (!bodiless && strcmp(coding, "chunked") == 0) {
        read_chunks(fd, out);
    }
    answer_record_raw(fd, out);
}

void raw_response_cleanup(struct raw_response *response) {
    free(response->body);
    response->body = NULL;
    response->body_length = 0;
}

const char *raw_response_header(const struct raw_response *response, const char *name, char *out,
                                size_t size) {
    return http_head_value(response->head, strlen(response->head), name, out, size);
}

bool raw_http_is_closed(int fd) {
    char byte;
    return recv(fd, &byte, 1, 0) == 0;
}
