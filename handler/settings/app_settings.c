#include "settings/app_settings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/timespan.h"
#include "base/utf8.h"
#include "lease/lease_names.h"
#include "lease/lease_options.h"
#include "settings/account_settings.h"
#include "settings/config_source.h"
#include "settings/setting.h"
#include "settings/setting_rules.h"

#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

enum { TEXT_MAX_LENGTH = 1024 };

/* The settings while they are being read, with those that are converted at the end. */
struct draft {
    struct app_settings settings;
    struct account_uris uris;
    char lease_container[LEASE_CONTAINER_NAME_BYTES];
    char lease_prefix[LEASE_BLOB_PREFIX_BYTES];
    struct leasehold_options lease; /* copied to `settings` at the end */
    struct seed_list seeds;
};

static const struct setting_choice modes[] = {
    {"Auto", SIGN_IN_AUTO},
    {"ManagedIdentity", SIGN_IN_MANAGED_IDENTITY},
    {"WorkloadIdentity", SIGN_IN_WORKLOAD_IDENTITY},
    {"FederatedCredential", SIGN_IN_WORKLOAD_IDENTITY},
    {"ServicePrincipal", SIGN_IN_SERVICE_PRINCIPAL},
    {"Development", SIGN_IN_DEVELOPMENT},
    {NULL, 0},
};
static const struct setting_choice stores[] = {
    {"Table", STORE_TABLE}, {"Memory", STORE_MEMORY}, {NULL, 0}};

#define LEASING "DistributedLeasing:"
#define MODE_SETTING LEASING "Authentication:Mode"
#define IDENTITY LEASING "Authentication:ManagedIdentity:"
#define WORKLOAD LEASING "Authentication:WorkloadIdentity:"
#define PRINCIPAL LEASING "Authentication:ServicePrincipal:"

/* ---- is_used: whether a row is used, judged by the rows above it in the table ---- */

static bool is_given(const struct config_source *source, const char *name, const char *alias) {
    const struct setting setting = {.name = name, .alias = alias};
    return setting_find(&setting, source) != NULL;
}

static bool uses_tables(const struct config_source *source, const void *base) {
    const struct draft *draft = base;
    (void)source;
    return draft->settings.store_kind == STORE_TABLE;
}

static bool uses_tokens(const struct config_source *source, const void *base) {
    const struct draft *draft = base;
    return account_settings_use_tokens(source, &draft->uris, draft->settings.uses_tokens);
}

static bool uses_mode(const struct config_source *source, const void *base,
                      enum sign_in_mode mode) {
    const struct draft *draft = base;
    return uses_tokens(source, base) && draft->settings.authentication.mode == mode;
}

/*
 * Auto tries workload identity and service principal only if all their settings are given. Without
 * one of them, the others are not used.
 */

static bool uses_workload(const struct config_source *source, const void *base) {
    return uses_mode(source, base, SIGN_IN_WORKLOAD_IDENTITY) ||
           (uses_mode(source, base, SIGN_IN_AUTO) &&
            is_given(source, WORKLOAD "TenantId", "AZURE_TENANT_ID") &&
            is_given(source, WORKLOAD "ClientId", "AZURE_CLIENT_ID") &&
            is_given(source, WORKLOAD "TokenFilePath", "AZURE_FEDERATED_TOKEN_FILE"));
}

static bool has_secret(const struct config_source *source) {
    return is_given(source, PRINCIPAL "ClientSecret", "AZURE_CLIENT_SECRET");
}

static bool uses_principal(const struct config_source *source, const void *base) {
    return uses_mode(source, base, SIGN_IN_SERVICE_PRINCIPAL) ||
           (uses_mode(source, base, SIGN_IN_AUTO) &&
            is_given(source, PRINCIPAL "TenantId", "AZURE_TENANT_ID") &&
            is_given(source, PRINCIPAL "ClientId", "AZURE_CLIENT_ID") &&
            (has_secret(source) ||
             is_given(source, PRINCIPAL "CertificatePath", "AZURE_CLIENT_CERTIFICATE_PATH")));
}

static bool uses_certificate(const struct config_source *source, const void *base) {
    return uses_principal(source, base) && !has_secret(source);
}

static bool uses_authority(const struct config_source *source, const void *base) {
    return uses_workload(source, base) || uses_principal(source, base);
}

