#include "support/checks/fidelity_compare.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utc.h"

enum { VALUE_BYTES = 1024, LINE_BYTES = 256 };

#define PART "\r\nHTTP/1.1 "

/* ---- codes ---- */

/* Copies what stands between `begin` and `end`. */
static bool copy_between(const char *text, const char *begin, const char *end, char *out,
                         size_t size) {
    const char *from = strstr(text, begin);
    const char *to = from == NULL ? NULL : strstr(from + strlen(begin), end);
    if (to == NULL) {
        return false;
    }
    snprintf(out, size, "%.*s", (int)(to - from - (ptrdiff_t)strlen(begin)), from + strlen(begin));
    return true;
}

static void code_of_json(const char *text, char out[FIDELITY_CODE_BYTES]) {
    if (!copy_between(text, "\"code\":\"", "\"", out, FIDELITY_CODE_BYTES)) {
        out[0] = '\0';
    }
}

void fidelity_compare_code(const struct raw_response *answer, char out[FIDELITY_CODE_BYTES]) {
    raw_response_header(answer, "x-ms-error-code", out, FIDELITY_CODE_BYTES);
    if (out[0] != '\0' || answer->status < 400 ||
        copy_between(answer->body, "<Code>", "</Code>", out, FIDELITY_CODE_BYTES)) {
        return;
    }
    code_of_json(answer->body, out);
}

/* ---- headers ---- */

static void describe_header(const struct raw_response *answer, const char *name,
                            struct strbuf *out) {
    char value[VALUE_BYTES];
    raw_response_header(answer, name, value, sizeof value);
    if (value[0] != '\0') {
        strbuf_appendf(out, "%s: %s\n", name, value);
    }
}

/* Of a header whose value is the service's own. */
static void describe_presence(const struct raw_response *answer, const char *name,
                              struct strbuf *out) {
    char value[VALUE_BYTES];
    raw_response_header(answer, name, value, sizeof value);
    strbuf_appendf(out, "%s: %s\n", name, value[0] != '\0' ? "(there)" : "(missing)");
}

/* It is approximate, but for whether there is any left. */
static void describe_time_left(const struct raw_response *answer, struct strbuf *out) {
    char value[VALUE_BYTES];
    raw_response_header(answer, "x-ms-lease-time", value, sizeof value);
    strbuf_appendf(out, "x-ms-lease-time: %s\n",
                   value[0] == '\0' || strcmp(value, "0") == 0 ? value : "(some)");
}

static int compare_lines(const void *left, const void *right) {
    return strcmp(left, right);
}

/* All x-ms-meta- headers, sorted: storage may answer them in any order, and names in any case. */
static void describe_metadata(const struct raw_response *answer, struct strbuf *out) {
    static char lines[32][LINE_BYTES];
    size_t count = 0;
    for (const char *line = strstr(answer->head, "\r\n"); line != NULL && count < 32;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, "x-ms-meta-", strlen("x-ms-meta-")) == 0) {
            snprintf(lines[count++], LINE_BYTES, "%.*s", (int)strcspn(line, "\r"), line);
        }
    }
    qsort(lines, count, LINE_BYTES, compare_lines);
    for (size_t i = 0; i < count; i++) {
        strbuf_appendf(out, "%s\n", lines[i]);
    }
}

static void describe_headers(const struct raw_response *answer, struct strbuf *out) {
    static const char *const same[] = {"x-ms-lease-id", "x-ms-lease-state", "x-ms-lease-status",
                                       "x-ms-lease-duration"};
    static const char *const there[] = {"x-ms-request-id", "Date",
                                        "x-ms-continuation-NextPartitionKey",
                                        "x-ms-continuation-NextRowKey"};
    char date[UTC_TEXT_BYTES];
    int64_t ms;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        describe_header(answer, same[i], out);
    }
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
        describe_presence(answer, there[i], out);
    }
    if (answer->status < 400) {
        describe_presence(answer, "ETag", out);
    }
    describe_time_left(answer, out);
    raw_response_header(answer, "Date", date, sizeof date);
    strbuf_appendf(out, "Date can be read: %d\n", utc_parse_http(date, &ms));
    describe_metadata(answer, out);
}

/* ---- bodies ---- */

static int compare_items(const void *left, const void *right) {
    const cJSON *const *first = left, *const *second = right;
    return strcmp((*first)->string, (*second)->string);
}

/* The properties in order of their names, without what the service adds of its own. */
static void describe_entity(const cJSON *entity, struct strbuf *out) {
    const cJSON *items[512] = {NULL}, *item;
    size_t count = 0;
    cJSON_ArrayForEach(item, entity) {
        if (strncmp(item->string, "odata.", 6) != 0 && strncmp(item->string, "Timestamp", 9) != 0 &&
            count < 512) {
            items[count++] = item;
        }
    }
    qsort(items, count, sizeof items[0], compare_items);
    for (size_t i = 0; i < count; i++) {
        char *value = cJSON_PrintUnformatted(items[i]);
        strbuf_appendf(out, "%s=%s ", items[i]->string, value);
        cJSON_free(value);
    }
    strbuf_appendf(out, "etag: %s\n", cJSON_HasObjectItem(entity, "odata.etag") ? "yes" : "no");
}

