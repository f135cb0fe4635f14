#include "server/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "server/http_server_options.h"

/* The characters of a token, beside letters and digits. Source: RFC 9110 section 5.6.2. */
#define TOKEN_MARKS "!#$%&'*+-.^_`|~"
#define DIGITS "0123456789"
#define SPACES " \t"
#define VERSION_PREFIX "HTTP/"
#define LINE_END "\r\n"
enum { END_BYTES = 4, DELETE = 0x7f, KEPT_BYTES = 4096 };

/* ---- receiving ---- */

void http_head_reader_init(struct http_head_reader *reader) {
    *reader = (struct http_head_reader){.line_is_empty = true};
    strbuf_init(&reader->text, HTTP_SERVER_MAX_HEAD_BYTES + END_BYTES);
}

void http_head_reader_reset(struct http_head_reader *reader) {
    if (reader->text.capacity > KEPT_BYTES) {
        strbuf_cleanup_wipe(&reader->text);
    } else {
        crypto_wipe(reader->text.data, reader->text.capacity > 0 ? reader->text.length : 0);
        strbuf_clear(&reader->text);
    }
    reader->line_is_empty = true;
    reader->last = '\0';
}

void http_head_reader_cleanup(struct http_head_reader *reader) {
    strbuf_cleanup_wipe(&reader->text);
}

/* Takes one byte. Returns HTTP_HEAD_COMPLETE after the one that ends the empty line. */
static enum http_head_progress head_take_byte(struct http_head_reader *reader, char c) {
    bool ends_line = c == '\n';
    if (c == '\0' || ends_line != (reader->last == '\r')) {
        return HTTP_HEAD_MALFORMED;
    }
    bool was_empty = reader->line_is_empty;
    reader->last = c;
    reader->line_is_empty = ends_line || (was_empty && c == '\r');
    return ends_line && was_empty ? HTTP_HEAD_COMPLETE : HTTP_HEAD_PARTIAL;
}

enum http_head_progress http_head_feed(struct http_head_reader *reader, const char *bytes,
                                       size_t length, size_t *out_used) {
    enum http_head_progress progress = HTTP_HEAD_PARTIAL;
    size_t used = 0;
    while (used < length && progress == HTTP_HEAD_PARTIAL) {
        progress = head_take_byte(reader, bytes[used++]);
    }
    strbuf_append(&reader->text, bytes, used);
    *out_used = used;
    if (strbuf_status(&reader->text) != STATUS_OK) {
        return strbuf_status(&reader->text) == STATUS_TOO_LARGE ? HTTP_HEAD_TOO_LARGE
                                                                : HTTP_HEAD_NO_MEMORY;
    }
    if (strcmp(reader->text.data, LINE_END) == 0) {
        return HTTP_HEAD_MALFORMED;
    }
    return progress;
}

/* ---- parsing ---- */

/* Cuts off the next line of *rest, without its end. A received head has no other CR. */
static char *take_line(char **rest) {
    char *line = *rest;
    char *end = strchr(line, '\r');
    *rest = end + strlen(LINE_END);
    *end = '\0';
    return line;
}

static bool is_token_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(TOKEN_MARKS, c) != NULL);
}

static bool is_token(const char *text) {
    const char *at = text;
    while (is_token_character(*at)) {
        at++;
    }
    return at > text && *at == '\0';
}

static bool holds_controls(const char *text, bool tabs_are_fine) {
    for (const char *at = text; *at != '\0'; at++) {
        if (((unsigned char)*at < ' ' && !(*at == '\t' && tabs_are_fine)) || *at == DELETE) {
            return true;
        }
    }
    return false;
}