static bool uses_identity(const struct config_source *source, const void *base) {
    return uses_mode(source, base, SIGN_IN_MANAGED_IDENTITY) ||
           uses_mode(source, base, SIGN_IN_AUTO);
}

static bool uses_azure_client_id(const struct config_source *source, const void *base) {
    return uses_mode(source, base, SIGN_IN_AUTO) && !is_given(source, IDENTITY "ClientId", NULL);
}

static bool uses_app_service(const struct config_source *source, const void *base) {
    return uses_identity(source, base) && is_given(source, "IDENTITY_ENDPOINT", NULL) &&
           is_given(source, "IDENTITY_HEADER", NULL);
}

static bool uses_imds(const struct config_source *source, const void *base) {
    return uses_identity(source, base) && !uses_app_service(source, base);
}

/* ---- the table ---- */

#define FIELD(member) .offset = offsetof(struct draft, member)
#define RANGE(lowest, highest) .least = (lowest), .most = (highest)
#define TRUE_OR_FALSE .parse = setting_parse_bool, .allowed = "true or false"
#define TEXT                                                \
    .parse = setting_parse_text, RANGE(1, TEXT_MAX_LENGTH), \
    .allowed = "1 to 1024 characters, none of them a control"

static_assert(TEXT_MAX_LENGTH == 1024 && ROUTE_PREFIX_BYTES == 127 + 1 &&
                  TABLE_NAME_BYTES == 63 + 1 && LEASE_CONTAINER_NAME_BYTES == 63 + 1 &&
                  SEED_MAX_TOTAL == 1000000000 && LEASE_METADATA_MAX_BYTES == 7 * 1024 &&
                  LEASE_MIN_DURATION_S == 15 && LEASE_MAX_DURATION_S == 60 &&
                  LEASE_MAX_RENEW_RETRIES == 100 && LEASE_MIN_RETRY_MS == 1 &&
                  LEASE_MAX_RETRY_MS == MINUTE_MS && LEASE_MAX_ACQUIRE_TIMEOUT_MS == 10 * MINUTE_MS,
              "the texts of `allowed` below name these limits");

/*
 * The order matters to is_used: a row may ask about those above it. docs/settings.md has the rows
 * of each group in this order.
 */
