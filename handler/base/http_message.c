#include "base/http_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto_wipe.h"
#include "base/temp_file.h"

void http_headers_init(struct http_headers *headers) {
    *headers = (struct http_headers){0};
}

void http_headers_clear(struct http_headers *headers) {
    crypto_wipe(headers->text, headers->text_length);
    headers->count = 0;
    headers->text_length = 0;
    headers->status = STATUS_OK;
}

void http_headers_cleanup(struct http_headers *headers) {
    http_headers_clear(headers);
    free(headers->items);
    free(headers->text);
    http_headers_init(headers);
}

static bool make_room_for_item(struct http_headers *headers) {
    if (headers->count < headers->capacity) {
        return true;
    }
    size_t capacity = headers->capacity == 0 ? 16 : headers->capacity * 2;
    struct http_header *items = reallocarray(headers->items, capacity, sizeof *items);
    if (items == NULL) {
        return false;
    }
    headers->items = items;
    headers->capacity = capacity;
    return true;
}

/* Moves the text to a larger place. realloc would leave a copy of secrets behind. */
static bool grow_text(struct http_headers *headers, size_t capacity) {
    char *text = malloc(capacity);
    if (text == NULL) {
        return false;
    }
    if (headers->text != NULL) {
        memcpy(text, headers->text, headers->text_length);
        for (size_t i = 0; i < headers->count; i++) {
            struct http_header *item = &headers->items[i];
            item->name = text + (item->name - headers->text);
            item->value = text + (item->value - headers->text);
        }
        crypto_wipe(headers->text, headers->text_capacity); /* also text that was printed in part */
        free(headers->text);
    }
    headers->text = text;
    headers->text_capacity = capacity;
    return true;
}

/* Makes room for `length` more bytes of text. Returns false if there is no memory. */
static bool make_room_for_text(struct http_headers *headers, size_t length) {
    size_t needed = headers->text_length + length;
    if (needed <= headers->text_capacity) {
        return true;
    }
    size_t capacity = headers->text_capacity == 0 ? 512 : headers->text_capacity * 2;
    return grow_text(headers, capacity > needed ? capacity : needed);
}

static bool is_one_line(const char *text, size_t length) {
    return memchr(text, '\n', length) == NULL && memchr(text, '\r', length) == NULL &&
           memchr(text, '\0', length) == NULL;
}

/* Copies bytes and a NUL to the end of the text. The caller has made room. */
static char *append_text(struct http_headers *headers, const char *bytes, size_t length) {
    char *start = headers->text + headers->text_length;
    memcpy(start, bytes, length);
    start[length] = '\0';
    headers->text_length += length + 1;
    return start;
}

static enum status add_copied(struct http_headers *headers, const char *name, size_t name_length,
                              const char *value, size_t value_length) {
    if (!is_one_line(name, name_length) || !is_one_line(value, value_length)) {
        return STATUS_INVALID_ARGUMENT;
    }
    if (!make_room_for_item(headers) ||
        !make_room_for_text(headers, name_length + 1 + value_length + 1)) {
        return STATUS_NO_MEMORY;
    }
    struct http_header *item = &headers->items[headers->count++];
    item->name = append_text(headers, name, name_length);
    item->value = append_text(headers, value, value_length);
    return STATUS_OK;
}

void http_headers_add_bytes(struct http_headers *headers, const char *name, size_t name_length,
                            const char *value, size_t value_length) {
    if (headers->status == STATUS_OK) {
        headers->status = add_copied(headers, name, name_length, value, value_length);
    }
}

void http_headers_add(struct http_headers *headers, const char *name, const char *value) {
    http_headers_add_bytes(headers, name, strlen(name), value, strlen(value));
}

/*
 * Prints after the end of the text, without making it part of the text. Returns the length, or -1
 * if there is no memory.
 */
PRINTF_LIKE(2, 0)
static int print_behind(struct http_headers *headers, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    size_t room = headers->text_capacity - headers->text_length;
    int length =
        vsnprintf(room == 0 ? NULL : headers->text + headers->text_length, room, format, arguments);
    if (length >= 0 && (size_t)length >= room) {
        if (make_room_for_text(headers, (size_t)length + 1)) {
            vsnprintf(headers->text + headers->text_length, (size_t)length + 1, format, again);
        } else {
            length = -1;
        }
    }
    va_end(again);
    return length;
}

