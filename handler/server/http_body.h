/*
 * http_body.h - the body of a request as it comes in: finds its end, and takes chunks apart.
 *
 * It refuses chunk extensions, as readers do not agree on where one ends, and everything that RFC
 * 9112 section 7.1 does not have: signs, spaces, "0x", a lone LF. A chunk's size has 8 digits at
 * most. Trailers are ignored.
 */
#ifndef SERVER_HTTP_BODY_H
#define SERVER_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* Which part of the body comes next. */
enum http_body_state {
    HTTP_BODY_ENDED, /* none */
    HTTP_BODY_BROKEN,
    HTTP_BODY_BYTES, /* `left` bytes, of a chunk if the body is chunked */
    HTTP_BODY_SIZE,  /* a chunk's size */
    HTTP_BODY_SIZE_END,
    HTTP_BODY_CHUNK_CR,
    HTTP_BODY_CHUNK_END,
    HTTP_BODY_TRAILER, /* the first byte of a line behind the last chunk */
    HTTP_BODY_TRAILER_LINE,
    HTTP_BODY_TRAILER_LINE_END,
    HTTP_BODY_LAST_END
};

struct http_body {
    enum http_body_state state;
    bool is_chunked;
    uint64_t left;      /* bytes until the next part */
    size_t digit_count; /* of a chunk's size */
    size_t trailer_bytes;
};

void http_body_init(struct http_body *body, uint64_t length);
void http_body_init_chunked(struct http_body *body);

/* Returns true if more of the body must come. */
bool http_body_is_open(const struct http_body *body);

/*
 * Takes bytes up to the end of the body, or to a fault. Appends those of the body to `out`, which
 * may be NULL. Returns how many it took.
 */
size_t http_body_feed(struct http_body *body, const char *bytes, size_t length, struct strbuf *out);

#endif
