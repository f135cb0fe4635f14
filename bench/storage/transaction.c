#include "transaction.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "blobs.h"
#include "counts.h"
#include "operation.h"

enum { MAX_OPERATIONS = 100, SLOTS = 256 };

struct transaction {
    struct operation operations[MAX_OPERATIONS];
    size_t count;
    struct operation_failure failure;
    const char *seen[SLOTS]; /* row keys, open addressing */
};

static struct transaction transaction;

static void fail(int status, const char *code) {
    if (transaction.failure.status == 0) {
        transaction.failure = (struct operation_failure){status, code};
    }
}

/* ---- reading ---- */

static struct text skip(struct text text, size_t count) {
    return (struct text){text.data + count, text.length - count};
}

static bool take_until(struct text *rest, const char *end, size_t end_length, struct text *out) {
    const char *found = memmem(rest->data, rest->length, end, end_length);
    if (found == NULL) {
        return false;
    }
    *out = (struct text){rest->data, (size_t)(found - rest->data)};
    *rest = skip(*rest, out->length + end_length);
    return true;
}

static struct text take_line(struct text *rest) {
    struct text line = http_text_cut(rest, '\n');
    if (line.length > 0 && line.data[line.length - 1] == '\r') {
        line.length--;
    }
    return line;
}

/* Whether a row of the same key came before; notes this one. */
static bool is_repeated(const char *key) {
    uint32_t hash = 5381;
    for (const char *c = key; *c != '\0'; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    size_t slot = hash % SLOTS;
    while (transaction.seen[slot] != NULL) {
        if (strcmp(transaction.seen[slot], key) == 0) {
            return true;
        }
        slot = (slot + 1) % SLOTS;
    }
    transaction.seen[slot] = key;
    return false;
}

/* "POST http://127.0.0.1:1/account/table HTTP/1.1": the path behind the account's name. */
static struct text path_of(struct text url) {
    for (int slashes = 0; slashes < 4 && url.length > 0;) {
        slashes += url.data[0] == '/';
        if (slashes < 4) {
            url = skip(url, 1);
        }
    }
    return url;
}

/* What stands behind the part's own headers: a request. */
static void read_operation(struct text part) {
    struct text line = take_line(&part), if_match = {"", 0};
    struct text method = http_text_cut(&line, ' '), url = http_text_cut(&line, ' ');
    for (struct text header = take_line(&part); header.length > 0; header = take_line(&part)) {
        if (http_text_starts(header, "If-Match:")) {
            if_match = skip(header, strlen("If-Match:"));
            while (if_match.length > 0 && if_match.data[0] == ' ') {
                if_match = skip(if_match, 1);
            }
        }
    }
    if (transaction.count == MAX_OPERATIONS) {
        fail(400, "InvalidInput");
        return;
    }
    struct operation *operation = &transaction.operations[transaction.count++];
    struct operation_failure failure = operation_init(operation, method, path_of(url), if_match, part);
    if (failure.status != 0) {
        fail(failure.status, failure.code);
    } else if (strcmp(operation->partition_key, transaction.operations[0].partition_key) != 0) {
        fail(400, "CommandsInBatchActOnDifferentPartitions");
    } else if (is_repeated(operation->row_key)) {
        fail(400, "InvalidDuplicateRow");
    }
}

/* The delimiter of the change set: the first line that begins with "--changeset". */
static bool read_delimiter(struct text body, char out[128]) {
    const char *at = memmem(body.data, body.length, "--changeset", strlen("--changeset"));
    if (at == NULL) {
        return false;
    }
    struct text rest = {at, body.length - (size_t)(at - body.data)};
    struct text line = take_line(&rest);
    snprintf(out, 128, "%.*s", (int)line.length, line.data);
    return line.length < 128;
}

static void read_all(struct text body) {
    char delimiter[128];
    struct text part, before;
    transaction.count = 0;
    transaction.failure = (struct operation_failure){0, NULL};
    memset(transaction.seen, 0, sizeof transaction.seen);
    if (!read_delimiter(body, delimiter) || !take_until(&body, delimiter, strlen(delimiter), &before)) {
        fail(400, "InvalidInput");
        return;
    }
    while (take_until(&body, delimiter, strlen(delimiter), &part)) {
        if (take_until(&part, "\r\n\r\n", 4, &before)) {
            read_operation(part);
        }
    }
    if (transaction.count == 0) {
        fail(400, "InvalidInput");
    }
}

/* ---- answering ---- */

#define PART \
    "--changesetresponse_0\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 "

static void answer_failure(struct strbuf *body) {
    counts_now.refused_transactions++;
    strbuf_appendf(body,
                   PART "%d Refused\r\nDataServiceVersion: 3.0;\r\nContent-Type: application/json\r\n\r\n"
                        "{\"odata.error\":{\"code\":\"%s\",\"message\":{\"lang\":\"en-US\",\"value\":\"%zu:%s\"}}}\r\n",
                   transaction.failure.status, transaction.failure.code, transaction.count - 1,
                   transaction.failure.code);
}

static void apply(struct strbuf *body) {
    for (size_t i = 0; i < transaction.count; i++) {
        uint64_t version = operation_apply(&transaction.operations[i]);
        strbuf_append_string(body, PART "204 No Content\r\nDataServiceVersion: 3.0;\r\n");
        if (transaction.operations[i].kind == OPERATION_INSERT) {
            strbuf_append_string(body, "Preference-Applied: return-no-content\r\n");
        }
        if (version != 0) {
            strbuf_append_string(body, "ETag: ");
            operation_append_etag(body, version);
            strbuf_append_string(body, "\r\n");
        }
        strbuf_append_string(body, "\r\n\r\n");
    }
}

/* The product's row is written only by the holder of its lease. */
static void check_lease(void) {
    for (size_t i = 0; i < transaction.count; i++) {
        if (strcmp(transaction.operations[i].row_key, "product") == 0) {
            char path[ENTITY_KEY_BYTES + 32];
            snprintf(path, sizeof path, "/leases/lease-inventory-%s", transaction.operations[i].partition_key);
            counts_now.unleased_commits += !blobs_is_leased(path);
        }
    }
}

void transaction_serve(const struct http_request *request, struct http_answer *answer) {
    counts_now.transactions++;
    read_all(request->body);
    counts_now.transaction_operations += (int64_t)transaction.count;
    answer->status = 202;
    strbuf_append_string(&answer->headers, "Content-Type: multipart/mixed; boundary=batchresponse_0\r\n");
    strbuf_append_string(&answer->body, "--batchresponse_0\r\nContent-Type: multipart/mixed; "
                                        "boundary=changesetresponse_0\r\n\r\n");
    if (transaction.failure.status != 0) {
        answer_failure(&answer->body);
    } else {
        check_lease();
        apply(&answer->body);
    }
    strbuf_append_string(&answer->body, "--changesetresponse_0--\r\n--batchresponse_0--\r\n");
}
