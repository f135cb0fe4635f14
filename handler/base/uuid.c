#include "base/uuid.h"

#include <assert.h>

#include "base/hex.h"

enum { UUID_BYTES = 16 };

static bool has_dash(size_t position) {
    return position == 8 || position == 13 || position == 18 || position == 23;
}

/* Writes the first `characters` of the UUID's text, without a NUL. */
static void write_text(const unsigned char *bytes, size_t characters, char *out) {
    size_t nibble = 0;
    for (size_t i = 0; i < characters; i++) {
        if (has_dash(i)) {
            out[i] = '-';
            continue;
        }
        unsigned byte = bytes[nibble / 2];
        out[i] = HEX_LOWER[nibble % 2 == 0 ? byte >> 4 : byte & 15];
        nibble++;
    }
}

/* Sets the version and the variant (RFC 9562 section 4.1: the bits 10), and writes the text. */
static void uuid_finish(unsigned char bytes[UUID_BYTES], unsigned version,
                        char out[UUID_TEXT_BYTES]) {
    bytes[6] = (unsigned char)(version << 4 | (bytes[6] & 0x0F));
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3F));
    write_text(bytes, UUID_TEXT_BYTES - 1, out);
    out[UUID_TEXT_BYTES - 1] = '\0';
}

static void put_time(int64_t time_ms, unsigned char out[6]) {
    assert(time_ms >= 0 && time_ms < INT64_C(1) << 48);
    for (int i = 0; i < 6; i++) {
        out[i] = (unsigned char)(time_ms >> (40 - 8 * i) & 0xFF);
    }
}

enum status uuid_v4(const struct random_source *random, char out[UUID_TEXT_BYTES]) {
    unsigned char bytes[UUID_BYTES];
    enum status status = random_fill(random, bytes, sizeof bytes);
    if (status != STATUS_OK) {
        return status;
    }
    uuid_finish(bytes, 4, out);
    return STATUS_OK;
}

enum status uuid_v8_from_time(const struct random_source *random, int64_t time_ms,
                              char out[UUID_TEXT_BYTES]) {
    unsigned char bytes[UUID_BYTES];
    enum status status = random_fill(random, bytes, sizeof bytes);
    if (status != STATUS_OK) {
        return status;
    }
    put_time(time_ms, bytes);
    uuid_finish(bytes, 8, out);
    return STATUS_OK;
}

void uuid_time_prefix(int64_t time_ms, char out[UUID_TIME_PREFIX_BYTES]) {
    unsigned char bytes[6];
    put_time(time_ms, bytes);
    write_text(bytes, UUID_TIME_PREFIX_BYTES - 1, out);
    out[UUID_TIME_PREFIX_BYTES - 1] = '\0';
}

bool uuid_is_valid(const char *text) {
    for (size_t i = 0; i < UUID_TEXT_BYTES - 1; i++) {
        if (has_dash(i) ? text[i] != '-' : hex_digit(text[i]) < 0) {
            return false;
        }
    }
    return text[UUID_TEXT_BYTES - 1] == '\0';
}

bool uuid_v8_time(const char *text, int64_t *out_ms) {
    enum { VERSION_POSITION = 14 };
    if (!uuid_is_valid(text) || text[VERSION_POSITION] != '8') {
        return false;
    }
    int64_t time_ms = 0;
    for (size_t i = 0; i < UUID_TIME_PREFIX_BYTES - 1; i++) {
        if (!has_dash(i)) {
            time_ms = time_ms * 16 + hex_digit(text[i]);
        }
    }
    *out_ms = time_ms;
    return true;
}

void uuid_copy_lower_case(const char *text, char out[UUID_TEXT_BYTES]) {
    for (size_t i = 0; i < UUID_TEXT_BYTES - 1; i++) {
        out[i] = (char)(text[i] | 0x20); /* lower case: digits and '-' have this bit already */
    }
    out[UUID_TEXT_BYTES - 1] = '\0';
}
