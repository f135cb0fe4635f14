/*
 * Whom the handler trusts with a token, a key or a secret: nobody whose certificate or address is
 * not in order.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/calls/http_client.h"
#include "support/fakes/tls_server.h"
#include "support/processes/check_main.h"
#include "support/processes/login.h"

enum {
    LOG_TIMEOUT_MS = 30000,
    EXIT_TIMEOUT_MS = 20000,
    EXIT_BAD_SETTING_CODE = 64,
    ENDPOINT_BYTES = 64
};
#define CLIENT_SECRET "5f0c0c8e-a-client-secret-of-this-test"

static struct certificates certificates;
static struct tls_server *server;
static struct app app;
static char trusted_ca[CERTIFICATE_PATH_BYTES + 16]; /* SSL_CERT_FILE=... */

static void make_certificates(void) {
    certificates_make(&certificates);
    snprintf(trusted_ca, sizeof trusted_ca, "SSL_CERT_FILE=%s", certificates.ca);
}

static void remove_certificates(void) {
    certificates_remove(&certificates);
}

static void tear_down(void) {
    app_cleanup(&app);
    if (server != NULL) {
        tls_server_stop(server);
    }
    server = NULL;
}

static void start_server(const struct certificate_files *files, bool only_tls_1_1) {
    server = tls_server_start(files, only_tls_1_1);
}

/* The handler with its key for a storage account at the server's address. */
static void start_handler(const char *const *settings, const char *const *env) {
    char connection_string[1024];
    int port = tls_server_port(server);
    snprintf(connection_string, sizeof connection_string,
             "AccountName=" AZURITE_ACCOUNT ";AccountKey=" AZURITE_KEY
             ";BlobEndpoint=https://127.0.0.1:%d/a"
             ";TableEndpoint=https://127.0.0.1:%d/a",
             port, port);
    app_start_handler(&app, &(struct app_options){.connection_string = connection_string,
                                                  .settings = settings,
                                                  .env = env});
}

/* At Debug each attempt is told, not only that there were enough of them. */
static const char *const hasty[] = {"DistributedLeasing:AcquireTimeout=00:00:00.500",
                                    "Logging:LogLevel:Default=Debug", NULL};

static void wait_for_log(const char *text) {
    app_expect_log(&app, 0, text, LOG_TIMEOUT_MS);
}

static void assert_refused(void) {
    struct tls_server_counts counts = tls_server_count(server);
    ck_assert_int_gt(counts.connections, 0);
    ck_assert_int_eq(counts.handshakes, 0);
    ck_assert_uint_eq(counts.bytes, 0);
}

static void wait_for_bytes(void) {
    int64_t deadline_ms = process_now_ms() + LOG_TIMEOUT_MS;
    while (tls_server_count(server).bytes == 0) {
        ck_assert_int_lt(process_now_ms(), deadline_ms);
        sched_yield();
    }
}

static void stop_handler(void) {
    ck_assert_msg(app_stop(&app, SIGTERM) == 0, "%s", process_output_from(&app.process, 0));
}

START_TEST(a_server_in_order_is_sent_requests) {
    start_server(&certificates.server, false);
    start_handler(hasty, (const char *const[]){trusted_ca, NULL});
    wait_for_bytes();
    wait_for_log("listens on");
    stop_handler();
}
END_TEST

static const struct {
    size_t files; /* which of the certificates */
    bool only_tls_1_1;
    const char *log;
} faults[] = {
    {offsetof(struct certificates, impostor), false, "certificate"},
    {offsetof(struct certificates, expired), false, "certificate has expired"},
    {offsetof(struct certificates, stranger), false,
     "no alternative certificate subject name matches target host name"},
    {offsetof(struct certificates, server), true, "protocol version"},
};

/*
 * OpenSSL itself is told to speak any version, so that it is the handler that refuses an old one.
 */
static void write_openssl_conf(char out[CERTIFICATE_PATH_BYTES + 16]) {
    temp_folder_write(
        &certificates.folder, "openssl.cnf",
        "openssl_conf = default\n[default]\nssl_conf = ssl\n[ssl]\nsystem_default = any\n"
        "[any]\nMinProtocol = TLSv1\nCipherString = DEFAULT@SECLEVEL=0\n");
    snprintf(out, CERTIFICATE_PATH_BYTES + 16, "OPENSSL_CONF=%s/openssl.cnf",
             certificates.folder.path);
}

