#include "simulation/storage/row_change.h"

#include <assert.h>
#include <string.h>

enum { ENTITY_MAX_BYTES = 1024 * 1024, PATH_BYTES = 3 * ENTITY_KEY_BYTES };

/* ---- reading ---- */

/*
 * Copies the text between the quotes behind `name`, with doubled quotes made single, and moves `at`
 * behind it.
 */
static bool read_key(const char **at, const char *name, char out[ENTITY_KEY_BYTES]) {
    size_t length = 0;
    if (strncmp(*at, name, strlen(name)) != 0) {
        return false;
    }
    const char *from = *at + strlen(name);
    for (; *from != '\0' && length + 1 < ENTITY_KEY_BYTES; from++) {
        if (*from == '\'' && *++from != '\'') {
            out[length] = '\0';
            *at = from;
            return true;
        }
        out[length++] = *from;
    }
    return false;
}

bool row_change_read_path(struct text path, struct row_change_path *out) {
    char decoded[PATH_BYTES];
    out->has_keys = false;
    if (!text_percent_decode(path, decoded, sizeof decoded) || decoded[0] != '/') {
        return false;
    }
    const char *at = decoded + 1 + strcspn(decoded + 1, "(");
    struct text name = {decoded + 1, (size_t)(at - decoded - 1)};
    if (!text_copy(name, out->table, sizeof out->table)) {
        return false;
    }
    if (*at == '\0' || strcmp(at, "()") == 0) {
        return true;
    }
    out->has_keys = read_key(&at, "(PartitionKey='", out->partition_key) &&
                    read_key(&at, ",RowKey='", out->row_key) && strcmp(at, ")") == 0;
    return out->has_keys;
}

static bool read_kind(struct text method, enum row_change_kind *out) {
    static const struct {
        const char *method;
        enum row_change_kind kind;
    } kinds[] = {{"POST", ROW_INSERT},
                 {"PUT", ROW_REPLACE},
                 {"MERGE", ROW_MERGE},
                 {"PATCH", ROW_MERGE},
                 {"DELETE", ROW_DELETE}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (text_is(method, kinds[i].method)) {
            *out = kinds[i].kind;
            return true;
        }
    }
    return false;
}

static struct simulated_refusal refusal(int http_status, const char *code) {
    return (struct simulated_refusal){http_status, code};
}

struct simulated_refusal row_change_no_table(bool is_being_deleted) {
    return is_being_deleted ? refusal(409, "TableBeingDeleted") : refusal(404, "TableNotFound");
}

