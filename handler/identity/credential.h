/*
 * credential.h - how requests prove who sends them. One file per kind: credential_shared_key.c, credential_sas.c, token_cache.c.
 *
 * Rules        authorize is called for every attempt, after x-ms-date and all other headers and query parameters are set; it adds
 *              its header or query parameters to what is about to be sent, never to the caller's request.
 *              Leases are renewed from the I/O thread, so authorize does not block: a credential that needs a token fetches it in
 *              the background and answers STATUS_UNAVAILABLE until it has one.
 * Threads: authorize is called by one thread at a time: the loop's.
 */
#ifndef IDENTITY_CREDENTIAL_H
#define IDENTITY_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/crypto.h"
#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "identity/storage_account.h"

/* One attempt on its way out, as a credential sees it. */
struct credential_request {
    bool is_table; /* signed by the Table service's rules; else by the Blob service's */
    const char *method;
    /*
     * The URL's path as sent, percent-encoded, with the account's own path as Azurite has it. It lies
     * in `url`: so no NUL ends it, and it is gone once something is appended there.
     */
    const char *path;
    size_t path_length;
    const struct http_headers *query; /* not encoded */
    size_t body_length;
    struct http_headers *headers; /* Authorization goes here */
    struct strbuf *url;           /* complete; a SAS is appended here */
    unsigned generation;          /* filled in: which of its tokens was used, if it has any */
};

struct credential {
    /* STATUS_UNAUTHORIZED (no token to be had), STATUS_UNAVAILABLE (try again), STATUS_NO_MEMORY, STATUS_INTERNAL. */
    enum status (*authorize)(struct credential *credential, struct credential_request *request,
                             struct error *err);

    /*
     * Storage refused what authorize added, as of `generation`: if it is a token, another is to be had. One that was believed may
     * still serve other requests until then (it knows whom it speaks for, who may not do this one thing); one that was not is
     * forgotten. Answers whether another request may fare better. NULL: never.
     */
    bool (*refused)(struct credential *credential, unsigned generation, bool is_believed);
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
 * Shared Key by the account's key ("Authorize with Shared Key"). Borrows the account and copies its
 * key. White space in x-ms- headers is sent as it is signed: none at the ends, one space between
 * words outside of quotes.
 * STATUS_INTERNAL: OpenSSL refused the key, or had no memory; nothing to clean up.
 */
enum status credential_shared_key_init(struct credential_shared_key *credential,
                                       const struct storage_account *account,
                                       struct error *err) MUST_CHECK;

/* The key is wiped. One that is zeroed is fine. */
void credential_shared_key_cleanup(struct credential_shared_key *credential);

/* A SAS, appended to each URL. Borrows the account. */
void credential_sas_init(struct credential_sas *credential, const struct storage_account *account);

/*
 * Appends the string that is signed; a failure is remembered by `out`. Source: "Authorize with Shared Key".
 * Blob: the form of version 2015-02-21 and later (an empty Content-Length for none). Table: Date is x-ms-date's value.
 */
void credential_shared_key_string_to_sign(const struct storage_account *account,
                                          const struct credential_request *request,
                                          struct strbuf *out);

#endif
