/*
 * token_source.h - where tokens come from: one interface, and one file for each kind
 * (token_source_imds.c, ...).
 *
 * Each fetch asks once; token_cache.h decides when to ask again. What a source is set up with is
 * borrowed for as long as the source is used.
 *
 * Vocabulary   token      what "Authorization: Bearer" carries, issued for the resource
 *                         https://storage.azure.com/
 *              assertion  a signed text that says who we are, in place of a client secret
 *              fetch      from the start of a source until it calls `done`: one at a time
 * Rules        Answers are not trusted until they are checked (token_answer.h). Messages repeat
 *              nothing of an answer but an error code.
 *              A fetch lasts TOKEN_FETCH_MS at most, give or take a moment. An az that cannot be
 *              killed, or a file that hangs, is left alone, and the next fetch waits for its end.
 *              Tokens, secrets, assertions and their buffers are overwritten after use.
 * Blocking     No source waits for the network, for a file or for a program. Token files and
 *              certificates are small but may lie on a network share, so file_read.h reads them on
 *              a thread. Two things are done on the loop's thread, once an hour. Signing an
 *              assertion (RS256) takes a millisecond with a key of 2048 bits, and a few with 4096.
 *              Starting az takes about as long. Handing them to another thread would cost more.
 * Threads      The loop's.
 */
#ifndef IDENTITY_TOKEN_SOURCE_H
#define IDENTITY_TOKEN_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "http/event_loop.h"
#include "http/http_client.h"
#include "http/platform.h"
#include "identity/file_read.h"
#include "identity/token_answer.h"

#define TOKEN_RESOURCE "https://storage.azure.com/"

enum {
    TOKEN_FETCH_MS = 15000,       /* one question, or one run of az, which takes seconds to start */
    TOKEN_IMDS_PROBE_MS = 1000,   /* of the first probe, as in Azure's own SDKs */
    TOKEN_FILE_MAX_BYTES = 65536, /* a federated token, or a key with its certificates */
    TOKEN_ENDPOINT_BYTES = 512,
};

/*
 * How a fetch ended. `token` is NULL unless STATUS_OK. To keep it, copy the struct and initialize
 * the original anew. The source may be started again in this call.
 *
 * STATUS_NOT_FOUND          this way to sign in does not exist here: no such endpoint, no identity,
 *                           no az, nobody logged in
 * STATUS_UNAUTHORIZED       it exists, and rejects us
 * STATUS_UNAVAILABLE        it may work later; err->retry_after_ms is what the endpoint asked for
 * STATUS_MALFORMED, STATUS_TOO_LARGE   the answer cannot be read
 * STATUS_CANCELLED          the fetch was cancelled, or the network is being freed
 * STATUS_INVALID_ARGUMENT   App Service's IDENTITY_HEADER, which we send, has a line break
 * STATUS_NO_MEMORY, STATUS_NO_THREAD, STATUS_INTERNAL
 */
typedef void (*token_done)(void *context, enum status status, struct token *token,
                           const struct error *err);

struct token_source {
    const char *name; /* for people: "a managed identity (App Service)" */

    enum status (*start)(struct token_source *source, const struct platform *platform,
                         struct error *err);
    void (*cancel)(struct token_source *source);

    /* Of the fetch under way. */
    token_done done;
    void *done_context;
};

/*
 * Starts a fetch. After STATUS_OK `done` is called once, never inside this call. Any other status
 * is one of token_done's: the fetch has already ended with it, and `done` is not called.
 */
static inline enum status token_source_start(struct token_source *source,
                                             const struct platform *platform, token_done done,
                                             void *done_context, struct error *err) {
    source->done = done;
    source->done_context = done_context;
    return source->start(source, platform, err);
}

/*
 * Ends the fetch under way as soon as possible. `done` is called inside this call, or a little
 * later if az must end first. Without a fetch under way `done` is not called. Either way a file
 * that still hangs is abandoned. So a source that was used must be cancelled before the loop is
 * stopped.
 */
static inline void token_source_cancel(struct token_source *source) {
    source->cancel(source);
}

struct token_http_source;

/* Receives the answer to a question, or why there is none, as http_done does. May change `err`. */
typedef void (*token_answered)(struct token_http_source *source, enum status status,
                               const struct http_reply *reply, struct error *err);

/*
 * Asks the question after a file was read. May change `text`, which is overwritten afterwards. Any
 * status but STATUS_OK ends the fetch.
 */
typedef enum status (*token_ask)(struct token_http_source *source, struct strbuf *text,
                                 struct error *err);

/*
 * The common part of the sources that ask over HTTP: the question under way and, for some, the file
 * that is read before it. token_http.h works on it.
 */