/* clang-format off */
static const struct setting table[] = {
    {"FUNCTIONS_CUSTOMHANDLER_PORT", FIELD(settings.port),
     .parse = setting_parse_int, RANGE(1, 65535), .allowed = "a whole number from 1 to 65535",
     .group = SETTING_HANDLER, .default_text = "8080",
     .about = "The port to listen on, at 127.0.0.1. A Functions host sets it. If it is set, "
              "`local.settings.json` is not read, because the host has read it already."},
    {"AzureFunctionsJobHost:extensions:http:routePrefix", FIELD(settings.route_prefix),
     .parse = setting_parse_route_prefix, .may_be_empty = true,
     .allowed = "up to 127 of A-Z a-z 0-9 . _ ~ - / (host.json's extensions.http.routePrefix)",
     .group = SETTING_HANDLER, .default_text = "api",
     .about = "The part of the path before `inventory/`. `host.json` is its usual place."},
    {"Logging:LogLevel:Default", FIELD(settings.log_level), .parse = setting_parse_log_level,
     /* "Warning" may not stand here: the host takes an Error line with that word for one. */
     .allowed = "a level of .NET's logging, by name or by number: from 0 or Trace to 5 or "
                "Critical, 6 or None",
     .group = SETTING_HANDLER, .default_text = "Information",
     .about = "Events below this level are not logged."},

    {"Inventory:Store", FIELD(settings.store_kind),
     .parse = setting_parse_choice, .choices = stores, .allowed = "Table, Memory",
     .group = SETTING_INVENTORY, .default_text = "Table",
     .about = "Where products and reservations are kept. `Memory` is for trials: its data ends "
              "with the process, and no other instance sees it."},
    {"Inventory:TableServiceUri", FIELD(uris.table), .parse = setting_parse_table_endpoint,
     .explain = setting_explain_table_endpoint, .is_used = uses_tables,
     .allowed = TABLE_ADDRESS_ALLOWED,
     .group = SETTING_ACCOUNT, .default_note = "follows from the blob endpoint",
     .about = "The address of the Table service."},
    {"Inventory:TableName", FIELD(settings.table_name),
     .parse = setting_parse_table_name, .is_used = uses_tables,
     .allowed = "3 to 63 letters and digits, a letter first, not \"tables\"",
     .group = SETTING_INVENTORY, .default_text = "inventory",
     .about = "The table with products and reservations. It is created if it is absent."},

    /* How to sign in. Which of these rows are used depends on those above them. */
    {LEASING "StorageAccountUri", LEASING "Endpoint", FIELD(uris.blob),
     .parse = setting_parse_blob_endpoint, .explain = setting_explain_blob_endpoint,
     .allowed = BLOB_ADDRESS_ALLOWED,
     .group = SETTING_ACCOUNT,
     .about = "The address of the Blob service. Without a connection string, tokens sign in there. "
              "Beside a connection string it replaces only the address."},
    {LEASING "UseManagedIdentity", FIELD(settings.uses_tokens), TRUE_OR_FALSE,
     .group = SETTING_ACCOUNT,
     .default_note = "true with an address and no connection string",
     .about = "`true` signs in with tokens even if there is a connection string. "
              "`Authentication:Mode` says where they come from."},
    {MODE_SETTING, FIELD(settings.authentication.mode),
     .parse = setting_parse_choice, .choices = modes, .is_used = uses_tokens,
     .allowed = "Auto, ManagedIdentity, WorkloadIdentity, FederatedCredential, ServicePrincipal, "
                "Development",
     .group = SETTING_SIGN_IN, .default_text = "Auto",
     .about = "Where tokens come from. `Auto` takes the first that is there: service principal, "
              "workload identity, managed identity, `az login`. `FederatedCredential` is another "
              "word for `WorkloadIdentity`. `Development` is `az login`."},
    {IDENTITY "ClientId", FIELD(settings.authentication.managed_identity_client_id), TEXT,
     .is_used = uses_identity, .group = SETTING_SIGN_IN,
     .about = "The client id of a user-assigned managed identity. Without it the system-assigned "
              "one signs in."},
    {"AZURE_CLIENT_ID", FIELD(settings.authentication.azure_client_id), TEXT,
     .is_used = uses_azure_client_id, .group = SETTING_SIGN_IN,
     .about = "With `Auto`: the client id of the managed identity, unless the setting above is "
              "given."},
    {WORKLOAD "TenantId", "AZURE_TENANT_ID", FIELD(settings.authentication.workload_tenant_id),
     TEXT, .is_used = uses_workload, .group = SETTING_SIGN_IN,
     .about = "Workload identity: the tenant."},
    {WORKLOAD "ClientId", "AZURE_CLIENT_ID", FIELD(settings.authentication.workload_client_id),
     TEXT, .is_used = uses_workload, .group = SETTING_SIGN_IN,
     .about = "Workload identity: the client id of the app registration or identity."},
    {WORKLOAD "TokenFilePath", "AZURE_FEDERATED_TOKEN_FILE",
     FIELD(settings.authentication.workload_token_file_path), TEXT, .is_used = uses_workload,
     .group = SETTING_SIGN_IN,
     .about = "Workload identity: the file with the federated token."},
    {PRINCIPAL "TenantId", "AZURE_TENANT_ID", FIELD(settings.authentication.principal_tenant_id),
     TEXT, .is_used = uses_principal, .group = SETTING_SIGN_IN,
     .about = "Service principal: the tenant."},
    {PRINCIPAL "ClientId", "AZURE_CLIENT_ID", FIELD(settings.authentication.principal_client_id),
     TEXT, .is_used = uses_principal, .group = SETTING_SIGN_IN,
     .about = "Service principal: the client id of the app registration."},
    {PRINCIPAL "ClientSecret", "AZURE_CLIENT_SECRET",
     FIELD(settings.authentication.principal_client_secret), TEXT, .is_secret = true,
     .is_used = uses_principal, .group = SETTING_SIGN_IN,
     .about = "Service principal: the client secret."},
    {PRINCIPAL "CertificatePath", "AZURE_CLIENT_CERTIFICATE_PATH",
     FIELD(settings.authentication.principal_certificate_path), TEXT, .is_used = uses_certificate,
     .group = SETTING_SIGN_IN,
     .about = "Service principal without a secret: a PEM file with the RSA key and its "
              "certificate."},
    {"AZURE_AUTHORITY_HOST", FIELD(settings.authentication.authority),
     .parse = setting_parse_endpoint, .is_used = uses_authority,
     .allowed = ADDRESS_ALLOWED "like https://login.microsoftonline.com",
     .group = SETTING_SIGN_IN, .default_text = "https://login.microsoftonline.com",
     .about = "Where workload identities and service principals sign in. Other clouds have other "
              "addresses."},
    {"IDENTITY_ENDPOINT", FIELD(settings.authentication.identity_endpoint), TEXT,
     .is_used = uses_app_service, .group = SETTING_SIGN_IN,
     .about = "App Service sets it: where the managed identity gets its tokens."},
    {"IDENTITY_HEADER", FIELD(settings.authentication.identity_header), TEXT, .is_secret = true,
     .is_used = uses_app_service, .group = SETTING_SIGN_IN,
     .about = "App Service sets it, together with `IDENTITY_ENDPOINT`."},
    {"AZURE_POD_IDENTITY_AUTHORITY_HOST", FIELD(settings.authentication.imds_host),
     .parse = setting_parse_any_endpoint, .is_used = uses_imds,
     .allowed = "an http or https address without a query, like http://169.254.169.254",
     .group = SETTING_SIGN_IN, .default_text = "http://169.254.169.254",
     .about = "Outside App Service: where the managed identity gets its tokens."},

    {LEASING "ContainerName", FIELD(lease_container),
     .parse = setting_parse_container_name,
     .allowed = LEASE_CONTAINER_ALLOWED,
     .group = SETTING_LEASES, .default_text = "leases",
     .about = "The container with the blobs that are leased."},
    {LEASING "CreateContainerIfNotExists", FIELD(lease.create_container),
     TRUE_OR_FALSE, .group = SETTING_LEASES, .default_text = "true",
     .about = "Whether the container is created if it is absent."},
    {LEASING "BlobPrefix", LEASING "KeyPrefix", FIELD(lease_prefix),
     .parse = setting_parse_blob_prefix, .may_be_empty = true, .allowed = LEASE_PREFIX_ALLOWED,
     .group = SETTING_LEASES, .default_text = "lease-",
     .about = "A blob's name is this prefix and the lease's name."},

    {LEASING "AutoRenew", FIELD(lease.auto_renew), TRUE_OR_FALSE,
     .group = SETTING_LEASES, .default_text = "true",
     .about = "Whether leases are renewed while they are in use."},
    {LEASING "DefaultLeaseDuration", FIELD(lease.duration_s),
     .parse = setting_parse_lease_duration,
     .allowed = "whole seconds from 00:00:15 to 00:01:00, or Infinite",
     .group = SETTING_LEASES, .default_text = "00:00:30",
     .about = "How long a lease lasts without renewal. After a handler was killed, its product "
              "stays closed for that long."},
    {LEASING "AutoRenewInterval", FIELD(lease.renew_interval_ms),
     .parse = setting_parse_ms, RANGE(1, INT64_MAX),
     .allowed = "a time span from 00:00:00.001, below the safety threshold",
     .group = SETTING_LEASES,
     .default_note = "2/3 of the duration, or 3/4 of the safety threshold if that is at or "
                       "below 2/3",
     .about = "How long after its last renewal a lease is renewed."},
    {LEASING "AutoRenewMaxRetries", FIELD(lease.renew_max_retries),
     .parse = setting_parse_int, RANGE(0, LEASE_MAX_RENEW_RETRIES), .allowed = "a whole number from 0 to 100",
     .group = SETTING_LEASES, .default_text = "3",
     .about = "How often a renewal that failed is tried again."},
    {LEASING "AutoRenewRetryInterval", FIELD(lease.renew_retry_ms),
     .parse = setting_parse_ms, RANGE(LEASE_MIN_RETRY_MS, LEASE_MAX_RETRY_MS),
     .allowed = "a time span from 00:00:00.001 to 00:01:00",
     .group = SETTING_LEASES, .default_text = "00:00:01",
     .about = "The wait before the first of these retries. It doubles each time."},
    {LEASING "AutoRenewSafetyThreshold", FIELD(lease.safety_threshold),
     .parse = setting_parse_safety_threshold, .allowed = "a decimal number from 0.5 to 0.95",
     .group = SETTING_LEASES, .default_text = "0.9",
     .about = "The part of the duration after which a lease that was not renewed counts as lost."},
    {LEASING "AcquireTimeout", FIELD(lease.acquire_timeout_ms),
     .parse = setting_parse_ms, RANGE(0, LEASE_MAX_ACQUIRE_TIMEOUT_MS),
     .allowed = "a time span from 00:00:00 to 00:10:00",
     .group = SETTING_LEASES, .default_text = "00:00:10",
     .about = "How long a request waits for a product that others are using, before it is answered "
              "409. Keep it below the timeout of your callers."},
    {LEASING "AcquireRetryInterval", FIELD(lease.acquire_retry_ms),
     .parse = setting_parse_ms, RANGE(LEASE_MIN_RETRY_MS, LEASE_MAX_RETRY_MS),
     .allowed = "a time span from 00:00:00.001 to 00:01:00",
     .group = SETTING_LEASES, .default_text = "00:00:00.050",
     .about = "The wait after the first refusal. It grows with each one."},

    {"Inventory:ReservationLifetime", FIELD(settings.inventory.reservation_lifetime_ms),
     .parse = setting_parse_ms, RANGE(1, 3650 * DAY_MS),
     .allowed = "a time span from 00:00:00.001 to 3650.00:00:00",
     .group = SETTING_INVENTORY, .default_text = "00:30:00",
     .about = "How long a reservation holds its units."},
    {"Inventory:MaxReservationLifetime", FIELD(settings.inventory.max_reservation_lifetime_ms),
     .parse = setting_parse_ms, RANGE(SECOND_MS, 3650 * DAY_MS),
     .allowed = "a time span from 00:00:01 to 3650.00:00:00, not below ReservationLifetime",
     .group = SETTING_INVENTORY, .default_text = "1.00:00:00",
     .about = "The longest lifetime that a request may ask for. Unless it is set, it is never below "
              "`ReservationLifetime`."},
    {"Inventory:SeedProducts", FIELD(seeds), .parse = setting_parse_seed_products,
     .allowed = "ID=N;ID=N with different IDs (" PRODUCT_ID_ALLOWED
                ") and N from 0 to 1000000000",
     .group = SETTING_INVENTORY,
     .about = "Products, each with its total, that are created if they are absent: "
              "`PROD-001=100;PROD-002=50`."},
    {"Inventory:ProcessingTime", FIELD(settings.inventory.processing_time_ms),
     .parse = setting_parse_ms, RANGE(0, HOUR_MS),
     .allowed = "a time span from 00:00:00 to 01:00:00",
     .group = SETTING_INVENTORY, .default_text = "00:00:00",
     .about = "Simulated work in each change, to watch leases being renewed."},
};
/* clang-format on */

