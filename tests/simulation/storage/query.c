#include "simulation/storage/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/utc.h"
#include "simulation/storage/filter.h"
#include "simulation/storage/row_change.h"

enum { SELECT_BYTES = 1024, TOKEN_BYTES = 2 * ENTITY_KEY_BYTES + 16 };

static void refuse(struct simulated_answer *answer, int http_status, const char *code) {
    simulated_answer_refuse_table(answer, (struct simulated_refusal){http_status, code});
}

/* ---- an entity ---- */

/* Also for a property's annotation. */
static bool is_selected(const char *select, const char *name, size_t length) {
    if (select[0] == '\0') {
        return true;
    }
    for (const char *at = select; *at != '\0'; at += strspn(at, ", ")) {
        size_t word = strcspn(at, ", ");
        if (length >= word && memcmp(at, name, word) == 0 &&
            (length == word || name[word] == '@')) {
            return true;
        }
        at += word;
    }
    return false;
}

static void append_string(const char *select, const char *name, const char *value,
                          struct strbuf *out) {
    if (is_selected(select, name, strlen(name))) {
        strbuf_append(out, ",\"", 2);
        strbuf_append_string(out, name);
        strbuf_append(out, "\":", 2);
        entity_append_string(out, value);
    }
}

static void append_properties(const struct row *row, const char *select, struct strbuf *out) {
    struct entity entity;
    if (select[0] == '\0') {
        if (row->properties_length > 0) {
            strbuf_append_char(out, ',');
            strbuf_append(out, row->properties, row->properties_length);
        }
        return;
    }
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

void query_append_row(const struct row *row, const char *select, struct strbuf *out) {
    char etag[ROW_CHANGE_ETAG_BYTES], written[UTC_TEXT_BYTES];
    row_change_write_etag(row->version, etag);
    strbuf_append_string(out, "{\"odata.etag\":");
    entity_append_string(out, etag);
    append_string(select, "PartitionKey", row->partition->entry.key, out);
    append_string(select, "RowKey", row->key, out);
    if (is_selected(select, "Timestamp", strlen("Timestamp"))) {
        utc_format_iso8601_ms(row->written_ms, written);
        append_string(select, "Timestamp", written, out);
    }
    append_properties(row, select, out);
    strbuf_append_char(out, '}');
}

void query_serve_row(const struct table *table, const char *partition_key, const char *row_key,
                     const struct simulated_request *request, struct simulated_answer *answer) {
    char select[SELECT_BYTES] = "", etag[ROW_CHANGE_ETAG_BYTES];
    const struct row *row = rows_find(table, partition_key, row_key);
    if (row == NULL) {
        refuse(answer, 404, "ResourceNotFound");
        return;
    }
    simulated_request_query(request, "$select", select, sizeof select);
    row_change_write_etag(row->version, etag);
    answer->http_status = 200;
    strbuf_append_string(&answer->headers, SIMULATED_JSON_TYPE);
    simulated_answer_add_header(&answer->headers, "ETag", etag);
    query_append_row(row, select, &answer->body);
}

/* ---- a page ---- */

struct query {
    struct table *table;
    struct simulated_answer *answer;
    bool has_filter, has_partition;
    char text[FILTER_TEXT_BYTES]; /* which the filter points into */
    struct filter filter;
    char select[SELECT_BYTES];
    char partition_key[ENTITY_KEY_BYTES], row_key[ENTITY_KEY_BYTES]; /* where it goes on */
    size_t wanted, count;
};

/* "1!8!70313431": a key in hexadecimal digits. To clients it has no meaning. */
static void append_token(struct strbuf *headers, const char *name, const char *key) {
    char digits[2 * ENTITY_KEY_BYTES + 1];
    size_t length = strlen(key);
    hex_encode(key, length, digits);
    strbuf_appendf(headers, "%s: 1!%zu!%s\r\n", name, 2 * length, digits);
}

/* Reads a token; `out` is untouched if there is none. Returns false if it is not ours. */
static bool read_token(const struct simulated_request *request, const char *name,
                       char out[ENTITY_KEY_BYTES]) {
    char token[TOKEN_BYTES];
    if (!simulated_request_query(request, name, token, sizeof token)) {
        return true;
    }
    const char *digits = strrchr(token, '!');
    if (strncmp(token, "1!", 2) != 0 || strlen(digits + 1) % 2 != 0) {
        return false;
    }
    size_t length = 0;
    for (digits++; *digits != '\0' && length + 1 < ENTITY_KEY_BYTES; digits += 2) {
        if (hex_digit(digits[0]) < 0 || hex_digit(digits[1]) < 0) {
            return false;
        }
        out[length++] = (char)(hex_digit(digits[0]) * 16 + hex_digit(digits[1]));
    }
    out[length] = '\0';
    return true;
}

/* Returns true if the page is full before that row. */
static bool visit(struct query *query, const struct row *row) {
    struct simulated_answer *answer = query->answer;
    if (query->has_filter && !filter_matches(&query->filter, row)) {
        return false;
    }
    if (query->count == query->wanted) {
        append_token(&answer->headers, "x-ms-continuation-NextPartitionKey",
                     row->partition->entry.key);
        append_token(&answer->headers, "x-ms-continuation-NextRowKey", row->key);
        return true;
    }
    if (query->count++ > 0) {
        strbuf_append_char(&answer->body, ',');
    }
    query_append_row(row, query->select, &answer->body);
    return false;
}

static bool visit_partition(struct query *query, const char *partition_key, const char *row_key) {
    for (const struct row *row = rows_seek(query->table, partition_key, row_key); row != NULL;
         row = row->next[0]) {
        if (query->has_filter && filter_is_beyond(&query->filter, row->key)) {
            return false;
        }
        if (visit(query, row)) {
            return true;
        }
    }
    return false;
}

static void visit_partitions(struct query *query) {
    char first[ENTITY_KEY_BYTES] = "", key[ENTITY_KEY_BYTES + 1];
    if (query->has_filter) {
        filter_first_row(&query->filter, first);
    }
    const char *from = strcmp(query->row_key, first) > 0 ? query->row_key : first;
    if (query->has_partition) {
        visit_partition(query, query->partition_key, from);
        return;
    }
    snprintf(key, sizeof key, "%s", query->partition_key);
    for (const char *found; (found = rows_partition_from(query->table, key)) != NULL;) {
        if (visit_partition(query, found,
                            strcmp(found, query->partition_key) == 0 ? from : first)) {
            return;
        }
        snprintf(key, sizeof key, "%s\x01", found);
    }
}

static bool read_top(const struct simulated_request *request, size_t page_rows, size_t *out) {
    char text[16];
    int top;
    *out = page_rows;
    if (!simulated_request_query(request, "$top", text, sizeof text)) {
        return true;
    }
    if (!text_read_int((struct text){text, strlen(text)}, &top) || top < 0 ||
        top > QUERY_PAGE_ROWS) {
        return false;
    }
    *out = (size_t)top < page_rows ? (size_t)top : page_rows;
    return true;
}

static bool read_query(struct query *query, size_t page_rows,
                       const struct simulated_request *request) {
    query->has_filter =
        simulated_request_query(request, "$filter", query->text, sizeof query->text);
    if (query->has_filter && !filter_read(query->text, &query->filter)) {
        return false;
    }
    query->select[0] = query->partition_key[0] = query->row_key[0] = '\0';
    simulated_request_query(request, "$select", query->select, sizeof query->select);
    bool is_good = read_token(request, "NextPartitionKey", query->partition_key) &&
                   read_token(request, "NextRowKey", query->row_key) &&
                   read_top(request, page_rows, &query->wanted);
    query->has_partition =
        query->has_filter && filter_partition(&query->filter, query->partition_key);
    return is_good;
}

void query_serve(struct table *table, size_t page_rows, const struct simulated_request *request,
                 struct simulated_answer *answer) {
    struct query query;
    query.table = table;
    query.answer = answer;
    query.count = 0;
    if (!read_query(&query, page_rows, request)) {
        refuse(answer, 400, "InvalidInput");
        return;
    }
    answer->http_status = 200;
    strbuf_append_string(&answer->headers, SIMULATED_JSON_TYPE);
    strbuf_append_string(&answer->body, "{\"value\":[");
    visit_partitions(&query);
    strbuf_append_string(&answer->body, "]}");
}
