#include "entity.h"

#include <string.h>

static struct text skip(struct text text, size_t count) {
    return (struct text){text.data + count, text.length - count};
}

static struct text skip_space(struct text text) {
    while (text.length > 0 && strchr(" \t\r\n", text.data[0]) != NULL) {
        text = skip(text, 1);
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

/* Properties have no objects or arrays in them. */
static size_t value_length(struct text text) {
    if (text.length > 0 && text.data[0] == '"') {
        return string_length(text);
    }
    size_t length = 0;
    while (length < text.length && strchr(",} \t\r\n{[", text.data[length]) == NULL) {
        length++;
    }
    return length;
}

static bool take_property(struct text *rest, struct entity *out) {
    size_t length = rest->length > 0 && rest->data[0] == '"' ? string_length(*rest) : 0;
    if (length < 2 || out->count == ENTITY_MAX_PROPERTIES) {
        return false;
    }
    struct entity_property *property = &out->properties[out->count++];
    property->name = (struct text){rest->data + 1, length - 2};
    *rest = skip_space(skip(*rest, length));
    if (rest->length == 0 || rest->data[0] != ':') {
        return false;
    }
    *rest = skip_space(skip(*rest, 1));
    length = value_length(*rest);
    property->value = (struct text){rest->data, length};
    *rest = skip_space(skip(*rest, length));
    return length > 0;
}

bool entity_read(struct text json, struct entity *out) {
    struct text rest = skip_space(json);
    out->count = 0;
    bool is_object = rest.length > 0 && rest.data[0] == '{';
    rest = skip_space(skip(rest, is_object ? 1 : 0));
    while (rest.length > 0 && rest.data[0] != '}') {
        if (!take_property(&rest, out)) {
            return false;
        }
        if (rest.length > 0 && rest.data[0] == ',') {
            rest = skip_space(skip(rest, 1));
        }
    }
    return !is_object || rest.length > 0;
}

struct text entity_get(const struct entity *entity, const char *name) {
    for (size_t i = 0; i < entity->count; i++) {
        if (http_text_is(entity->properties[i].name, name)) {
            return entity->properties[i].value;
        }
    }
    return (struct text){"", 0};
}

bool entity_string(struct text value, char *out, size_t out_bytes) {
    if (value.length < 2 || value.data[0] != '"' || value.length - 2 >= out_bytes ||
        memchr(value.data, '\\', value.length) != NULL) {
        return false;
    }
    memcpy(out, value.data + 1, value.length - 2);
    out[value.length - 2] = '\0';
    return true;
}

static bool is_key(struct text name) {
    return http_text_starts(name, "PartitionKey") || http_text_starts(name, "RowKey") ||
           http_text_starts(name, "Timestamp") || http_text_starts(name, "odata.");
}

static bool has(const struct entity *entity, struct text name) {
    for (size_t i = 0; i < entity->count; i++) {
        if (http_text_equal(entity->properties[i].name, name)) {
            return true;
        }
    }
    return false;
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

void entity_join(const struct entity *before, const struct entity *after, struct strbuf *out) {
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        if (!has(after, before->properties[i].name)) {
            append(out, &before->properties[i]);
        }
    }
    for (size_t i = 0; i < after->count; i++) {
        if (!is_key(after->properties[i].name)) {
            append(out, &after->properties[i]);
        }
    }
}
