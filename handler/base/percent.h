/*
 * percent.h - percent-encoded bytes in a URL: "%2F" stands for '/' (RFC 3986, section 2.1).
 */
#ifndef BASE_PERCENT_H
#define BASE_PERCENT_H

#include "base/hex.h"

/* Returns the byte that is encoded at `at`, which lies before `end`; -1 if no whole escape is. */
static inline int percent_byte(const char *at, const char *end) {
    if (end - at < 3 || at[0] != '%' || hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0) {
        return -1;
    }
    return hex_digit(at[1]) * 16 + hex_digit(at[2]);
}

#endif
