/*
 * storage_account.h - reads connection strings: an account's endpoints, and how to sign in.
 *
 * Source: "Configure Azure Storage connection strings" (AccountName, AccountKey,
 * SharedAccessSignature, DefaultEndpointsProtocol, EndpointSuffix, BlobEndpoint, TableEndpoint,
 * UseDevelopmentStorage).
 *
 * Ownership  Plain data. storage_account_wipe overwrites the secrets in it.
 */
#ifndef IDENTITY_STORAGE_ACCOUNT_H
#define IDENTITY_STORAGE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum {
    STORAGE_ENDPOINT_BYTES = 512,
    STORAGE_ACCOUNT_NAME_BYTES = 64,
    STORAGE_KEY_MAX_BYTES = 128, /* decoded; Azure's keys have 64 */
    STORAGE_SAS_BYTES = 2048,
};

struct storage_account {
    char name[STORAGE_ACCOUNT_NAME_BYTES]; /* "" if a SAS came without AccountName */

    /* "https://ACCOUNT.blob.core.windows.net", without a slash at the end. */
    char blob_endpoint[STORAGE_ENDPOINT_BYTES];

    /* The same for tables; "" if the connection string does not tell. */
    char table_endpoint[STORAGE_ENDPOINT_BYTES];

    unsigned char key[STORAGE_KEY_MAX_BYTES];
    size_t key_length;           /* 0: no account key */
    char sas[STORAGE_SAS_BYTES]; /* "sv=...&sig=...", without '?'; "": none */
};

/*
 * Reads a connection string. It must have an account key, a SAS, or UseDevelopmentStorage=true. The
 * last is Azurite's well-known account on 127.0.0.1:10000 and 10002; DevelopmentStorageProxyUri
 * changes the host. Names are case-insensitive. White space around parts, and settings of other
 * services, are ignored.
 *
 * An endpoint that is not given follows from AccountName. The table endpoint may also follow from
 * the blob endpoint. An http endpoint is rejected unless it is this machine
 * (storage_endpoint_is_private). A table endpoint that was not given and would be http stays "".
 *
 * STATUS_INVALID_ARGUMENT   the string does not sign in anywhere. The message says what is missing
 *                           or wrong, and never repeats a key or signature
 * STATUS_NO_MEMORY
 */
enum status storage_account_parse(const char *connection_string, struct storage_account *out,
                                  struct error *err) MUST_CHECK;

/*
 * Checks an address "http[s]://host[:port][/path]", without query, fragment or user info. Copies it
 * without slashes at its end.
 * STATUS_INVALID_ARGUMENT: another form, or too long; the message does not repeat the address
 */
enum status storage_endpoint_parse(const char *text, char out[STORAGE_ENDPOINT_BYTES],
                                   struct error *err) MUST_CHECK;

/*
 * Makes a table endpoint from a blob endpoint, by replacing ".blob." in its host with ".table.".
 * Returns false, and leaves `out` untouched, if there is no ".blob." or the result is too long.
 */
bool storage_endpoint_for_tables(const char *blob_endpoint, char out[STORAGE_ENDPOINT_BYTES]);

/*
 * Whether nobody on the way can read requests to this URL. True for https, and for http to this
 * machine (localhost, 127.0.0.0/8, [::1]).
 */
bool storage_endpoint_is_private(const char *url);

/* Overwrites the whole struct. */
void storage_account_wipe(struct storage_account *account);

#endif
