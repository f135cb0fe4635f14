#include "base/crypto.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Base64 goes in blocks through the stack, since OpenSSL counts in int and wants the whole output at once. */
enum { BLOCK_BYTES = 768, BLOCK_TEXT_BYTES = BLOCK_BYTES / 3 * 4 };

enum status crypto_random(void *out, size_t length) {
    assert(length <= INT_MAX);
    return RAND_bytes(out, (int)length) == 1 ? STATUS_OK : STATUS_INTERNAL;
}

enum status crypto_sha256_hex(const void *data, size_t length, char out[SHA256_TEXT_BYTES]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    if (EVP_Digest(data, length, digest, &digest_length, EVP_sha256(), NULL) != 1 || digest_length != SHA256_BYTES) {
        return STATUS_INTERNAL;
    }
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    return STATUS_OK;
}

enum status crypto_hmac_sha256(const void *key, size_t key_length, const void *data, size_t data_length,
                               unsigned char out[SHA256_BYTES]) {
    assert(key_length <= INT_MAX);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    if (HMAC(EVP_sha256(), key, (int)key_length, data, data_length, digest, &digest_length) == NULL ||
        digest_length != SHA256_BYTES) {
        return STATUS_INTERNAL;
    }
    memcpy(out, digest, SHA256_BYTES);
    crypto_wipe(digest, sizeof digest);
    return STATUS_OK;
}

void crypto_base64_encode(const void *data, size_t length, struct strbuf *out) {
    unsigned char text[BLOCK_TEXT_BYTES + 1];
    const unsigned char *bytes = data;
    for (size_t at = 0; at < length; at += BLOCK_BYTES) {
        size_t block = length - at < BLOCK_BYTES ? length - at : BLOCK_BYTES;
        int written = EVP_EncodeBlock(text, bytes + at, (int)block);
        strbuf_append(out, (const char *)text, (size_t)written);
    }
    crypto_wipe(text, sizeof text);
}

/* The last group of four characters, two of which at most are padding: are the bits that encode no byte zero (RFC 4648, 3.5)? */
static bool unused_bits_are_zero(const unsigned char *last_group, size_t padding) {
    unsigned char bytes[3];
    if (EVP_DecodeBlock(bytes, last_group, 4) != 3) {
        return false;
    }
    /* OpenSSL takes padding for zero bits, so those bits are all that the dropped bytes can hold. */
    bool zero = (padding < 1 || bytes[2] == 0) && (padding < 2 || bytes[1] == 0);
    crypto_wipe(bytes, sizeof bytes);
    return zero;
}

/* OpenSSL's decoder skips white space and takes '=' anywhere; so the text is checked before it is decoded. */
static bool is_base64(const char *text, size_t length, size_t padding) {
    if (length % 4 != 0 || padding > 2 || strspn(text + length - padding, "=") != padding) {
        return false;
    }
    return length == 0 || unused_bits_are_zero((const unsigned char *)text + length - 4, padding);
}

enum status crypto_base64_decode(const char *text, struct strbuf *out) {
    size_t length = strlen(text);
    size_t padding = length - strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    if (!is_base64(text, length, padding)) {
        return STATUS_MALFORMED;
    }
    unsigned char bytes[BLOCK_BYTES];
    for (size_t at = 0; at < length; at += BLOCK_TEXT_BYTES) {
        size_t block = length - at < BLOCK_TEXT_BYTES ? length - at : BLOCK_TEXT_BYTES;
        int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text + at, (int)block);
        size_t dropped = at + block == length ? padding : 0;
        strbuf_append(out, (const char *)bytes, (size_t)decoded - dropped);
    }
    crypto_wipe(bytes, sizeof bytes);
    return strbuf_status(out);
}

void crypto_wipe(void *data, size_t length) {
    OPENSSL_cleanse(data, length);
}
