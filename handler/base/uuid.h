/*
 * uuid.h - UUIDs as RFC 9562 has them, lower case with dashes.
 *
 * A reservation's id is a version 8 UUID whose first 48 bits are the time at which it expires, as version 7 has its
 * creation time: ids sort, as text, by expiry, and a reservation's row is found from its id alone.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/status.h"

enum { UUID_TEXT_BYTES = 37 }; /* 36 characters and the NUL */

/* A random (version 4) UUID. STATUS_INTERNAL: there were no random bytes. */
enum status uuid_v4(const struct random_source *random, char out[UUID_TEXT_BYTES]) MUST_CHECK;

/* A version 8 UUID: 48 bits of `time_ms` (0 to 2^48 - 1), the version, 74 random bits and the variant. STATUS_INTERNAL as above. */
enum status uuid_v8_from_time(const struct random_source *random, int64_t time_ms,
                              char out[UUID_TEXT_BYTES]) MUST_CHECK;

/* The text of the 48 time bits with their dash ("0194b0a1-2345"), the prefix of every id made for `time_ms`. */
enum { UUID_TIME_PREFIX_BYTES = 14 };
void uuid_time_prefix(int64_t time_ms, char out[UUID_TIME_PREFIX_BYTES]);

/* Is `text` 8-4-4-4-12 hexadecimal digits? Upper and lower case are both taken. */
bool uuid_is_valid(const char *text);

#endif
