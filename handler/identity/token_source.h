/*
 * token_source.h - where tokens come from: one small interface, one file per kind
 * (token_source_imds.c, ...).
 *
 * Each fetch asks once; when to ask again is token_cache's. What a source is set up with is
 * borrowed for as long as it is used.
 *
 * Vocabulary   token      what "Authorization: Bearer" carries, made for the resource
 *                         https://storage.azure.com/
 *              assertion  what stands for a client secret: a signed text that says who we are
 *              fetch      a source that was started and has not called `done` yet: one at a time
 * Rules        Answers are hostile until proven: token_answer.h. Messages hold nothing that an
 *              endpoint could make us repeat but an error code.
 *              No fetch outlasts TOKEN_FETCH_MS by more than a moment. An az that cannot be
 *              killed, and a file that hangs, are left, and the next fetch waits for their end.
 *              Tokens, secrets, assertions and what held them are wiped.
 * Blocking     Nothing here waits for the network, for a file or for another program. A token file
 *              or a certificate is small, but may lie on a network share, so it is read on a thread
 *              of its own (file_read.h). Two things are done at once, once an hour: signing an
 *              assertion (RS256 takes a millisecond with a key of 2048 bits, some with one of
 *              4096), and starting az. To hand them to another thread would cost more than they
 *              take.
 * Threads      All of it belongs to the loop's thread.
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
#include "http/platform.h"
#include "identity/file_read.h"
#include "identity/token_answer.h"

#define TOKEN_RESOURCE "https://storage.azure.com/"

enum {
    TOKEN_FETCH_MS = 15000,       /* one question, or one run of az, which takes seconds to start */
    TOKEN_IMDS_PROBE_MS = 1000,   /* the first time, as in Azure's own SDKs */
    TOKEN_FILE_MAX_BYTES = 65536, /* a federated token, or a key with its certificates */
    TOKEN_ENDPOINT_BYTES = 512,
};

/*
 * How a fetch ended. `token` is NULL unless STATUS_OK; whoever wants to keep it takes it away and
 * leaves an initialized one in its place. The source may be started again in this call.
 *
 * STATUS_NOT_FOUND      this way to sign in does not exist here (no such endpoint, no identity, no
 *                       az, nobody logged in)
 * STATUS_UNAUTHORIZED   it exists, and refuses us
 * STATUS_UNAVAILABLE    it may work later; err's retry_after_ms is what was asked for
 * STATUS_MALFORMED, STATUS_TOO_LARGE   the answer is not one
 * STATUS_CANCELLED      it was cancelled, or the network is being freed
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

    /* Of the fetch under way: who is told. */
    token_done done;
    void *done_context;
};

/*
 * Starts a fetch. On STATUS_OK `done` is called once, later, never inside this call. Any other
 * status, one of token_done's, is how the fetch has ended already, and `done` is not called.
 */
static inline enum status token_source_start(struct token_source *source,
                                             const struct platform *platform, token_done done,
                                             void *done_context, struct error *err) {
    source->done = done;
    source->done_context = done_context;
    return source->start(source, platform, err);
}

/*
 * Ends the fetch under way as soon as that can be: `done` is called inside this call or, where az
 * has to be gone first, soon afterwards. If there is none, `done` is not called. What a fetch has
 * left behind, as a file that still hangs, is given up in either case: so whoever has used a source
 * cancels it before the loop is stopped.
 */
static inline void token_source_cancel(struct token_source *source) {
    source->cancel(source);
}

struct token_http_source;

/* An answer to a question, or why there is none, as of http_done. `err` may be changed. */
typedef void (*token_answered)(struct token_http_source *source, enum status status,
                               const struct http_reply *reply, struct error *err);

/*
 * What comes after the file: the question. The text may be changed, and is wiped afterwards. Any
 * status but STATUS_OK ends the fetch.
 */
typedef enum status (*token_ask)(struct token_http_source *source, struct strbuf *text,
                                 struct error *err);

