/*
 * http_stream.h - whole HTTP/1.1 messages from a socket, as the bytes that they are: for whoever
 * stands between two sides.
 *
 * Rules        A message is taken with its head, chunk sizes and trailers, unchanged. Its end is
 *              told by Transfer-Encoding, Content-Length or, for an answer with neither, by the
 *              connection's end. Interim answers (100 Continue) are swallowed.
 * Threads: a stream belongs to one.
 */
#ifndef SUPPORT_HTTP_STREAM_H
#define SUPPORT_HTTP_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

struct http_stream {
    int fd;               /* the caller's to close; -1: none */
    struct strbuf unread; /* what came after the last message */
};

struct http_stream_message {
    struct strbuf bytes;
    size_t head_length; /* with the empty line at its end */
    bool last;          /* its sender keeps the connection open for no other */
};

void http_stream_init(struct http_stream *stream);
void http_stream_cleanup(struct http_stream *stream);

void http_stream_message_init(struct http_stream_message *message);
void http_stream_message_cleanup(struct http_stream_message *message);

/*
 * Waits for the first byte of the next message. False: the other side has gone, here as in all
 * below.
 */
bool http_stream_await(struct http_stream *stream);

/* Reads one message into `out` (empty). `method`: of the request that is answered. */
bool http_stream_read_request(struct http_stream *stream, struct http_stream_message *out);
bool http_stream_read_answer(struct http_stream *stream, const char *method,
                             struct http_stream_message *out);

/* The value of a header, cut to `size`; "" where there is none. Names compare without case. */
const char *http_stream_header(const struct http_stream_message *message, const char *name,
                               char *out, size_t size);

bool http_stream_send(struct http_stream *stream, const char *bytes, size_t length);

#endif
