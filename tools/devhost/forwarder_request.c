#include "devhost/forwarder_request.h"

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

void forwarder_request_forwarded(struct http_headers *headers, struct strbuf *target, const struct invoker_run *run,
                                 const struct caller_request *request) {
    http_headers_init(headers);
    copy_others(headers, &request->headers, content_headers);
    const char *type = http_headers_get(&request->headers, "Content-Type");
    if (request->length > 0 && type != NULL) {
        http_headers_add(headers, "Content-Type", type);
    }
    invoker_add_headers(run, headers);
    strbuf_init(target, MAX_TARGET_BYTES);
    request_path_rebuild(target, request->path.data);
    caller_query_visit(request->query.data, append_pair, target);
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