static void describe_json(const char *body, size_t length, struct strbuf *out) {
    cJSON *root = NULL;
    if (json_parse(body, length, &root, NULL) != STATUS_OK) {
        strbuf_appendf(out, "not JSON: %s\n", body);
        return;
    }
    const cJSON *entities = cJSON_GetObjectItemCaseSensitive(root, "value"), *entity;
    if (cJSON_IsArray(entities)) {
        cJSON_ArrayForEach(entity, entities) {
            describe_entity(entity, out);
        }
    } else {
        describe_entity(root, out);
    }
    cJSON_Delete(root);
}

/* Name, lease and metadata of each blob. */
static void describe_list(const char *body, struct strbuf *out) {
    static const char *const tags[] = {"Name", "LeaseStatus", "LeaseState", "LeaseDuration",
                                       "Metadata"};
    for (const char *blob = strstr(body, "<Blob>"); blob != NULL;
         blob = strstr(blob + 1, "<Blob>")) {
        const char *end = strstr(blob, "</Blob>");
        char *text = end == NULL ? NULL : strndup(blob, (size_t)(end - blob));
        ck_assert_ptr_nonnull(text);
        for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
            char begin[32], stop[32], value[VALUE_BYTES] = "";
            snprintf(begin, sizeof begin, "<%s>", tags[i]);
            snprintf(stop, sizeof stop, "</%s>", tags[i]);
            copy_between(text, begin, stop, value, sizeof value);
            strbuf_appendf(out, "%s=%s ", tags[i], value);
        }
        strbuf_append_char(out, '\n');
        free(text);
    }
    char marker[VALUE_BYTES] = "";
    copy_between(body, "<NextMarker>", "</NextMarker>", marker, sizeof marker);
    strbuf_appendf(out, "more: %s\n", marker[0] != '\0' ? "yes" : "no");
}

/* Status, code and the index that the message begins with, of each part. */
static void describe_parts(const char *body, struct strbuf *out) {
    for (const char *part = strstr(body, PART); part != NULL;) {
        const char *next = strstr(part + 1, PART);
        char *text = next == NULL ? strdup(part) : strndup(part, (size_t)(next - part));
        char code[FIDELITY_CODE_BYTES], message[VALUE_BYTES] = "";
        ck_assert_ptr_nonnull(text);
        code_of_json(text, code);
        copy_between(text, "\"value\":\"", "\"", message, sizeof message);
        int index = message[0] >= '0' && message[0] <= '9' ? (int)strtol(message, NULL, 10) : -1;
        strbuf_appendf(out, "part: %.3s %s", text + strlen(PART), code);
        strbuf_appendf(out, " at %d, etag: %s\n", index,
                       strstr(text, "\r\nETag: ") != NULL ? "yes" : "no");
        free(text);
        part = next;
    }
}

void fidelity_compare_part_etag(const struct raw_response *answer, size_t index,
                                char out[FIDELITY_ETAG_BYTES]) {
    const char *part = strstr(answer->body, PART);
    for (size_t i = 0; i < index && part != NULL; i++) {
        part = strstr(part + 1, PART);
    }
    const char *next = part == NULL ? NULL : strstr(part + 1, PART);
    const char *etag = part == NULL ? NULL : strstr(part, "\r\nETag: ");
    out[0] = '\0';
    if (etag != NULL && (next == NULL || etag < next)) {
        copy_between(etag, "\r\nETag: ", "\r\n", out, FIDELITY_ETAG_BYTES);
    }
}

static void describe_body(const struct fidelity_request *request, const struct raw_response *answer,
                          struct strbuf *out) {
    const char *component = http_headers_get(&request->query, "comp");
    if (request->service == SIMULATED_BLOB_SERVICE) {
        if (component != NULL && strcmp(component, "list") == 0) {
            describe_list(answer->body, out);
        }
    } else if (strcmp(request->path.data, "/$batch") == 0) {
        describe_parts(answer->body, out);
    } else if (answer->body_length > 0 && strcmp(request->path.data, "/Tables") != 0) {
        describe_json(answer->body, answer->body_length, out);
    }
}

void fidelity_compare_describe(const struct fidelity_request *request,
                               const struct raw_response *answer, struct strbuf *out) {
    char code[FIDELITY_CODE_BYTES];
    fidelity_compare_code(answer, code);
    strbuf_appendf(out, "%d %s\n", answer->status, code);
    describe_headers(answer, out);
    if (answer->status < 400) {
        describe_body(request, answer, out);
    }
}
