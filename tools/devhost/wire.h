/*
 * wire.h - the parts that HTTP/1.1 requests and answers have in common: header lines and bodies.
 *
 * Threads: those of the stream.
 */
#ifndef DEVHOST_WIRE_H
#define DEVHOST_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"
#include "devhost/stream.h"

enum wire_result { WIRE_OK, WIRE_ENDED, WIRE_LATE, WIRE_MALFORMED, WIRE_TOO_LARGE };

/* Kestrel's limits (KestrelServerLimits): all header lines together, and their number. */
enum { WIRE_MAX_HEADER_BYTES = 32 * 1024, WIRE_MAX_HEADERS = 100 };

/* Whether it is a token, as methods and proper header names are (RFC 9110 section 5.6.2). */
bool wire_is_token(const char *text, size_t length);

/*
 * Reads header lines up to the empty one. Names may have any visible character, as with Kestrel.
 * Values are without the white space around them.
 */
enum wire_result wire_read_headers(struct stream *stream, struct http_headers *out);

/* Returns true if any header of that name has `token` in its comma-separated list, in any case. */
bool wire_has_token(const struct http_headers *headers, const char *name, const char *token);

/* Reads a Content-Length. False: it is not a number of bytes. */
bool wire_parse_length(const char *text, uint64_t *out);

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_END };

/* A body that is being read. */
struct body {
    struct stream *stream;
    enum body_kind kind;
    uint64_t left; /* of the whole body (BODY_LENGTH) or of the present chunk (BODY_CHUNKED) */
    bool in_chunk; /* a chunk's data came before, whose line end is still to be read */
    bool ended;    /* it was read to its end */
    bool failed;   /* it never will be */
};

/* `length` counts for BODY_LENGTH alone. */
void wire_body_init(struct body *body, struct stream *stream, enum body_kind kind, uint64_t length);

/* Up to `size` bytes; 0: the body has ended, as it should; -1: it is cut off, malformed or late. */
ssize_t wire_body_read(struct body *body, char *out, size_t size);

/* Writes one piece of a chunked body; an empty one ends it. */
bool wire_write_chunk(struct stream *stream, const char *bytes, size_t length);

#endif
