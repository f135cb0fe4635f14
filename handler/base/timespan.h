/*
 * timespan.h - time spans as .NET's TimeSpan writes them, in app settings and in the answer of
 * ReconcileInventory.
 *
 * The format is [d.]hh:mm:ss[.fffffff] (Source: .NET documentation, "Standard TimeSpan format
 * strings", the constant ("c") format).
 */
#ifndef BASE_TIMESPAN_H
#define BASE_TIMESPAN_H

#include <stdbool.h>
#include <stdint.h>

enum { TIMESPAN_TEXT_BYTES = 32 };

/*
 * Reads "hh:mm:ss" or "d.hh:mm:ss", each with an optional fraction of 1 to 7 digits. Days are 0 to
 * 10,675,199, hours 0 to 23, minutes and seconds 0 to 59. Hours, minutes and seconds may have one
 * digit or two. A sign and white space are not allowed. Digits below a millisecond are cut.
 *
 * Returns false if `text` is not a time span.
 */
bool timespan_parse(const char *text, int64_t *out_ms);

/* Writes "hh:mm:ss.fffffff", with "d." in front from one day on. `ms` is 0 or more. */
void timespan_format(int64_t ms, char out[TIMESPAN_TEXT_BYTES]);

#endif
