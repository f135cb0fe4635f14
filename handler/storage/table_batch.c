#include "storage/table_batch.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "storage/storage_error.h"

/*
 * An ETag has no control characters (RFC 9110 section 8.8.3). A line break would end the header
 * that it is written into.
 */
static bool is_etag(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            return false;
        }
    }
    return length > 0;
}

/* ---- writing ---- */

#define CRLF "\r\n"

void table_batch_append_entity(struct strbuf *out, const char *entity) {
    if (entity != NULL) {
        strbuf_append_string(out, entity);
    } else if (out->status == STATUS_OK) {
        out->status = STATUS_NO_MEMORY;
    }
}

/* Appends a key as it stands in an entity's path. */
static void append_key(struct strbuf *out, const char *key) {
    for (const char *c = key; *c != '\0'; c++) {
        const char text[2] = {*c, '\0'};
        strbuf_append_percent_encoded(out, *c == '\'' ? "''" : text);
    }
}

void table_batch_append_entity_path(struct strbuf *out, const char *table,
                                    const char *partition_key, const char *row_key) {
    strbuf_append_char(out, '/');
    strbuf_append_string(out, table);
    strbuf_append_string(out, "(PartitionKey='");
    append_key(out, partition_key);
    strbuf_append_string(out, "',RowKey='");
    append_key(out, row_key);
    strbuf_append_string(out, "')");
}

static void append_request_line(struct strbuf *out, const char *endpoint, const char *table,
                                const struct table_operation *operation) {
    static const char *const methods[] = {
        [TABLE_INSERT] = "POST", [TABLE_MERGE] = "MERGE", [TABLE_DELETE] = "DELETE"};
    strbuf_append_string(out, methods[operation->kind]);
    strbuf_append_char(out, ' ');
    strbuf_append_string(out, endpoint);
    if (operation->kind == TABLE_INSERT) {
        strbuf_append_char(out, '/');
        strbuf_append_string(out, table);
    } else {
        table_batch_append_entity_path(out, table, operation->partition_key, operation->row_key);
    }
    strbuf_append_string(out, " HTTP/1.1" CRLF);
}

static void append_operation(struct strbuf *out, const char *endpoint, const char *table,
                             const struct table_operation *operation) {
    assert(operation->kind != TABLE_DELETE || operation->entity == NULL);
    assert((operation->kind == TABLE_INSERT) == (operation->if_match == NULL));
    append_request_line(out, endpoint, table, operation);
    strbuf_append_string(out, "Accept: application/json;odata=minimalmetadata" CRLF
                              "DataServiceVersion: 3.0;" CRLF);
    if (operation->kind == TABLE_INSERT) {
        strbuf_append_string(out, "Prefer: return-no-content" CRLF);
    } else if (!is_etag(operation->if_match, strlen(operation->if_match))) {
        out->status = STATUS_INVALID_ARGUMENT;
    } else {
        strbuf_append_string(out, "If-Match: ");
        strbuf_append_string(out, operation->if_match);
        strbuf_append_string(out, CRLF);
    }
    if (operation->kind != TABLE_DELETE) {
        strbuf_append_string(out, "Content-Type: application/json" CRLF);
    }
    strbuf_append_string(out, CRLF);
    if (operation->kind != TABLE_DELETE) {
        table_batch_append_entity(out, operation->entity);
    }
    strbuf_append_string(out, CRLF);
}

void table_batch_write(const char *endpoint, const char *table,
                       const struct table_operation *operations, size_t count, const char *id,
                       struct strbuf *out) {
    strbuf_appendf(
        out, "--batch_%s" CRLF "Content-Type: multipart/mixed; boundary=changeset_%s" CRLF CRLF, id,
        id);
    for (size_t i = 0; i < count; i++) {
        strbuf_append_string(out, "--changeset_");
        strbuf_append_string(out, id);
        strbuf_append_string(out, CRLF "Content-Type: application/http" CRLF
                                       "Content-Transfer-Encoding: binary" CRLF CRLF);
        append_operation(out, endpoint, table, &operations[i]);
    }
    strbuf_appendf(out, "--changeset_%s--" CRLF "--batch_%s--" CRLF, id, id);
}

/*
 * ---- reading ----
 *
 * The body is read line by line, each line once. Nothing in it is trusted but its length.
 */

