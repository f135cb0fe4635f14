#include "devhost/route.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "devhost/request_path.h"

static enum status check_segment(const char *segment, size_t length, size_t *parameter_count,
                                 struct error *err) {
    if (memchr(segment, '{', length) == NULL && memchr(segment, '}', length) == NULL) {
        return length > 0 ? STATUS_OK
                          : error_set(err, STATUS_INVALID_ARGUMENT, "a route has an empty segment");
    }
    bool whole = length > 2 && segment[0] == '{' && segment[length - 1] == '}';
    for (size_t i = 1; whole && i < length - 1; i++) {
        whole = isalnum((unsigned char)segment[i]) || segment[i] == '_' || segment[i] == '-';
    }
    if (!whole || length - 2 >= ROUTE_NAME_BYTES || ++*parameter_count > ROUTE_MAX_VALUES) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the route segment \"%.*s\" is not supported, only {name}", (int)length,
                         segment);
    }
    return STATUS_OK;
}

enum status route_check(const char *template, struct error *err) {
    size_t parameter_count = 0;
    const char *segment = template;
    while (true) {
        size_t length = strcspn(segment, "/");
        enum status status = check_segment(segment, length, &parameter_count, err);
        if (status != STATUS_OK || segment[length] == '\0') {
            return status;
        }
        segment += length + 1;
    }
}

/* False: it does not fit. */
static bool decode_segment(const char *segment, size_t length, char out[ROUTE_VALUE_BYTES]) {
    struct strbuf decoded;
    strbuf_init(&decoded, ROUTE_VALUE_BYTES - 1);
    request_path_decode(&decoded, segment, length);
    bool fits = strbuf_status(&decoded) == STATUS_OK && strlen(decoded.data) == decoded.length;
    if (fits) {
        memcpy(out, decoded.data, decoded.length + 1);
    }
    strbuf_cleanup(&decoded);
    return fits;
}

static bool segment_matches(const char *template, size_t template_length, const char *segment,
                            size_t length, struct route_values *out) {
    struct route_value *value = &out->items[out->count];
    char literal[ROUTE_VALUE_BYTES];
    if (template[0] != '{') {
        return decode_segment(segment, length, literal) && strlen(literal) == template_length &&
               strncasecmp(literal, template, template_length) == 0;
    }
    if (length == 0 || !decode_segment(segment, length, value->value)) {
        return false;
    }
    memcpy(value->name, template + 1, template_length - 2);
    value->name[template_length - 2] = '\0';
    out->count++;
    return true;
}

bool route_matches(const char *template, const char *path, struct route_values *out) {
    out->count = 0;
    const char *segment = path[0] == '/' ? path + 1 : path;
    while (true) {
        size_t template_length = strcspn(template, "/");
        size_t length = strcspn(segment, "/");
        if (!segment_matches(template, template_length, segment, length, out)) {
            return false;
        }
        template += template_length;
        segment += length;
        if (*template == '\0' || *segment == '\0') {
            return *template == '\0' && (*segment == '\0' || strcmp(segment, "/") == 0);
        }
        template ++;
        segment++;
    }
}
