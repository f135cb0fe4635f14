#include "functions/api_answer.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/log.h"
#include "base/utf8.h"

#define INTERNAL_ERROR_MESSAGE "An unexpected error occurred."

enum { FAILURE_TEXT_BYTES = 1024 };

/* Made in advance, for when there is no memory to make it. */
static const char internal_error_text[] =
    "{\"error\":{\"code\":\"InternalError\",\"message\":\"" INTERNAL_ERROR_MESSAGE "\"}}";

/* What callers are told about a status. Any status without a row is a bug of ours. */
static const struct failure {
    enum status status;
    int http_status;
    const char *code;
    const char *message;
} failures[] = {
    {STATUS_NOT_FOUND, 404, "ProductNotFound", "There is no product with this id."},
    {STATUS_KEY_REUSED, 422, "IdempotencyKeyReused",
     "This Idempotency-Key was used for another request."},
    {STATUS_LEASE_LOST, 409, "LeaseLost",
     "The lease was lost during the operation and nothing was committed. Please retry."},
    {STATUS_UNAVAILABLE, 503, "StorageUnavailable", "Storage could not be reached. Please retry."},
    {STATUS_UNAUTHORIZED, 503, "StorageUnavailable", "Storage could not be reached. Please retry."},
    {STATUS_CONTAINER_NOT_FOUND, 503, "StorageUnavailable",
     "Storage could not be reached. Please retry."},
    {STATUS_CANCELLED, 503, "StorageUnavailable", "This instance is shutting down. Please retry."},
};
static const struct failure internal_error = {STATUS_INTERNAL, 500, "InternalError",
                                              INTERNAL_ERROR_MESSAGE};

void api_answer_head(struct http_response *response, int http_status, int64_t version) {
    response->status = http_status;
    http_headers_add(&response->headers, "Content-Type", "application/json");
    if (version > 0) {
        http_headers_addf(&response->headers, "ETag", "\"%" PRId64 "\"", version);
    }
}

void api_answer_json(struct http_response *response, int http_status, cJSON *body,
                     int64_t version) {
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    if (text == NULL) {
        log_event(LOG_ERROR, "An answer could not be made: no memory, or too large");
    }
    api_answer_head(response, text == NULL ? 500 : http_status, text == NULL ? 0 : version);
    strbuf_append_string(&response->body, text == NULL ? internal_error_text : text);
    cJSON_free(text);
}

cJSON *api_answer_body(cJSON *body, bool complete) {
    if (complete) {
        return body;
    }
    cJSON_Delete(body);
    return NULL;
}

static void answer_error(struct http_response *response, int http_status, int64_t version,
                         const char *code, const char *format, va_list arguments) {
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    utf8_make_line(message);
    cJSON *body = cJSON_CreateObject();
    cJSON *error = cJSON_AddObjectToObject(body, "error");
    bool complete = cJSON_AddStringToObject(error, "code", code) != NULL &&
                    cJSON_AddStringToObject(error, "message", message) != NULL;
    api_answer_json(response, http_status, api_answer_body(body, complete), version);
}

void api_answer_error(struct http_response *response, int http_status, const char *code,
                      const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    answer_error(response, http_status, 0, code, format, arguments);
    va_end(arguments);
}

void api_answer_error_of(struct http_response *response, int http_status, int64_t version,
                         const char *code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    answer_error(response, http_status, version, code, format, arguments);
    va_end(arguments);
}

static const struct failure *failure_of(enum status status) {
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (failures[i].status == status) {
            return &failures[i];
        }
    }
    return &internal_error;
}

/* Writes all that is known about a failure, on one line. */
static void describe(char out[FAILURE_TEXT_BYTES], enum status status, const char *operation,
                     const char *product_id, const struct error *err) {
    snprintf(out, FAILURE_TEXT_BYTES, "%s%s%s: %s (%s%s%s%s%s)", operation,
             product_id == NULL ? "" : " ", product_id == NULL ? "" : product_id, err->message,
             status_name(status), err->code[0] == '\0' ? "" : ", ", err->code,
             err->request_id[0] == '\0' ? "" : ", request ", err->request_id);
}

static void answer_failure(struct http_response *response, const struct failure *failure,
                           const struct error *err, const char *description, const char *message) {
    bool is_callers_affair = failure->http_status == 404 || failure->http_status == 422;
    if (!is_callers_affair) {
        bool needs_operator =
            failure->http_status == 500 || failure->status == STATUS_CONTAINER_NOT_FOUND;
        log_event(needs_operator ? LOG_ERROR : LOG_WARNING, "%s", description);
    }
    if (failure->http_status == 503) {
        int seconds = err->retry_after_ms / 1000 + (err->retry_after_ms % 1000 > 0);
        http_headers_addf(&response->headers, "Retry-After", "%d", seconds > 1 ? seconds : 1);
    }
    api_answer_error(response, failure->http_status, failure->code, "%s", message);
}

void api_answer_failure(struct http_response *response, enum status status, const char *operation,
                        const char *product_id, const struct error *err) {
    const struct failure *failure = failure_of(status);
    char description[FAILURE_TEXT_BYTES];
    describe(description, status, operation, product_id, err);
    answer_failure(response, failure, err, description, failure->message);
}

void api_answer_failure_to_host(struct http_response *response, enum status status,
                                const char *operation, const struct error *err) {
    char description[FAILURE_TEXT_BYTES];
    describe(description, status, operation, NULL, err);
    answer_failure(response, failure_of(status), err, description, description);
}
