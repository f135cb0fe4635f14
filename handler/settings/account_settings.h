/*
 * account_settings.h - which account, and who signs in to it: the settings that only make sense together.
 *
 * Rules        A connection string signs in with its key or SAS, unless UseManagedIdentity is true. Then, or with StorageAccountUri
 *              and no connection string, tokens sign in, and StorageAccountUri says where.
 *              Beside a connection string that signs in, StorageAccountUri only replaces its blob endpoint and, with ".blob." read as
 *              ".table.", its table endpoint; TableServiceUri its table endpoint.
 *              A mode of signing in that is chosen by name must have all that it needs. Auto looks for what there is.
 *              Settings of ways to sign in that are not used are not read.
 * Threads: none of its own.
 */
#ifndef SETTINGS_ACCOUNT_SETTINGS_H
#define SETTINGS_ACCOUNT_SETTINGS_H

#include <stdbool.h>

#include "base/status.h"
#include "settings/app_settings.h"
#include "settings/config_source.h"

#define ADDRESS_ALLOWED \
    "an https address without a query (http for 127.0.0.1, localhost and ::1 alone), "
#define BLOB_ADDRESS_ALLOWED ADDRESS_ALLOWED "like https://ACCOUNT.blob.core.windows.net"
#define TABLE_ADDRESS_ALLOWED ADDRESS_ALLOWED "like https://ACCOUNT.table.core.windows.net"

/* "" where not given. */
struct account_uris {
    char blob[STORAGE_ENDPOINT_BYTES];
    char table[STORAGE_ENDPOINT_BYTES];
};

/* Whether tokens sign in, as far as UseManagedIdentity and the addresses have been read. */
bool account_settings_use_tokens(const struct config_source *source,
                                 const struct account_uris *uris,
                                 const struct app_settings *settings);

/*
 * Fills settings->account from the connection string and the addresses, once all else has been read.
 * STATUS_INVALID_ARGUMENT   err's message is the one line to print
 * STATUS_NO_MEMORY
 */
enum status account_settings_resolve(const struct config_source *source,
                                     const struct account_uris *uris, struct app_settings *settings,
                                     struct error *err) MUST_CHECK;

#endif
