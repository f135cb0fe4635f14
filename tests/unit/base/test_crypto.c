#include "base/crypto.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "support/processes/certificates.h"
#include "support/processes/check_main.h"

enum { MAX_TEXT_BYTES = 100000 };

START_TEST(random_bytes_fill_all_of_the_space_and_no_more) {
    unsigned char bytes[66], seen[66] = {0};
    for (int round = 0; round < 50; round++) {
        memset(bytes, 0, sizeof bytes);
        ck_assert_int_eq(crypto_random(bytes + 1, 64), STATUS_OK);
        for (size_t i = 0; i < sizeof bytes; i++) {
            seen[i] |= bytes[i];
        }
    }
    ck_assert_int_eq(seen[0], 0);
    ck_assert_int_eq(seen[65], 0);
    for (size_t i = 1; i < 65; i++) {
        ck_assert_int_eq(seen[i], 0xFF);
    }
}
END_TEST

START_TEST(more_than_a_block_is_random_too) {
    static unsigned char bytes[5000];
    size_t zeros = 0;
    ck_assert_int_eq(crypto_random(bytes, sizeof bytes), STATUS_OK);
    for (size_t i = 0; i < sizeof bytes; i++) {
        zeros += bytes[i] == 0;
    }
    ck_assert_uint_lt(zeros, 100);
}
END_TEST

/* If both continued with the same block, they would get the same bytes. */
START_TEST(a_child_process_gets_other_bytes_than_its_parent) {
    unsigned char before[16], mine[16], of_child[16];
    int ends[2];
    ck_assert_int_eq(crypto_random(before, sizeof before), STATUS_OK);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        bool is_told = crypto_random(mine, sizeof mine) == STATUS_OK &&
                       write(ends[1], mine, sizeof mine) == sizeof mine;
        _exit(is_told ? 0 : 1);
    }
    ck_assert_int_eq(crypto_random(mine, sizeof mine), STATUS_OK);
    ck_assert_int_eq(read(ends[0], of_child, sizeof of_child), sizeof of_child);
    ck_assert_mem_ne(mine, of_child, sizeof mine);
    memset(before, 0, sizeof before); /* a block that was only wiped would give zeros */
    ck_assert_mem_ne(before, of_child, sizeof before);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    close(ends[0]), close(ends[1]);
}
END_TEST

enum { RANDOM_THREADS = 4, RANDOM_IDS = 5000 };

static uint64_t drawn[RANDOM_THREADS * RANDOM_IDS];

static void *draw(void *context) {
    uint64_t *ids = context;
    for (int i = 0; i < RANDOM_IDS; i++) {
        if (crypto_random(&ids[i], sizeof ids[i]) != STATUS_OK) {
            abort();
        }
    }
    return NULL;
}

static int compare_ids(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

START_TEST(no_two_threads_get_the_same_bytes) {
    pthread_t threads[RANDOM_THREADS];
    for (int i = 0; i < RANDOM_THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, draw, drawn + (size_t)i * RANDOM_IDS),
                         0);
    }
    for (int i = 0; i < RANDOM_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    size_t count = sizeof drawn / sizeof drawn[0];
    qsort(drawn, count, sizeof drawn[0], compare_ids);
    for (size_t i = 1; i < count; i++) {
        ck_assert_uint_ne(drawn[i - 1], drawn[i]);
    }
}
END_TEST

/* Vectors of FIPS 180-2, appendix B, and NIST's for no byte and for a million times "a". */
START_TEST(sha256_agrees_with_nist) {
    static const struct {
        const char *data;
        const char *expected;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[SHA256_TEXT_BYTES];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ck_assert_int_eq(crypto_sha256_hex(known[i].data, strlen(known[i].data), hex), STATUS_OK);
        ck_assert_str_eq(hex, known[i].expected);
    }
    static char million[1000000];
    memset(million, 'a', sizeof million);
    ck_assert_int_eq(crypto_sha256_hex(million, sizeof million, hex), STATUS_OK);
    ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

static void check_hmac(const void *key, size_t key_length, const void *data, size_t length,
                       const char *expected) {
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_BYTES * 2 + 1];
    struct crypto_hmac hmac;
    ck_assert_int_eq(crypto_hmac_init(&hmac, key, key_length), STATUS_OK);
    for (int again = 0; again < 3; again++) { /* each starts again with the same key */
        ck_assert_int_eq(crypto_hmac_sign(&hmac, data, length, digest), STATUS_OK);
        hex_encode(digest, sizeof digest, hex);
        ck_assert_str_eq(hex, expected);
        ck_assert_int_eq(crypto_hmac_sign(&hmac, "another", 7, digest), STATUS_OK);
    }
    crypto_hmac_cleanup(&hmac);
}

