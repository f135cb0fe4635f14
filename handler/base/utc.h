/*
 * utc.h - UTC times as text: ISO 8601 for our JSON and table entities, RFC 1123 for HTTP headers.
 *
 * All times are milliseconds since 1970-01-01T00:00:00Z, years 1970 to 9999; what lies outside is written as
 * the first or the last of them.
 */
#ifndef BASE_UTC_H
#define BASE_UTC_H

#include <stdbool.h>
#include <stdint.h>

enum { UTC_TEXT_BYTES = 32 }; /* room for any of the texts below and its NUL */

void utc_format_iso8601_ms(int64_t wall_ms,
                           char out[UTC_TEXT_BYTES]); /* 2025-01-19T14:45:30.123Z */
void utc_format_iso8601(int64_t wall_ms,
                        char out[UTC_TEXT_BYTES]); /* 2025-01-19T14:45:30Z, cut, not rounded */
void utc_format_http(int64_t wall_ms, char out[UTC_TEXT_BYTES]); /* Sun, 19 Jan 2025 14:45:30 GMT */

/* "2025-01-19T14:45:30Z" with 0 to 7 digits of fraction (cut to milliseconds). False: not such a text; *out_ms untouched. */
bool utc_parse_iso8601(const char *text, int64_t *out_ms);

/* "Sun, 19 Jan 2025 14:45:30 GMT" (RFC 1123, as in the Date header). False: not such a text; *out_ms untouched. */
bool utc_parse_http(const char *text, int64_t *out_ms);

#endif
