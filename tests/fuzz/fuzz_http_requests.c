/*
 * The bytes of a connection to the server. Heads and bodies that are read in pieces say the same as
 * in one piece, and keep to what http_head.h and http_body.h promise.
 */
#include <string.h>
#include <strings.h>

#include "fuzz/input.h"
#include "server/http_body.h"
#include "server/http_head.h"
#include "server/http_server.h"

enum { RESULT_BYTES = 64 * 1024 };

/* How the bytes were understood. */
struct reading {
    enum http_head_progress progress;
    bool is_read;
    enum http_refusal why;
    struct http_headers headers;
    struct http_body body;
    struct strbuf text; /* the parts of the request line, and the body */
    size_t used;        /* the length of the request, in bytes */
};

static void require_head(const struct http_head *head, const struct http_headers *headers) {
    REQUIRE(head->method[0] != '\0' && strchr(head->method, ' ') == NULL);
    REQUIRE(strlen(head->target) <= HTTP_SERVER_MAX_URL_BYTES && strchr(head->target, '?') == NULL);
    REQUIRE(headers->count <= HTTP_SERVER_MAX_HEADERS && headers->status == STATUS_OK);
    REQUIRE(!head->is_chunked || (head->content_length == 0 && !head->is_1_0));
    for (size_t i = 0; i < headers->count; i++) {
        REQUIRE(headers->items[i].name[0] != '\0' &&
                strpbrk(headers->items[i].name, ": \t\r\n") == NULL);
        REQUIRE(strpbrk(headers->items[i].value, "\r\n") == NULL);
        for (size_t j = 0; j < i; j++) {
            REQUIRE(strcasecmp(headers->items[i].name, headers->items[j].name) != 0);
        }
    }
}

static void read_body(const struct http_head *head, const char *bytes, size_t length, size_t piece,
                      struct reading *out) {
    if (head->is_chunked) {
        http_body_init_chunked(&out->body);
    } else {
        http_body_init(&out->body, head->content_length);
    }
    for (size_t at = 0; at < length && http_body_is_open(&out->body);) {
        size_t next = piece < length - at ? piece : length - at;
        size_t used = http_body_feed(&out->body, bytes + at, next, &out->text);
        REQUIRE(used <= next && (used == next || !http_body_is_open(&out->body)));
        at += used;
        out->used += used;
    }
}

static void read_in_pieces(const char *bytes, size_t length, size_t piece, struct reading *out) {
    struct http_head_reader reader;
    *out = (struct reading){.progress = HTTP_HEAD_PARTIAL};
    http_headers_init(&out->headers);
    strbuf_init(&out->text, RESULT_BYTES);
    http_head_reader_init(&reader);
    while (out->used < length && out->progress == HTTP_HEAD_PARTIAL) {
        size_t used = 0, next = piece < length - out->used ? piece : length - out->used;
        out->progress = http_head_feed(&reader, bytes + out->used, next, &used);
        REQUIRE(used <= next);
        out->used += used;
    }
    if (out->progress == HTTP_HEAD_COMPLETE) {
        struct http_head head;
        out->is_read = http_head_parse(&reader, &head, &out->headers, &out->why);
        if (out->is_read) {
            require_head(&head, &out->headers);
            strbuf_appendf(&out->text, "%s %s %s\n", head.method, head.target, head.query);
            read_body(&head, bytes + out->used, length - out->used, piece, out);
        }
    }
    http_head_reader_cleanup(&reader);
}

static void release(struct reading *reading) {
    http_headers_cleanup(&reading->headers);
    strbuf_cleanup(&reading->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    size_t piece = 1 + input_take_choice(&input, 9);
    size_t length = 0;
    char *bytes = input_take_bytes(&input, &length);
    struct reading whole, pieces;
    read_in_pieces(bytes, length, length, &whole);
    read_in_pieces(bytes, length, piece, &pieces);
    REQUIRE(whole.progress == pieces.progress && whole.is_read == pieces.is_read);
    REQUIRE(whole.used == pieces.used && whole.body.state == pieces.body.state);
    REQUIRE(whole.is_read || whole.progress != HTTP_HEAD_COMPLETE || whole.why == pieces.why);
    REQUIRE(whole.text.length == pieces.text.length &&
            memcmp(whole.text.data, pieces.text.data, whole.text.length) == 0);
    release(&whole);
    release(&pieces);
    free(bytes);
    return 0;
}
