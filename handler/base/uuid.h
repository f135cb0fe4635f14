/*
 * uuid.h - UUIDs as RFC 9562 defines them, in lower case with dashes.
 *
 * A reservation's id is a version 8 UUID. Its first 48 bits are the time at which the reservation
 * expires, where version 7 has the time of creation. So ids sort as text by expiry, and a
 * reservation's row is found from its id alone.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/status.h"

enum {
    UUID_TEXT_BYTES = 37, /* 36 characters and the NUL */
    UUID_TIME_PREFIX_BYTES = 14,
};

/*
 * Writes a random (version 4) UUID.
 *
 * STATUS_INTERNAL   there were no random bytes
 */
enum status uuid_v4(const struct random_source *random, char out[UUID_TEXT_BYTES]) MUST_CHECK;

/*
 * Writes a version 8 UUID: 48 bits of `time_ms` (0 to 2^48 - 1), the version, the variant and 74
 * random bits.
 *
 * STATUS_INTERNAL   there were no random bytes
 */
enum status uuid_v8_from_time(const struct random_source *random, int64_t time_ms,
                              char out[UUID_TEXT_BYTES]) MUST_CHECK;

/*
 * Writes the text of the 48 time bits ("0194b0a1-2345"), with which every id of `time_ms` begins.
 */
void uuid_time_prefix(int64_t time_ms, char out[UUID_TIME_PREFIX_BYTES]);

/*
 * Reads the time of a version 8 UUID. Returns false, and leaves *out_ms untouched, for any other
 * text.
 */
bool uuid_v8_time(const char *text, int64_t *out_ms);

/* Returns whether `text` is 8-4-4-4-12 hexadecimal digits of either case. */
bool uuid_is_valid(const char *text);

/* Copies a valid UUID in lower case, as reservations' ids are stored. */
void uuid_copy_lower_case(const char *text, char out[UUID_TEXT_BYTES]);

#endif
