#include "storage/table_client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/uuid.h"
#include "identity/storage_account.h"
#include "storage/storage_error.h"

#define JSON_TYPE "application/json"
#define JSON_MINIMAL_METADATA "application/json;odata=minimalmetadata"

static void begin_request(struct storage_request *request, const char *method,
                          int success_http_status) {
    storage_request_init(request, STORAGE_TABLE, method, success_http_status);
    http_headers_add(&request->headers, "Accept", JSON_MINIMAL_METADATA);
    http_headers_add(&request->headers, "DataServiceVersion", "3.0;NetFx");
    http_headers_add(&request->headers, "MaxDataServiceVersion", "3.0;NetFx");
}

/* Begins a POST of JSON. Without Prefer, storage would answer 201 with a body. */
static void begin_post(struct storage_request *request) {
    begin_request(request, "POST", 204);
    http_headers_add(&request->headers, "Content-Type", JSON_TYPE);
    http_headers_add(&request->headers, "Prefer", "return-no-content");
}

/* ---- a call under way ---- */

/* For operations whose answer has no body. */
static enum status read_no_answer(struct table_call *call, enum status sent,
                                  const struct http_reply *reply, struct error *err) {
    (void)call, (void)reply, (void)err;
    return sent;
}

static struct table_call *prepare_call(struct table_call *call, struct storage_client *client,
                                       int64_t deadline_ms) {
    *call = (struct table_call){
        .client = client, .deadline_ms = deadline_ms, .read_answer = read_no_answer};
    http_headers_init(&call->continuation);
    return call;
}

static void begin_page(struct table_call *call);
static void send_request(struct table_call *call);

static void on_answer(void *context, enum status status, struct http_reply *reply,
                      const struct error *err) {
    struct table_call *call = context;
    struct error failure = *err;
    status = call->read_answer(call, status, reply, &failure);
    storage_request_cleanup(&call->request);
    bool has_next_page = status == STATUS_OK && call->continuation.count > 0;
    if (has_next_page) {
        begin_page(call);
        call->deadline_ms =
            clock_max_ms(call->deadline_ms, storage_client_deadline_ms(call->client));
    }
    http_headers_cleanup(&call->continuation);
    http_headers_init(&call->continuation);
    if (has_next_page) {
        send_request(call);
    } else {
        call->done(call->context, status, &failure);
    }
}

static void send_request(struct table_call *call) {
    storage_operation_start(&call->operation, call->client, &call->request, call->deadline_ms,
                            on_answer, call);
    call->operation.is_cancellable = true;
}

static void start_call(struct table_call *call, table_done done, void *context) {
    call->done = done;
    call->context = context;
    send_request(call);
}

/* ---- tables and entities ---- */

void table_create_start(struct table_call *call, struct storage_client *client, const char *table,
                        int64_t deadline_ms, table_done done, void *context) {
    begin_post(&prepare_call(call, client, deadline_ms)->request);
    strbuf_append_string(&call->request.path, "/Tables");
    strbuf_append_string(&call->request.body, "{\"TableName\":");
    json_append_string(&call->request.body, table);
    strbuf_append_char(&call->request.body, '}');
    start_call(call, done, context);
}

void table_insert_start(struct table_call *call, struct storage_client *client, const char *table,
                        const char *entity, int64_t deadline_ms, table_done done, void *context) {
    begin_post(&prepare_call(call, client, deadline_ms)->request);
    strbuf_appendf(&call->request.path, "/%s", table);
    table_batch_append_entity(&call->request.body, entity);
    start_call(call, done, context);
}

void table_upsert_start(struct table_call *call, struct storage_client *client, const char *table,
                        const char *partition_key, const char *row_key, const char *entity,
                        int64_t deadline_ms, table_done done, void *context) {
    begin_request(&prepare_call(call, client, deadline_ms)->request, "PUT", 204);
    http_headers_add(&call->request.headers, "Content-Type", JSON_TYPE);
    table_batch_append_entity_path(&call->request.path, table, partition_key, row_key);
    table_batch_append_entity(&call->request.body, entity);
    start_call(call, done, context);
}

