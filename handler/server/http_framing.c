#include "server/http_framing.h"

#include <string.h>
#include <strings.h>

/* RFC 9110 section 5.6.2 */
#define TOKEN_CHARACTERS "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define VERSION_PREFIX "HTTP/"
enum { LINE_BREAK_BYTES = 2 };

static const char *end_of(const char *text) {
    return text + strlen(text);
}

static const char *end_of_head(const struct http_head *head) {
    return end_of(head->field_count == 0 ? head->version : head->fields[head->field_count - 1].value);
}

size_t http_framing_head_bytes(const struct http_head *head) {
    return (size_t)(end_of_head(head) - head->method);
}

static bool is_token(const char *text) {
    return *text != '\0' && text[strspn(text, TOKEN_CHARACTERS)] == '\0';
}

static bool is_request_line_plain(const struct http_head *head) {
    return is_token(head->method) && head->target == end_of(head->method) + 1 &&
           head->version == head->target_end + 1 + strlen(VERSION_PREFIX);
}

/* A colon, then nothing but spaces in front of the value. */
static bool is_field_plain(const struct http_field *field) {
    const char *next = end_of(field->name) + 1;
    return is_token(field->name) && next + strspn(next, " ") == field->value;
}

/* An empty line: CRLF CRLF, of which civetweb leaves the one CR that it did not look at. */
static bool ends_with_empty_line(const struct http_head *head) {
    const char *end = end_of_head(head);
    return end[1] == '\0' && (end[2] == '\r' || (head->field_count == 0 && end[2] == '\0')) && end[3] == '\0';
}

bool http_framing_is_plain(const struct http_head *head) {
    if (!is_request_line_plain(head)) {
        return false;
    }
    const char *line_end = end_of(head->version);
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].name != line_end + LINE_BREAK_BYTES || !is_field_plain(&head->fields[i])) {
            return false;
        }
        line_end = end_of(head->fields[i].value);
    }
    return ends_with_empty_line(head);
}

bool http_framing_has_clear_end(const struct http_headers *headers, const char *version) {
    const char *length = NULL;
    const char *encoding = NULL;
    for (size_t i = 0; i < headers->count; i++) {
        const struct http_header *header = &headers->items[i];
        const char **seen = strcasecmp(header->name, "Content-Length") == 0      ? &length
                            : strcasecmp(header->name, "Transfer-Encoding") == 0 ? &encoding
                                                                                 : NULL;
        if (seen != NULL && *seen != NULL) {
            return false;
        }
        if (seen != NULL) {
            *seen = header->value;
        }
    }
    if (encoding != NULL) {
        return length == NULL && strcasecmp(encoding, "chunked") == 0 && strcmp(version, "1.0") != 0;
    }
    return length == NULL || (*length != '\0' && strspn(length, "0123456789") == strlen(length));
}
