#include "tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blobs.h"
#include "counts.h"
#include "filter.h"
#include "operation.h"
#include "transaction.h"

enum { PAGE_ROWS = 1000, QUERY_BYTES = 4096 };

#define JSON_TYPE "Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8\r\n"

static void refuse(struct http_answer *answer, int status, const char *code) {
    answer->status = status;
    strbuf_append_string(&answer->headers, JSON_TYPE);
    strbuf_appendf(&answer->body,
                   "{\"odata.error\":{\"code\":\"%s\",\"message\":{\"lang\":\"en-US\",\"value\":\"%s\"}}}", code, code);
}

/* ---- reading ---- */

static bool is_selected(const char *select, const char *name, size_t length) {
    for (const char *at = select; *at != '\0'; at += strspn(at, ", ")) {
        size_t word = strcspn(at, ", ");
        if (length >= word && memcmp(at, name, word) == 0 && (length == word || name[word] == '@')) {
            return true;
        }
        at += word;
    }
    return false;
}

static void append_selected(const struct row *row, const char *select, struct strbuf *out) {
    struct entity entity;
    entity_read((struct text){row->properties, row->properties_length}, &entity);
    for (size_t i = 0; i < entity.count; i++) {
        const struct entity_property *property = &entity.properties[i];
        if (is_selected(select, property->name.data, property->name.length)) {
            strbuf_append(out, ",\"", 2);
            strbuf_append(out, property->name.data, property->name.length);
            strbuf_append(out, "\":", 2);
            strbuf_append(out, property->value.data, property->value.length);
        }
    }
}

static void append_row(const struct row *row, const char *select, struct strbuf *out) {
    time_t seconds = row->written_ms / 1000;
    struct tm parts;
    char written[40];
    gmtime_r(&seconds, &parts);
    strftime(written, sizeof written, "%Y-%m-%dT%H:%M:%S", &parts);
    strbuf_appendf(out,
                   "{\"odata.etag\":\"W/\\\"%llu\\\"\",\"PartitionKey\":\"%s\",\"RowKey\":\"%s\","
                   "\"Timestamp\":\"%s.%03d0000Z\"",
                   (unsigned long long)row->version, row->partition->key, row->key, written,
                   (int)(row->written_ms % 1000));
    if (select[0] != '\0') {
        append_selected(row, select, out);
    } else if (row->properties_length > 0) {
        strbuf_append_char(out, ',');
        strbuf_append(out, row->properties, row->properties_length);
    }
    strbuf_append_char(out, '}');
}

static void get_row(const char *table, const char *partition_key, const char *row_key,
                    const struct http_request *request, struct http_answer *answer) {
    counts_now.table_reads++;
    char select[256] = "";
    http_query(request, "$select", select, sizeof select);
    const struct row *row = rows_find(table, partition_key, row_key);
    if (!rows_has_table(table)) {
        refuse(answer, 404, "TableNotFound");
    } else if (row == NULL) {
        refuse(answer, 404, "ResourceNotFound");
    } else {
        answer->status = 200;
        strbuf_append_string(&answer->headers, JSON_TYPE "ETag: ");
        operation_append_etag(&answer->headers, row->version);
        strbuf_append_string(&answer->headers, "\r\n");
        append_row(row, select, &answer->body);
    }
}

/* ---- queries ---- */

struct query {
    const char *table;
    const struct filter *filter; /* NULL: everything */
    char select[256];
    bool has_partition;
    char partition_key[ENTITY_KEY_BYTES], row_key[ENTITY_KEY_BYTES]; /* where it goes on */
    size_t wanted, count;
};

/* True: the page is full before that row. */
static bool visit(struct query *query, const struct row *row, struct http_answer *answer) {
    if (query->filter != NULL && !filter_matches(query->filter, row)) {
        return false;
    }
    if (query->count == query->wanted) {
        strbuf_append_string(&answer->headers, "x-ms-continuation-NextPartitionKey: ");
        strbuf_append_percent_encoded(&answer->headers, row->partition->key);
        strbuf_append_string(&answer->headers, "\r\nx-ms-continuation-NextRowKey: ");
        strbuf_append_percent_encoded(&answer->headers, row->key);
        strbuf_append_string(&answer->headers, "\r\n");
        return true;
    }
    if (query->count++ > 0) {
        strbuf_append_char(&answer->body, ',');
    }
    append_row(row, query->select, &answer->body);
    return false;
}

static bool visit_partition(struct query *query, const char *partition_key, const char *row_key,
                            struct http_answer *answer) {
    for (const struct row *row = rows_seek(query->table, partition_key, row_key); row != NULL; row = row->next[0]) {
        if (query->filter != NULL && filter_is_beyond(query->filter, row->key)) {
            return false;
        }
        if (visit(query, row, answer)) {
            return true;
        }
    }
    return false;
}

static void run_query(struct query *query, struct http_answer *answer) {
    char first[ENTITY_KEY_BYTES] = "";
    if (query->filter != NULL) {
        filter_first_row(query->filter, first);
    }
    const char *from = strcmp(query->row_key, first) > 0 ? query->row_key : first;
    if (query->has_partition) {
        visit_partition(query, query->partition_key, from, answer);
        return;
    }
    char key[ENTITY_KEY_BYTES + 1];
    snprintf(key, sizeof key, "%s", query->partition_key);
    for (const char *found; (found = rows_partition_from(query->table, key)) != NULL; from = first) {
        if (visit_partition(query, found, strcmp(found, query->partition_key) == 0 ? from : first, answer)) {
            return;
        }
        snprintf(key, sizeof key, "%s\x01", found);
    }
}

