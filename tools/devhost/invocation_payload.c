#include "devhost/invocation_payload.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/utc.h"
#include "base/utf8.h"
#include "devhost/caller_query.h"

enum { URL_TEXT_BYTES = 80 * 1024 };

/* JSON text */

static void append_json_char(struct strbuf *out, unsigned char c) {
    if (c == '"' || c == '\\') {
        strbuf_append_char(out, '\\');
        strbuf_append_char(out, (char)c);
    } else if (c < 0x20 || c == 0x7f) {
        strbuf_appendf(out, "\\u%04x", c);
    } else {
        strbuf_append_char(out, (char)c);
    }
}

static void append_json_text(struct strbuf *out, const char *text, size_t length) {
    strbuf_append_char(out, '"');
    for (size_t at = 0; at < length;) {
        uint32_t code_point;
        size_t taken = utf8_decode(text + at, length - at, &code_point);
        if (taken == 1) {
            append_json_char(out, (unsigned char)text[at]);
        } else if (taken > 1) {
            strbuf_append(out, text + at, taken);
        } else {
            strbuf_append_string(out, "\xef\xbf\xbd");
            taken = 1;
        }
        at += taken;
    }
    strbuf_append_char(out, '"');
}

static void append_json_string(struct strbuf *out, const char *text) {
    append_json_text(out, text, strlen(text));
}

static void append_comma(struct strbuf *out, bool *first) {
    if (!*first) {
        strbuf_append_char(out, ',');
    }
    *first = false;
}

/* The query */

struct query_writer {
    struct strbuf *out;
    bool first;
};

static void append_query_member(void *context, const struct strbuf *name,
                                const struct strbuf *value) {
    struct query_writer *writer = context;
    append_comma(writer->out, &writer->first);
    append_json_string(writer->out, name->data);
    strbuf_append_char(writer->out, ':');
    append_json_text(writer->out, value->data, value->length);
}

static void append_query(struct strbuf *out, const char *query) {
    struct query_writer writer = {out, true};
    strbuf_append_char(out, '{');
    caller_query_visit(query, append_query_member, &writer);
    strbuf_append_char(out, '}');
}

/* The request */

static bool is_repeated_header(const struct http_headers *headers, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcasecmp(headers->items[i].name, headers->items[index].name) == 0) {
            return true;
        }
    }
    return false;
}

static void append_headers(struct strbuf *out, const struct http_headers *headers) {
    bool first = true;
    strbuf_append_char(out, '{');
    for (size_t i = 0; i < headers->count; i++) {
        if (is_repeated_header(headers, i)) {
            continue;
        }
        append_comma(out, &first);
        append_json_string(out, headers->items[i].name);
        strbuf_append_string(out, ":[");
        bool first_value = true;
        for (size_t j = i; j < headers->count; j++) {
            if (strcasecmp(headers->items[j].name, headers->items[i].name) == 0) {
                append_comma(out, &first_value);
                append_json_string(out, headers->items[j].value);
            }
        }
        strbuf_append_char(out, ']');
    }
    strbuf_append_char(out, '}');
}

static void append_params(struct strbuf *out, const struct route_values *params, bool *first) {
    for (size_t i = 0; i < params->count; i++) {
        append_comma(out, first);
        append_json_string(out, params->items[i].name);
        strbuf_append_char(out, ':');
        append_json_string(out, params->items[i].value);
    }
}

static bool is_binary(const struct http_headers *headers) {
    const char *type = http_headers_get(headers, "Content-Type");
    return type != NULL && (strncasecmp(type, "application/octet-stream",
                                        strlen("application/octet-stream")) == 0 ||
                            strncasecmp(type, "multipart/", strlen("multipart/")) == 0);
}

/* The host reads a text as a stream, which takes a byte order mark at its start away. */
static size_t byte_order_mark_bytes(const struct http_request *request) {
    static const char mark[] = "\xEF\xBB\xBF";
    size_t length = sizeof mark - 1;
    return request->body_length >= length && memcmp(request->body, mark, length) == 0 ? length : 0;
}

