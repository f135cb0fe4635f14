#include "devhost/host_config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "devhost/route.h"

enum { MAX_FILE_BYTES = 1024 * 1024, READ_BLOCK_BYTES = 16 * 1024 };

/* Files */

static enum status read_file(const char *path, struct strbuf *out, struct error *err) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        enum status status = errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_INVALID_ARGUMENT;
        return error_set(err, status, "%s: %s", path, strerror(errno));
    }
    char block[READ_BLOCK_BYTES];
    size_t got;
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        strbuf_append(out, block, got);
    }
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s cannot be read", path);
    }
    return strbuf_status(out) == STATUS_OK ? STATUS_OK : error_set(err, strbuf_status(out), "%s is too large", path);
}

/* Reads `folder`/`name`, which must hold a JSON object. */
static enum status read_object(const char *folder, const char *name, cJSON **out, struct error *err) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "the path %s/%s is too long", folder, name);
    }
    struct strbuf text;
    strbuf_init(&text, MAX_FILE_BYTES);
    enum status status = read_file(path, &text, err);
    cJSON *parsed = NULL;
    if (status == STATUS_OK) {
        status = json_parse_config(text.data, text.length, &parsed, err);
        if (status != STATUS_OK) {
            error_wrap(err, "%s", path);
        } else if (!cJSON_IsObject(parsed)) {
            cJSON_Delete(parsed);
            status = error_set(err, STATUS_MALFORMED, "%s is not a JSON object", path);
        }
    }
    strbuf_release(&text);
    if (status == STATUS_OK) {
        *out = parsed;
    }
    return status;
}

static enum status no_memory(struct error *err) {
    return error_set(err, STATUS_NO_MEMORY, "no memory for the app's configuration");
}

static bool copy(char **out, const char *text) {
    *out = text != NULL ? strdup(text) : NULL;
    return *out != NULL || text == NULL;
}

/* Adds a zeroed item to an array; NULL: no memory. */
static void *add_item(void **items, size_t *count, size_t item_bytes) {
    char *grown = reallocarray(*items, *count + 1, item_bytes);
    if (grown == NULL) {
        return NULL;
    }
    *items = grown;
    void *item = grown + (*count)++ * item_bytes;
    memset(item, 0, item_bytes);
    return item;
}

static enum status add_string(char ***strings, size_t *count, const char *text, struct error *err) {
    void *items = *strings;
    char **item = add_item(&items, count, sizeof *item);
    *strings = items;
    return item != NULL && copy(item, text) ? STATUS_OK : no_memory(err);
}

/* host.json */

bool host_shape_parse(const char *text, enum host_shape *out) {
    static const char *const names[] = {
        [HOST_SHAPE_PROXY] = "proxy", [HOST_SHAPE_FORWARD] = "forward", [HOST_SHAPE_INVOCATION] = "invocation"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *out = (enum host_shape)i;
            return true;
        }
    }
    return false;
}

static enum status read_description(struct host_config *config, const cJSON *description, struct error *err) {
    const char *executable = json_string(description, "defaultExecutablePath");
    if (executable == NULL || executable[0] == '\0') {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "host.json names no customHandler.description.defaultExecutablePath");
    }
    int length = executable[0] == '/' ? asprintf(&config->executable, "%s", executable)
                                      : asprintf(&config->executable, "%s/%s", config->folder, executable);
    if (length < 0) {
        config->executable = NULL;
        return no_memory(err);
    }
    const cJSON *argument;
    cJSON_ArrayForEach(argument, cJSON_GetObjectItemCaseSensitive(description, "arguments")) {
        if (!cJSON_IsString(argument)) {
            return error_set(err, STATUS_INVALID_ARGUMENT, "host.json: arguments are strings");
        }
        enum status status = add_string(&config->arguments, &config->argument_count, argument->valuestring, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static const cJSON *member(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* `out_prefix` is the caller's to free. */
static enum status read_host(struct host_config *config, char **out_prefix, struct error *err) {
    cJSON *host = NULL;
    enum status status = read_object(config->folder, "host.json", &host, err);
    if (status != STATUS_OK) {
        return status;
    }
    const cJSON *custom = member(host, "customHandler");
    config->shape = cJSON_IsTrue(member(custom, "enableProxyingHttpRequest"))     ? HOST_SHAPE_PROXY
                    : cJSON_IsTrue(member(custom, "enableForwardingHttpRequest")) ? HOST_SHAPE_FORWARD
                                                                                  : HOST_SHAPE_INVOCATION;
    const char *prefix = json_string(member(member(host, "extensions"), "http"), "routePrefix");
    status = read_description(config, member(custom, "description"), err);
    if (status == STATUS_OK && !copy(out_prefix, prefix != NULL ? prefix : "api")) {
        status = no_memory(err);
    }
    cJSON_Delete(host);
    return status;
}

/* local.settings.json */

static enum status add_setting(struct host_config *config, const cJSON *value, struct error *err) {
    if (!cJSON_IsString(value)) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "local.settings.json: the value of %s is not a string",
                         value->string);
    }
    void *items = config->settings;
    struct host_setting *setting = add_item(&items, &config->setting_count, sizeof *setting);
    config->settings = items;
    bool copied = setting != NULL && copy(&setting->name, value->string) && copy(&setting->value, value->valuestring);
    return copied ? STATUS_OK : no_memory(err);
}

static enum status read_settings(struct host_config *config, struct error *err) {
    cJSON *file = NULL;
    enum status status = read_object(config->folder, "local.settings.json", &file, err);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status == STATUS_OK && cJSON_IsTrue(member(file, "IsEncrypted"))) {
        status = error_set(err, STATUS_INVALID_ARGUMENT, "local.settings.json is encrypted: func settings decrypt");
    }
    const cJSON *value;
    cJSON_ArrayForEach(value, member(file, "Values")) {
        if (status == STATUS_OK) {
            status = add_setting(config, value, err);
        }
    }
    cJSON_Delete(file);
    return status;
}

