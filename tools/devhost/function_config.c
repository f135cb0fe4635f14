#include "devhost/function_config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/route_template.h"
#include "devhost/config_file.h"
#include "devhost/console.h"
#include "devhost/host_settings.h"

enum { SETTING_NAME_BYTES = 256 };

static enum status read_route(struct host_function *function, const char *prefix, const char *route,
                              struct error *err) {
    const char *own = route != NULL && route[0] != '\0' ? route : function->name;
    own += own[0] == '/';
    int length = asprintf(&function->route, "%s%s%s", prefix, prefix[0] != '\0' ? "/" : "", own);
    if (length < 0) {
        function->route = NULL;
        return config_file_no_memory(err);
    }
    return route_template_check(function->route, err);
}

static enum status read_http_trigger(struct host_function *function, const cJSON *binding,
                                     const char *prefix, struct error *err) {
    function->trigger = HOST_TRIGGER_HTTP;
    enum status status = read_route(function, prefix, json_string(binding, "route"), err);
    const cJSON *method;
    cJSON_ArrayForEach(method, cJSON_GetObjectItemCaseSensitive(binding, "methods")) {
        if (status == STATUS_OK && !cJSON_IsString(method)) {
            status = error_set(err, STATUS_INVALID_ARGUMENT, "methods are strings");
        }
        if (status == STATUS_OK) {
            status = config_file_add_string(&function->methods, &function->method_count,
                                            method->valuestring, err);
        }
        if (status == STATUS_OK) {
            for (char *c = function->methods[function->method_count - 1]; *c != '\0'; c++) {
                *c = (char)toupper((unsigned char)*c);
            }
        }
    }
    return status;
}

/* A schedule of %NAME% is the setting's value. NULL: there is no such setting. */
static const char *resolve(const struct host_config *config, const char *schedule) {
    size_t length = strlen(schedule);
    if (length < 3 || schedule[0] != '%' || schedule[length - 1] != '%') {
        return schedule;
    }
    char name[SETTING_NAME_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)length - 2, schedule + 1);
    return host_settings_find(config, name);
}

static enum status read_timer_trigger(struct host_function *function, const cJSON *binding,
                                      const struct host_config *config, struct error *err) {
    const char *schedule = json_string(binding, "schedule");
    if (schedule == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "a timerTrigger has no schedule");
    }
    function->trigger = HOST_TRIGGER_TIMER;
    function->run_on_startup =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(binding, "runOnStartup"));
    const char *resolved = resolve(config, schedule);
    if (!config_file_copy(&function->schedule_text, resolved != NULL ? resolved : schedule)) {
        return config_file_no_memory(err);
    }
    struct error why;
    if (resolved == NULL || schedule_parse(resolved, &function->schedule, &why) != STATUS_OK) {
        console_print(LOG_ERROR, "The '%s' function is in error: %s%s", function->name,
                      resolved == NULL ? schedule : why.message,
                      resolved == NULL ? " is not an app setting" : "");
        function->is_disabled = true;
    }
    return STATUS_OK;
}

static enum status read_binding(struct host_function *function, const cJSON *binding,
                                const struct host_config *config, const char *prefix,
                                struct error *err) {
    const char *type = json_string(binding, "type");
    const char *name = json_string(binding, "name");
    if (type == NULL || name == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "a binding has no type or no name");
    }
    if (strcasecmp(type, "http") == 0) {
        free(function->output_name);
        return config_file_copy(&function->output_name, name) ? STATUS_OK
                                                              : config_file_no_memory(err);
    }
    bool http = strcasecmp(type, "httpTrigger") == 0;
    if (!http && strcasecmp(type, "timerTrigger") != 0) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "bindings of type %s are not supported",
                         type);
    }
    if (function->trigger_name != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "a function has one trigger");
    }
    if (!config_file_copy(&function->trigger_name, name)) {
        return config_file_no_memory(err);
    }
    return http ? read_http_trigger(function, binding, prefix, err)
                : read_timer_trigger(function, binding, config, err);
}

static enum status read_bindings(struct host_function *function, const cJSON *file,
                                 const struct host_config *config, const char *prefix,
                                 struct error *err) {
    const cJSON *binding;
    cJSON_ArrayForEach(binding, cJSON_GetObjectItemCaseSensitive(file, "bindings")) {
        enum status status = read_binding(function, binding, config, prefix, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return function->trigger_name != NULL
               ? STATUS_OK
               : error_set(err, STATUS_INVALID_ARGUMENT, "there is no trigger");
}

/* Adds the function in `folder`/`name`, if there is one. */
static enum status read_function(struct host_config *config, const char *name, const char *prefix,
                                 struct error *err) {
    char path[NAME_MAX + sizeof "/function.json"];
    snprintf(path, sizeof path, "%s/function.json", name);
    cJSON *file = NULL;
    enum status status = config_file_read(config->folder, path, &file, err);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    void *items = config->functions;
    struct host_function *function =
        config_file_add_item(&items, &config->function_count, sizeof *function);
    config->functions = items;
    if (function == NULL || !config_file_copy(&function->name, name)) {
        status = config_file_no_memory(err);
    } else {
        function->is_disabled = host_settings_disable(config, name) ||
                                cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(file, "disabled"));
        status = read_bindings(function, file, config, prefix, err);
    }
    if (status != STATUS_OK) {
        error_wrap(err, "%s", path);
    }
    cJSON_Delete(file);
    return status;
}

static int compare_functions(const void *left, const void *right) {
    const struct host_function *a = left;
    const struct host_function *b = right;
    return strcmp(a->name, b->name);
}

enum status function_config_read(struct host_config *config, const char *prefix,
                                 struct error *err) {
    DIR *folder = opendir(config->folder);
    if (folder == NULL) {
        return error_set(err, STATUS_NOT_FOUND, "%s: %s", config->folder, strerror(errno));
    }
    enum status status = STATUS_OK;
    for (struct dirent *entry = readdir(folder); entry != NULL && status == STATUS_OK;
         entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            status = read_function(config, entry->d_name, prefix, err);
        }
    }
    closedir(folder);
    if (status == STATUS_OK && config->function_count == 0) {
        status = error_set(err, STATUS_INVALID_ARGUMENT,
                           "%s holds no function (a folder with function.json)", config->folder);
    }
    if (status == STATUS_OK) {
        qsort(config->functions, config->function_count, sizeof *config->functions,
              compare_functions);
    }
    return status;
}
