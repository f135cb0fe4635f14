/*
 * http_framing.h - is there exactly one way to read a request? What two readers may read differently is what requests are smuggled
 * with, so it is refused, however well it could be guessed at.
 *
 * Source: RFC 9112 (HTTP/1.1), sections 2.2, 3, 5 and 6.3.
 * Threads: any.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_HTTP_FRAMING_H
#define SERVER_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/http_message.h"

struct http_field {
    const char *name;
    const char *value;
};

/*
 * A head as civetweb leaves it: everything points into the one buffer that it was received in, and the bytes behind a piece, up to
 * the next, have become NULs where they were line breaks, colons, or spaces around a word.
 */
struct http_head {
    const char *method;
    const char *target;
    const char *target_end; /* its NUL */
    const char *version;    /* behind "HTTP/" */
    const struct http_field *fields;
    size_t field_count;
};

/* The bytes from the method to the last value. */
size_t http_framing_head_bytes(const struct http_head *head);

/*
 * Is every line there as a header of its own, ended by CRLF, with a token for a name and the colon right behind it? (civetweb stops
 * reading headers at a line that begins with a space, and takes a lone LF and "Name :".) Reads up to three bytes behind the last
 * piece.
 */
bool http_framing_is_plain(const struct http_head *head);

/* Is there one way to tell where the body ends: one Content-Length of digits alone, or "chunked" in HTTP/1.1, or neither? */
bool http_framing_has_clear_end(const struct http_headers *headers, const char *version);

#endif