struct token_http_source {
    struct token_source base;
    const struct platform *platform;
    struct strbuf url;
    struct http_headers headers;
    struct strbuf form; /* what is posted; empty: the question is a GET */
    struct http_exchange exchange;
    token_answered answered;
    struct file_read file;
    token_ask ask;                       /* called when the file is read */
    char endpoint[TOKEN_ENDPOINT_BYTES]; /* its name in messages */
};

/*
 * Managed identity on App Service and Functions ("How to use managed identities for App Service",
 * REST endpoint reference).
 */
struct token_source_app_service {
    struct token_http_source http;
    const char *endpoint;  /* IDENTITY_ENDPOINT */
    const char *header;    /* IDENTITY_HEADER: a secret */
    const char *client_id; /* of a user-assigned identity; NULL: the system-assigned one */
};
void token_source_app_service_init(struct token_source_app_service *source, const char *endpoint,
                                   const char *header, const char *client_id);

/*
 * Managed identity on virtual machines ("Use managed identities on a virtual machine to acquire an
 * access token").
 *
 * With `probe` it first finds out whether IMDS answers at that address. If not, the fetch ends with
 * STATUS_NOT_FOUND. The first probe has TOKEN_IMDS_PROBE_MS. The next ones have TOKEN_FETCH_MS,
 * because a busy IMDS can be slow. After the first token there are no more probes.
 */
struct token_source_imds {
    struct token_http_source http;
    const char *host; /* "http://169.254.169.254" */
    const char *client_id;
    bool probe;
    int64_t probe_ms; /* the timeout of the next probe */
};
void token_source_imds_init(struct token_source_imds *source, const char *host,
                            const char *client_id, bool probe);

/* A client of Microsoft Entra's token endpoint ("OAuth 2.0 client credentials flow"). */
struct token_client {
    const char *authority; /* "https://login.microsoftonline.com" */
    const char *tenant_id;
    const char *client_id;
};

/*
 * Workload identity. The assertion is the text of a token file, which the platform renews. The file
 * is read again for each fetch.
 */
struct token_source_workload {
    struct token_http_source http;
    struct token_client client;
    const char *token_file;
};
void token_source_workload_init(struct token_source_workload *source,
                                const struct token_client *client, const char *token_file);

/*
 * A service principal, with a secret. If the secret is NULL, with the key and certificate in a PEM
 * file, which is read again for each fetch.
 */
struct token_source_principal {
    struct token_http_source http;
    struct token_client client;
    const char *secret;
    const char *certificate_path;
};
void token_source_principal_init(struct token_source_principal *source,
                                 const struct token_client *client, const char *secret,
                                 const char *certificate_path);

/*
 * The developer's own login: az account get-access-token. `environment` is for az: "NAME=value",
 * with NULL at the end.
 *
 *     state     left by
 *     IDLE      start: az runs
 *     READING   the end of its output, or a reason to kill it
 *     EXITING   its exit, which ends the fetch, or a reason to kill it
 *     KILLED    its exit, or half a second; then the fetch ends with that reason
 *
 * The reasons are: its time is over, too much output, a failure to read its output, cancel.
 */
struct token_source_cli {
    struct token_source base;
    char *const *environment;

    /* Of the run under way. */
    enum { TOKEN_CLI_IDLE, TOKEN_CLI_READING, TOKEN_CLI_EXITING, TOKEN_CLI_KILLED } state;
    const struct platform *platform;
    pid_t pid;
    struct loop_source output; /* the reading end of the pipe */
    struct loop_timer timer; /* READING: its time is over; otherwise: check whether it has ended */
    int64_t deadline_ms;
    struct strbuf text;
    struct error failure; /* KILLED: the reason */
};
void token_source_cli_init(struct token_source_cli *source, char *const *environment);

/*
 * Uses the first of several sources that does not end with STATUS_NOT_FOUND. A source that has once
 * given a token is used from then on.
 */
enum { TOKEN_SOURCE_MAX_CHOICES = 4 };
struct token_source_choice {
    const char *label; /* short, for the message that lists the failed choices */
    struct token_source *source;
    const char *missing; /* if source is NULL: what is not configured */
};
struct token_source_auto {
    struct token_source base;
    struct token_source_choice choices[TOKEN_SOURCE_MAX_CHOICES];
    size_t count;
    struct token_source *chosen; /* NULL: none yet */

    /* Of the fetch under way, while none is chosen. */
    const struct platform *platform;
    size_t asked;                     /* index of the choice that is asked */
    char tried[TOKEN_ENDPOINT_BYTES]; /* the labels and errors of the choices before it */
};
/* Starts without choices; the caller appends them. */
void token_source_auto_init(struct token_source_auto *source);

#endif
