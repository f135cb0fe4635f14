#include "support/proxies/http_stream.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "support/calls/http_head.h"

enum { MAX_MESSAGE_BYTES = 64 * 1024 * 1024, STATUS_LINE_PREFIX = 9 /* "HTTP/1.1 " */ };

void http_stream_init(struct http_stream *stream) {
    stream->fd = -1;
    strbuf_init(&stream->unread, MAX_MESSAGE_BYTES);
}

void http_stream_cleanup(struct http_stream *stream) {
    strbuf_cleanup(&stream->unread);
}

void http_stream_message_init(struct http_stream_message *message) {
    *message = (struct http_stream_message){.head_length = 0};
    strbuf_init(&message->bytes, MAX_MESSAGE_BYTES);
}

void http_stream_message_cleanup(struct http_stream_message *message) {
    strbuf_cleanup(&message->bytes);
}

bool http_stream_send(struct http_stream *stream, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(stream->fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* Reads on, whatever comes. */
static bool receive(struct http_stream *stream) {
    char chunk[16 * 1024];
    ssize_t got = recv(stream->fd, chunk, sizeof chunk, 0);
    if (got <= 0) {
        return false;
    }
    strbuf_append(&stream->unread, chunk, (size_t)got);
    return strbuf_status(&stream->unread) == STATUS_OK;
}

bool http_stream_await(struct http_stream *stream) {
    return stream->unread.length > 0 || receive(stream);
}

static bool receive_until(struct http_stream *stream, size_t length) {
    while (stream->unread.length < length) {
        if (!receive(stream)) {
            return false;
        }
    }
    return true;
}

/* Moves `*end` behind the next `text` at or after it. */
static bool receive_past(struct http_stream *stream, const char *text, size_t *end) {
    const char *found;
    while ((found = memmem(stream->unread.data + *end, stream->unread.length - *end, text,
                           strlen(text))) == NULL) {
        if (!receive(stream)) {
            return false;
        }
    }
    *end = (size_t)(found - stream->unread.data) + strlen(text);
    return true;
}

/* Moves `*end` behind a chunked body that begins there. */
static bool receive_chunks(struct http_stream *stream, size_t *end) {
    size_t size, line;
    do {
        line = *end;
        if (!receive_past(stream, "\r\n", end)) {
            return false;
        }
        size = strtoul(stream->unread.data + line, NULL, 16);
        if (size > 0) {
            *end += size + 2;
        }
        if (size > MAX_MESSAGE_BYTES || !receive_until(stream, *end)) {
            return false;
        }
    } while (size > 0);
    do { /* the trailers */
        line = *end;
        if (!receive_past(stream, "\r\n", end)) {
            return false;
        }
    } while (*end > line + 2);
    return true;
}

/* Takes the first `length` bytes that were read. */
static bool take(struct http_stream *stream, size_t length, struct strbuf *out) {
    struct strbuf *unread = &stream->unread;
    strbuf_append(out, unread->data, length);
    unread->length -= length;
    memmove(unread->data, unread->data + length, unread->length + 1); /* with its NUL */
    return strbuf_status(out) == STATUS_OK;
}

static bool read_head(struct http_stream *stream, struct http_stream_message *out) {
    size_t end = 0;
    if (!receive_past(stream, "\r\n\r\n", &end) || !take(stream, end, &out->bytes)) {
        return false;
    }
    char connection[32];
    out->head_length = end;
    out->last = strcasecmp(http_stream_header(out, "Connection", connection, sizeof connection),
                           "close") == 0;
    return true;
}

static bool read_body(struct http_stream *stream, bool until_close,
                      struct http_stream_message *out) {
    char coding[32], length[32];
    size_t end = 0;
    http_stream_header(out, "Content-Length", length, sizeof length);
    if (strcasecmp(http_stream_header(out, "Transfer-Encoding", coding, sizeof coding),
                   "chunked") == 0) {
        if (!receive_chunks(stream, &end)) {
            return false;
        }
    } else if (length[0] != '\0' || !until_close) {
        end = strtoul(length, NULL, 10);
        if (!receive_until(stream, end)) {
            return false;
        }
    } else {
        while (receive(stream)) {
        }
        end = stream->unread.length;
        out->last = true;
    }
    return end == 0 || take(stream, end, &out->bytes);
}

bool http_stream_read_request(struct http_stream *stream, struct http_stream_message *out) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char expect[32];
    return read_head(stream, out) &&
           (http_stream_header(out, "Expect", expect, sizeof expect)[0] == '\0' ||
            http_stream_send(stream, go_on, strlen(go_on))) &&
           read_body(stream, false, out);
}

bool http_stream_read_answer(struct http_stream *stream, const char *method,
                             struct http_stream_message *out) {
    long status;
    do {
        strbuf_clear(&out->bytes);
        if (!read_head(stream, out) || out->head_length < STATUS_LINE_PREFIX) {
            return false;
        }
        status = strtol(out->bytes.data + STATUS_LINE_PREFIX, NULL, 10);
    } while (status < 200);
    bool bodiless = strcmp(method, "HEAD") == 0 || status == 204 || status == 304;
    return bodiless || read_body(stream, true, out);
}

const char *http_stream_header(const struct http_stream_message *message, const char *name,
                               char *out, size_t size) {
    return http_head_value(message->bytes.data, message->head_length, name, out, size);
}