/* Reads "HTTP/1.1" or "HTTP/1.0". Sets *out_why for any other version. */
static bool read_version(const char *text, struct http_head *out, enum http_refusal *out_why) {
    size_t prefix = strlen(VERSION_PREFIX);
    const char *number = text + prefix;
    if (strncmp(text, VERSION_PREFIX, prefix) != 0 || strspn(number, DIGITS) != 1 ||
        number[1] != '.' || strspn(number + 2, DIGITS) != 1 || number[3] != '\0') {
        *out_why = HTTP_REFUSAL_UNREADABLE;
        return false;
    }
    out->is_1_0 = strcmp(number, "1.0") == 0;
    *out_why = HTTP_REFUSAL_VERSION;
    return out->is_1_0 || strcmp(number, "1.1") == 0;
}

/* Reads "METHOD target version", with one space between them and no other. */
static bool read_request_line(char *line, struct http_head *out, enum http_refusal *out_why) {
    char *rest = line;
    const char *method = strsep(&rest, " ");
    char *target = strsep(&rest, " ");
    if (!is_token(method) || target == NULL || *target == '\0' || rest == NULL ||
        holds_controls(target, false)) {
        *out_why = HTTP_REFUSAL_UNREADABLE;
        return false;
    }
    if (strlen(target) > HTTP_SERVER_MAX_URL_BYTES) {
        *out_why = HTTP_REFUSAL_LONG_URL;
        return false;
    }
    out->method = method;
    out->target = strsep(&target, "?");
    out->query = target != NULL ? target : "";
    return read_version(rest, out, out_why);
}

/*
 * Reads "name: value". The name is a token with the colon right behind it. The value has no control
 * characters but tabs, and loses the spaces around it.
 */
static bool read_field(char *line, struct http_headers *headers) {
    char *value = line;
    const char *name = strsep(&value, ":");
    if (!is_token(name) || value == NULL || holds_controls(value, true)) {
        return false;
    }
    value += strspn(value, SPACES);
    size_t length = strlen(value);
    while (length > 0 && strchr(SPACES, value[length - 1]) != NULL) {
        value[--length] = '\0';
    }
    http_headers_join(headers, name, value);
    return true;
}

static bool read_fields(char *rest, struct http_headers *headers, enum http_refusal *out_why) {
    int count = 0;
    for (char *line = take_line(&rest); *line != '\0'; line = take_line(&rest)) {
        if (++count > HTTP_SERVER_MAX_HEADERS) {
            *out_why = HTTP_REFUSAL_LARGE_HEAD;
            return false;
        }
        if (!read_field(line, headers)) {
            *out_why = HTTP_REFUSAL_AMBIGUOUS;
            return false;
        }
    }
    return true;
}

static uint64_t read_length(const char *digits) {
    enum { SAFE_DIGITS = 18 };
    digits += strspn(digits, "0");
    return strlen(digits) > SAFE_DIGITS ? HTTP_HEAD_HUGE : strtoull(digits, NULL, 10);
}

/*
 * Finds out how the body ends: by one Content-Length of digits alone, or, in HTTP/1.1, by
 * "chunked". Without either there is no body. Returns false for anything else.
 */
static bool read_framing(const struct http_headers *headers, struct http_head *out) {
    const char *length = http_headers_get(headers, "Content-Length");
    const char *encoding = http_headers_get(headers, "Transfer-Encoding");
    if (encoding != NULL) {
        out->is_chunked = true;
        return length == NULL && strcasecmp(encoding, "chunked") == 0 && !out->is_1_0;
    }
    if (length == NULL) {
        return true;
    }
    out->content_length = read_length(length);
    return *length != '\0' && length[strspn(length, DIGITS)] == '\0';
}

bool http_head_parse(struct http_head_reader *reader, struct http_head *out,
                     struct http_headers *headers, enum http_refusal *out_why) {
    *out = (struct http_head){.method = "", .target = "", .query = ""};
    char *rest = reader->text.data;
    char *request_line = take_line(&rest);
    if (!read_request_line(request_line, out, out_why) || !read_fields(rest, headers, out_why)) {
        return false;
    }
    *out_why = headers->status == STATUS_OK ? HTTP_REFUSAL_AMBIGUOUS : HTTP_REFUSAL_NO_MEMORY;
    return headers->status == STATUS_OK && read_framing(headers, out);
}
