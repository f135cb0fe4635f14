/*
 * storage_account.h - where an account's services are, how to sign in to it, and the connection strings that say both.
 *
 * Source of the syntax: "Configure Azure Storage connection strings" (AccountName, AccountKey, SharedAccessSignature,
 * DefaultEndpointsProtocol, EndpointSuffix, BlobEndpoint, TableEndpoint, UseDevelopmentStorage).
 * Ownership: plain data; storage_account_wipe overwrites the secrets in it.
 */
#ifndef IDENTITY_STORAGE_ACCOUNT_H
#define IDENTITY_STORAGE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum {
    STORAGE_ENDPOINT_BYTES = 512,
    STORAGE_ACCOUNT_NAME_BYTES = 64,
    STORAGE_KEY_MAX_BYTES = 128, /* decoded; Azure's are 64 */
    STORAGE_SAS_BYTES = 2048,
};

struct storage_account {
    char name[STORAGE_ACCOUNT_NAME_BYTES]; /* "" if a SAS came without AccountName */
    char blob_endpoint
        [STORAGE_ENDPOINT_BYTES]; /* "https://ACCOUNT.blob.core.windows.net", no slash at the end */
    char table_endpoint[STORAGE_ENDPOINT_BYTES]; /* the same for tables; "" if nothing tells it */
    unsigned char key[STORAGE_KEY_MAX_BYTES];
    size_t key_length;           /* 0: no account key */
    char sas[STORAGE_SAS_BYTES]; /* "sv=...&sig=...", no '?'; "" if none */
};

/*
 * Reads a connection string. Either an account key, or a SAS, or UseDevelopmentStorage=true (Azurite's well-known account on
 * 127.0.0.1:10000 and 10002; DevelopmentStorageProxyUri moves the host). Names are case-insensitive, white space around parts is
 * dropped, settings of other services are passed over. An endpoint that is not given comes from AccountName, or else, for tables,
 * from the blob endpoint. An endpoint with http is refused unless it is this machine
 * (storage_endpoint_is_private); a table endpoint that would only be made so is left "".
 *
 * STATUS_INVALID_ARGUMENT   not a connection string that signs in; the message says what is missing or wrong and never
 *                           repeats a key or signature
 */
enum status storage_account_parse(const char *connection_string, struct storage_account *out,
                                  struct error *err) MUST_CHECK;

/*
 * Checks an address "http[s]://host[:port][/path]" (no query, fragment or user info) and copies it without slashes at its end.
 * STATUS_INVALID_ARGUMENT: it is not that, or too long; the message does not repeat it.
 */
enum status storage_endpoint_parse(const char *text, char out[STORAGE_ENDPOINT_BYTES],
                                   struct error *err) MUST_CHECK;

/*
 * The table endpoint that belongs to a blob endpoint: ".blob." in its host read as ".table.". False: it has none, or no room;
 * `out` untouched.
 */
bool storage_endpoint_for_tables(const char *blob_endpoint, char out[STORAGE_ENDPOINT_BYTES]);

/* Does nobody on the way hear what is said to this URL: https, or a host that is this machine (localhost, 127.0.0.0/8, [::1])? */
bool storage_endpoint_is_private(const char *url);

/* Overwrites all of it. */
void storage_account_wipe(struct storage_account *account);

#endif
