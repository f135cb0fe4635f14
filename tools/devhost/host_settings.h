/*
 * host_settings.h - the app's settings: our environment first, then Values of local.settings.json.
 *
 * Rules        A:B and A__B are one name, and case does not matter (.NET's configuration). Booleans
 *              and numbers in Values become text, as Core Tools read them.
 *              AzureFunctionsJobHost__a__b stands for the member a.b of host.json and wins over it
 *              (ScriptHost's configuration).
 */
#ifndef DEVHOST_HOST_SETTINGS_H
#define DEVHOST_HOST_SETTINGS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "devhost/host_config.h"

/* Reads local.settings.json; without that file there are none. */
enum status host_settings_read(struct host_config *config, struct error *err) MUST_CHECK;

/* Whether `variable` ("NAME=value") has this name. */
bool host_settings_is_named(const char *variable, const char *name);

/* The setting's value, borrowed; NULL: it is not set. */
const char *host_settings_find(const struct host_config *config, const char *name);

/* Whether a function is switched off: AzureWebJobs.NAME.Disabled is true or 1. */
bool host_settings_disable(const struct host_config *config, const char *function);

/* Puts what AzureFunctionsJobHost__... says into host.json's tree. False: no memory. */
bool host_settings_override(const struct host_config *config, cJSON *host);

#endif
