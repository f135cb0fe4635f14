#include "functions/request_query.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/percent.h"

enum { NAME_BYTES = 256 };

/* Decodes `length` characters. Returns false if they do not fit then, or hold a NUL. */
static bool decode(const char *text, size_t length, char *out, size_t out_bytes) {
    size_t written = 0;
    for (size_t i = 0; i < length; written++) {
        int byte = percent_escape(text + i, length - i);
        if (byte == 0 || written + 1 == out_bytes) {
            return false;
        }
        out[written] = (char)(byte > 0 ? byte : text[i] == '+' ? ' ' : text[i]);
        i += byte > 0 ? PERCENT_ESCAPE_LENGTH : 1;
    }
    out[written] = '\0';
    return true;
}

/* Appends a value to those before it. Returns false if it cannot be read, or does not fit. */
static bool append_value(const char *text, size_t length, bool is_first, char *out,
                         size_t out_bytes) {
    size_t written = is_first ? 0 : strlen(out);
    if (!is_first && written + 1 < out_bytes) {
        out[written++] = ',';
    } else if (!is_first) {
        return false;
    }
    return decode(text, length, out + written, out_bytes - written);
}

enum query_param request_query_get(const char *query, const char *name, char *out,
                                   size_t out_bytes) {
    enum query_param found = QUERY_ABSENT;
    for (const char *pair = query; *pair != '\0' && found != QUERY_BAD;) {
        size_t length = strcspn(pair, "&"), name_length = strcspn(pair, "&=");
        char own_name[NAME_BYTES];
        if (decode(pair, name_length, own_name, sizeof own_name) &&
            strcasecmp(own_name, name) == 0) {
            size_t start = name_length + (name_length < length);
            bool is_read =
                append_value(pair + start, length - start, found == QUERY_ABSENT, out, out_bytes);
            found = is_read ? QUERY_FOUND : QUERY_BAD;
        }
        pair += length + (pair[length] == '&');
    }
    return found;
}
