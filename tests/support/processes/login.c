#include "support/processes/login.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/uuid.h"
#include "support/calls/http_client.h"
#include "support/checks/jwt.h"
#include "support/checks/sas.h"

enum { LIFETIME_S = 3600, USE_TIMEOUT_MS = 30000 };
#define NOWHERE "http://127.0.0.1:1" /* nobody listens there */

static void add(struct login_texts *texts, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct login_texts *texts, const char *format, ...) {
    ck_assert_int_lt(texts->count, LOGIN_MAX_TEXTS);
    char *text = texts->text[texts->count];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, LOGIN_TEXT_BYTES, format, arguments);
    va_end(arguments);
    ck_assert(length > 0 && length < LOGIN_TEXT_BYTES);
    texts->list[texts->count++] = text;
}

void login_add_setting(struct login *login, const char *setting) {
    add(&login->settings, "%s", setting);
}

static void add_authentication(struct login *login, const char *name, const char *value) {
    add(&login->settings, "DistributedLeasing:Authentication:%s=%s", name, value);
}

/* Characters that a form has to encode are among them. */
static void make_secret(const char *prefix, char *out, size_t size) {
    char id[UUID_TEXT_BYTES];
    ck_assert_int_eq(uuid_v4(random_system(), id), STATUS_OK);
    ck_assert_int_lt(snprintf(out, size, "%s~%s", prefix, id), (int)size);
}

/* --- each way --- */

static void write_connection_string(struct login *login, const struct azurite *azurite) {
    if (login->way == LOGIN_KEY) {
        snprintf(login->connection_string, sizeof login->connection_string, "%s",
                 azurite->connection_string);
        return;
    }
    sas_write(LIFETIME_S, login->sas);
    snprintf(login->connection_string, sizeof login->connection_string,
             "BlobEndpoint=https://127.0.0.1:%d/" AZURITE_ACCOUNT
             ";TableEndpoint=https://127.0.0.1:%d/" AZURITE_ACCOUNT ";SharedAccessSignature=%s",
             azurite->blob_port, azurite->table_port, login->sas);
}

static bool uses_tokens(enum login_way way) {
    return way != LOGIN_KEY && way != LOGIN_SAS;
}

static bool is_user_assigned(enum login_way way) {
    return way == LOGIN_APP_SERVICE_ASSIGNED || way == LOGIN_IMDS_ASSIGNED;
}

static bool asks_imds(enum login_way way) {
    return way == LOGIN_IMDS || way == LOGIN_IMDS_ASSIGNED;
}

static bool asks_app_service(enum login_way way) {
    return way == LOGIN_APP_SERVICE || way == LOGIN_APP_SERVICE_ASSIGNED;
}

static bool is_principal(enum login_way way) {
    return way == LOGIN_SECRET || way == LOGIN_CERTIFICATE;
}

static void write_token_file(const struct login *login) {
    char from[128], to[128];
    temp_folder_write(&login->folder, "new", login->federated_token);
    snprintf(from, sizeof from, "%s/new", login->folder.path);
    snprintf(to, sizeof to, "%s/token", login->folder.path);
    ck_assert_int_eq(rename(from, to), 0);
}

static void make_federated_token(struct login *login) {
    char *token = jwt_make_access_token(LIFETIME_S); /* any JWT will do */
    ck_assert_uint_lt(strlen(token), sizeof login->federated_token);
    strcpy(login->federated_token, token);
    free(token);
    write_token_file(login);
}

static void make_secrets(struct login *login) {
    if (asks_app_service(login->way)) {
        make_secret("identity header", login->header_secret, sizeof login->header_secret);
    } else if (login->way == LOGIN_SECRET) {
        make_secret("a+b/c&d=e%20f", login->client_secret, sizeof login->client_secret);
    } else if (login->way == LOGIN_WORKLOAD) {
        make_federated_token(login);
    } else if (login->way == LOGIN_CLI) {
        login->cli_token = jwt_make_access_token(LIFETIME_S);
        az_stub_answer(&login->az, login->cli_token, LIFETIME_S);
    }
}

static const char *or_null(const char *text) {
    return text[0] == '\0' ? NULL : text;
}

static void start_server(struct login *login, const struct certificates *certificates) {
    login->server = identity_server_start(&(struct identity_rules){
        .header_secret = or_null(login->header_secret),
        .client_secret = or_null(login->client_secret),
        .federated_token = or_null(login->federated_token),
        .certificate = login->way == LOGIN_CERTIFICATE ? certificates->app : NULL,
        .managed_identity = is_user_assigned(login->way) ? IDENTITY_CLIENT_ID : NULL,
    });
}