static void append_body(struct strbuf *out, const struct http_request *request) {
    if (request->body_length == 0) {
        return;
    }
    strbuf_append_string(out, ",\"Body\":");
    if (is_binary(request->headers)) {
        strbuf_append_char(out, '"');
        crypto_base64_encode(request->body, request->body_length, out);
        strbuf_append_char(out, '"');
    } else {
        size_t mark = byte_order_mark_bytes(request);
        append_json_text(out, request->body + mark, request->body_length - mark);
    }
}

static void append_sys(struct strbuf *out, const struct host_function *function,
                       const struct invocation_sys *sys) {
    char now[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(sys->now_ms, now);
    strbuf_append_string(out, "\"sys\":{\"MethodName\":");
    append_json_string(out, function->name);
    strbuf_appendf(out, ",\"UtcNow\":\"%s\",\"RandGuid\":\"%s\"}", now, sys->id);
}

static void append_url(struct strbuf *out, const struct http_request *request, const char *host) {
    struct strbuf url;
    strbuf_init(&url, URL_TEXT_BYTES);
    strbuf_appendf(&url, "http://%s%s%s%s", host, request->path,
                   request->query[0] != '\0' ? "?" : "", request->query);
    append_json_text(out, url.data, url.length);
    strbuf_cleanup(&url);
}

void invocation_payload_http(struct strbuf *out, const struct host_function *function,
                             const struct http_request *request, const char *host,
                             const struct route_values *params, const struct invocation_sys *sys) {
    bool first = true;
    strbuf_append_string(out, "{\"Data\":{");
    append_json_string(out, function->trigger_name);
    strbuf_append_string(out, ":{\"Url\":");
    append_url(out, request, host);
    strbuf_append_string(out, ",\"Method\":");
    append_json_string(out, request->method);
    strbuf_append_string(out, ",\"Query\":");
    append_query(out, request->query);
    strbuf_append_string(out, ",\"Headers\":");
    append_headers(out, request->headers);
    strbuf_append_string(out, ",\"Params\":{");
    append_params(out, params, &first);
    strbuf_append_string(
        out,
        "},\"Identities\":[{\"AuthenticationType\":null,\"IsAuthenticated\":false,\"Claims\":[]}]");
    append_body(out, request);
    strbuf_append_string(out, "}},\"Metadata\":{");
    first = true;
    append_params(out, params, &first);
    append_comma(out, &first);
    append_sys(out, function, sys);
    strbuf_append_string(out, "}}");
}

/* Timers */

/*
 * As Json.NET writes a DateTime of local time: 2025-01-19T15:45:30.123+01:00, without a fraction
 * that is zero.
 */
static void append_time(struct strbuf *out, const char *name, int64_t time_ms) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm local;
    strbuf_appendf(out, "\"%s\":\"", name);
    if (time_ms < 0 || time_ms == INT64_MAX || localtime_r(&seconds, &local) == NULL) {
        strbuf_append_string(out, "0001-01-01T00:00:00+00:00\"");
        return;
    }
    char text[sizeof "2025-01-19T14:45:30"];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
    strbuf_append_string(out, text);
    if (time_ms % 1000 != 0) {
        strbuf_appendf(out, ".%03d", (int)(time_ms % 1000));
    }
    long minutes = labs(local.tm_gmtoff) / 60;
    strbuf_appendf(out, "%c%02ld:%02ld\"", local.tm_gmtoff < 0 ? '-' : '+', minutes / 60,
                   minutes % 60);
}

static void append_status(struct strbuf *out, const struct timer_status *status) {
    strbuf_append_char(out, '{');
    append_time(out, "Last", status->last_ms);
    strbuf_append_char(out, ',');
    append_time(out, "Next", status->next_ms);
    strbuf_append_char(out, ',');
    append_time(out, "LastUpdated", status->updated_ms);
    strbuf_append_char(out, '}');
}

