#include "simulation/storage/simulated_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct text simulated_request_header(const struct simulated_request *request, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < request->header_count; i++) {
        if (request->names[i].length == length &&
            strncasecmp(request->names[i].data, name, length) == 0) {
            return request->values[i];
        }
    }
    return (struct text){"", 0};
}

bool simulated_request_query(const struct simulated_request *request, const char *name, char *out,
                             size_t out_bytes) {
    for (struct text rest = request->query; rest.length > 0;) {
        struct text value = text_cut(&rest, '&');
        struct text key = text_cut(&value, '=');
        char decoded[64];
        if (text_percent_decode(key, decoded, sizeof decoded) && strcmp(decoded, name) == 0) {
            return text_percent_decode(value, out, out_bytes);
        }
    }
    return false;
}

/* "GET /path?query HTTP/1.1" and the headers behind it. */
static void read_head(struct simulated_request *request, struct text head) {
    struct text line = text_cut_line(&head);
    request->header_count = 0;
    request->method = text_cut(&line, ' ');
    request->query = text_cut(&line, ' ');
    request->path = text_cut(&request->query, '?');
    while (head.length > 0) {
        line = text_cut_line(&head);
        if (request->header_count < SIMULATED_MAX_HEADERS) {
            request->names[request->header_count] = text_cut(&line, ':');
            request->values[request->header_count++] = text_trim(line);
        }
    }
}

/* Finds "\r\n\r\n" line by line: memmem, which looks at each byte, takes several times as long. */
static const char *find_head_end(struct text bytes) {
    for (struct text rest = bytes; rest.length > 0;) {
        struct text line = text_cut(&rest, '\n');
        bool ends_line = line.length > 0 && line.data[line.length - 1] == '\r';
        if (ends_line && rest.length >= 2 && memcmp(rest.data, "\r\n", 2) == 0) {
            return rest.data - 2;
        }
    }
    return NULL;
}

size_t simulated_request_read(struct text bytes, struct simulated_request *out) {
    const char *end = find_head_end(bytes);
    if (end == NULL) {
        return 0;
    }
    size_t head_length = (size_t)(end - bytes.data);
    read_head(out, (struct text){bytes.data, head_length});
    struct text length = simulated_request_header(out, "Content-Length");
    size_t body_length = length.length == 0 ? 0 : strtoul(length.data, NULL, 10);
    out->body = (struct text){end + 4, body_length};
    size_t whole = head_length + 4 + body_length;
    return bytes.length >= whole ? whole : 0;
}
