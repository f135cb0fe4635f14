/*
 * strbuf.h - a growing string with a ceiling, for text that is built or received piece by piece.
 *
 * Rules        `data` is always NUL-terminated and never NULL (an empty strbuf points at a static ""); it may hold NULs.
 *              A failure (no memory, over max_bytes) is remembered: later appends do nothing, so a chain of appends is
 *              checked once, with strbuf_status.
 * Threads: none of its own.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

struct strbuf {
    char *data;
    size_t length;
    size_t capacity;  /* 0: data is the static empty string */
    size_t max_bytes; /* the length that it may not exceed */
    enum status status;
};

/* An empty string that may grow to `max_bytes`. Allocates nothing. */
void strbuf_init(struct strbuf *buf, size_t max_bytes);

/*
 * Frees the text; the strbuf is empty afterwards and can be used again. _wipe overwrites it first: for secrets. (Growing
 * always wipes the memory that it leaves.)
 */
void strbuf_cleanup(struct strbuf *buf);
void strbuf_cleanup_wipe(struct strbuf *buf);

/* Empties it and forgets a failure, keeping its memory. _wipe overwrites the text: for secrets. */
void strbuf_clear(struct strbuf *buf);
void strbuf_clear_wipe(struct strbuf *buf);

/* What is appended may not lie in `buf` itself: growing moves it. */
void strbuf_append(struct strbuf *buf, const char *bytes, size_t length);

/* Here the compiler sees the length of a text that is written in the code. */
static inline void strbuf_append_string(struct strbuf *buf, const char *text) {
    strbuf_append(buf, text, strlen(text));
}

void strbuf_append_char(struct strbuf *buf, char c);
void strbuf_appendf(struct strbuf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* The number in decimal digits. */
void strbuf_append_int64(struct strbuf *buf, int64_t value);

/* Appends `text` with every byte but RFC 3986's unreserved ones (letters, digits, - . _ ~) as %XX. */
void strbuf_append_percent_encoded(struct strbuf *buf, const char *text);

/*
 * STATUS_OK          all appends so far have succeeded
 * STATUS_NO_MEMORY   one of them got no memory
 * STATUS_TOO_LARGE   one of them went over max_bytes
 */
enum status strbuf_status(const struct strbuf *buf) MUST_CHECK;

/* The text, borrowed; NULL if an append has failed. */
const char *strbuf_text(const struct strbuf *buf);

#endif
