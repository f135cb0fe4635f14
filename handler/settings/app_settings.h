/*
 * app_settings.h - all app settings, read once at start and checked: the settings table.
 *
 * They fill the option structs of the layers below, which therefore need no settings of their own.
 * No file outside this folder reads the environment.
 *
 * Rules        config_source.h says where settings come from and which place wins; setting.h what
 *              empty values and aliases mean; account_settings.h which account is used, and who
 *              signs in to it.
 *              A bad value is one line: the name as the user wrote it, the value (never a secret)
 *              and what is allowed. A setting that is not used stops nothing.
 *              A default never contradicts a value that is set. AutoRenewInterval's default is 2/3
 *              of the duration, or 3/4 of the safety threshold if that is at or below 2/3.
 *              docs/settings.md is made from the table (`make docs`).
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
#include "settings/setting_rules.h"

enum { EXIT_BAD_SETTING = 64, INSTANCE_NAME_BYTES = 64 };

enum inventory_store_kind { STORE_TABLE, STORE_MEMORY };

struct app_settings {
    int port; /* FUNCTIONS_CUSTOMHANDLER_PORT, 1 to 65535; 8080 if no host has set it */

    /*
     * A Functions host has started us: FUNCTIONS_HTTPWORKER_PORT is set. It is not
     * FUNCTIONS_CUSTOMHANDLER_PORT, which somebody who starts the handler by hand sets as well, to
     * choose the port.
     */
    bool started_by_host;

    /*
     * The instance's name for log lines: the last 8 characters of WEBSITE_INSTANCE_ID,
     * WEBSITE_POD_NAME or CONTAINER_NAME, of which each plan of Azure sets another. Otherwise it is
     * HANDLER_INSTANCE, or the process id.
     */
    char instance[INSTANCE_NAME_BYTES];

    /* host.json's extensions.http.routePrefix, without slashes around it; "": none */
    char route_prefix[ROUTE_PREFIX_BYTES];

    enum log_level log_level;
    struct storage_account account;
    bool uses_tokens; /* tokens sign in; `account` has no key and no SAS */

    /* Its strings are freed with these settings. The caller fills its `environment`. */
    struct sign_in_options authentication;
    char *ca_file;                  /* SSL_CERT_FILE; NULL: the system's */
    char *temp_folder;              /* TMPDIR, or /tmp */
    struct leasehold_options lease; /* made by lease_options_copy; without a connection string */
    enum inventory_store_kind store_kind;
    char table_name[TABLE_NAME_BYTES];
    struct inventory_options inventory; /* its seeds are those below */
    struct seed_product *seeds;
};

/*
 * Reads the files in `folder`, which may be absent, and `environment` ("NAME=value" strings, NULL
 * at the end). The result may be moved; app_settings_cleanup frees it.
 *
 * STATUS_INVALID_ARGUMENT   a bad setting or an unreadable file; the message is the line to print.
 *                           `out` needs no cleanup
 * STATUS_NO_MEMORY
 */
enum status app_settings_load(const char *folder, char *const *environment,
                              struct app_settings *out, struct error *err) MUST_CHECK;

/* Wipes the secrets and frees everything. */
void app_settings_cleanup(struct app_settings *settings);

/* Returns row `index` of all settings, or NULL after the last. tools/settings_doc.c prints them. */
const struct setting *app_settings_row(size_t index);

#endif
