#include "devhost/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

void stream_init(struct stream *stream, int fd, int timeout_ms) {
    stream->fd = fd;
    stream->timeout_ms = timeout_ms;
    stream->deadline_ms = INT64_MAX;
    stream->watch_fd = -1;
    stream->start = 0;
    stream->end = 0;
}

static int time_left_ms(const struct stream *stream) {
    if (stream->deadline_ms == INT64_MAX) {
        return stream->timeout_ms;
    }
    int64_t left_ms = stream->deadline_ms - clock_now_ms(clock_system());
    return left_ms <= 0 ? 0 : left_ms < stream->timeout_ms ? (int)left_ms : stream->timeout_ms;
}

/* Waits until the socket is ready for `events`. False with errno: it is not. */
static bool await(const struct stream *stream, short events) {
    struct pollfd polled[2] = {{.fd = stream->fd, .events = events},
                               {.fd = stream->watch_fd, .events = POLLRDHUP}};
    int ready;
    while ((ready = poll(polled, 2, time_left_ms(stream))) < 0 && errno == EINTR) {
    }
    if (ready == 0) {
        errno = ETIMEDOUT;
    } else if (ready > 0 && polled[0].revents == 0) {
        errno = ECONNABORTED;
    }
    return ready > 0 && polled[0].revents != 0;
}

static ssize_t receive(const struct stream *stream, char *out, size_t size) {
    ssize_t got;
    while ((got = recv(stream->fd, out, size, MSG_DONTWAIT)) < 0) {
        bool waits = errno == EAGAIN || errno == EINTR;
        if (!waits || !await(stream, POLLIN)) {
            return -1;
        }
    }
    return got;
}

static ssize_t fill(struct stream *stream) {
    ssize_t got = receive(stream, stream->buffer, sizeof stream->buffer);
    stream->start = 0;
    stream->end = got > 0 ? (size_t)got : 0;
    return got;
}

ssize_t stream_read(struct stream *stream, char *out, size_t size) {
    if (stream->start == stream->end) {
        return receive(stream, out, size);
    }
    size_t taken = stream->end - stream->start < size ? stream->end - stream->start : size;
    memcpy(out, stream->buffer + stream->start, taken);
    stream->start += taken;
    return (ssize_t)taken;
}

enum stream_line stream_read_line(struct stream *stream, struct strbuf *line) {
    strbuf_clear(line);
    while (true) {
        if (stream->start == stream->end) {
            ssize_t got = fill(stream);
            if (got <= 0) {
                return got < 0 && errno == ETIMEDOUT ? STREAM_LINE_LATE : STREAM_LINE_ENDED;
            }
        }
        const char *from = stream->buffer + stream->start;
        const char *newline = memchr(from, '\n', stream->end - stream->start);
        size_t length = newline != NULL ? (size_t)(newline - from) : stream->end - stream->start;
        strbuf_append(line, from, length);
        stream->start += length + (newline != NULL);
        if (strbuf_status(line) != STATUS_OK) {
            return STREAM_LINE_TOO_LONG;
        }
        if (newline != NULL) {
            if (line->length > 0 && line->data[line->length - 1] == '\r') {
                line->data[--line->length] = '\0';
            }
            return STREAM_LINE;
        }
    }
}

bool stream_write(struct stream *stream, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(stream->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno != EINTR && (errno != EAGAIN || !await(stream, POLLOUT))) {
            return false;
        }
    }
    return true;
}
