/*
 * crypto.h - random bytes, SHA-256, HMAC-SHA256, RS256, base64 and wiping. crypto.c is the one file that knows OpenSSL.
 *
 * Threads: any; crypto_hmac says its own.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"

enum {
    SHA256_BYTES = 32,
    SHA256_TEXT_BYTES = 2 * SHA256_BYTES + 1,
    CRYPTO_SIGNATURE_MAX_BYTES = 1024, /* of an RSA key of 8192 bits */
};

/*
 * Random bytes, from a block that is fetched ahead. A child process gets others than its parent.
 * STATUS_INTERNAL: the generator has no entropy.
 */
enum status crypto_random(void *out, size_t length) MUST_CHECK;

/* SHA-256 of `data` as 64 lower-case hexadecimal digits. STATUS_INTERNAL: OpenSSL refused; `out` untouched. */
enum status crypto_sha256_hex(const void *data, size_t length,
                              char out[SHA256_TEXT_BYTES]) MUST_CHECK;

/* HMAC-SHA256 under one key, made ready once. Belongs to one thread at a time. */
struct crypto_hmac {
    void *context; /* OpenSSL's own; it holds the key */
};

/* `key` is copied. STATUS_INTERNAL: OpenSSL refused, or had no memory; nothing to clean up. */
enum status crypto_hmac_init(struct crypto_hmac *hmac, const void *key,
                             size_t key_length) MUST_CHECK;

/* Wipes the key. One that is zeroed is fine. */
void crypto_hmac_cleanup(struct crypto_hmac *hmac);

/* The HMAC of `data`. STATUS_INTERNAL: OpenSSL refused; `out` untouched. */
enum status crypto_hmac_sign(struct crypto_hmac *hmac, const void *data, size_t length,
                             unsigned char out[SHA256_BYTES]) MUST_CHECK;

/* Appends the base64 text of `data` (RFC 4648 section 4, padded, no line breaks); a failure is remembered by `out`. */
void crypto_base64_encode(const void *data, size_t length, struct strbuf *out);

/* The same as base64url without padding (RFC 4648 section 5). */
void crypto_base64url_encode(const void *data, size_t length, struct strbuf *out);

/*
 * Appends the bytes that `text` encodes (padded base64, no white space, unused bits zero).
 *
 * STATUS_MALFORMED                     it is not that; `out` untouched
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE   `out` could not grow, and remembers it
 */
enum status crypto_base64_decode(const char *text, struct strbuf *out) MUST_CHECK;

/* A private RSA key and its certificate. */
struct crypto_identity {
    void *key;                              /* OpenSSL's own */
    unsigned char thumbprint[SHA256_BYTES]; /* SHA-256 of the certificate in DER */
};

/*
 * Reads PEM text that holds a private key, not encrypted, and somewhere its certificate (others may stand beside it).
 * On STATUS_OK `out` is to be released.
 *
 * STATUS_UNAUTHORIZED   it does not hold both, or the key is not RSA of 2048 to 8192 bits; the message says which
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status crypto_identity_read(const char *pem, size_t length, struct crypto_identity *out,
                                 struct error *err) MUST_CHECK;
void crypto_identity_cleanup(struct crypto_identity *identity); /* OpenSSL wipes the key */

/* RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3). STATUS_INTERNAL: OpenSSL refused; outputs untouched. */
enum status crypto_sign_rs256(const struct crypto_identity *identity, const void *data,
                              size_t length, unsigned char out[CRYPTO_SIGNATURE_MAX_BYTES],
                              size_t *out_length) MUST_CHECK;

/* Overwrites memory in a way that the compiler may not drop. */
void crypto_wipe(void *data, size_t length);

#endif
