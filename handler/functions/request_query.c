#include "functions/request_query.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/percent.h"

enum { NAME_BYTES = 256 };

/* Decodes `length` characters. Returns false if they do not fit, or hold a NUL. */
static bool decode(const char *text, size_t length, char *out, size_t out_bytes) {
    if (length >= out_bytes || memmem(text, length, "%00", 3) != NULL) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        out[i] = text[i] == '+' ? ' ' : text[i];
    }
    out[length] = '\0';
    percent_decode(out);
    return true;
}

enum query_param request_query_get(const char *query, const char *name, char *out,
                                   size_t out_bytes) {
    enum query_param found = QUERY_ABSENT;
    for (const char *pair = query; *pair != '\0';) {
        size_t length = strcspn(pair, "&"), name_length = strcspn(pair, "&=");
        char own_name[NAME_BYTES];
        if (decode(pair, name_length, own_name, sizeof own_name) &&
            strcasecmp(own_name, name) == 0) {
            size_t start = name_length + (name_length < length);
            bool is_good =
                found == QUERY_ABSENT && decode(pair + start, length - start, out, out_bytes);
            found = is_good ? QUERY_FOUND : QUERY_BAD;
        }
        pair += length + (pair[length] == '&');
    }
    return found;
}
