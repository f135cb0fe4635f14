#include "storage/storage_error.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clean_text.h"
#include "base/json.h"
#include "http/http_client.h"
#include "http/retry_policy.h"

enum { MESSAGE_BYTES = 256, SHOWN_HEADER_BYTES = 64 };

static bool begins_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *text, const char *suffix) {
    size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

/* Returns the status of a 409. */
static enum status conflict_status(const char *code) {
    if (strcmp(code, "LeaseAlreadyPresent") == 0 ||
        strcmp(code, "LeaseIsBreakingAndCannotBeAcquired") == 0) {
        return STATUS_LEASE_CONFLICT;
    }
    if (begins_with(code, "Lease")) {
        return STATUS_LEASE_LOST;
    }
    if (ends_with(code, "AlreadyExists")) {
        return STATUS_ALREADY_EXISTS;
    }
    if (ends_with(code, "BeingDeleted")) {
        return STATUS_UNAVAILABLE;
    }
    return strcmp(code, "UpdateConditionNotSatisfied") == 0 ? STATUS_PRECONDITION_FAILED
                                                            : STATUS_INTERNAL;
}

/* Returns the status of a 404. */
static enum status not_found_status(const char *code) {
    if (strcmp(code, "ContainerNotFound") == 0 || strcmp(code, "TableNotFound") == 0) {
        return STATUS_CONTAINER_NOT_FOUND;
    }
    bool is_known = strcmp(code, "BlobNotFound") == 0 || strcmp(code, "ResourceNotFound") == 0 ||
                    strcmp(code, "EntityNotFound") == 0;
    return is_known ? STATUS_NOT_FOUND : STATUS_INTERNAL;
}

enum status storage_error_status(int http_status, const char *code) {
    if (retry_policy_is_transient(http_status)) {
        return STATUS_UNAVAILABLE;
    }
    switch (http_status) {
    case 401:
    case 403:
        return STATUS_UNAUTHORIZED;
    case 404:
        return not_found_status(code);
    case 409:
        return conflict_status(code);
    case 412:
        return begins_with(code, "Lease") ? STATUS_LEASE_LOST : STATUS_PRECONDITION_FAILED;
    default:
        return STATUS_INTERNAL;
    }
}

/* Copies an error code if it is letters and digits alone. Any other text is not storage's. */
static void copy_code(const char *text, size_t length, char *out, size_t size) {
    size_t letters = 0;
    while (letters < length && isalnum((unsigned char)text[letters])) {
        letters++;
    }
    if (letters == length && length < size) {
        memcpy(out, text, length);
        out[length] = '\0';
    }
}

typedef void (*text_copy)(const char *text, size_t length, char *out, size_t size);

static void read_xml_element(const char *body, const char *begin, const char *end, text_copy copy,
                             char *out, size_t size) {
    const char *value = strstr(body, begin);
    if (value == NULL) {
        return;
    }
    value += strlen(begin);
    const char *stop = strstr(value, end);
    if (stop != NULL) {
        copy(value, (size_t)(stop - value), out, size);
    }
}

void storage_error_read_json(const char *json, size_t length, char *code, size_t code_size,
                             char *message, size_t message_size) {
    cJSON *root;
    if (json_parse(json, length, &root, NULL) != STATUS_OK) {
        return;
    }
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "odata.error");
    const char *text = json_string(error, "code");
    if (text != NULL) {
        copy_code(text, strlen(text), code, code_size);
    }
    text = json_string(cJSON_GetObjectItemCaseSensitive(error, "message"), "value");
    if (text != NULL) {
        clean_text_copy(text, strlen(text), message, message_size);
    }
    cJSON_Delete(root);
}

/*
 * Reads an error's code and message. The Blob service writes them in XML, the Table service in
 * JSON. A code in x-ms-error-code goes first. Only the first line of a message is kept: the next
 * ones repeat the request id and the time, which are in the headers.
 */
static void read_code_and_message(const struct http_reply *reply, char *code, size_t code_size,
                                  char *message, size_t message_size) {
    const char *body = reply->body.data;
    if (body[strspn(body, " \t\r\n")] == '{') {
        storage_error_read_json(body, reply->body.length, code, code_size, message, message_size);
    } else {
        read_xml_element(body, "<Code>", "</Code>", copy_code, code, code_size);
        read_xml_element(body, "<Message>", "</Message>", clean_text_copy, message, message_size);
    }
    const char *header = http_headers_get(&reply->headers, "x-ms-error-code");
    if (header != NULL) {
        copy_code(header, strlen(header), code, code_size);
    }
}

