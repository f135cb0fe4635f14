#include "devhost/forwarder_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "devhost/caller_query.h"
#include "devhost/request_path.h"

enum { MAX_TARGET_BYTES = 256 * 1024 };

/* RequestUtilities' headers to exclude, and the body's framing. */
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
                                                 NULL};

/* What YARP writes itself. */
static const char *const proxy_headers[] = {"Host",
                                            "Forwarded",
                                            "X-Forwarded-For",
                                            "X-Forwarded-Host",
                                            "X-Forwarded-Proto",
                                            "X-Forwarded-Prefix",
                                            "x-ms-invocation-id",
                                            NULL};

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
                                              NULL};

static bool is_among(const char *name, const char *const *names) {
    for (; *names != NULL; names++) {
        if (strcasecmp(name, *names) == 0) {
            return true;
        }
    }
    return false;
}

static void copy_others(struct http_headers *out, const struct http_headers *headers,
                        const char *const *without) {
    for (size_t i = 0; i < headers->count; i++) {
        const char *name = headers->items[i].name;
        if (wire_is_token(name, strlen(name)) &&
            !is_among(name, without)) { /* .NET passes no other names on */
            http_headers_add(out, headers->items[i].name, headers->items[i].value);
        }
    }
}

void forwarder_request_copy_answer(struct http_headers *out, const struct http_headers *headers) {
    copy_others(out, headers, connection_headers);
}

void forwarder_request_proxied(struct http_headers *headers, struct strbuf *target,
                               const struct invoker_run *run,
                               const struct caller_request *request) {
    http_headers_init(headers);
    struct http_headers others;
    http_headers_init(&others);
    copy_others(&others, &request->headers, connection_headers);
    copy_others(headers, &others, proxy_headers);
    http_headers_cleanup(&others);
    const char *host = http_headers_get(&request->headers, "Host");
    http_headers_add(headers, "X-Forwarded-For", "127.0.0.1");
    if (host != NULL && host[0] != '\0') {
        http_headers_add(headers, "X-Forwarded-Host", host);
    }
    http_headers_add(headers, "X-Forwarded-Proto", "http");
    http_headers_add(headers, "x-ms-invocation-id",
                     run->id); /* newer hosts replace a caller's own */
    invoker_add_traceparent(headers);
    strbuf_init(target, MAX_TARGET_BYTES);
    strbuf_append_string(target, request->path.data);
    strbuf_append_string(target, request->query.length > 0 ? "?" : "");
    request_path_proxied_query(target, request->query.data);
}

/* Encoded, but for the comma, which may come from the host's joining. */
static void append_value(struct strbuf *out, const char *value) {
    while (*value != '\0') {
        char part[2] = {*value++, '\0'};
        if (part[0] == ',') {
            strbuf_append_char(out, ',');
        } else {
            strbuf_append_percent_encoded(out, part);
        }
    }
}

static void append_pair(void *context, const struct strbuf *name, const struct strbuf *value) {
    struct strbuf *target = context;
    strbuf_append_char(target, strchr(target->data, '?') == NULL ? '?' : '&');
    strbuf_append_percent_encoded(target, name->data);
    strbuf_append_char(target, '=');
    append_value(target, value->data);
}

/* type/subtype, with parameters or without; a comma would begin another one. */
static bool is_media_type(const char *text) {
    size_t type = strcspn(text, "/");
    const char *rest = text + type + (text[type] == '/');
    size_t subtype = strcspn(rest, "; \t");
    if (!wire_is_token(text, type) || !wire_is_token(rest, subtype)) {
        return false;
    }
    rest += subtype;
    rest += strspn(rest, " \t");
    bool quoted = false;
    for (const char *c = rest; *c != '\0'; c++) {
        quoted ^= *c == '"';
        if (*c == ',' && !quoted) {
            return false;
        }
    }
    return !quoted && (*rest == '\0' || (*rest == ';' && rest[1] != '\0'));
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
    strbuf_cleanup(&type);
    return good;
}

/* A URL is made of Host: it needs a name, and a port that there is. */
static bool is_usable_host(const char *host) {
    if (host == NULL || host[0] == '\0') {
        return false;
    }
    const char *port = strrchr(host, ':');
    return port == NULL || strchr(port, ']') != NULL || strtol(port + 1, NULL, 10) <= 65535;
}

bool forwarder_request_forwarded(struct http_headers *headers, struct strbuf *target,
                                 const struct invoker_run *run,
                                 const struct caller_request *request) {
    http_headers_init(headers);
    copy_others(headers, &request->headers, content_headers);
    bool good = request->length == 0 || add_content_type(headers, request);
    good = good && is_usable_host(http_headers_get(&request->headers, "Host"));
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

/* HTTP's own methods are written as the standard does. */
const char *forwarder_request_method(const struct caller_request *request) {
    static const char *const methods[] = {"GET",     "POST", "PUT",   "DELETE",
                                          "OPTIONS", "HEAD", "PATCH", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (caller_request_is(request, methods[i])) {
            return methods[i];
        }
    }
    return request->method;
}

bool forwarder_request_is_about_content(const struct caller_request *request) {
    for (size_t i = 0; i < request->headers.count; i++) {
        const char *name = request->headers.items[i].name;
        if (is_among(name, content_headers) && strcasecmp(name, "Host") != 0) {
            return true;
        }
    }
    return false;
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
