#include "base/crypto.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"

/* ---- random bytes ---- */

/*
 * Random bytes come from the kernel's generator: setting up OpenSSL's own takes a third of all
 * instructions of a start. The kernel needs about as long for 16 bytes as for 256, so a block is
 * fetched ahead. Bytes that were handed out are wiped, so that a memory dump shows no used id.
 */
enum { RANDOM_BLOCK_BYTES = 256 }; /* the most that getentropy gives */

/* The lock guards the block. `random_left` is how many of its first bytes are unused. */
static pthread_mutex_t random_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char random_block[RANDOM_BLOCK_BYTES];
static size_t random_left;

static void lock_random(void) {
    pthread_mutex_lock(&random_lock);
}

static void unlock_random(void) {
    pthread_mutex_unlock(&random_lock);
}

/* Runs in a child process, whose copy of the block has the bytes that its parent will hand out. */
static void forget_random(void) {
    crypto_wipe(random_block, sizeof random_block);
    random_left = 0;
    unlock_random();
}

static bool is_fork_safe;

static void prepare_for_fork(void) {
    is_fork_safe = pthread_atfork(lock_random, unlock_random, forget_random) == 0;
}

/* Fills `out` from the kernel, without the block. */
static bool draw_random(unsigned char *out, size_t length) {
    for (size_t at = 0; at < length; at += RANDOM_BLOCK_BYTES) {
        size_t part = length - at < RANDOM_BLOCK_BYTES ? length - at : RANDOM_BLOCK_BYTES;
        if (getentropy(out + at, part) != 0) {
            return false;
        }
    }
    return true;
}

static bool fill_random_block(void) {
    if (!draw_random(random_block, sizeof random_block)) {
        return false;
    }
    random_left = sizeof random_block;
    return true;
}

/* The caller holds the lock. */
static bool take_random(void *out, size_t length) {
    if (random_left < length && !fill_random_block()) {
        return false;
    }
    random_left -= length;
    memcpy(out, random_block + random_left, length);
    crypto_wipe(random_block + random_left, length);
    return true;
}

enum status crypto_random(void *out, size_t length) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_for_fork);
    bool is_filled;
    if (length > sizeof random_block || !is_fork_safe) {
        is_filled = draw_random(out, length);
    } else {
        lock_random();
        is_filled = take_random(out, length);
        unlock_random();
    }
    return is_filled ? STATUS_OK : STATUS_INTERNAL;
}

/* ---- digests ---- */

enum status crypto_sha256_hex(const void *data, size_t length, char out[SHA256_TEXT_BYTES]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    if (EVP_Digest(data, length, digest, &digest_length, EVP_sha256(), NULL) != 1 ||
        digest_length != SHA256_BYTES) {
        return STATUS_INTERNAL;
    }
    hex_encode(digest, SHA256_BYTES, out);
    return STATUS_OK;
}

enum status crypto_hmac_init(struct crypto_hmac *hmac, const void *key, size_t key_length) {
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = algorithm == NULL ? NULL : EVP_MAC_CTX_new(algorithm);
    EVP_MAC_free(algorithm); /* the context keeps it */
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                 OSSL_PARAM_construct_end()};
    if (context == NULL || EVP_MAC_init(context, key, key_length, params) != 1) {
        EVP_MAC_CTX_free(context);
        ERR_clear_error();
        return STATUS_INTERNAL;
    }
    hmac->context = context;
    return STATUS_OK;
}

enum status crypto_hmac_sign(struct crypto_hmac *hmac, const void *data, size_t length,
                             unsigned char out[SHA256_BYTES]) {
    unsigned char mac[SHA256_BYTES];
    size_t mac_length = 0;
    bool ok =
        EVP_MAC_init(hmac->context, NULL, 0, NULL) == 1 && /* starts again with the same key */
        EVP_MAC_update(hmac->context, data, length) == 1 &&
        EVP_MAC_final(hmac->context, mac, &mac_length, sizeof mac) == 1 && mac_length == sizeof mac;
    if (ok) {
        memcpy(out, mac, sizeof mac);
    }
    crypto_wipe(mac, sizeof mac);
    return ok ? STATUS_OK : STATUS_INTERNAL;
}