static const char *header_or_empty(const struct http_reply *reply, const char *name) {
    const char *value = http_headers_get(&reply->headers, name);
    return value != NULL ? value : "";
}

/*
 * Returns why an answer cannot be storage's; NULL: it is storage's. `code` is its error code, "" if
 * it has none.
 */
static const char *foreign_because(const struct http_reply *reply,
                                   const struct storage_success *success, const char *code) {
    if (*header_or_empty(reply, "x-ms-request-id") == '\0') {
        return "without x-ms-request-id";
    }
    if (reply->status == success->http_status) {
        const char *lease_id = header_or_empty(reply, "x-ms-lease-id");
        bool is_ours = *success->lease_id == '\0' || strcasecmp(lease_id, success->lease_id) == 0;
        return is_ours ? NULL : "without our lease in x-ms-lease-id";
    }
    if (reply->status < 400) {
        return "which storage does not answer to this request";
    }
    return *code == '\0' ? "without an error code" : NULL;
}

/*
 * Returns the service that an answer's Server header names, if it is not the expected one;
 * otherwise NULL. Such a header is "Windows-Azure-Table/1.0 Microsoft-HTTPAPI/2.0" or
 * "Azurite-Table/3.35.0".
 */
static const char *other_service(const struct http_reply *reply,
                                 const struct storage_success *success) {
    static const char *const services[] = {"Blob", "Table", "Queue", "File"};
    const char *server = header_or_empty(reply, "Server"), *name = "";
    const char *azure = strstr(server, "-Azure-");
    if (azure != NULL) {
        name = azure + strlen("-Azure-");
    } else if (begins_with(server, "Azurite-")) {
        name = server + strlen("Azurite-");
    }
    for (size_t i = 0; i < sizeof services / sizeof services[0] && success->service != NULL; i++) {
        if (begins_with(name, services[i]) && strcmp(services[i], success->service) != 0) {
            return services[i];
        }
    }
    return NULL;
}

static void copy_header(const struct http_reply *reply, const char *name, char *out, size_t size) {
    const char *value = header_or_empty(reply, name);
    clean_text_copy(value, strlen(value), out, size);
}

/* Reports an answer that is not storage's. */
static enum status set_foreign_error(const struct http_reply *reply, const char *what,
                                     const char *because, struct error *err) {
    char type[SHOWN_HEADER_BYTES], server[SHOWN_HEADER_BYTES];
    copy_header(reply, "Content-Type", type, sizeof type);
    copy_header(reply, "Server", server, sizeof server);
    return error_set(err, STATUS_UNAVAILABLE, "%s: answered, but not by storage: %d%s%s%s%s, %s",
                     what, reply->status, *type ? ", Content-Type " : "", type,
                     *server ? ", Server " : "", server, because);
}

bool storage_error_is_success(const struct http_reply *reply,
                              const struct storage_success *success) {
    return reply->status == success->http_status && foreign_because(reply, success, "") == NULL &&
           other_service(reply, success) == NULL;
}

enum status storage_error_read(const struct http_reply *reply,
                               const struct storage_success *success, const char *what,
                               int64_t wall_ms, struct error *err) {
    if (storage_error_is_success(reply, success)) {
        return STATUS_OK;
    }
    char code[sizeof err->code] = "", message[MESSAGE_BYTES] = "";
    if (reply->status >= 400) {
        read_code_and_message(reply, code, sizeof code, message, sizeof message);
    }
    const char *because = foreign_because(reply, success, code),
               *other = other_service(reply, success);
    enum status status;
    if (other != NULL) {
        status = error_set(err, STATUS_UNAVAILABLE,
                           "%s: the %s service answered (%d), not the %s service: the addresses of "
                           "blobs and tables may be swapped",
                           what, other, reply->status, success->service);
    } else if (because != NULL) {
        status = set_foreign_error(reply, what, because, err);
    } else {
        status = storage_error_status(reply->status, code);
        error_set(err, status, "%s: %d %s%s%s", what, reply->status, code, *message ? ": " : "",
                  message);
        err->http_status = reply->status;
        snprintf(err->code, sizeof err->code, "%s", code);
        copy_header(reply, "x-ms-request-id", err->request_id, sizeof err->request_id);
    }
    err->retry_after_ms = retry_policy_parse_retry_after_ms(
        http_headers_get(&reply->headers, "Retry-After"), wall_ms);
    return status;
}
