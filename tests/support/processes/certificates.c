#include "support/processes/certificates.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>

enum { DAY_S = 24 * 60 * 60, RSA_BITS = 2048 };
#define LOOPBACK_NAMES "DNS:localhost,DNS:storage.test,IP:127.0.0.1"

/* A key and the certificate that goes with it. */
struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

/* What a certificate says. */
struct contents {
    const char *common_name;
    const char *names; /* as subjectAltName writes them; NULL: none */
    long from_s, to_s; /* its time, from now */
    bool is_authority;
};

static void identity_cleanup(struct identity *identity) {
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

static void add_extension(X509 *certificate, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    ck_assert_msg(extension != NULL && X509_add_ext(certificate, extension, -1) == 1,
                  "extension %s", value);
    X509_EXTENSION_free(extension);
}

/* `issuer` NULL: signs itself. */
static struct identity make_identity(EVP_PKEY *key, const struct contents *contents,
                                     const struct identity *issuer) {
    ck_assert_ptr_nonnull(key);
    X509 *certificate = X509_new();
    static long serial;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), contents->from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), contents->to_s);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)contents->common_name, -1, -1, 0);
    X509_set_issuer_name(certificate,
                         X509_get_subject_name(issuer == NULL ? certificate : issuer->certificate));
    X509_set_pubkey(certificate, key);
    add_extension(certificate, NID_basic_constraints,
                  contents->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (contents->names != NULL) {
        add_extension(certificate, NID_subject_alt_name, contents->names);
    }
    ck_assert_int_gt(X509_sign(certificate, issuer == NULL ? key : issuer->key, EVP_sha256()), 0);
    return (struct identity){.key = key, .certificate = certificate};
}

static struct identity make_authority(void) {
    const struct contents contents = {.common_name = "Leasehold test authority",
                                      .from_s = -2 * DAY_S,
                                      .to_s = DAY_S,
                                      .is_authority = true};
    return make_identity(EVP_EC_gen("P-256"), &contents, NULL);
}

/* --- files --- */

static FILE *open_file(const struct certificates *certificates, const char *name,
                       char path[CERTIFICATE_PATH_BYTES]) {
    snprintf(path, CERTIFICATE_PATH_BYTES, "%s/%s", certificates->folder.path, name);
    FILE *file = fopen(path, "w");
    ck_assert_msg(file != NULL, "writing %s", path);
    return file;
}

static void write_server(const struct certificates *certificates, const char *name,
                         const struct contents *contents, const struct identity *authority,
                         struct certificate_files *out) {
    struct identity server = make_identity(EVP_EC_gen("P-256"), contents, authority);
    char file_name[64];
    snprintf(file_name, sizeof file_name, "%s.pem", name);
    FILE *file = open_file(certificates, file_name, out->certificate);
    ck_assert_int_eq(PEM_write_X509(file, server.certificate), 1);
    ck_assert_int_eq(fclose(file), 0);
    snprintf(file_name, sizeof file_name, "%s.key", name);
    file = open_file(certificates, file_name, out->key);
    ck_assert_int_eq(PEM_write_PrivateKey(file, server.key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(fclose(file), 0);
    identity_cleanup(&server);
}

static void write_servers(struct certificates *certificates, const struct identity *authority,
                          const struct identity *other) {
    struct contents contents = {
        .common_name = "localhost", .names = LOOPBACK_NAMES, .from_s = -DAY_S, .to_s = DAY_S};
    write_server(certificates, "server", &contents, authority, &certificates->server);
    write_server(certificates, "impostor", &contents, other, &certificates->impostor);
    contents.from_s = -2 * DAY_S;
    contents.to_s = -DAY_S;
    write_server(certificates, "expired", &contents, authority, &certificates->expired);
    contents = (struct contents){.common_name = "storage.example.com",
                                 .names = "DNS:storage.example.com",
                                 .from_s = -DAY_S,
                                 .to_s = DAY_S};
    write_server(certificates, "stranger", &contents, authority, &certificates->stranger);
}

static void write_app(struct certificates *certificates) {
    const struct contents contents = {
        .common_name = "Leasehold test app", .from_s = -DAY_S, .to_s = DAY_S};
    struct identity app = make_identity(EVP_RSA_gen(RSA_BITS), &contents, NULL);
    FILE *file = open_file(certificates, "app.pem", certificates->app);
    ck_assert_int_eq(PEM_write_PrivateKey(file, app.key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(PEM_write_X509(file, app.certificate), 1);
    ck_assert_int_eq(fclose(file), 0);
    identity_cleanup(&app);
}

void certificates_make(struct certificates *certificates) {
    temp_folder_make(&certificates->folder);
    struct identity authority = make_authority(), other = make_authority();
    FILE *file = open_file(certificates, "ca.pem", certificates->ca);
    ck_assert_int_eq(PEM_write_X509(file, authority.certificate), 1);
    ck_assert_int_eq(fclose(file), 0);
    write_servers(certificates, &authority, &other);
    write_app(certificates);
    identity_cleanup(&authority), identity_cleanup(&other);
}

void certificates_remove(const struct certificates *certificates) {
    temp_folder_remove(&certificates->folder);
}
