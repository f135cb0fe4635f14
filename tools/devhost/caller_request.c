#include "devhost/caller_request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/utc.h"
#include "base/utf8.h"
#include "devhost/request_path.h"

enum { MAX_HEAD_BYTES = 64 * 1024, MAX_ANSWER_HEAD_BYTES = 256 * 1024 };

static int status_of(enum wire_result result) {
    return result == WIRE_OK          ? 0
           : result == WIRE_LATE      ? 408
           : result == WIRE_MALFORMED ? 400
           : result == WIRE_TOO_LARGE ? 431
                                      : -1;
}

/* The target */

static bool is_ascii_text(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f) {
            return false;
        }
    }
    return length > 0;
}

/* Reads a target's authority, which has to be Host's value, and returns where its path begins. */
static const char *read_authority(struct caller_request *request, const char *authority) {
    size_t length = strcspn(authority, "/?");
    request->authority = strndup(authority, length);
    return authority + length;
}

/* A target is a path, a whole URL, an authority for CONNECT, or an asterisk for OPTIONS. */
static int read_target(struct caller_request *request, const char *target) {
    const char *path = target;
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        path = read_authority(request, strchr(target, ':') + 3);
    } else if (strcmp(request->method, "CONNECT") == 0) {
        path = read_authority(request, target);
    } else if (strcmp(target, "*") == 0) {
        strbuf_append_char(&request->path, '*');
        return strcmp(request->method, "OPTIONS") == 0 ? 0 : 405;
    } else if (target[0] != '/') {
        return 400;
    }
    size_t length = strcspn(path, "?");
    if (length == 0) {
        strbuf_append_char(&request->path, '/');
    } else if (!request_path_canonical(&request->path, path, length)) {
        return 400;
    }
    strbuf_append_string(&request->query, path[length] == '?' ? path + length + 1 : "");
    return 0;
}

/* METHOD SP target SP HTTP/1.x */
static int read_request_line(struct caller_request *request, struct strbuf *line) {
    char *target = memchr(line->data, ' ', line->length);
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
    if (version == NULL || strlen(line->data) != line->length) {
        return 400;
    }
    *target++ = '\0';
    *version++ = '\0';
    version += strspn(version, " ");
    if (!wire_is_token(line->data, strlen(line->data))) {
        return 400;
    }
    request->is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (!request->is_http_1_0 && strcmp(version, "HTTP/1.1") != 0) {
        return strlen(version) == strlen("HTTP/1.1") ? 505 : 400;
    }
    if (!is_ascii_text(target, strlen(target))) {
        return 400;
    }
    request->method = strdup(line->data);
    return request->method == NULL ? -1 : read_target(request, target);
}

/* The headers */

static size_t count_headers(const struct http_headers *headers, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < headers->count; i++) {
        count += strcasecmp(headers->items[i].name, name) == 0;
    }
    return count;
}

/* A name or an address in brackets, with a port or without one. Nothing at all is fine. */
static bool is_host(const char *value) {
    size_t length = 0;
    if (value[0] == '[') {
        length = 1 + strspn(value + 1, "0123456789abcdefABCDEF:.");
        if (value[length++] != ']') {
            return false;
        }
    }
    while (isalnum((unsigned char)value[length]) ||
           (value[length] != '\0' && strchr("-._~%!$&'()*+;=", value[length]) != NULL)) {
        length++;
    }
    const char *port = value + length;
    return port[0] == '\0' || (port[0] == ':' && port[1 + strspn(port + 1, "0123456789")] == '\0');
}

/*
 * The authority of a whole URL is Host's value, which may add the default port
 * (Http1Connection.ValidateNonOriginHostHeader).
 */
static bool fits_host(const char *authority, const char *host) {
    size_t length = strlen(authority);
    return length > 0 && host != NULL && strncmp(host, authority, length) == 0 &&
           (host[length] == '\0' || strcmp(host + length, ":80") == 0);
}

/*
 * Gives a header another name and value, in its place. What was looked up in the list is gone then.
 * Returns 0, or the status to refuse the request with.
 */
static int replace_header(struct http_headers *headers, const char *name, const char *new_name,
                          const char *value) {
    struct http_headers changed;
    http_headers_init(&changed);
    for (size_t i = 0; i < headers->count; i++) {
        const struct http_header *item = &headers->items[i];
        bool is_it = strcasecmp(item->name, name) == 0;
        http_headers_add(&changed, is_it ? new_name : item->name, is_it ? value : item->value);
    }
    http_headers_cleanup(headers);
    *headers = changed;
    return headers->status == STATUS_OK ? 0 : 500;
}

/*
 * RFC 9112 section 6.3 as Kestrel applies it: chunked has to come last, and makes a length beside
 * it void.
 */
static int read_framing(struct caller_request *request, struct stream *stream) {
    const struct http_headers *headers = &request->headers;
    const char *length = http_headers_get(headers, "Content-Length");
    const char *coding = http_headers_get(headers, "Transfer-Encoding");
    if (coding != NULL) {
        const char *comma = strrchr(coding, ',');
        const char *last = comma != NULL ? comma + 1 + strspn(comma + 1, " \t") : coding;
        if (strcasecmp(last, "chunked") != 0 || request->is_http_1_0) {
            return 400;
        }
        wire_body_init(&request->body, stream, BODY_CHUNKED, 0);
        if (length == NULL) {
            return 0;
        }
        request->keeps_alive = false; /* two framings: after this the connection is not trusted */
        return replace_header(&request->headers, "Content-Length", "X-Content-Length", length);
    }
    if (length != NULL) {
        if (count_headers(headers, "Content-Length") > 1 ||
            !wire_parse_length(length + (length[0] == '+'), &request->length)) {
            return 400;
        }
        char number[32];
        snprintf(number, sizeof number, "%llu", (unsigned long long)request->length);
        request->has_length = true;
        if (replace_header(&request->headers, "Content-Length", "Content-Length", number) != 0) {
            return 500;
        }
    }
    wire_body_init(&request->body, stream, request->length > 0 ? BODY_LENGTH : BODY_NONE,
                   request->length);
    return 0;
}