/* ---- rows that are read apart from the table ---- */

/* Whether it is used is known only with the endpoints of the account. */
static const struct setting ca_file = {
    "SSL_CERT_FILE",
    FIELD(settings.ca_file),
    .parse = setting_parse_readable_file,
    RANGE(1, TEXT_MAX_LENGTH),
    .allowed = "a file that can be read, with certificates in PEM form",
    .group = SETTING_ACCOUNT,
    .default_note = "the system's authorities",
    .about = "The certificate authorities that are trusted.",
};

/* NAME stands for any name. */
#define METADATA LEASING "Metadata:"
static const struct setting metadata_setting = {
    .name = METADATA "NAME",
    .allowed = LEASE_METADATA_ALLOWED,
    .group = SETTING_LEASES,
    .about = "Metadata for each lease's blob, as `lease_NAME`.",
};

/* Any text is allowed, so it needs no parser. */
static const struct setting instance_setting = {
    .name = "HANDLER_INSTANCE",
    .allowed = "any text",
    .group = SETTING_HANDLER,
    .default_note = "the process id",
    .about = "The instance's name in log lines. On Azure it is the end of `WEBSITE_INSTANCE_ID`, "
             "`WEBSITE_POD_NAME` or `CONTAINER_NAME`, of which each plan sets another.",
};

