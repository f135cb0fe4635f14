#include "base/json_syntax.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"

/* cJSON copies a number into 64 bytes before it converts it, and stops in the middle of a longer one. */
enum { MAX_NUMBER_BYTES = 63 };

struct scan {
    const char *text;
    size_t length;
    size_t at;
    int depth;
    const char *problem; /* set when a function below has answered false; it is at `at` */
};

/* Each scan_... function moves past what it is named after, or answers false. */
static bool scan_value(struct scan *scan);

static bool fail(struct scan *scan, const char *problem) {
    scan->problem = problem;
    return false;
}

/* The byte at `offset` from here; -1 beyond the end. */
static int peek(const struct scan *scan, size_t offset) {
    return offset < scan->length - scan->at ? (unsigned char)scan->text[scan->at + offset] : -1;
}

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static bool take(struct scan *scan, char c) {
    if (peek(scan, 0) != c) {
        return false;
    }
    scan->at++;
    return true;
}

static void skip_space(struct scan *scan) {
    while (take(scan, ' ') || take(scan, '\n') || take(scan, '\r') || take(scan, '\t')) {
    }
}

/* The four hexadecimal digits of a \u escape that starts `offset` from here; -1: there is none. */
static int unicode_escape(const struct scan *scan, size_t offset) {
    if (peek(scan, offset) != '\\' || peek(scan, offset + 1) != 'u') {
        return -1;
    }
    int unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int c = peek(scan, offset + i);
        if (is_digit(c)) {
            unit = unit * 16 + c - '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            unit = unit * 16 + (c | 0x20) - 'a' + 10;
        } else {
            return -1;
        }
    }
    return unit;
}

static bool is_low_surrogate(int unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static bool scan_escape(struct scan *scan) {
    int c = peek(scan, 1);
    if (c > 0 && strchr("\"\\/bfnrt", c) != NULL) {
        scan->at += 2;
        return true;
    }
    int unit = unicode_escape(scan, 0);
    if (unit < 0) {
        return fail(scan, "an escape that JSON does not have");
    }
    if (unit == 0) {
        return fail(scan, "a \\u0000");
    }
    bool is_pair = unit >= 0xD800 && unit <= 0xDBFF && is_low_surrogate(unicode_escape(scan, 6));
    if (unit >= 0xD800 && unit <= 0xDFFF && !is_pair) {
        return fail(scan, "half of a surrogate pair");
    }
    scan->at += is_pair ? 12 : 6;
    return true;
}

#define EACH_OF_8(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Whether eight bytes stand for themselves. Each sum has the top bit of a byte set if that one passes: it is 0x20 or more, or
 * it differs from a character. No sum carries into the next byte unless a top bit was set before, and then the answer is no.
 */
static bool are_plain(const char *text) {
    uint64_t bytes;
    memcpy(&bytes, text, sizeof bytes);
    uint64_t passed = (bytes + EACH_OF_8(0x60)) & ((bytes ^ EACH_OF_8('"')) + EACH_OF_8(0x7f)) &
                      ((bytes ^ EACH_OF_8('\\')) + EACH_OF_8(0x7f)) &
                      ((bytes ^ EACH_OF_8(0x7f)) + EACH_OF_8(0x7f));
    return (passed & ~bytes & EACH_OF_8(0x80)) == EACH_OF_8(0x80);
}

/* Moves past ASCII that stands for itself. Most strings are nothing else, so this decides how fast JSON is checked. */
static void skip_plain(struct scan *scan) {
    size_t at = scan->at;
    while (scan->length - at >= sizeof(uint64_t) && are_plain(scan->text + at)) {
        at += sizeof(uint64_t);
    }
    for (; at < scan->length; at++) {
        unsigned char c = (unsigned char)scan->text[at];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
            break;
        }
    }
    scan->at = at;
}

