#include "base/crypto.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
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

void crypto_base64url_encode(const void *data, size_t length, struct strbuf *out) {
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    crypto_base64_encode(data, length, &text);
    for (size_t i = 0; i < text.length && text.data[i] != '='; i++) {
        if (text.data[i] == '+') {
            text.data[i] = '-';
        } else if (text.data[i] == '/') {
            text.data[i] = '_';
        }
        strbuf_append_char(out, text.data[i]);
    }
    if (strbuf_status(&text) != STATUS_OK && out->status == STATUS_OK) {
        out->status = strbuf_status(&text);
    }
    strbuf_release_wipe(&text);
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

enum { RSA_LEAST_BITS = 2048, RSA_MOST_BITS = CRYPTO_SIGNATURE_MAX_BYTES * 8 };

/* OpenSSL would ask for a passphrase on the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is OpenSSL's */
static int no_passphrase(char *buffer, int size, int is_writing, void *user) {
    (void)buffer, (void)size, (void)is_writing, (void)user;
    return -1;
}

static enum status read_key(const char *pem, size_t length, EVP_PKEY **out, struct error *err) {
    BIO *text = BIO_new_mem_buf(pem, (int)length);
    EVP_PKEY *key = text == NULL ? NULL : PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL);
    BIO_free(text);
    if (text == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to read a key");
    }
    if (key == NULL) {
        return error_set(err, STATUS_UNAUTHORIZED, "holds no private key in PEM form without a passphrase");
    }
    int bits = EVP_PKEY_get_bits(key);
    if (!EVP_PKEY_is_a(key, "RSA") || bits < RSA_LEAST_BITS || bits > RSA_MOST_BITS) {
        EVP_PKEY_free(key);
        return error_set(err, STATUS_UNAUTHORIZED, "holds a key that is not RSA of %d to %d bits", RSA_LEAST_BITS,
                         RSA_MOST_BITS);
    }
    *out = key;
    return STATUS_OK;
}

/* The certificate of `key` among those in the text; NULL: it is not there. */
static X509 *find_certificate(BIO *text, const EVP_PKEY *key) {
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(text, NULL, no_passphrase, NULL)) != NULL) {
        if (X509_check_private_key(certificate, key) == 1) {
            break;
        }
        X509_free(certificate);
    }
    return certificate;
}

static enum status read_thumbprint(const char *pem, size_t length, const EVP_PKEY *key, unsigned char out[SHA256_BYTES],
                                   struct error *err) {
    BIO *text = BIO_new_mem_buf(pem, (int)length);
    if (text == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to read a certificate");
    }
    X509 *certificate = find_certificate(text, key);
    BIO_free(text);
    if (certificate == NULL) {
        return error_set(err, STATUS_UNAUTHORIZED, "does not hold the certificate of its private key");
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    bool ok = X509_digest(certificate, EVP_sha256(), digest, &digest_length) == 1 && digest_length == SHA256_BYTES;
    X509_free(certificate);
    if (!ok) {
        return error_set(err, STATUS_INTERNAL, "OpenSSL could not digest a certificate");
    }
    memcpy(out, digest, SHA256_BYTES);
    return STATUS_OK;
}

enum status crypto_identity_read(const char *pem, size_t length, struct crypto_identity *out, struct error *err) {
    assert(length <= INT_MAX);
    EVP_PKEY *key = NULL;
    struct crypto_identity identity;
    enum status status = read_key(pem, length, &key, err);
    if (status == STATUS_OK) {
        status = read_thumbprint(pem, length, key, identity.thumbprint, err);
    }
    ERR_clear_error(); /* the queue is this thread's, and libcurl reads it too */
    if (status != STATUS_OK) {
        EVP_PKEY_free(key);
        return status;
    }
    identity.key = key;
    *out = identity;
    return STATUS_OK;
}

void crypto_identity_release(struct crypto_identity *identity) {
    EVP_PKEY_free(identity->key);
    identity->key = NULL;
}

enum status crypto_sign_rs256(const struct crypto_identity *identity, const void *data, size_t length,
                              unsigned char out[CRYPTO_SIGNATURE_MAX_BYTES], size_t *out_length) {
    size_t signature_length = CRYPTO_SIGNATURE_MAX_BYTES;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL) {
        return STATUS_NO_MEMORY;
    }
    bool ok = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, identity->key) == 1 &&
              EVP_DigestSign(context, out, &signature_length, data, length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    if (!ok) {
        return STATUS_INTERNAL;
    }
    *out_length = signature_length;
    return STATUS_OK;
}

void crypto_wipe(void *data, size_t length) {
    OPENSSL_cleanse(data, length);
}
