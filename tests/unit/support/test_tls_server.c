/*
 * The servers' certificates and the server that shows them, by a client that checks as OpenSSL
 * does.
 */
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#include "support/calls/raw_http.h"
#include "support/fakes/tls_server.h"
#include "support/processes/check_main.h"

static struct certificates certificates;

static void set_up(void) {
    certificates_make(&certificates);
}

static void tear_down(void) {
    certificates_remove(&certificates);
}

enum { ANY_VERSION, OLD_VERSION };

/*
 * Asks a server something as 127.0.0.1; answers what OpenSSL says of its certificate, or -1 when
 * there was no handshake.
 */
static long ask(const struct tls_server *server, const char *ca, int version) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    ck_assert(SSL_CTX_load_verify_file(context, ca) == 1);
    if (version == OLD_VERSION) {
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_min_proto_version(context, TLS1_1_VERSION);
    }
    SSL *ssl = SSL_new(context);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    ck_assert_int_eq(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1"), 1);
    int fd = raw_http_connect(tls_server_port(server));
    SSL_set_fd(ssl, fd);
    bool connected = SSL_connect(ssl) == 1;
    long verdict = SSL_get_verify_result(ssl);
    char answer[64] = "";
    if (connected) {
        ck_assert_int_gt(SSL_write(ssl, "GET / HTTP/1.1\r\n\r\n", 18), 0);
        ck_assert_int_gt(SSL_read(ssl, answer, sizeof answer - 1), 0);
        ck_assert_int_eq(strncmp(answer, "HTTP/1.1 503 ", 13), 0);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return connected || verdict != X509_V_OK ? verdict : -1;
}

static void assert_verdict(const struct certificate_files *files, bool old_server, int version,
                           long expected) {
    struct tls_server *server = tls_server_start(files, old_server);
    ck_assert_int_eq(ask(server, certificates.ca, version), expected);
    struct tls_server_counts counts = tls_server_count(server);
    tls_server_stop(server);
    bool taken = expected == X509_V_OK;
    ck_assert_int_eq(counts.connections, 1);
    ck_assert_int_eq(counts.handshakes, taken);
    ck_assert_uint_eq(counts.bytes, taken ? 18 : 0);
}

START_TEST(a_good_certificate_is_taken_and_what_is_sent_is_counted) {
    assert_verdict(&certificates.server, false, ANY_VERSION, X509_V_OK);
}
END_TEST

START_TEST(each_bad_certificate_has_its_fault_and_no_other) {
    assert_verdict(&certificates.expired, false, ANY_VERSION, X509_V_ERR_CERT_HAS_EXPIRED);
    assert_verdict(&certificates.stranger, false, ANY_VERSION, X509_V_ERR_IP_ADDRESS_MISMATCH);
    assert_verdict(&certificates.impostor, false, ANY_VERSION, X509_V_ERR_CERT_SIGNATURE_FAILURE);
}
END_TEST

START_TEST(an_old_server_speaks_to_old_clients_alone) {
    assert_verdict(&certificates.server, true, ANY_VERSION, -1);
    assert_verdict(&certificates.server, true, OLD_VERSION, X509_V_OK);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tls_server");
    TCase *tcase = tcase_create("tls_server");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_good_certificate_is_taken_and_what_is_sent_is_counted);
    tcase_add_test(tcase, each_bad_certificate_has_its_fault_and_no_other);
    tcase_add_test(tcase, an_old_server_speaks_to_old_clients_alone);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
