/*
 * timespan.h - .NET's TimeSpan as app settings and reconciliation's answer write it.
 *
 * Source: .NET documentation, "Standard TimeSpan format strings", the constant ("c") format: [d.]hh:mm:ss[.fffffff].
 */
#ifndef BASE_TIMESPAN_H
#define BASE_TIMESPAN_H

#include <stdbool.h>
#include <stdint.h>

enum { TIMESPAN_TEXT_BYTES = 32 };

/*
 * Reads "hh:mm:ss", "d.hh:mm:ss", each with an optional fraction of 1 to 7 digits: hours 0 to 23, minutes and seconds 0 to
 * 59, days 0 to 10,675,199; hours, minutes and seconds of one or two digits; no sign, no white space. Fractions of a millisecond are cut.
 * False: not such a text; *out_ms untouched.
 */
bool timespan_parse(const char *text, int64_t *out_ms);

/* Writes "hh:mm:ss.fffffff" (with "d." in front from one day on). `ms` >= 0. */
void timespan_format(int64_t ms, char out[TIMESPAN_TEXT_BYTES]);

#endif