START_TEST(a_server_with_a_fault_is_sent_nothing_and_the_log_says_why) {
    char openssl_conf[CERTIFICATE_PATH_BYTES + 16];
    write_openssl_conf(openssl_conf);
    start_server((const struct certificate_files *)(const void *)((const char *)&certificates +
                                                                  faults[_i].files),
                 faults[_i].only_tls_1_1);
    start_handler(hasty, (const char *const[]){trusted_ca, openssl_conf, NULL});
    wait_for_log(faults[_i].log);
    assert_refused();
    stop_handler();
}
END_TEST

START_TEST(a_private_authority_is_trusted_only_where_it_is_named) {
    start_server(&certificates.server, false);
    start_handler(hasty, (const char *const[]){"SSL_CERT_FILE=", NULL});
    wait_for_log("certificate");
    assert_refused();
    stop_handler();
}
END_TEST

/* What turns verification off elsewhere, or might. */
START_TEST(nothing_turns_verification_off) {
    char curl_rc[128], home[96];
    snprintf(curl_rc, sizeof curl_rc, "%s/.curlrc", certificates.folder.path);
    temp_folder_write(&certificates.folder, ".curlrc", "insecure\n");
    snprintf(home, sizeof home, "HOME=%s", certificates.folder.path);
    const char *const env[] = {trusted_ca,
                               home,
                               "CURL_INSECURE=1",
                               "CURL_SSL_VERIFY=0",
                               "SSL_VERIFY=false",
                               "SSL_NO_VERIFY=1",
                               "GIT_SSL_NO_VERIFY=1",
                               "NODE_TLS_REJECT_UNAUTHORIZED=0",
                               "PYTHONHTTPSVERIFY=0",
                               "REQUESTS_CA_BUNDLE=",
                               "AZURE_CLI_DISABLE_CONNECTION_VERIFICATION=1",
                               "DOTNET_SYSTEM_NET_HTTP_USESOCKETSHTTPHANDLER=0",
                               NULL};
    const char *const settings[] = {hasty[0],
                                    hasty[1],
                                    "DistributedLeasing:VerifyCertificates=false",
                                    "DistributedLeasing:DisableTlsVerification=true",
                                    "DistributedLeasing:Insecure=true",
                                    "DistributedLeasing:TrustServerCertificate=true",
                                    "DistributedLeasing:AllowInsecureConnection=true",
                                    NULL};
    start_server(&certificates.impostor, false);
    start_handler(settings, env);
    wait_for_log("listens on");
    ck_assert_int_eq(
        http_ask_status((struct http_ask){.port = app.port, .path = "/api/inventory/PROD-001"}),
        503);
    assert_refused();
    stop_handler();
}
END_TEST

START_TEST(a_token_endpoint_with_a_fault_is_not_sent_the_secret) {
    start_server(&certificates.impostor, false);
    char authority[ENDPOINT_BYTES];
    snprintf(authority, sizeof authority, "AZURE_AUTHORITY_HOST=https://127.0.0.1:%d",
             tls_server_port(server));
    static const char *const settings[] = {
        "DistributedLeasing:AcquireTimeout=00:00:00.500",
        "DistributedLeasing:StorageAccountUri=https://127.0.0.1:1/a",
        "Inventory:TableServiceUri=https://127.0.0.1:1/a",
        "DistributedLeasing:Authentication:Mode=ServicePrincipal",
        "DistributedLeasing:Authentication:ServicePrincipal:TenantId=" IDENTITY_TENANT_ID,
        "DistributedLeasing:Authentication:ServicePrincipal:ClientId=" IDENTITY_CLIENT_ID,
        "DistributedLeasing:Authentication:ServicePrincipal:ClientSecret=" CLIENT_SECRET,
        NULL};
    app_start_handler(
        &app, &(struct app_options){.settings = settings,
                                    .env = (const char *const[]){trusted_ca, authority, NULL}});
    wait_for_log("No token to sign in to storage with");
    wait_for_log("certificate");
    assert_refused();
    stop_handler();
}
END_TEST

/* --- http --- */

#define KEY_PARTS "AccountName=a;AccountKey=" AZURITE_KEY ";"
#define SAS_PART ";SharedAccessSignature=sv=2021-12-02&sig=c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"
#define CONNECTION "DistributedLeasing:ConnectionString="
#define ACCOUNT "DistributedLeasing:StorageAccountUri="
#define TABLES "Inventory:TableServiceUri="
#define MODE "DistributedLeasing:Authentication:Mode="

/*
 * What would send a key, a signature or a token in the clear, and the setting that the one line on
 * stderr has to name.
 */
