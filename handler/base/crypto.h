/*
 * crypto.h - random bytes, SHA-256, HMAC-SHA256, RS256 and base64. crypto.c is the one file that
 * knows OpenSSL.
 *
 * Code that holds secrets also needs to wipe them, so this header brings crypto_wipe.h with it.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/crypto_wipe.h"
#include "base/status.h"
#include "base/strbuf.h"

enum {
    SHA256_BYTES = 32,
    SHA256_TEXT_BYTES = 2 * SHA256_BYTES + 1,
    CRYPTO_SIGNATURE_MAX_BYTES = 1024, /* of an RSA key of 8192 bits */
};

/*
 * Fills `out` with random bytes, from a block that is fetched ahead. A child process gets other
 * bytes than its parent.
 *
 * STATUS_INTERNAL   the system's generator has no entropy
 */
enum status crypto_random(void *out, size_t length) MUST_CHECK;

/*
 * Writes the SHA-256 of `data` as 64 lower-case hexadecimal digits.
 *
 * STATUS_INTERNAL   OpenSSL failed
 */
enum status crypto_sha256_hex(const void *data, size_t length,
                              char out[SHA256_TEXT_BYTES]) MUST_CHECK;

/* Computes HMACs with SHA-256 under one key. One thread at a time may use it. */
struct crypto_hmac {
    void *context; /* OpenSSL's own; it holds the key */
};

/*
 * Copies `key` and prepares it once for all signatures.
 *
 * STATUS_INTERNAL   OpenSSL failed or had no memory; nothing needs cleanup
 */
enum status crypto_hmac_init(struct crypto_hmac *hmac, const void *key,
                             size_t key_length) MUST_CHECK;

/* Wipes the key. A zeroed struct is allowed. */
void crypto_hmac_cleanup(struct crypto_hmac *hmac);

/*
 * Writes the HMAC of `data`.
 *
 * STATUS_INTERNAL   OpenSSL failed
 */
enum status crypto_hmac_sign(struct crypto_hmac *hmac, const void *data, size_t length,
                             unsigned char out[SHA256_BYTES]) MUST_CHECK;

/*
 * Appends `data` in base64 (RFC 4648 section 4: padded, without line breaks). `out` remembers a
 * failure.
 */
void crypto_base64_encode(const void *data, size_t length, struct strbuf *out);

/* Appends `data` in base64url without padding (RFC 4648 section 5). `out` remembers a failure. */
void crypto_base64url_encode(const void *data, size_t length, struct strbuf *out);

/*
 * Appends the bytes that the base64 text encodes. The text must be padded, without white space, and
 * its unused bits must be zero.
 *
 * STATUS_MALFORMED                     `text` is not such base64; `out` is untouched
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE   `out` could not grow, and remembers it
 */
enum status crypto_base64_decode(const char *text, struct strbuf *out) MUST_CHECK;

/* A private RSA key, and the thumbprint of its certificate. */
struct crypto_identity {
    void *key;                              /* OpenSSL's own */
    unsigned char thumbprint[SHA256_BYTES]; /* SHA-256 of the certificate in DER */
};

/*
 * Reads a private key and its certificate from PEM text, of at most INT_MAX bytes. The key must not
 * be encrypted. Other certificates may stand in the text. `out` needs crypto_identity_cleanup.
 *
 * STATUS_UNAUTHORIZED   key or certificate is missing, or the key is not RSA of 2048 to 8192 bits;
 *                       the message says which
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status crypto_identity_read(const char *pem, size_t length, struct crypto_identity *out,
                                 struct error *err) MUST_CHECK;

/* Frees the key, which OpenSSL wipes. */
void crypto_identity_cleanup(struct crypto_identity *identity);

/*
 * Signs `data` with RSASSA-PKCS1-v1_5 and SHA-256 (RS256, RFC 7518 section 3.3).
 *
 * STATUS_INTERNAL   OpenSSL failed
 */
enum status crypto_sign_rs256(const struct crypto_identity *identity, const void *data,
                              size_t length, unsigned char out[CRYPTO_SIGNATURE_MAX_BYTES],
                              size_t *out_length) MUST_CHECK;

#endif
