#include "support/checks/jwt.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "base/uuid.h"

enum {
    MAX_TOKEN_BYTES = 64 * 1024,
    SIGNATURE_BYTES = 256,
    LONGEST_ASSERTION_S = 60 * 60,
    MOST_SKEW_S = 60
};

/* --- base64url (RFC 4648 section 5, no padding) --- */

/* What stands for the two characters of `from` is in `to`. */
static char exchange(char c, const char *from, const char *to) {
    const char *found = strchr(from, c);
    if (found != NULL) {
        c = to[found - from];
    }
    return c;
}

static void append_base64url(struct strbuf *out, const void *data, size_t length) {
    struct strbuf plain;
    strbuf_init(&plain, MAX_TOKEN_BYTES);
    crypto_base64_encode(data, length, &plain);
    for (const char *c = plain.data; *c != '\0' && *c != '='; c++) {
        strbuf_append_char(out, exchange(*c, "+/", "-_"));
    }
    strbuf_cleanup(&plain);
}

/* False: `length` bytes at `text` are not that. */
static bool decode_base64url(const char *text, size_t length, struct strbuf *out) {
    struct strbuf plain;
    strbuf_init(&plain, MAX_TOKEN_BYTES);
    bool ok = memchr(text, '+', length) == NULL && memchr(text, '/', length) == NULL &&
              memchr(text, '=', length) == NULL;
    for (size_t i = 0; i < length; i++) {
        strbuf_append_char(&plain, exchange(text[i], "-_", "+/"));
    }
    while (plain.length % 4 != 0) {
        strbuf_append_char(&plain, '=');
    }
    ok = ok && crypto_base64_decode(plain.data, out) == STATUS_OK;
    strbuf_cleanup(&plain);
    return ok;
}

/* --- access tokens --- */

static void append_json(struct strbuf *out, cJSON *json) {
    char *text = cJSON_PrintUnformatted(json);
    ck_assert_ptr_nonnull(text);
    append_base64url(out, text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(json);
}

static cJSON *access_claims(int64_t lifetime_s) {
    int64_t now_s = (int64_t)time(NULL), from_s = lifetime_s < 0 ? now_s + 2 * lifetime_s : now_s;
    char id[UUID_TEXT_BYTES];
    ck_assert_int_eq(uuid_v4(random_system(), id), STATUS_OK);
    cJSON *claims = cJSON_CreateObject();
    cJSON_AddStringToObject(claims, "aud", "https://storage.azure.com");
    cJSON_AddStringToObject(claims, "iss",
                            "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/");
    json_add_int64(claims, "iat", from_s);
    json_add_int64(claims, "nbf", from_s);
    json_add_int64(claims, "exp", now_s + lifetime_s);
    cJSON_AddStringToObject(claims, "uti", id);
    return claims;
}

char *jwt_make_access_token(int64_t lifetime_s) {
    unsigned char signature[SIGNATURE_BYTES];
    struct strbuf token;
    strbuf_init(&token, MAX_TOKEN_BYTES);
    cJSON *header = cJSON_CreateObject();
    cJSON_AddStringToObject(header, "typ", "JWT");
    cJSON_AddStringToObject(header, "alg", "RS256");
    append_json(&token, header);
    strbuf_append_char(&token, '.');
    append_json(&token, access_claims(lifetime_s));
    strbuf_append_char(&token, '.');
    ck_assert_int_eq(crypto_random(signature, sizeof signature),
                     STATUS_OK); /* nobody looks at it */
    append_base64url(&token, signature, sizeof signature);
    ck_assert_int_eq(strbuf_status(&token), STATUS_OK);
    return token.data;
}

/* --- assertions --- */

static bool complain(char complaint[JWT_COMPLAINT_BYTES], const char *what) {
    snprintf(complaint, JWT_COMPLAINT_BYTES, "%s", what);
    return false;
}

static X509 *read_certificate(const char *path) {
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "reading %s", path);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    ck_assert_msg(certificate != NULL, "%s has no certificate", path);
    return certificate;
}

/* The part from `text` to the next '.', or the end, as JSON; NULL: it is not. */
static cJSON *part_as_json(const char *text) {
    struct strbuf decoded;
    strbuf_init(&decoded, MAX_TOKEN_BYTES);
    cJSON *json = NULL;
    if (!decode_base64url(text, strcspn(text, "."), &decoded) ||
        json_parse(decoded.data, decoded.length, &json, NULL) != STATUS_OK) {
        json = NULL;
    }
    strbuf_cleanup(&decoded);
    return json;
}

