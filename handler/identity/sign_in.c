#include "identity/sign_in.h"

#include <string.h>

#include "base/log.h"
#include "http/loop_call.h"
#include "http/platform.h"

static bool is_set(const char *text) {
    return text != NULL && *text != '\0';
}

static bool has_app_service(const struct sign_in_options *options) {
    return is_set(options->identity_endpoint) && is_set(options->identity_header);
}

static bool has_workload(const struct sign_in_options *options) {
    return is_set(options->workload_tenant_id) && is_set(options->workload_client_id) &&
           is_set(options->workload_token_file_path);
}

static bool has_principal(const struct sign_in_options *options) {
    return is_set(options->principal_tenant_id) && is_set(options->principal_client_id) &&
           (is_set(options->principal_client_secret) ||
            is_set(options->principal_certificate_path));
}

/* A secret goes before a certificate. */
static struct token_source *use_principal(struct sign_in *sign_in,
                                          const struct sign_in_options *options) {
    struct token_client client = {options->authority, options->principal_tenant_id,
                                  options->principal_client_id};
    const char *secret =
        is_set(options->principal_client_secret) ? options->principal_client_secret : NULL;
    token_source_principal_init(&sign_in->principal, &client, secret,
                                options->principal_certificate_path);
    return &sign_in->principal.http.base;
}

static struct token_source *use_workload(struct sign_in *sign_in,
                                         const struct sign_in_options *options) {
    struct token_client client = {options->authority, options->workload_tenant_id,
                                  options->workload_client_id};
    token_source_workload_init(&sign_in->workload, &client, options->workload_token_file_path);
    return &sign_in->workload.http.base;
}

static struct token_source *use_managed_identity(struct sign_in *sign_in,
                                                 const struct sign_in_options *options) {
    bool is_auto = options->mode == SIGN_IN_AUTO;
    const char *client_id = options->managed_identity_client_id;
    if (!is_set(client_id)) {
        client_id = is_auto && is_set(options->azure_client_id) ? options->azure_client_id : NULL;
    }
    if (has_app_service(options)) {
        token_source_app_service_init(&sign_in->app_service, options->identity_endpoint,
                                      options->identity_header, client_id);
        return &sign_in->app_service.http.base;
    }
    token_source_imds_init(&sign_in->imds, options->imds_host, client_id, is_auto);
    return &sign_in->imds.http.base;
}

static struct token_source *use_cli(struct sign_in *sign_in,
                                    const struct sign_in_options *options) {
    token_source_cli_init(&sign_in->cli, options->environment);
    return &sign_in->cli.base;
}

static void add_choice(struct sign_in *sign_in, const char *label, struct token_source *source,
                       const char *missing) {
    struct token_source_auto *automatic = &sign_in->automatic;
    automatic->choices[automatic->count++] = (struct token_source_choice){
        .label = label, .source = source, .missing = source == NULL ? missing : NULL};
}

static struct token_source *use_auto(struct sign_in *sign_in,
                                     const struct sign_in_options *options) {
    token_source_auto_init(&sign_in->automatic);
    add_choice(sign_in, "service principal",
               has_principal(options) ? use_principal(sign_in, options) : NULL,
               "tenant, client, and secret or certificate are not all set");
    add_choice(sign_in, "workload identity",
               has_workload(options) ? use_workload(sign_in, options) : NULL,
               "tenant, client and token file are not all set");
    add_choice(sign_in, "managed identity", use_managed_identity(sign_in, options), NULL);
    add_choice(sign_in, "developer's login", use_cli(sign_in, options), NULL);
    return &sign_in->automatic.base;
}

static struct token_source *use_source(struct sign_in *sign_in,
                                       const struct sign_in_options *options) {
    switch (options->mode) {
    case SIGN_IN_MANAGED_IDENTITY:
        return use_managed_identity(sign_in, options);
    case SIGN_IN_WORKLOAD_IDENTITY:
        return use_workload(sign_in, options);
    case SIGN_IN_SERVICE_PRINCIPAL:
        return use_principal(sign_in, options);
    case SIGN_IN_DEVELOPMENT:
        return use_cli(sign_in, options);
    case SIGN_IN_AUTO:
    default:
        return use_auto(sign_in, options);
    }
}

static void start_cache(void *context) {
    struct sign_in *sign_in = context;
    token_cache_start(&sign_in->cache);
}

static void use_tokens(struct sign_in *sign_in, const struct sign_in_options *options,
                       const struct platform *platform) {
    struct token_source *source = use_source(sign_in, options);
    if (options->mode != SIGN_IN_AUTO) {
        log_event(LOG_INFORMATION, "Signing in to storage with %s", source->name);
    }
    token_cache_init(&sign_in->cache, source, platform);
    sign_in->credential = &sign_in->cache.base;
    sign_in->has_cache = true;
    sign_in->is_cache_running = true;
    sign_in->start_task = (struct loop_task){.run = start_cache, .context = sign_in};
    event_loop_post(platform->loop, &sign_in->start_task);
}

enum status sign_in_start(struct sign_in *sign_in, const struct storage_account *account,
                          const struct sign_in_options *options, const struct platform *platform,
                          struct error *err) {
    *sign_in = (struct sign_in){0};
    if (account->sas[0] != '\0') {
        credential_sas_init(&sign_in->sas, account);
        sign_in->credential = &sign_in->sas.base;
        log_event(LOG_INFORMATION, "Signing in to storage with a shared access signature");
        return STATUS_OK;
    }
    if (account->key_length > 0) {
        enum status status = credential_shared_key_init(&sign_in->shared_key, account, err);
        if (status != STATUS_OK) {
            return status;
        }
        sign_in->credential = &sign_in->shared_key.base;
        log_event(LOG_INFORMATION, "Signing in to storage with the account's key");
        return STATUS_OK;
    }
    use_tokens(sign_in, options, platform);
    return STATUS_OK;
}

/* Of a thread that waits until the cache has stopped. */
struct stop_wait {
    struct loop_call call;
    struct sign_in *sign_in;
};

static void on_stopped(void *context) {
    struct stop_wait *wait = context;
    loop_call_end(&wait->call);
}

static void begin_stop(void *context) {
    struct stop_wait *wait = context;
    token_cache_stop(&wait->sign_in->cache, on_stopped, wait);
}

void sign_in_stop(struct sign_in *sign_in) {
    if (sign_in->is_cache_running) {
        struct stop_wait wait = {.sign_in = sign_in};
        loop_call_run(&wait.call, sign_in->cache.platform->loop, begin_stop, &wait);
        sign_in->is_cache_running = false;
    }
}

void sign_in_cleanup(struct sign_in *sign_in) {
    if (sign_in->has_cache) {
        token_cache_cleanup(&sign_in->cache);
    }
    credential_shared_key_cleanup(&sign_in->shared_key);
}