START_TEST(hmac_agrees_with_rfc_4231) {
    unsigned char key[131];
    memset(key, 0x0b, sizeof key);
    check_hmac(key, 20, "Hi There", 8,
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac("Jefe", 4, "what do ya want for nothing?", 28,
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    check_hmac(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

START_TEST(hmac_takes_nothing_as_key_and_data) {
    check_hmac("", 0, "", 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}
END_TEST

/* Vectors of RFC 4648, section 10, and the last two letters of the alphabet. */
static const struct {
    const char *bytes;
    const char *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xFB\xFF\xBF", "+/+/"},
};

START_TEST(base64_agrees_with_rfc_4648) {
    struct strbuf out;
    strbuf_init(&out, MAX_TEXT_BYTES);
    crypto_base64_encode(vectors[_i].bytes, strlen(vectors[_i].bytes), &out);
    ck_assert_str_eq(out.data, vectors[_i].text);
    strbuf_clear(&out);
    ck_assert_int_eq(crypto_base64_decode(vectors[_i].text, &out), STATUS_OK);
    ck_assert_uint_eq(out.length, strlen(vectors[_i].bytes));
    ck_assert_str_eq(out.data, vectors[_i].bytes);
    strbuf_cleanup(&out);
}
END_TEST

static const char *const not_base64[] = {
    "A",        "AA",       "AAA",        "AAAAA",        "A===",      "====",     "=",
    "==",       "AA=A",     "A=AA",       "=AAA",         "AA==A",     "AA==AAAA", "AAA=AAAA",
    "AAAA====", "AA==AA==", "AAAA=",      "AAA==",        "AA===",     "Zg==\n",   "Zm9v ",
    " Zm9v",    "Zm\n9v",   "Zm 9v",      "Zm9v\n",       "Zm9\nAAAA", "-_-_",     "Zm9\xC3",
    "Zm9*",     "Zh==",     "Zm9=",       "ZZ==",         "AAB=",      "Zg=\n",    "\tAAA",
    "   AAAA ", "AAAA    ", "AAAA\r\nAA", "AA\r\n==AAAA",
};

START_TEST(what_is_not_base64_is_refused_and_leaves_no_trace) {
    struct strbuf out;
    strbuf_init(&out, MAX_TEXT_BYTES);
    strbuf_append_string(&out, "before");
    ck_assert_msg(crypto_base64_decode(not_base64[_i], &out) == STATUS_MALFORMED, "%s",
                  not_base64[_i]);
    ck_assert_str_eq(out.data, "before");
    ck_assert_int_eq(strbuf_status(&out), STATUS_OK);
    strbuf_cleanup(&out);
}
END_TEST

START_TEST(every_length_comes_back_from_base64) {
    unsigned char bytes[2400];
    ck_assert_int_eq(crypto_random(bytes, sizeof bytes), STATUS_OK);
    struct strbuf text, back;
    strbuf_init(&text, MAX_TEXT_BYTES);
    strbuf_init(&back, MAX_TEXT_BYTES);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        strbuf_clear(&text);
        strbuf_clear(&back);
        strbuf_append_char(&back, '>');
        crypto_base64_encode(bytes, length, &text);
        ck_assert_uint_eq(text.length, (length + 2) / 3 * 4);
        ck_assert_int_eq(crypto_base64_decode(text.data, &back), STATUS_OK);
        ck_assert_uint_eq(back.length, length + 1);
        ck_assert_int_eq(back.data[0], '>');
        ck_assert(memcmp(back.data + 1, bytes, length) == 0);
    }
    strbuf_cleanup(&text);
    strbuf_cleanup_wipe(&back);
}
END_TEST

/* Four characters are accepted only if their bytes are encoded as exactly these. */
START_TEST(a_text_that_is_accepted_is_the_only_one_for_its_bytes) {
    static const char characters[] = "AQgwZz09+/=-_ \n\xFF";
    struct strbuf bytes, text;
    strbuf_init(&bytes, 10);
    strbuf_init(&text, 10);
    size_t count = strlen(characters), accepted = 0;
    for (size_t n = 0; n < count * count * count * count; n++) {
        char candidate[5] = {characters[n % count], characters[n / count % count],
                             characters[n / count / count % count],
                             characters[n / count / count / count], '\0'};
        strbuf_clear(&bytes);
        strbuf_clear(&text);
        if (crypto_base64_decode(candidate, &bytes) == STATUS_OK) {
            crypto_base64_encode(bytes.data, bytes.length, &text);
            if (strcmp(text.data, candidate) != 0) {
                ck_abort_msg("%s", candidate);
            }
            accepted++;
        }
    }
    ck_assert_uint_gt(accepted, 10000); /* ten letters alone make 10,000 */
    strbuf_cleanup(&bytes);
    strbuf_cleanup(&text);
}
END_TEST

START_TEST(a_result_over_its_limit_is_told) {
    struct strbuf out;
    strbuf_init(&out, 2);
    ck_assert_int_eq(crypto_base64_decode("Zm9v", &out), STATUS_TOO_LARGE);
    strbuf_cleanup(&out);
    strbuf_init(&out, 7);
    crypto_base64_encode("foob", 4, &out);
    ck_assert_int_eq(strbuf_status(&out), STATUS_TOO_LARGE);
    strbuf_cleanup(&out);
}
END_TEST

static const struct {
    const char *bytes;
    const char *text;
} url_vectors[] = {
    {"", ""},           {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"\xfb\xff\xbe", "-_--"},
    {"\xff\xff", "__8"}};

START_TEST(base64url_has_no_padding_and_its_own_two_characters) {
    struct strbuf out;
    strbuf_init(&out, 100);
    crypto_base64url_encode(url_vectors[_i].bytes, strlen(url_vectors[_i].bytes), &out);
    ck_assert_str_eq(out.data, url_vectors[_i].text);
    strbuf_cleanup(&out);
    strbuf_init(&out, 5);
    crypto_base64url_encode("foob", 4, &out);
    ck_assert_int_eq(strbuf_status(&out), STATUS_TOO_LARGE);
    strbuf_cleanup(&out);
}
END_TEST

/* ---- keys and certificates ---- */

static struct certificates certificates;
static struct crypto_identity identity;
static struct error err;

static void make_certificates(void) {
    certificates_make(&certificates);
}

static void remove_certificates(void) {
    certificates_remove(&certificates);
}

/* Appends the file to `out`. */
static void add_file(struct strbuf *out, const char *path) {
    char text[20000];
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    strbuf_append(out, text, fread(text, 1, sizeof text, file));
    fclose(file);
}

/* Returns the thumbprint that the openssl program prints, without colons, in lower case. */
static void openssl_fingerprint(const char *path, char out[SHA256_TEXT_BYTES]) {
    char command[256], line[256] = "";
    snprintf(command, sizeof command, "openssl x509 -in %s -noout -fingerprint -sha256", path);
    FILE *program = popen(command, "r"); /* NOLINT(cert-env33-c): the path is our own */
    ck_assert_ptr_nonnull(program);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, program));
    pclose(program);
    char *at = strchr(line, '=') + 1;
    size_t length = 0;
    for (; *at != '\0' && length < SHA256_TEXT_BYTES - 1; at++) {
        if (*at != ':' && *at != '\n') {
            out[length++] = (char)(*at >= 'A' ? *at + 'a' - 'A' : *at);
        }
    }
    out[length] = '\0';
}

START_TEST(the_thumbprint_is_what_openssl_says) {
    struct strbuf pem;
    char expected[SHA256_TEXT_BYTES], text[SHA256_TEXT_BYTES];
    strbuf_init(&pem, 100000);
    add_file(&pem, certificates.app);
    ck_assert_msg(crypto_identity_read(pem.data, pem.length, &identity, &err) == STATUS_OK, "%s",
                  err.message);
    openssl_fingerprint(certificates.app, expected);
    hex_encode(identity.thumbprint, SHA256_BYTES, text);
    ck_assert_str_eq(text, expected);
    crypto_identity_cleanup(&identity);
    strbuf_cleanup(&pem);
}
END_TEST

static bool is_signature_of(const char *path, const char *data, const unsigned char *signature,
                            size_t length) {
    FILE *file = fopen(path, "r");
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    EVP_MD_CTX *verifier = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit(verifier, NULL, EVP_sha256(), NULL,
                                   X509_get0_pubkey(certificate)) == 1 &&
              EVP_DigestVerify(verifier, signature, length, (const unsigned char *)data,
                               strlen(data)) == 1;
    EVP_MD_CTX_free(verifier);
    X509_free(certificate);
    fclose(file);
    return ok;
}

START_TEST(what_the_key_signs_the_certificate_confirms) {
    struct strbuf pem;
    unsigned char signature[CRYPTO_SIGNATURE_MAX_BYTES];
    size_t length = 0;
    strbuf_init(&pem, 100000);
    add_file(
        &pem,
        certificates.ca); /* another certificate comes first, so that the key's own must be found */
    add_file(&pem, certificates.app);
    ck_assert_msg(crypto_identity_read(pem.data, pem.length, &identity, &err) == STATUS_OK, "%s",
                  err.message);
    ck_assert_int_eq(crypto_sign_rs256(&identity, "header.claims", 13, signature, &length),
                     STATUS_OK);
    ck_assert(is_signature_of(certificates.app, "header.claims", signature, length));
    ck_assert(!is_signature_of(certificates.app, "header.claimz", signature, length));
    crypto_identity_cleanup(&identity);
    strbuf_cleanup(&pem);
}
END_TEST

static void assert_no_identity(const char *pem, size_t length, const char *says) {
    ck_assert_int_eq(crypto_identity_read(pem, length, &identity, &err), STATUS_UNAUTHORIZED);
    ck_assert_str_eq(err.message, says);
}

/* Appends a private RSA key, encrypted with `cipher` unless that is NULL. */
static void add_new_key(struct strbuf *out, unsigned bits, const EVP_CIPHER *cipher) {
    EVP_PKEY *key = EVP_RSA_gen(bits);
    BIO *text = BIO_new(BIO_s_mem());
    unsigned char passphrase[] = "hunter2";
    ck_assert_int_eq(PEM_write_bio_PrivateKey(text, key, cipher, cipher ? passphrase : NULL,
                                              cipher ? 7 : 0, NULL, NULL),
                     1);
    char *data;
    long length = BIO_get_mem_data(text, &data);
    strbuf_append(out, data, (size_t)length);
    BIO_free(text);
    EVP_PKEY_free(key);
}

START_TEST(a_file_without_a_usable_key_and_its_certificate_is_refused) {
    static const char no_key[] = "holds no private key in PEM form without a passphrase";
    static const char not_rsa[] = "holds a key that is not RSA of 2048 to 8192 bits";
    struct strbuf pem;
    strbuf_init(&pem, 100000);
    assert_no_identity("", 0, no_key);
    add_file(&pem, certificates.server.certificate);
    assert_no_identity(pem.data, pem.length, no_key);
    add_file(&pem, certificates.server.key); /* P-256 */
    assert_no_identity(pem.data, pem.length, not_rsa);
    strbuf_clear(&pem);
    add_new_key(&pem, 2048, NULL);
    add_file(&pem, certificates.ca);
    assert_no_identity(pem.data, pem.length, "does not hold the certificate of its private key");
    strbuf_clear(&pem);
    add_new_key(&pem, 1024, NULL);
    assert_no_identity(pem.data, pem.length, not_rsa);
    strbuf_clear(&pem);
    add_new_key(&pem, 2048, EVP_aes_256_cbc());
    assert_no_identity(pem.data, pem.length, no_key);
    strbuf_cleanup(&pem);
}
END_TEST

START_TEST(wiping_overwrites_what_it_is_given_and_no_more) {
    char secret[] = "secret!";
    crypto_wipe(secret, 6);
    ck_assert_mem_eq(secret, "\0\0\0\0\0\0!", 8);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("crypto");
    TCase *tcase = tcase_create("crypto");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, random_bytes_fill_all_of_the_space_and_no_more);
    tcase_add_test(tcase, more_than_a_block_is_random_too);
    tcase_add_test(tcase, a_child_process_gets_other_bytes_than_its_parent);
    tcase_add_test(tcase, no_two_threads_get_the_same_bytes);
    tcase_add_test(tcase, sha256_agrees_with_nist);
    tcase_add_test(tcase, hmac_agrees_with_rfc_4231);
    tcase_add_test(tcase, hmac_takes_nothing_as_key_and_data);
    tcase_add_loop_test(tcase, base64_agrees_with_rfc_4648, 0, sizeof vectors / sizeof vectors[0]);
    tcase_add_loop_test(tcase, what_is_not_base64_is_refused_and_leaves_no_trace, 0,
                        sizeof not_base64 / sizeof not_base64[0]);
    tcase_add_test(tcase, every_length_comes_back_from_base64);
    tcase_add_test(tcase, a_text_that_is_accepted_is_the_only_one_for_its_bytes);
    tcase_add_test(tcase, a_result_over_its_limit_is_told);
    tcase_add_test(tcase, wiping_overwrites_what_it_is_given_and_no_more);
    tcase_add_loop_test(tcase, base64url_has_no_padding_and_its_own_two_characters, 0,
                        sizeof url_vectors / sizeof url_vectors[0]);
    suite_add_tcase(suite, tcase);
    TCase *identities = tcase_create("identities");
    tcase_add_checked_fixture(identities, make_certificates, remove_certificates);
    tcase_add_test(identities, the_thumbprint_is_what_openssl_says);
    tcase_add_test(identities, what_the_key_signs_the_certificate_confirms);
    tcase_add_test(identities, a_file_without_a_usable_key_and_its_certificate_is_refused);
    suite_add_tcase(suite, identities);
    return check_main(suite);
}