void crypto_hmac_cleanup(struct crypto_hmac *hmac) {
    EVP_MAC_CTX_free(hmac->context);
    hmac->context = NULL;
}

/* ---- base64 ---- */

/*
 * Base64 goes through the stack in blocks: OpenSSL counts in int and needs room for the whole
 * output at once.
 */
enum { BLOCK_BYTES = 768, BLOCK_TEXT_BYTES = BLOCK_BYTES / 3 * 4 };

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
    strbuf_cleanup_wipe(&text);
}

/*
 * Returns whether the bits that encode no byte are zero (RFC 4648 section 3.5). `last_group` is the
 * last four characters, of which 0 to 2 are padding.
 */
static bool unused_bits_are_zero(const unsigned char *last_group, size_t padding) {
    unsigned char bytes[3];
    if (EVP_DecodeBlock(bytes, last_group, 4) != 3) {
        return false;
    }
    /*
     * OpenSSL reads padding as zero bits. So the dropped bytes hold the unused bits, and no others.
     */
    bool zero = (padding < 1 || bytes[2] == 0) && (padding < 2 || bytes[1] == 0);
    crypto_wipe(bytes, sizeof bytes);
    return zero;
}

/*
 * Checks the text before it is decoded, because OpenSSL's decoder skips white space and accepts '='
 * anywhere.
 */
static bool is_base64(const char *text, size_t length, size_t padding) {
    if (length % 4 != 0 || padding > 2 || strspn(text + length - padding, "=") != padding) {
        return false;
    }
    return length == 0 || unused_bits_are_zero((const unsigned char *)text + length - 4, padding);
}

enum status crypto_base64_decode(const char *text, struct strbuf *out) {
    size_t length = strlen(text);
    size_t padding =
        length - strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
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

/* ---- RS256 ---- */

enum { RSA_LEAST_BITS = 2048, RSA_MOST_BITS = CRYPTO_SIGNATURE_MAX_BYTES * 8 };

/* Without this callback OpenSSL asks for a passphrase on the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL declares the type */
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
        return error_set(err, STATUS_UNAUTHORIZED,
                         "holds no private key in PEM form without a passphrase");
    }
    int bits = EVP_PKEY_get_bits(key);
    if (!EVP_PKEY_is_a(key, "RSA") || bits < RSA_LEAST_BITS || bits > RSA_MOST_BITS) {
        EVP_PKEY_free(key);
        return error_set(err, STATUS_UNAUTHORIZED, "holds a key that is not RSA of %d to %d bits",
                         RSA_LEAST_BITS, RSA_MOST_BITS);
    }
    *out = key;
    return STATUS_OK;
}

/* Returns the certificate of `key` among those in the text, or NULL. */
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

static enum status read_thumbprint(const char *pem, size_t length, const EVP_PKEY *key,
                                   unsigned char out[SHA256_BYTES], struct error *err) {
    BIO *text = BIO_new_mem_buf(pem, (int)length);
    if (text == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to read a certificate");
    }
    X509 *certificate = find_certificate(text, key);
    BIO_free(text);
    if (certificate == NULL) {
        return error_set(err, STATUS_UNAUTHORIZED,
                         "does not hold the certificate of its private key");
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    bool ok = X509_digest(certificate, EVP_sha256(), digest, &digest_length) == 1 &&
              digest_length == SHA256_BYTES;
    X509_free(certificate);
    if (!ok) {
        return error_set(err, STATUS_INTERNAL, "OpenSSL could not digest a certificate");
    }
    memcpy(out, digest, SHA256_BYTES);
    return STATUS_OK;
}

enum status crypto_identity_read(const char *pem, size_t length, struct crypto_identity *out,
                                 struct error *err) {
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

void crypto_identity_cleanup(struct crypto_identity *identity) {
    EVP_PKEY_free(identity->key);
    identity->key = NULL;
}

enum status crypto_sign_rs256(const struct crypto_identity *identity, const void *data,
                              size_t length, unsigned char out[CRYPTO_SIGNATURE_MAX_BYTES],
                              size_t *out_length) {
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
