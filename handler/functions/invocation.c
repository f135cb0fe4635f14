#include "functions/invocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions/api_answer.h"

/*
 * A NUL in what a caller sent is \u0000 in the payload. json_parse refuses that, and the caller would be told that we
 * failed (500). As another control character it gets as far as the check that it fails when requests are proxied.
 */
static void replace_nul_escapes(char *text, size_t length) {
    static const char nul_escape[] = "\\u0000";
    char *end = text + length;
    for (char *at = text; (at = memchr(at, '\\', (size_t)(end - at))) != NULL && end - at > 6; at += 2) {
        if (memcmp(at, nul_escape, sizeof nul_escape - 1) == 0) {
            at[5] = '1';
        }
    }
}

static enum status parse_payload(const char *payload, size_t length, cJSON **out, struct error *err) {
    char *copy = malloc(length + 1);
    if (copy == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of payload", length);
    }
    if (length > 0) {
        memcpy(copy, payload, length);
    }
    replace_nul_escapes(copy, length);
    enum status status = json_parse(copy, length, out, err);
    free(copy);
    return status;
}

/* A header's value: the first of the array that the host sends, or a plain string. Names in any case; NULL: none. */
static const char *header_value(const cJSON *request, const char *name) {
    const cJSON *headers = cJSON_GetObjectItemCaseSensitive(request, "Headers");
    const cJSON *value = cJSON_GetObjectItem(headers, name);
    return cJSON_GetStringValue(cJSON_IsArray(value) ? cJSON_GetArrayItem(value, 0) : value);
}

static const char *or_empty(const char *text) {
    return text == NULL ? "" : text;
}

static enum status read_request(const cJSON *request, struct invocation *out, struct error *err) {
    out->method = json_string(request, "Method");
    if (out->method == NULL) {
        return error_set(err, STATUS_MALFORMED, "Data.req.Method is not there");
    }
    const cJSON *body = cJSON_GetObjectItemCaseSensitive(request, "Body");
    if (body != NULL && !cJSON_IsString(body) && !cJSON_IsNull(body)) {
        return error_set(err, STATUS_MALFORMED, "Data.req.Body is not a string");
    }
    out->product_id = or_empty(json_string(cJSON_GetObjectItemCaseSensitive(request, "Params"), "productId"));
    out->content_type = header_value(request, "Content-Type");
    out->idempotency_key = header_value(request, "Idempotency-Key");
    out->body = or_empty(cJSON_GetStringValue(body));
    return STATUS_OK;
}

enum status invocation_parse(const char *payload, size_t length, bool expects_request, struct invocation *out,
                             struct error *err) {
    struct invocation invocation = {.product_id = "", .body = ""};
    enum status status = parse_payload(payload, length, &invocation.root, err);
    if (status != STATUS_OK) {
        return status;
    }
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(invocation.root, "Data");
    if (!cJSON_IsObject(data)) {
        status = error_set(err, STATUS_MALFORMED, "the payload has no object Data");
    } else if (expects_request) {
        status = read_request(cJSON_GetObjectItemCaseSensitive(data, "req"), &invocation, err);
    }
    if (status != STATUS_OK) {
        cJSON_Delete(invocation.root);
        return status;
    }
    *out = invocation;
    return STATUS_OK;
}

void invocation_release(struct invocation *invocation) {
    cJSON_Delete(invocation->root);
    *invocation = (struct invocation){0};
}

static bool add_headers(cJSON *res, const struct http_headers *headers) {
    cJSON *object = cJSON_AddObjectToObject(res, "headers");
    bool complete = object != NULL;
    for (size_t i = 0; complete && i < headers->count; i++) {
        complete = cJSON_AddStringToObject(object, headers->items[i].name, headers->items[i].value) != NULL;
    }
    return complete;
}

void invocation_wrap_response(const struct http_response *answer, struct http_response *out) {
    char status_code[12];
    snprintf(status_code, sizeof status_code, "%d", answer->status);
    cJSON *body = cJSON_CreateObject();
    cJSON *res = cJSON_AddObjectToObject(cJSON_AddObjectToObject(body, "Outputs"), "res");
    bool complete = answer->headers.status == STATUS_OK && strbuf_status(&answer->body) == STATUS_OK &&
                    cJSON_AddStringToObject(res, "statusCode", status_code) != NULL &&
                    add_headers(res, &answer->headers) &&
                    cJSON_AddStringToObject(res, "body", answer->body.data) != NULL &&
                    cJSON_AddArrayToObject(body, "Logs") != NULL && cJSON_AddNullToObject(body, "ReturnValue") != NULL;
    api_answer_json(out, 200, api_answer_body(body, complete), 0);
}

/* Takes `item`. False: no memory, or it was NULL. */
static bool add_item(cJSON *object, const char *key, cJSON *item) {
    if (cJSON_AddItemToObject(object, key, item)) {
        return true;
    }
    cJSON_Delete(item);
    return false;
}

void invocation_wrap_return_value(cJSON *return_value, const char *log, struct http_response *out) {
    cJSON *body = cJSON_CreateObject();
    bool has_outputs = cJSON_AddObjectToObject(body, "Outputs") != NULL;
    bool has_logs = add_item(body, "Logs", cJSON_CreateStringArray(&log, 1));
    bool has_value = add_item(body, "ReturnValue", return_value);
    api_answer_json(out, 200, api_answer_body(body, has_outputs && has_logs && has_value), 0);
}
