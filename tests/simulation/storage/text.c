#include "simulation/storage/text.h"

#include <string.h>
#include <strings.h>

#include "base/percent.h"

bool text_is(struct text text, const char *other) {
    return text.length == strlen(other) && memcmp(text.data, other, text.length) == 0;
}

bool text_equal(struct text left, struct text right) {
    return left.length == right.length && memcmp(left.data, right.data, left.length) == 0;
}

bool text_is_nocase(struct text text, const char *other) {
    return text.length == strlen(other) && strncasecmp(text.data, other, text.length) == 0;
}

bool text_starts_nocase(struct text text, const char *prefix) {
    size_t length = strlen(prefix);
    return text.length >= length && strncasecmp(text.data, prefix, length) == 0;
}

struct text text_skip(struct text text, size_t count) {
    return (struct text){text.data + count, text.length - count};
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

struct text text_trim(struct text text) {
    while (text.length > 0 && is_blank(text.data[0])) {
        text = text_skip(text, 1);
    }
    while (text.length > 0 && is_blank(text.data[text.length - 1])) {
        text.length--;
    }
    return text;
}

struct text text_cut(struct text *rest, char separator) {
    const char *end = rest->length == 0 ? NULL : memchr(rest->data, separator, rest->length);
    struct text cut = {rest->data, end == NULL ? rest->length : (size_t)(end - rest->data)};
    *rest = text_skip(*rest, end == NULL ? cut.length : cut.length + 1);
    return cut;
}

struct text text_cut_line(struct text *rest) {
    struct text line = text_cut(rest, '\n');
    if (line.length > 0 && line.data[line.length - 1] == '\r') {
        line.length--;
    }
    return line;
}

bool text_copy(struct text text, char *out, size_t out_bytes) {
    if (text.length >= out_bytes) {
        return false;
    }
    memcpy(out, text.data, text.length);
    out[text.length] = '\0';
    return true;
}

bool text_percent_decode(struct text text, char *out, size_t out_bytes) {
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        int byte = percent_escape(text.data + i, text.length - i);
        if (byte >= 0) {
            c = (char)byte;
            i += PERCENT_ESCAPE_LENGTH - 1;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == '\0' || length + 1 >= out_bytes) {
            return false;
        }
        out[length++] = c;
    }
    out[length] = '\0';
    return true;
}

bool text_read_int(struct text text, int *out) {
    bool is_negative = text.length > 0 && text.data[0] == '-';
    int value = 0;
    struct text digits = text_skip(text, is_negative ? 1 : 0);
    if (digits.length == 0 || digits.length > 9) {
        return false;
    }
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        value = value * 10 + (digits.data[i] - '0');
    }
    *out = is_negative ? -value : value;
    return true;
}
