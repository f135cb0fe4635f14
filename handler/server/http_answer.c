#include "server/http_answer.h"

#include <strings.h>

#include "base/log.h"
#include "base/temp_file.h"

enum { ERROR_BODY_BYTES = 1024 };

static const struct refusal {
    int status;
    const char *code;
    const char *message;
} refusals[] = {
    [HTTP_REFUSAL_UNREADABLE] = {400, "BadRequest", "The request could not be understood."},
    [HTTP_REFUSAL_AMBIGUOUS] = {400, "BadRequest", "The request can be read in more than one way."},
    [HTTP_REFUSAL_BODY] = {400, "BadRequest", "The request's body could not be read."},
    [HTTP_REFUSAL_SLOW] = {408, "RequestTimeout", "The request took too long to arrive."},
    [HTTP_REFUSAL_LONG_URL] = {414, "UriTooLong", "The request's URL is too long."},
    [HTTP_REFUSAL_LARGE_HEAD] = {431, "RequestHeadersTooLarge",
                                 "The request has too many headers, or too large ones."},
    [HTTP_REFUSAL_OWN_FAULT] =
        {500, "InternalError",
         "The server encountered an internal error. Please retry the request."},
    [HTTP_REFUSAL_BUSY] = {503, "TooManyRequests", "The server is busy. Please retry the request."},
    [HTTP_REFUSAL_NO_MEMORY] = {503, "TooManyRequests",
                                "The server is out of memory. Please retry the request."},
    [HTTP_REFUSAL_STOPPING] = {503, "Stopping",
                               "The server is stopping. Please retry the request."},
    [HTTP_REFUSAL_VERSION] = {505, "HttpVersionNotSupported",
                              "Only HTTP/1.0 and HTTP/1.1 are supported."},
};

void http_answer_refuse(struct http_response *response, enum http_refusal refusal) {
    const struct refusal *said = &refusals[refusal];
    http_response_cleanup(response);
    http_response_init(response, ERROR_BODY_BYTES);
    response->status = said->status;
    http_headers_add(&response->headers, "Content-Type", "application/json");
    if (said->status == 503) {
        http_headers_add(&response->headers, "Retry-After", "1");
    }
    strbuf_appendf(&response->body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", said->code,
                   said->message);
}

bool http_answer_is_sendable(const struct http_response *response) {
    if (strbuf_status(&response->body) == STATUS_OK && response->headers.status == STATUS_OK &&
        response->status >= 200 && response->status <= 599) {
        return true;
    }
    log_event(LOG_ERROR, "An answer could not be built (status %d, body %s, headers %s)",
              response->status, status_name(strbuf_status(&response->body)),
              status_name(response->headers.status));
    return false;
}

/* The reason phrases of the statuses that are answered here. Source: RFC 9110. */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(const struct http_response *response) {
    if (response->reason[0] != '\0') {
        return response->reason;
    }
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == response->status) {
            return reasons[i].reason;
        }
    }
    return "";
}

/* Returns true for a header that frames a message, which the server alone writes. */
static bool is_framing_header(const char *name) {
    return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0 ||
           strcasecmp(name, "Connection") == 0;
}

static bool is_bodiless(const struct http_response *response) {
    return response->status == 204 || response->status == 304;
}

bool http_answer_has_body(const struct http_response *response, bool is_head) {
    return !is_head && !is_bodiless(response);
}

static void append_line(struct strbuf *out, const char *name, const char *value) {
    strbuf_append_string(out, name);
    strbuf_append(out, ": ", 2);
    strbuf_append_string(out, value);
    strbuf_append(out, "\r\n", 2);
}

void http_answer_append_head(struct strbuf *out, const struct http_response *response,
                             const char *date, bool close) {
    strbuf_append_string(out, "HTTP/1.1 ");
    strbuf_append_int64(out, response->status);
    strbuf_append_char(out, ' ');
    strbuf_append_string(out, reason_of(response));
    strbuf_append(out, "\r\n", 2);
    if (http_headers_get(&response->headers, "Date") == NULL) {
        append_line(out, "Date", date);
    }
    for (size_t i = 0; i < response->headers.count; i++) {
        const struct http_header *header = &response->headers.items[i];
        if (!is_framing_header(header->name)) {
            append_line(out, header->name, header->value);
        }
    }
    if (!is_bodiless(response)) {
        strbuf_append_string(out, "Content-Length: ");
        uint64_t rest_bytes = response->rest == NULL ? 0 : response->rest->length;
        strbuf_append_int64(out, (int64_t)(response->body.length + rest_bytes));
        strbuf_append(out, "\r\n", 2);
    }
    append_line(out, "Connection", close ? "close" : "keep-alive");
    strbuf_append(out, "\r\n", 2);
}
