/*
 * token_source.h - where tokens come from: one small interface, one file per kind (token_source_imds.c, ...).
 *
 * Each fetch asks once; when to ask again is token_cache's. What a source is set up with is borrowed for as long as it is used.
 *
 * Vocabulary   token      what "Authorization: Bearer" carries, made for the resource https://storage.azure.com/
 *              assertion  what stands for a client secret: a signed text that says who we are
 * Rules        Answers are hostile until proven: token_answer.h. Messages hold nothing that an endpoint could make us repeat but an
 *              error code.
 *              No question outlasts TOKEN_FETCH_MS by more than a moment, or the context's stop.
 *              Tokens, secrets, assertions and what held them are wiped.
 * Threads: a source belongs to one thread at a time, never the I/O thread.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_TOKEN_SOURCE_H
#define STORAGE_TOKEN_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "storage/http_transport.h"
#include "storage/token_answer.h"

#define TOKEN_RESOURCE "https://storage.azure.com/"

enum {
    TOKEN_FETCH_MS = 15000,      /* one question, or one run of az, which takes seconds to start */
    TOKEN_IMDS_PROBE_MS = 1000,  /* the first time, as in Azure's own SDKs */
    TOKEN_FILE_MAX_BYTES = 65536 /* a federated token, or a key with its certificates */
};

/* What a fetch works with. All borrowed. */
struct token_context {
    struct http_transport *transport;
    const struct clock *clock;
    struct http_call_group *group; /* cancelled to stop */
    int stop_fd;                   /* readable once it is time to stop */
};

struct token_source {
    const char *name; /* for people: "a managed identity (App Service)" */

    /*
     * Asks for a token; `out` (initialized) is filled on STATUS_OK alone.
     *
     * STATUS_NOT_FOUND      this way to sign in does not exist here (no such endpoint, no identity, no az, nobody logged in)
     * STATUS_UNAUTHORIZED   it exists, and refuses us
     * STATUS_UNAVAILABLE    it may work later; err's retry_after_ms is what was asked for
     * STATUS_MALFORMED, STATUS_TOO_LARGE   the answer is not one
     * STATUS_CANCELLED      the context's stop
     * STATUS_NO_MEMORY, STATUS_INTERNAL
     */
    enum status (*fetch)(struct token_source *source, const struct token_context *context, struct token *out,
                         struct error *err);
};

/* Managed identity on App Service and Functions ("How to use managed identities for App Service", REST endpoint reference). */
struct token_source_app_service {
    struct token_source base;
    const char *endpoint;  /* IDENTITY_ENDPOINT */
    const char *header;    /* IDENTITY_HEADER: a secret */
    const char *client_id; /* of a user-assigned identity; NULL: the system's */
};
void token_source_app_service_init(struct token_source_app_service *source, const char *endpoint, const char *header,
                                   const char *client_id);

/*
 * Managed identity on virtual machines ("Use managed identities on a virtual machine to acquire an access token").
 * `probe`: first find out whether anything answers there at all; STATUS_NOT_FOUND if not. The first probe has TOKEN_IMDS_PROBE_MS,
 * the next ones have TOKEN_FETCH_MS, as a slow IMDS needs them. It ends with the first token.
 */
struct token_source_imds {
    struct token_source base;
    const char *host; /* "http://169.254.169.254" */
    const char *client_id;
    bool probe;
    int64_t probe_ms;
};
void token_source_imds_init(struct token_source_imds *source, const char *host, const char *client_id, bool probe);

/* Who asks the token endpoint of Microsoft Entra ("OAuth 2.0 client credentials flow"). */
struct token_client {
    const char *authority; /* "https://login.microsoftonline.com" */
    const char *tenant_id;
    const char *client_id;
};

/* Workload identity: the file's token, which others renew, is the assertion. It is read anew for each fetch. */
struct token_source_workload {
    struct token_source base;
    struct token_client client;
    const char *token_file;
};
void token_source_workload_init(struct token_source_workload *source, const struct token_client *client,
                                const char *token_file);

/* Service principal with a secret, or, where that is NULL, with the key and certificate in a PEM file, read anew for each fetch. */
struct token_source_principal {
    struct token_source base;
    struct token_client client;
    const char *secret;
    const char *certificate_path;
};
void token_source_principal_init(struct token_source_principal *source, const struct token_client *client,
                                 const char *secret, const char *certificate_path);

/* The developer's own login: az account get-access-token. `environment` is az's: "NAME=value", NULL at the end. */
struct token_source_cli {
    struct token_source base;
    char *const *environment;
};
void token_source_cli_init(struct token_source_cli *source, char *const *environment);

/* The first of several that does not answer STATUS_NOT_FOUND; once one has given a token, it is asked alone. */
enum { TOKEN_SOURCE_MAX_CHOICES = 4 };
struct token_source_choice {
    const char *label; /* short, for the list of what was tried */
    struct token_source *source;
    const char *missing; /* source is NULL: what is not configured */
};
struct token_source_auto {
    struct token_source base;
    struct token_source_choice choices[TOKEN_SOURCE_MAX_CHOICES];
    size_t count;
    struct token_source *chosen; /* NULL: none so far */
};
/* Without choices; whoever builds it appends them. */
void token_source_auto_init(struct token_source_auto *source);

#endif
