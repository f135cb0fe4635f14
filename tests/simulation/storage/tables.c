#include "simulation/storage/tables.h"

#include <ctype.h>
#include <string.h>

#include "simulation/storage/query.h"

static void refuse(struct simulated_answer *answer, int http_status, const char *code) {
    simulated_answer_refuse_table(answer, (struct simulated_refusal){http_status, code});
}

static bool wants_no_content(const struct simulated_request *request) {
    return text_is(simulated_request_header(request, "Prefer"), "return-no-content");
}

static void accept_without_content(struct simulated_answer *answer) {
    answer->http_status = 204;
    strbuf_append_string(&answer->headers, "Preference-Applied: return-no-content\r\n");
}

/* ---- tables ---- */

/* 3 to 63 letters and digits, the first a letter ("Understanding the Table service data model"). */
static bool is_table_name(const char *name) {
    size_t length = strlen(name), good = 0;
    while (isalnum((unsigned char)name[good])) {
        good++;
    }
    return good == length && length >= 3 && isalpha((unsigned char)name[0]);
}

static void make_table(struct rows *rows, const struct simulated_request *request,
                       struct simulated_answer *answer) {
    struct entity entity;
    char name[ROWS_NAME_BYTES];
    bool is_being_deleted = false;
    if (!entity_read(request->body, &entity)) {
        refuse(answer, 400, "InvalidInput");
    } else if (!entity_string(entity_get(&entity, "TableName"), name, sizeof name) ||
               !is_table_name(name)) {
        refuse(answer, 400, "InvalidResourceName");
    } else if (rows_table(rows, name, &is_being_deleted) != NULL) {
        refuse(answer, 409, "TableAlreadyExists");
    } else if (is_being_deleted) {
        refuse(answer, 409, "TableBeingDeleted");
    } else {
        rows_make_table(rows, name);
        if (wants_no_content(request)) {
            accept_without_content(answer);
            return;
        }
        answer->http_status = 201;
        strbuf_append_string(&answer->headers, SIMULATED_JSON_TYPE);
        strbuf_appendf(&answer->body, "{\"TableName\":\"%s\"}", name);
    }
}

/* "/Tables('name')" */
static void delete_table(struct rows *rows, struct text path, struct simulated_answer *answer) {
    char decoded[ROWS_NAME_BYTES + 16], *end;
    bool is_being_deleted = false;
    size_t prefix = strlen("/Tables('");
    if (!text_percent_decode(path, decoded, sizeof decoded) ||
        (end = strrchr(decoded, '\'')) < decoded + prefix) {
        refuse(answer, 400, "InvalidInput");
        return;
    }
    *end = '\0';
    struct table *table = rows_table(rows, decoded + prefix, &is_being_deleted);
    if (table == NULL) {
        refuse(answer, is_being_deleted ? 409 : 404,
               is_being_deleted ? "TableBeingDeleted" : "ResourceNotFound");
        return;
    }
    rows_delete_table(rows, table);
    answer->http_status = 204;
}

static void serve_tables(struct simulated_storage *storage, struct text path,
                         const struct simulated_request *request) {
    storage->outcome.kind = SIMULATED_TABLE;
    if (text_is(request->method, "POST") && text_is(path, "/Tables")) {
        make_table(&storage->rows, request, &storage->answer);
    } else if (text_is(request->method, "DELETE") && text_starts_nocase(path, "/Tables(")) {
        delete_table(&storage->rows, path, &storage->answer);
    } else {
        storage->outcome.kind = SIMULATED_UNKNOWN;
        refuse(&storage->answer, 501, "NotImplemented");
    }
}

/* ---- entities ---- */

static void change_row(struct simulated_storage *storage, struct text path,
                       const struct simulated_request *request) {
    struct simulated_answer *answer = &storage->answer;
    struct row_change *change = &storage->transaction.changes[0];
    struct text method = simulated_request_header(request, "X-HTTP-Method");
    const struct row_change_request asked = {.method = method.length > 0 ? method : request->method,
                                             .path = path,
                                             .if_match =
                                                 simulated_request_header(request, "If-Match"),
                                             .body = request->body};
    struct simulated_refusal refusal = row_change_read(change, &storage->rows, &asked);
    if (refusal.code == NULL) {
        refusal = row_change_check(change);
    }
    storage->outcome.kind = SIMULATED_ENTITY_WRITE;
    storage->outcome.changes = change;
    storage->outcome.change_count = 1;
    if (refusal.code != NULL) {
        simulated_answer_refuse_table(answer, refusal);
        return;
    }
    char etag[ROW_CHANGE_ETAG_BYTES];
    uint64_t version = row_change_make(change, &storage->rows);
    if (version != 0) {
        row_change_write_etag(version, etag);
        simulated_answer_add_header(&answer->headers, "ETag", etag);
    }
    answer->http_status = 204;
    if (change->kind == ROW_INSERT && wants_no_content(request)) {
        accept_without_content(answer);
    } else if (change->kind == ROW_INSERT) {
        answer->http_status = 201;
        strbuf_append_string(&answer->headers, SIMULATED_JSON_TYPE);
        query_append_row(change->row, "", &answer->body);
    }
}

static void read_rows(struct simulated_storage *storage, struct text path,
                      const struct simulated_request *request) {
    struct simulated_answer *answer = &storage->answer;
    struct row_change_path own;
    bool is_being_deleted = false;
    if (!row_change_read_path(path, &own)) {
        refuse(answer, 400, "InvalidInput");
        return;
    }
    struct table *table = rows_table(&storage->rows, own.table, &is_being_deleted);
    storage->outcome.kind = own.has_keys ? SIMULATED_ENTITY_READ : SIMULATED_QUERY;
    if (table == NULL) {
        simulated_answer_refuse_table(answer, row_change_no_table(is_being_deleted));
    } else if (own.has_keys) {
        query_serve_row(table, own.partition_key, own.row_key, request, answer);
    } else {
        query_serve(table, storage->page_rows, request, answer);
    }
}

void tables_serve(struct simulated_storage *storage, struct text path,
                  const struct simulated_request *request) {
    if (text_is(path, "/$batch") && text_is(request->method, "POST")) {
        storage->outcome.kind = SIMULATED_TRANSACTION;
        transaction_serve(&storage->transaction, &storage->rows, request, &storage->answer,
                          &storage->outcome);
    } else if (text_is(path, "/Tables") || text_starts_nocase(path, "/Tables(")) {
        serve_tables(storage, path, request);
    } else if (text_is(request->method, "GET")) {
        read_rows(storage, path, request);
    } else {
        change_row(storage, path, request);
    }
}
