#include "support/calls/table_editor.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/table_client.h"
#include "support/calls/table_calls.h"
#include "support/processes/instance_pair.h"

enum { EDIT_TIMEOUT_MS = 30000, MAX_FILE_BYTES = 65536 };
#define TABLE "inventory"

static struct storage_client *client(void) {
    return &instance_pair.operator.client;
}

static int64_t deadline_ms(void) {
    return storage_connection_deadline(&instance_pair.operator, EDIT_TIMEOUT_MS);
}

static cJSON *parse(const char *text) {
    struct error err;
    cJSON *json = NULL;
    ck_assert_msg(json_parse(text, strlen(text), &json, &err) == STATUS_OK, "%s", err.message);
    return json;
}

static void insert(const char *entity) {
    struct error err;
    ck_assert_msg(table_insert(client(), TABLE, entity, deadline_ms(), &err) == STATUS_OK, "%s",
                  err.message);
}

void table_editor_create_table(void) {
    struct error err;
    ck_assert_msg(table_create(client(), TABLE, deadline_ms(), &err) == STATUS_OK, "%s",
                  err.message);
}

void table_editor_delete_table(void) {
    struct storage_request request;
    struct http_reply reply;
    struct error err;
    storage_request_init(&request, STORAGE_TABLE, "DELETE", 204);
    strbuf_append_string(&request.path, "/Tables('" TABLE "')");
    http_headers_add(&request.headers, "Accept", "application/json");
    http_reply_init(&reply);
    enum status status = storage_client_send(client(), &request, deadline_ms(), &reply, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
    http_reply_cleanup(&reply);
    storage_request_cleanup(&request);
}

void table_editor_insert(const char *entity) {
    insert(entity);
}

void table_editor_load(const char *name) {
    const char *root = getenv("LEASEHOLD_ROOT");
    static char path[4096], text[MAX_FILE_BYTES];
    snprintf(path, sizeof path, "%s/tests/data/rows/%s", root == NULL ? "." : root, name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no file %s", path);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    cJSON *rows = parse(text), *row;
    cJSON_ArrayForEach(row, rows) {
        cJSON_DeleteItemFromObjectCaseSensitive(row, "odata.etag"); /* storage gives a new one, */
        cJSON_DeleteItemFromObjectCaseSensitive(row, "Timestamp");  /* and its own time */
        char *entity = cJSON_PrintUnformatted(row);
        insert(entity);
        cJSON_free(entity);
    }
    cJSON_Delete(rows);
}

static void edit(enum table_operation_kind kind, const char *partition_key, const char *row_key,
                 const char *entity) {
    struct error err;
    const struct table_operation operation = {.kind = kind,
                                              .partition_key = partition_key,
                                              .row_key = row_key,
                                              .if_match = "*",
                                              .entity = entity};
    enum status status =
        table_transaction(client(), TABLE, &operation, 1, deadline_ms(), NULL, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
}

void table_editor_merge(const char *partition_key, const char *row_key, const char *properties) {
    edit(TABLE_MERGE, partition_key, row_key, properties);
}

void table_editor_delete(const char *partition_key, const char *row_key) {
    edit(TABLE_DELETE, partition_key, row_key, NULL);
}

cJSON *table_editor_get(const char *partition_key, const char *row_key) {
    struct error err;
    cJSON *entity = NULL;
    enum status status =
        table_get(client(), TABLE, partition_key, row_key, deadline_ms(), &entity, &err);
    ck_assert_msg(status == STATUS_OK || status == STATUS_NOT_FOUND ||
                      status == STATUS_CONTAINER_NOT_FOUND,
                  "%s", err.message);
    return entity;
}