static void write_digits(char *out, uint64_t value, int count) {
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Each row of an answer has one, so it is not left to snprintf. */
void row_change_write_etag(uint64_t version, char out[ROW_CHANGE_ETAG_BYTES]) {
    static const char pattern[] = "W/\"datetime'2026-01-01T00%3A00%3A00.0000000Z'\"";
    enum { MINUTES_AT = 28, SECONDS_AT = 33, TICKS_AT = 36 };
    static_assert(sizeof pattern <= ROW_CHANGE_ETAG_BYTES, "it fits");
    const uint64_t ticks_per_s = 10000000, seconds = version / ticks_per_s;
    memcpy(out, pattern, sizeof pattern);
    write_digits(out + MINUTES_AT, seconds / 60 % 60, 2);
    write_digits(out + SECONDS_AT, seconds % 60, 2);
    write_digits(out + TICKS_AT, version % ticks_per_s, 7);
}

static bool is_etag_of(struct text etag, const struct row *row) {
    char own[ROW_CHANGE_ETAG_BYTES];
    row_change_write_etag(row->version, own);
    return text_is(etag, "*") || text_is(etag, own);
}

/* An insert's keys stand in its body, another change's in its path. */
static struct simulated_refusal read_keys(struct row_change *change,
                                          const struct row_change_path *path,
                                          const struct entity *entity) {
    if (change->kind != ROW_INSERT) {
        memcpy(change->partition_key, path->partition_key, strlen(path->partition_key) + 1);
        memcpy(change->row_key, path->row_key, strlen(path->row_key) + 1);
        return path->has_keys ? SIMULATED_ACCEPTED : refusal(405, "MethodNotAllowed");
    }
    struct text partition_key = entity_get(entity, "PartitionKey"),
                row_key = entity_get(entity, "RowKey");
    if (partition_key.length == 0 || row_key.length == 0 || text_is(partition_key, "null") ||
        text_is(row_key, "null")) {
        return refusal(400, "PropertiesNeedValue");
    }
    bool is_good = entity_string(partition_key, change->partition_key, ENTITY_KEY_BYTES) &&
                   entity_string(row_key, change->row_key, ENTITY_KEY_BYTES);
    return is_good ? SIMULATED_ACCEPTED : refusal(400, "KeyValueTooLarge");
}

static struct simulated_refusal check_body(const struct entity *entity, struct text body) {
    size_t properties = 0;
    for (size_t i = 0; i < entity->count; i++) {
        properties +=
            memchr(entity->properties[i].name.data, '@', entity->properties[i].name.length) == NULL;
    }
    if (properties > ENTITY_MAX_PROPERTIES + 3) {
        return refusal(400, "TooManyProperties");
    }
    if (body.length > ENTITY_MAX_BYTES) {
        return refusal(400, "EntityTooLarge");
    }
    return entity_fits(entity) ? SIMULATED_ACCEPTED : refusal(400, "PropertyValueTooLarge");
}

struct simulated_refusal row_change_read(struct row_change *change, struct rows *rows,
                                         const struct row_change_request *request) {
    struct row_change_path path;
    struct entity entity;
    bool is_being_deleted;
    change->body = request->body;
    change->if_match = request->if_match;
    change->row = NULL;
    change->partition_key[0] = change->row_key[0] = '\0';
    path.partition_key[0] = path.row_key[0] = '\0';
    entity.count = 0;
    if (!read_kind(request->method, &change->kind) || !row_change_read_path(request->path, &path) ||
        (change->kind != ROW_DELETE && !entity_read(request->body, &entity))) {
        return refusal(400, "InvalidInput");
    }
    struct simulated_refusal refused = read_keys(change, &path, &entity);
    if (refused.code == NULL) {
        refused = check_body(&entity, request->body);
    }
    if (refused.code != NULL) {
        return refused;
    }
    if (change->kind == ROW_DELETE && request->if_match.length == 0) {
        return refusal(400, "MissingRequiredHeader");
    }
    change->table = rows_table(rows, path.table, &is_being_deleted);
    return change->table == NULL ? row_change_no_table(is_being_deleted) : SIMULATED_ACCEPTED;
}

/* ---- checking ---- */

struct simulated_refusal row_change_check(struct row_change *change) {
    struct text if_match = change->if_match;
    change->row = rows_find(change->table, change->partition_key, change->row_key);
    if (change->kind == ROW_INSERT) {
        return change->row == NULL ? SIMULATED_ACCEPTED : refusal(409, "EntityAlreadyExists");
    }
    if (change->row == NULL) {
        return if_match.length > 0 ? refusal(404, "ResourceNotFound") : SIMULATED_ACCEPTED;
    }
    bool is_met = if_match.length == 0 || is_etag_of(if_match, change->row);
    return is_met ? SIMULATED_ACCEPTED : refusal(412, "UpdateConditionNotSatisfied");
}

/* ---- making ---- */

uint64_t row_change_make(struct row_change *change, struct rows *rows) {
    if (change->kind == ROW_DELETE) {
        rows_delete(change->row);
        change->row = NULL;
        return 0;
    }
    struct strbuf properties;
    struct entity before, after;
    strbuf_init(&properties, SIZE_MAX);
    before.count = 0;
    if (change->kind == ROW_MERGE && change->row != NULL) {
        entity_read((struct text){change->row->properties, change->row->properties_length},
                    &before);
    }
    entity_read(change->body, &after);
    entity_join(&before, &after, &properties);
    change->row =
        rows_put(rows, change->table, change->partition_key, change->row_key, &properties);
    strbuf_cleanup(&properties);
    return change->row->version;
}
