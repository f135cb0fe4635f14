#include "simulation/storage/entity.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text skip_space(struct text text) {
    while (text.length > 0 && is_space(text.data[0])) {
        text = text_skip(text, 1);
    }
    return text;
}

/* The length of the string that the text begins with, quotes included; 0: it does not end. */
static size_t string_length(struct text text) {
    for (size_t i = 1; i < text.length; i++) {
        if (text.data[i] == '\\') {
            i++;
        } else if (text.data[i] == '"') {
            return i + 1;
        }
    }
    return 0;
}

static bool is_word(struct text text) {
    int first = text.length > 0 ? text.data[0] : 0;
    return first == '-' || (first >= '0' && first <= '9') || text_is(text, "true") ||
           text_is(text, "false") || text_is(text, "null");
}

/* Properties have no objects or arrays in them. 0: it is none. */
static size_t value_length(struct text text) {
    if (text.length > 0 && text.data[0] == '"') {
        return string_length(text);
    }
    size_t length = 0;
    while (length < text.length && strchr(",} \t\r\n{[", text.data[length]) == NULL) {
        length++;
    }
    return is_word((struct text){text.data, length}) ? length : 0;
}

static bool take_property(struct text *rest, struct entity *out) {
    size_t length = rest->length > 0 && rest->data[0] == '"' ? string_length(*rest) : 0;
    if (length < 2 || out->count == sizeof out->properties / sizeof out->properties[0]) {
        return false;
    }
    struct entity_property *property = &out->properties[out->count++];
    property->name = (struct text){rest->data + 1, length - 2};
    *rest = skip_space(text_skip(*rest, length));
    if (rest->length == 0 || rest->data[0] != ':') {
        return false;
    }
    *rest = skip_space(text_skip(*rest, 1));
    length = value_length(*rest);
    property->value = (struct text){rest->data, length};
    *rest = skip_space(text_skip(*rest, length));
    return length > 0;
}

bool entity_read(struct text json, struct entity *out) {
    struct text rest = skip_space(json);
    out->count = 0;
    bool is_object = rest.length > 0 && rest.data[0] == '{';
    rest = skip_space(text_skip(rest, is_object ? 1 : 0));
    while (rest.length > 0 && rest.data[0] != '}') {
        if (!take_property(&rest, out)) {
            return false;
        }
        if (rest.length > 0 && rest.data[0] == ',') {
            rest = skip_space(text_skip(rest, 1));
        } else if (rest.length > 0 && rest.data[0] != '}') {
            return false;
        }
    }
    return !is_object || rest.length > 0;
}

static const struct entity_property *find(const struct entity *entity, struct text name) {
    for (size_t i = 0; i < entity->count; i++) {
        if (text_equal(entity->properties[i].name, name)) {
            return &entity->properties[i];
        }
    }
    return NULL;
}

struct text entity_get(const struct entity *entity, const char *name) {
    const struct entity_property *property = find(entity, (struct text){name, strlen(name)});
    return property == NULL ? (struct text){"", 0} : property->value;
}

/* ---- strings ---- */

static bool has_room(size_t length, size_t more, size_t out_bytes) {
    return length + more < out_bytes;
}

