/*
 * http_head.h - the head of a request: received piece by piece, then parsed if there is exactly one
 * way to read it.
 *
 * If two readers understand one request differently, a second request can be smuggled past the
 * first reader. So a head that can be read in two ways is refused, however likely one of them is.
 * RFC 9112 lets a server take a line that ends with a lone LF, empty lines in front of the request,
 * and a Content-Length beside "chunked": here they are refused, too.
 *
 * Source: RFC 9112 (HTTP/1.1), sections 2.2, 3, 5 and 6.3.
 */
#ifndef SERVER_HTTP_HEAD_H
#define SERVER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/strbuf.h"
#include "server/http_answer.h"

enum http_head_progress {
    HTTP_HEAD_PARTIAL,
    HTTP_HEAD_COMPLETE,
    HTTP_HEAD_MALFORMED, /* a NUL, a CR or LF that ends no line, or an empty line in front */
    HTTP_HEAD_TOO_LARGE, /* over HTTP_SERVER_MAX_HEAD_BYTES */
    HTTP_HEAD_NO_MEMORY
};

/* All but `text` belongs to http_head.c. */
struct http_head_reader {
    struct strbuf text; /* the bytes that have come so far */
    bool line_is_empty;
    char last;
};

void http_head_reader_init(struct http_head_reader *reader);

/*
 * Both wipe the text, which may hold keys. A reader that was reset can be used again, and keeps a
 * small buffer.
 */
void http_head_reader_reset(struct http_head_reader *reader);
void http_head_reader_cleanup(struct http_head_reader *reader);

/* Takes bytes up to the end of the head. *out_used is how many it took. */
enum http_head_progress http_head_feed(struct http_head_reader *reader, const char *bytes,
                                       size_t length, size_t *out_used);

/* A content_length that fits into no number. */
#define HTTP_HEAD_HUGE UINT64_MAX

struct http_head {
    const char *method;
    const char *target; /* as it was sent, up to a '?' */
    const char *query;  /* as it was sent; "" if none */
    bool is_1_0;
    bool is_chunked;
    uint64_t content_length; /* 0 if none was sent; may be HTTP_HEAD_HUGE */
};

/*
 * Parses a complete head. The strings of *out lie in the reader's text, which is changed. Adds each
 * header to `headers`; those of one name are joined with ", ", as the Functions host does.
 * Returns false if the request is to be refused: *out_why says how.
 */
bool http_head_parse(struct http_head_reader *reader, struct http_head *out,
                     struct http_headers *headers, enum http_refusal *out_why);

#endif