static int check_headers(struct caller_request *request, struct stream *stream) {
    const struct http_headers *headers = &request->headers;
    for (size_t i = 0; i < headers->count; i++) {
        if (!utf8_is_valid(headers->items[i].value, strlen(headers->items[i].value))) {
            return 400;
        }
    }
    const char *host = http_headers_get(headers, "Host");
    if (count_headers(headers, "Host") > 1 || (host == NULL && !request->is_http_1_0) ||
        (host != NULL && !is_host(host)) ||
        (request->authority != NULL && !fits_host(request->authority, host))) {
        return 400;
    }
    request->keeps_alive = request->is_http_1_0
                               ? wire_has_token(headers, "Connection", "keep-alive")
                               : !wire_has_token(headers, "Connection", "close");
    return read_framing(request, stream);
}

int caller_request_read(struct caller_request *out, struct stream *stream) {
    *out = (struct caller_request){0};
    strbuf_init(&out->path, MAX_HEAD_BYTES);
    strbuf_init(&out->query, MAX_HEAD_BYTES);
    http_headers_init(&out->headers);
    struct strbuf line;
    strbuf_init(&line, CALLER_MAX_LINE_BYTES);
    enum stream_line got;
    do {
        got = stream_read_line(stream, &line);
    } while (got == STREAM_LINE && line.length == 0);
    int status = got == STREAM_LINE            ? read_request_line(out, &line)
                 : got == STREAM_LINE_TOO_LONG ? 414
                 : got == STREAM_LINE_LATE     ? 408
                                               : -1;
    strbuf_cleanup(&line);
    if (status == 0) {
        status = status_of(wire_read_headers(stream, &out->headers));
    }
    return status == 0 ? check_headers(out, stream) : status;
}

void caller_request_cleanup(struct caller_request *request) {
    free(request->method);
    free(request->authority);
    strbuf_cleanup(&request->path);
    strbuf_cleanup(&request->query);
    http_headers_cleanup(&request->headers);
}

bool caller_request_is(const struct caller_request *request, const char *method) {
    return request->method != NULL && strcasecmp(request->method, method) == 0;
}

/* Answers */

bool caller_request_continue(struct caller_request *request) {
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool waits = !request->body.ended && !request->is_http_1_0 &&
                 wire_has_token(&request->headers, "Expect", "100-continue");
    return !waits || stream_write(request->body.stream, interim, sizeof interim - 1);
}

static const char *reason_of(int status) {
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
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
                   {413, "Payload Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {422, "Unprocessable Entity"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "";
}

static void append_header(struct strbuf *out, const char *name, const char *value) {
    strbuf_append_string(out, name);
    strbuf_append_string(out, ": ");
    strbuf_append_string(out, value);
    strbuf_append_string(out, "\r\n");
}

static bool has_body(int status) {
    return status != 204 && status != 304;
}

static void append_framing(struct strbuf *out, struct caller_request *request, int status,
                           int64_t length) {
    if (length >= 0 && has_body(status)) {
        strbuf_appendf(out, "Content-Length: %lld\r\n", (long long)length);
    } else if (has_body(status) && !request->is_http_1_0) {
        append_header(out, "Transfer-Encoding", "chunked");
    } else if (has_body(status)) {
        request->keeps_alive = false;
    }
    if (!request->keeps_alive) {
        append_header(out, "Connection", "close");
    } else if (request->is_http_1_0) {
        append_header(out, "Connection", "keep-alive");
    }
}

bool caller_request_answer_head(struct caller_request *request, struct stream *stream, int status,
                                const char *reason, const struct http_headers *headers,
                                int64_t length) {
    struct strbuf head;
    strbuf_init(&head, MAX_ANSWER_HEAD_BYTES);
    strbuf_appendf(&head, "HTTP/1.1 %d %s\r\n", status,
                   reason[0] != '\0' ? reason : reason_of(status));
    for (size_t i = 0; headers != NULL && i < headers->count; i++) {
        append_header(&head, headers->items[i].name, headers->items[i].value);
    }
    if (headers == NULL || http_headers_get(headers, "Date") == NULL) {
        char date[UTC_TEXT_BYTES];
        utc_format_http(clock_wall_ms(clock_system()), date);
        append_header(&head, "Date", date);
    }
    if (headers == NULL || http_headers_get(headers, "Server") == NULL) {
        append_header(&head, "Server", "Kestrel");
    }
    append_framing(&head, request, status, length);
    strbuf_append_string(&head, "\r\n");
    bool sent = strbuf_status(&head) == STATUS_OK && stream_write(stream, head.data, head.length);
    strbuf_cleanup(&head);
    request->answered = true;
    return sent;
}

bool caller_request_answer(struct caller_request *request, struct stream *stream, int status) {
    struct http_headers headers;
    http_headers_init(&headers);
    if (status == 405) { /* to "*", which OPTIONS alone may ask for */
        http_headers_add(&headers, "Allow", "OPTIONS");
    }
    bool sent = caller_request_answer_head(request, stream, status, "", &headers, 0);
    http_headers_cleanup(&headers);
    return sent;
}
