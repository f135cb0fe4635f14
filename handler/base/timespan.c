#include "base/timespan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { MAX_DAYS = 10675199 };

/* The readers below move *text past what they have read, or return false. */

/* Reads 1 to `most` digits. */
static bool read_number(const char **text, int most, int64_t *out) {
    int64_t value = 0;
    int count = 0;
    for (; count < most && **text >= '0' && **text <= '9'; count++) {
        value = value * 10 + (*(*text)++ - '0');
    }
    *out = value;
    return count > 0;
}

static bool read_char(const char **text, char c) {
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

/* Reads nothing, or a point and 1 to 7 digits. */
static bool read_fraction_ms(const char **text, int64_t *out_ms) {
    int64_t digit, ms = 0;
    int count = 0;
    if (read_char(text, '.')) {
        for (int unit = 100; count < 7 && read_number(text, 1, &digit); unit /= 10) {
            ms += digit * unit;
            count++;
        }
        if (count == 0) {
            return false;
        }
    }
    *out_ms = ms;
    return true;
}

static bool read_days(const char **text, int64_t *out_days) {
    const char *at = *text;
    int64_t days;
    if (!read_number(&at, 8, &days) || !read_char(&at, '.')) {
        *out_days = 0; /* the text begins with the hours */
        return true;
    }
    *text = at;
    *out_days = days;
    return days <= MAX_DAYS;
}

bool timespan_parse(const char *text, int64_t *out_ms) {
    int64_t days, hours, minutes, seconds, ms;
    if (!(read_days(&text, &days) && read_number(&text, 2, &hours) && read_char(&text, ':') &&
          read_number(&text, 2, &minutes) && read_char(&text, ':') &&
          read_number(&text, 2, &seconds) && read_fraction_ms(&text, &ms) && *text == '\0')) {
        return false;
    }
    if (hours > 23 || minutes > 59 || seconds > 59) {
        return false;
    }
    *out_ms = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + ms;
    return true;
}

void timespan_format(int64_t ms, char out[TIMESPAN_TEXT_BYTES]) {
    assert(ms >= 0);
    int64_t seconds = ms / 1000;
    int64_t days = seconds / 86400;
    char day_text[TIMESPAN_TEXT_BYTES - 16] = "";
    if (days > 0) {
        snprintf(day_text, sizeof day_text, "%" PRId64 ".", days);
    }
    snprintf(out, TIMESPAN_TEXT_BYTES, "%s%02d:%02d:%02d.%03d0000", day_text,
             (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60), (int)(seconds % 60),
             (int)(ms % 1000));
}