static void get_rows(const char *table, const struct http_request *request, struct http_answer *answer) {
    counts_now.table_queries++;
    struct query query = {.table = table, .wanted = PAGE_ROWS};
    char text[QUERY_BYTES], top[16];
    struct filter *filter = NULL;
    if (http_query(request, "$filter", text, sizeof text) && (filter = filter_new(text)) == NULL) {
        refuse(answer, 400, "InvalidInput");
        return;
    }
    query.filter = filter;
    query.has_partition = filter != NULL && filter_partition(filter, query.partition_key);
    http_query(request, "$select", query.select, sizeof query.select);
    if (http_query(request, "$top", top, sizeof top)) {
        query.wanted = strtoul(top, NULL, 10);
    }
    if (!query.has_partition) {
        http_query(request, "NextPartitionKey", query.partition_key, sizeof query.partition_key);
    }
    http_query(request, "NextRowKey", query.row_key, sizeof query.row_key);
    if (!rows_has_table(table)) {
        refuse(answer, 404, "TableNotFound");
    } else {
        answer->status = 200;
        strbuf_append_string(&answer->headers, JSON_TYPE);
        strbuf_append_string(&answer->body, "{\"value\":[");
        run_query(&query, answer);
        strbuf_append_string(&answer->body, "]}");
    }
    free(filter);
}

/* ---- writing ---- */

static void make_table(const struct http_request *request, struct http_answer *answer) {
    struct entity entity;
    char name[ROWS_NAME_BYTES];
    counts_now.table_writes++;
    if (!entity_read(request->body, &entity) || !entity_string(entity_get(&entity, "TableName"), name, sizeof name)) {
        refuse(answer, 400, "InvalidInput");
    } else if (!rows_make_table(name)) {
        refuse(answer, 409, "TableAlreadyExists");
    } else if (http_text_is(http_header(request, "Prefer"), "return-no-content")) {
        answer->status = 204;
        strbuf_append_string(&answer->headers, "Preference-Applied: return-no-content\r\n");
    } else {
        answer->status = 201;
        strbuf_append_string(&answer->headers, JSON_TYPE);
        strbuf_appendf(&answer->body, "{\"TableName\":\"%s\"}", name);
    }
}

static void change_row(const struct http_request *request, struct http_answer *answer) {
    struct operation operation;
    counts_now.table_writes++;
    struct text method = http_header(request, "X-HTTP-Method");
    struct operation_failure failure = operation_init(&operation, method.length > 0 ? method : request->method,
                                                      request->path, http_header(request, "If-Match"), request->body);
    if (failure.status != 0) {
        refuse(answer, failure.status, failure.code);
        return;
    }
    uint64_t version = operation_apply(&operation);
    bool has_body =
        operation.kind == OPERATION_INSERT && !http_text_is(http_header(request, "Prefer"), "return-no-content");
    answer->status = has_body ? 201 : 204;
    if (version != 0) {
        strbuf_append_string(&answer->headers, "ETag: ");
        operation_append_etag(&answer->headers, version);
        strbuf_append_string(&answer->headers, "\r\n");
    }
    if (has_body) {
        strbuf_append_string(&answer->headers, JSON_TYPE);
        append_row(rows_find(operation.table, operation.partition_key, operation.row_key), "", &answer->body);
    } else if (operation.kind == OPERATION_INSERT) {
        strbuf_append_string(&answer->headers, "Preference-Applied: return-no-content\r\n");
    }
}

/* PUT /$seed/COUNT: the body is what stands in each product's row. */
static void seed(const struct http_request *request, struct http_answer *answer) {
    long count = strtol(request->path.data + strlen("/$seed/"), NULL, 10);
    struct entity entity;
    struct strbuf properties;
    strbuf_init(&properties, QUERY_BYTES);
    if (!entity_read(request->body, &entity)) {
        refuse(answer, 400, "InvalidInput");
        return;
    }
    entity_join(NULL, &entity, &properties);
    rows_make_table("inventory");
    for (long i = 0; i < count; i++) {
        char key[32], blob[80];
        snprintf(key, sizeof key, "P%04ld", i);
        snprintf(blob, sizeof blob, "/leases/lease-inventory-%s", key);
        rows_put("inventory", key, "product", &properties);
        blobs_make(blob);
    }
    strbuf_release(&properties);
    answer->status = 204;
}

static void get(const struct http_request *request, struct http_answer *answer) {
    char table[ROWS_NAME_BYTES], partition_key[ENTITY_KEY_BYTES], row_key[ENTITY_KEY_BYTES];
    if (!operation_read_path(request->path, table, partition_key, row_key)) {
        refuse(answer, 400, "InvalidInput");
    } else if (partition_key[0] != '\0') {
        get_row(table, partition_key, row_key, request, answer);
    } else {
        get_rows(table, request, answer);
    }
}

static bool is_signed(const struct http_request *request) {
    struct text authorization = http_header(request, "Authorization");
    return http_text_starts(authorization, "SharedKey devstoreaccount1:") ||
           http_text_starts(authorization, "SharedKeyLite devstoreaccount1:");
}

void tables_serve(const struct http_request *request, struct http_answer *answer) {
    if (http_text_starts(request->path, "/$seed/")) {
        seed(request, answer);
    } else if (!is_signed(request)) {
        counts_now.unsigned_requests++;
        refuse(answer, 403, "AuthenticationFailed");
    } else if (http_text_is(request->path, "/$batch")) {
        transaction_serve(request, answer);
    } else if (http_text_is(request->path, "/Tables") && http_text_is(request->method, "POST")) {
        make_table(request, answer);
    } else if (http_text_is(request->method, "GET")) {
        get(request, answer);
    } else {
        change_row(request, answer);
    }
}
