#include "base/utc.h"

#include <string.h>
#include <time.h>

static const int64_t last_ms = 253402300799999; /* 9999-12-31T23:59:59.999Z */

/* These are here because strftime and strptime use the names of the locale. */
static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* ---- the calendar ---- */

/*
 * A year begins in March here, so that 29 February is the last day of its year. gmtime_r and timegm
 * ask for the time zone, under a lock, and take ten times as long. Each row of a product has two
 * times.
 */
enum {
    DAY_S = 24 * 3600,
    DAYS_OF_400_YEARS = 146097,
    FIRST_DAY = 719468 /* 1970-01-01, counted from 0000-03-01 */
};

/* Returns the days of a year before a month. March is month 0. */
static int days_before_month(int month) {
    return (153 * month + 2) / 5;
}

/* Finds the date of a day, counted from 0000-03-01, in the proleptic Gregorian calendar. */
static void find_date(int64_t day, struct tm *out) {
    int64_t era = day / DAYS_OF_400_YEARS;
    int of_era = (int)(day % DAYS_OF_400_YEARS);
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153;
    out->tm_mday = of_year - days_before_month(month) + 1;
    out->tm_mon = (month + 2) % 12;
    out->tm_year = (int)(era * 400) + year + (month >= 10) - 1900;
}

/*
 * Returns the day of a date, as find_date counts. A day that its month does not have counts as a
 * day of the next month.
 */
static int64_t find_day(const struct tm *tm) {
    int64_t year = tm->tm_year + 1900 - (tm->tm_mon < 2);
    return 365 * year + year / 4 - year / 100 + year / 400 +
           days_before_month((tm->tm_mon + 10) % 12) + tm->tm_mday - 1;
}

/* Splits a time into the parts of the calendar. Returns its milliseconds within the second. */
static int break_down(int64_t wall_ms, struct tm *out) {
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > last_ms ? last_ms : wall_ms;
    int64_t day = ms / 1000 / DAY_S;
    int second = (int)(ms / 1000 % DAY_S);
    find_date(FIRST_DAY + day, out);
    out->tm_wday = (int)((day + 4) % 7); /* 1970-01-01 was a Thursday */
    out->tm_hour = second / 3600;
    out->tm_min = second / 60 % 60;
    out->tm_sec = second % 60;
    return (int)(ms % 1000);
}

/* ---- writing ---- */

/* Writes the last `count` digits of a number and then `mark`. Returns the position after them. */
static char *put_digits(char *out, int value, int count, char mark) {
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    out[count] = mark;
    return out + count + 1;
}

/* Writes three letters and then `mark`. Returns the position after them. */
static char *put_text(char *out, const char *text, char mark) {
    memcpy(out, text, 3);
    out[3] = mark;
    return out + 4;
}

/* strftime and snprintf would take ten times as long, and a reservation has four times. */
static char *put_iso8601(char *out, const struct tm *tm, char mark) {
    out = put_digits(out, tm->tm_year + 1900, 4, '-');
    out = put_digits(out, tm->tm_mon + 1, 2, '-');
    out = put_digits(out, tm->tm_mday, 2, 'T');
    out = put_digits(out, tm->tm_hour, 2, ':');
    out = put_digits(out, tm->tm_min, 2, ':');
    return put_digits(out, tm->tm_sec, 2, mark);
}

void utc_format_iso8601_ms(int64_t wall_ms, char out[UTC_TEXT_BYTES]) {
    struct tm tm;
    int ms = break_down(wall_ms, &tm);
    char *end = put_digits(put_iso8601(out, &tm, '.'), ms, 3, 'Z');
    *end = '\0';
}

void utc_format_iso8601(int64_t wall_ms, char out[UTC_TEXT_BYTES]) {
    struct tm tm;
    break_down(wall_ms, &tm);
    char *end = put_iso8601(out, &tm, 'Z');
    *end = '\0';
}