void invocation_payload_timer(struct strbuf *out, const struct host_function *function,
                              const struct timer_status *status, bool is_past_due,
                              const struct invocation_sys *sys) {
    const struct schedule *schedule = &function->schedule;
    strbuf_append_string(out, "{\"Data\":{");
    append_json_string(out, function->trigger_name);
    strbuf_appendf(out, ":{\"Schedule\":{\"AdjustForDST\":%s},\"ScheduleStatus\":",
                   schedule->interval_ms == 0 ? "true" : "false");
    if (schedule->is_monitored) {
        append_status(out, status);
    } else {
        strbuf_append_string(out, "null");
    }
    strbuf_appendf(out, ",\"IsPastDue\":%s}},\"Metadata\":{", is_past_due ? "true" : "false");
    append_sys(out, function, sys);
    strbuf_append_string(out, "}}");
}

/* Answers. The host reads member names in any case, and so does cJSON_GetObjectItem. */

enum status invocation_payload_parse(const char *text, size_t length, cJSON **out,
                                     struct error *err) {
    cJSON *answer = NULL;
    enum status status = json_parse(text, length, &answer, err);
    if (status == STATUS_OK && !cJSON_IsObject(answer)) {
        cJSON_Delete(answer);
        status = error_set(err, STATUS_MALFORMED, "it is not a JSON object");
    }
    if (status == STATUS_OK) {
        *out = answer;
    }
    return status;
}

const char *invocation_payload_log(const cJSON *answer, int index) {
    return cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "Logs"), index));
}

const cJSON *invocation_payload_return_value(const cJSON *answer) {
    const cJSON *value = cJSON_GetObjectItem(answer, "ReturnValue");
    return cJSON_IsNull(value) ? NULL : value;
}

static bool read_status(const cJSON *output, int *out) {
    const cJSON *status = cJSON_GetObjectItem(output, "statusCode");
    if (status == NULL) {
        status = cJSON_GetObjectItem(output, "status");
    }
    if (status == NULL || cJSON_IsNull(status)) {
        *out = 200;
        return true;
    }
    double value =
        cJSON_IsString(status) ? strtod(status->valuestring, NULL) : cJSON_GetNumberValue(status);
    if (!(value >= 200 && value <= 599)) {
        return false;
    }
    *out = (int)value;
    return true;
}

static bool add_body(const cJSON *body, struct strbuf *out) {
    if (cJSON_IsString(body)) {
        strbuf_append_string(out, body->valuestring);
    } else if (body != NULL && !cJSON_IsNull(body)) {
        char *text = cJSON_PrintUnformatted(body);
        if (text == NULL) {
            return false;
        }
        strbuf_append_string(out, text);
        cJSON_free(text);
    }
    return strbuf_status(out) == STATUS_OK;
}

enum status invocation_payload_response(const cJSON *answer, const char *output_name,
                                        struct http_response *response, struct error *err) {
    const cJSON *output = cJSON_GetObjectItem(cJSON_GetObjectItem(answer, "Outputs"), output_name);
    if (!cJSON_IsObject(output)) {
        return error_set(err, STATUS_MALFORMED, "Outputs.%s is not an object", output_name);
    }
    if (!read_status(output, &response->status)) {
        return error_set(err, STATUS_MALFORMED, "Outputs.%s.statusCode is not one of 200 to 599",
                         output_name);
    }
    const cJSON *header;
    cJSON_ArrayForEach(header, cJSON_GetObjectItem(output, "headers")) {
        if (cJSON_IsString(header)) {
            http_headers_add(&response->headers, header->string, header->valuestring);
        }
    }
    if (!add_body(cJSON_GetObjectItem(output, "body"), &response->body) ||
        response->headers.status != STATUS_OK) {
        return error_set(err, STATUS_MALFORMED, "Outputs.%s cannot be sent as a response",
                         output_name);
    }
    return STATUS_OK;
}