/*
 * What the platform or the user puts into the environment; for a configured way, only what has no
 * setting.
 */
static void set_environment(struct login *login, bool automatic,
                            const struct certificates *certificates) {
    struct login_texts *env = &login->env;
    const char *url = identity_server_url(login->server);
    add(env, "SSL_CERT_FILE=%s", certificates->ca);
    add(env, "%s", login->az.path);
    add(env, "AZURE_POD_IDENTITY_AUTHORITY_HOST=%s", asks_imds(login->way) ? url : NOWHERE);
    if (asks_app_service(login->way)) {
        add(env, "IDENTITY_ENDPOINT=%s/msi/token", url);
        add(env, "IDENTITY_HEADER=%s", login->header_secret);
    }
    if (!is_principal(login->way) && login->way != LOGIN_WORKLOAD) {
        return;
    }
    add(env, "AZURE_AUTHORITY_HOST=%s/", url);
    if (!automatic) {
        return;
    }
    add(env, "AZURE_TENANT_ID=%s", IDENTITY_TENANT_ID);
    add(env, "AZURE_CLIENT_ID=%s", IDENTITY_CLIENT_ID);
    if (login->way == LOGIN_SECRET) {
        add(env, "AZURE_CLIENT_SECRET=%s", login->client_secret);
    } else if (login->way == LOGIN_CERTIFICATE) {
        add(env, "AZURE_CLIENT_CERTIFICATE_PATH=%s", certificates->app);
    } else {
        add(env, "AZURE_FEDERATED_TOKEN_FILE=%s/token", login->folder.path);
    }
}

static void add_client(struct login *login, const char *section) {
    add(&login->settings, "DistributedLeasing:Authentication:%s:TenantId=%s", section,
        IDENTITY_TENANT_ID);
    add(&login->settings, "DistributedLeasing:Authentication:%s:ClientId=%s", section,
        IDENTITY_CLIENT_ID);
}

static void configure(struct login *login, const struct certificates *certificates) {
    if (login->way == LOGIN_WORKLOAD) {
        add_authentication(login, "Mode", "WorkloadIdentity");
        add_client(login, "WorkloadIdentity");
        add(&login->settings,
            "DistributedLeasing:Authentication:WorkloadIdentity:TokenFilePath=%s/token",
            login->folder.path);
    } else if (is_principal(login->way)) {
        add_authentication(login, "Mode", "ServicePrincipal");
        add_client(login, "ServicePrincipal");
    } else {
        add_authentication(login, "Mode",
                           login->way == LOGIN_CLI ? "Development" : "ManagedIdentity");
    }
    if (login->way == LOGIN_SECRET) {
        add_authentication(login, "ServicePrincipal:ClientSecret", login->client_secret);
    } else if (login->way == LOGIN_CERTIFICATE) {
        add_authentication(login, "ServicePrincipal:CertificatePath", certificates->app);
    }
}

void login_prepare(struct login *login, enum login_way way, bool automatic,
                   const struct azurite *azurite, const struct certificates *certificates) {
    *login = (struct login){.way = way};
    az_stub_make(&login->az);
    temp_folder_make(&login->folder);
    make_secrets(login);
    start_server(login, certificates);
    set_environment(login, automatic, certificates);
    if (!uses_tokens(way)) {
        write_connection_string(login, azurite);
        return;
    }
    add(&login->settings,
        "DistributedLeasing:StorageAccountUri=https://127.0.0.1:%d/" AZURITE_ACCOUNT,
        azurite->blob_port);
    add(&login->settings, "Inventory:TableServiceUri=https://127.0.0.1:%d/" AZURITE_ACCOUNT,
        azurite->table_port);
    if (!automatic) {
        configure(login, certificates);
    }
    if (is_user_assigned(way)) {
        add_authentication(login, "ManagedIdentity:ClientId", IDENTITY_CLIENT_ID);
    }
}

void login_cleanup(struct login *login) {
    if (login->server == NULL) {
        return;
    }
    identity_server_stop(login->server);
    az_stub_remove(&login->az);
    temp_folder_remove(&login->folder);
    free(login->cli_token);
    *login = (struct login){.server = NULL};
}

static struct app_options options_of(const struct login *login) {
    return (struct app_options){.connection_string = or_null(login->connection_string),
                                .settings = login->settings.list,
                                .env = login->env.list};
}