/* Returns true if the text looks like one JSON object from its first byte to its last. */
static bool is_whole_object(const struct strbuf *text) {
    static const char space[] = " \t\r\n";
    size_t end = text->length;
    while (end > 0 && strchr(space, text->data[end - 1]) != NULL) {
        end--;
    }
    return end > 0 && text->data[strspn(text->data, space)] == '{' && text->data[end - 1] == '}';
}

/* Reports an answer that was damaged on the way. Another attempt may succeed. */
static enum status set_damaged(const struct table_call *call, struct error *err) {
    error_wrap(err, "the answer of %.128s was damaged",
               call->client->attempt.account->table_endpoint);
    err->status = STATUS_UNAVAILABLE;
    return STATUS_UNAVAILABLE;
}

/*
 * Parses an answer. If it is not a whole JSON object it was damaged on the way. If it is whole but
 * cannot be parsed, a row in it cannot be read, and asking again would not change that:
 * STATUS_MALFORMED.
 */
static enum status parse_json(const struct table_call *call, const struct http_reply *reply,
                              cJSON **out, struct error *err) {
    enum status status = json_parse(reply->body.data, reply->body.length, out, err);
    bool is_damaged = status == STATUS_MALFORMED && !is_whole_object(&reply->body);
    return is_damaged ? set_damaged(call, err) : status;
}

static enum status read_entity(struct table_call *call, enum status sent,
                               const struct http_reply *reply, struct error *err) {
    return sent == STATUS_OK ? parse_json(call, reply, call->out_entity, err) : sent;
}

void table_get_start(struct table_call *call, struct storage_client *client, const char *table,
                     const char *partition_key, const char *row_key, int64_t deadline_ms,
                     cJSON **out, table_done done, void *context) {
    begin_request(&prepare_call(call, client, deadline_ms)->request, "GET", 200);
    table_batch_append_entity_path(&call->request.path, table, partition_key, row_key);
    call->read_answer = read_entity;
    call->out_entity = out;
    start_call(call, done, context);
}

/* ---- queries ---- */