/* The connection string comes first, then the table, then the other rows that are read apart. */
const struct setting *app_settings_row(size_t index) {
    static const struct setting *const apart[] = {&ca_file, &metadata_setting, &instance_setting};
    enum { APART = sizeof apart / sizeof apart[0], ROWS = sizeof table / sizeof table[0] };
    if (index == 0) {
        return &account_connection_string;
    }
    if (index <= ROWS) {
        return &table[index - 1];
    }
    return index - ROWS <= APART ? apart[index - ROWS - 1] : NULL;
}

static bool uses_tls(const struct app_settings *settings) {
    return settings->uses_tokens ||
           strncasecmp(settings->account.blob_endpoint, "https:", 6) == 0 ||
           strncasecmp(settings->account.table_endpoint, "https:", 6) == 0;
}

static struct draft standard_draft(void) {
    struct draft draft = {.lease.renew_interval_ms = LEASEHOLD_AUTO};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        setting_set_standard(&table[i], &draft);
    }
    return draft;
}

static enum status read_table(const struct config_source *source, struct draft *draft,
                              struct error *err) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof table / sizeof table[0] && status == STATUS_OK; i++) {
        status = setting_read(&table[i], source, draft, err);
    }
    return status;
}

/*
 * Checks the item DistributedLeasing:Metadata:NAME. `bytes` counts all items; this one is added.
 */
