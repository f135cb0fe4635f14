/*
 * app_settings.h - every app setting, read once at start and checked: the settings table.
 *
 * Fills the option structs of the parts below, so that they need no settings of their own. The files of this folder are
 * the only ones that look at the environment.
 *
 * Rules        The places that settings come from, and which of them wins: config_source.h. Empty values, aliases:
 *              setting.h.
 *              A bad value is one line: the name as the user wrote it, the value (never a secret) and what is allowed. What is
 *              not used stops nothing.
 *              A default never contradicts what is set: AutoRenewInterval's is 2/3 of the duration, and 3/4 of the
 *              safety threshold where that lies at or below 2/3.
 *              Which account, and who signs in to it: account_settings.h.
 * Threads: none of its own.
 */
#ifndef SETTINGS_APP_SETTINGS_H
#define SETTINGS_APP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "identity/sign_in.h"
#include "identity/storage_account.h"
#include "inventory/inventory_service.h"
#include "inventory/inventory_store_table.h"
#include "lease/leasehold.h"

enum { EXIT_BAD_SETTING = 64, INSTANCE_NAME_BYTES = 64, ROUTE_PREFIX_BYTES = 128 };

enum inventory_store_kind { STORE_TABLE, STORE_MEMORY };

struct app_settings {
    int port; /* FUNCTIONS_CUSTOMHANDLER_PORT, 1 to 65535; 8080 when no host has set it */

    /* A Functions host has started us (FUNCTIONS_HTTPWORKER_PORT): it starts another handler when this one ends. */
    bool has_host;

    /*
     * For log lines: the last 8 characters of WEBSITE_INSTANCE_ID, WEBSITE_POD_NAME or CONTAINER_NAME, of which each plan of Azure
     * sets another, else HANDLER_INSTANCE, else the process id.
     */
    char instance[INSTANCE_NAME_BYTES];

    /* host.json's extensions.http.routePrefix, without slashes around it; "" for none. */
    char route_prefix[ROUTE_PREFIX_BYTES];

    enum log_level log_level;
    struct storage_account account;
    bool use_managed_identity; /* tokens sign in; `account` has no key and no SAS */
    struct sign_in_options
        authentication; /* its strings are freed with this; `environment` is the caller's to fill */
    char *ca_file;      /* SSL_CERT_FILE; NULL: the system's */
    struct leasehold_options lease; /* made by lease_options_copy; without a connection string */
    enum inventory_store_kind store_kind;
    char table_name[TABLE_NAME_BYTES];
    struct inventory_options inventory; /* its seeds are those below */
    struct seed_product *seeds;
};

/*
 * Reads `folder`'s files (absent ones are fine) and `environment` (as environ: "NAME=value", NULL at the end). What is
 * filled may be moved; app_settings_cleanup frees it.
 *
 * STATUS_INVALID_ARGUMENT  a bad setting or an unreadable file; err's message is the one line to print. `out` needs no
 *                          release.
 * STATUS_NO_MEMORY
 */
enum status app_settings_load(const char *folder, char *const *environment,
                              struct app_settings *out, struct error *err) MUST_CHECK;

/* Wipes the secrets and frees. */
void app_settings_cleanup(struct app_settings *settings);

#endif
