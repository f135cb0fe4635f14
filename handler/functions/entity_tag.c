#include "functions/entity_tag.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VERSION_DIGITS = 18 };

/* The characters of a tag between its quotes: visible ASCII but the quote, and beyond ASCII. */
static size_t tag_length(const char *text) {
    size_t length = 0;
    while ((unsigned char)text[length] > ' ' && text[length] != '"' && text[length] != '\x7f') {
        length++;
    }
    return length;
}

/* Returns the version that a tag of `length` characters stands for; 0 if no product has the tag. */
static int64_t version_of(const char *text, size_t length) {
    bool is_version = length > 0 && length <= MAX_VERSION_DIGITS && text[0] != '0' &&
                      strspn(text, "0123456789") == length;
    return is_version ? strtoll(text, NULL, 10) : 0;
}

bool entity_tag_read(const struct http_header_value *header, struct entity_tag *out) {
    static const char spaces[] = " \t";
    *out = (struct entity_tag){.kind = ENTITY_TAG_ABSENT};
    if (header->text == NULL) {
        return true;
    }
    const char *at = header->text + strspn(header->text, spaces);
    if (*at == '*') {
        out->kind = ENTITY_TAG_ANY;
        at++;
    } else {
        out->is_weak = strncmp(at, "W/", 2) == 0;
        at += out->is_weak ? 2 : 0;
        size_t length = *at == '"' ? tag_length(at + 1) : 0;
        if (*at != '"' || at[1 + length] != '"') {
            return false;
        }
        out->version = version_of(at + 1, length);
        out->kind = out->version > 0 ? ENTITY_TAG_VERSION : ENTITY_TAG_OTHER;
        at += length + 2;
    }
    return at[strspn(at, spaces)] == '\0' && !header->is_repeated;
}

int64_t entity_tag_expected_version(const struct entity_tag *tag) {
    if (tag->kind == ENTITY_TAG_ABSENT || tag->kind == ENTITY_TAG_ANY) {
        return 0;
    }
    return tag->kind == ENTITY_TAG_VERSION && !tag->is_weak ? tag->version : -1;
}

bool entity_tag_names(const struct entity_tag *tag, int64_t version) {
    return tag->kind == ENTITY_TAG_ANY ||
           (tag->kind == ENTITY_TAG_VERSION && tag->version == version);
}
