/*
 * account_settings.h - which storage account is used, and who signs in to it: the settings that
 * only make sense together.
 *
 * Rules        A connection string signs in with its key or SAS. With UseManagedIdentity=true, or
 *              with StorageAccountUri and no connection string, tokens sign in, and
 *              StorageAccountUri names the account.
 *              Beside a connection string that signs in, StorageAccountUri replaces the blob
 *              endpoint. If its host has ".blob.", the table endpoint becomes the same with
 *              ".table.". TableServiceUri replaces the table endpoint.
 *              A mode of signing in that is chosen by name needs all its settings. Auto looks for
 *              what there is.
 *              Settings of ways to sign in that are not used are not read.
 */
#ifndef SETTINGS_ACCOUNT_SETTINGS_H
#define SETTINGS_ACCOUNT_SETTINGS_H

#include <stdbool.h>

#include "base/status.h"
#include "identity/sign_in.h"
#include "identity/storage_account.h"
#include "settings/config_source.h"
#include "settings/setting.h"

#define ADDRESS_ALLOWED \
    "an https address without a query (http for 127.0.0.1, localhost and ::1 alone), "
#define BLOB_ADDRESS_ALLOWED ADDRESS_ALLOWED "like https://ACCOUNT.blob.core.windows.net"
#define TABLE_ADDRESS_ALLOWED ADDRESS_ALLOWED "like https://ACCOUNT.table.core.windows.net"

/* DistributedLeasing:ConnectionString. It has no parser in this row: storage_account.h reads it. */
extern const struct setting account_connection_string;

/* What StorageAccountUri and TableServiceUri say; "" if they are not given. */
struct account_uris {
    char blob[STORAGE_ENDPOINT_BYTES];
    char table[STORAGE_ENDPOINT_BYTES];
};

/*
 * Returns whether tokens sign in. `use_managed_identity` is the value of that setting, and counts
 * only if the setting is given.
 */
bool account_settings_use_tokens(const struct config_source *source,
                                 const struct account_uris *uris, bool use_managed_identity);

/* What decides about the account, once all other settings have been read. */
struct account_choice {
    struct account_uris uris;
    const struct sign_in_options *authentication;
    bool uses_tokens;
    bool needs_tables; /* products are stored in a table, not in memory */
};

/*
 * Fills the account from the connection string and the addresses.
 *
 * STATUS_INVALID_ARGUMENT   a setting is missing or not allowed; the message is the line to print
 * STATUS_NO_MEMORY
 */
enum status account_settings_resolve(const struct config_source *source,
                                     const struct account_choice *choice,
                                     struct storage_account *out, struct error *err) MUST_CHECK;

#endif
