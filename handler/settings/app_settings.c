#include "settings/app_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/timespan.h"
#include "base/utf8.h"
#include "lease/lease_names.h"
#include "settings/account_settings.h"
#include "settings/config_source.h"
#include "settings/setting.h"
#include "settings/setting_rules.h"

#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

enum { TEXT_MAX_LENGTH = 1024 };

/* The settings as far as they have been read, with those that become something else in the end. */
struct draft {
    struct app_settings settings;
    struct account_uris uris;
    int64_t renew_interval_ms; /* 0 where not given */
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
static const struct setting_choice stores[] = {{"Table", STORE_TABLE}, {"Memory", STORE_MEMORY}, {NULL, 0}};

#define LEASING "DistributedLeasing:"
#define IDENTITY LEASING "Authentication:ManagedIdentity:"
#define WORKLOAD LEASING "Authentication:WorkloadIdentity:"
#define PRINCIPAL LEASING "Authentication:ServicePrincipal:"

#define INTO(member) .offset = offsetof(struct draft, member)
#define FROM(lowest, highest) .least = (lowest), .most = (highest)
#define TRUE_OR_FALSE .parse = setting_parse_bool, .allowed = "true or false"
#define TEXT \
    .parse = setting_parse_text, FROM(1, TEXT_MAX_LENGTH), .allowed = "1 to 1024 characters, none of them a control"

/* clang-format off */
static const struct setting table[] = {
    {"FUNCTIONS_CUSTOMHANDLER_PORT", INTO(settings.port), .parse = setting_parse_int, FROM(1, 65535),
     .allowed = "a whole number from 1 to 65535"},
    {"AzureFunctionsJobHost:extensions:http:routePrefix", INTO(settings.route_prefix),
     .parse = setting_parse_route_prefix,
     .may_be_empty = true, .allowed = "up to 127 of A-Z a-z 0-9 . _ ~ - / (host.json's extensions.http.routePrefix)"},
    {"Logging:LogLevel:Default", INTO(settings.log_level), .parse = setting_parse_log_level,
     .allowed = "Trace, Debug, Information, Warning, Error, Critical, None"},

    {LEASING "StorageAccountUri", LEASING "Endpoint", INTO(uris.blob), .parse = setting_parse_endpoint,
     .allowed = BLOB_ADDRESS_ALLOWED},
    {LEASING "UseManagedIdentity", INTO(settings.use_managed_identity), TRUE_OR_FALSE},
    {LEASING "Authentication:Mode", INTO(settings.authentication.mode), .parse = setting_parse_choice, .choices = modes,
     .allowed = "Auto, ManagedIdentity, WorkloadIdentity, FederatedCredential, ServicePrincipal, Development"},
    {IDENTITY "ClientId", INTO(settings.authentication.managed_identity_client_id), TEXT},
    {"AZURE_CLIENT_ID", INTO(settings.authentication.azure_client_id), TEXT},
    {WORKLOAD "TenantId", "AZURE_TENANT_ID", INTO(settings.authentication.workload_tenant_id), TEXT},
    {WORKLOAD "ClientId", "AZURE_CLIENT_ID", INTO(settings.authentication.workload_client_id), TEXT},
    {WORKLOAD "TokenFilePath", "AZURE_FEDERATED_TOKEN_FILE", INTO(settings.authentication.workload_token_file_path),
     TEXT},
    {PRINCIPAL "TenantId", "AZURE_TENANT_ID", INTO(settings.authentication.principal_tenant_id), TEXT},
    {PRINCIPAL "ClientId", "AZURE_CLIENT_ID", INTO(settings.authentication.principal_client_id), TEXT},
    {PRINCIPAL "ClientSecret", "AZURE_CLIENT_SECRET", INTO(settings.authentication.principal_client_secret), TEXT,
     .is_secret = true},
    {PRINCIPAL "CertificatePath", "AZURE_CLIENT_CERTIFICATE_PATH",
     INTO(settings.authentication.principal_certificate_path), TEXT},
    {"AZURE_AUTHORITY_HOST", INTO(settings.authentication.authority), .parse = setting_parse_endpoint,
     .allowed = ADDRESS_ALLOWED "like https://login.microsoftonline.com"},
    {"AZURE_POD_IDENTITY_AUTHORITY_HOST", INTO(settings.authentication.imds_host), .parse = setting_parse_any_endpoint,
     .allowed = "an http or https address without a query, like http://169.254.169.254"},
    {"IDENTITY_ENDPOINT", INTO(settings.authentication.identity_endpoint), TEXT},
    {"IDENTITY_HEADER", INTO(settings.authentication.identity_header), TEXT, .is_secret = true},
    {"SSL_CERT_FILE", INTO(settings.ca_file), .parse = setting_parse_readable_file, FROM(1, TEXT_MAX_LENGTH),
     .allowed = "a file that can be read, with certificates in PEM form"},

    {LEASING "ContainerName", INTO(settings.lease_store.container), .parse = setting_parse_container_name,
     .allowed = "3 to 63 lower-case letters, digits and single hyphens, a letter or digit first and last"},
    {LEASING "CreateContainerIfNotExists", INTO(settings.lease_store.create_container), TRUE_OR_FALSE},
    {LEASING "BlobPrefix", LEASING "KeyPrefix", INTO(settings.lease_store.blob_prefix),
     .parse = setting_parse_blob_prefix, .may_be_empty = true, .allowed = LEASE_PREFIX_ALLOWED},

    {LEASING "AutoRenew", INTO(settings.lease.auto_renew), TRUE_OR_FALSE},
    {LEASING "DefaultLeaseDuration", INTO(settings.lease.duration_s), .parse = setting_parse_lease_duration,
     .allowed = "whole seconds from 00:00:15 to 00:01:00, or Infinite"},
    {LEASING "AutoRenewInterval", INTO(renew_interval_ms), .parse = setting_parse_ms, FROM(1, INT64_MAX),
     .allowed = "a time span from 00:00:00.001, below the safety threshold"},
    {LEASING "AutoRenewMaxRetries", INTO(settings.lease.renew_max_retries), .parse = setting_parse_int, FROM(0, 100),
     .allowed = "a whole number from 0 to 100"},
    {LEASING "AutoRenewRetryInterval", INTO(settings.lease.renew_retry_ms),
     .parse = setting_parse_ms, FROM(1, MINUTE_MS), .allowed = "a time span from 00:00:00.001 to 00:01:00"},
    {LEASING "AutoRenewSafetyThreshold", INTO(settings.lease.safety_threshold), .parse = setting_parse_safety_threshold,
     .allowed = "a decimal number from 0.5 to 0.95"},
    {LEASING "AcquireTimeout", INTO(settings.lease.acquire_timeout_ms),
     .parse = setting_parse_ms, FROM(0, 10 * MINUTE_MS), .allowed = "a time span from 00:00:00 to 00:10:00"},
    {LEASING "AcquireRetryInterval", INTO(settings.lease.acquire_retry_ms),
     .parse = setting_parse_ms, FROM(1, MINUTE_MS), .allowed = "a time span from 00:00:00.001 to 00:01:00"},

    {"Inventory:Store", INTO(settings.store_kind),
     .parse = setting_parse_choice, .choices = stores, .allowed = "Table, Memory"},
    {"Inventory:TableServiceUri", INTO(uris.table), .parse = setting_parse_endpoint,
     .allowed = TABLE_ADDRESS_ALLOWED},
    {"Inventory:TableName", INTO(settings.table_name), .parse = setting_parse_table_name,
     .allowed = "3 to 63 letters and digits, a letter first, not \"tables\""},
    {"Inventory:ReservationLifetime", INTO(settings.inventory.reservation_lifetime_ms), .parse = setting_parse_ms,
     FROM(1, 3650 * DAY_MS), .allowed = "a time span from 00:00:00.001 to 3650.00:00:00"},
    {"Inventory:SeedProducts", INTO(settings), .parse = setting_parse_seed_products,
     .allowed = "ID=N;ID=N with different IDs (" PRODUCT_ID_ALLOWED ") and N from 0 to 1000000000"},
    {"Inventory:ProcessingTime", INTO(settings.inventory.processing_time_ms),
     .parse = setting_parse_ms, FROM(0, HOUR_MS), .allowed = "a time span from 00:00:00 to 01:00:00"},
};
/* clang-format on */

/* Not in the table: any name. */
#define METADATA LEASING "Metadata:"

static struct draft default_draft(void) {
    return (struct draft){
        .settings =
            {
                .port = 8080,
                .route_prefix = "api", /* the host's own default */
                .log_level = LOG_INFORMATION,
                .authentication = {.mode = SIGN_IN_AUTO,
                                   .imds_host = "http://169.254.169.254",
                                   .authority = "https://login.microsoftonline.com"},
                .lease = lease_options_default(),
                .lease_store = {.container = "leases", .blob_prefix = "lease-", .create_container = true},
                .store_kind = STORE_TABLE,
                .table_name = "inventory",
                .inventory = {.reservation_lifetime_ms = 30 * MINUTE_MS},
            },
    };
}

static enum status read_table(const struct config_source *source, struct draft *draft, struct error *err) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof table / sizeof table[0] && status == STATUS_OK; i++) {
        status = setting_read(&table[i], source, draft, err);
    }
    return status;
}

