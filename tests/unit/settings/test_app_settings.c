#include "settings/app_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lease/lease_options.h"
#include "support/fakes/settings_loader.h"
#include "support/processes/check_main.h"

#define KEY "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
#define ACCOUNT_SIGN_IN                                                    \
    "DistributedLeasing:ConnectionString=AccountName=shop;AccountKey=" KEY \
    ";EndpointSuffix=core.windows.net"

#define ADDRESS "DistributedLeasing:StorageAccountUri=https://shop.blob.core.windows.net"

static struct settings_loader loader;

static void set_up(void) {
    settings_loader_set_up(&loader);
}

static void tear_down(void) {
    settings_loader_tear_down(&loader);
}

#define load(...) settings_loader_load(&loader, ENVIRONMENT(__VA_ARGS__))
#define load_ok(...) settings_loader_expect_ok(&loader, ENVIRONMENT(__VA_ARGS__))
#define assert_refused(line, ...) \
    settings_loader_expect_refusal(&loader, line, ENVIRONMENT(__VA_ARGS__))

/* ---- secrets ---- */

START_TEST(a_client_secret_is_never_shown) {
    assert_refused(
        PRINCIPAL "ClientSecret has a value that is not shown here; allowed: " TEXT_ALLOWED,
        ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", PRINCIPAL "ClientSecret=hunt\ner2");
}
END_TEST

START_TEST(a_connection_string_is_never_shown) {
    ck_assert_int_eq(
        load("DistributedLeasing:ConnectionString=AccountName=shop;AccountKey=" KEY "!"),
        STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(
        loader.err.message,
        "DistributedLeasing:ConnectionString: AccountKey is not a key in base64; allowed: "
        "an Azure Storage connection string or UseDevelopmentStorage=true");
}
END_TEST

START_TEST(a_secret_in_the_wrong_place_is_not_shown) {
    static const char *const values[] = {
        "https://me:hunter2@a.blob.core.windows.net",
        "AccountName=a;accountkey=hunter2",
        "SharedAccessSignature=hunter2",
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC3hunter2=",
        "abc8Q~hunter2hunter2hunter2hunter2hunter2",
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char entry[200];
        snprintf(entry, sizeof entry, "DistributedLeasing__Endpoint=%s", values[i]);
        assert_refused("DistributedLeasing__Endpoint has a value that is not shown here; "
                       "allowed: " ADDRESS_ALLOWED "https://ACCOUNT.blob.core.windows.net",
                       SIGN_IN, entry);
        snprintf(entry, sizeof entry, "DistributedLeasing__ContainerName=%s", values[i]);
        ck_assert_int_eq(load(SIGN_IN, entry), STATUS_INVALID_ARGUMENT);
        ck_assert_ptr_null(strstr(loader.err.message, "hunter2"));
    }
}
END_TEST

/* The host would show the line as a Warning. */
START_TEST(no_line_of_an_error_holds_the_word_that_makes_it_less) {
    static const char *const entries[] = {
        "Logging:LogLevel:Default=Bogus",
        "Logging:LogLevel:Default=Warn",
        "Logging:LogLevel:Default=WARNINGS",
        "DistributedLeasing:ContainerName=Stock-Warnings",
        "DistributedLeasing:Metadata:a=warn\xc3\xbc",
    };
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        ck_assert_int_eq(load(SIGN_IN, entries[i]), STATUS_INVALID_ARGUMENT);
        ck_assert_msg(strcasestr(loader.err.message, "warn") == NULL, "%s", loader.err.message);
    }
}
END_TEST

/* ---- signing in and endpoints ---- */

#define NOT_SIGNED_IN                                                                              \
    "DistributedLeasing:ConnectionString is not set; allowed: an Azure Storage connection string " \
    "or "                                                                                          \
    "UseDevelopmentStorage=true"
#define OR_AN_ADDRESS ", or DistributedLeasing:StorageAccountUri to sign in without a key"
#define WITH_TOKENS "DistributedLeasing:UseManagedIdentity=true"
#define MODE "DistributedLeasing:Authentication:Mode="

START_TEST(without_a_connection_string_and_an_address_nothing_loads) {
    assert_refused(NOT_SIGNED_IN OR_AN_ADDRESS, "A=B");
    assert_refused(NOT_SIGNED_IN OR_AN_ADDRESS, "DistributedLeasing:ConnectionString=");
}
END_TEST

static void assert_signs_in_with_tokens(const char *blob_endpoint, const char *table_endpoint) {
    ck_assert(loader.settings.uses_tokens);
    ck_assert_uint_eq(loader.settings.account.key_length, 0);
    ck_assert_str_eq(loader.settings.account.sas, "");
    ck_assert_str_eq(loader.settings.account.blob_endpoint, blob_endpoint);
    ck_assert_str_eq(loader.settings.account.table_endpoint, table_endpoint);
}

START_TEST(an_address_alone_signs_in_with_tokens) {
    load_ok(ADDRESS);
    assert_signs_in_with_tokens("https://shop.blob.core.windows.net",
                                "https://shop.table.core.windows.net");
    ck_assert_int_eq(loader.settings.authentication.mode, SIGN_IN_AUTO);
    load_ok("DistributedLeasing__Endpoint=https://127.0.0.1:10000/devstoreaccount1",
            "Inventory__TableServiceUri=https://127.0.0.1:10002/devstoreaccount1");
    assert_signs_in_with_tokens("https://127.0.0.1:10000/devstoreaccount1",
                                "https://127.0.0.1:10002/devstoreaccount1");
    assert_refused(NOT_SIGNED_IN ", since DistributedLeasing:UseManagedIdentity is false", ADDRESS,
                   "DistributedLeasing:UseManagedIdentity=false");
}
END_TEST

START_TEST(a_connection_string_signs_in_beside_an_address_unless_tokens_are_asked_for) {
    load_ok(ACCOUNT_SIGN_IN,
            "DistributedLeasing:StorageAccountUri=https://other.blob.core.windows.net");
    ck_assert(!loader.settings.uses_tokens);
    ck_assert_uint_gt(loader.settings.account.key_length, 0);
    load_ok(ACCOUNT_SIGN_IN,
            "DistributedLeasing:StorageAccountUri=https://other.blob.core.windows.net",
            WITH_TOKENS);
    assert_signs_in_with_tokens("https://other.blob.core.windows.net",
                                "https://other.table.core.windows.net");
    assert_refused("DistributedLeasing:StorageAccountUri is not set, and "
                   "DistributedLeasing:UseManagedIdentity=true "
                   "needs it; allowed: " ADDRESS_ALLOWED "https://ACCOUNT.blob.core.windows.net",
                   ACCOUNT_SIGN_IN, WITH_TOKENS);
}
END_TEST

START_TEST(a_key_is_not_sent_over_http_to_another_machine) {
    ck_assert_int_eq(load(ACCOUNT_SIGN_IN ";DefaultEndpointsProtocol=http"),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(loader.err.message, "DistributedLeasing:ConnectionString: it would sign in to "
                                         "http://shop.blob.core.windows.net over "
                                         "http; http is for localhost, 127.0.0.0/8 and [::1] "
                                         "alone; allowed: an Azure Storage connection "
                                         "string or UseDevelopmentStorage=true");
}
END_TEST

#define NEEDED_BY(mode) \
    " is not set; allowed: a text, which DistributedLeasing:Authentication:Mode=" mode " needs"

START_TEST(a_mode_chosen_by_name_must_have_all_that_it_needs) {
    static const char workload[] = MODE "WorkloadIdentity", principal[] = MODE "ServicePrincipal";
    assert_refused(WORKLOAD "TenantId (or AZURE_TENANT_ID)" NEEDED_BY("WorkloadIdentity"), ADDRESS,
                   workload);
    assert_refused(WORKLOAD "ClientId (or AZURE_CLIENT_ID)" NEEDED_BY("WorkloadIdentity"), ADDRESS,
                   workload, "AZURE_TENANT_ID=t");
    assert_refused(WORKLOAD
                   "TokenFilePath (or AZURE_FEDERATED_TOKEN_FILE)" NEEDED_BY("WorkloadIdentity"),
                   ADDRESS, workload, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c");
    load_ok(ADDRESS, workload, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c",
            "AZURE_FEDERATED_TOKEN_FILE=/f");
    assert_refused(PRINCIPAL "TenantId (or AZURE_TENANT_ID)" NEEDED_BY("ServicePrincipal"), ADDRESS,
                   principal);
    assert_refused(PRINCIPAL "ClientId (or AZURE_CLIENT_ID)" NEEDED_BY("ServicePrincipal"), ADDRESS,
                   principal, PRINCIPAL "TenantId=t");
    assert_refused(PRINCIPAL "ClientSecret (or AZURE_CLIENT_SECRET) or CertificatePath (or "
                             "AZURE_CLIENT_CERTIFICATE_PATH)" NEEDED_BY("ServicePrincipal"),
                   ADDRESS, principal, PRINCIPAL "TenantId=t", PRINCIPAL "ClientId=c");
    load_ok(ADDRESS, principal, PRINCIPAL "TenantId=t", PRINCIPAL "ClientId=c",
            PRINCIPAL "ClientSecret=s");
    load_ok(ADDRESS, principal, PRINCIPAL "TenantId=t", PRINCIPAL "ClientId=c",
            PRINCIPAL "CertificatePath=/p");
    load_ok(ADDRESS, MODE "ManagedIdentity");
    load_ok(ADDRESS, MODE "Development");
    load_ok(SIGN_IN, workload); /* the connection string signs in, so the mode does not matter */
}
END_TEST

START_TEST(the_connection_string_signs_in_and_gives_the_endpoints) {
    load_ok(ACCOUNT_SIGN_IN);
    ck_assert_str_eq(loader.settings.account.name, "shop");
    ck_assert_uint_eq(loader.settings.account.key_length, strlen("secret-secret-secret"));
    ck_assert_str_eq(loader.settings.account.blob_endpoint, "https://shop.blob.core.windows.net");
    ck_assert_str_eq(loader.settings.account.table_endpoint, "https://shop.table.core.windows.net");
}
END_TEST

START_TEST(an_address_replaces_the_endpoints_of_the_connection_string) {
    load_ok(ACCOUNT_SIGN_IN, "DistributedLeasing:Endpoint=https://shop.blob.storage.azure.net/");
    ck_assert_str_eq(loader.settings.account.name, "shop");
    ck_assert_str_eq(loader.settings.account.blob_endpoint, "https://shop.blob.storage.azure.net");
    ck_assert_str_eq(loader.settings.account.table_endpoint,
                     "https://shop.table.storage.azure.net");
}
END_TEST

START_TEST(an_address_that_does_not_tell_the_table_endpoint_leaves_it) {
    load_ok(ACCOUNT_SIGN_IN,
            "DistributedLeasing:StorageAccountUri=https://proxy.example.com/a.blob.b");
    ck_assert_str_eq(loader.settings.account.blob_endpoint, "https://proxy.example.com/a.blob.b");
    ck_assert_str_eq(loader.settings.account.table_endpoint, "https://shop.table.core.windows.net");
}
END_TEST

START_TEST(a_table_address_wins_over_the_one_that_follows_from_the_blobs) {
    load_ok(ACCOUNT_SIGN_IN,
            "DistributedLeasing:StorageAccountUri=https://other.blob.core.windows.net",
            "Inventory:TableServiceUri=https://tables.example.com");
    ck_assert_str_eq(loader.settings.account.blob_endpoint, "https://other.blob.core.windows.net");
    ck_assert_str_eq(loader.settings.account.table_endpoint, "https://tables.example.com");
}
END_TEST

START_TEST(a_table_store_needs_a_table_endpoint) {
    static const char sas[] = "DistributedLeasing:ConnectionString=BlobEndpoint=https://"
                              "proxy.example.com;SharedAccessSignature=sv=1&sig=2";
    assert_refused("Inventory:TableServiceUri is not set, and it does not follow from the blob "
                   "endpoint https://proxy.example.com; "
                   "allowed: " ADDRESS_ALLOWED "https://ACCOUNT.table.core.windows.net",
                   sas);
    load_ok(sas, "Inventory:Store=Memory");
    load_ok(sas, "Inventory:TableServiceUri=https://tables.example.com");
    ck_assert_str_eq(loader.settings.account.table_endpoint, "https://tables.example.com");
}
END_TEST

START_TEST(an_address_is_taken_only_as_long_as_its_table_address_fits) {
    static const char start[] = "https://a.blob."; /* a long host name follows */
    for (int length = 510; length <= 511; length++) {
        char entry[1024];
        snprintf(entry, sizeof entry, "DistributedLeasing:StorageAccountUri=%s%0*d", start,
                 length - (int)strlen(start), 0);
        ck_assert_int_eq(load(SIGN_IN, entry), length == 510 ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        ck_assert_uint_eq(strlen(loader.settings.account.table_endpoint), length == 510 ? 511 : 0);
    }
}
END_TEST

/* ---- renewal ---- */

static const struct renewal {
    const char *duration;
    const char *threshold;
    const char *interval; /* "": the default */
    int64_t after_ms;     /* a lease of 60 s is renewed */
    const char *limit;
} renewals[] = {
    {"00:00:30", "0.9", "", 40000, NULL},
    {"00:01:00", "0.9", "00:00:40", 40000, NULL},
    {"00:00:30", "0.9", "00:00:26.999", 53998, NULL},
    {"00:00:30", "0.9", "00:00:27", 0, "00:00:27.000"},
    {"00:00:31", "0.95", "00:00:31", 0, "00:00:29.450"},
    {"00:00:30", "0.67", "", 40000, NULL},
    {"00:00:30", "0.66", "", 29700, NULL},
    {"00:00:30", "0.5", "", 22500, NULL},
    {"00:00:30", "0.5", "00:00:15", 0, "00:00:15.000"},
    {"Infinite", "0.9", "", 40000, NULL},
    {"Infinite", "0.9", "10.00:00:00", 40000, NULL},
    {"Infinite", "0.5", "00:00:01", 22500, NULL},
};
enum { RENEWAL_COUNT = sizeof renewals / sizeof renewals[0] };

START_TEST(only_an_interval_that_is_set_can_be_at_odds_with_the_threshold) {
    const struct renewal *renewal = &renewals[_i];
    char duration[80], threshold[80], interval[80], line[300];
    snprintf(duration, sizeof duration, "DistributedLeasing:DefaultLeaseDuration=%s",
             renewal->duration);
    snprintf(threshold, sizeof threshold, "DistributedLeasing:AutoRenewSafetyThreshold=%s",
             renewal->threshold);
    snprintf(interval, sizeof interval, "DistributedLeasing:AutoRenewInterval=%s",
             renewal->interval);
    if (renewal->limit == NULL) {
        load_ok(SIGN_IN, duration, threshold, interval);
        ck_assert_int_eq(lease_options_renew_after_ms(&loader.settings.lease, 60),
                         renewal->after_ms);
    } else {
        snprintf(line, sizeof line,
                 "DistributedLeasing:AutoRenewInterval is '%s'; allowed: a time span from "
                 "00:00:00.001, below %s "
                 "(AutoRenewSafetyThreshold of DefaultLeaseDuration)",
                 renewal->interval, renewal->limit);
        assert_refused(line, SIGN_IN, duration, threshold, interval);
    }
}
END_TEST

START_TEST(a_limit_of_lifetimes_is_not_below_the_usual_one) {
    load_ok(SIGN_IN, "Inventory:ReservationLifetime=2.00:00:00",
            "Inventory:MaxReservationLifetime=2.00:00:00");
    ck_assert_int_eq(loader.settings.inventory.max_reservation_lifetime_ms, 2 * 86400000);
    assert_refused("Inventory:MaxReservationLifetime is '00:29:59'; allowed: a time span from "
                   "00:30:00.0000000 (ReservationLifetime) to 3650.00:00:00",
                   SIGN_IN, "Inventory:MaxReservationLifetime=00:29:59");
    assert_refused("Inventory:MaxReservationLifetime is '1.00:00:00'; allowed: a time span from "
                   "1.00:00:00.0010000 (ReservationLifetime) to 3650.00:00:00",
                   SIGN_IN, "Inventory:ReservationLifetime=1.00:00:00.001",
                   "Inventory:MaxReservationLifetime=1.00:00:00");
}
END_TEST

/* As before there was a limit. */
START_TEST(a_lifetime_above_the_standard_limit_is_the_limit_unless_one_is_set) {
    load_ok(SIGN_IN, "Inventory:ReservationLifetime=3.00:00:00");
    ck_assert_int_eq(loader.settings.inventory.reservation_lifetime_ms, 3 * 86400000);
    ck_assert_int_eq(loader.settings.inventory.max_reservation_lifetime_ms, 3 * 86400000);
    load_ok(SIGN_IN, "Inventory:ReservationLifetime=00:01:00");
    ck_assert_int_eq(loader.settings.inventory.max_reservation_lifetime_ms, 86400000);
}
END_TEST

/* ---- names and places ---- */

START_TEST(aliases_are_read_and_the_setting_itself_wins) {
    load_ok(SIGN_IN, "DistributedLeasing:KeyPrefix=alias-");
    ck_assert_str_eq(loader.settings.lease.blob_prefix, "alias-");
    load_ok(SIGN_IN, "DistributedLeasing:KeyPrefix=alias-", "DistributedLeasing:BlobPrefix=main-");
    ck_assert_str_eq(loader.settings.lease.blob_prefix, "main-");
    load_ok(SIGN_IN, "DistributedLeasing:Endpoint=https://alias",
            "DistributedLeasing:StorageAccountUri=https://main");
    ck_assert_str_eq(loader.settings.account.blob_endpoint, "https://main");
    load_ok(SIGN_IN, "DistributedLeasing:Endpoint=https://alias",
            "DistributedLeasing:StorageAccountUri=");
    ck_assert_str_eq(loader.settings.account.blob_endpoint, "https://alias");
}
END_TEST

START_TEST(workload_identity_falls_back_to_the_variables_of_azure) {
    load_ok(ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", "AZURE_FEDERATED_TOKEN_FILE=/f");
    ck_assert_str_eq(loader.settings.authentication.workload_tenant_id, "t");
    ck_assert_str_eq(loader.settings.authentication.workload_client_id, "c");
    ck_assert_str_eq(loader.settings.authentication.workload_token_file_path, "/f");
    ck_assert_ptr_null(loader.settings.authentication.managed_identity_client_id);
    ck_assert_ptr_null(loader.settings.authentication.principal_client_secret);
    load_ok(ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", "AZURE_FEDERATED_TOKEN_FILE=/f",
            WORKLOAD "TenantId=main");
    ck_assert_str_eq(loader.settings.authentication.workload_tenant_id, "main");
}
END_TEST

START_TEST(a_service_principal_falls_back_to_the_variables_of_azure) {
    load_ok(ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", "AZURE_CLIENT_SECRET=s",
            PRINCIPAL "ClientId=main");
    ck_assert_str_eq(loader.settings.authentication.principal_tenant_id, "t");
    ck_assert_str_eq(loader.settings.authentication.principal_client_id, "main");
    ck_assert_str_eq(loader.settings.authentication.principal_client_secret, "s");
    ck_assert_str_eq(loader.settings.authentication.azure_client_id, "c");
    load_ok(ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", "AZURE_CLIENT_CERTIFICATE_PATH=/p");
    ck_assert_str_eq(loader.settings.authentication.principal_certificate_path, "/p");
}
END_TEST

START_TEST(the_secrets_of_azures_variables_are_never_shown) {
    assert_refused("AZURE_CLIENT_SECRET has a value that is not shown here; allowed: " TEXT_ALLOWED,
                   ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c",
                   "AZURE_CLIENT_SECRET=hunt\ter2");
    assert_refused("IDENTITY_HEADER has a value that is not shown here; allowed: " TEXT_ALLOWED,
                   ADDRESS, "IDENTITY_ENDPOINT=http://localhost", "IDENTITY_HEADER=hunt\ter2");
}
END_TEST

START_TEST(a_refusal_has_the_name_as_the_user_wrote_it) {
    static const char rest[] = " is '?'; allowed: up to 100 of A-Z a-z 0-9 . _ ~ - /"
                               ", no part in front of a slash empty or ending with a dot";
    char line[200];
    snprintf(line, sizeof line, "distributedleasing__BLOBPREFIX%s", rest);
    assert_refused(line, SIGN_IN, "distributedleasing__BLOBPREFIX=?");
    snprintf(line, sizeof line, "DistributedLeasing:KeyPrefix%s", rest);
    assert_refused(line, SIGN_IN, "DistributedLeasing:KeyPrefix=?");
    temp_folder_write(&loader.folder, "appsettings.json",
                      "{\"distributedLeasing\":{\"keyPrefix\":\"?\"}}");
    snprintf(line, sizeof line, "distributedLeasing:keyPrefix%s", rest);
    assert_refused(line, SIGN_IN);
    temp_folder_write(&loader.folder, "appsettings.json", "{}");
    assert_refused("distributedLeasing__connectionString: AccountName is missing; allowed: an "
                   "Azure Storage connection "
                   "string or UseDevelopmentStorage=true",
                   "distributedLeasing__connectionString=AccountKey=" KEY);
    assert_refused("DISTRIBUTEDLEASING__AUTORENEWINTERVAL is '00:00:30'; allowed: a time span from "
                   "00:00:00.001, below "
                   "00:00:27.000 (AutoRenewSafetyThreshold of DefaultLeaseDuration)",
                   SIGN_IN, "DISTRIBUTEDLEASING__AUTORENEWINTERVAL=00:00:30");
}
END_TEST

START_TEST(underscores_win_for_a_setting_and_for_its_alias) {
    load_ok(SIGN_IN, "DistributedLeasing:BlobPrefix=x", "DistributedLeasing__BlobPrefix=winner");
    ck_assert_str_eq(loader.settings.lease.blob_prefix, "winner");
    load_ok(SIGN_IN, "DistributedLeasing:KeyPrefix=x", "DistributedLeasing__KeyPrefix=winner");
    ck_assert_str_eq(loader.settings.lease.blob_prefix, "winner");
    load_ok(SIGN_IN, "DistributedLeasing__KeyPrefix=x", "DistributedLeasing:BlobPrefix=winner");
    ck_assert_str_eq(loader.settings.lease.blob_prefix,
                     "winner"); /* the setting wins over its alias */
    load_ok(SIGN_IN, "DistributedLeasing:Metadata:a=x", "DistributedLeasing__Metadata__A=winner");
    ck_assert_uint_eq(loader.settings.lease.metadata_count, 1);
    ck_assert_str_eq(loader.settings.lease.metadata[0].value, "winner");
}
END_TEST

/* ---- what is not used ---- */

static const char *const unused[][3] = {
    {SIGN_IN, "AZURE_CLIENT_SECRET=a\nb"},
    {SIGN_IN, PRINCIPAL "ClientSecret=@Microsoft.KeyVault(SecretUri=https://v/s)"},
    {SIGN_IN, "AZURE_CLIENT_SECRET=@Microsoft.KeyVault(SecretUri=https://v/s)"},
    {SIGN_IN, "AZURE_TENANT_ID=\x01", "AZURE_CLIENT_ID=\x01"},
    {SIGN_IN, MODE "Key"},
    {SIGN_IN, IDENTITY "ClientId=a\nb"},
    {SIGN_IN, "AZURE_AUTHORITY_HOST=login"},
    {SIGN_IN, "AZURE_POD_IDENTITY_AUTHORITY_HOST=imds"},
    {SIGN_IN, "IDENTITY_ENDPOINT=\x01", "IDENTITY_HEADER=\x01"},
    {SIGN_IN, "SSL_CERT_FILE=/nowhere"},
    {SIGN_IN, "Inventory:Store=Memory", "Inventory:TableServiceUri=nowhere"},
    {SIGN_IN, "Inventory:Store=Memory", "Inventory:TableName=?"},
    {ADDRESS, "DistributedLeasing:UseManagedIdentity=true",
     "DistributedLeasing:ConnectionString=nonsense"},
    {ADDRESS, "AZURE_CLIENT_SECRET=a\nb"},
    {ADDRESS, "AZURE_CLIENT_SECRET=\"quoted\"", "AZURE_TENANT_ID=t"},
    {ADDRESS, "AZURE_FEDERATED_TOKEN_FILE=a\nb", "AZURE_TENANT_ID=t"},
    {ADDRESS, MODE "ManagedIdentity", "AZURE_CLIENT_ID=a\nb"},
    {ADDRESS, MODE "ManagedIdentity", "AZURE_AUTHORITY_HOST=login"},
    {ADDRESS, MODE "Development", "AZURE_POD_IDENTITY_AUTHORITY_HOST=imds"},
    {ADDRESS, "IDENTITY_HEADER=a\nb"},
    {ADDRESS, IDENTITY "ClientId=mine", "AZURE_CLIENT_ID=a\nb"},
};
enum { UNUSED_COUNT = sizeof unused / sizeof unused[0] };

START_TEST(what_is_not_used_stops_nothing) {
    const char *environment[4] = {unused[_i][0], unused[_i][1], unused[_i][2], NULL};
    ck_assert_msg(settings_loader_load(&loader, environment) == STATUS_OK, "%s",
                  loader.err.message);
}
END_TEST

START_TEST(a_certificate_beside_a_secret_is_not_used) {
    load_ok(ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", "AZURE_CLIENT_SECRET=s",
            "AZURE_CLIENT_CERTIFICATE_PATH=a\nb");
    ck_assert_ptr_null(loader.settings.authentication.principal_certificate_path);
}
END_TEST

START_TEST(an_identity_of_app_service_leaves_imds_alone) {
    load_ok(ADDRESS, "IDENTITY_ENDPOINT=http://localhost", "IDENTITY_HEADER=h",
            "AZURE_POD_IDENTITY_AUTHORITY_HOST=nonsense");
    ck_assert_str_eq(loader.settings.authentication.identity_endpoint, "http://localhost");
}
END_TEST

START_TEST(white_space_around_a_secret_is_no_part_of_it) {
    load_ok(ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", "AZURE_CLIENT_SECRET= abc\n");
    ck_assert_str_eq(loader.settings.authentication.principal_client_secret, "abc");
}
END_TEST

/* ---- mistakes that are often made ---- */

#define REFERENCE "@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/secrets/s/)"
#define UNRESOLVED                                                                                 \
    " is a Key Vault reference that was not resolved; Azure's portal says why beside the setting " \
    "(often the app's "                                                                            \
    "identity may not read it); allowed: "

START_TEST(a_key_vault_reference_that_was_not_resolved_is_named_in_any_setting) {
    assert_refused("DistributedLeasing__ConnectionString" UNRESOLVED
                   "an Azure Storage connection string or UseDevelopmentStorage=true",
                   "DistributedLeasing__ConnectionString=" REFERENCE);
    assert_refused("AZURE_CLIENT_SECRET" UNRESOLVED TEXT_ALLOWED, ADDRESS, "AZURE_TENANT_ID=t",
                   "AZURE_CLIENT_ID=c", "AZURE_CLIENT_SECRET=" REFERENCE);
    assert_refused(
        "DistributedLeasing:StorageAccountUri" UNRESOLVED ADDRESS_ALLOWED
        "https://ACCOUNT.blob.core.windows.net",
        "DistributedLeasing:StorageAccountUri= @microsoft.keyvault(VaultName=v;SecretName=s)");
    ck_assert_int_eq(load(SIGN_IN, "Inventory__SeedProducts=" REFERENCE), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(loader.err.message, "Inventory__SeedProducts" UNRESOLVED));
    ck_assert_int_eq(load(SIGN_IN, "DistributedLeasing__Metadata__a=" REFERENCE),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(
        strstr(loader.err.message, "DistributedLeasing__Metadata__a is a Key Vault reference"));
    ck_assert_int_eq(load(SIGN_IN, "SSL_CERT_FILE=" REFERENCE), STATUS_OK); /* not used */
    ck_assert_int_eq(load(ADDRESS, "SSL_CERT_FILE=" REFERENCE), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(loader.err.message, "SSL_CERT_FILE is a Key Vault reference"));
    ck_assert_int_eq(
        load(SIGN_IN, "Logging__LogLevel__Default=@Microsoft.AppConfiguration(Endpoint=https://x)"),
        STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(
        strstr(loader.err.message, "is an App Configuration reference that was not resolved"));
}
END_TEST

START_TEST(a_value_in_quotes_is_named) {
    assert_refused("DistributedLeasing__ConnectionString stands in quotes; leave them out; "
                   "allowed: an Azure Storage "
                   "connection string or UseDevelopmentStorage=true",
                   "DistributedLeasing__ConnectionString=\"AccountName=shop;AccountKey=" KEY "\"");
    assert_refused("AZURE_CLIENT_SECRET stands in quotes; leave them out; allowed: " TEXT_ALLOWED,
                   ADDRESS, "AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c",
                   "AZURE_CLIENT_SECRET='hunter2'");
    assert_refused("DistributedLeasing:ContainerName stands in quotes; leave them out; allowed: 3 "
                   "to 63 lower-case "
                   "letters, digits and single hyphens, a letter or digit first and last",
                   SIGN_IN, "DistributedLeasing:ContainerName=\"leases\"");
}
END_TEST

/* Each message names the address, since its host has the account's name. */
static const struct {
    const char *entry;
    const char *says;
} addresses[] = {
    {"DistributedLeasing__StorageAccountUri=https://shop.table.core.windows.net",
     "DistributedLeasing__StorageAccountUri is 'https://shop.table.core.windows.net': it is the "
     "address of tables, not "
     "of "
     "blobs; allowed: " ADDRESS_ALLOWED "https://ACCOUNT.blob.core.windows.net"},
    {"DistributedLeasing__Endpoint=https://shop.blob.core.windows.net/leases",
     "DistributedLeasing__Endpoint is 'https://shop.blob.core.windows.net/leases': a container "
     "follows in it, which "
     "has a "
     "setting of its own; allowed: " ADDRESS_ALLOWED "https://ACCOUNT.blob.core.windows.net"},
    {"Inventory__TableServiceUri=https://shop.blob.core.windows.net",
     "Inventory__TableServiceUri is 'https://shop.blob.core.windows.net': it is the address of "
     "blobs, not of tables; "
     "allowed: " ADDRESS_ALLOWED "https://ACCOUNT.table.core.windows.net"},
    {"DistributedLeasing__Endpoint=https://shop.blob.core.windows.net/leases?sv=1&sig=hunter2",
     "DistributedLeasing__Endpoint has a value that is not shown here: a SAS follows in it; in a "
     "connection string it "
     "stands as SharedAccessSignature=...; allowed: " ADDRESS_ALLOWED
     "https://ACCOUNT.blob.core.windows.net"},
};
enum { ADDRESS_COUNT = sizeof addresses / sizeof addresses[0] };

START_TEST(a_mistaken_address_is_named) {
    assert_refused(addresses[_i].says, SIGN_IN, addresses[_i].entry);
}
END_TEST

START_TEST(settings_come_from_the_files_too) {
    temp_folder_write(
        &loader.folder, "local.settings.json",
        "{\"Values\":{\"DistributedLeasing:ConnectionString\":\"UseDevelopmentStorage=true\","
        "\"DistributedLeasing__ContainerName\":\"local\"}}");
    temp_folder_write(&loader.folder, "appsettings.json",
                      "{\"DistributedLeasing\":{\"ContainerName\":\"app\",\"AutoRenewMaxRetries\":"
                      "7,\"AutoRenew\":false,"
                      "\"AutoRenewSafetyThreshold\":0.8,\"Metadata\":{\"team\":\"shop\"}}}");
    temp_folder_write(&loader.folder, "host.json",
                      "{\"extensions\":{\"http\":{\"routePrefix\":\"v2\"}}}");
    load_ok("HANDLER_INSTANCE=x");
    ck_assert_str_eq(loader.settings.lease.container, "local");
    ck_assert_int_eq(loader.settings.lease.renew_max_retries, 7);
    ck_assert(!loader.settings.lease.auto_renew);
    ck_assert_double_eq(loader.settings.lease.safety_threshold, 0.8);
    ck_assert_str_eq(loader.settings.lease.metadata[0].name, "team");
    ck_assert_str_eq(loader.settings.lease.metadata[0].value, "shop");
    ck_assert_str_eq(loader.settings.route_prefix, "v2");
}
END_TEST

START_TEST(a_file_that_is_not_json_is_refused_by_name) {
    temp_folder_write(&loader.folder, "appsettings.json", "oops");
    ck_assert_int_eq(load(SIGN_IN), STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(loader.err.message, "appsettings.json: not valid JSON") != NULL, "%s",
                  loader.err.message);
}
END_TEST

START_TEST(the_message_is_optional) {
    char *none[] = {NULL};
    ck_assert_int_eq(app_settings_load(loader.folder.path, none, &loader.settings, NULL),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

/* ---- metadata, seeds, instance ---- */

#define METADATA_ALLOWED                                                                        \
    "allowed: a NAME of letters, digits and _, no digit first; a value of 1 to 1024 printable " \
    "ASCII characters, no "                                                                     \
    "space "                                                                                    \
    "first or last; 7 KiB in all"

START_TEST(metadata_is_collected_and_a_higher_place_wins) {
    temp_folder_write(&loader.folder, "appsettings.json",
                      "{\"DistributedLeasing\":{\"Metadata\":{\"OWNER\":\"app\",\"_b2\":\"two "
                      "words\",\"gone\":\"x\"}}}");
    load_ok(SIGN_IN, "DistributedLeasing__Metadata__owner=environment",
            "DistributedLeasing__Metadata__gone=");
    const struct leasehold_metadata *metadata = loader.settings.lease.metadata;
    ck_assert_uint_eq(loader.settings.lease.metadata_count, 2);
    ck_assert_str_eq(metadata[0].name, "owner");
    ck_assert_str_eq(metadata[0].value, "environment");
    ck_assert_str_eq(metadata[1].name, "_b2");
    ck_assert_str_eq(metadata[1].value, "two words");
}
END_TEST

START_TEST(metadata_that_blobs_cannot_have_is_refused) {
    static const struct {
        const char *name;
        const char *value;
        const char *shown;
    } refused[] = {
        {"a-b", "x", "x"}, {"1a", "x", "x"}, {"", "x", "x"},       {"a__b", "x", "x"},
        {"ä", "x", "x"},   {"a", "ü", "ü"},  {"a", "x\ny", "x y"}, {"a", "\x7f", " "},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char entry[100], line[512];
        snprintf(entry, sizeof entry, "distributedleasing__Metadata__%s=%s", refused[i].name,
                 refused[i].value);
        snprintf(line, sizeof line, "distributedleasing__Metadata__%s is '%s'; " METADATA_ALLOWED,
                 refused[i].name, refused[i].shown);
        assert_refused(line, SIGN_IN, entry);
    }
}
END_TEST

/* Returns "DistributedLeasing:Metadata:NAME=xxx...", which the caller frees. */
static char *metadata_entry(const char *name, int length) {
    char *value = malloc((size_t)length + 1);
    memset(value, 'x', (size_t)length);
    value[length] = '\0';
    char *entry;
    ck_assert_int_gt(asprintf(&entry, "DistributedLeasing:Metadata:%s=%s", name, value), 0);
    free(value);
    return entry;
}

START_TEST(metadata_may_be_as_long_as_azure_takes_and_no_longer) {
    char *longest = metadata_entry("a", 1024), *too_long = metadata_entry("a", 1025);
    load_ok(SIGN_IN, longest);
    ck_assert_int_eq(load(SIGN_IN, too_long), STATUS_INVALID_ARGUMENT);
    free(longest);
    free(too_long);
    char json[9000] = "{\"DistributedLeasing\":{\"Metadata\":{\"z\":\"\"";
    for (int i = 0; i < 6; i++) { /* lease_aN and a value: 1024 bytes each */
        sprintf(json + strlen(json), ",\"a%d\":\"%0*d\"", i, 1024 - 8, 0);
    }
    size_t end = strlen(json);
    sprintf(json + end, ",\"last\":\"%0*d\"}}}", 1024 - 10, 0);
    temp_folder_write(&loader.folder, "appsettings.json", json);
    load_ok(SIGN_IN);
    sprintf(json + end, ",\"last\":\"%0*d\"}}}", 1024 - 9, 0);
    temp_folder_write(&loader.folder, "appsettings.json", json);
    ck_assert_int_eq(load(SIGN_IN), STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(loader.err.message, METADATA_ALLOWED) != NULL, "%s", loader.err.message);
}
END_TEST

START_TEST(seeds_are_read_in_order) {
    load_ok(SIGN_IN, "Inventory:SeedProducts=PROD-001=100; PROD-002 = 50;\nPROD-003=0;");
    ck_assert_uint_eq(loader.settings.inventory.seed_count, 3);
    ck_assert_ptr_eq(loader.settings.inventory.seeds, loader.settings.seeds);
    ck_assert_str_eq(loader.settings.seeds[0].id, "PROD-001");
    ck_assert_int_eq(loader.settings.seeds[0].total, 100);
    ck_assert_str_eq(loader.settings.seeds[1].id, "PROD-002");
    ck_assert_int_eq(loader.settings.seeds[1].total, 50);
    ck_assert_str_eq(loader.settings.seeds[2].id, "PROD-003");
    ck_assert_int_eq(loader.settings.seeds[2].total, 0);
}
END_TEST

START_TEST(the_instance_has_a_name_from_azure_from_the_user_or_from_the_process) {
    char pid[20];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    load_ok(SIGN_IN, "WEBSITE_INSTANCE_ID=0123456789abcdef", "WEBSITE_POD_NAME=p",
            "CONTAINER_NAME=c", "HANDLER_INSTANCE=2");
    ck_assert_str_eq(loader.settings.instance, "89abcdef");
    load_ok(SIGN_IN, "WEBSITE_INSTANCE_ID=", "WEBSITE_POD_NAME=a1b2-7f8e9d-x4z9q",
            "CONTAINER_NAME=c", "HANDLER_INSTANCE=2");
    ck_assert_str_eq(loader.settings.instance, "9d-x4z9q");
    load_ok(SIGN_IN, "CONTAINER_NAME=5FE24C73-638412345678901234", "HANDLER_INSTANCE=2");
    ck_assert_str_eq(loader.settings.instance, "78901234");
    load_ok(SIGN_IN, "CONTAINER_NAME=short", "HANDLER_INSTANCE=2");
    ck_assert_str_eq(loader.settings.instance, "short");
    load_ok(SIGN_IN, "HANDLER_INSTANCE=second\tone");
    ck_assert_str_eq(loader.settings.instance, "second one");
    load_ok(SIGN_IN, "HANDLER_INSTANCE=" X60 "abcdef");
    ck_assert_str_eq(loader.settings.instance, X60 "abc");
    load_ok(SIGN_IN, "HANDLER_INSTANCE=");
    ck_assert_str_eq(loader.settings.instance, pid);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("app_settings");
    TCase *tests = tcase_create("app_settings");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_client_secret_is_never_shown);
    tcase_add_test(tests, a_connection_string_is_never_shown);
    tcase_add_test(tests, a_secret_in_the_wrong_place_is_not_shown);
    tcase_add_test(tests, no_line_of_an_error_holds_the_word_that_makes_it_less);
    tcase_add_test(tests, without_a_connection_string_and_an_address_nothing_loads);
    tcase_add_test(tests, an_address_alone_signs_in_with_tokens);
    tcase_add_test(tests,
                   a_connection_string_signs_in_beside_an_address_unless_tokens_are_asked_for);
    tcase_add_test(tests, a_key_is_not_sent_over_http_to_another_machine);
    tcase_add_test(tests, a_mode_chosen_by_name_must_have_all_that_it_needs);
    tcase_add_test(tests, a_service_principal_falls_back_to_the_variables_of_azure);
    tcase_add_test(tests, the_secrets_of_azures_variables_are_never_shown);
    tcase_add_test(tests, the_connection_string_signs_in_and_gives_the_endpoints);
    tcase_add_test(tests, an_address_replaces_the_endpoints_of_the_connection_string);
    tcase_add_test(tests, an_address_that_does_not_tell_the_table_endpoint_leaves_it);
    tcase_add_test(tests, a_table_address_wins_over_the_one_that_follows_from_the_blobs);
    tcase_add_test(tests, a_table_store_needs_a_table_endpoint);
    tcase_add_test(tests, an_address_is_taken_only_as_long_as_its_table_address_fits);
    tcase_add_test(tests, a_limit_of_lifetimes_is_not_below_the_usual_one);
    tcase_add_test(tests, a_lifetime_above_the_standard_limit_is_the_limit_unless_one_is_set);
    tcase_add_loop_test(tests, only_an_interval_that_is_set_can_be_at_odds_with_the_threshold, 0,
                        RENEWAL_COUNT);
    tcase_add_test(tests, aliases_are_read_and_the_setting_itself_wins);
    tcase_add_test(tests, workload_identity_falls_back_to_the_variables_of_azure);
    tcase_add_test(tests, a_refusal_has_the_name_as_the_user_wrote_it);
    tcase_add_test(tests, underscores_win_for_a_setting_and_for_its_alias);
    tcase_add_loop_test(tests, what_is_not_used_stops_nothing, 0, UNUSED_COUNT);
    tcase_add_test(tests, a_certificate_beside_a_secret_is_not_used);
    tcase_add_test(tests, an_identity_of_app_service_leaves_imds_alone);
    tcase_add_test(tests, white_space_around_a_secret_is_no_part_of_it);
    tcase_add_test(tests, a_key_vault_reference_that_was_not_resolved_is_named_in_any_setting);
    tcase_add_test(tests, a_value_in_quotes_is_named);
    tcase_add_loop_test(tests, a_mistaken_address_is_named, 0, ADDRESS_COUNT);
    tcase_add_test(tests, settings_come_from_the_files_too);
    tcase_add_test(tests, a_file_that_is_not_json_is_refused_by_name);
    tcase_add_test(tests, the_message_is_optional);
    tcase_add_test(tests, metadata_is_collected_and_a_higher_place_wins);
    tcase_add_test(tests, metadata_that_blobs_cannot_have_is_refused);
    tcase_add_test(tests, metadata_may_be_as_long_as_azure_takes_and_no_longer);
    tcase_add_test(tests, seeds_are_read_in_order);
    tcase_add_test(tests, the_instance_has_a_name_from_azure_from_the_user_or_from_the_process);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
