#include "base/http_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"

void http_headers_init(struct http_headers *headers) {
    *headers = (struct http_headers){0};
}

static void wipe_and_free(char *text) {
    if (text != NULL) {
        crypto_wipe(text, strlen(text));
        free(text);
    }
}

void http_headers_release(struct http_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        free(headers->items[i].name);
        wipe_and_free(headers->items[i].value);
    }
    free(headers->items);
    http_headers_init(headers);
}

static enum status make_room(struct http_headers *headers) {
    if (headers->count < headers->capacity) {
        return STATUS_OK;
    }
    size_t capacity = headers->capacity == 0 ? 16 : headers->capacity * 2;
    struct http_header *items = reallocarray(headers->items, capacity, sizeof *items);
    if (items == NULL) {
        return STATUS_NO_MEMORY;
    }
    headers->items = items;
    headers->capacity = capacity;
    return STATUS_OK;
}

static enum status add(struct http_headers *headers, const char *name, const char *value) {
    if (strpbrk(name, "\r\n") != NULL || strpbrk(value, "\r\n") != NULL) {
        return STATUS_INVALID_ARGUMENT;
    }
    if (make_room(headers) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    struct http_header header = {.name = strdup(name), .value = strdup(value)};
    if (header.name == NULL || header.value == NULL) {
        free(header.name);
        wipe_and_free(header.value);
        return STATUS_NO_MEMORY;
    }
    headers->items[headers->count++] = header;
    return STATUS_OK;
}

void http_headers_add(struct http_headers *headers, const char *name, const char *value) {
    if (headers->status == STATUS_OK) {
        headers->status = add(headers, name, value);
    }
}

void http_headers_addf(struct http_headers *headers, const char *name, const char *format, ...) {
    if (headers->status != STATUS_OK) {
        return;
    }
    /* Not vasprintf: the buffers that it grows through are not wiped. */
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *value = length < 0 ? NULL : malloc((size_t)length + 1);
    if (value != NULL) {
        vsnprintf(value, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(arguments);
    if (value == NULL) {
        headers->status = STATUS_NO_MEMORY;
        return;
    }
    http_headers_add(headers, name, value);
    wipe_and_free(value);
}

static struct http_header *find(const struct http_headers *headers, const char *name) {
    for (size_t i = 0; i < headers->count; i++) {
        if (strcasecmp(headers->items[i].name, name) == 0) {
            return &headers->items[i];
        }
    }
    return NULL;
}

void http_headers_join(struct http_headers *headers, const char *name, const char *value) {
    struct http_header *first = find(headers, name);
    if (first == NULL || headers->status != STATUS_OK || strpbrk(value, "\r\n") != NULL) {
        http_headers_add(headers, name, value);
        return;
    }
    size_t size = strlen(first->value) + strlen(", ") + strlen(value) + 1;
    char *joined = malloc(size);
    if (joined == NULL) {
        headers->status = STATUS_NO_MEMORY;
        return;
    }
    snprintf(joined, size, "%s, %s", first->value, value);
    wipe_and_free(first->value);
    first->value = joined;
}

const char *http_headers_get(const struct http_headers *headers, const char *name) {
    const struct http_header *header = find(headers, name);
    return header != NULL ? header->value : NULL;
}

struct http_header_value http_headers_single(const struct http_headers *headers, const char *name) {
    struct http_header_value value = {0};
    for (size_t i = 0; i < headers->count; i++) {
        if (strcasecmp(headers->items[i].name, name) == 0) {
            value.is_repeated = value.text != NULL;
            value.text = value.is_repeated ? value.text : headers->items[i].value;
        }
    }
    return value;
}

void http_response_init(struct http_response *response, size_t max_body_bytes) {
    response->status = 200;
    response->reason[0] = '\0';
    http_headers_init(&response->headers);
    strbuf_init(&response->body, max_body_bytes);
}

void http_response_release(struct http_response *response) {
    http_headers_release(&response->headers);
    strbuf_release(&response->body);
}

void http_response_set_reason(struct http_response *response, const char *text) {
    snprintf(response->reason, sizeof response->reason, "%s", text);
    for (char *at = response->reason; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            *at = '?';
        }
    }
}
