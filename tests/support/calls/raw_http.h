/*
 * raw_http.h - a client that sends exactly the bytes it is given to a port of this machine, and
 * reads what comes back.
 *
 * Rules        Every failure fails the test that runs. Nothing waits longer than
 *              RAW_HTTP_TIMEOUT_S.
 * Threads: a connection belongs to one thread at a time.
 */
#ifndef SUPPORT_RAW_HTTP_H
#define SUPPORT_RAW_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum { RAW_HTTP_TIMEOUT_S = 20, RAW_HTTP_HEAD_BYTES = 16 * 1024 };

struct raw_response {
    int status;
    char head[RAW_HTTP_HEAD_BYTES]; /* status line and headers, NUL-terminated */
    char *body;                     /* NUL-terminated; NULL before the first read */
    size_t body_length;
};

/* A connection to 127.0.0.1:port, to be closed with close. */
int raw_http_connect(int port);

/* Connects to another address of this machine: a socket, or -1 if nobody listens there. */
int raw_http_try_connect(const char *address, int port);

/* Sends bytes; the text form up to its NUL. Answers whether the other side took them all. */
bool raw_http_send_bytes(int fd, const void *bytes, size_t length);
bool raw_http_send(int fd, const char *text);

/*
 * Reads one whole response (framed by Content-Length, or chunked); `bodiless` for an answer to
 * HEAD. Release with raw_response_cleanup.
 */
void raw_http_read(int fd, struct raw_response *out, bool bodiless);
void raw_response_cleanup(struct raw_response *response);

/*
 * The value of a header in `out` (cut to `size`); "" where there is none. Names compare without
 * case.
 */
const char *raw_response_header(const struct raw_response *response, const char *name, char *out,
                                size_t size);

/* Does the other side close the connection (rather than keep it or send more)? Waits for it. */
bool raw_http_is_closed(int fd);

#endif
