#include "base/json_syntax.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"

struct scan {
    const char *text;
    size_t length;
    size_t at;
    int depth;
    const char *problem; /* what is wrong at `at`, set when a function below has returned false */
};

/* scan_value, scan_string and the like move past what they are named after, or return false. */
static bool scan_value(struct scan *scan);

static bool scan_fail(struct scan *scan, const char *problem) {
    scan->problem = problem;
    return false;
}

/* Returns the byte `offset` bytes ahead, or -1 beyond the end. */
static int scan_peek(const struct scan *scan, size_t offset) {
    return offset < scan->length - scan->at ? (unsigned char)scan->text[scan->at + offset] : -1;
}

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static bool scan_char(struct scan *scan, char c) {
    if (scan_peek(scan, 0) != c) {
        return false;
    }
    scan->at++;
    return true;
}

static void scan_space(struct scan *scan) {
    while (scan_char(scan, ' ') || scan_char(scan, '\n') || scan_char(scan, '\r') ||
           scan_char(scan, '\t')) {
    }
}

/* Returns the value of the \u escape that starts `offset` bytes ahead, or -1 if there is none. */
static int unicode_escape(const struct scan *scan, size_t offset) {
    if (scan_peek(scan, offset) != '\\' || scan_peek(scan, offset + 1) != 'u') {
        return -1;
    }
    int unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int c = scan_peek(scan, offset + i), digit = c < 0 ? -1 : hex_digit((char)c);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_low_surrogate(int unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static bool scan_escape(struct scan *scan) {
    int c = scan_peek(scan, 1);
    if (c > 0 && strchr("\"\\/bfnrt", c) != NULL) {
        scan->at += 2;
        return true;
    }
    int unit = unicode_escape(scan, 0);
    if (unit < 0) {
        return scan_fail(scan, "an escape that JSON does not have");
    }
    if (unit == 0) {
        return scan_fail(scan, "a \\u0000");
    }
    bool is_pair = unit >= 0xD800 && unit <= 0xDBFF && is_low_surrogate(unicode_escape(scan, 6));
    if (unit >= 0xD800 && unit <= 0xDFFF && !is_pair) {
        return scan_fail(scan, "half of a surrogate pair");
    }
    scan->at += is_pair ? 12 : 6;
    return true;
}

#define EACH_OF_8(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Returns true if eight bytes are all printable ASCII that needs no check. Each sum has the top bit
 * of a byte set if that byte passes: it is 0x20 or more, or it differs from a character. A sum
 * carries into the next byte only if a top bit was set before, and then the answer is false.
 */
static bool are_plain(const char *text) {
    uint64_t bytes;
    memcpy(&bytes, text, sizeof bytes);
    uint64_t passed = (bytes + EACH_OF_8(0x60)) & ((bytes ^ EACH_OF_8('"')) + EACH_OF_8(0x7f)) &
                      ((bytes ^ EACH_OF_8('\\')) + EACH_OF_8(0x7f)) &
                      ((bytes ^ EACH_OF_8(0x7f)) + EACH_OF_8(0x7f));
    return (passed & ~bytes & EACH_OF_8(0x80)) == EACH_OF_8(0x80);
}

/*
 * Moves past printable ASCII that needs no check. Most strings are nothing else, so this loop
 * decides how fast JSON is checked.
 */
static void scan_plain(struct scan *scan) {
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
    for (scan_plain(scan); !scan_char(scan, '"'); scan_plain(scan)) {
        int c = scan_peek(scan, 0);
        uint32_t code_point;
        if (c == '\\') {
            if (!scan_escape(scan)) {
                return false;
            }
            continue;
        }
        if (c < 0x20) {
            return scan_fail(scan, c < 0 ? "the end of the text in a string"
                                         : "a control character in a string");
        }
        size_t size = utf8_decode(scan->text + scan->at, scan->length - scan->at, &code_point);
        if (size == 0) {
            return scan_fail(scan, "bytes that are not UTF-8");
        }
        scan->at += size;
    }
    return true;
}

static bool scan_digits(struct scan *scan) {
    if (!is_digit(scan_peek(scan, 0))) {
        return scan_fail(scan, "a number without a digit where one must be");
    }
    while (is_digit(scan_peek(scan, 0))) {
        scan->at++;
    }
    return true;
}

static bool scan_number(struct scan *scan) {
    size_t start = scan->at;
    scan_char(scan, '-');
    if (scan_peek(scan, 0) == '0' && is_digit(scan_peek(scan, 1))) {
        return scan_fail(scan, "a number with a leading zero");
    }
    if (!scan_digits(scan)) {
        return false;
    }
    if (scan_char(scan, '.') && !scan_digits(scan)) {
        return false;
    }
    if (scan_char(scan, 'e') || scan_char(scan, 'E')) {
        if (!scan_char(scan, '+')) {
            scan_char(scan, '-');
        }
        if (!scan_digits(scan)) {
            return false;
        }
    }
    /* cJSON copies a number into 64 bytes before it converts it, and cuts a longer one. */
    return scan->at - start <= JSON_MAX_NUMBER_LENGTH ||
           scan_fail(scan, "the end of a number of over 63 characters");
}

static bool scan_word(struct scan *scan, const char *word) {
    size_t length = strlen(word);
    if (length > scan->length - scan->at || memcmp(scan->text + scan->at, word, length) != 0) {
        return scan_fail(scan, "something that is no JSON value");
    }
    scan->at += length;
    return true;
}

static bool scan_array(struct scan *scan) {
    scan->at++;
    scan_space(scan);
    if (scan_char(scan, ']')) {
        return true;
    }
    for (;;) {
        if (!scan_value(scan)) {
            return false;
        }
        scan_space(scan);
        if (scan_char(scan, ']')) {
            return true;
        }
        if (!scan_char(scan, ',')) {
            return scan_fail(scan, "neither ',' nor ']' after an array's element");
        }
        scan_space(scan);
    }
}

static bool scan_member(struct scan *scan) {
    if (scan_peek(scan, 0) != '"') {
        return scan_fail(scan, "no key in quotes where one must be");
    }
    if (!scan_string(scan)) {
        return false;
    }
    scan_space(scan);
    if (!scan_char(scan, ':')) {
        return scan_fail(scan, "no ':' after a key");
    }
    scan_space(scan);
    return scan_value(scan);
}

static bool scan_object(struct scan *scan) {
    scan->at++;
    scan_space(scan);
    if (scan_char(scan, '}')) {
        return true;
    }
    for (;;) {
        if (!scan_member(scan)) {
            return false;
        }
        scan_space(scan);
        if (scan_char(scan, '}')) {
            return true;
        }
        if (!scan_char(scan, ',')) {
            return scan_fail(scan, "neither ',' nor '}' after an object's member");
        }
        scan_space(scan);
    }
}

static bool scan_container(struct scan *scan) {
    if (scan->depth == JSON_MAX_DEPTH) {
        return scan_fail(scan, "too deep nesting");
    }
    scan->depth++;
    bool scanned = scan_peek(scan, 0) == '{' ? scan_object(scan) : scan_array(scan);
    scan->depth--;
    return scanned;
}

static bool scan_value(struct scan *scan) {
    switch (scan_peek(scan, 0)) {
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
        return scan_fail(scan, "the end of the text where a value must be");
    default:
        return scan_peek(scan, 0) == '-' || is_digit(scan_peek(scan, 0))
                   ? scan_number(scan)
                   : scan_fail(scan, "something that is no JSON value");
    }
}

static bool scan_text(struct scan *scan) {
    scan_space(scan);
    if (!scan_value(scan)) {
        return false;
    }
    scan_space(scan);
    return scan->at == scan->length || scan_fail(scan, "more after the value");
}

enum status json_syntax_check(const char *text, size_t length, struct error *err) {
    struct scan scan = {.text = text, .length = length};
    if (!scan_text(&scan)) {
        return error_set(err, STATUS_MALFORMED, "not valid JSON: %s, at byte %zu", scan.problem,
                         scan.at);
    }
    return STATUS_OK;
}
