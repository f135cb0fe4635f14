#include "base/percent.h"

#include <string.h>

#include "base/hex.h"

int percent_escape(const char *text, size_t length) {
    if (length < PERCENT_ESCAPE_LENGTH || text[0] != '%') {
        return -1;
    }
    int high = hex_digit(text[1]), low = hex_digit(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void percent_decode(char *text) {
    char *to = text;
    for (size_t left = strlen(text); left > 0;) {
        int byte = percent_escape(text, left);
        size_t taken = 1;
        if (byte > 0) {
            taken = PERCENT_ESCAPE_LENGTH;
            *to = (char)byte;
        } else {
            *to = *text;
        }
        to++;
        text += taken;
        left -= taken;
    }
    *to = '\0';
}
