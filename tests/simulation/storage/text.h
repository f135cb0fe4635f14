/*
 * text.h - pieces of somebody else's text, which must outlive them.
 */
#ifndef SIMULATION_STORAGE_TEXT_H
#define SIMULATION_STORAGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Not NUL-terminated. */
struct text {
    const char *data;
    size_t length;
};

bool text_is(struct text text, const char *other);
bool text_equal(struct text left, struct text right);

/* The same in any case. */
bool text_is_nocase(struct text text, const char *other);
bool text_starts_nocase(struct text text, const char *prefix);

struct text text_skip(struct text text, size_t count);

/* Without spaces and tabs at its ends. */
struct text text_trim(struct text text);

/* Takes what stands before the next `separator`, or all, from `rest`. The separator is dropped. */
struct text text_cut(struct text *rest, char separator);

/* Takes the next line, without its "\r\n" or "\n". */
struct text text_cut_line(struct text *rest);

/* Copies it with a NUL. Returns false, and leaves `out` alone, if there is no room. */
bool text_copy(struct text text, char *out, size_t out_bytes);

/* Decodes %XX into `out`, NUL-terminated. Returns false if there is no room, or a NUL in it. */
bool text_percent_decode(struct text text, char *out, size_t out_bytes);

/* Reads a whole number, which may be negative. Returns false if it is anything else. */
bool text_read_int(struct text text, int *out);

#endif
