#include "devhost/route.h"

#include <string.h>

#include "base/strbuf.h"
#include "devhost/request_path.h"

/* Returns false if the decoded value does not fit into `out`. */
static bool decode_value(const char *value, size_t length, char out[ROUTE_VALUE_BYTES]) {
    struct strbuf decoded;
    strbuf_init(&decoded, ROUTE_VALUE_BYTES - 1);
    request_path_decode(&decoded, value, length);
    bool fits = strbuf_status(&decoded) == STATUS_OK && strlen(decoded.data) == decoded.length;
    if (fits) {
        memcpy(out, decoded.data, decoded.length + 1);
    }
    strbuf_cleanup(&decoded);
    return fits;
}

bool route_matches(const char *template, const char *path, struct route_values *out) {
    struct route_match match;
    if (!route_template_matches(template, path, &match)) {
        return false;
    }
    for (size_t i = 0; i < match.count; i++) {
        route_template_param(template, i, out->items[i].name);
        if (!decode_value(match.values[i], match.lengths[i], out->items[i].value)) {
            return false;
        }
    }
    out->count = match.count;
    return true;
}
