#include "functions/invocation.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "functions/api_answer.h"

/* A header is an array, with one value for each line of that name, or a plain string. */
static struct http_header_value read_header(const cJSON *request, const char *name) {
    const cJSON *headers = cJSON_GetObjectItemCaseSensitive(request, "Headers");
    const cJSON *value = cJSON_GetObjectItem(headers, name);
    if (!cJSON_IsArray(value)) {
        return (struct http_header_value){.text = cJSON_GetStringValue(value)};
    }
    return (struct http_header_value){.text = cJSON_GetStringValue(cJSON_GetArrayItem(value, 0)),
                                      .is_repeated = cJSON_GetArraySize(value) > 1};
}

static const char *or_empty(const char *text) {
    return text == NULL ? "" : text;
}

/*
 * Returns the query of the caller's URL. The host also sends it decoded, as the object Query. But
 * there a value that was sent twice looks like one value with a comma in it.
 */
static const char *query_of(const cJSON *request) {
    const char *url = or_empty(json_string(request, "Url"));
    const char *mark = strchr(url, '?');
    return mark == NULL ? "" : mark + 1;
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
    out->params = cJSON_GetObjectItemCaseSensitive(request, "Params");
    out->content_type = read_header(request, "Content-Type");
    out->content_encoding = read_header(request, "Content-Encoding");
    out->idempotency_key = read_header(request, "Idempotency-Key");
    out->if_match = read_header(request, "If-Match");
    out->if_none_match = read_header(request, "If-None-Match");
    out->query = query_of(request);
    out->body = or_empty(cJSON_GetStringValue(body));
    out->lacks_body =
        out->body[0] == '\0' && read_header(request, "Transfer-Encoding").text != NULL;
    return STATUS_OK;
}

enum status invocation_parse(const char *payload, size_t length, bool expects_request,
                             struct invocation *out, struct error *err) {
    struct invocation invocation = {.body = "", .query = ""};
    enum status status = json_parse_sent(payload, length, false, &invocation.root, err);
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

const char *invocation_param(const struct invocation *invocation, const char *name) {
    return or_empty(json_string(invocation->params, name));
}

void invocation_cleanup(struct invocation *invocation) {
    cJSON_Delete(invocation->root);
    *invocation = (struct invocation){0};
}

static bool add_headers(cJSON *res, const struct http_headers *headers) {
    cJSON *object = cJSON_AddObjectToObject(res, "headers");
    bool complete = object != NULL;
    for (size_t i = 0; complete && i < headers->count; i++) {
        complete = cJSON_AddStringToObject(object, headers->items[i].name,
                                           headers->items[i].value) != NULL;
    }
    return complete;
}

/* Cuts off the end of the envelope, which `rest` has, and moves `rest` to `out`. */
static void move_rest(struct http_response *answer, struct http_response *out) {
    static const size_t end_bytes = sizeof INVOCATION_AFTER_BODY - 1;
    if (answer->rest == NULL || out->status != 200) {
        return;
    }
    struct strbuf *body = &out->body;
    assert(strcmp(body->data + body->length - end_bytes, INVOCATION_AFTER_BODY) == 0);
    body->length -= end_bytes;
    body->data[body->length] = '\0';
    out->rest = answer->rest;
    answer->rest = NULL;
}

void invocation_wrap_response(struct http_response *answer, struct http_response *out) {
    char status_code[12];
    snprintf(status_code, sizeof status_code, "%d", answer->status);
    cJSON *body = cJSON_CreateObject();
    cJSON *res = cJSON_AddObjectToObject(cJSON_AddObjectToObject(body, "Outputs"), "res");
    bool complete = answer->headers.status == STATUS_OK &&
                    strbuf_status(&answer->body) == STATUS_OK &&
                    cJSON_AddStringToObject(res, "statusCode", status_code) != NULL &&
                    add_headers(res, &answer->headers) &&
                    cJSON_AddStringToObject(res, "body", answer->body.data) != NULL &&
                    cJSON_AddArrayToObject(body, "Logs") != NULL &&
                    cJSON_AddNullToObject(body, "ReturnValue") != NULL;
    api_answer_json(out, 200, api_answer_body(body, complete), 0);
    move_rest(answer, out);
}

/* Takes `item`. Returns false without memory, or if `item` is NULL for want of it. */
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