static enum status visit_page(const struct table_call *call, const cJSON *page, struct error *err) {
    const struct table_query *query = &call->query;
    const cJSON *entities = cJSON_GetObjectItemCaseSensitive(page, "value");
    if (!cJSON_IsArray(entities)) {
        error_set(err, STATUS_UNAVAILABLE, "it has no \"value\" array");
        return set_damaged(call, err);
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
 * The next request has these headers of the answer as parameters, unchanged. Either may be missing
 * ("Query timeout and pagination").
 */
static enum status copy_continuation(struct http_headers *continuation,
                                     const struct http_headers *reply) {
    static const char *const names[][2] = {
        {"x-ms-continuation-NextPartitionKey", "NextPartitionKey"},
        {"x-ms-continuation-NextRowKey", "NextRowKey"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = http_headers_get(reply, names[i][0]);
        if (value != NULL && *value != '\0') {
            http_headers_add(continuation, names[i][1], value);
        }
    }
    return continuation->status;
}

static void begin_page(struct table_call *call) {
    struct storage_request *request = &call->request;
    begin_request(request, "GET", 200);
    strbuf_appendf(&request->path, "/%s()", call->query.table);
    if (call->query.filter != NULL) {
        http_headers_add(&request->query, "$filter", call->query.filter);
    }
    if (call->query.page_rows > 0) {
        http_headers_addf(&request->query, "$top", "%d", call->query.page_rows);
    }
    for (size_t i = 0; i < call->continuation.count; i++) {
        http_headers_add(&request->query, call->continuation.items[i].name,
                         call->continuation.items[i].value);
    }
}

static enum status read_page(struct table_call *call, enum status sent,
                             const struct http_reply *reply, struct error *err) {
    const struct table_query *query = &call->query;
    cJSON *page = NULL;
    enum status status = sent == STATUS_OK ? parse_json(call, reply, &page, err) : sent;
    if (status != STATUS_OK) {
        return status;
    }
    call->pages++;
    status = visit_page(call, page, err);
    cJSON_Delete(page);
    if (status == STATUS_MALFORMED) {
        error_wrap(err, "GET %.128s/%s()", call->client->attempt.account->table_endpoint,
                   query->table);
    }
    bool is_enough = query->is_enough != NULL && *query->is_enough;
    if (status == STATUS_OK && !is_enough &&
        copy_continuation(&call->continuation, &reply->headers) != STATUS_OK) {
        status = error_set(err, STATUS_NO_MEMORY, "querying table %s", query->table);
    }
    if (status == STATUS_OK && call->continuation.count == 0 && query->out_pages != NULL) {
        *query->out_pages = call->pages;
    }
    return status;
}

void table_query_start(struct table_call *call, struct storage_client *client,
                       const struct table_query *query, int64_t deadline_ms, table_done done,
                       void *context) {
    prepare_call(call, client, deadline_ms);
    call->query = *query;
    call->read_answer = read_page;
    begin_page(call);
    start_call(call, done, context);
}

/* ---- transactions ---- */

/* Reports an answer that cannot be read: the transaction may have been committed. */
static enum status set_outcome_unknown(struct error *err) {
    error_wrap(err, "what became of the transaction is not known");
    err->status = STATUS_UNAVAILABLE;
    err->may_have_happened = true;
    return STATUS_UNAVAILABLE;
}

static enum status read_batch(const struct http_reply *reply, size_t count, char *out_first_etag,
                              struct error *err) {
    const char *content_type = http_headers_get(&reply->headers, "Content-Type");
    struct table_batch_answer answer;
    if (table_batch_read(content_type != NULL ? content_type : "", reply->body.data,
                         reply->body.length, count, &answer, err) != STATUS_OK) {
        return set_outcome_unknown(err);
    }
    if (answer.code[0] == '\0') {
        if (out_first_etag != NULL) {
            memcpy(out_first_etag, answer.first_etag, TABLE_ETAG_BYTES);
        }
        return STATUS_OK;
    }
    static_assert(sizeof answer.code == sizeof err->code, "a code that was read can be reported");
    enum status status = storage_error_status(answer.http_status, answer.code);
    error_set(err, status, "the transaction failed: %d %s: %s", answer.http_status, answer.code,
              answer.message);
    const char *request_id = http_headers_get(&reply->headers, "x-ms-request-id");
    err->http_status = answer.http_status;
    snprintf(err->code, sizeof err->code, "%s", answer.code);
    snprintf(err->request_id, sizeof err->request_id, "%s", request_id != NULL ? request_id : "");
    return status;
}

static enum status read_transaction(struct table_call *call, enum status sent,
                                    const struct http_reply *reply, struct error *err) {
    if (sent == STATUS_TOO_LARGE && err->may_have_happened) {
        return set_outcome_unknown(err); /* the answer was too large, not the transaction */
    }
    if (sent != STATUS_OK) {
        return sent;
    }
    enum status status = read_batch(reply, call->operation_count, call->out_first_etag, err);
    if (status != STATUS_OK) {
        error_wrap(err, "POST %.128s/$batch", call->client->attempt.account->table_endpoint);
    }
    return status;
}

/* A failure to build the request is remembered by the request, and ends the operation later. */
void table_transaction_start(struct table_call *call, struct storage_client *client,
                             const char *table, const struct table_operation *operations,
                             size_t count, int64_t deadline_ms,
                             char out_first_etag[TABLE_ETAG_BYTES], table_done done,
                             void *context) {
    assert(count >= 1 && count <= TABLE_TRANSACTION_MAX_OPERATIONS);
    struct storage_request *request = &prepare_call(call, client, deadline_ms)->request;
    char id[UUID_TEXT_BYTES] = "";
    begin_request(request, "POST", 202);
    request->max_attempts = 1;
    strbuf_append_string(&request->path, "/$batch");
    if (uuid_v4(client->platform->random, id) != STATUS_OK) {
        request->body.status = STATUS_INTERNAL;
    }
    http_headers_addf(&request->headers, "Content-Type", "multipart/mixed; boundary=batch_%s", id);
    request->body.max_bytes = TABLE_TRANSACTION_MAX_BYTES;
    table_batch_write(client->attempt.account->table_endpoint, table, operations, count, id,
                      &request->body);
    call->read_answer = read_transaction;
    call->operation_count = count;
    call->out_first_etag = out_first_etag;
    start_call(call, done, context);
}

void table_append_literal(struct strbuf *filter, const char *text) {
    strbuf_append_char(filter, '\'');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'') {
            strbuf_append_char(filter, '\'');
        }
        strbuf_append_char(filter, *c);
    }
    strbuf_append_char(filter, '\'');
}
