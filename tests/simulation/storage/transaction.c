#include "simulation/storage/transaction.h"

#include <string.h>

#include "simulation/storage/query.h"

enum { DELIMITER_BYTES = 128 };

static void fail(struct transaction *transaction, size_t index, struct simulated_refusal refusal) {
    if (transaction->refusal.code == NULL) {
        transaction->refusal = refusal;
        transaction->refused_at = index;
    }
}

static void fail_input(struct transaction *transaction) {
    fail(transaction, 0, (struct simulated_refusal){400, "InvalidInput"});
}

/* ---- reading ---- */

static bool take_until(struct text *rest, struct text end, struct text *out) {
    const char *found = memmem(rest->data, rest->length, end.data, end.length);
    if (found == NULL) {
        return false;
    }
    *out = (struct text){rest->data, (size_t)(found - rest->data)};
    *rest = text_skip(*rest, out->length + end.length);
    return true;
}

/* Whether a row of the same key came before; notes this one. */
static bool is_repeated(struct transaction *transaction, const char *key) {
    uint32_t hash = 5381;
    for (const char *c = key; *c != '\0'; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    size_t slot = hash % TRANSACTION_SLOTS;
    while (transaction->seen[slot] != NULL) {
        if (strcmp(transaction->seen[slot], key) == 0) {
            return true;
        }
        slot = (slot + 1) % TRANSACTION_SLOTS;
    }
    transaction->seen[slot] = key;
    return false;
}

/* The path of "http://host/account/table", behind the account's own; empty if it is none. */
static struct text path_of(const struct transaction *transaction, struct text url) {
    size_t prefix = strlen(transaction->account_path);
    const char *host = memmem(url.data, url.length, "://", 3);
    url = text_skip(url, host == NULL ? url.length : (size_t)(host - url.data) + 3);
    const char *path = url.length == 0 ? NULL : memchr(url.data, '/', url.length);
    url = text_skip(url, path == NULL ? url.length : (size_t)(path - url.data));
    return text_skip(url, url.length < prefix ? url.length : prefix);
}

/* A request, behind the part's own headers. Returns whether it asks for no content. */
static bool read_request(const struct transaction *transaction, struct text part,
                         struct row_change_request *out) {
    struct text line = text_cut_line(&part);
    bool no_content = false;
    *out = (struct row_change_request){.if_match = {"", 0}};
    out->method = text_cut(&line, ' ');
    out->path = path_of(transaction, text_cut(&line, ' '));
    for (line = text_cut_line(&part); line.length > 0; line = text_cut_line(&part)) {
        struct text name = text_cut(&line, ':');
        if (text_is_nocase(name, "If-Match")) {
            out->if_match = text_trim(line);
        } else if (text_is_nocase(name, "Prefer")) {
            no_content = text_is(text_trim(line), "return-no-content");
        }
    }
    out->body = part;
    return no_content;
}

/* Whether its row may stand in the transaction, and whether that row is as it must be. */
static struct simulated_refusal check_change(struct transaction *transaction,
                                             struct row_change *change) {
    if (strcmp(change->partition_key, transaction->changes[0].partition_key) != 0) {
        return (struct simulated_refusal){400, "CommandsInBatchActOnDifferentPartitions"};
    }
    if (is_repeated(transaction, change->row_key)) {
        return (struct simulated_refusal){400, "InvalidDuplicateRow"};
    }
    return row_change_check(change);
}

static void read_operation(struct transaction *transaction, struct rows *rows, struct text part) {
    size_t index = transaction->count;
    if (index == TRANSACTION_MAX_OPERATIONS) { /* counted before any operation is looked at */
        transaction->refusal = (struct simulated_refusal){400, "InvalidInput"};
        transaction->refused_at = index - 1;
        return;
    }
    struct row_change_request request;
    struct row_change *change = &transaction->changes[transaction->count++];
    bool no_content = read_request(transaction, part, &request);
    struct simulated_refusal refusal = row_change_read(change, rows, &request);
    if (refusal.code == NULL) {
        refusal = check_change(transaction, change);
    }
    transaction->wants_content[index] = change->kind == ROW_INSERT && !no_content;
    if (refusal.code != NULL) {
        fail(transaction, index, refusal);
    }
}

/* The delimiter of the change set: the first line that begins with "--changeset". */
static bool read_delimiter(struct text body, char out[DELIMITER_BYTES]) {
    const char *at = memmem(body.data, body.length, "--changeset", strlen("--changeset"));
    if (at == NULL) {
        return false;
    }
    struct text rest = {at, body.length - (size_t)(at - body.data)};
    return text_copy(text_cut_line(&rest), out, DELIMITER_BYTES);
}

static void read_all(struct transaction *transaction, struct rows *rows, struct text body) {
    char delimiter[DELIMITER_BYTES];
    struct text part, before;
    transaction->count = 0;
    transaction->refusal = SIMULATED_ACCEPTED;
    memset(transaction->seen, 0, sizeof transaction->seen);
    if (!read_delimiter(body, delimiter)) {
        fail_input(transaction);
        return;
    }
    struct text end = {delimiter, strlen(delimiter)};
    take_until(&body, end, &before);
    while (take_until(&body, end, &part)) {
        if (take_until(&part, (struct text){"\r\n\r\n", 4}, &before)) {
            read_operation(transaction, rows, part);
        }
    }
    if (transaction->count == 0) {
        fail_input(transaction);
    }
}

/* ---- answering ---- */

#define PART                                                                                 \
    "--changesetresponse_0\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: " \
    "binary\r\n\r\nHTTP/1.1 "

static void append_failure(const struct transaction *transaction, struct strbuf *body) {
    strbuf_append_string(body, PART);
    strbuf_append_int64(body, transaction->refusal.http_status);
    strbuf_append_char(body, ' ');
    strbuf_append_string(body, simulated_answer_reason(transaction->refusal.http_status));
    strbuf_append_string(body, "\r\nDataServiceVersion: 3.0;\r\n" SIMULATED_JSON_TYPE "\r\n");
    simulated_answer_append_error(body, transaction->refusal, (int)transaction->refused_at);
    strbuf_append_string(body, "\r\n");
}

static void make_all(struct transaction *transaction, struct rows *rows, struct strbuf *body) {
    for (size_t i = 0; i < transaction->count; i++) {
        struct row_change *change = &transaction->changes[i];
        char etag[ROW_CHANGE_ETAG_BYTES];
        uint64_t version = row_change_make(change, rows);
        strbuf_append_string(body, PART);
        strbuf_append_string(body, transaction->wants_content[i]
                                       ? "201 Created\r\n" SIMULATED_JSON_TYPE
                                       : "204 No Content\r\n");
        strbuf_append_string(body, "DataServiceVersion: 3.0;\r\n");
        if (change->kind == ROW_INSERT && !transaction->wants_content[i]) {
            strbuf_append_string(body, "Preference-Applied: return-no-content\r\n");
        }
        if (version != 0) {
            row_change_write_etag(version, etag);
            simulated_answer_add_header(body, "ETag", etag);
        }
        strbuf_append_string(body, "\r\n");
        if (transaction->wants_content[i]) {
            query_append_row(change->row, "", body);
        }
        strbuf_append_string(body, "\r\n");
    }
}

void transaction_serve(struct transaction *transaction, struct rows *rows,
                       const struct simulated_request *request, struct simulated_answer *answer,
                       struct simulated_outcome *outcome) {
    if (request->body.length > TRANSACTION_MAX_BYTES) {
        simulated_answer_refuse_table(answer,
                                      (struct simulated_refusal){413, "RequestBodyTooLarge"});
        return;
    }
    read_all(transaction, rows, request->body);
    answer->http_status = 202;
    strbuf_append_string(&answer->headers,
                         "Content-Type: multipart/mixed; boundary=batchresponse_0\r\n");
    strbuf_append_string(&answer->body, "--batchresponse_0\r\nContent-Type: multipart/mixed; "
                                        "boundary=changesetresponse_0\r\n\r\n");
    if (transaction->refusal.code != NULL) {
        append_failure(transaction, &answer->body);
        outcome->http_status = transaction->refusal.http_status;
        outcome->code = transaction->refusal.code;
    } else {
        make_all(transaction, rows, &answer->body);
    }
    outcome->changes = transaction->changes;
    outcome->change_count = transaction->count;
    strbuf_append_string(&answer->body, "--changesetresponse_0--\r\n--batchresponse_0--\r\n");
}
