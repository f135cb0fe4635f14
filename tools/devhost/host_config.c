#include "devhost/host_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/timespan.h"
#include "devhost/config_file.h"
#include "devhost/function_config.h"
#include "devhost/host_settings.h"

enum { DEFAULT_TIMEOUT_MS = 30 * 60 * 1000 };

bool host_shape_parse(const char *text, enum host_shape *out) {
    static const char *const names[] = {[HOST_SHAPE_PROXY] = "proxy",
                                        [HOST_SHAPE_FORWARD] = "forward",
                                        [HOST_SHAPE_INVOCATION] = "invocation"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *out = (enum host_shape)i;
            return true;
        }
    }
    return false;
}

static enum status read_description(struct host_config *config, const cJSON *description,
                                    struct error *err) {
    const char *executable =
        cJSON_GetStringValue(cJSON_GetObjectItem(description, "defaultExecutablePath"));
    if (executable == NULL || executable[0] == '\0') {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "host.json names no customHandler.description.defaultExecutablePath");
    }
    int length = executable[0] == '/'
                     ? asprintf(&config->executable, "%s", executable)
                     : asprintf(&config->executable, "%s/%s", config->folder, executable);
    if (length < 0) {
        config->executable = NULL;
        return config_file_no_memory(err);
    }
    const cJSON *argument;
    cJSON_ArrayForEach(argument, cJSON_GetObjectItem(description, "arguments")) {
        if (!cJSON_IsString(argument)) {
            return error_set(err, STATUS_INVALID_ARGUMENT, "host.json: arguments are strings");
        }
        enum status status = config_file_add_string(&config->arguments, &config->argument_count,
                                                    argument->valuestring, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* In any case, as .NET's configuration has it. */
static const cJSON *member(const cJSON *object, const char *name) {
    return cJSON_GetObjectItem(object, name);
}

static bool is_true(const cJSON *value) {
    const char *text = cJSON_GetStringValue(value); /* from AzureFunctionsJobHost__... */
    return cJSON_IsTrue(value) || (text != NULL && strcasecmp(text, "true") == 0);
}

/* functionTimeout: 30 minutes where it is missing, none for -1 (ScriptJobHostOptionsSetup). */
static enum status read_timeout(struct host_config *config, const cJSON *timeout,
                                struct error *err) {
    config->function_timeout_ms = DEFAULT_TIMEOUT_MS;
    const char *text = cJSON_GetStringValue(timeout);
    if (timeout == NULL || cJSON_IsNull(timeout)) {
        return STATUS_OK;
    }
    if (text != NULL && strcmp(text, "-1") == 0) {
        config->function_timeout_ms = 0;
        return STATUS_OK;
    }
    if (text == NULL || !timespan_parse(text, &config->function_timeout_ms) ||
        config->function_timeout_ms < 1000) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "host.json: functionTimeout is a TimeSpan of at least 00:00:01, or -1");
    }
    return STATUS_OK;
}

static enum status read_shape_and_prefix(struct host_config *config, const cJSON *host,
                                         char **out_prefix, struct error *err) {
    const cJSON *custom = member(host, "customHandler");
    config->shape = is_true(member(custom, "enableProxyingHttpRequest")) ? HOST_SHAPE_PROXY
                    : is_true(member(custom, "enableForwardingHttpRequest"))
                        ? HOST_SHAPE_FORWARD
                        : HOST_SHAPE_INVOCATION;
    const char *prefix =
        cJSON_GetStringValue(member(member(member(host, "extensions"), "http"), "routePrefix"));
    if (!config_file_copy(out_prefix, prefix != NULL ? prefix : "api")) {
        return config_file_no_memory(err);
    }
    return read_description(config, member(custom, "description"), err);
}

/* `out_prefix` is the caller's to free. Settings must have been read. */
static enum status read_host(struct host_config *config, char **out_prefix, struct error *err) {
    cJSON *host = NULL;
    enum status status = config_file_read(config->folder, "host.json", &host, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!host_settings_override(config, host)) {
        status = config_file_no_memory(err);
    }
    if (status == STATUS_OK) {
        status = read_timeout(config, member(host, "functionTimeout"), err);
    }
    if (status == STATUS_OK) {
        status = read_shape_and_prefix(config, host, out_prefix, err);
    }
    cJSON_Delete(host);
    return status;
}

/* All of it */

enum status host_config_load(struct host_config *out, const char *folder, struct error *err) {
    struct host_config config = {0};
    char *prefix = NULL;
    config.folder = realpath(folder, NULL);
    if (config.folder == NULL) {
        return error_set(err, STATUS_NOT_FOUND, "%s: %s", folder, strerror(errno));
    }
    enum status status = host_settings_read(&config, err);
    if (status == STATUS_OK) {
        status = read_host(&config, &prefix, err);
    }
    if (status == STATUS_OK) {
        status = function_config_read(&config, prefix, err);
    }
    free(prefix);
    if (status != STATUS_OK) {
        host_config_cleanup(&config);
        return status;
    }
    *out = config;
    return STATUS_OK;
}

static void release_function(struct host_function *function) {
    free(function->name);
    free(function->trigger_name);
    free(function->output_name);
    free(function->route);
    for (size_t i = 0; i < function->method_count; i++) {
        free(function->methods[i]);
    }
    free(function->methods);
    free(function->schedule_text);
}

void host_config_cleanup(struct host_config *config) {
    free(config->folder);
    free(config->executable);
    for (size_t i = 0; i < config->argument_count; i++) {
        free(config->arguments[i]);
    }
    free(config->arguments);
    for (size_t i = 0; i < config->setting_count; i++) {
        free(config->settings[i].name);
        free(config->settings[i].value);
    }
    free(config->settings);
    for (size_t i = 0; i < config->function_count; i++) {
        release_function(&config->functions[i]);
    }
    free(config->functions);
    *config = (struct host_config){0};
}

const struct host_function *host_config_find(const struct host_config *config, const char *name) {
    for (size_t i = 0; i < config->function_count; i++) {
        if (strcasecmp(config->functions[i].name, name) == 0) {
            return &config->functions[i];
        }
    }
    return NULL;
}
