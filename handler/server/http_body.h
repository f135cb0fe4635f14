/*
 * http_body.h - the body of a request as it comes in: finds its end, and takes chunks apart.
 *
 * A `tolerant` reader passes over chunk extensions, as the Functions host's own server does; for others they are a fault, and so is
 * all that RFC 9112 section 7.1 does not have: signs, spaces, "0x", a lone LF, a size of more than 8 digits. Trailers are ignored.
 *
 * Threads: none of its own.
 */
#ifndef SERVER_HTTP_BODY_H
#define SERVER_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* What comes next. */
enum http_body_state {
    HTTP_BODY_ENDED, /* nothing */
    HTTP_BODY_BROKEN,
    HTTP_BODY_BYTES, /* `left` bytes; of a chunk if it is chunked */
    HTTP_BODY_SIZE,  /* a chunk's size */
    HTTP_BODY_EXTENSION,
    HTTP_BODY_SIZE_END,
    HTTP_BODY_CHUNK_CR,
    HTTP_BODY_CHUNK_END,
    HTTP_BODY_TRAILER, /* the start of a line behind the last chunk */
    HTTP_BODY_TRAILER_LINE,
    HTTP_BODY_TRAILER_LINE_END,
    HTTP_BODY_LAST_END
};

struct http_body {
    enum http_body_state state;
    bool is_chunked;
    bool tolerant;
    uint64_t left;
    size_t digit_count;
    size_t trailer_bytes;
};

void http_body_init(struct http_body *body, uint64_t length);
void http_body_init_chunked(struct http_body *body, bool tolerant);

/* Whether more of it must come. */
bool http_body_is_open(const struct http_body *body);

/* Takes bytes up to its end or a fault, appends the body's to `out` (NULL: nowhere), and returns how many it took. */
size_t http_body_feed(struct http_body *body, const char *bytes, size_t length, struct strbuf *out);

#endif