static int read_hex4(struct text text) {
    int value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < text.length ? hex_digit(text.data[i]) : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static size_t write_utf8(unsigned code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = more; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(first[more] | code);
    return more + 1;
}

/* Takes "uXXXX", or two of them that are one character, behind the backslash. 0: it is neither. */
static size_t take_unicode(struct text *rest, char out[4]) {
    int code = read_hex4(text_skip(*rest, 1));
    *rest = text_skip(*rest, code < 0 ? 0 : 5);
    if (code >= 0xd800 && code < 0xdc00 && rest->length >= 6 && rest->data[0] == '\\' &&
        rest->data[1] == 'u') {
        int low = read_hex4(text_skip(*rest, 2));
        *rest = text_skip(*rest, 6);
        code =
            low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    return code <= 0 ? 0 : write_utf8((unsigned)code, out);
}

/* Takes what stands behind a backslash. Returns its length; 0: it is no escape. */
static size_t take_escape(struct text *rest, char out[4]) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (rest->length == 0) {
        return 0;
    }
    if (rest->data[0] == 'u') {
        return take_unicode(rest, out);
    }
    const char *letter = memchr(letters, rest->data[0], sizeof letters - 1);
    *rest = text_skip(*rest, 1);
    if (letter == NULL) {
        return 0;
    }
    out[0] = meant[letter - letters];
    return 1;
}

bool entity_string(struct text value, char *out, size_t out_bytes) {
    if (value.length < 2 || value.data[0] != '"') {
        return false;
    }
    struct text rest = {value.data + 1, value.length - 2};
    size_t length = 0;
    while (rest.length > 0) {
        char piece[4] = {rest.data[0]};
        size_t count = 1;
        bool is_escape = rest.data[0] == '\\';
        rest = text_skip(rest, 1);
        if (is_escape) {
            count = take_escape(&rest, piece);
        }
        if (count == 0 || !has_room(length, count, out_bytes)) {
            return false;
        }
        memcpy(out + length, piece, count);
        length += count;
    }
    out[length] = '\0';
    return true;
}

void entity_append_string(struct strbuf *out, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == '"' || text[i] == '\\') {
            json_append_string(out, text);
            return;
        }
    }
    strbuf_append_char(out, '"');
    strbuf_append(out, text, length);
    strbuf_append_char(out, '"');
}

/* Counts no more than it must: bytes are never fewer than units of UTF-16. */
static bool is_too_long(struct text value) {
    enum { MAX_UNITS = 32 * 1024 };
    size_t units = 0;
    if (value.length <= MAX_UNITS || value.data[0] != '"') {
        return false;
    }
    for (size_t i = 1; i + 1 < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        bool is_escape = c == '\\';
        units += (c & 0xc0) != 0x80 ? 1 : 0; /* not the inside of a character */
        units += c >= 0xf0 ? 1 : 0;
        i += !is_escape ? 0 : value.data[i + 1] == 'u' ? 5 : 1;
    }
    return units > MAX_UNITS;
}

bool entity_fits(const struct entity *entity) {
    for (size_t i = 0; i < entity->count; i++) {
        if (is_too_long(entity->properties[i].value)) {
            return false;
        }
    }
    return true;
}

/* ---- joining ---- */

static bool is_key(struct text name) {
    if (name.length == 0 || strchr("PRTo", name.data[0]) == NULL) {
        return false;
    }
    struct text rest = name, whole = text_cut(&rest, '@');
    return text_is(whole, "PartitionKey") || text_is(whole, "RowKey") ||
           text_is(whole, "Timestamp") || text_starts_nocase(name, "odata.");
}

/* An annotation of a property that is null says nothing either. */
static bool is_null(const struct entity *entity, const struct entity_property *property) {
    if (text_is(property->value, "null")) {
        return true;
    }
    struct text rest = property->name, name = text_cut(&rest, '@');
    if (name.length == property->name.length) {
        return false;
    }
    const struct entity_property *annotated = find(entity, name);
    return annotated != NULL && text_is(annotated->value, "null");
}

static void append(struct strbuf *out, const struct entity_property *property) {
    if (out->length > 0) {
        strbuf_append_char(out, ',');
    }
    strbuf_append_char(out, '"');
    strbuf_append(out, property->name.data, property->name.length);
    strbuf_append(out, "\":", 2);
    strbuf_append(out, property->value.data, property->value.length);
}

/* A property that is written anew drops the annotation that it had. */
static bool is_replaced(const struct entity *after, struct text name) {
    struct text rest = name;
    const struct entity_property *property = find(after, text_cut(&rest, '@'));
    return property != NULL && !text_is(property->value, "null");
}

void entity_join(const struct entity *before, const struct entity *after, struct strbuf *out) {
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        if (!is_replaced(after, before->properties[i].name)) {
            append(out, &before->properties[i]);
        }
    }
    for (size_t i = 0; i < after->count; i++) {
        const struct entity_property *property = &after->properties[i];
        if (!is_key(property->name) && !is_null(after, property)) {
            append(out, property);
        }
    }
}
