#include "devhost/wire.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_CHUNK_LINE_BYTES = 4096, MAX_CHUNK_DIGITS = 15 };

bool wire_is_token(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!isalnum(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return length > 0;
}

static bool is_name(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return false;
        }
    }
    return length > 0;
}

/* A field's value may hold any byte but NUL and CR (Kestrel's HttpParser). */
static bool is_value(const char *text, size_t length) {
    return memchr(text, '\0', length) == NULL && memchr(text, '\r', length) == NULL;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static enum wire_result add_header(struct http_headers *out, struct strbuf *line) {
    char *colon = memchr(line->data, ':', line->length);
    if (colon == NULL || !is_name(line->data, (size_t)(colon - line->data)) ||
        !is_value(colon, line->length - (size_t)(colon - line->data))) {
        return WIRE_MALFORMED;
    }
    char *end = line->data + line->length;
    while (end > colon + 1 && is_blank(end[-1])) {
        *--end = '\0';
    }
    char *value = colon + 1;
    while (is_blank(*value)) {
        value++;
    }
    *colon = '\0';
    http_headers_add(out, line->data, value);
    return out->status == STATUS_OK ? WIRE_OK : WIRE_TOO_LARGE;
}

static enum wire_result of_line(enum stream_line line) {
    return line == STREAM_LINE         ? WIRE_OK
           : line == STREAM_LINE_LATE  ? WIRE_LATE
           : line == STREAM_LINE_ENDED ? WIRE_ENDED
                                       : WIRE_TOO_LARGE;
}

enum wire_result wire_read_headers(struct stream *stream, struct http_headers *out) {
    struct strbuf line;
    strbuf_init(&line, WIRE_MAX_HEADER_BYTES);
    size_t total = 0;
    enum wire_result result;
    while ((result = of_line(stream_read_line(stream, &line))) == WIRE_OK && line.length > 0) {
        total += line.length + 2;
        result = total > WIRE_MAX_HEADER_BYTES || out->count == WIRE_MAX_HEADERS
                     ? WIRE_TOO_LARGE
                     : add_header(out, &line);
        if (result != WIRE_OK) {
            break;
        }
    }
    strbuf_cleanup(&line);
    return result;
}

bool wire_has_token(const struct http_headers *headers, const char *name, const char *token) {
    for (size_t i = 0; i < headers->count; i++) {
        if (strcasecmp(headers->items[i].name, name) != 0) {
            continue;
        }
        for (const char *at = headers->items[i].value; *at != '\0';) {
            at += strspn(at, ", \t");
            size_t length = strcspn(at, ", \t");
            if (length == strlen(token) && strncasecmp(at, token, length) == 0) {
                return true;
            }
            at += length;
        }
    }
    return false;
}

bool wire_parse_length(const char *text, uint64_t *out) {
    size_t length = strlen(text);
    if (length == 0 || length > 18 || strspn(text, "0123456789") != length) {
        return false;
    }
    *out = strtoull(text, NULL, 10);
    return true;
}

/* Bodies */

void wire_body_init(struct body *body, struct stream *stream, enum body_kind kind,
                    uint64_t length) {
    *body = (struct body){.stream = stream,
                          .kind = kind,
                          .left = kind == BODY_LENGTH ? length : 0,
                          .ended = kind == BODY_NONE};
}

/*
 * Reads the line with a chunk's size. What follows a semicolon is an extension, which Kestrel
 * skips.
 */
static bool read_chunk_size(struct stream *stream, struct strbuf *line, uint64_t *out) {
    if (stream_read_line(stream, line) != STREAM_LINE) {
        return false;
    }
    size_t digits = strspn(line->data, "0123456789abcdefABCDEF");
    size_t rest = digits + strspn(line->data + digits, " \t");
    if (digits == 0 || digits > MAX_CHUNK_DIGITS ||
        (line->data[rest] != '\0' && line->data[rest] != ';')) {
        return false;
    }
    *out = strtoull(line->data, NULL, 16);
    return true;
}

/* Reads up to the next chunk's data or, after the last chunk, to the end of the trailers. */
static bool start_chunk(struct body *body) {
    struct strbuf line;
    strbuf_init(&line, MAX_CHUNK_LINE_BYTES);
    bool good = !body->in_chunk ||
                (stream_read_line(body->stream, &line) == STREAM_LINE && line.length == 0);
    good = good && read_chunk_size(body->stream, &line, &body->left);
    body->in_chunk = good && body->left > 0;
    if (good && body->left == 0) {
        do {
            good = stream_read_line(body->stream, &line) == STREAM_LINE;
        } while (good && line.length > 0);
        body->ended = good;
    }
    strbuf_cleanup(&line);
    return good;
}

static ssize_t read_body(struct body *body, char *out, size_t size) {
    if (body->kind == BODY_LENGTH && body->left == 0) {
        body->ended = true;
    }
    if (body->kind == BODY_CHUNKED && !body->ended && body->left == 0 && !start_chunk(body)) {
        return -1;
    }
    if (body->ended) {
        return 0;
    }
    if (body->kind != BODY_UNTIL_END && body->left < size) {
        size = (size_t)body->left;
    }
    ssize_t got = stream_read(body->stream, out, size);
    if (body->kind == BODY_UNTIL_END) {
        body->ended = got == 0;
        return got;
    }
    if (got <= 0) {
        return -1;
    }
    body->left -= (uint64_t)got;
    return got;
}

ssize_t wire_body_read(struct body *body, char *out, size_t size) {
    ssize_t got = body->failed ? -1 : read_body(body, out, size);
    body->failed = got < 0;
    return got;
}

bool wire_write_chunk(struct stream *stream, const char *bytes, size_t length) {
    struct strbuf size;
    strbuf_init(&size, 32);
    strbuf_appendf(&size, "%zx\r\n", length);
    bool sent = stream_write(stream, size.data, size.length) &&
                stream_write(stream, bytes, length) && stream_write(stream, "\r\n", 2);
    strbuf_cleanup(&size);
    return sent;
}
