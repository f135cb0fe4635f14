#include "server/http_body.h"

#include "base/hex.h"

enum { MAX_SIZE_DIGITS = 8, MAX_TRAILER_BYTES = 8 * 1024 };

void http_body_init(struct http_body *body, uint64_t length) {
    *body =
        (struct http_body){.state = length > 0 ? HTTP_BODY_BYTES : HTTP_BODY_ENDED, .left = length};
}

void http_body_init_chunked(struct http_body *body) {
    *body = (struct http_body){.state = HTTP_BODY_SIZE, .is_chunked = true};
}

bool http_body_is_open(const struct http_body *body) {
    return body->state != HTTP_BODY_ENDED && body->state != HTTP_BODY_BROKEN;
}

static size_t body_take_bytes(struct http_body *body, const char *bytes, size_t length,
                              struct strbuf *out) {
    size_t taken = length < body->left ? length : (size_t)body->left;
    if (out != NULL) {
        strbuf_append(out, bytes, taken);
    }
    body->left -= taken;
    if (body->left == 0) {
        body->state = body->is_chunked ? HTTP_BODY_CHUNK_CR : HTTP_BODY_ENDED;
    }
    return taken;
}

static enum http_body_state take_size_digit(struct http_body *body, char c) {
    int digit = hex_digit(c);
    if (digit >= 0 && body->digit_count < MAX_SIZE_DIGITS) {
        body->left = body->left * 16 + (uint64_t)digit;
        body->digit_count++;
        return HTTP_BODY_SIZE;
    }
    return body->digit_count > 0 && c == '\r' ? HTTP_BODY_SIZE_END : HTTP_BODY_BROKEN;
}

static enum http_body_state end_chunk_size(struct http_body *body) {
    body->digit_count = 0;
    return body->left > 0 ? HTTP_BODY_BYTES : HTTP_BODY_TRAILER;
}

static enum http_body_state only(char c, char expected, enum http_body_state next) {
    return c == expected ? next : HTTP_BODY_BROKEN;
}

/* Takes one byte outside of the chunks, and returns what comes next. */
static enum http_body_state take_framing_byte(struct http_body *body, char c) {
    switch (body->state) {
    case HTTP_BODY_SIZE:
        return take_size_digit(body, c);
    case HTTP_BODY_SIZE_END:
        return c == '\n' ? end_chunk_size(body) : HTTP_BODY_BROKEN;
    case HTTP_BODY_CHUNK_CR:
        return only(c, '\r', HTTP_BODY_CHUNK_END);
    case HTTP_BODY_CHUNK_END:
        return only(c, '\n', HTTP_BODY_SIZE);
    case HTTP_BODY_TRAILER:
        return c == '\r'   ? HTTP_BODY_LAST_END
               : c == '\n' ? HTTP_BODY_BROKEN
                           : HTTP_BODY_TRAILER_LINE;
    case HTTP_BODY_TRAILER_LINE:
        return c == '\r'   ? HTTP_BODY_TRAILER_LINE_END
               : c == '\n' ? HTTP_BODY_BROKEN
                           : HTTP_BODY_TRAILER_LINE;
    case HTTP_BODY_TRAILER_LINE_END:
        return only(c, '\n', HTTP_BODY_TRAILER);
    case HTTP_BODY_LAST_END:
        return only(c, '\n', HTTP_BODY_ENDED);
    case HTTP_BODY_BYTES:
    case HTTP_BODY_ENDED:
    case HTTP_BODY_BROKEN:
    default:
        return HTTP_BODY_BROKEN;
    }
}

size_t http_body_feed(struct http_body *body, const char *bytes, size_t length,
                      struct strbuf *out) {
    size_t used = 0;
    while (used < length && http_body_is_open(body)) {
        if (body->state == HTTP_BODY_BYTES) {
            used += body_take_bytes(body, bytes + used, length - used, out);
            continue;
        }
        body->trailer_bytes += body->state == HTTP_BODY_TRAILER_LINE;
        body->state = body->trailer_bytes > MAX_TRAILER_BYTES
                          ? HTTP_BODY_BROKEN
                          : take_framing_byte(body, bytes[used]);
        used++;
    }
    return used;
}