static bool scan_string(struct scan *scan) {
    scan->at++; /* the opening quote */
    for (skip_plain(scan); !take(scan, '"'); skip_plain(scan)) {
        int c = peek(scan, 0);
        uint32_t code_point;
        if (c == '\\') {
            if (!scan_escape(scan)) {
                return false;
            }
            continue;
        }
        if (c < 0x20) {
            return fail(scan, c < 0 ? "the end of the text in a string"
                                    : "a control character in a string");
        }
        size_t size = utf8_decode(scan->text + scan->at, scan->length - scan->at, &code_point);
        if (size == 0) {
            return fail(scan, "bytes that are not UTF-8");
        }
        scan->at += size;
    }
    return true;
}

static bool scan_digits(struct scan *scan) {
    if (!is_digit(peek(scan, 0))) {
        return fail(scan, "a number without a digit where one must be");
    }
    while (is_digit(peek(scan, 0))) {
        scan->at++;
    }
    return true;
}

static bool scan_number(struct scan *scan) {
    size_t start = scan->at;
    take(scan, '-');
    if (peek(scan, 0) == '0' && is_digit(peek(scan, 1))) {
        return fail(scan, "a number with a leading zero");
    }
    if (!scan_digits(scan)) {
        return false;
    }
    if (take(scan, '.') && !scan_digits(scan)) {
        return false;
    }
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+')) {
            take(scan, '-');
        }
        if (!scan_digits(scan)) {
            return false;
        }
    }
    return scan->at - start <= MAX_NUMBER_BYTES ||
           fail(scan, "the end of a number of over 63 characters");
}

static bool scan_word(struct scan *scan, const char *word) {
    size_t length = strlen(word);
    if (length > scan->length - scan->at || memcmp(scan->text + scan->at, word, length) != 0) {
        return fail(scan, "something that is no JSON value");
    }
    scan->at += length;
    return true;
}

static bool scan_array(struct scan *scan) {
    scan->at++;
    skip_space(scan);
    if (take(scan, ']')) {
        return true;
    }
    for (;;) {
        if (!scan_value(scan)) {
            return false;
        }
        skip_space(scan);
        if (take(scan, ']')) {
            return true;
        }
        if (!take(scan, ',')) {
            return fail(scan, "neither ',' nor ']' after an array's element");
        }
        skip_space(scan);
    }
}

static bool scan_member(struct scan *scan) {
    if (peek(scan, 0) != '"') {
        return fail(scan, "no key in quotes where one must be");
    }
    if (!scan_string(scan)) {
        return false;
    }
    skip_space(scan);
    if (!take(scan, ':')) {
        return fail(scan, "no ':' after a key");
    }
    skip_space(scan);
    return scan_value(scan);
}

static bool scan_object(struct scan *scan) {
    scan->at++;
    skip_space(scan);
    if (take(scan, '}')) {
        return true;
    }
    for (;;) {
        if (!scan_member(scan)) {
            return false;
        }
        skip_space(scan);
        if (take(scan, '}')) {
            return true;
        }
        if (!take(scan, ',')) {
            return fail(scan, "neither ',' nor '}' after an object's member");
        }
        skip_space(scan);
    }
}

static bool scan_container(struct scan *scan) {
    if (scan->depth == JSON_MAX_DEPTH) {
        return fail(scan, "too deep nesting");
    }
    scan->depth++;
    bool scanned = peek(scan, 0) == '{' ? scan_object(scan) : scan_array(scan);
    scan->depth--;
    return scanned;
}

static bool scan_value(struct scan *scan) {
    switch (peek(scan, 0)) {
    case '{':
    case '[':
        return scan_container(scan);
    case '"':
        return scan_string(scan);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    case -1:
        return fail(scan, "the end of the text where a value must be");
    default:
        return peek(scan, 0) == '-' || is_digit(peek(scan, 0))
                   ? scan_number(scan)
                   : fail(scan, "something that is no JSON value");
    }
}

static bool scan_text(struct scan *scan) {
    skip_space(scan);
    if (!scan_value(scan)) {
        return false;
    }
    skip_space(scan);
    return scan->at == scan->length || fail(scan, "more after the value");
}

enum status json_syntax_check(const char *text, size_t length, struct error *err) {
    struct scan scan = {.text = text, .length = length};
    if (!scan_text(&scan)) {
        return error_set(err, STATUS_MALFORMED, "not valid JSON: %s, at byte %zu", scan.problem,
                         scan.at);
    }
    return STATUS_OK;
}
