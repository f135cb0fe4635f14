/*
 * stream.h - a socket that is read through a buffer and never waited for without limit.
 *
 * Rules        One step (a read, a write) waits `timeout_ms` at most, and nothing waits beyond
 *              `deadline_ms`. While a read waits it also watches `watch_fd`: once that peer has
 *              gone, the read fails with ECONNABORTED.
 * Threads: a stream belongs to one thread; others may only shut its socket down.
 */
#ifndef DEVHOST_STREAM_H
#define DEVHOST_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"

enum { STREAM_BUFFER_BYTES = 16 * 1024 };

struct stream {
    int fd;
    int timeout_ms;
    int64_t deadline_ms; /* of the system's clock; INT64_MAX: none */
    int watch_fd;        /* -1: none */
    size_t start;        /* what was received and not yet read */
    size_t end;
    char buffer[STREAM_BUFFER_BYTES];
};

enum stream_line { STREAM_LINE, STREAM_LINE_ENDED, STREAM_LINE_LATE, STREAM_LINE_TOO_LONG };

/* Without deadline and watched peer. */
void stream_init(struct stream *stream, int fd, int timeout_ms);

/*
 * Up to `size` bytes; 0 at the end; -1 with errno: ETIMEDOUT, ECONNABORTED (see watch_fd), or the
 * socket's own.
 */
ssize_t stream_read(struct stream *stream, char *out, size_t size);

/*
 * Replaces `line` by the next line, without its end, LF or CRLF. STREAM_LINE_ENDED: the stream
 * ended or failed in mid-line. STREAM_LINE_TOO_LONG: it is longer than the strbuf may be.
 * STREAM_LINE_LATE: it did not come in time.
 */
enum stream_line stream_read_line(struct stream *stream, struct strbuf *line);

/* Returns true if the socket took all of it. */
bool stream_write(struct stream *stream, const char *bytes, size_t length);

#endif
