/*
 * hex.h - hexadecimal digits.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>

/* The digits, each at the index of its value. */
#define HEX_LOWER "0123456789abcdef"
#define HEX_UPPER "0123456789ABCDEF"

/* Writes two lower-case digits for each byte and a NUL, which takes 2 * length + 1 characters. */
static inline void hex_encode(const void *bytes, size_t length, char *out) {
    const unsigned char *from = bytes;
    for (size_t i = 0; i < length; i++) {
        *out++ = HEX_LOWER[from[i] >> 4];
        *out++ = HEX_LOWER[from[i] & 15];
    }
    *out = '\0';
}

/* Returns the value of a hexadecimal digit of either case, or -1 for any other character. */
static inline int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
