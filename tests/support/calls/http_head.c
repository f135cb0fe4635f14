#include "support/calls/http_head.h"

#include <string.h>
#include <strings.h>

const char *http_head_value(const char *head, size_t length, const char *name, char *out,
                            size_t size) {
    const char *end = head + length;
    size_t name_length = strlen(name);
    out[0] = '\0';
    for (const char *line = head; (line = strstr(line, "\r\n")) != NULL && line + 2 < end;) {
        line += 2;
        if (strncasecmp(line, name, name_length) == 0 && line[name_length] == ':') {
            const char *value = line + name_length + 1 + strspn(line + name_length + 1, " ");
            size_t value_length = strcspn(value, "\r");
            value_length = value_length < size - 1 ? value_length : size - 1;
            memcpy(out, value, value_length);
            out[value_length] = '\0';
            break;
        }
    }
    return out;
}
