/*
 * login.h - every way in which the app can sign in to storage, each with what it needs: a test asks
 * for one and starts the app with it.
 *
 * Vocabulary   configured   the settings name the way (DistributedLeasing:Authentication:...)
 *              automatic    they do not: Mode is Auto, and the environment has what that way needs,
 *                           and nothing of the others
 * Rules        Storage is an Azurite over https. No way reaches this machine's own: IMDS's address
 *              is moved, and az is a stand-in with which nobody is signed in unless that is the
 *              way. Secrets are made anew, each unlike any other text.
 */
#ifndef SUPPORT_LOGIN_H
#define SUPPORT_LOGIN_H

#include <stdbool.h>

#include "support/checks/secret_search.h"
#include "support/fakes/az_stub.h"
#include "support/fakes/identity_server.h"
#include "support/processes/app.h"
#include "support/processes/azurite.h"
#include "support/processes/certificates.h"

enum login_way {
    LOGIN_KEY,
    LOGIN_SAS,
    LOGIN_APP_SERVICE,
    LOGIN_APP_SERVICE_ASSIGNED, /* user-assigned */
    LOGIN_IMDS,
    LOGIN_IMDS_ASSIGNED,
    LOGIN_WORKLOAD,
    LOGIN_SECRET,
    LOGIN_CERTIFICATE,
    LOGIN_CLI,
    LOGIN_NONE, /* nothing is there that could sign in */
    LOGIN_WAYS
};

enum { LOGIN_MAX_TEXTS = 24, LOGIN_TEXT_BYTES = 4352 };

struct login_texts {
    const char *list[LOGIN_MAX_TEXTS + 1]; /* ends with NULL */
    char text[LOGIN_MAX_TEXTS][LOGIN_TEXT_BYTES];
    int count;
};

struct login {
    enum login_way way;
    struct identity_server *server; /* for all but KEY, SAS and CLI, where nobody asks it */
    struct az_stub az;
    struct temp_folder folder; /* of the federated token's file, "token" */
    char connection_string[AZURITE_CONNECTION_STRING_BYTES + 512]; /* "" for tokens */
    struct login_texts settings, env;
    char header_secret[64], client_secret[64], federated_token[1024],
        sas[512];    /* "" where the way has none */
    char *cli_token; /* what az answers; NULL */
};

/*
 * For this account; its blobs' and tables' addresses become settings. `certificates` has the CA
 * that is trusted.
 */
void login_prepare(struct login *login, enum login_way way, bool automatic,
                   const struct azurite *azurite, const struct certificates *certificates);
void login_cleanup(struct login *login);

/* Adds "Name=value" to the app's settings. */
void login_add_setting(struct login *login, const char *setting);

/* Starts the app behind a host, and waits until it serves; or the handler alone. */
void login_start_app(const struct login *login, struct app *app);
void login_start_handler(const struct login *login, struct app *app);

/* Reserves, looks, releases and reconciles through the host: all must succeed. */
void login_use_functions(struct app *app);

/* Puts a new federated token into the file; the identity server takes it and no other. */
void login_replace_federated_token(struct login *login);

/* All secrets that this way has used by now: its own, the tokens, the assertions. */
void login_add_secrets(const struct login *login, const struct certificates *certificates,
                       struct secret_search *search);

/* For messages: "workload identity". */
const char *login_name(enum login_way way);

#endif