void login_start_app(const struct login *login, struct app *app) {
    const struct app_options options = options_of(login);
    app_start(app, &options);
}

void login_start_handler(const struct login *login, struct app *app) {
    const struct app_options options = options_of(login);
    app_start_handler(app, &options);
}

void login_replace_federated_token(struct login *login) {
    make_federated_token(login);
    identity_server_expect_federated_token(login->server, login->federated_token);
}

/* --- using it --- */

static struct http_reply ask(const struct app *app, const char *path, const char *body) {
    return http_ask((struct http_ask){.port = app->port, .path = path, .body = body});
}

static void assert_answer(const struct app *app, const char *path, const char *body, int status,
                          const char *text) {
    struct http_reply reply = ask(app, path, body);
    if (reply.status != status || strstr(reply.body.data, text) == NULL) {
        ck_abort_msg("%s: %d %s, instead of %d %s\n%s", path, reply.status, reply.body.data, status,
                     text, process_output_from(&app->process, 0));
    }
    http_reply_cleanup(&reply);
}

void login_use_functions(struct app *app) {
    static const char two_units[] = "{\"quantity\":2,\"customerId\":\"CUST-123\"}";
    size_t from = process_output_length(&app->process);
    assert_answer(app, "/api/inventory/PROD-001/reserve", two_units, 200,
                  "Successfully reserved 2 units");
    assert_answer(app, "/api/inventory/PROD-001", NULL, 200, "\"customerId\":\"CUST-123\"");
    assert_answer(app, "/api/inventory/PROD-001/release", two_units, 200,
                  "Successfully released 2 units");
    assert_answer(app, "/admin/functions/ReconcileInventory", "{\"input\":\"\"}", 202, "");
    ck_assert(app_wait_for_log(app, from, "Executed 'Functions.ReconcileInventory' (Succeeded",
                               USE_TIMEOUT_MS));
}

/* --- secrets --- */

/* The file's lines of base64, each a secret of its own: the key's come first. */
static void add_private_key(const char *path, struct secret_search *search) {
    FILE *file = fopen(path, "r");
    char line[256];
    bool in_key = false;
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (strncmp(line, "-----", 5) == 0) {
            in_key = strstr(line, "BEGIN") != NULL && strstr(line, "KEY") != NULL;
        } else if (in_key && strlen(line) > 8) {
            secret_search_add(search, "the private key", line);
        }
    }
    fclose(file);
}

static void add_signature(const char *sas, struct secret_search *search) {
    const char *signature = strstr(sas, "sig=");
    if (signature != NULL) {
        secret_search_add(search, "the SAS's signature", signature + strlen("sig="));
    }
}

void login_add_secrets(const struct login *login, const struct certificates *certificates,
                       struct secret_search *search) {
    secret_search_add(search, "IDENTITY_HEADER", login->header_secret);
    secret_search_add(search, "the client secret", login->client_secret);
    secret_search_add(search, "the federated token", login->federated_token);
    secret_search_add(search, "az's token", login->cli_token == NULL ? "" : login->cli_token);
    add_signature(login->sas, search);
    if (login->way == LOGIN_KEY) {
        secret_search_add(search, "the account key", AZURITE_KEY);
    }
    if (login->way == LOGIN_CERTIFICATE) {
        add_private_key(certificates->app, search);
    }
    for (size_t i = 0; i < identity_server_count(login->server); i++) {
        const struct identity_request *request = identity_server_request(login->server, i);
        secret_search_add(search, "an access token", request->token);
        secret_search_add(search, "a client assertion", request->assertion);
    }
}

const char *login_name(enum login_way way) {
    static const char *const names[LOGIN_WAYS] = {
        [LOGIN_KEY] = "account key",
        [LOGIN_SAS] = "SAS",
        [LOGIN_APP_SERVICE] = "App Service",
        [LOGIN_APP_SERVICE_ASSIGNED] = "App Service, user-assigned",
        [LOGIN_IMDS] = "IMDS",
        [LOGIN_IMDS_ASSIGNED] = "IMDS, user-assigned",
        [LOGIN_WORKLOAD] = "workload identity",
        [LOGIN_SECRET] = "service principal with a secret",
        [LOGIN_CERTIFICATE] = "service principal with a certificate",
        [LOGIN_CLI] = "az",
        [LOGIN_NONE] = "nothing",
    };
    return names[way];
}
