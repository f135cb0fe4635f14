/*
 * Every row of the settings table: its default, values that it accepts, values that it refuses.
 */
#include "settings/setting_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lease/lease_options.h"
#include "support/fakes/settings_loader.h"
#include "support/processes/check_main.h"

static struct settings_loader loader;

static void set_up(void) {
    settings_loader_set_up(&loader);
}

static void tear_down(void) {
    settings_loader_tear_down(&loader);
}

#define load_ok(...) settings_loader_expect_ok(&loader, ENVIRONMENT(__VA_ARGS__))
#define assert_refused(line, ...) \
    settings_loader_expect_refusal(&loader, line, ENVIRONMENT(__VA_ARGS__))

enum kind { INT, INT64, BOOL, DOUBLE, CHARS, STRING };

/* The field of a setting, its default as text, and what its message says is allowed. */
static const struct field {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *usual;
    const char *allowed;
} fields[] = {
#define FIELD(name, kind, member, usual, allowed) \
    { name, kind, offsetof(struct app_settings, member), usual, allowed }
#define WAIT_ALLOWED "a time span from 00:00:00.001 to 00:01:00"
    FIELD("FUNCTIONS_CUSTOMHANDLER_PORT", INT, port, "8080", "a whole number from 1 to 65535"),
    FIELD("AzureFunctionsJobHost:extensions:http:routePrefix", CHARS, route_prefix, "api",
          "up to 127 of A-Z a-z 0-9 . _ ~ - / (host.json's extensions.http.routePrefix)"),
    FIELD("Logging:LogLevel:Default", INT, log_level, "2",
          "a level of .NET's logging, by name or by number: from 0 or Trace to 5 or Critical, 6 or "
          "None"),
    FIELD("DistributedLeasing:StorageAccountUri", CHARS, account.blob_endpoint,
          "http://127.0.0.1:10000/devstoreaccount1",
          ADDRESS_ALLOWED "https://ACCOUNT.blob.core.windows.net"),
    FIELD("DistributedLeasing:UseManagedIdentity", BOOL, uses_tokens, "false", "true or false"),
    FIELD("DistributedLeasing:Authentication:Mode", INT, authentication.mode, "0",
          "Auto, ManagedIdentity, WorkloadIdentity, FederatedCredential, ServicePrincipal, "
          "Development"),
    FIELD(IDENTITY "ClientId", STRING, authentication.managed_identity_client_id, NULL,
          TEXT_ALLOWED),
    FIELD(WORKLOAD "TenantId", STRING, authentication.workload_tenant_id, NULL, TEXT_ALLOWED),
    FIELD(WORKLOAD "ClientId", STRING, authentication.workload_client_id, NULL, TEXT_ALLOWED),
    FIELD(WORKLOAD "TokenFilePath", STRING, authentication.workload_token_file_path, NULL,
          TEXT_ALLOWED),
    FIELD(PRINCIPAL "TenantId", STRING, authentication.principal_tenant_id, NULL, TEXT_ALLOWED),
    FIELD(PRINCIPAL "ClientId", STRING, authentication.principal_client_id, NULL, TEXT_ALLOWED),
    FIELD(PRINCIPAL "ClientSecret", STRING, authentication.principal_client_secret, NULL,
          TEXT_ALLOWED),
    FIELD(PRINCIPAL "CertificatePath", STRING, authentication.principal_certificate_path, NULL,
          TEXT_ALLOWED),
    FIELD("AZURE_CLIENT_ID", STRING, authentication.azure_client_id, NULL, TEXT_ALLOWED),
    FIELD("AZURE_AUTHORITY_HOST", CHARS, authentication.authority,
          "https://login.microsoftonline.com", ADDRESS_ALLOWED "https://login.microsoftonline.com"),
    FIELD("AZURE_POD_IDENTITY_AUTHORITY_HOST", CHARS, authentication.imds_host,
          "http://169.254.169.254",
          "an http or https address without a query, like http://169.254.169.254"),
    FIELD("IDENTITY_ENDPOINT", STRING, authentication.identity_endpoint, NULL, TEXT_ALLOWED),
    FIELD("IDENTITY_HEADER", STRING, authentication.identity_header, NULL, TEXT_ALLOWED),
    FIELD("SSL_CERT_FILE", STRING, ca_file, NULL,
          "a file that can be read, with certificates in PEM form"),
    FIELD(
        "DistributedLeasing:ContainerName", STRING, lease.container, "leases",
        "3 to 63 lower-case letters, digits and single hyphens, a letter or digit first and last"),
    FIELD("DistributedLeasing:CreateContainerIfNotExists", BOOL, lease.create_container, "true",
          "true or false"),
    FIELD("DistributedLeasing:BlobPrefix", STRING, lease.blob_prefix, "lease-",
          "up to 100 of A-Z a-z 0-9 . _ ~ - /, no part in front of a slash empty or ending with a "
          "dot"),
    FIELD("DistributedLeasing:AutoRenew", BOOL, lease.auto_renew, "true", "true or false"),
    FIELD("DistributedLeasing:DefaultLeaseDuration", INT, lease.duration_s, "30",
          "whole seconds from 00:00:15 to 00:01:00, or Infinite"),
    FIELD("DistributedLeasing:AutoRenewInterval", INT64, lease.renew_interval_ms, "-1",
          "a time span from 00:00:00.001, below the safety threshold"),
    FIELD("DistributedLeasing:AutoRenewMaxRetries", INT, lease.renew_max_retries, "3",
          "a whole number from 0 to 100"),
    FIELD("DistributedLeasing:AutoRenewRetryInterval", INT64, lease.renew_retry_ms, "1000",
          WAIT_ALLOWED),
    FIELD("DistributedLeasing:AutoRenewSafetyThreshold", DOUBLE, lease.safety_threshold, "0.9",
          "a decimal number from 0.5 to 0.95"),
    FIELD("DistributedLeasing:AcquireTimeout", INT64, lease.acquire_timeout_ms, "10000",
          "a time span from 00:00:00 to 00:10:00"),
    FIELD("DistributedLeasing:AcquireRetryInterval", INT64, lease.acquire_retry_ms, "50",
          WAIT_ALLOWED),
    FIELD("Inventory:Store", INT, store_kind, "0", "Table, Memory"),
    FIELD("Inventory:TableServiceUri", CHARS, account.table_endpoint,
          "http://127.0.0.1:10002/devstoreaccount1",
          ADDRESS_ALLOWED "https://ACCOUNT.table.core.windows.net"),
    FIELD("Inventory:TableName", CHARS, table_name, "inventory",
          "3 to 63 letters and digits, a letter first, not \"tables\""),
    FIELD("Inventory:ReservationLifetime", INT64, inventory.reservation_lifetime_ms, "1800000",
          "a time span from 00:00:00.001 to 3650.00:00:00"),
    FIELD("Inventory:MaxReservationLifetime", INT64, inventory.max_reservation_lifetime_ms,
          "86400000", "a time span from 00:00:01 to 3650.00:00:00, not below ReservationLifetime"),
    FIELD(
        "Inventory:SeedProducts", INT64, inventory.seed_count, "0",
        "ID=N;ID=N with different IDs (1 to 128 of A-Z a-z 0-9 . _ ~ -, no dot at the end, and not "
        "reconciliation-job) and N from 0 to 1000000000"),
    FIELD("Inventory:ProcessingTime", INT64, inventory.processing_time_ms, "0",
          "a time span from 00:00:00 to 01:00:00"),
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

static const struct field *field_of(const char *name) {
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    ck_abort_msg("no field for %s", name);
    return NULL;
}

static void assert_field(const struct field *field, const char *expected) {
    const void *at = (const char *)&loader.settings + field->offset;
    char text[600];
    const char *shown = text;
    if (field->kind == INT) {
        snprintf(text, sizeof text, "%d", *(const int *)at);
    } else if (field->kind == INT64) {
        snprintf(text, sizeof text, "%" PRId64, *(const int64_t *)at);
    } else if (field->kind == BOOL) {
        snprintf(text, sizeof text, "%s", *(const bool *)at ? "true" : "false");
    } else if (field->kind == DOUBLE) {
        snprintf(text, sizeof text, "%g", *(const double *)at);
    } else if (field->kind == CHARS) {
        snprintf(text, sizeof text, "%s", (const char *)at);
    } else {
        shown = *(char *const *)at;
    }
    ck_assert_pstr_eq(shown, expected);
}

START_TEST(a_setting_has_its_default_when_it_is_absent_and_when_it_is_empty) {
    const struct field *field = &fields[_i];
    load_ok(SIGN_IN);
    assert_field(field, field->usual);
    char entry[200];
    snprintf(entry, sizeof entry, "%s=", field->name);
    load_ok(SIGN_IN, entry);
    bool may_be_empty = strstr(field->name, "Prefix") != NULL;
    assert_field(field, may_be_empty ? "" : field->usual);
}
END_TEST

#define ADDRESS "DistributedLeasing:Endpoint=https://x.blob.core.windows.net"
#define MODE "DistributedLeasing:Authentication:Mode="

/*
 * The settings that must be given so that a setting is used. They are in lower case: of two equal
 * names the one that sorts first wins, and that is the one under test.
 */
static const struct context {
    const char *start; /* of the names that it is for */
    const char *beside[8];
} contexts[] = {
    {MODE,
     {ADDRESS, "azure_tenant_id=t", "azure_client_id=c", "azure_client_secret=s",
      "azure_federated_token_file=/f"}},
    {IDENTITY, {ADDRESS, MODE "ManagedIdentity"}},
    {WORKLOAD,
     {ADDRESS, MODE "WorkloadIdentity", "azure_tenant_id=t", "azure_client_id=c",
      "azure_federated_token_file=/f"}},
    {PRINCIPAL "Certificate",
     {ADDRESS, MODE "ServicePrincipal", "azure_tenant_id=t", "azure_client_id=c"}},
    {PRINCIPAL,
     {ADDRESS, MODE "ServicePrincipal", "azure_tenant_id=t", "azure_client_id=c",
      "azure_client_secret=s"}},
    {"AZURE_CLIENT_ID", {ADDRESS}},
    {"AZURE_AUTHORITY_HOST",
     {ADDRESS, "azure_tenant_id=t", "azure_client_id=c", "azure_client_secret=s"}},
    {"AZURE_POD_IDENTITY", {ADDRESS}},
    {"IDENTITY_ENDPOINT", {ADDRESS, "identity_header=h"}},
    {"IDENTITY_HEADER", {ADDRESS, "identity_endpoint=http://localhost"}},
    {"SSL_CERT_FILE", {ADDRESS}},
    {"DistributedLeasing:StorageAccountUri", {SIGN_IN}},
    {"", {SIGN_IN, ADDRESS}}, /* tokens need an address */
};

/* Loads with `entry`, "NAME=value", and the settings that it needs. */
static enum status load_entry(const char *entry) {
    const struct context *context = contexts;
    while (strncmp(entry, context->start, strlen(context->start)) != 0) {
        context++;
    }
    const char *environment[10] = {entry};
    for (size_t i = 0; context->beside[i] != NULL; i++) {
        environment[i + 1] = context->beside[i];
    }
    return settings_loader_load(&loader, environment);
}

static const struct example {
    const char *name;
    const char *value;
    const char *expected;
} good[] = {
    {"FUNCTIONS_CUSTOMHANDLER_PORT", "1", "1"},
    {"FUNCTIONS_CUSTOMHANDLER_PORT", "65535", "65535"},
    {"AzureFunctionsJobHost:extensions:http:routePrefix", "/shop/v1/", "shop/v1"},
    {"AzureFunctionsJobHost:extensions:http:routePrefix", "//", ""},
    {"AzureFunctionsJobHost:extensions:http:routePrefix", X60 X60 "1234567", X60 X60 "1234567"},
    {"Logging:LogLevel:Default", "trace", "0"},
    {"Logging:LogLevel:Default", "None", "6"},
    {"Logging:LogLevel:Default", "0", "0"},
    {"Logging:LogLevel:Default", "3", "3"},
    {"Logging:LogLevel:Default", " 6\n", "6"},
    {"DistributedLeasing:StorageAccountUri", "https://a.blob.core.windows.net/",
     "https://a.blob.core.windows.net"},
    {"DistributedLeasing:StorageAccountUri", "http://localhost:10000/devstoreaccount1",
     "http://localhost:10000/devstoreaccount1"},
    {"DistributedLeasing:StorageAccountUri", "http://127.0.0.1", "http://127.0.0.1"},
    {"DistributedLeasing:StorageAccountUri", "http://[::1]:10000/dev", "http://[::1]:10000/dev"},
    {"DistributedLeasing:UseManagedIdentity", "TRUE", "true"},
    {"DistributedLeasing:UseManagedIdentity", "false", "false"},
    {"DistributedLeasing:Authentication:Mode", "auto", "0"},
    {"DistributedLeasing:Authentication:Mode", "ManagedIdentity", "1"},
    {"DistributedLeasing:Authentication:Mode", "WorkloadIdentity", "2"},
    {"DistributedLeasing:Authentication:Mode", "federatedcredential", "2"},
    {"DistributedLeasing:Authentication:Mode", "ServicePrincipal", "3"},
    {"DistributedLeasing:Authentication:Mode", "Development", "4"},
    {IDENTITY "ClientId", "id", "id"},
    {WORKLOAD "TenantId", "id", "id"},
    {WORKLOAD "ClientId", "id", "id"},
    {WORKLOAD "TokenFilePath", "/var/run/tökens/a b", "/var/run/tökens/a b"},
    {PRINCIPAL "TenantId", "id", "id"},
    {PRINCIPAL "ClientId", "id", "id"},
    {PRINCIPAL "ClientSecret", "s~e'c;r=e\"t", "s~e'c;r=e\"t"},
    {PRINCIPAL "CertificatePath", "/cert.pem", "/cert.pem"},
    {"AZURE_CLIENT_ID", "id", "id"},
    {"AZURE_AUTHORITY_HOST", "https://login.chinacloudapi.cn/", "https://login.chinacloudapi.cn"},
    {"AZURE_AUTHORITY_HOST", "http://127.3.2.1:8080", "http://127.3.2.1:8080"},
    {"AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://10.0.0.1:80/", "http://10.0.0.1:80"},
    {"IDENTITY_ENDPOINT", "http://169.254.129.2:8081/msi/token",
     "http://169.254.129.2:8081/msi/token"},
    {"IDENTITY_HEADER", "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a",
     "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a"},
    {"SSL_CERT_FILE", "/dev/null", "/dev/null"},
    {"DistributedLeasing:ContainerName", "abc", "abc"},
    {"DistributedLeasing:ContainerName", "1-b-3", "1-b-3"},
    {"DistributedLeasing:ContainerName", X60 "abc", X60 "abc"},
    {"DistributedLeasing:CreateContainerIfNotExists", "False", "false"},
    {"DistributedLeasing:BlobPrefix", "Shop.1/_~-", "Shop.1/_~-"},
    {"DistributedLeasing:BlobPrefix", "a/b/", "a/b/"},
    {"DistributedLeasing:BlobPrefix", "a/..", "a/.."}, /* a name follows: a/..inventory-A */
    {"DistributedLeasing:BlobPrefix", X60 X10 X10 X10 X10, X60 X10 X10 X10 X10},
    {"DistributedLeasing:AutoRenew", "false", "false"},
    {"DistributedLeasing:DefaultLeaseDuration", "00:00:15", "15"},
    {"DistributedLeasing:DefaultLeaseDuration", "00:01:00.000", "60"},
    {"DistributedLeasing:DefaultLeaseDuration", "infinite", "-1"},
    {"DistributedLeasing:AutoRenewInterval", "00:00:15", "15000"},
    {"DistributedLeasing:AutoRenewInterval", "00:00:00.0015", "1"},
    {"DistributedLeasing:AutoRenewInterval", "00:00:26.9999", "26999"},
    {"DistributedLeasing:AutoRenewMaxRetries", "0", "0"},
    {"DistributedLeasing:AutoRenewMaxRetries", "100", "100"},
    {"DistributedLeasing:AutoRenewRetryInterval", "00:00:00.001", "1"},
    {"DistributedLeasing:AutoRenewRetryInterval", "00:01:00", "60000"},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0.95", "0.95"},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0.5", "0.5"},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0.90000000000000000", "0.9"},
    {"DistributedLeasing:AcquireTimeout", "00:00:00", "0"},
    {"DistributedLeasing:AcquireTimeout", "00:10:00", "600000"},
    {"DistributedLeasing:AcquireRetryInterval", "00:00:00.001", "1"},
    {"DistributedLeasing:AcquireRetryInterval", "00:01:00", "60000"},
    {"Inventory:Store", "table", "0"},
    {"Inventory:Store", "MEMORY", "1"},
    {"Inventory:TableServiceUri", "https://a.table.core.windows.net",
     "https://a.table.core.windows.net"},
    {"Inventory:TableServiceUri", "HTTP://LOCALHOST/a", "HTTP://LOCALHOST/a"},
    {"Inventory:TableName", "a12", "a12"},
    {"Inventory:TableName", X60 "ABC", X60 "ABC"},
    {"Inventory:ReservationLifetime", "00:00:00.001", "1"},
    {"Inventory:ReservationLifetime", "3650.00:00:00", "315360000000"},
    {"Inventory:MaxReservationLifetime", "3650.00:00:00", "315360000000"},
    {"Inventory:SeedProducts", "A=1", "1"},
    {"Inventory:SeedProducts", " A = 0 ; ;a.~_-9= 1000000000 ;", "2"},
    {"Inventory:SeedProducts", ";", "0"},
    {"Inventory:ProcessingTime", "01:00:00", "3600000"},
    {"Inventory:ProcessingTime", "00:00:00.250", "250"},
};
enum { GOOD_COUNT = sizeof good / sizeof good[0] };

