/*
 * percent.h - the escapes of URLs (RFC 3986 section 2.1): '%' and two hexadecimal digits for a
 * byte.
 */
#ifndef BASE_PERCENT_H
#define BASE_PERCENT_H

#include <stddef.h>

enum { PERCENT_ESCAPE_LENGTH = 3 };

/* Returns the byte of the escape that `text`, of `length` bytes, begins with; -1 if it has none. */
int percent_escape(const char *text, size_t length);

/*
 * Decodes a NUL-terminated text in place. %00 is not decoded, since it would cut the text; it
 * stays, as does every '%' without two digits.
 */
void percent_decode(char *text);

#endif
