#include "devhost/host_settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "devhost/config_file.h"

enum { NAME_BYTES = 256 };

#define JOB_HOST "AzureFunctionsJobHost"

/* Names */

/* The next character of a setting's name, A:B read as A__B, in lower case. */
static int next_of_name(const char **name, int *pending) {
    if (*pending != 0) {
        int c = *pending;
        *pending = 0;
        return c;
    }
    char c = *(*name)++;
    if (c == ':') {
        *pending = '_';
        return '_';
    }
    return tolower((unsigned char)c);
}

bool host_settings_is_named(const char *variable, const char *name) {
    int pending_left = 0;
    int pending_right = 0;
    while (true) {
        int left = next_of_name(&variable, &pending_left);
        int right = next_of_name(&name, &pending_right);
        if (left == '=' || left == '\0' || right == '\0') {
            return left == '=' && right == '\0';
        }
        if (left != right) {
            return false;
        }
    }
}

const char *host_settings_find(const struct host_config *config, const char *name) {
    for (char *const *variable = environ; *variable != NULL; variable++) {
        if (host_settings_is_named(*variable, name)) {
            return strchr(*variable, '=') + 1;
        }
    }
    for (size_t i = 0; i < config->setting_count; i++) {
        char variable[NAME_BYTES];
        snprintf(variable, sizeof variable, "%s=", config->settings[i].name);
        if (host_settings_is_named(variable, name)) {
            return config->settings[i].value;
        }
    }
    return NULL;
}

bool host_settings_disable(const struct host_config *config, const char *function) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "AzureWebJobs.%s.Disabled", function);
    const char *value = host_settings_find(config, name);
    return value != NULL && (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0);
}

/* local.settings.json */

static enum status add_setting(struct host_config *config, const cJSON *value, struct error *err) {
    if (cJSON_IsNull(value)) {
        return STATUS_OK; /* sets nothing */
    }
    if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "local.settings.json: the value of %s is not a string", value->string);
    }
    char *text = cJSON_IsString(value) ? strdup(value->valuestring) : cJSON_PrintUnformatted(value);
    void *items = config->settings;
    struct host_setting *setting =
        text != NULL ? config_file_add_item(&items, &config->setting_count, sizeof *setting) : NULL;
    config->settings = items;
    if (setting == NULL) {
        free(text);
        return config_file_no_memory(err);
    }
    setting->value = text;
    return config_file_copy(&setting->name, value->string) ? STATUS_OK : config_file_no_memory(err);
}

enum status host_settings_read(struct host_config *config, struct error *err) {
    cJSON *file = NULL;
    enum status status = config_file_read(config->folder, "local.settings.json", &file, err);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status == STATUS_OK &&
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(file, "IsEncrypted"))) {
        status = error_set(err, STATUS_INVALID_ARGUMENT,
                           "local.settings.json is encrypted: func settings decrypt");
    }
    const cJSON *value;
    cJSON_ArrayForEach(value, cJSON_GetObjectItemCaseSensitive(file, "Values")) {
        if (status == STATUS_OK) {
            status = add_setting(config, value, err);
        }
    }
    cJSON_Delete(file);
    return status;
}

/* host.json */

/* The member of that name, an object, made if need be. NULL: no memory. */
static cJSON *descend(cJSON *object, const char *name) {
    cJSON *member = cJSON_GetObjectItem(object, name);
    if (member != NULL && !cJSON_IsObject(member)) {
        cJSON_DeleteItemFromObject(object, name);
        member = NULL;
    }
    return member != NULL ? member : cJSON_AddObjectToObject(object, name);
}

/* `path` is "a:b" or "a__b". */
static bool put(cJSON *host, const char *path, const char *value) {
    cJSON *object = host;
    char name[NAME_BYTES];
    while (object != NULL) {
        const char *colon = strchr(path, ':');
        const char *bars = strstr(path, "__");
        const char *end = colon != NULL && (bars == NULL || colon < bars) ? colon : bars;
        snprintf(name, sizeof name, "%.*s", end != NULL ? (int)(end - path) : (int)strlen(path),
                 path);
        if (end == NULL) {
            cJSON_DeleteItemFromObject(object, name);
            return cJSON_AddStringToObject(object, name, value) != NULL;
        }
        object = descend(object, name);
        path = end + (end == colon ? 1 : 2);
    }
    return false;
}

/* Where a name's path in host.json begins; NULL: it is not one of these names. */
static const char *path_of(const char *name) {
    size_t length = strlen(JOB_HOST);
    if (strncasecmp(name, JOB_HOST, length) != 0) {
        return NULL;
    }
    return name[length] == ':'                    ? name + length + 1
           : strncmp(name + length, "__", 2) == 0 ? name + length + 2
                                                  : NULL;
}

bool host_settings_override(const struct host_config *config, cJSON *host) {
    bool good = true;
    for (size_t i = 0; i < config->setting_count && good; i++) {
        const char *path = path_of(config->settings[i].name);
        good = path == NULL || put(host, path, config->settings[i].value);
    }
    for (char *const *variable = environ; *variable != NULL && good;
         variable++) { /* later, so that it wins */
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
        const char *path = path_of(name);
        good = path == NULL || put(host, path, strchr(*variable, '=') + 1);
    }
    return good;
}
