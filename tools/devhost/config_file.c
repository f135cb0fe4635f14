#include "devhost/config_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"

enum { MAX_FILE_BYTES = 1024 * 1024, READ_BLOCK_BYTES = 16 * 1024 };

static enum status read_file(const char *path, struct strbuf *out, struct error *err) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        enum status status =
            errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_INVALID_ARGUMENT;
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
    return strbuf_status(out) == STATUS_OK
               ? STATUS_OK
               : error_set(err, strbuf_status(out), "%s is too large", path);
}

enum status config_file_read(const char *folder, const char *name, cJSON **out, struct error *err) {
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
    strbuf_cleanup(&text);
    if (status == STATUS_OK) {
        *out = parsed;
    }
    return status;
}

enum status config_file_no_memory(struct error *err) {
    return error_set(err, STATUS_NO_MEMORY, "no memory for the app's configuration");
}

bool config_file_copy(char **out, const char *text) {
    *out = text != NULL ? strdup(text) : NULL;
    return *out != NULL || text == NULL;
}

void *config_file_add_item(void **items, size_t *count, size_t item_bytes) {
    char *grown = reallocarray(*items, *count + 1, item_bytes);
    if (grown == NULL) {
        return NULL;
    }
    *items = grown;
    void *item = grown + (*count)++ * item_bytes;
    memset(item, 0, item_bytes);
    return item;
}

enum status config_file_add_string(char ***strings, size_t *count, const char *text,
                                   struct error *err) {
    void *items = *strings;
    char **item = config_file_add_item(&items, count, sizeof *item);
    *strings = items;
    return item != NULL && config_file_copy(item, text) ? STATUS_OK : config_file_no_memory(err);
}
