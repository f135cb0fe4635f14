#include "devhost/request_path.h"

#include <ctype.h>
#include <string.h>

#include "base/percent.h"
#include "base/utf8.h"

enum { MAX_SEQUENCE_BYTES = 4 };

/*
 * Decodes the one character that is encoded at `at` into `out`. Returns its bytes, 0 if there is
 * none in UTF-8.
 */
static size_t escaped_character(const char *at, const char *end, char out[MAX_SEQUENCE_BYTES]) {
    size_t count = 0;
    for (int byte; count < MAX_SEQUENCE_BYTES && (byte = percent_byte(at + 3 * count, end)) >= 0;) {
        out[count++] = (char)byte;
    }
    uint32_t code_point;
    return count > 0 ? utf8_decode(out, count, &code_point) : 0;
}

static void decode(struct strbuf *out, const char *path, size_t length, bool is_query) {
    const char *end = path + length;
    while (path < end) {
        char bytes[MAX_SEQUENCE_BYTES] = "";
        size_t count = escaped_character(path, end, bytes);
        if (count == 0 || (bytes[0] == '/' && !is_query)) {
            bool is_space = is_query && *path == '+';
            strbuf_append(out, is_space ? " " : path, 1);
            path++;
        } else {
            strbuf_append(out, bytes, count);
            path += 3 * count;
        }
    }
}

void request_path_decode(struct strbuf *out, const char *path, size_t length) {
    decode(out, path, length, false);
}

void request_path_decode_query(struct strbuf *out, const char *text, size_t length) {
    decode(out, text, length, true);
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

/* Drops the last segment of `out`, but never what was there before `start`. */
static void drop_segment(struct strbuf *out, size_t start) {
    while (out->length > start && out->data[out->length - 1] != '/') {
        out->length--;
    }
    if (out->length > start) {
        out->length--;
    }
    out->data[out->length] = '\0';
}

/* Appends `path` without its dot segments (RFC 3986 section 5.2.4). It begins with a slash. */
static void append_without_dots(struct strbuf *out, const char *path) {
    size_t start = out->length;
    while (*path != '\0') {
        size_t length = 1 + strcspn(path + 1, "/"); /* a slash and its segment */
        bool last = path[length] == '\0';
        bool one = length == 2 && path[1] == '.';
        bool two = length == 3 && path[1] == '.' && path[2] == '.';
        if (two && out->length > start) {
            drop_segment(out, start);
        }
        if (!one && !two) {
            strbuf_append(out, path, length);
        } else if (last) {
            strbuf_append_char(out, '/');
        }
        path += length;
    }
}

static bool has_nul(const char *path, const char *end) {
    for (; path < end; path++) {
        if (percent_byte(path, end) == 0) {
            return true;
        }
    }
    return false;
}

bool request_path_canonical(struct strbuf *out, const char *path, size_t length) {
    if (has_nul(path, path + length)) {
        return false;
    }
    struct strbuf decoded;
    struct strbuf plain;
    strbuf_init(&decoded, out->max_bytes);
    strbuf_init(&plain, out->max_bytes);
    request_path_decode(&decoded, path, length);
    append_without_dots(&plain, decoded.data);
    append_encoded(out, plain.data, plain.length);
    strbuf_cleanup(&plain);
    strbuf_cleanup(&decoded);
    return true;
}

/* Appends text encoded, but what is an escape already, or one of `also`, as it is. */
static void append_component(struct strbuf *out, const char *at, const char *end,
                             const char *also) {
    while (at < end) {
        bool is_escape = percent_byte(at, end) >= 0;
        if (is_escape || strchr(also, *at) != NULL) {
            strbuf_append(out, at, is_escape ? 3 : 1);
        } else {
            append_encoded(out, at, 1);
        }
        at += is_escape ? 3 : 1;
    }
}

void request_path_component(struct strbuf *out, const char *canonical) {
    struct strbuf decoded;
    strbuf_init(&decoded, out->max_bytes);
    request_path_decode(&decoded, canonical, strlen(canonical));
    append_component(out, decoded.data, decoded.data + decoded.length, "");
    strbuf_cleanup(&decoded);
}

void request_path_rebuild(struct strbuf *out, const char *canonical) {
    struct strbuf decoded;
    struct strbuf encoded;
    strbuf_init(&decoded, out->max_bytes);
    strbuf_init(&encoded, out->max_bytes);
    request_path_decode(&decoded, canonical, strlen(canonical));
    for (char *at = decoded.data; *at != '\0'; at++) {
        if (*at == '\\') {
            *at = '/';
        }
    }
    append_component(&encoded, decoded.data, decoded.data + strcspn(decoded.data, "?#"), "[]");
    append_without_dots(out, encoded.data);
    strbuf_cleanup(&encoded);
    strbuf_cleanup(&decoded);
}

void request_path_proxied_query(struct strbuf *out, const char *query) {
    const char *end = query + strlen(query);
    while (query < end) {
        char bytes[MAX_SEQUENCE_BYTES] = "";
        size_t count = escaped_character(query, end, bytes);
        bool is_plain =
            count == 1 && (isalnum((unsigned char)bytes[0]) || strchr("-._~", bytes[0]) != NULL);
        if (is_plain) {
            strbuf_append(out, bytes, 1);
        } else if (count > 1) {
            append_encoded(out, bytes, count);
        } else if (count == 1 || percent_byte(query, end) >= 0) {
            strbuf_append(out, query, 3);
            count = 1;
        } else {
            strbuf_append_string(out, *query == '%' ? "%25" : (char[]){*query, '\0'});
        }
        query += count > 0 ? 3 * count : 1;
    }
}
