/*
 * sign_in.h - chooses the credential that signs requests.
 *
 * It is the account's SAS or key, if there is one. Otherwise it is tokens, from the source that the
 * options name. SIGN_IN_AUTO tries sources in the order of DefaultAzureCredential in Azure's own
 * SDKs: service principal (their "environment"), workload identity, managed identity, developer's
 * login.
 *
 * Threads      start, stop and cleanup belong to a thread that is not the loop's. The credential
 *              belongs to the loop's thread.
 */
#ifndef IDENTITY_SIGN_IN_H
#define IDENTITY_SIGN_IN_H

#include "base/status.h"
#include "http/event_loop.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "identity/token_cache.h"
#include "identity/token_source.h"

enum sign_in_mode {
    SIGN_IN_AUTO,
    SIGN_IN_MANAGED_IDENTITY,
    SIGN_IN_WORKLOAD_IDENTITY,
    SIGN_IN_SERVICE_PRINCIPAL,
    SIGN_IN_DEVELOPMENT,
};

/* The strings belong to whoever made the options. NULL or "": not set. */
struct sign_in_options {
    enum sign_in_mode mode;
    char *managed_identity_client_id;
    char *azure_client_id; /* AZURE_CLIENT_ID: Auto uses it for a user-assigned identity */
    char *workload_tenant_id, *workload_client_id, *workload_token_file_path;
    char *principal_tenant_id, *principal_client_id, *principal_client_secret,
        *principal_certificate_path;
    char *identity_endpoint, *identity_header; /* of App Service */
    char imds_host[STORAGE_ENDPOINT_BYTES];    /* "http://169.254.169.254" */
    char authority[STORAGE_ENDPOINT_BYTES];    /* "https://login.microsoftonline.com" */
    char *const *environment;                  /* for az: "NAME=value", NULL at the end */
};

struct sign_in {
    struct credential *credential; /* the chosen one */
    struct credential_shared_key shared_key;
    struct credential_sas sas;
    struct token_source_app_service app_service;
    struct token_source_imds imds;
    struct token_source_workload workload;
    struct token_source_principal principal;
    struct token_source_cli cli;
    struct token_source_auto automatic;
    struct token_cache cache;
    bool has_cache;
    bool is_cache_running; /* on the loop */
    struct loop_task start_task;
};

/*
 * Chooses the credential and logs the choice (Auto logs it with the first token). Starts fetching
 * tokens if the credential needs them. Everything is borrowed until cleanup. The options must hold
 * what their mode needs.
 * STATUS_INTERNAL: OpenSSL rejected the key; there is nothing to clean up
 */
enum status sign_in_start(struct sign_in *sign_in, const struct storage_account *account,
                          const struct sign_in_options *options, const struct platform *platform,
                          struct error *err) MUST_CHECK;

/*
 * Stops fetching tokens, and kills az if it runs. The present token stays in use. Call it while the
 * loop runs. Calling it again is fine.
 */
void sign_in_stop(struct sign_in *sign_in);

/* Call it after stop, when no request is open any more. */
void sign_in_cleanup(struct sign_in *sign_in);

#endif