static bool says(const cJSON *object, const char *key, const char *value) {
    const char *text = json_string(object, key);
    return text != NULL && strcmp(text, value) == 0;
}

static bool check_header(const char *assertion, X509 *certificate,
                         char complaint[JWT_COMPLAINT_BYTES]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct strbuf thumbprint;
    strbuf_init(&thumbprint, MAX_TOKEN_BYTES);
    ck_assert_int_eq(X509_digest(certificate, EVP_sha256(), digest, &length), 1);
    append_base64url(&thumbprint, digest, length);
    cJSON *header = part_as_json(assertion);
    bool ok = header == NULL                  ? complain(complaint, "the header is not JSON")
              : !says(header, "alg", "RS256") ? complain(complaint, "alg is not RS256")
              : !says(header, "typ", "JWT")   ? complain(complaint, "typ is not JWT")
              : !says(header, "x5t#S256", thumbprint.data)
                  ? complain(complaint, "x5t#S256 is another certificate's")
                  : true;
    cJSON_Delete(header);
    strbuf_cleanup(&thumbprint);
    return ok;
}

/*
 * From now, give or take MOST_SKEW_S, as the real endpoint has it, and for a while only.
 * (time(NULL) is up to some milliseconds behind the clock that the assertion was dated by.)
 */
static bool check_times(const cJSON *claims, char complaint[JWT_COMPLAINT_BYTES]) {
    int64_t from_s = 0, to_s = 0, now_s = (int64_t)time(NULL);
    if (!json_int64(claims, "nbf", &from_s) || !json_int64(claims, "exp", &to_s)) {
        return complain(complaint, "nbf or exp is missing");
    }
    return from_s > now_s + MOST_SKEW_S || to_s <= now_s
               ? complain(complaint, "it is not valid now")
           : to_s > now_s + LONGEST_ASSERTION_S ? complain(complaint, "it is valid for too long")
                                                : true;
}

static bool check_claims(const char *part, const struct jwt_expectation *expected,
                         char complaint[JWT_COMPLAINT_BYTES]) {
    cJSON *claims = part_as_json(part);
    const char *id = json_string(claims, "jti");
    bool ok =
        claims == NULL ? complain(complaint, "the claims are not JSON")
        : !says(claims, "aud", expected->audience)
            ? complain(complaint, "aud is not the token endpoint")
        : !says(claims, "iss", expected->client_id) ? complain(complaint, "iss is not the client")
        : !says(claims, "sub", expected->client_id) ? complain(complaint, "sub is not the client")
        : id == NULL || strlen(id) < UUID_TEXT_BYTES - 1
            ? complain(complaint, "jti is missing or short")
            : check_times(claims, complaint);
    cJSON_Delete(claims);
    return ok;
}

static bool check_signature(const char *assertion, const char *signature, X509 *certificate,
                            char complaint[JWT_COMPLAINT_BYTES]) {
    struct strbuf bytes;
    strbuf_init(&bytes, MAX_TOKEN_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t signed_length = (size_t)(signature - 1 - assertion);
    bool ok = decode_base64url(signature, strlen(signature), &bytes) &&
              EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL,
                                   X509_get0_pubkey(certificate)) == 1 &&
              EVP_DigestVerify(context, (const unsigned char *)bytes.data, bytes.length,
                               (const unsigned char *)assertion, signed_length) == 1;
    EVP_MD_CTX_free(context);
    strbuf_cleanup(&bytes);
    return ok ? true : complain(complaint, "the signature is not by the certificate's key");
}

bool jwt_check_assertion(const char *assertion, const struct jwt_expectation *expected,
                         char complaint[JWT_COMPLAINT_BYTES]) {
    const char *claims = strchr(assertion, '.');
    const char *signature = claims == NULL ? NULL : strchr(claims + 1, '.');
    if (signature == NULL) {
        return complain(complaint, "it has not three parts");
    }
    X509 *certificate = read_certificate(expected->certificate);
    bool ok = check_header(assertion, certificate, complaint) &&
              check_claims(claims + 1, expected, complaint) &&
              check_signature(assertion, signature + 1, certificate, complaint);
    X509_free(certificate);
    return ok;
}
