#include "settings/config_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"

static void wipe_and_free(char *text, size_t length) {
    if (text != NULL) {
        crypto_wipe(text, length);
        free(text);
    }
}

void config_source_cleanup(struct config_source *source) {
    for (size_t i = 0; i < source->count; i++) {
        free(source->items[i].name);
        free(source->items[i].written);
        wipe_and_free(source->items[i].value, strlen(source->items[i].value));
    }
    free(source->items);
    *source = (struct config_source){0};
}

/* Returns whether `item` wins over `other`, which has the same name and was added before it. */
static bool wins_over(const struct config_item *item, const struct config_item *other) {
    bool has_colon = strchr(item->written, ':') != NULL;
    bool other_has = strchr(other->written, ':') != NULL;
    if (item->place != other->place) {
        return item->place < other->place;
    }
    if (has_colon != other_has) {
        return other_has;
    }
    return item->place != CONFIG_ENVIRONMENT || strcmp(item->written, other->written) < 0;
}

const struct config_item *config_source_find(const struct config_source *source, const char *name) {
    const struct config_item *found = NULL;
    for (size_t i = 0; i < source->count; i++) {
        const struct config_item *item = &source->items[i];
        if (strcasecmp(item->name, name) == 0 && (found == NULL || wins_over(item, found))) {
            found = item;
        }
    }
    return found;
}

const char *config_source_get(const struct config_source *source, const char *name) {
    const struct config_item *item = config_source_find(source, name);
    return item == NULL ? NULL : item->value;
}

/* Replaces "__" by ':' from the left ("A___B" is "A:_B"), as .NET reads environment variables. */
static void join_by_colons(char *name) {
    char *to = name;
    for (const char *from = name; *from != '\0'; to++) {
        if (from[0] == '_' && from[1] == '_') {
            *to = ':';
            from += 2;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

static enum status grow_items(struct config_source *source) {
    if (source->count < source->capacity) {
        return STATUS_OK;
    }
    size_t capacity = source->capacity == 0 ? 64 : source->capacity * 2;
    struct config_item *items = reallocarray(source->items, capacity, sizeof *items);
    if (items == NULL) {
        return STATUS_NO_MEMORY;
    }
    source->items = items;
    source->capacity = capacity;
    return STATUS_OK;
}

static char *copy_trimmed(const char *value) {
    static const char spaces[] = " \t\r\n\v\f";
    value += strspn(value, spaces);
    size_t length = strlen(value);
    while (length > 0 && strchr(spaces, value[length - 1]) != NULL) {
        length--;
    }
    return strndup(value, length);
}

static enum status add_item(struct config_source *source, const char *name, size_t name_length,
                            const char *value) {
    if (grow_items(source) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    struct config_item item = {.name = strndup(name, name_length),
                               .written = strndup(name, name_length),
                               .value = copy_trimmed(value),
                               .place = source->place};
    if (item.name == NULL || item.written == NULL || item.value == NULL) {
        free(item.name);
        free(item.written);
        wipe_and_free(item.value, item.value == NULL ? 0 : strlen(item.value));
        return STATUS_NO_MEMORY;
    }
    join_by_colons(item.name);
    source->items[source->count++] = item;
    return STATUS_OK;
}

static enum status add_environment(struct config_source *source, char *const *environment) {
    enum status status = STATUS_OK;
    for (; *environment != NULL && status == STATUS_OK; environment++) {
        const char *equals = strchr(*environment, '=');
        if (equals != NULL && equals != *environment) {
            status = add_item(source, *environment, (size_t)(equals - *environment), equals + 1);
        }
    }
    return status;
}

static enum status add_json(struct config_source *source, const cJSON *value, const char *name);

static enum status add_scalar(struct config_source *source, const cJSON *value, const char *name) {
    if (cJSON_IsNull(value)) {
        return STATUS_OK;
    }
    if (cJSON_IsString(value)) {
        return add_item(source, name, strlen(name), value->valuestring);
    }
    char *text = cJSON_PrintUnformatted(value); /* a number or a boolean */
    enum status status =
        text == NULL ? STATUS_NO_MEMORY : add_item(source, name, strlen(name), text);
    cJSON_free(text);
    return status;
}

static enum status add_member(struct config_source *source, const cJSON *value, const char *parent,
                              size_t index) {
    char *name;
    const char *colon = parent[0] == '\0' ? "" : ":";
    int length = value->string != NULL ? asprintf(&name, "%s%s%s", parent, colon, value->string)
                                       : asprintf(&name, "%s%s%zu", parent, colon, index);
    if (length < 0) {
        return STATUS_NO_MEMORY;
    }
    enum status status = add_json(source, value, name);
    free(name);
    return status;
}

/* Adds all values of the tree `value`. The recursion is at most JSON_MAX_DEPTH deep. */
static enum status add_json(struct config_source *source, const cJSON *value, const char *name) {
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value)) {
        return add_scalar(source, value, name);
    }
    enum status status = STATUS_OK;
    size_t index = 0;
    for (const cJSON *child = value->child; child != NULL && status == STATUS_OK;
         child = child->next) {
        status = add_member(source, child, name, index++);
    }
    return status;
}

/*
 * Fills `text`, which has CONFIG_FILE_MAX_BYTES + 1 bytes. *length, 0 at first, is how many bytes
 * were read, also after a failure.
 */
static enum status read_text(int file, char *text, size_t *length, struct error *err) {
    ssize_t count;
    while ((count = read(file, text + *length, CONFIG_FILE_MAX_BYTES + 1 - *length)) != 0) {
        if (count < 0 && errno != EINTR) {
            return error_set(err, STATUS_INVALID_ARGUMENT, "cannot be read: %s", strerror(errno));
        }
        if (count > 0) {
            *length += (size_t)count;
        }
        if (*length > CONFIG_FILE_MAX_BYTES) {
            return error_set(err, STATUS_INVALID_ARGUMENT, "is over %d bytes",
                             CONFIG_FILE_MAX_BYTES);
        }
    }
    return STATUS_OK;
}

static enum status parse_file(int file, cJSON **out, struct error *err) {
    char *text = malloc(CONFIG_FILE_MAX_BYTES + 1);
    if (text == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to read it");
    }
    size_t length = 0;
    enum status status = read_text(file, text, &length, err);
    if (status == STATUS_OK) {
        status = json_parse_config(text, length, out, err);
    }
    if (status == STATUS_OK && !cJSON_IsObject(*out)) {
        cJSON_Delete(*out);
        *out = NULL;
        status = error_set(err, STATUS_INVALID_ARGUMENT, "is not a JSON object");
    }
    wipe_and_free(text, length);
    return status == STATUS_MALFORMED ? STATUS_INVALID_ARGUMENT : status;
}

/* Leaves *out untouched if there is no such file. */
static enum status read_json_file(const char *folder, const char *name, cJSON **out,
                                  struct error *err) {
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the path of %s", name);
    }
    enum status status = STATUS_OK;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        status = parse_file(file, out, err);
        close(file);
    } else if (errno != ENOENT) {
        status = error_set(err, STATUS_INVALID_ARGUMENT, "cannot be read: %s", strerror(errno));
    }
    if (status != STATUS_OK) {
        error_wrap(err, "%s", path);
    }
    free(path);
    return status;
}

