/*
 * credential.h - proves to storage who sends a request. Each kind has a file:
 * credential_shared_key.c, credential_sas.c, token_cache.c.
 *
 * Rules    authorize is called for every attempt, after x-ms-date and all other headers and query
 *          parameters are set. It adds its header or parameters to the attempt, never to the
 *          caller's request.
 *          It must not block, because leases are renewed on the same thread. A credential that
 *          needs a token fetches it in the background. Until it has one, it returns
 *          STATUS_UNAVAILABLE, and the request is tried again. If the last fetch ended with
 *          UNAUTHORIZED or NOT_FOUND, it returns STATUS_UNAUTHORIZED, and the request fails at
 *          once.
 * Threads  The loop's.
 */
#ifndef IDENTITY_CREDENTIAL_H
#define IDENTITY_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/crypto.h"
#include "base/status.h"
#include "base/strbuf.h"

struct http_headers;
struct storage_account;

/* One attempt, as a credential sees it. */
struct credential_request {
    bool is_table; /* signed by the rules of the Table service, otherwise of the Blob service */
    const char *method;

    /*
     * The URL's path as sent: percent-encoded, with the account's own path where Azurite has one.
     * It points into `url`, so no NUL ends it, and appending to `url` invalidates it.
     */
    const char *path;
    size_t path_length;

    const struct http_headers *query; /* not encoded */
    size_t body_length;
    struct http_headers *headers; /* Authorization is added here */
    struct strbuf *url;           /* complete; a SAS is appended here */
    unsigned token_generation;    /* output: which token was used; unset without tokens */
};

struct credential {
    /*
     * Adds what proves the sender.
     * STATUS_UNAUTHORIZED (no token can be had), STATUS_UNAVAILABLE (try again later),
     * STATUS_NO_MEMORY, STATUS_INTERNAL
     */
    enum status (*authorize)(struct credential *credential, struct credential_request *request,
                             struct error *err);

    /*
     * Called when storage rejects the token of `token_generation`. Returns true if a retry may
     * succeed. `is_authenticated`: storage knows the caller but forbids this request. Then the
     * token is kept, and a new one is fetched in the background. Otherwise the token is dropped, at
     * most once per 10 s. The pointer is NULL for credentials without tokens.
     */
    bool (*on_rejected)(struct credential *credential, unsigned token_generation,
                        bool is_authenticated);
};

struct credential_shared_key {
    struct credential base;
    const struct storage_account *account;
    struct crypto_hmac hmac;
    struct strbuf text; /* what is signed; kept for its memory */
};

struct credential_sas {
    struct credential base;
    const struct storage_account *account;
};

/*
 * Signs with the account's key ("Authorize with Shared Key"). Borrows the account and copies the
 * key. White space in x-ms- headers is sent as it is signed: none at the ends, and one space
 * between words, except inside quotes.
 * STATUS_INTERNAL: OpenSSL rejected the key, or had no memory; there is nothing to clean up
 */
enum status credential_shared_key_init(struct credential_shared_key *credential,
                                       const struct storage_account *account,
                                       struct error *err) MUST_CHECK;

/* Overwrites the key. A zeroed struct is fine. */
void credential_shared_key_cleanup(struct credential_shared_key *credential);

/* Appends the account's SAS to each URL. Borrows the account. */
void credential_sas_init(struct credential_sas *credential, const struct storage_account *account);

/*
 * Appends the string to sign. A failure is remembered by `out`. Source: "Authorize with Shared
 * Key". For blobs it has the form of version 2015-02-21 and later: an empty Content-Length for no
 * body. For tables its Date is the value of x-ms-date.
 */
void credential_shared_key_string_to_sign(const struct storage_account *account,
                                          const struct credential_request *request,
                                          struct strbuf *out);

#endif
