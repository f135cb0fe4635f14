/* http_head.h - the head of an HTTP/1.1 message, as text. */
#ifndef SUPPORT_HTTP_HEAD_H
#define SUPPORT_HTTP_HEAD_H

#include <stddef.h>

/*
 * Writes the value of a header into `out`, cut to `size`; "" where there is none. Returns `out`.
 * Names compare without case. `head` is NUL-terminated, and `length` is what of it is the head.
 */
const char *http_head_value(const char *head, size_t length, const char *name, char *out,
                            size_t size);

#endif
