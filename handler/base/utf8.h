/*
 * utf8.h - the few questions about UTF-8 text that this program asks.
 *
 * Valid means: no overlong forms, no surrogates, at most U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes (1 to 4) the code point at the start of `text` takes; 0: no valid one starts there. May be given length 0. */
size_t utf8_decode(const char *text, size_t length, uint32_t *out_code_point);

/* Is this valid UTF-8? Stops at `length`, not at a NUL. */
bool utf8_is_valid(const char *text, size_t length);

/* How many code points `text` holds, or -1 where it is not valid or holds a control character (U+0000-1F, U+7F-9F). */
int64_t utf8_count_printable(const char *text);

/*
 * Makes a buffer's text, perhaps cut by snprintf, fit to be a line: control characters become spaces, a code point
 * that was cut at the end is dropped.
 */
void utf8_make_line(char *text);

#endif
