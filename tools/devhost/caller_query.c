#include "devhost/caller_query.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

enum { QUERY_TEXT_BYTES = 64 * 1024 };

static int hex_digit(char c) {
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void percent_decode(struct strbuf *out, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%' && i + 2 < length && isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            strbuf_append_char(out, (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
            i += 2;
        } else {
            strbuf_append(out, text[i] == '+' ? " " : &text[i], 1);
        }
    }
}

/* What is no UTF-8 becomes U+FFFD here already: names that are the same then are one name. */
static void form_decode(struct strbuf *out, const char *text, size_t length) {
    struct strbuf bytes;
    strbuf_init(&bytes, QUERY_TEXT_BYTES);
    percent_decode(&bytes, text, length);
    for (size_t at = 0; at < bytes.length;) {
        uint32_t code_point;
        size_t taken = utf8_decode(bytes.data + at, bytes.length - at, &code_point);
        strbuf_append(out, taken > 0 ? bytes.data + at : "\xef\xbf\xbd", taken > 0 ? taken : 3);
        at += taken > 0 ? taken : 1;
    }
    strbuf_release(&bytes);
}

/* Decodes the pair that starts at `pair`; answers where the next one starts, NULL after the last. */
static const char *decode_pair(const char *pair, struct strbuf *name, struct strbuf *value) {
    size_t length = strcspn(pair, "&");
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - pair) : length;
    strbuf_clear(name);
    strbuf_clear(value);
    form_decode(name, pair, name_length);
    if (equals != NULL) {
        form_decode(value, equals + 1, length - name_length - 1);
    }
    return pair[length] == '&' ? pair + length + 1 : NULL;
}

/* All values of one name, joined by commas, as StringValues.ToString does. `from` is the name's first pair. */
static void collect_values(const char *from, const struct strbuf *name, struct strbuf *out) {
    struct strbuf other;
    struct strbuf value;
    strbuf_init(&other, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    bool first = true;
    for (const char *pair = from; pair != NULL;) {
        pair = decode_pair(pair, &other, &value);
        if (strcasecmp(other.data, name->data) == 0) {
            if (!first) {
                strbuf_append_char(out, ',');
            }
            first = false;
            strbuf_append(out, value.data, value.length);
        }
    }
    strbuf_release(&other);
    strbuf_release(&value);
}

static bool occurs_before(const char *query, const char *pair, const struct strbuf *name) {
    struct strbuf other;
    struct strbuf value;
    strbuf_init(&other, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    bool found = false;
    while (!found && query != pair) {
        query = decode_pair(query, &other, &value);
        found = strcasecmp(other.data, name->data) == 0;
    }
    strbuf_release(&other);
    strbuf_release(&value);
    return found;
}

void caller_query_visit(const char *query, caller_query_visitor visit, void *context) {
    struct strbuf name;
    struct strbuf value;
    strbuf_init(&name, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    for (const char *pair = query[0] != '\0' ? query : NULL; pair != NULL;) {
        const char *next = decode_pair(pair, &name, &value);
        if (name.length > 0 && !occurs_before(query, pair, &name)) {
            strbuf_clear(&value);
            collect_values(pair, &name, &value);
            visit(context, &name, &value);
        }
        pair = next;
    }
    strbuf_release(&name);
    strbuf_release(&value);
}