/* `name` is the NAME of DistributedLeasing:Metadata:NAME; `bytes` is what all so far take, this one included. */
static enum status add_metadata(const char *name, const char *value, size_t bytes, struct http_headers *metadata,
                                struct error *err) {
    if (!lease_metadata_name_is_valid(name) || !lease_metadata_value_is_valid(value) ||
        bytes > LEASE_METADATA_MAX_BYTES) {
        char full_name[sizeof METADATA + LEASE_METADATA_NAME_MAX_LENGTH];
        snprintf(full_name, sizeof full_name, METADATA "%s", name);
        const struct setting setting = {
            .name = full_name,
            .allowed =
                "a NAME of letters, digits and _, no digit first; a value of 1 to 1024 printable ASCII characters, no "
                "space first or last; 7 KiB in all",
        };
        return setting_refuse(&setting, value, err);
    }
    http_headers_add(metadata, name, value);
    return metadata->status == STATUS_OK ? STATUS_OK : error_set(err, metadata->status, "no memory for metadata");
}

static enum status read_metadata(const struct config_source *source, struct http_headers *metadata, struct error *err) {
    enum status status = STATUS_OK;
    size_t bytes = 0;
    for (size_t i = 0; i < source->count && status == STATUS_OK; i++) {
        const struct config_item *item = &source->items[i];
        bool wins = strncasecmp(item->name, METADATA, strlen(METADATA)) == 0 &&
                    config_source_get(source, item->name) == item->value;
        if (wins && item->value[0] != '\0') {
            const char *name = item->name + strlen(METADATA);
            bytes += strlen("lease_") + strlen(name) + strlen(item->value);
            status = add_metadata(name, item->value, bytes, metadata, err);
        }
    }
    return status;
}

