/*
 * utc.h - UTC times as text: ISO 8601 for our JSON and table entities, RFC 1123 for HTTP headers.
 *
 * All times are milliseconds since 1970-01-01T00:00:00Z, in the years 1970 to 9999. A time before
 * or after is written as the first or last of them.
 */
#ifndef BASE_UTC_H
#define BASE_UTC_H

#include <stdbool.h>
#include <stdint.h>

enum { UTC_TEXT_BYTES = 32 }; /* holds any of the texts below with its NUL */

/* Writes 2025-01-19T14:45:30.123Z. */
void utc_format_iso8601_ms(int64_t wall_ms, char out[UTC_TEXT_BYTES]);

/* Writes 2025-01-19T14:45:30Z; milliseconds are cut, not rounded. */
void utc_format_iso8601(int64_t wall_ms, char out[UTC_TEXT_BYTES]);

/* Writes Sun, 19 Jan 2025 14:45:30 GMT. */
void utc_format_http(int64_t wall_ms, char out[UTC_TEXT_BYTES]);

/*
 * Reads "2025-01-19T14:45:30Z" with a fraction of 0 to 7 digits, cut to milliseconds. Returns false
 * if `text` is not such a time.
 */
bool utc_parse_iso8601(const char *text, int64_t *out_ms);

/*
 * Reads "Sun, 19 Jan 2025 14:45:30 GMT" (RFC 1123, as in the Date header). Returns false if `text`
 * is not such a time.
 */
bool utc_parse_http(const char *text, int64_t *out_ms);

#endif
