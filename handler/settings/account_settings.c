#include "settings/account_settings.h"

#include <stdio.h>
#include <string.h>

#define LEASING "DistributedLeasing:"
#define WORKLOAD LEASING "Authentication:WorkloadIdentity:"
#define PRINCIPAL LEASING "Authentication:ServicePrincipal:"

const struct setting account_connection_string = {
    LEASING "ConnectionString",
    .is_secret = true,
    .allowed = "an Azure Storage connection string or UseDevelopmentStorage=true",
    .group = SETTING_ACCOUNT,
    .about = "Signs in with an account key or a SAS.",
};

static bool is_set(const char *text) {
    return text != NULL && *text != '\0';
}

static enum status read_connection_string(const struct config_item *item,
                                          struct storage_account *out, struct error *err) {
    struct error detail = {0};
    enum status status = setting_check_item(&account_connection_string, item, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = storage_account_parse(item->value, out, &detail);
    return status == STATUS_OK ? STATUS_OK
                               : error_set(err, status, "%s: %s; allowed: %s", item->written,
                                           detail.message, account_connection_string.allowed);
}

/* Refuses the first of `names` that is not given. `given` has an entry for each name. */
static enum status need_all(const char *mode, const char *const *names, const bool *given,
                            size_t count, struct error *err) {
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
        return need_all("WorkloadIdentity", workload_names, given, 3, err);
    }
    if (options->mode == SIGN_IN_SERVICE_PRINCIPAL) {
        const bool given[] = {is_set(options->principal_tenant_id),
                              is_set(options->principal_client_id),
                              is_set(options->principal_client_secret) ||
                                  is_set(options->principal_certificate_path)};
        return need_all("ServicePrincipal", principal_names, given, 3, err);
    }
    return STATUS_OK;
}

bool account_settings_use_tokens(const struct config_source *source,
                                 const struct account_uris *uris, bool use_managed_identity) {
    bool is_given = is_set(config_source_get(source, LEASING "UseManagedIdentity"));
    return is_given
               ? use_managed_identity
               : is_set(uris->blob) && setting_find(&account_connection_string, source) == NULL;
}

static enum status check_sign_in(const struct config_source *source,
                                 const struct account_choice *choice, struct storage_account *out,
                                 struct error *err) {
    const struct config_item *text = setting_find(&account_connection_string, source);
    bool has_uri = is_set(choice->uris.blob);
    if (!choice->uses_tokens && text == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is not set; allowed: %s%s",
                         account_connection_string.name, account_connection_string.allowed,
                         has_uri ? ", since " LEASING "UseManagedIdentity is false"
                                 : ", or " LEASING "StorageAccountUri to sign in without a key");
    }
    if (!choice->uses_tokens) {
        return read_connection_string(text, out, err);
    }
    if (!has_uri) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         LEASING
                         "StorageAccountUri is not set, and " LEASING
                         "UseManagedIdentity=true needs it; allowed: " BLOB_ADDRESS_ALLOWED);
    }
    return check_mode(choice->authentication, err);
}

enum status account_settings_resolve(const struct config_source *source,
                                     const struct account_choice *choice,
                                     struct storage_account *out, struct error *err) {
    const struct account_uris *uris = &choice->uris;
    enum status status = check_sign_in(source, choice, out, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (is_set(uris->blob)) {
        snprintf(out->blob_endpoint, sizeof out->blob_endpoint, "%s", uris->blob);
        storage_endpoint_for_tables(uris->blob, out->table_endpoint);
    }
    if (is_set(uris->table)) {
        snprintf(out->table_endpoint, sizeof out->table_endpoint, "%s", uris->table);
    }
    if (out->table_endpoint[0] == '\0' && choice->needs_tables) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "Inventory:TableServiceUri is not set, and it does not follow from the "
                         "blob endpoint %.160s; allowed: " TABLE_ADDRESS_ALLOWED,
                         out->blob_endpoint);
    }
    return STATUS_OK;
}