enum { BOUNDARY_BYTES = 72 }; /* RFC 2046: at most 70 characters */

/* A piece of the body, without a NUL at its end. */
struct span {
    const char *text;
    size_t length;
};

struct part_headers {
    char boundary[BOUNDARY_BYTES]; /* of a Content-Type that is multipart; "" if none */
    char etag[TABLE_ETAG_BYTES];   /* "" if none */
};

/* Takes the next line from `rest`, without trailing white space. Returns false at the end. */
static bool next_line(struct span *rest, struct span *out) {
    if (rest->length == 0) {
        return false;
    }
    const char *end = memchr(rest->text, '\n', rest->length);
    size_t taken = end != NULL ? (size_t)(end - rest->text) + 1 : rest->length;
    *out = (struct span){rest->text, taken};
    rest->text += taken;
    rest->length -= taken;
    while (out->length > 0 && strchr(" \t\r\n", out->text[out->length - 1]) != NULL &&
           out->text[out->length - 1] != '\0') {
        out->length--;
    }
    return true;
}

static struct span skip(struct span span, size_t length) {
    return (struct span){span.text + length, span.length - length};
}

/* Compares without regard to case. */
static bool begins_with(struct span line, const char *text) {
    size_t length = strlen(text);
    return line.length >= length && strncasecmp(line.text, text, length) == 0;
}

static bool copy_span(struct span span, char *out, size_t out_bytes) {
    if (span.length == 0 || span.length >= out_bytes ||
        memchr(span.text, '\0', span.length) != NULL) {
        return false;
    }
    memcpy(out, span.text, span.length);
    out[span.length] = '\0';
    return true;
}

/*
 * Finds the boundary in a Content-Type's value; "" if there is none. Returns false if it is no
 * valid boundary.
 */
static bool read_boundary(struct span value, char out[BOUNDARY_BYTES]) {
    out[0] = '\0';
    while (value.length > 0 && !begins_with(value, "boundary=")) {
        value = skip(value, 1);
    }
    if (value.length == 0) {
        return true;
    }
    value = skip(value, strlen("boundary="));
    bool is_quoted = begins_with(value, "\"");
    if (is_quoted) {
        value = skip(value, 1);
    }
    size_t length = 0;
    while (length < value.length && strchr(is_quoted ? "\"" : "; \t", value.text[length]) == NULL) {
        length++;
    }
    return copy_span((struct span){value.text, length}, out, BOUNDARY_BYTES);
}

static bool read_header(struct span line, struct part_headers *headers) {
    const char *colon = memchr(line.text, ':', line.length);
    if (colon == NULL) {
        return false;
    }
    struct span value = skip(line, (size_t)(colon - line.text) + 1);
    while (begins_with(value, " ") || begins_with(value, "\t")) {
        value = skip(value, 1);
    }
    if (begins_with(line, "Content-Type:")) {
        return read_boundary(value, headers->boundary);
    }
    if (begins_with(line, "ETag:")) {
        return value.length == 0 || (is_etag(value.text, value.length) &&
                                     copy_span(value, headers->etag, sizeof headers->etag));
    }
    return true;
}

/* Reads headers and the empty line after them. */
static bool read_headers(struct span *rest, struct part_headers *headers) {
    memset(headers, 0, sizeof *headers);
    struct span line;
    while (next_line(rest, &line)) {
        if (line.length == 0) {
            return true;
        }
        if (!read_header(line, headers)) {
            return false;
        }
    }
    return false;
}

/*
 * Takes lines up to the next delimiter of `boundary`, and that line too. `out_body` (may be NULL)
 * is the text before it.
 */
static bool read_to_delimiter(struct span *rest, const char *boundary, struct span *out_body,
                              bool *out_is_last) {
    struct span body = {rest->text, 0};
    size_t length = strlen(boundary);
    for (struct span line; next_line(rest, &line); body.length = (size_t)(rest->text - body.text)) {
        if (line.length < 2 + length || memcmp(line.text, "--", 2) != 0 ||
            memcmp(line.text + 2, boundary, length) != 0) {
            continue;
        }
        struct span tail = skip(line, 2 + length);
        bool is_last = tail.length == 2 && memcmp(tail.text, "--", 2) == 0;
        if (tail.length > 0 && !is_last) {
            continue; /* a longer boundary with the same beginning */
        }
        if (out_body != NULL) {
            *out_body = body;
        }
        *out_is_last = is_last;
        return true;
    }
    return false;
}

