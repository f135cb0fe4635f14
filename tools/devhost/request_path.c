#include "devhost/request_path.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"

enum { MAX_SEQUENCE_BYTES = 4 };

static int hex_value(char c) {
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Returns the byte that is encoded at `at`, -1 if none is. */
static int escaped_byte(const char *at, const char *end) {
    if (end - at < 3 || at[0] != '%' || !isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2])) {
        return -1;
    }
    return hex_value(at[1]) * 16 + hex_value(at[2]);
}

/* Decodes the one character that is encoded at `at` into `out`. Returns its bytes, 0 if there is none in UTF-8. */
static size_t escaped_character(const char *at, const char *end, char out[MAX_SEQUENCE_BYTES]) {
    size_t count = 0;
    for (int byte; count < MAX_SEQUENCE_BYTES && (byte = escaped_byte(at + 3 * count, end)) >= 0;) {
        out[count++] = (char)byte;
    }
    uint32_t code_point;
    return count > 0 ? utf8_decode(out, count, &code_point) : 0;
}

void request_path_decode(struct strbuf *out, const char *path, size_t length) {
    const char *end = path + length;
    while (path < end) {
        char bytes[MAX_SEQUENCE_BYTES];
        size_t count = escaped_character(path, end, bytes);
        if (count == 0 || bytes[0] == '/') {
            strbuf_append_char(out, *path++);
        } else {
            strbuf_append(out, bytes, count);
            path += 3 * count;
        }
    }
}

/* RFC 3986's pchar and the slash. */
static bool may_stand_in_path(char c) {
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL);
}

static void append_encoded(struct strbuf *out, const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (may_stand_in_path(bytes[i])) {
            strbuf_append_char(out, bytes[i]);
        } else {
            strbuf_appendf(out, "%%%02X", (unsigned char)bytes[i]);
        }
    }
}

/* Drops the last segment of `out`, but never what was there before `floor`. */
static void drop_segment(struct strbuf *out, size_t floor) {
    while (out->length > floor && out->data[out->length - 1] != '/') {
        out->length--;
    }
    if (out->length > floor) {
        out->length--;
    }
    out->data[out->length] = '\0';
}

/* Appends `path` without its dot segments (RFC 3986 section 5.2.4). It begins with a slash. */
static void append_without_dots(struct strbuf *out, const char *path) {
    size_t floor = out->length;
    while (*path != '\0') {
        size_t length = 1 + strcspn(path + 1, "/"); /* a slash and its segment */
        bool last = path[length] == '\0';
        bool one = length == 2 && path[1] == '.';
        bool two = length == 3 && path[1] == '.' && path[2] == '.';
        if (two && out->length > floor) {
            drop_segment(out, floor);
        }
        if (!one && !two) {
            strbuf_append(out, path, length);
        } else if (last) {
            strbuf_append_char(out, '/');
        }
        path += length;
    }
}

bool request_path_canonical(struct strbuf *out, const char *path, size_t length) {
    struct strbuf decoded;
    strbuf_init(&decoded, out->max_bytes);
    const char *end = path + length;
    bool good = true;
    while (path < end && good) {
        char bytes[MAX_SEQUENCE_BYTES];
        size_t count = escaped_character(path, end, bytes);
        good = count != 1 || bytes[0] != '\0';
        if (count == 0 && escaped_byte(path, end) >= 0) {
            strbuf_append(&decoded, path, 3);
            path += 3;
        } else if (count == 0) {
            append_encoded(&decoded, path++, 1);
        } else {
            bytes[0] == '/' ? strbuf_append_string(&decoded, "%2F") : append_encoded(&decoded, bytes, count);
            path += 3 * count;
        }
    }
    if (good) {
        append_without_dots(out, decoded.data);
    }
    strbuf_release(&decoded);
    return good;
}

void request_path_rebuild(struct strbuf *out, const char *canonical) {
    struct strbuf decoded;
    strbuf_init(&decoded, out->max_bytes);
    request_path_decode(&decoded, canonical, strlen(canonical));
    struct strbuf encoded;
    strbuf_init(&encoded, out->max_bytes);
    const char *end = decoded.data + strcspn(decoded.data, "?#");
    for (const char *at = decoded.data; at < end;) {
        if (escaped_byte(at, end) >= 0) {
            strbuf_append(&encoded, at, 3);
            at += 3;
        } else {
            append_encoded(&encoded, *at == '\\' ? "/" : at, 1);
            at++;
        }
    }
    append_without_dots(out, encoded.data);
    strbuf_release(&encoded);
    strbuf_release(&decoded);
}
