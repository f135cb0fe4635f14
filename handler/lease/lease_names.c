#include "lease/lease_names.h"

#include <stdio.h>
#include <string.h>

enum { METADATA_NAME_MAX_LENGTH = 128, METADATA_VALUE_MAX_LENGTH = 1024 };

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define UNRESERVED UPPER LOWER DIGITS "-._~" /* RFC 3986 */

static bool consists_of(const char *text, const char *characters) {
    return text[strspn(text, characters)] == '\0';
}

bool lease_name_is_valid(const char *name) {
    size_t length = strlen(name);
    if (length < 1 || length >= LEASE_NAME_BYTES || !consists_of(name, UNRESERVED "/")) {
        return false;
    }
    for (const char *part = name;; part++) {
        size_t part_length = strcspn(part, "/");
        if (part_length == 0 || part[part_length - 1] == '.') {
            return false;
        }
        part += part_length;
        if (*part == '\0') {
            return true;
        }
    }
}

bool lease_container_is_valid(const char *container) {
    size_t length = strlen(container);
    return length >= 3 && length < LEASE_CONTAINER_NAME_BYTES &&
           consists_of(container, LOWER DIGITS "-") && container[0] != '-' &&
           container[length - 1] != '-' && strstr(container, "--") == NULL;
}

/* A lease name follows, so the part after the last slash may be empty or end with a dot. */
bool lease_prefix_is_valid(const char *prefix) {
    char whole[LEASE_BLOB_PREFIX_BYTES + 1];
    return snprintf(whole, sizeof whole, "%sx", prefix) < (int)sizeof whole &&
           lease_name_is_valid(whole);
}

/* Storage asks for a C# identifier. Only those of ASCII are allowed here. */
static bool is_metadata_name(const char *name) {
    size_t length = strlen(name);
    return length >= 1 && length <= METADATA_NAME_MAX_LENGTH &&
           consists_of(name, UPPER LOWER DIGITS "_") && strspn(name, DIGITS) == 0;
}

static bool is_metadata_value(const char *value) {
    size_t length = strlen(value);
    if (length < 1 || length > METADATA_VALUE_MAX_LENGTH || value[0] == ' ' ||
        value[length - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (value[i] < ' ' || value[i] > '~') {
            return false;
        }
    }
    return true;
}

bool lease_metadata_is_valid(const char *name, const char *value) {
    return is_metadata_name(name) && is_metadata_value(value);
}

size_t lease_metadata_bytes(const char *name, const char *value) {
    return strlen("lease_") + strlen(name) + strlen(value);
}