static enum status check_metadata(const struct config_item *item, size_t *bytes,
                                  struct error *err) {
    const char *name = item->name + strlen(METADATA);
    enum status status = setting_check_item(&metadata_setting, item, err);
    if (status != STATUS_OK) {
        return status;
    }
    *bytes += lease_metadata_bytes(name, item->value);
    return lease_metadata_is_valid(name, item->value) && *bytes <= LEASE_METADATA_MAX_BYTES
               ? STATUS_OK
               : setting_refuse(&metadata_setting, item, err);
}

/* Fills `out`, which has room for `source->count`, with strings of the source. */
static enum status read_metadata(const struct config_source *source, struct leasehold_metadata *out,
                                 size_t *out_count, struct error *err) {
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < source->count; i++) {
        const struct config_item *item = &source->items[i];
        bool wins = strncasecmp(item->name, METADATA, strlen(METADATA)) == 0 &&
                    config_source_find(source, item->name) == item;
        if (!wins || item->value[0] == '\0') {
            continue;
        }
        enum status status = check_metadata(item, &bytes, err);
        if (status != STATUS_OK) {
            return status;
        }
        out[count++] = (struct leasehold_metadata){item->name + strlen(METADATA), item->value};
    }
    *out_count = count;
    return STATUS_OK;
}

/* The limit depends on two other settings, so the settings table cannot have it. */
static enum status check_renew_interval(const struct config_source *source,
                                        const struct leasehold_options *lease, struct error *err) {
    int64_t most_ms = lease_options_max_renew_interval_ms(lease);
    if (lease->renew_interval_ms <= most_ms) {
        return STATUS_OK;
    }
    char limit[TIMESPAN_TEXT_BYTES], allowed[200];
    timespan_format(most_ms + 1, limit);
    snprintf(allowed, sizeof allowed,
             "a time span from 00:00:00.001, below %.12s (AutoRenewSafetyThreshold of "
             "DefaultLeaseDuration)",
             limit);
    const struct setting setting = {.name = LEASING "AutoRenewInterval", .allowed = allowed};
    return setting_refuse(&setting, config_source_find(source, setting.name), err);
}

/*
 * A deployment that has long set a lifetime above the standard limit goes on as before: its limit
 * is that lifetime.
 */
static enum status check_max_lifetime(const struct config_source *source,
                                      struct inventory_options *inventory, struct error *err) {
    static const char name[] = "Inventory:MaxReservationLifetime";
    if (inventory->reservation_lifetime_ms <= inventory->max_reservation_lifetime_ms) {
        return STATUS_OK;
    }
    if (!is_given(source, name, NULL)) {
        inventory->max_reservation_lifetime_ms = inventory->reservation_lifetime_ms;
        return STATUS_OK;
    }
    char least[TIMESPAN_TEXT_BYTES], allowed[128];
    timespan_format(inventory->reservation_lifetime_ms, least);
    snprintf(allowed, sizeof allowed, "a time span from %s (ReservationLifetime) to 3650.00:00:00",
             least);
    const struct setting setting = {.name = name, .allowed = allowed};
    return setting_refuse(&setting, config_source_find(source, name), err);
}

/* Makes the options of leases from what the table has read and the metadata. */
static enum status make_lease_options(const struct config_source *source, struct draft *draft,
                                      struct error *err) {
    struct leasehold_options *lease = &draft->lease;
    struct leasehold_metadata *metadata = calloc(source->count + 1, sizeof *metadata);
    if (metadata == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for metadata");
    }
    lease->container = draft->lease_container;
    lease->blob_prefix = draft->lease_prefix;
    lease->metadata = metadata;
    enum status status = read_metadata(source, metadata, &lease->metadata_count, err);
    if (status == STATUS_OK) {
        status = check_renew_interval(source, lease, err);
    }
    if (status == STATUS_OK) {
        status = lease_options_copy(lease, &draft->settings.lease, err);
    }
    free(metadata);
    return status;
}

