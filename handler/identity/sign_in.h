/*
 * sign_in.h - which credential signs requests: the account's key or SAS where there is one, else
 * tokens, from where the options say.
 *
 * Auto is the order of DefaultAzureCredential in Azure's own SDKs: service principal (their
 * "environment"), workload identity, managed identity, the developer's login.
 * Threads      start, stop and release belong to a thread that is not the loop's; the credential
 *              belongs to the loop's.
 */
#ifndef IDENTITY_SIGN_IN_H
#define IDENTITY_SIGN_IN_H

#include "base/status.h"
#include "http/platform.h"
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

/* Whose strings they are is their maker's business; NULL or "" where not set. */
struct sign_in_options {
    enum sign_in_mode mode;
    char *managed_identity_client_id;
    char *azure_client_id; /* AZURE_CLIENT_ID: a user-assigned identity's, if Auto comes to that */
    char *workload_tenant_id, *workload_client_id, *workload_token_file_path;
    char *principal_tenant_id, *principal_client_id, *principal_client_secret,
        *principal_certificate_path;
    char *identity_endpoint, *identity_header; /* App Service's */
    char imds_host[STORAGE_ENDPOINT_BYTES];    /* "http://169.254.169.254" */
    char authority[STORAGE_ENDPOINT_BYTES];    /* "https://login.microsoftonline.com" */
    char *const *environment;                  /* for az: "NAME=value", NULL at the end */
};

struct sign_in {
    struct credential *credential; /* to sign with */
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
    bool is_running;        /* the cache is, on the loop */
    struct loop_task start; /* starts it */
};

/*
 * Chooses, says in the log which it is (Auto says it with the first token), and starts fetching
 * tokens if it takes tokens.
 * All is borrowed until release. What a mode needs must be there.
 * STATUS_INTERNAL: OpenSSL refused the key; nothing to release.
 */
enum status sign_in_start(struct sign_in *sign_in, const struct storage_account *account,
                          const struct sign_in_options *options, const struct platform *platform,
                          struct error *err) MUST_CHECK;

/*
 * No more tokens are fetched, and an az that runs is killed; the present token is still used. While
 * the loop runs. Safe to repeat.
 */
void sign_in_stop(struct sign_in *sign_in);

/* After stop, when no request is open any more. */
void sign_in_cleanup(struct sign_in *sign_in);

#endif
