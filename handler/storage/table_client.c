#include "storage/table_client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/uuid.h"
#include "storage/storage_error.h"
#include "storage/table_batch.h"

#define JSON_TYPE "application/json"
#define JSON_MINIMAL_METADATA "application/json;odata=minimalmetadata"

static void begin(struct storage_request *request, const char *method, int success_http_status) {
    storage_request_init(request, STORAGE_TABLE, method, success_http_status);
    http_headers_add(&request->headers, "Accept", JSON_MINIMAL_METADATA);
    http_headers_add(&request->headers, "DataServiceVersion", "3.0;NetFx");
    http_headers_add(&request->headers, "MaxDataServiceVersion", "3.0;NetFx");
}

/* A JSON body is sent and none wanted back. Without "Prefer" storage would answer 201 with one. */
static void begin_post(struct storage_request *request) {
    begin(request, "POST", 204);
    http_headers_add(&request->headers, "Content-Type", JSON_TYPE);
    http_headers_add(&request->headers, "Prefer", "return-no-content");
}

/* Releases the request. */
static enum status post_json(struct storage_client *client, struct storage_request *request, const cJSON *json,
                             int64_t deadline_ms, struct error *err) {
    table_batch_append_entity(&request->body, json);
    struct http_reply reply;
    http_reply_init(&reply);
    enum status status = storage_client_send(client, request, deadline_ms, &reply, err);
    http_reply_release(&reply);
    storage_request_release(request);
    return status;
}

enum status table_create(struct storage_client *client, const char *table, int64_t deadline_ms, struct error *err) {
    cJSON *json = cJSON_CreateObject();
    if (!json || !cJSON_AddStringToObject(json, "TableName", table)) {
        cJSON_Delete(json);
        return error_set(err, STATUS_NO_MEMORY, "creating table %s", table);
    }
    struct storage_request request;
    begin_post(&request);
    strbuf_append_string(&request.path, "/Tables");
    enum status status = post_json(client, &request, json, deadline_ms, err);
    cJSON_Delete(json);
    return status;
}

enum status table_insert(struct storage_client *client, const char *table, const cJSON *entity, int64_t deadline_ms,
                         struct error *err) {
    struct storage_request request;
    begin_post(&request);
    strbuf_appendf(&request.path, "/%s", table);
    return post_json(client, &request, entity, deadline_ms, err);
}

