/*
 * strbuf.h - a string that grows up to a limit, for text that is built or received in pieces.
 *
 * Rules        `data` is never NULL and always ends with a NUL; an empty strbuf points to a static
 *              "". The text may hold NULs.
 *              A failure (no memory, or over max_bytes) is remembered, and later appends do
 *              nothing. So a chain of appends is checked once, with strbuf_status.
 *              Growing wipes the memory that it leaves, since the text may be a secret.
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
    size_t max_bytes; /* the limit of `length` */
    enum status status;
};

/* Makes an empty string that may grow to `max_bytes`. Allocates nothing. */
void strbuf_init(struct strbuf *buf, size_t max_bytes);

/*
 * Both free the text and leave an empty strbuf that can be used again. For secrets,
 * strbuf_cleanup_wipe overwrites the text first.
 */
void strbuf_cleanup(struct strbuf *buf);
void strbuf_cleanup_wipe(struct strbuf *buf);

/*
 * Both empty the string and forget a failure, but keep the memory. For secrets, strbuf_clear_wipe
 * overwrites the text.
 */
void strbuf_clear(struct strbuf *buf);
void strbuf_clear_wipe(struct strbuf *buf);

/* Appends bytes, which may not lie in `buf` itself, because growing moves it. */
void strbuf_append(struct strbuf *buf, const char *bytes, size_t length);

/* It is inline so that the compiler knows the length of a literal. */
static inline void strbuf_append_string(struct strbuf *buf, const char *text) {
    strbuf_append(buf, text, strlen(text));
}

void strbuf_append_char(struct strbuf *buf, char c);
void strbuf_appendf(struct strbuf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends the number in decimal digits. */
void strbuf_append_int64(struct strbuf *buf, int64_t value);

/*
 * Appends `text` percent-encoded: every byte becomes %XX except for RFC 3986's unreserved
 * characters (letters, digits, - . _ ~).
 */
void strbuf_append_percent_encoded(struct strbuf *buf, const char *text);

/*
 * STATUS_OK          all appends so far have succeeded
 * STATUS_NO_MEMORY   one of them got no memory
 * STATUS_TOO_LARGE   one of them went over max_bytes
 */
enum status strbuf_status(const struct strbuf *buf) MUST_CHECK;

/* Returns the text, borrowed, or NULL if an append has failed. */
const char *strbuf_text(const struct strbuf *buf);

#endif
