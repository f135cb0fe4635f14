#include "operation.h"

#include <stdio.h>
#include <string.h>

enum { MAX_BYTES = 2 * 1024 * 1024 };

/* The text between the quotes behind `name`, with doubled quotes made single. */
static bool read_key(const char *path, const char *name, char out[ENTITY_KEY_BYTES]) {
    const char *at = strstr(path, name);
    size_t length = 0;
    if (at == NULL) {
        return false;
    }
    for (at += strlen(name); *at != '\0' && length + 1 < ENTITY_KEY_BYTES; at++) {
        if (*at == '\'' && *++at != '\'') {
            out[length] = '\0';
            return true;
        }
        out[length++] = *at;
    }
    return false;
}

bool operation_read_path(struct text path, char table[ROWS_NAME_BYTES], char partition_key[ENTITY_KEY_BYTES],
                         char row_key[ENTITY_KEY_BYTES]) {
    char decoded[3 * ENTITY_KEY_BYTES];
    partition_key[0] = row_key[0] = '\0';
    if (!http_percent_decode(path, decoded, sizeof decoded) || decoded[0] != '/') {
        return false;
    }
    snprintf(table, ROWS_NAME_BYTES, "%.*s", (int)strcspn(decoded + 1, "("), decoded + 1);
    const char *keys = strchr(decoded, '(');
    return keys == NULL || keys[1] == ')' ||
           (read_key(keys, "PartitionKey='", partition_key) && read_key(keys, "RowKey='", row_key));
}

static bool read_kind(struct text method, enum operation_kind *out) {
    static const struct {
        const char *method;
        enum operation_kind kind;
    } kinds[] = {{"POST", OPERATION_INSERT},
                 {"PUT", OPERATION_REPLACE},
                 {"MERGE", OPERATION_MERGE},
                 {"PATCH", OPERATION_MERGE},
                 {"DELETE", OPERATION_DELETE}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (http_text_is(method, kinds[i].method)) {
            *out = kinds[i].kind;
            return true;
        }
    }
    return false;
}

static struct operation_failure failure(int status, const char *code) {
    return (struct operation_failure){status, code};
}

void operation_append_etag(struct strbuf *out, uint64_t version) {
    strbuf_appendf(out, "W/\"%llu\"", (unsigned long long)version);
}

static bool is_etag_of(struct text etag, const struct row *row) {
    char text[40];
    snprintf(text, sizeof text, "W/\"%llu\"", (unsigned long long)row->version);
    return http_text_is(etag, "*") || http_text_is(etag, text);
}

static struct operation_failure check(struct operation *operation) {
    bool is_insert = operation->kind == OPERATION_INSERT;
    bool must_exist = operation->kind == OPERATION_DELETE || operation->if_match.length > 0;
    if (!rows_has_table(operation->table)) {
        return failure(404, "TableNotFound");
    }
    if (operation->partition_key[0] == '\0' || operation->row_key[0] == '\0') {
        return failure(400, "PropertiesNeedValue");
    }
    operation->row = rows_find(operation->table, operation->partition_key, operation->row_key);
    if (operation->row == NULL) {
        return must_exist && !is_insert ? failure(404, "ResourceNotFound") : failure(0, NULL);
    }
    if (is_insert) {
        return failure(409, "EntityAlreadyExists");
    }
    if (operation->if_match.length > 0 && !is_etag_of(operation->if_match, operation->row)) {
        return failure(412, "UpdateConditionNotSatisfied");
    }
    return failure(0, NULL);
}

struct operation_failure operation_init(struct operation *operation, struct text method, struct text path,
                                        struct text if_match, struct text body) {
    *operation = (struct operation){.if_match = if_match, .body = body};
    struct entity entity;
    if (!read_kind(method, &operation->kind) ||
        !operation_read_path(path, operation->table, operation->partition_key, operation->row_key) ||
        (operation->kind != OPERATION_DELETE && !entity_read(body, &entity))) {
        return failure(400, "InvalidInput");
    }
    bool has_keys = operation->kind != OPERATION_INSERT ||
                    (entity_string(entity_get(&entity, "PartitionKey"), operation->partition_key, ENTITY_KEY_BYTES) &&
                     entity_string(entity_get(&entity, "RowKey"), operation->row_key, ENTITY_KEY_BYTES));
    if (!has_keys || (operation->kind == OPERATION_DELETE && if_match.length == 0)) {
        return failure(400, "InvalidInput");
    }
    return check(operation);
}

uint64_t operation_apply(struct operation *operation) {
    if (operation->kind == OPERATION_DELETE) {
        rows_delete(operation->row);
        return 0;
    }
    static struct strbuf properties;
    static struct entity before, after;
    if (properties.max_bytes == 0) {
        strbuf_init(&properties, MAX_BYTES);
    }
    strbuf_clear(&properties);
    before.count = 0;
    if (operation->kind == OPERATION_MERGE && operation->row != NULL) {
        entity_read((struct text){operation->row->properties, operation->row->properties_length}, &before);
    }
    entity_read(operation->body, &after);
    entity_join(&before, &after, &properties);
    return rows_put(operation->table, operation->partition_key, operation->row_key, &properties)->version;
}
