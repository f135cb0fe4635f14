#include "devhost/forwarder_request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "devhost/caller_query.h"
#include "devhost/request_path.h"

enum { MAX_TARGET_BYTES = 256 * 1024 };

/* RequestUtilities' headers to exclude, the body's framing, and Expect, which is dealt with on this side. */
static const char *const connection_headers[] = {"Connection",
                                                 "Transfer-Encoding",
                                                 "Keep-Alive",
                                                 "Upgrade",
                                                 "Proxy-Connection",
                                                 "Proxy-Authenticate",
                                                 "Proxy-Authentication-Info",
                                                 "Proxy-Authorization",
                                                 "Proxy-Features",
                                                 "Proxy-Instruction",
                                                 "Security-Scheme",
                                                 "ALPN",
                                                 "Close",
                                                 "TE",
                                                 "Alt-Svc",
                                                 "Content-Length",
                                                 "Expect",
                                                 NULL};

/* What YARP writes itself. */
static const char *const proxy_headers[] = {
    "Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", NULL};

/* HttpRequestMessage.Headers takes none of these; beside them what is written anew. */
static const char *const content_headers[] = {"Allow",
                                              "Content-Disposition",
                                              "Content-Encoding",
                                              "Content-Language",
                                              "Content-Length",
                                              "Content-Location",
                                              "Content-MD5",
                                              "Content-Range",
                                              "Content-Type",
                                              "Expires",
                                              "Last-Modified",
                                              "Host",
                                              "Transfer-Encoding",
                                              "Expect",
                                              NULL};

static bool is_among(const char *name, const char *const *names) {
    for (; *names != NULL; names++) {
        if (strcasecmp(name, *names) == 0) {
            return true;
        }
    }
    return false;
}

static void copy_others(struct http_headers *out, const struct http_headers *headers, const char *const *without) {
    for (size_t i = 0; i < headers->count; i++) {
        if (!is_among(headers->items[i].name, without)) {
            http_headers_add(out, headers->items[i].name, headers->items[i].value);
        }
    }
}

void forwarder_request_copy_answer(struct http_headers *out, const struct http_headers *headers) {
    copy_others(out, headers, connection_headers);
}

void forwarder_request_proxied(struct http_headers *headers, struct strbuf *target, const struct invoker_run *run,
                               const struct caller_request *request) {
    http_headers_init(headers);
    for (size_t i = 0; i < request->headers.count; i++) {
        const struct http_header *header = &request->headers.items[i];
        if (!is_among(header->name, connection_headers) && !is_among(header->name, proxy_headers)) {
            http_headers_add(headers, header->name, header->value);
        }
    }
    const char *host = http_headers_get(&request->headers, "Host");
    http_headers_add(headers, "X-Forwarded-For", "127.0.0.1");
    http_headers_add(headers, "X-Forwarded-Host", host != NULL ? host : "");
    http_headers_add(headers, "X-Forwarded-Proto", "http");
    if (http_headers_get(headers, "x-ms-invocation-id") == NULL) { /* DefaultHttpProxyService adds it with TryAdd */
        http_headers_add(headers, "x-ms-invocation-id", run->id);
    }
    invoker_add_traceparent(headers);
    strbuf_init(target, MAX_TARGET_BYTES);
    strbuf_append_string(target, request->path.data);
    strbuf_append_string(target, request->query.length > 0 ? "?" : "");
    strbuf_append_string(target, request->query.data);
}

static void append_pair(void *context, const struct strbuf *name, const struct strbuf *value) {
    struct strbuf *target = context;
    strbuf_append_char(target, strchr(target->data, '?') == NULL ? '?' : '&');
    strbuf_append_percent_encoded(target, name->data);
    strbuf_append_char(target, '=');
    strbuf_append_percent_encoded(target, value->data);
}

static size_t count_token(const char *text) {
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) ||
           (text[length] != '\0' && strchr("!#$%&'*+-.^_`|~", text[length]) != NULL)) {
        length++;
    }
    return length;
}

/* type/subtype, with parameters or without; a comma would begin another one. */
static bool is_media_type(const char *text) {
    size_t type = count_token(text);
    size_t subtype = text[type] == '/' ? count_token(text + type + 1) : 0;
    if (type == 0 || subtype == 0) {
        return false;
    }
    const char *rest = text + type + 1 + subtype;
    rest += strspn(rest, " \t");
    bool quoted = false;
    for (const char *c = rest; *c != '\0'; c++) {
        quoted ^= *c == '"';
        if (*c == ',' && !quoted) {
            return false;
        }
    }
    return *rest == '\0' || *rest == ';';
}

/* Adds the body's Content-Type, all that the caller sent joined to one. */
static bool add_content_type(struct http_headers *headers, const struct caller_request *request) {
    struct strbuf type;
    strbuf_init(&type, WIRE_MAX_HEADER_BYTES);
    for (size_t i = 0; i < request->headers.count; i++) {
        if (strcasecmp(request->headers.items[i].name, "Content-Type") == 0) {
            strbuf_append_string(&type, type.length > 0 ? "," : "");
            strbuf_append_string(&type, request->headers.items[i].value);
        }
    }
    bool good = type.length == 0 || is_media_type(type.data);
    if (type.length > 0) {
        http_headers_add(headers, "Content-Type", type.data);
    }
    strbuf_release(&type);
    return good;
}

bool forwarder_request_forwarded(struct http_headers *headers, struct strbuf *target, const struct invoker_run *run,
                                 const struct caller_request *request) {
    http_headers_init(headers);
    copy_others(headers, &request->headers, content_headers);
    bool good = request->length == 0 || add_content_type(headers, request);
    invoker_add_headers(run, headers);
    strbuf_init(target, MAX_TARGET_BYTES);
    request_path_rebuild(target, request->path.data);
    caller_query_visit(request->query.data, append_pair, target);
    return good;
}

bool forwarder_request_needs_length(const struct caller_request *request) {
    return caller_request_is(request, "POST") || caller_request_is(request, "PUT") ||
           caller_request_is(request, "PATCH");
}

bool forwarder_request_is_ascii(const struct http_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        for (const char *c = headers->items[i].value; *c != '\0'; c++) {
            if ((unsigned char)*c >= 0x80) {
                return false;
            }
        }
    }
    return true;
}
