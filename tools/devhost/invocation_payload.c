#include "devhost/invocation_payload.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/utc.h"
#include "base/utf8.h"

enum { QUERY_TEXT_BYTES = 64 * 1024 };

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

static int hex_digit(char c) {
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void percent_decode(struct strbuf *out, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%' && i + 2 < length && isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            strbuf_append_char(out, (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
            i += 2;
        } else {
            strbuf_append(out, text[i] == '+' ? " " : &text[i], 1);
        }
    }
}

/* What is no UTF-8 becomes U+FFFD here already: names that are the same then are one name. */
static void form_decode(struct strbuf *out, const char *text, size_t length) {
    struct strbuf bytes;
    strbuf_init(&bytes, QUERY_TEXT_BYTES);
    percent_decode(&bytes, text, length);
    for (size_t at = 0; at < bytes.length;) {
        uint32_t code_point;
        size_t taken = utf8_decode(bytes.data + at, bytes.length - at, &code_point);
        strbuf_append(out, taken > 0 ? bytes.data + at : "\xef\xbf\xbd", taken > 0 ? taken : 3);
        at += taken > 0 ? taken : 1;
    }
    strbuf_release(&bytes);
}

/* Decodes the pair that starts at `pair`; answers where the next one starts, NULL after the last. */
static const char *decode_pair(const char *pair, struct strbuf *name, struct strbuf *value) {
    size_t length = strcspn(pair, "&");
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - pair) : length;
    strbuf_clear(name);
    strbuf_clear(value);
    form_decode(name, pair, name_length);
    if (equals != NULL) {
        form_decode(value, equals + 1, length - name_length - 1);
    }
    return pair[length] == '&' ? pair + length + 1 : NULL;
}

/* All values of one name, joined by commas, as StringValues.ToString does. `from` is the name's first pair. */
static void collect_values(const char *from, const struct strbuf *name, struct strbuf *out) {
    struct strbuf other;
    struct strbuf value;
    strbuf_init(&other, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    bool first = true;
    for (const char *pair = from; pair != NULL;) {
        pair = decode_pair(pair, &other, &value);
        if (strcasecmp(other.data, name->data) == 0) {
            append_comma(out, &first);
            strbuf_append(out, value.data, value.length);
        }
    }
    strbuf_release(&other);
    strbuf_release(&value);
}

static bool occurs_before(const char *query, const char *pair, const struct strbuf *name) {
    struct strbuf other;
    struct strbuf value;
    strbuf_init(&other, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    bool found = false;
    while (!found && query != pair) {
        query = decode_pair(query, &other, &value);
        found = strcasecmp(other.data, name->data) == 0;
    }
    strbuf_release(&other);
    strbuf_release(&value);
    return found;
}

static void append_query(struct strbuf *out, const char *query) {
    struct strbuf name;
    struct strbuf value;
    strbuf_init(&name, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    bool first = true;
    strbuf_append_char(out, '{');
    for (const char *pair = query[0] != '\0' ? query : NULL; pair != NULL;) {
        const char *next = decode_pair(pair, &name, &value);
        if (name.length > 0 && !occurs_before(query, pair, &name)) {
            strbuf_clear(&value);
            collect_values(pair, &name, &value);
            append_comma(out, &first);
            append_json_string(out, name.data);
            strbuf_append_char(out, ':');
            append_json_text(out, value.data, value.length);
        }
        pair = next;
    }
    strbuf_append_char(out, '}');
    strbuf_release(&name);
    strbuf_release(&value);
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
    return type != NULL && (strncasecmp(type, "application/octet-stream", strlen("application/octet-stream")) == 0 ||
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

static void append_sys(struct strbuf *out, const struct host_function *function, const struct invocation_sys *sys) {
    char now[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(sys->now_ms, now);
    strbuf_append_string(out, "\"sys\":{\"MethodName\":");
    append_json_string(out, function->name);
    strbuf_appendf(out, ",\"UtcNow\":\"%s\",\"RandGuid\":\"%s\"}", now, sys->id);
}

static void append_url(struct strbuf *out, const struct http_request *request, const char *host) {
    struct strbuf url;
    strbuf_init(&url, QUERY_TEXT_BYTES);
    strbuf_appendf(&url, "http://%s%s%s%s", host, request->path, request->query[0] != '\0' ? "?" : "", request->query);
    append_json_text(out, url.data, url.length);
    strbuf_release(&url);
}

void invocation_payload_http(struct strbuf *out, const struct host_function *function,
                             const struct http_request *request, const char *host, const struct route_values *params,
                             const struct invocation_sys *sys) {
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
    strbuf_append_string(out,
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

/* .NET's DateTime.MinValue stands for a time that never was or will be. */
static void append_time(struct strbuf *out, const char *name, int64_t time_ms) {
    char text[UTC_TEXT_BYTES] = "0001-01-01T00:00:00";
    if (time_ms >= 0 && time_ms != INT64_MAX) {
        utc_format_iso8601_ms(time_ms, text);
    }
    strbuf_appendf(out, "\"%s\":\"%s\"", name, text);
}

void invocation_payload_timer(struct strbuf *out, const struct host_function *function, int64_t last_ms,
                              int64_t next_ms, const struct invocation_sys *sys) {
    strbuf_append_string(out, "{\"Data\":{");
    append_json_string(out, function->trigger_name);
    strbuf_append_string(out, ":{\"Schedule\":{\"AdjustForDST\":true},\"ScheduleStatus\":{");
    append_time(out, "Last", last_ms);
    strbuf_append_char(out, ',');
    append_time(out, "Next", next_ms);
    strbuf_append_char(out, ',');
    append_time(out, "LastUpdated", last_ms);
    strbuf_append_string(out, "},\"IsPastDue\":false}},\"Metadata\":{");
    append_sys(out, function, sys);
    strbuf_append_string(out, "}}");
}

/* Answers. The host reads member names in any case, and so does cJSON_GetObjectItem. */

enum status invocation_payload_parse(const char *text, size_t length, cJSON **out, struct error *err) {
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
    double value = cJSON_IsString(status) ? strtod(status->valuestring, NULL) : cJSON_GetNumberValue(status);
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

enum status invocation_payload_response(const cJSON *answer, const char *output_name, struct http_response *response,
                                        struct error *err) {
    const cJSON *output = cJSON_GetObjectItem(cJSON_GetObjectItem(answer, "Outputs"), output_name);
    if (!cJSON_IsObject(output)) {
        return error_set(err, STATUS_MALFORMED, "Outputs.%s is not an object", output_name);
    }
    if (!read_status(output, &response->status)) {
        return error_set(err, STATUS_MALFORMED, "Outputs.%s.statusCode is not one of 200 to 599", output_name);
    }
    const cJSON *header;
    cJSON_ArrayForEach(header, cJSON_GetObjectItem(output, "headers")) {
        if (cJSON_IsString(header)) {
            http_headers_add(&response->headers, header->string, header->valuestring);
        }
    }
    if (!add_body(cJSON_GetObjectItem(output, "body"), &response->body) || response->headers.status != STATUS_OK) {
        return error_set(err, STATUS_MALFORMED, "Outputs.%s cannot be sent as a response", output_name);
    }
    return STATUS_OK;
}
