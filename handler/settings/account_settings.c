#include "settings/account_settings.h"

#include <stdio.h>
#include <string.h>

#include "settings/setting.h"

#define LEASING "DistributedLeasing:"
#define WORKLOAD LEASING "Authentication:WorkloadIdentity:"
#define PRINCIPAL LEASING "Authentication:ServicePrincipal:"

/* Not in the settings table: its parser has more to say than yes or no. */
static const struct setting connection_string = {
    LEASING "ConnectionString",
    .is_secret = true,
    .allowed = "an Azure Storage connection string or UseDevelopmentStorage=true",
};

static bool is_set(const char *text) {
    return text != NULL && *text != '\0';
}

static enum status use_connection_string(const struct config_item *item,
                                         struct storage_account *out, struct error *err) {
    struct error detail = {0};
    enum status status = setting_check_item(&connection_string, item, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = storage_account_parse(item->value, out, &detail);
    return status == STATUS_OK ? STATUS_OK
                               : error_set(err, status, "%s: %s; allowed: %s", item->written,
                                           detail.message, connection_string.allowed);
}

/* `names` and `values` go together; the last value may be one of two. */
static enum status need(const char *mode, const char *const *names, const bool *given, size_t count,
                        struct error *err) {
    for (size_t i = 0; i < count; i++) {
        if (!given[i]) {
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "%s is not set; allowed: a text, which " LEASING
                             "Authentication:Mode=%s needs",
                             names[i], mode);
        }
    }
    return STATUS_OK;
}

static enum status check_mode(const struct sign_in_options *options, struct error *err) {
    static const char *const workload_names[] = {
        WORKLOAD "TenantId (or AZURE_TENANT_ID)",
        WORKLOAD "ClientId (or AZURE_CLIENT_ID)",
        WORKLOAD "TokenFilePath (or AZURE_FEDERATED_TOKEN_FILE)",
    };
    static const char *const principal_names[] = {
        PRINCIPAL "TenantId (or AZURE_TENANT_ID)",
        PRINCIPAL "ClientId (or AZURE_CLIENT_ID)",
        PRINCIPAL "ClientSecret (or AZURE_CLIENT_SECRET) or CertificatePath (or "
                  "AZURE_CLIENT_CERTIFICATE_PATH)",
    };
    if (options->mode == SIGN_IN_WORKLOAD_IDENTITY) {
        const bool given[] = {is_set(options->workload_tenant_id),
                              is_set(options->workload_client_id),
                              is_set(options->workload_token_file_path)};
        return need("WorkloadIdentity", workload_names, given, 3, err);
    }
    if (options->mode == SIGN_IN_SERVICE_PRINCIPAL) {
        const bool given[] = {is_set(options->principal_tenant_id),
                              is_set(options->principal_client_id),
                              is_set(options->principal_client_secret) ||
                                  is_set(options->principal_certificate_path)};
        return need("ServicePrincipal", principal_names, given, 3, err);
    }
    return STATUS_OK;
}

bool account_settings_use_tokens(const struct config_source *source,
                                 const struct account_uris *uris,
                                 const struct app_settings *settings) {
    bool is_told = is_set(config_source_get(source, LEASING "UseManagedIdentity"));
    return is_told ? settings->use_managed_identity
                   : is_set(uris->blob) && setting_find(&connection_string, source) == NULL;
}

static enum status sign_in(const struct config_source *source, const struct account_uris *uris,
                           struct app_settings *settings, struct error *err) {
    const struct config_item *text = setting_find(&connection_string, source);
    bool has_uri = is_set(uris->blob);
    settings->use_managed_identity = account_settings_use_tokens(source, uris, settings);
    if (!settings->use_managed_identity && text == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is not set; allowed: %s%s",
                         connection_string.name, connection_string.allowed,
                         has_uri ? ", since " LEASING "UseManagedIdentity is false"
                                 : ", or " LEASING "StorageAccountUri to sign in without a key");
    }
    if (!settings->use_managed_identity) {
        return use_connection_string(text, &settings->account, err);
    }
    if (!has_uri) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         LEASING
                         "StorageAccountUri is not set, and " LEASING
                         "UseManagedIdentity=true needs it; allowed: " BLOB_ADDRESS_ALLOWED);
    }
    return check_mode(&settings->authentication, err);
}

enum status account_settings_resolve(const struct config_source *source,
                                     const struct account_uris *uris, struct app_settings *settings,
                                     struct error *err) {
    struct storage_account *account = &settings->account;
    enum status status = sign_in(source, uris, settings, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (is_set(uris->blob)) {
        snprintf(account->blob_endpoint, sizeof account->blob_endpoint, "%s", uris->blob);
        storage_endpoint_for_tables(uris->blob, account->table_endpoint);
    }
    if (is_set(uris->table)) {
        snprintf(account->table_endpoint, sizeof account->table_endpoint, "%s", uris->table);
    }
    if (account->table_endpoint[0] == '\0' && settings->store_kind == STORE_TABLE) {
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "Inventory:TableServiceUri is not set, and the blob endpoint %.160s does not tell it; "
            "allowed: " TABLE_ADDRESS_ALLOWED,
            account->blob_endpoint);
    }
    return STATUS_OK;
}