void utc_format_http(int64_t wall_ms, char out[UTC_TEXT_BYTES]) {
    struct tm tm;
    break_down(wall_ms, &tm);
    out = put_text(out, weekdays[tm.tm_wday], ',');
    *out++ = ' ';
    out = put_digits(out, tm.tm_mday, 2, ' ');
    out = put_text(out, months[tm.tm_mon], ' ');
    out = put_digits(out, tm.tm_year + 1900, 4, ' ');
    out = put_digits(out, tm.tm_hour, 2, ':');
    out = put_digits(out, tm.tm_min, 2, ':');
    out = put_digits(out, tm.tm_sec, 2, ' ');
    put_text(out, "GMT", '\0');
}

/* ---- reading ---- */

/* The readers below move *text past what they have read, or return false. */

static bool read_digits(const char **text, int count, int *out) {
    int value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*text)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (c - '0');
    }
    *text += count;
    *out = value;
    return true;
}

static bool read_literal(const char **text, const char *literal) {
    size_t length = strlen(literal);
    if (strncmp(*text, literal, length) != 0) {
        return false;
    }
    *text += length;
    return true;
}

static bool read_name(const char **text, const char *const *names, int count, int *out) {
    for (int i = 0; i < count; i++) {
        if (read_literal(text, names[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool read_time_of_day(const char **text, struct tm *tm) {
    return read_digits(text, 2, &tm->tm_hour) && read_literal(text, ":") &&
           read_digits(text, 2, &tm->tm_min) && read_literal(text, ":") &&
           read_digits(text, 2, &tm->tm_sec);
}

/* Reads nothing, or a point and 1 to 7 digits. */
static bool read_fraction_ms(const char **text, int *out_ms) {
    int ms = 0;
    if (read_literal(text, ".")) {
        int digit, count = 0;
        for (int unit = 100; count < 7 && read_digits(text, 1, &digit); unit /= 10) {
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

/*
 * Returns false if there is no such day or time. find_day turns 30 February into 2 March, so the
 * date of its result is compared with what went in.
 */
static bool to_ms(const struct tm *tm, int *out_weekday, int64_t *out_ms) {
    struct tm real;
    bool may_be = tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_hour < 24 && tm->tm_min < 60 &&
                  tm->tm_sec < 60;
    int64_t day = may_be ? find_day(tm) : 0;
    if (day < FIRST_DAY) {
        return false;
    }
    find_date(day, &real);
    if (real.tm_year != tm->tm_year || real.tm_mon != tm->tm_mon || real.tm_mday != tm->tm_mday) {
        return false;
    }
    *out_weekday = (int)((day - FIRST_DAY + 4) % 7);
    int second = tm->tm_hour * 3600 + tm->tm_min * 60 + tm->tm_sec;
    *out_ms = ((day - FIRST_DAY) * DAY_S + second) * 1000;
    return true;
}

bool utc_parse_iso8601(const char *text, int64_t *out_ms) {
    struct tm tm = {0};
    int year, month, weekday, fraction_ms;
    int64_t ms;
    if (!(read_digits(&text, 4, &year) && read_literal(&text, "-") &&
          read_digits(&text, 2, &month) && read_literal(&text, "-") &&
          read_digits(&text, 2, &tm.tm_mday) && read_literal(&text, "T") &&
          read_time_of_day(&text, &tm) && read_fraction_ms(&text, &fraction_ms) &&
          strcmp(text, "Z") == 0)) {
        return false;
    }
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    if (!to_ms(&tm, &weekday, &ms)) {
        return false;
    }
    *out_ms = ms + fraction_ms;
    return true;
}

bool utc_parse_http(const char *text, int64_t *out_ms) {
    struct tm tm = {0};
    int year, named_weekday, weekday;
    int64_t ms;
    if (!(read_name(&text, weekdays, 7, &named_weekday) && read_literal(&text, ", ") &&
          read_digits(&text, 2, &tm.tm_mday) && read_literal(&text, " ") &&
          read_name(&text, months, 12, &tm.tm_mon) && read_literal(&text, " ") &&
          read_digits(&text, 4, &year) && read_literal(&text, " ") &&
          read_time_of_day(&text, &tm) && strcmp(text, " GMT") == 0)) {
        return false;
    }
    tm.tm_year = year - 1900;
    if (!to_ms(&tm, &weekday, &ms) || weekday != named_weekday) {
        return false;
    }
    *out_ms = ms;
    return true;
}
