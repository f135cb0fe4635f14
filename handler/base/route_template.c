#include "base/route_template.h"

#include <ctype.h>
#include <string.h>

#include "base/percent.h"

static enum status check_segment(const char *segment, size_t length, size_t *param_count,
                                 struct error *err) {
    if (length == 0) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "a route has an empty segment");
    }
    if (memchr(segment, '{', length) == NULL && memchr(segment, '}', length) == NULL) {
        return STATUS_OK;
    }
    bool is_param = length > 2 && segment[0] == '{' && segment[length - 1] == '}';
    for (size_t i = 1; is_param && i < length - 1; i++) {
        is_param = isalnum((unsigned char)segment[i]) || segment[i] == '_' || segment[i] == '-';
    }
    if (!is_param || length - 2 >= ROUTE_NAME_BYTES || ++*param_count > ROUTE_MAX_PARAMS) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the route segment \"%.*s\" is not supported, only {name}", (int)length,
                         segment);
    }
    return STATUS_OK;
}

enum status route_template_check(const char *template, struct error *err) {
    size_t param_count = 0;
    const char *segment = template;
    while (true) {
        size_t length = strcspn(segment, "/");
        enum status status = check_segment(segment, length, &param_count, err);
        if (status != STATUS_OK || segment[length] == '\0') {
            return status;
        }
        segment += length + 1;
    }
}

bool route_template_param(const char *template, size_t index, char out[ROUTE_NAME_BYTES]) {
    const char *name = strchr(template, '{');
    for (; name != NULL && index > 0; index--) {
        name = strchr(name + 1, '{');
    }
    if (name == NULL) {
        return false;
    }
    size_t length = strcspn(name + 1, "}");
    memcpy(out, name + 1, length);
    out[length] = '\0';
    return true;
}

/* Returns true if the segment, decoded, is this literal but for the case of its letters. */
static bool is_literal(const char *literal, size_t literal_length, const char *segment,
                       size_t length) {
    const char *end = segment + length;
    for (size_t i = 0; i < literal_length; i++) {
        int byte = percent_escape(segment, (size_t)(end - segment));
        size_t encoded_bytes = byte >= 0 ? PERCENT_ESCAPE_LENGTH : 1;
        if (segment == end || tolower(byte >= 0 ? byte : (unsigned char)*segment) !=
                                  tolower((unsigned char)literal[i])) {
            return false;
        }
        segment += encoded_bytes;
    }
    return segment == end;
}

bool route_template_matches(const char *template, const char *path, struct route_match *out) {
    out->count = 0;
    while (path[0] == '/') {
        const char *segment = path + 1;
        size_t length = strcspn(segment, "/");
        size_t template_length = strcspn(template, "/");
        if (template[0] == '{' && length > 0) {
            out->values[out->count] = segment;
            out->lengths[out->count++] = length;
        } else if (template[0] == '{' || !is_literal(template, template_length, segment, length)) {
            return false;
        }
        template += template_length;
        path = segment + length;
        if (*template == '\0') {
            return path[0] == '\0' || strcmp(path, "/") == 0;
        }
        template ++;
    }
    return false;
}

const char *route_template_skip(const char *prefix, const char *path) {
    while (*prefix != '\0') {
        size_t prefix_length = strcspn(prefix, "/");
        size_t length = path[0] == '/' ? strcspn(path + 1, "/") : 0;
        if (path[0] != '/' || !is_literal(prefix, prefix_length, path + 1, length)) {
            return NULL;
        }
        path += 1 + length;
        prefix += prefix_length;
        prefix += *prefix == '/';
    }
    return path;
}
