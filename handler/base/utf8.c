#include "base/utf8.h"

#include <string.h>

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Returns the length that a first byte announces, or 0 if it cannot be a first byte. */
static size_t announced_length(unsigned char first) {
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC0 && first <= 0xDF) {
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        return 3;
    }
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

size_t utf8_decode(const char *text, size_t length, uint32_t *out_code_point) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    static const uint32_t first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t size = length > 0 ? announced_length((unsigned char)text[0]) : 0;
    if (size == 0 || size > length) {
        return 0;
    }
    uint32_t code_point = (unsigned char)text[0] & first_bits[size];
    for (size_t i = 1; i < size; i++) {
        if (!is_continuation(text[i])) {
            return 0;
        }
        code_point = code_point << 6 | ((unsigned char)text[i] & 0x3F);
    }
    bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (code_point < smallest[size] || code_point > 0x10FFFF || surrogate) {
        return 0;
    }
    *out_code_point = code_point;
    return size;
}

bool utf8_is_valid(const char *text, size_t length) {
    uint32_t ignored;
    for (size_t at = 0; at < length;) {
        size_t size = utf8_decode(text + at, length - at, &ignored);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

static bool is_control(uint32_t code_point) {
    return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F);
}

int64_t utf8_count_printable(const char *text) {
    size_t length = strlen(text);
    int64_t count = 0;
    for (size_t at = 0; at < length; count++) {
        uint32_t code_point;
        size_t size = utf8_decode(text + at, length - at, &code_point);
        if (size == 0 || is_control(code_point)) {
            return -1;
        }
        at += size;
    }
    return count;
}

static void drop_cut_code_point(char *text, size_t length) {
    size_t first = length;
    while (first > 0 && length - first < 4 && is_continuation(text[first - 1])) {
        first--;
    }
    if (first > 0 && announced_length((unsigned char)text[first - 1]) > length - first + 1) {
        text[first - 1] = '\0';
    }
}

void utf8_make_line(char *text) {
    drop_cut_code_point(text, strlen(text));
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        if (text[at] >= ' ' && text[at] <= '~') { /* the usual case */
            at++;
            continue;
        }
        uint32_t code_point;
        size_t size = utf8_decode(text + at, length - at, &code_point);
        if (size > 0 && is_control(code_point)) {
            memset(text + at, ' ', size);
        }
        at += size > 0 ? size : 1; /* bytes that are not UTF-8 stay, so that they can be seen */
    }
}
