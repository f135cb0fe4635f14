/* The judge of client assertions must see every fault; access tokens must be what they say. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "base/json.h"
#include "support/checks/jwt.h"
#include "support/processes/certificates.h"
#include "support/processes/check_main.h"

#define CLIENT "f997392c-e15a-4ad8-af9e-cd6966caba7f"
#define AUDIENCE "https://login.example.com/tenant/oauth2/v2.0/token"
#define ID "5d3bd5f4-3ab7-4f0a-9d23-2f1c39a0b0c1"

static struct certificates certificates;

static void set_up(void) {
    certificates_make(&certificates);
}

static void tear_down(void) {
    certificates_remove(&certificates);
}

static void append_base64url(struct strbuf *out, const void *data, size_t length) {
    struct strbuf plain;
    strbuf_init(&plain, 4096);
    crypto_base64_encode(data, length, &plain);
    for (const char *c = plain.data; *c != '\0' && *c != '='; c++) {
        if (*c == '+' || *c == '/') {
            strbuf_append_string(out, *c == '+' ? "-" : "_");
        } else {
            strbuf_append_char(out, *c);
        }
    }
    strbuf_cleanup(&plain);
}

/* Signs header.claims with the app's key. */
static void append_signature(struct strbuf *text) {
    FILE *file = fopen(certificates.app, "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char signature[512];
    size_t length = sizeof signature;
    ck_assert(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, signature, &length, (const unsigned char *)text->data,
                             text->length) == 1);
    strbuf_append_char(text, '.');
    append_base64url(text, signature, length);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
}

static void write_thumbprint(char out[64]) {
    FILE *file = fopen(certificates.app, "r");
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length;
    struct strbuf text;
    strbuf_init(&text, 64);
    ck_assert_int_eq(X509_digest(certificate, EVP_sha256(), digest, &length), 1);
    append_base64url(&text, digest, length);
    snprintf(out, 64, "%s", text.data);
    strbuf_cleanup(&text);
    X509_free(certificate);
}

/* One assertion: what is NULL or 0 is as it should be. */
struct assertion {
    const char *algorithm, *thumbprint, *audience, *issuer, *subject, *id, *fault;
    int from_s, to_s;
    bool tampered;
};

static const char * or (const char *given, const char *usual) {
    return given == NULL ? usual : given;
}

static struct strbuf make(const struct assertion *of) {
    char thumbprint[64], json[1024];
    long long now_s = (long long)time(NULL);
    write_thumbprint(thumbprint);
    struct strbuf text;
    strbuf_init(&text, 8192);
    snprintf(json, sizeof json, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"x5t#S256\":\"%s\"}",
             or (of->algorithm, "RS256"), or (of->thumbprint, thumbprint));
    append_base64url(&text, json, strlen(json));
    snprintf(
        json, sizeof json,
        "{\"aud\":\"%s\",\"iss\":\"%s\",\"sub\":\"%s\",\"jti\":\"%s\",\"nbf\":%lld,\"exp\":%lld}",
        or (of->audience, AUDIENCE), or (of->issuer, CLIENT), or (of->subject, CLIENT),
        or (of->id, ID), now_s + of->from_s, now_s + (of->to_s == 0 ? 600 : of->to_s));
    strbuf_append_char(&text, '.');
    append_base64url(&text, json, strlen(json));
    append_signature(&text);
    if (of->tampered) {
        text.data[text.length - 20] = text.data[text.length - 20] == 'A' ? 'B' : 'A';
    }
    return text;
}

static const struct assertion assertions[] = {
    {.fault = NULL},
    {.algorithm = "none", .fault = "alg is not RS256"},
    {.thumbprint = "AAAA", .fault = "x5t#S256 is another certificate's"},
    {.audience = "https://login.example.com/", .fault = "aud is not the token endpoint"},
    {.issuer = "x", .fault = "iss is not the client"},
    {.subject = "x", .fault = "sub is not the client"},
    {.id = "", .fault = "jti is missing or short"},
    {.from_s = 10}, /* its clock is ahead */
    {.from_s = 90, .fault = "it is not valid now"},
    {.from_s = -600, .to_s = -1, .fault = "it is not valid now"},
    {.to_s = 24 * 60 * 60, .fault = "it is valid for too long"},
    {.tampered = true, .fault = "the signature is not by the certificate's key"},
};

START_TEST(an_assertion_is_taken_only_as_entra_id_takes_it) {
    const struct assertion *assertion = &assertions[_i];
    struct strbuf text = make(assertion);
    const struct jwt_expectation expected = {
        .certificate = certificates.app, .client_id = CLIENT, .audience = AUDIENCE};
    char complaint[JWT_COMPLAINT_BYTES] = "";
    bool taken = jwt_check_assertion(text.data, &expected, complaint);
    strbuf_cleanup(&text);
    ck_assert_str_eq(complaint, or (assertion->fault, ""));
    ck_assert_int_eq(taken, assertion->fault == NULL);
}
END_TEST

START_TEST(what_is_no_token_at_all_is_no_assertion) {
    const struct jwt_expectation expected = {
        .certificate = certificates.app, .client_id = CLIENT, .audience = AUDIENCE};
    static const char *const texts[] = {"", "x", "a.b", "..", "e30.e30.", "%%%.e30.AAAA"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char complaint[JWT_COMPLAINT_BYTES] = "";
        ck_assert(!jwt_check_assertion(texts[i], &expected, complaint));
        ck_assert_str_ne(complaint, "");
    }
}
END_TEST

START_TEST(access_tokens_differ_and_carry_their_time) {
    char *one = jwt_make_access_token(10), *other = jwt_make_access_token(10);
    ck_assert_str_ne(one, other);
    struct strbuf claims;
    strbuf_init(&claims, 4096);
    char *part = strchr(one, '.') + 1;
    part[strcspn(part, ".")] = '\0';
    char padded[4096];
    snprintf(padded, sizeof padded, "%s%.*s", part, (int)(3 - (strlen(part) + 3) % 4), "===");
    ck_assert_int_eq(crypto_base64_decode(padded, &claims), STATUS_OK);
    cJSON *json = NULL;
    struct error err;
    int64_t from_s = 0, to_s = 0;
    ck_assert_int_eq(json_parse(claims.data, claims.length, &json, &err), STATUS_OK);
    ck_assert(json_int64(json, "nbf", &from_s) && json_int64(json, "exp", &to_s));
    ck_assert_int_eq(to_s - from_s, 10);
    cJSON_Delete(json);
    strbuf_cleanup(&claims);
    free(one), free(other);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("jwt");
    TCase *tcase = tcase_create("jwt");
    tcase_add_unchecked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, an_assertion_is_taken_only_as_entra_id_takes_it, 0,
                        sizeof assertions / sizeof *assertions);
    tcase_add_test(tcase, what_is_no_token_at_all_is_no_assertion);
    tcase_add_test(tcase, access_tokens_differ_and_carry_their_time);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
