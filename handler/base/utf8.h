/*
 * utf8.h - checks and counts UTF-8 text.
 *
 * Valid text has no overlong forms, no surrogates, and no code point above U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads the code point at the start of `text`. Returns how many bytes it takes (1 to 4), or 0 if no
 * valid code point starts there. `length` may be 0.
 */
size_t utf8_decode(const char *text, size_t length, uint32_t *out_code_point);

/* Returns whether all `length` bytes are valid UTF-8. A NUL does not end them. */
bool utf8_is_valid(const char *text, size_t length);

/*
 * Returns how many code points `text` holds, or -1 if it is not valid or holds a control character
 * (U+0000 to U+001F, U+007F to U+009F).
 */
int64_t utf8_count_printable(const char *text);

/*
 * Makes `text` fit for one line: control characters become spaces. If the last code point was cut,
 * as by snprintf, what is left of it is removed.
 */
void utf8_make_line(char *text);

#endif
