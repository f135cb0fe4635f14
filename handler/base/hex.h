/*
 * hex.h - hexadecimal digits.
 *
 * Threads: any.
 * Layer: base.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

/* The value of a hexadecimal digit, upper or lower case; -1 for any other character. */
static inline int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