/* Values holds the app settings. Its siblings (Host, ConnectionStrings) are for the host. */
static enum status add_local_values(struct config_source *source, const cJSON *json,
                                    struct error *err) {
    if (cJSON_IsTrue(cJSON_GetObjectItem(json, "IsEncrypted"))) {
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "local.settings.json is encrypted, and only the Functions host can read it; "
            "decrypt it with: func settings decrypt");
    }
    const cJSON *values = cJSON_GetObjectItem(json, "Values");
    if (values != NULL && !cJSON_IsObject(values)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "local.settings.json: Values is not a JSON object");
    }
    return values == NULL ? STATUS_OK : add_json(source, values, "");
}

static enum status add_local_settings(struct config_source *source, const char *folder,
                                      struct error *err) {
    cJSON *json = NULL;
    source->place = CONFIG_LOCAL_SETTINGS;
    enum status status = read_json_file(folder, "local.settings.json", &json, err);
    if (status == STATUS_OK && json != NULL) {
        status = add_local_values(source, json, err);
    }
    json_delete_wiped(json);
    return status;
}

static enum status add_app_settings(struct config_source *source, const char *folder,
                                    struct error *err) {
    cJSON *json = NULL;
    source->place = CONFIG_APP_SETTINGS;
    enum status status = read_json_file(folder, "appsettings.json", &json, err);
    if (status == STATUS_OK && json != NULL) {
        status = add_json(source, json, "");
    }
    json_delete_wiped(json);
    return status;
}

/* The host has read the file before it started us, so an error by our rules stops nothing. */
static enum status add_host_json(struct config_source *source, const char *folder) {
    cJSON *json = NULL;
    struct error why;
    source->place = CONFIG_HOST_JSON;
    enum status status = read_json_file(folder, "host.json", &json, &why);
    if (status == STATUS_INVALID_ARGUMENT) {
        log_event(LOG_WARNING, "%s; the route prefix is \"api\" unless a setting says otherwise",
                  why.message);
        return STATUS_OK;
    }
    if (status == STATUS_OK && json != NULL) {
        status = add_json(source, json, "AzureFunctionsJobHost");
    }
    cJSON_Delete(json);
    return status;
}

enum status config_source_load(const char *folder, char *const *environment,
                               struct config_source *out, struct error *err) {
    struct config_source source = {0};
    enum status status = add_environment(&source, environment);
    bool started_by_host = config_source_get(&source, "FUNCTIONS_CUSTOMHANDLER_PORT") != NULL;
    if (status == STATUS_OK && !started_by_host) {
        status = add_local_settings(&source, folder, err);
    }
    if (status == STATUS_OK) {
        status = add_app_settings(&source, folder, err);
    }
    if (status == STATUS_OK) {
        status = add_host_json(&source, folder);
    }
    if (status != STATUS_OK) {
        config_source_cleanup(&source);
        return status == STATUS_NO_MEMORY
                   ? error_set(err, status, "no memory to read the app settings")
                   : status;
    }
    *out = source;
    return STATUS_OK;
}