START_TEST(a_setting_takes_what_is_allowed) {
    char entry[400];
    snprintf(entry, sizeof entry, "%s=%s", good[_i].name, good[_i].value);
    ck_assert_msg(load_entry(entry) == STATUS_OK, "%s: %s", entry, loader.err.message);
    assert_field(field_of(good[_i].name), good[_i].expected);
}
END_TEST

/* `expected` is the value as the line shows it, or NULL if it is unchanged. */
static const struct example bad[] = {
    {"FUNCTIONS_CUSTOMHANDLER_PORT", "0", NULL},
    {"FUNCTIONS_CUSTOMHANDLER_PORT", "65536", NULL},
    {"FUNCTIONS_CUSTOMHANDLER_PORT", "+80", NULL},
    {"FUNCTIONS_CUSTOMHANDLER_PORT", "8 0", NULL},
    {"FUNCTIONS_CUSTOMHANDLER_PORT", "18446744073709551617", NULL},
    {"AzureFunctionsJobHost:extensions:http:routePrefix", "a b", NULL},
    {"AzureFunctionsJobHost:extensions:http:routePrefix", X60 X60 "12345678",
     X60 X10 X10 X10 X10 "..."},
    {"Logging:LogLevel:Default", "Verbose", NULL},
    {"Logging:LogLevel:Default", "7", NULL},
    {"Logging:LogLevel:Default", "-1", NULL},
    {"DistributedLeasing:StorageAccountUri", "shop", NULL},
    {"DistributedLeasing:StorageAccountUri", "ftp://a.blob.core.windows.net", NULL},
    {"DistributedLeasing:StorageAccountUri", "http://a.blob.core.windows.net", NULL},
    {"DistributedLeasing:StorageAccountUri", "http://localhost.example.com", NULL},
    {"DistributedLeasing:StorageAccountUri", "http://127.0.0.1.example.com", NULL},
    {"DistributedLeasing:StorageAccountUri", "https://a.blob.core.windows.net/?x=1", NULL},
    {"DistributedLeasing:StorageAccountUri", "https://", NULL},
    {"DistributedLeasing:UseManagedIdentity", "yes", NULL},
    {"DistributedLeasing:Authentication:Mode", "Key", NULL},
    {IDENTITY "ClientId", "a\tb", "a b"},
    {WORKLOAD "TenantId", "a\nb", "a b"},
    {WORKLOAD "ClientId", "\x7f", " "},
    {WORKLOAD "TokenFilePath", "not UTF-8: \xC0\xAF.", NULL},
    {PRINCIPAL "TenantId", "\x01", " "},
    {PRINCIPAL "ClientId", "\x1b[31m", " [31m"},
    {PRINCIPAL "CertificatePath", "a\rb", "a b"},
    {"AZURE_CLIENT_ID", "a\tb", "a b"},
    {"AZURE_AUTHORITY_HOST", "http://login.microsoftonline.com", NULL},
    {"AZURE_AUTHORITY_HOST", "http://localhost:x", NULL},
    {"AZURE_AUTHORITY_HOST", "login.microsoftonline.com", NULL},
    {"AZURE_POD_IDENTITY_AUTHORITY_HOST", "169.254.169.254", NULL},
    {"IDENTITY_ENDPOINT", "a\nb", "a b"},
    {"SSL_CERT_FILE", "/nowhere/ca.pem", NULL},
    {"DistributedLeasing:ContainerName", "ab", NULL},
    {"DistributedLeasing:ContainerName", X60 "abcd", NULL},
    {"DistributedLeasing:ContainerName", X60 X10 X10 X10 "123456789\u00E4x",
     X60 X10 X10 X10 "123456789..."},
    {"DistributedLeasing:ContainerName", "Leases", NULL},
    {"DistributedLeasing:ContainerName", "a--b", NULL},
    {"DistributedLeasing:ContainerName", "-ab", NULL},
    {"DistributedLeasing:ContainerName", "ab-", NULL},
    {"DistributedLeasing:ContainerName", "a_b", NULL},
    {"DistributedLeasing:CreateContainerIfNotExists", "1", NULL},
    {"DistributedLeasing:BlobPrefix", "a b", NULL},
    {"DistributedLeasing:BlobPrefix", "../other/", NULL},
    {"DistributedLeasing:BlobPrefix", "./", NULL},
    {"DistributedLeasing:BlobPrefix", "x./", NULL},
    {"DistributedLeasing:BlobPrefix", "a/../b-", NULL},
    {"DistributedLeasing:BlobPrefix", "a//b/", NULL},
    {"DistributedLeasing:BlobPrefix", "a//", NULL},
    {"DistributedLeasing:BlobPrefix", "/", NULL},
    {"DistributedLeasing:BlobPrefix", "/a", NULL},
    {"DistributedLeasing:BlobPrefix", "a%20b", NULL},
    {"DistributedLeasing:BlobPrefix", "ä", NULL},
    {"DistributedLeasing:BlobPrefix", X60 X10 X10 X10 X10 "y", X60 X10 X10 X10 X10 "..."},
    {"DistributedLeasing:AutoRenew", "on", NULL},
    {"DistributedLeasing:DefaultLeaseDuration", "00:00:14", NULL},
    {"DistributedLeasing:DefaultLeaseDuration", "00:01:01", NULL},
    {"DistributedLeasing:DefaultLeaseDuration", "00:00:30.5", NULL},
    {"DistributedLeasing:DefaultLeaseDuration", "30", NULL},
    {"DistributedLeasing:DefaultLeaseDuration", "-1", NULL},
    {"DistributedLeasing:AutoRenewInterval", "00:00:00", NULL},
    {"DistributedLeasing:AutoRenewInterval", "20", NULL},
    {"DistributedLeasing:AutoRenewMaxRetries", "101", NULL},
    {"DistributedLeasing:AutoRenewMaxRetries", "-1", NULL},
    {"DistributedLeasing:AutoRenewMaxRetries", "3.0", NULL},
    {"DistributedLeasing:AutoRenewRetryInterval", "00:00:00", NULL},
    {"DistributedLeasing:AutoRenewRetryInterval", "00:01:00.001", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0.49", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0.951", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0,9", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "NaN", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "inf", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0x0.Fp0", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "9e-1", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0.9.0", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", ".", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0 .9", NULL},
    {"DistributedLeasing:AutoRenewSafetyThreshold", "0.9000000000000000000", NULL},
    {"DistributedLeasing:AcquireTimeout", "00:10:00.001", NULL},
    {"DistributedLeasing:AcquireTimeout", "-00:00:01", NULL},
    {"DistributedLeasing:AcquireRetryInterval", "00:00:00.0009", NULL},
    {"DistributedLeasing:AcquireRetryInterval", "00:01:01", NULL},
    {"Inventory:Store", "Disk", NULL},
    {"Inventory:TableServiceUri", "http://a.table.core.windows.net", NULL},
    {"Inventory:TableName", "ab", NULL},
    {"Inventory:TableName", X60 "abcd", NULL},
    {"Inventory:TableName", "1ab", NULL},
    {"Inventory:TableName", "a-b", NULL},
    {"Inventory:TableName", "Tables", NULL},
    {"Inventory:ReservationLifetime", "00:00:00", NULL},
    {"Inventory:ReservationLifetime", "3650.00:00:00.001", NULL},
    {"Inventory:MaxReservationLifetime", "00:00:00.999", NULL},
    {"Inventory:MaxReservationLifetime", "3650.00:00:00.001", NULL},
    {"Inventory:SeedProducts", "A", NULL},
    {"Inventory:SeedProducts", "A=", NULL},
    {"Inventory:SeedProducts", "=1", NULL},
    {"Inventory:SeedProducts", "A=-1", NULL},
    {"Inventory:SeedProducts", "A=1000000001", NULL},
    {"Inventory:SeedProducts", "A=1=2", NULL},
    {"Inventory:SeedProducts", "A B=1", NULL},
    {"Inventory:SeedProducts", "A.=1", NULL},
    {"Inventory:SeedProducts", ".=1", NULL},
    {"Inventory:SeedProducts", "A=1;..=1", NULL},
    {"Inventory:SeedProducts", "reconciliation-job=1", NULL},
    {"Inventory:SeedProducts", "A=1;B=2;A=1", NULL},
    {"Inventory:ProcessingTime", "01:00:00.001", NULL},
    {"Inventory:ProcessingTime", "1s", NULL},
};
enum { BAD_COUNT = sizeof bad / sizeof bad[0] };

START_TEST(a_setting_refuses_what_is_not_allowed_and_says_what_is) {
    char entry[400], line[512];
    snprintf(entry, sizeof entry, "%s=%s", bad[_i].name, bad[_i].value);
    snprintf(line, sizeof line, "%s is '%s'; allowed: %s", bad[_i].name,
             bad[_i].expected != NULL ? bad[_i].expected : bad[_i].value,
             field_of(bad[_i].name)->allowed);
    ck_assert_int_eq(load_entry(entry), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(loader.err.message, line);
}
END_TEST

static bool is_among(const char *name, const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(examples[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

START_TEST(every_setting_is_tested_with_good_and_bad_values) {
    const char *name = fields[_i].name;
    ck_assert_msg(is_among(name, good, GOOD_COUNT), "%s", name);
    bool is_secret = strstr(name, "Secret") != NULL ||
                     strstr(name, "HEADER") != NULL; /* these have their own tests */
    ck_assert_msg(is_secret || is_among(name, bad, BAD_COUNT), "%s", name);
}
END_TEST

/* The rows that are read apart from the table have their own tests. */
START_TEST(every_row_is_tested_here_and_described) {
    size_t count = 0;
    for (const struct setting *row; (row = app_settings_row(count)) != NULL; count++) {
        ck_assert_msg(row->about != NULL && row->about[0] != '\0', "%s", row->name);
        ck_assert_msg(row->allowed != NULL && row->group < SETTING_GROUPS, "%s", row->name);
        ck_assert_msg(row->default_text == NULL || row->default_note == NULL, "%s", row->name);
        bool is_tested = row->parse == NULL; /* app_settings.c reads it apart */
        for (size_t i = 0; i < FIELD_COUNT && !is_tested; i++) {
            is_tested = strcmp(fields[i].name, row->name) == 0;
        }
        ck_assert_msg(is_tested, "%s", row->name);
    }
    ck_assert_uint_gt(count, FIELD_COUNT);
}
END_TEST

START_TEST(the_defaults_of_leases_are_the_librarys) {
    struct leasehold_options library = lease_options_default();
    load_ok(SIGN_IN);
    const struct leasehold_options *lease = &loader.settings.lease;
    ck_assert_str_eq(lease->container, library.container);
    ck_assert_str_eq(lease->blob_prefix, library.blob_prefix);
    ck_assert_int_eq(lease->create_container, library.create_container);
    ck_assert_int_eq(lease->auto_renew, library.auto_renew);
    ck_assert_int_eq(lease->duration_s, library.duration_s);
    ck_assert_int_eq(lease->renew_interval_ms, library.renew_interval_ms);
    ck_assert_int_eq(lease->renew_max_retries, library.renew_max_retries);
    ck_assert_int_eq(lease->renew_retry_ms, library.renew_retry_ms);
    ck_assert(lease->safety_threshold == library.safety_threshold);
    ck_assert_int_eq(lease->acquire_timeout_ms, library.acquire_timeout_ms);
    ck_assert_int_eq(lease->acquire_retry_ms, library.acquire_retry_ms);
    ck_assert_uint_eq(lease->metadata_count, library.metadata_count);
}
END_TEST

START_TEST(a_text_has_at_most_1024_characters) {
    char entry[1100], line[300];
    snprintf(entry, sizeof entry, "%s=%01022d\u00E4\u00E4", IDENTITY "ClientId", 0);
    load_ok(ADDRESS, entry);
    snprintf(entry, sizeof entry, "%s=%01025d", IDENTITY "ClientId", 0);
    snprintf(line, sizeof line, "%s is '%0100d...'; allowed: %s", IDENTITY "ClientId", 0,
             TEXT_ALLOWED);
    assert_refused(line, ADDRESS, entry);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("setting_rules");
    TCase *tests = tcase_create("setting_rules");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_setting_has_its_default_when_it_is_absent_and_when_it_is_empty, 0,
                        FIELD_COUNT);
    tcase_add_loop_test(tests, a_setting_takes_what_is_allowed, 0, GOOD_COUNT);
    tcase_add_loop_test(tests, a_setting_refuses_what_is_not_allowed_and_says_what_is, 0,
                        BAD_COUNT);
    tcase_add_loop_test(tests, every_setting_is_tested_with_good_and_bad_values, 0, FIELD_COUNT);
    tcase_add_test(tests, every_row_is_tested_here_and_described);
    tcase_add_test(tests, the_defaults_of_leases_are_the_librarys);
    tcase_add_test(tests, a_text_has_at_most_1024_characters);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