static enum status refuse_renew_interval(const struct lease_options *lease, const char *value, struct error *err) {
    char limit[TIMESPAN_TEXT_BYTES];
    timespan_format((int64_t)(lease->safety_threshold * lease->duration_s * (double)SECOND_MS + 0.5), limit);
    char allowed[200];
    snprintf(allowed, sizeof allowed,
             "a time span from 00:00:00.001, below %.12s (AutoRenewSafetyThreshold of DefaultLeaseDuration)", limit);
    const struct setting setting = {.name = LEASING "AutoRenewInterval", .allowed = allowed};
    return setting_refuse(&setting, value, err);
}

/* The interval becomes a part of the duration, since leases of other durations are renewed in the same proportion. */
static enum status settle_renewal(const struct config_source *source, struct draft *draft, struct error *err) {
    struct lease_options *lease = &draft->settings.lease;
    bool is_set = draft->renew_interval_ms > 0 && lease->duration_s != LEASE_INFINITE_S;
    if (is_set) {
        lease->renew_fraction = (double)draft->renew_interval_ms / (lease->duration_s * (double)SECOND_MS);
    }
    if (lease->renew_fraction < lease->safety_threshold) {
        return STATUS_OK;
    }
    if (is_set) {
        return refuse_renew_interval(lease, config_source_get(source, LEASING "AutoRenewInterval"), err);
    }
    lease->renew_fraction = 0.75 * lease->safety_threshold; /* a default gives way to what is set */
    return STATUS_OK;
}

static void name_instance(const struct config_source *source, char out[INSTANCE_NAME_BYTES]) {
    const char *in_azure = config_source_get(source, "WEBSITE_INSTANCE_ID");
    const char *given = config_source_get(source, "HANDLER_INSTANCE");
    if (in_azure != NULL && in_azure[0] != '\0') {
        snprintf(out, INSTANCE_NAME_BYTES, "%.8s", in_azure);
    } else if (given != NULL && given[0] != '\0') {
        snprintf(out, INSTANCE_NAME_BYTES, "%s", given);
    } else {
        snprintf(out, INSTANCE_NAME_BYTES, "%d", (int)getpid());
    }
    utf8_make_line(out);
}

static enum status fill(const struct config_source *source, struct draft *draft, struct error *err) {
    name_instance(source, draft->settings.instance);
    enum status status = read_table(source, draft, err);
    if (status == STATUS_OK) {
        status = read_metadata(source, &draft->settings.lease_store.metadata, err);
    }
    if (status == STATUS_OK) {
        status = settle_renewal(source, draft, err);
    }
    return status == STATUS_OK ? account_settings_settle(source, &draft->uris, &draft->settings, err) : status;
}

enum status app_settings_load(const char *folder, char *const *environment, struct app_settings *out,
                              struct error *err) {
    struct config_source source;
    enum status status = config_source_load(folder, environment, &source, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct draft draft = default_draft();
    status = fill(&source, &draft, err);
    config_source_release(&source);
    if (status == STATUS_OK) {
        *out = draft.settings;
    } else {
        app_settings_release(&draft.settings);
    }
    crypto_wipe(&draft, sizeof draft);
    return status;
}

void app_settings_release(struct app_settings *settings) {
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
    http_headers_release(&settings->lease_store.metadata);
    free(settings->seeds);
    *settings = (struct app_settings){0};
}