/*
 * What the sources have in common that ask over HTTP: the question under way, and before it, for
 * some, the file that it needs. token_http.h works on it.
 */
struct token_http_source {
    struct token_source base;
    const struct platform *platform;
    struct strbuf url;
    struct http_headers headers;
    struct strbuf form; /* what is POSTed; empty: the question is a GET */
    struct http_exchange exchange;
    token_answered answered;
    struct file_read file;
    token_ask ask;                       /* once the file is read */
    char endpoint[TOKEN_ENDPOINT_BYTES]; /* what messages call it */
};

/*
 * Managed identity on App Service and Functions ("How to use managed identities for App Service",
 * REST endpoint reference).
 */
struct token_source_app_service {
    struct token_http_source http;
    const char *endpoint;  /* IDENTITY_ENDPOINT */
    const char *header;    /* IDENTITY_HEADER: a secret */
    const char *client_id; /* of a user-assigned identity; NULL: the system's */
};
void token_source_app_service_init(struct token_source_app_service *source, const char *endpoint,
                                   const char *header, const char *client_id);

/*
 * Managed identity on virtual machines ("Use managed identities on a virtual machine to acquire an
 * access token").
 * `probe`: first find out whether anything answers there at all; STATUS_NOT_FOUND if not. The first
 * probe has TOKEN_IMDS_PROBE_MS, the next ones have TOKEN_FETCH_MS, as a slow IMDS needs them. It
 * ends with the first token.
 */
struct token_source_imds {
    struct token_http_source http;
    const char *host; /* "http://169.254.169.254" */
    const char *client_id;
    bool probe;
    int64_t probe_ms;
};
void token_source_imds_init(struct token_source_imds *source, const char *host,
                            const char *client_id, bool probe);

/* Who asks the token endpoint of Microsoft Entra ("OAuth 2.0 client credentials flow"). */
struct token_client {
    const char *authority; /* "https://login.microsoftonline.com" */
    const char *tenant_id;
    const char *client_id;
};

/*
 * Workload identity: the file's token, which others renew, is the assertion. It is read anew for
 * each fetch.
 */
struct token_source_workload {
    struct token_http_source http;
    struct token_client client;
    const char *token_file;
};
void token_source_workload_init(struct token_source_workload *source,
                                const struct token_client *client, const char *token_file);

/*
 * Service principal with a secret, or, where that is NULL, with the key and certificate in a PEM
 * file, read anew for each fetch.
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
 * The developer's own login: az account get-access-token. `environment` is az's: "NAME=value", NULL
 * at the end.
 *
 *     state     left by
 *     IDLE      start: az runs
 *     READING   the end of its output, or whatever has it killed
 *     EXITING   its exit, which settles the fetch, or whatever has it killed
 *     KILLED    its exit, or half a second: the fetch ends with the failure that had it killed
 *
 * What has it killed: its time is over, too much output, a failure to read it, cancel.
 */
struct token_source_cli {
    struct token_source base;
    char *const *environment;

    /* Of the run under way. */
    enum { TOKEN_CLI_IDLE, TOKEN_CLI_READING, TOKEN_CLI_EXITING, TOKEN_CLI_KILLED } state;
    const struct platform *platform;
    pid_t pid;
    struct loop_source output; /* the pipe's end to read */
    struct loop_timer timer;   /* READING: its time is over; else: look whether it has ended */
    int64_t deadline_ms;
    struct strbuf text;
    struct error failure; /* KILLED: why */
};
void token_source_cli_init(struct token_source_cli *source, char *const *environment);

/*
 * The first of several that does not answer STATUS_NOT_FOUND; once one has given a token, it is
 * asked alone.
 */
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

    /* Of the fetch under way, while none is chosen. */
    const struct platform *platform;
    size_t asked;                     /* the choice that is asked */
    char tried[TOKEN_ENDPOINT_BYTES]; /* what those before it said */
};
/* Without choices; whoever builds it appends them. */
void token_source_auto_init(struct token_source_auto *source);

#endif
