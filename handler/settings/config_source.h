/*
 * config_source.h - the app settings as text: the places that they come from, flattened into one list of names and
 * values.
 *
 * Knows nothing of what a setting means; app_settings.h does.
 *
 * Rules        The places, highest first: the environment; local.settings.json's Values, unless the environment has
 *              FUNCTIONS_CUSTOMHANDLER_PORT (a host has started us and has passed them already); appsettings.json;
 *              host.json, whose members are called "AzureFunctionsJobHost:...", as in the host's own configuration, so
 *              that an app setting of that name overrides the file here as it does there ("host.json reference",
 *              "Override host.json values").
 *              A name's parts are joined by ':'; "__" is read as ':'. Names compare without case. Of two equal names the
 *              higher place wins; in one place the one written without ':'; then, in the environment, whose order the host
 *              changes from start to start, the one whose spelling sorts first, and in a file the last.
 *              White space around a value is dropped.
 *              JSON is flattened as .NET does it: members joined by ':', array elements called 0, 1, ...; numbers and
 *              booleans become their text; null, {} and [] are not there.
 *              An empty value is a value like any other here: it hides those of lower places.
 *              Of host.json only the route prefix is needed. So a host.json that cannot be read is a Warning in the log.
 * Threads: none of its own.
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
    char *name; /* "DistributedLeasing:AutoRenew", in its writer's case */
    char
        *written; /* the name as the user wrote it, for messages: "DistributedLeasing__AutoRenew" */
    char *value;
    enum config_place place;
};

/* Owns its strings. */
struct config_source {
    struct config_item *items;
    size_t count;
    size_t capacity;
    enum config_place place; /* of the items that are being added */
};

/*
 * Reads the files in `folder` (absent ones are fine) and `environment` (as environ: "NAME=value", NULL at the end).
 *
 * STATUS_INVALID_ARGUMENT   a file other than host.json cannot be read, is over CONFIG_FILE_MAX_BYTES, or is not JSON of the
 *                           expected shape; the message names it
 * STATUS_NO_MEMORY
 */
enum status config_source_load(const char *folder, char *const *environment,
                               struct config_source *out, struct error *err) MUST_CHECK;

/* Wipes the values (connection strings are among them) and frees. */
void config_source_cleanup(struct config_source *source);

/* The item that wins for `name` (written with ':'), borrowed; NULL: no place has it. */
const struct config_item *config_source_find(const struct config_source *source, const char *name);

/* Its value. */
const char *config_source_get(const struct config_source *source, const char *name);

#endif