static const struct {
    const char *settings[6];
    const char *named;
} open_addresses[] = {
    {{CONNECTION KEY_PARTS "BlobEndpoint=http://10.0.0.1:10000/a;TableEndpoint=https://10.0.0.1/a"},
     "ConnectionString"},
    {{CONNECTION KEY_PARTS "BlobEndpoint=https://10.0.0.1/a;TableEndpoint=http://10.0.0.1/a"},
     "ConnectionString"},
    {{CONNECTION KEY_PARTS "DefaultEndpointsProtocol=http"}, "ConnectionString"},
    {{CONNECTION "BlobEndpoint=http://storage.example.com" SAS_PART}, "ConnectionString"},
    {{CONNECTION "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://10.0.0.1"},
     "ConnectionString"},
    {{CONNECTION KEY_PARTS, ACCOUNT "http://10.0.0.1/a"}, "StorageAccountUri"},
    {{ACCOUNT "http://a.blob.core.windows.net"}, "StorageAccountUri"},
    {{ACCOUNT "http://127.0.0.1.example.com/a"}, "StorageAccountUri"},
    {{ACCOUNT "http://localhost.example.com/a"}, "StorageAccountUri"},
    {{ACCOUNT "http://0x7f.1.example.com/a"}, "StorageAccountUri"},
    {{ACCOUNT "http://[::2]:80/a"}, "StorageAccountUri"},
    {{ACCOUNT "https://a.blob.core.windows.net", TABLES "http://a.table.core.windows.net"},
     "TableServiceUri"},
    {{ACCOUNT "https://a.blob.core.windows.net", MODE "ServicePrincipal",
      "AZURE_AUTHORITY_HOST=http://login.example.com", "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c",
      "AZURE_CLIENT_SECRET=s"},
     "AZURE_AUTHORITY_HOST"},
};

START_TEST(secrets_are_not_sent_in_the_clear_to_another_machine) {
    const char *settings[7] = {0};
    memcpy(settings, open_addresses[_i].settings, sizeof open_addresses[_i].settings);
    app_start_handler(&app, &(struct app_options){.settings = settings});
    int code = process_wait(&app.process, EXIT_TIMEOUT_MS);
    char *output = process_output_from(&app.process, 0);
    ck_assert_msg(code == EXIT_BAD_SETTING_CODE, "%d: %s", code, output);
    ck_assert_msg(strstr(output, open_addresses[_i].named) != NULL, "%s", output);
    ck_assert_msg(strstr(output, "http") != NULL, "%s", output);
    ck_assert_ptr_eq(strchr(output, '\n'), output + strlen(output) - 1); /* one line */
    ck_assert_ptr_null(strstr(output, AZURITE_KEY));
    ck_assert_ptr_null(strstr(output, "c2VjcmV0"));
    free(output);
}
END_TEST

static const char *const private_addresses[] = {"http://127.0.0.1:1/a", "http://127.1.2.3:1/a",
                                                "http://localhost:1/a", "http://[::1]:1/a"};

START_TEST(this_machine_may_be_spoken_to_in_the_clear) {
    char account[128], tables[128];
    snprintf(account, sizeof account, ACCOUNT "%s", private_addresses[_i]);
    snprintf(tables, sizeof tables, TABLES "%s", private_addresses[_i]);
    app_start_handler(
        &app, &(struct app_options){.settings = (const char *const[]){account, tables, NULL},
                                    .env = (const char *const[]){"PATH=/nowhere", NULL}});
    wait_for_log("listens on");
    stop_handler();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tls");
    TCase *tcase = tcase_create("tls");
    tcase_add_unchecked_fixture(tcase, make_certificates, remove_certificates);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, a_server_in_order_is_sent_requests);
    tcase_add_loop_test(tcase, a_server_with_a_fault_is_sent_nothing_and_the_log_says_why, 0,
                        sizeof faults / sizeof *faults);
    tcase_add_test(tcase, a_private_authority_is_trusted_only_where_it_is_named);
    tcase_add_test(tcase, nothing_turns_verification_off);
    tcase_add_test(tcase, a_token_endpoint_with_a_fault_is_not_sent_the_secret);
    tcase_add_loop_test(tcase, secrets_are_not_sent_in_the_clear_to_another_machine, 0,
                        sizeof open_addresses / sizeof *open_addresses);
    tcase_add_loop_test(tcase, this_machine_may_be_spoken_to_in_the_clear, 0,
                        sizeof private_addresses / sizeof *private_addresses);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
