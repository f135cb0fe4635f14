#include "identity/token_date.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/utc.h"

enum { EPOCH_MAX_DIGITS = 18, FIRST_YEAR = 1970, LAST_YEAR = 9999 };

/* The readers below take their part from the front of *text, or return false if it is not there. */

static bool read_number(const char **text, size_t max_digits, int *out) {
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > max_digits) {
        return false;
    }
    *out = 0;
    for (; digits > 0; digits--, (*text)++) {
        *out = *out * 10 + (**text - '0');
    }
    return true;
}

static bool read_char(const char **text, char c) {
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

static void skip_spaces(const char **text) {
    *text += strspn(*text, " ");
}

/* Reads "2025-01-19" or "1/19/2025". */
static bool read_day(const char **text, struct tm *out) {
    int year;
    if (strcspn(*text, "/") < strcspn(*text, "-")) {
        if (!(read_number(text, 2, &out->tm_mon) && read_char(text, '/') &&
              read_number(text, 2, &out->tm_mday) && read_char(text, '/') &&
              read_number(text, 4, &year))) {
            return false;
        }
    } else if (!(read_number(text, 4, &year) && read_char(text, '-') &&
                 read_number(text, 2, &out->tm_mon) && read_char(text, '-') &&
                 read_number(text, 2, &out->tm_mday))) {
        return false;
    }
    out->tm_mon -= 1;
    out->tm_year = year - 1900;
    return year >= FIRST_YEAR && year <= LAST_YEAR && out->tm_mon >= 0 && out->tm_mon < 12 &&
           out->tm_mday >= 1 && out->tm_mday <= 31;
}

/*
 * Reads " AM" or " PM", if it is there, and adjusts the hour. The documentation has "00:00:00 PM",
 * and an old endpoint "15:00:00 PM". For such hours PM changes nothing.
 */
static void read_am_pm(const char **text, int *hour) {
    const char *half = *text + strspn(*text, " ");
    bool is_pm = strncasecmp(half, "PM", 2) == 0;
    if (!is_pm && strncasecmp(half, "AM", 2) != 0) {
        return;
    }
    *text = half + 2;
    if (is_pm && *hour >= 1 && *hour < 12) {
        *hour += 12;
    } else if (!is_pm && *hour == 12) {
        *hour = 0;
    }
}

/* Reads "15:00", "15:00:00" or "3:00:00.123 PM". */
static bool read_time(const char **text, struct tm *out) {
    if (!read_number(text, 2, &out->tm_hour) || !read_char(text, ':') ||
        !read_number(text, 2, &out->tm_min)) {
        return false;
    }
    if (read_char(text, ':') && !read_number(text, 2, &out->tm_sec)) {
        return false;
    }
    if (read_char(text, '.')) {
        *text += strspn(*text, "0123456789");
    }
    read_am_pm(text, &out->tm_hour);
    return out->tm_hour < 24 && out->tm_min < 60 && out->tm_sec <= 60;
}

/* Reads "Z", "UTC", "GMT", "+01:00", "-0130" or nothing. Only nothing sets *has_offset to false. */
static bool read_offset(const char **text, bool *has_offset, int *out_s) {
    static const char *const utc[] = {"Z", "UTC", "GMT"};
    *out_s = 0;
    skip_spaces(text);
    for (size_t i = 0; i < sizeof utc / sizeof utc[0]; i++) {
        if (strcasecmp(*text, utc[i]) == 0) {
            *text += strlen(utc[i]);
            *has_offset = true;
            return true;
        }
    }
    int sign = **text == '-' ? -1 : 1, hours, minutes;
    *has_offset = **text == '+' || **text == '-';
    if (!*has_offset) {
        return true;
    }
    (*text)++;
    if (strspn(*text, "0123456789") == 4) { /* without a colon */
        if (!read_number(text, 4, &hours)) {
            return false;
        }
        minutes = hours % 100;
        hours /= 100;
    } else if (!read_number(text, 2, &hours) || !read_char(text, ':') ||
               !read_number(text, 2, &minutes)) {
        return false;
    }
    *out_s = sign * (hours * 3600 + minutes * 60);
    return hours <= 14 && minutes < 60;
}

static bool read_epoch(const char *text, int64_t *out_s) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > EPOCH_MAX_DIGITS || text[digits] != '\0') {
        return false;
    }
    *out_s = strtoll(text, NULL, 10);
    return true;
}

static bool read_calendar(const char *text, bool is_local, int64_t *out_s) {
    struct tm tm = {.tm_isdst = -1};
    bool has_offset = false;
    int offset_s = 0;
    if (!read_day(&text, &tm) || (*text != 'T' && *text != ' ')) {
        return false;
    }
    text++;
    if (!read_time(&text, &tm) || !read_offset(&text, &has_offset, &offset_s) || *text != '\0') {
        return false;
    }
    int64_t seconds =
        is_local && !has_offset ? (int64_t)mktime(&tm) : (int64_t)timegm(&tm) - offset_s;
    if (seconds < 0) {
        return false;
    }
    *out_s = seconds;
    return true;
}

bool token_date_read(const char *text, bool is_local, int64_t *out_s) {
    int64_t ms;
    if (read_epoch(text, out_s) || read_calendar(text, is_local, out_s)) {
        return true;
    }
    if (!utc_parse_http(text, &ms)) {
        return false;
    }
    *out_s = ms / 1000;
    return true;
}