/* function.json */

static enum status read_route(struct host_function *function, const char *prefix, const char *route,
                              struct error *err) {
    const char *own = route != NULL && route[0] != '\0' ? route : function->name;
    own += own[0] == '/';
    int length = asprintf(&function->route, "%s%s%s", prefix, prefix[0] != '\0' ? "/" : "", own);
    if (length < 0) {
        function->route = NULL;
        return no_memory(err);
    }
    return route_check(function->route, err);
}

static enum status read_http_trigger(struct host_function *function, const cJSON *binding, const char *prefix,
                                     struct error *err) {
    function->trigger = HOST_TRIGGER_HTTP;
    enum status status = read_route(function, prefix, json_string(binding, "route"), err);
    const cJSON *method;
    cJSON_ArrayForEach(method, member(binding, "methods")) {
        if (status == STATUS_OK && !cJSON_IsString(method)) {
            status = error_set(err, STATUS_INVALID_ARGUMENT, "methods are strings");
        }
        if (status == STATUS_OK) {
            status = add_string(&function->methods, &function->method_count, method->valuestring, err);
        }
        if (status == STATUS_OK) {
            for (char *c = function->methods[function->method_count - 1]; *c != '\0'; c++) {
                *c = (char)toupper((unsigned char)*c);
            }
        }
    }
    return status;
}

static enum status read_timer_trigger(struct host_function *function, const cJSON *binding, struct error *err) {
    const char *schedule = json_string(binding, "schedule");
    if (schedule == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "a timerTrigger has no schedule");
    }
    function->trigger = HOST_TRIGGER_TIMER;
    function->run_on_startup = cJSON_IsTrue(member(binding, "runOnStartup"));
    if (!copy(&function->schedule_text, schedule)) {
        return no_memory(err);
    }
    return ncrontab_parse(schedule, &function->schedule, err);
}

static enum status read_binding(struct host_function *function, const cJSON *binding, const char *prefix,
                                struct error *err) {
    const char *type = json_string(binding, "type");
    const char *name = json_string(binding, "name");
    if (type == NULL || name == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "a binding has no type or no name");
    }
    if (strcasecmp(type, "http") == 0) {
        free(function->output_name);
        return copy(&function->output_name, name) ? STATUS_OK : no_memory(err);
    }
    bool http = strcasecmp(type, "httpTrigger") == 0;
    if (!http && strcasecmp(type, "timerTrigger") != 0) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "bindings of type %s are not supported", type);
    }
    if (function->trigger_name != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "a function has one trigger");
    }
    if (!copy(&function->trigger_name, name)) {
        return no_memory(err);
    }
    return http ? read_http_trigger(function, binding, prefix, err) : read_timer_trigger(function, binding, err);
}

static enum status read_bindings(struct host_function *function, const cJSON *file, const char *prefix,
                                 struct error *err) {
    const cJSON *binding;
    cJSON_ArrayForEach(binding, member(file, "bindings")) {
        enum status status = read_binding(function, binding, prefix, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return function->trigger_name != NULL ? STATUS_OK : error_set(err, STATUS_INVALID_ARGUMENT, "there is no trigger");
}

/* Adds the function in `folder`/`name`, if there is one. */
static enum status read_function(struct host_config *config, const char *name, const char *prefix, struct error *err) {
    char path[NAME_MAX + sizeof "/function.json"];
    snprintf(path, sizeof path, "%s/function.json", name);
    cJSON *file = NULL;
    enum status status = read_object(config->folder, path, &file, err);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    void *items = config->functions;
    struct host_function *function = add_item(&items, &config->function_count, sizeof *function);
    config->functions = items;
    if (function == NULL || !copy(&function->name, name)) {
        status = no_memory(err);
    } else {
        status = read_bindings(function, file, prefix, err);
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

static enum status read_functions(struct host_config *config, const char *prefix, struct error *err) {
    DIR *folder = opendir(config->folder);
    if (folder == NULL) {
        return error_set(err, STATUS_NOT_FOUND, "%s: %s", config->folder, strerror(errno));
    }
    enum status status = STATUS_OK;
    for (struct dirent *entry = readdir(folder); entry != NULL && status == STATUS_OK; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            status = read_function(config, entry->d_name, prefix, err);
        }
    }
    closedir(folder);
    if (status == STATUS_OK && config->function_count == 0) {
        status = error_set(err, STATUS_INVALID_ARGUMENT, "%s holds no function (a folder with function.json)",
                           config->folder);
    }
    if (status == STATUS_OK) {
        qsort(config->functions, config->function_count, sizeof *config->functions, compare_functions);
    }
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
    enum status status = read_host(&config, &prefix, err);
    if (status == STATUS_OK) {
        status = read_settings(&config, err);
    }
    if (status == STATUS_OK) {
        status = read_functions(&config, prefix, err);
    }
    free(prefix);
    if (status != STATUS_OK) {
        host_config_release(&config);
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

void host_config_release(struct host_config *config) {
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