static void read_instance_name(const struct config_source *source, char out[INSTANCE_NAME_BYTES]) {
    /*
     * Flex Consumption and Consumption on Linux do not set the first. (Source: "Environment
     * variables and app settings in Azure App Service".)
     */
    const char *const names[] = {"WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME", "CONTAINER_NAME",
                                 instance_setting.name};
    enum { NAMES = sizeof names / sizeof names[0], AZURE_NAMES = NAMES - 1, SHOWN_LENGTH = 8 };
    snprintf(out, INSTANCE_NAME_BYTES, "%d", (int)getpid());
    for (size_t i = 0; i < NAMES; i++) {
        const char *name = config_source_get(source, names[i]);
        if (name != NULL && name[0] != '\0') {
            size_t length = strlen(name);
            /* Azure's names begin alike, and differ at their ends. */
            bool is_cut = i < AZURE_NAMES && length > SHOWN_LENGTH;
            snprintf(out, INSTANCE_NAME_BYTES, "%s", is_cut ? name + length - SHOWN_LENGTH : name);
            break;
        }
    }
    utf8_make_line(out);
}

static enum status resolve_account(const struct config_source *source, struct draft *draft,
                                   struct error *err) {
    struct app_settings *settings = &draft->settings;
    settings->uses_tokens =
        account_settings_use_tokens(source, &draft->uris, settings->uses_tokens);
    struct account_choice choice = {
        .uris = draft->uris,
        .authentication = &settings->authentication,
        .uses_tokens = settings->uses_tokens,
        .needs_tables = settings->store_kind == STORE_TABLE,
    };
    return account_settings_resolve(source, &choice, &settings->account, err);
}

static enum status fill_draft(const struct config_source *source, struct draft *draft,
                              struct error *err) {
    read_instance_name(source, draft->settings.instance);
    draft->settings.started_by_host =
        config_source_get(source, "FUNCTIONS_HTTPWORKER_PORT") != NULL;
    enum status status = read_table(source, draft, err);
    draft->settings.seeds = draft->seeds.items; /* also after a failure, so that they are freed */
    draft->settings.inventory.seeds = draft->seeds.items;
    draft->settings.inventory.seed_count = draft->seeds.count;
    if (status == STATUS_OK) {
        status = check_max_lifetime(source, &draft->settings.inventory, err);
    }
    if (status == STATUS_OK) {
        status = make_lease_options(source, draft, err);
    }
    if (status == STATUS_OK) {
        status = resolve_account(source, draft, err);
    }
    if (status == STATUS_OK && uses_tls(&draft->settings)) {
        status = setting_read(&ca_file, source, draft, err);
    }
    return status;
}

enum status app_settings_load(const char *folder, char *const *environment,
                              struct app_settings *out, struct error *err) {
    struct config_source source;
    enum status status = config_source_load(folder, environment, &source, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct draft draft = standard_draft();
    status = fill_draft(&source, &draft, err);
    config_source_cleanup(&source);
    if (status == STATUS_OK) {
        *out = draft.settings;
    } else {
        app_settings_cleanup(&draft.settings);
    }
    crypto_wipe(&draft, sizeof draft);
    return status;
}

void app_settings_cleanup(struct app_settings *settings) {
    struct sign_in_options *authentication = &settings->authentication;
    char *texts[] = {
        authentication->managed_identity_client_id,
        authentication->azure_client_id,
        authentication->workload_tenant_id,
        authentication->workload_client_id,
        authentication->workload_token_file_path,
        authentication->principal_tenant_id,
        authentication->principal_client_id,
        authentication->principal_client_secret,
        authentication->principal_certificate_path,
        authentication->identity_endpoint,
        authentication->identity_header,
        settings->ca_file,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i] != NULL) {
            crypto_wipe(texts[i], strlen(texts[i]));
            free(texts[i]);
        }
    }
    storage_account_wipe(&settings->account);
    lease_options_cleanup(&settings->lease);
    free(settings->seeds);
    *settings = (struct app_settings){0};
}