PRINTF_LIKE(3, 0)
static enum status add_printed(struct http_headers *headers, const char *name, const char *format,
                               va_list arguments) {
    size_t start = headers->text_length, name_length = strlen(name);
    if (!make_room_for_item(headers) || !make_room_for_text(headers, name_length + 1)) {
        return STATUS_NO_MEMORY;
    }
    append_text(headers, name, name_length);
    int value_length = print_behind(headers, format, arguments);
    const char *value = headers->text + headers->text_length;
    if (value_length < 0 || !is_one_line(name, name_length) ||
        !is_one_line(value, (size_t)value_length)) {
        /* The value may be a secret, and a later wipe does not reach behind the text. */
        crypto_wipe(headers->text + start, headers->text_capacity - start);
        headers->text_length = start;
        return value_length < 0 ? STATUS_NO_MEMORY : STATUS_INVALID_ARGUMENT;
    }
    headers->items[headers->count++] = (struct http_header){
        .name = headers->text + start, .value = headers->text + headers->text_length};
    headers->text_length += (size_t)value_length + 1;
    return STATUS_OK;
}

void http_headers_addf(struct http_headers *headers, const char *name, const char *format, ...) {
    if (headers->status != STATUS_OK) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    headers->status = add_printed(headers, name, format, arguments);
    va_end(arguments);
}

/* Compares first letters in any case. It rules out most names at less cost than strcasecmp. */
static bool may_be_same(const char *a, const char *b) {
    return ((*a ^ *b) & ~0x20) == 0;
}

static struct http_header *find_header(const struct http_headers *headers, const char *name) {
    for (size_t i = 0; i < headers->count; i++) {
        if (may_be_same(headers->items[i].name, name) &&
            strcasecmp(headers->items[i].name, name) == 0) {
            return &headers->items[i];
        }
    }
    return NULL;
}

/*
 * Inserts bytes into the text at `at`, and moves the names and values after it. The caller has made
 * room.
 */
static void insert_text(struct http_headers *headers, char *at, const char *bytes, size_t length) {
    memmove(at + length, at, (size_t)(headers->text + headers->text_length - at));
    memcpy(at, bytes, length);
    headers->text_length += length;
    for (size_t i = 0; i < headers->count; i++) {
        struct http_header *item = &headers->items[i];
        item->name += item->name > at ? length : 0;
        item->value += item->value > at ? length : 0;
    }
}

void http_headers_join(struct http_headers *headers, const char *name, const char *value) {
    struct http_header *first = find_header(headers, name);
    size_t length = strlen(value);
    if (first == NULL || headers->status != STATUS_OK || !is_one_line(value, length)) {
        http_headers_add(headers, name, value);
        return;
    }
    if (!make_room_for_text(headers, strlen(", ") + length)) {
        headers->status = STATUS_NO_MEMORY;
        return;
    }
    char *end = first->value + strlen(first->value);
    insert_text(headers, end, value, length);
    insert_text(headers, end, ", ", strlen(", "));
}

const char *http_headers_get(const struct http_headers *headers, const char *name) {
    const struct http_header *header = find_header(headers, name);
    return header != NULL ? header->value : NULL;
}

struct http_header_value http_headers_single(const struct http_headers *headers, const char *name) {
    struct http_header_value value = {0};
    for (size_t i = 0; i < headers->count; i++) {
        if (may_be_same(headers->items[i].name, name) &&
            strcasecmp(headers->items[i].name, name) == 0) {
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
    response->rest = NULL;
}

void http_response_cleanup(struct http_response *response) {
    http_headers_cleanup(&response->headers);
    strbuf_cleanup(&response->body);
    temp_file_free(response->rest);
    response->rest = NULL;
}

void http_response_set_reason(struct http_response *response, const char *text) {
    snprintf(response->reason, sizeof response->reason, "%s", text);
    for (char *at = response->reason; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            *at = '?';
        }
    }
}
