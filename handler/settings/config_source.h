/*
 * config_source.h - the app settings as text: one list of names and values, from all their places.
 *
 * It does not know what a setting means; app_settings.h does.
 *
 * Places       From the one that wins to the one that loses:
 *                1. the environment;
 *                2. Values of local.settings.json. It is not read if the environment has
 *                   FUNCTIONS_CUSTOMHANDLER_PORT: a host has then passed these values already;
 *                3. appsettings.json;
 *                4. host.json. Its members are called "AzureFunctionsJobHost:...", as in the host's
 *                   own configuration, so that an app setting of that name overrides the file
 *                   (Source: "host.json reference", "Override host.json values").
 * Names        The parts of a name are joined by ':', and "__" is read as ':'. Case does not
 *              matter. Of equal names the higher place wins. In one place the name written without
 *              ':' wins. Of several such names in the environment, the one whose spelling sorts
 *              first wins, since the host changes their order from start to start; in a file, the
 *              last one.
 * Values       White space around a value is dropped. An empty value also hides a value of the same
 *              name in a lower place. setting.h says what it means.
 * Files        JSON is flattened as .NET does it. Members are joined by ':', and array elements are
 *              called 0, 1, ... Numbers and booleans become their text; null, {} and [] are left
 *              out. Of host.json only the route prefix is needed. So a host.json that cannot be
 *              read is a Warning in the log.
 */
#ifndef SETTINGS_CONFIG_SOURCE_H
#define SETTINGS_CONFIG_SOURCE_H

#include <stddef.h>

#include "base/status.h"

enum { CONFIG_FILE_MAX_BYTES = 1024 * 1024 };

enum config_place {
    CONFIG_ENVIRONMENT,
    CONFIG_LOCAL_SETTINGS,
    CONFIG_APP_SETTINGS,
    CONFIG_HOST_JSON
};

struct config_item {
    char *name; /* "DistributedLeasing:AutoRenew", in the case in which it was written */
    char
        *written; /* the same for messages, as the user wrote it: "DistributedLeasing__AutoRenew" */
    char *value;
    enum config_place place;
};

/* Owns its strings. */
struct config_source {
    struct config_item *items;
    size_t count;
    size_t capacity;
    enum config_place place; /* of the items that are added next */
};

/*
 * Reads the files in `folder`, which may be absent, and `environment` ("NAME=value" strings, NULL
 * at the end).
 *
 * STATUS_INVALID_ARGUMENT   a file other than host.json cannot be read, is over
 *                           CONFIG_FILE_MAX_BYTES, or is not JSON of the expected shape; the
 *                           message names it
 * STATUS_NO_MEMORY
 */
enum status config_source_load(const char *folder, char *const *environment,
                               struct config_source *out, struct error *err) MUST_CHECK;

/* Wipes the values, which may be connection strings, and frees everything. */
void config_source_cleanup(struct config_source *source);

/* Returns the item that wins for `name` (written with ':'), borrowed, or NULL if there is none. */
const struct config_item *config_source_find(const struct config_source *source, const char *name);

/* Returns the value of that item, or NULL. */
const char *config_source_get(const struct config_source *source, const char *name);

#endif