/* Sends and reads the answer's JSON. `out_reply` is initialized, and the caller's to release in any case. */
static enum status get_json(struct storage_client *client, const struct storage_request *request, int64_t deadline_ms,
                            struct http_reply *out_reply, cJSON **out, struct error *err) {
    enum status status = storage_client_send(client, request, deadline_ms, out_reply, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = json_parse(out_reply->body.data, out_reply->body.length, out, err);
    if (status != STATUS_OK) {
        error_wrap(err, "the answer of %.128s", client->account->table_endpoint);
    }
    return status;
}

enum status table_get(struct storage_client *client, const char *table, const char *partition_key, const char *row_key,
                      int64_t deadline_ms, cJSON **out, struct error *err) {
    struct storage_request request;
    begin(&request, "GET", 200);
    table_batch_append_entity_path(&request.path, table, partition_key, row_key);
    struct http_reply reply;
    http_reply_init(&reply);
    enum status status = get_json(client, &request, deadline_ms, &reply, out, err);
    http_reply_release(&reply);
    storage_request_release(&request);
    return status;
}

/* ---- queries ---- */

struct query {
    const char *table;
    const char *filter;
    struct http_headers continuation; /* the query parameters that ask for the next page; empty: for the first */
    table_entity_visitor visit;
    void *context;
};

static enum status visit_page(const struct query *query, const cJSON *page, struct error *err) {
    const cJSON *entities = cJSON_GetObjectItemCaseSensitive(page, "value");
    if (!cJSON_IsArray(entities)) {
        return error_set(err, STATUS_MALFORMED, "the table service's answer to a query has no \"value\" array");
    }
    const cJSON *entity;
    cJSON_ArrayForEach(entity, entities) {
        enum status status = query->visit(query->context, entity, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/*
 * "Query timeout and pagination": the answer's headers are the next request's parameters, unchanged; either may be
 * missing.
 */
static enum status take_continuation(struct query *query, const struct http_headers *reply) {
    static const char *const names[][2] = {{"x-ms-continuation-NextPartitionKey", "NextPartitionKey"},
                                           {"x-ms-continuation-NextRowKey", "NextRowKey"}};
    http_headers_release(&query->continuation);
    http_headers_init(&query->continuation);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = http_headers_get(reply, names[i][0]);
        if (value && *value) {
            http_headers_add(&query->continuation, names[i][1], value);
        }
    }
    return query->continuation.status;
}

static enum status query_page(struct storage_client *client, struct query *query, int64_t deadline_ms,
                              struct error *err) {
    struct storage_request request;
    begin(&request, "GET", 200);
    strbuf_appendf(&request.path, "/%s()", query->table);
    if (query->filter) {
        http_headers_add(&request.query, "$filter", query->filter);
    }
    for (size_t i = 0; i < query->continuation.count; i++) {
        http_headers_add(&request.query, query->continuation.items[i].name, query->continuation.items[i].value);
    }

    struct http_reply reply;
    http_reply_init(&reply);
    cJSON *page = NULL;
    enum status status = get_json(client, &request, deadline_ms, &reply, &page, err);
    if (status == STATUS_OK) {
        status = visit_page(query, page, err);
        if (status == STATUS_MALFORMED) {
            error_wrap(err, "GET %.128s/%s()", client->account->table_endpoint, query->table);
        }
    }
    if (status == STATUS_OK && take_continuation(query, &reply.headers) != STATUS_OK) {
        status = error_set(err, STATUS_NO_MEMORY, "querying table %s", query->table);
    }
    cJSON_Delete(page);
    http_reply_release(&reply);
    storage_request_release(&request);
    return status;
}

enum status table_query(struct storage_client *client, const char *table, const char *filter, int64_t deadline_ms,
                        table_entity_visitor visit, void *context, int *out_pages, struct error *err) {
    struct query query = {.table = table, .filter = filter, .visit = visit, .context = context};
    http_headers_init(&query.continuation);
    enum status status;
    int pages = 0;
    do {
        status = query_page(client, &query, deadline_ms, err);
        pages++;
    } while (status == STATUS_OK && query.continuation.count > 0);
    http_headers_release(&query.continuation);
    if (status == STATUS_OK && out_pages) {
        *out_pages = pages;
    }
    return status;
}

/* ---- transactions ---- */

/* The answer is ours but says nothing that can be read: the transaction may have been committed all the same. */
static enum status outcome_unknown(struct error *err) {
    error_wrap(err, "what became of the transaction is not known");
    if (err) {
        err->status = STATUS_UNAVAILABLE;
    }
    return STATUS_UNAVAILABLE;
}

static enum status read_transaction(const struct http_reply *reply, size_t count, char *out_first_etag,
                                    struct error *err) {
    const char *content_type = http_headers_get(&reply->headers, "Content-Type");
    struct table_batch_answer answer;
    if (table_batch_read(content_type ? content_type : "", reply->body.data, reply->body.length, count, &answer, err) !=
        STATUS_OK) {
        return outcome_unknown(err);
    }
    if (answer.code[0] == '\0') {
        if (out_first_etag) {
            memcpy(out_first_etag, answer.first_etag, TABLE_ETAG_BYTES);
        }
        return STATUS_OK;
    }
    enum status status = storage_error_status(answer.http_status, answer.code);
    error_set(err, status, "the transaction failed: %d %s: %s", answer.http_status, answer.code, answer.message);
    if (err) {
        const char *request_id = http_headers_get(&reply->headers, "x-ms-request-id");
        err->http_status = answer.http_status;
        snprintf(err->code, sizeof(err->code), "%s", answer.code);
        snprintf(err->request_id, sizeof(err->request_id), "%s", request_id ? request_id : "");
    }
    return status;
}

static enum status begin_transaction(struct storage_request *request, const char *endpoint, const char *table,
                                     const struct table_operation *operations, size_t count, struct error *err) {
    char id[UUID_TEXT_BYTES];
    if (uuid_v4(id) != STATUS_OK) {
        return error_set(err, STATUS_INTERNAL, "naming a transaction: no random bytes");
    }
    request->max_attempts = 1;
    strbuf_append_string(&request->path, "/$batch");
    http_headers_addf(&request->headers, "Content-Type", "multipart/mixed; boundary=batch_%s", id);
    request->body.max_bytes = TABLE_TRANSACTION_MAX_BYTES;
    table_batch_write(endpoint, table, operations, count, id, &request->body);
    enum status status = storage_request_status(request);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "writing a transaction of %zu operations", count);
}

enum status table_transaction(struct storage_client *client, const char *table,
                              const struct table_operation *operations, size_t count, int64_t deadline_ms,
                              char out_first_etag[TABLE_ETAG_BYTES], struct error *err) {
    assert(count >= 1 && count <= TABLE_TRANSACTION_MAX_OPERATIONS);
    struct storage_request request;
    begin(&request, "POST", 202);
    struct http_reply reply;
    http_reply_init(&reply);
    enum status status = begin_transaction(&request, client->account->table_endpoint, table, operations, count, err);
    if (status == STATUS_OK) {
        status = storage_client_send(client, &request, deadline_ms, &reply, err);
        if (status == STATUS_OK) {
            status = read_transaction(&reply, count, out_first_etag, err);
            if (status != STATUS_OK) {
                error_wrap(err, "POST %.128s/$batch", client->account->table_endpoint);
            }
        } else if (status == STATUS_TOO_LARGE) {
            status = outcome_unknown(err);
        }
    }
    http_reply_release(&reply);
    storage_request_release(&request);
    return status;
}

void table_append_literal(struct strbuf *filter, const char *text) {
    strbuf_append_char(filter, '\'');
    for (const char *c = text; *c; c++) {
        if (*c == '\'') {
            strbuf_append_char(filter, '\'');
        }
        strbuf_append_char(filter, *c);
    }
    strbuf_append_char(filter, '\'');
}
