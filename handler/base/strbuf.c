#include "base/strbuf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto_wipe.h"
#include "base/hex.h"

enum { SMALLEST_CAPACITY = 64 };

static char empty_text[] = ""; /* shared by all empty strbufs, and never written */

void strbuf_init(struct strbuf *buf, size_t max_bytes) {
    /* No object is larger than PTRDIFF_MAX. Below this limit no sum or doubling can overflow. */
    size_t most = (size_t)PTRDIFF_MAX - 1;
    *buf = (struct strbuf){.data = empty_text, .max_bytes = max_bytes < most ? max_bytes : most};
}

void strbuf_cleanup(struct strbuf *buf) {
    if (buf->capacity > 0) {
        free(buf->data);
    }
    strbuf_init(buf, buf->max_bytes);
}

void strbuf_cleanup_wipe(struct strbuf *buf) {
    /* The whole capacity: after strbuf_clear an old secret may lie behind `length`. */
    crypto_wipe(buf->data, buf->capacity);
    strbuf_cleanup(buf);
}

void strbuf_clear(struct strbuf *buf) {
    buf->length = 0;
    buf->status = STATUS_OK;
    if (buf->capacity > 0) {
        buf->data[0] = '\0';
    }
}

void strbuf_clear_wipe(struct strbuf *buf) {
    crypto_wipe(buf->data, buf->length);
    strbuf_clear(buf);
}

static size_t grown_capacity(const struct strbuf *buf, size_t needed) {
    size_t capacity = buf->capacity * 2;
    if (capacity < SMALLEST_CAPACITY) {
        capacity = SMALLEST_CAPACITY;
    }
    if (capacity > buf->max_bytes + 1) {
        capacity = buf->max_bytes + 1;
    }
    return capacity > needed ? capacity : needed;
}

/*
 * Moves the text to where `needed` bytes have room. Returns false, and remembers why, if there is
 * no memory.
 */
static bool grow(struct strbuf *buf, size_t needed) {
    size_t capacity = grown_capacity(buf, needed);
    char *data = malloc(capacity); /* realloc would leave a copy of secrets behind */
    if (data == NULL) {
        buf->status = STATUS_NO_MEMORY;
        return false;
    }
    memcpy(data, buf->data, buf->length + 1);
    if (buf->capacity > 0) {
        crypto_wipe(buf->data, buf->capacity); /* cleared text may lie behind `length` */
        free(buf->data);
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

/*
 * Makes room for `length` more bytes and the NUL. Returns false, and remembers why, if it cannot.
 */
static inline bool make_room(struct strbuf *buf, size_t length) {
    size_t needed = buf->length + length + 1;
    if (buf->status != STATUS_OK) {
        return false;
    }
    if (length > buf->max_bytes - buf->length) {
        buf->status = STATUS_TOO_LARGE;
        return false;
    }
    return needed <= buf->capacity || grow(buf, needed);
}

void strbuf_append(struct strbuf *buf, const char *bytes, size_t length) {
    if (length == 0 || !make_room(buf, length)) {
        return;
    }
    memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

/* Returns how many bytes may be written at the end of the text, its NUL included. */
static size_t room_behind(const struct strbuf *buf) {
    size_t end = buf->capacity <= buf->max_bytes ? buf->capacity : buf->max_bytes + 1;
    return buf->status == STATUS_OK && buf->length < end ? end - buf->length : 0;
}

void strbuf_append_char(struct strbuf *buf, char c) {
    if (room_behind(buf) > 1) {
        buf->data[buf->length++] = c;
        buf->data[buf->length] = '\0';
    } else {
        strbuf_append(buf, &c, 1);
    }
}

/*
 * Prints at the end of the text, and returns true, if there is room; otherwise `buf` is unchanged.
 * In both cases `*length` is the length that is needed, or negative if the text cannot be printed.
 */
PRINTF_LIKE(2, 0)
static bool print_in_place(struct strbuf *buf, const char *format, va_list arguments, int *length) {
    size_t room = room_behind(buf);
    *length = vsnprintf(room == 0 ? NULL : buf->data + buf->length, room, format, arguments);
    if (*length >= 0 && (size_t)*length < room) {
        buf->length += (size_t)*length;
        return true;
    }
    if (room > 0) {
        crypto_wipe(buf->data + buf->length, room); /* part of it was printed, perhaps a secret */
    }
    return false;
}

void strbuf_appendf(struct strbuf *buf, const char *format, ...) {
    va_list arguments, again;
    int length;
    va_start(arguments, format);
    va_copy(again, arguments);
    bool is_printed = print_in_place(buf, format, arguments, &length);
    if (length < 0) {
        if (buf->status == STATUS_OK) {
            buf->status = errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_TOO_LARGE;
        }
    } else if (!is_printed && length > 0 && make_room(buf, (size_t)length)) {
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void strbuf_append_int64(struct strbuf *buf, int64_t value) {
    char digits[20]; /* INT64_MIN has a sign and 19 digits */
    size_t start = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--start] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        digits[--start] = '-';
    }
    strbuf_append(buf, digits + start, sizeof digits - start);
}

static bool is_unreserved(char c) {
    /* isalnum depends on the locale. */
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void strbuf_append_percent_encoded(struct strbuf *buf, const char *text) {
    while (*text != '\0') {
        size_t plain = 0;
        while (is_unreserved(text[plain])) {
            plain++;
        }
        strbuf_append(buf, text, plain);
        text += plain;
        if (*text != '\0') {
            unsigned char byte = (unsigned char)*text++;
            const char escape[] = {'%', HEX_UPPER[byte >> 4], HEX_UPPER[byte & 15]};
            strbuf_append(buf, escape, sizeof escape);
        }
    }
}

enum status strbuf_status(const struct strbuf *buf) {
    return buf->status;
}

const char *strbuf_text(const struct strbuf *buf) {
    return buf->status == STATUS_OK ? buf->data : NULL;
}