/* Returns the status of a line like "HTTP/1.1 204 No Content", or 0. */
static int read_status_line(struct span *rest) {
    struct span line;
    if (!next_line(rest, &line) || line.length < 12 || !begins_with(line, "HTTP/1.") ||
        line.text[8] != ' ') {
        return 0;
    }
    int status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.text[i] < '0' || line.text[i] > '9') {
            return 0;
        }
        status = status * 10 + (line.text[i] - '0');
    }
    return status >= 100 && status <= 599 && (line.length == 12 || line.text[12] == ' ') ? status
                                                                                         : 0;
}

/*
 * No operation has content in its answer: merge and delete never have, and an insert has none
 * because of its Prefer header.
 */
static bool is_success(int http_status) {
    return http_status == 204;
}

/* Storage adds an error code to every failure. */
static bool is_failure(const struct table_batch_answer *answer) {
    return answer->http_status >= 400 && answer->code[0] != '\0';
}

/* Reads one part, from after its delimiter to after the next one. */
static bool read_part(struct span *rest, const char *boundary, struct table_batch_answer *answer,
                      bool *out_is_last) {
    int http_status = read_status_line(rest);
    struct part_headers headers;
    struct span body;
    if (http_status == 0 || !read_headers(rest, &headers) ||
        !read_to_delimiter(rest, boundary, &body, out_is_last)) {
        return false;
    }
    if (answer->answer_count == 0) {
        memcpy(answer->first_etag, headers.etag, sizeof headers.etag);
    }
    answer->answer_count++;
    if (answer->http_status != 0 && !is_success(answer->http_status)) {
        return true; /* the first failure counts */
    }
    answer->http_status = http_status;
    if (!is_success(http_status)) {
        storage_error_read_json(body.text, body.length, answer->code, sizeof answer->code,
                                answer->message, sizeof answer->message);
    }
    return true;
}

/* Azure puts the parts into a change set. OData also allows a failure directly in the batch. */
static bool read_parts(struct span body, const char batch_boundary[BOUNDARY_BYTES],
                       struct table_batch_answer *answer) {
    struct part_headers headers;
    bool is_last = false;
    if (!read_to_delimiter(&body, batch_boundary, NULL, &is_last) || is_last ||
        !read_headers(&body, &headers)) {
        return false;
    }
    char boundary[BOUNDARY_BYTES];
    bool has_change_set = headers.boundary[0] != '\0';
    memcpy(boundary, has_change_set ? headers.boundary : batch_boundary, BOUNDARY_BYTES);
    if (has_change_set && (!read_to_delimiter(&body, boundary, NULL, &is_last) || is_last ||
                           !read_headers(&body, &headers))) {
        return false;
    }
    while (read_part(&body, boundary, answer, &is_last)) {
        if (is_last) {
            return true;
        }
        if (!read_headers(&body, &headers)) {
            return false;
        }
    }
    return false;
}

enum status table_batch_read(const char *content_type, const char *body, size_t length,
                             size_t count, struct table_batch_answer *out, struct error *err) {
    char boundary[BOUNDARY_BYTES];
    if (!read_boundary((struct span){content_type, strlen(content_type)}, boundary) ||
        boundary[0] == '\0') {
        return error_set(err, STATUS_MALFORMED, "the batch's answer names no boundary");
    }
    struct table_batch_answer answer = {0};
    if (!read_parts((struct span){body, length}, boundary, &answer)) {
        return error_set(err, STATUS_MALFORMED,
                         "the batch's answer is not multipart/mixed, or is cut short");
    }
    if (is_success(answer.http_status) && (size_t)answer.answer_count != count) {
        return error_set(err, STATUS_MALFORMED,
                         "the batch's answer has %d parts for %zu operations", answer.answer_count,
                         count);
    }
    if (!is_success(answer.http_status) && !is_failure(&answer)) {
        return error_set(err, STATUS_MALFORMED, "the batch's answer has a part with %d%s",
                         answer.http_status, answer.http_status >= 400 ? " and no error code" : "");
    }
    *out = answer;
    return STATUS_OK;
}
