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
 *              A name's parts are joined by ':'; "__" is read as ':'. Names compare without case. Of two equal names
 *              the higher place wins, in one place the first.
 *              JSON is flattened as .NET does it: members joined by ':', array elements called 0, 1, ...; numbers and
 *              booleans become their text; null, {} and [] are not there.
 *              An empty value is a value like any other here: it hides those of lower places.
 * Threads: none of its own.
 * Layer: settings. May include everything below main.
 */
#ifndef SETTINGS_CONFIG_SOURCE_H
#define SETTINGS_CONFIG_SOURCE_H

#include <stddef.h>

#include "base/status.h"

enum { CONFIG_FILE_MAX_BYTES = 1024 * 1024 };

struct config_item {
    char *name; /* "DistributedLeasing:AutoRenew", in its writer's case */
    char *value;
};

/* Owns its strings. Highest place first. */
struct config_source {
    struct config_item *items;
    size_t count;
    size_t capacity;
};

/*
 * Reads the files in `folder` (absent ones are fine) and `environment` (as environ: "NAME=value", NULL at the end).
 *
 * STATUS_INVALID_ARGUMENT   a file cannot be read, is over CONFIG_FILE_MAX_BYTES, or is not JSON of the expected shape;
 *                           the message names it
 * STATUS_NO_MEMORY
 */
enum status config_source_load(const char *folder, char *const *environment, struct config_source *out,
                               struct error *err) MUST_CHECK;

/* Wipes the values (connection strings are among them) and frees. */
void config_source_release(struct config_source *source);

/* The value of `name` (written with ':'), borrowed; NULL: no place has it. */
const char *config_source_get(const struct config_source *source, const char *name);

#endif
