#include "http/http_transport_call.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/http_transport_sockets.h"

enum {
    MAX_HEADER_BYTES = 64 * 1024,
    RECEIVE_BUFFER_BYTES = 8 * 1024,
    SEND_BUFFER_BYTES = 16 * 1024, /* the least that libcurl accepts */
};

/* ---- libcurl's callbacks while the call runs ---- */

/*
 * Notes why a callback makes libcurl stop. libcurl then writes a general message into
 * `curl_message`, which is not shown.
 */
static void call_stop(struct transport_call *call, enum status status, const char *reason) {
    call->stop_status = status;
    call->stop_reason = reason;
}

static size_t on_body(char *data, size_t size, size_t count, void *user) {
    struct transport_call *call = user;
    strbuf_append(&call->reply.body, data, size * count);
    enum status status = strbuf_status(&call->reply.body);
    if (status == STATUS_OK) {
        return size * count;
    }
    call_stop(call, status, "the answer's body is too long, or there is no memory for it");
    return 0;
}

static enum status add_header_line(struct http_headers *headers, const char *line, size_t length) {
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || colon == line) {
        return STATUS_OK; /* the empty line at the end, or a line without a name */
    }
    const char *value = colon + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && strchr("\r\n \t", end[-1])) {
        end--;
    }
    http_headers_add_bytes(headers, line, (size_t)(colon - line), value, (size_t)(end - value));
    return headers->status;
}

static size_t on_header(char *data, size_t size, size_t count, void *user) {
    struct transport_call *call = user;
    size_t length = size * count;
    call->header_bytes += length;
    if (call->header_bytes > MAX_HEADER_BYTES) {
        call_stop(call, STATUS_TOO_LARGE, "the answer's headers are too long");
        return 0;
    }
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        /* A status line. Earlier headers belonged to an interim answer (1xx). */
        http_headers_clear(&call->reply.headers);
        call->headers_ended = false;
        return length;
    }
    call->headers_ended = call->headers_ended || data[0] == '\r' || data[0] == '\n';
    enum status status = add_header_line(&call->reply.headers, data, length);
    if (status == STATUS_OK) {
        return length;
    }
    if (status == STATUS_NO_MEMORY) {
        call_stop(call, STATUS_NO_MEMORY, "no memory for the answer's headers");
    } else {
        call_stop(call, STATUS_UNAVAILABLE, "the answer's headers cannot be understood");
    }
    return 0;
}

/*
 * libcurl calls this each time before it sends the request. The second time is a repeat of its own,
 * after a kept connection died without a byte of an answer (Curl_retry_request). It is not allowed:
 * the server may have acted on the first request, and a repeated transaction fails on its own
 * success.
 *
 * A call that has waited for a free connection until its timeout is stopped here, too.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is libcurl's */
static int on_about_to_send(void *user, char *remote_ip, char *local_ip, int remote_port,
                            int local_port) {
    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    struct transport_call *call = user;
    if (call->was_sent) {
        call_stop(call, STATUS_UNAVAILABLE, "the connection was closed before an answer came");
        return CURL_PREREQFUNC_ABORT;
    }
    if (clock_now_ms(call->sockets->clock) >= call->deadline_ms) {
        call_stop(call, STATUS_UNAVAILABLE, "its time was over before it was sent");
        return CURL_PREREQFUNC_ABORT;
    }
    call->was_sent = true;
    return CURL_PREREQFUNC_OK;
}

/* ---- the easy handle, set up once ---- */

/* Keeps the first failure of a row of calls. */
static void keep_first(CURLcode *first, CURLcode code) {
    if (*first == CURLE_OK) {
        *first = code;
    }
}

/* Our own, and not libcurl's: no child process may inherit a connection. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    return http_transport_sockets_open(user, address->family, address->socktype, address->protocol);
}

static int close_socket(void *user, curl_socket_t fd) {
    return http_transport_sockets_close(user, fd);
}

static CURLcode set_connection(CURL *easy, struct transport_sockets *sockets, const char *ca_file) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L));
    if (ca_file != NULL) {
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file));
        /* By default libcurl also trusts a folder that was fixed when it was built. */
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
    }
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_PROXY, ""));
    /* Otherwise each request looks for NO_PROXY in the environment. */
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    /* Otherwise ending a call during its DNS look-up would block the loop until that ends. */
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sockets));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets));
    return code;
}

static CURLcode set_callbacks(struct transport_call *call) {
    CURL *easy = call->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_message));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_WRITEDATA, call));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HEADERDATA, call));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_about_to_send));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_PREREQDATA, call));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L));
    /* Smaller than libcurl's defaults: most answers and requests are shorter than 2 KiB. */
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_BYTES));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER_BYTES));
    return code;
}

static enum status status_of(CURLcode code) {
    if (code == CURLE_OK) {
        return STATUS_OK;
    }
    return code == CURLE_OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_INTERNAL;
}

enum status http_transport_call_new(struct transport_call **out, struct transport_sockets *sockets,
                                    const char *ca_file) {
    struct transport_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return STATUS_NO_MEMORY;
    }
    call->sockets = sockets;
    strbuf_init(&call->origin_text, SIZE_MAX);
    strbuf_init(&call->line_text, SIZE_MAX);
    http_reply_init(&call->reply);
    call->easy = curl_easy_init();
    call->origin = curl_url();
    enum status status = STATUS_NO_MEMORY;
    if (call->easy != NULL && call->origin != NULL) {
        CURLcode code = set_connection(call->easy, sockets, ca_file);
        keep_first(&code, set_callbacks(call));
        status = status_of(code);
    }
    if (status != STATUS_OK) {
        http_transport_call_free(call);
        return status;
    }
    *out = call;
    return STATUS_OK;
}

void http_transport_call_free(struct transport_call *call) {
    curl_easy_cleanup(call->easy);
    curl_url_cleanup(call->origin);
    strbuf_cleanup(&call->origin_text);
    strbuf_cleanup_wipe(&call->line_text);
    http_reply_cleanup(&call->reply);
    free(call);
}

/* ---- what is sent ---- */

static bool sends_body(const struct http_call *call) {
    return call->body_length > 0 || strcmp(call->method, "PUT") == 0 ||
           strcmp(call->method, "POST") == 0 || strcmp(call->method, "PATCH") == 0 ||
           strcmp(call->method, "MERGE") == 0;
}

/* Appends a header line and a NUL, which separates it from the next line. */
static void append_header(struct strbuf *text, const char *name, const char *value) {
    strbuf_append_string(text, name);
    /* libcurl's syntax for an empty header is "Name;". "Name:" would remove the header. */
    strbuf_append_string(text, *value != '\0' ? ": " : ";");
    strbuf_append(text, value, strlen(value) + 1);
}

/* A line like any other: libcurl would format CURLOPT_USERAGENT twice for each request. */
#define USER_AGENT "User-Agent: leasehold/1.0"

/* Appends all header lines. Returns how many. */
static size_t append_lines(struct strbuf *text, const struct http_call *call) {
    const struct http_headers *headers = call->headers;
    size_t count = 1;
    strbuf_append(text, USER_AGENT, sizeof USER_AGENT);
    if (sends_body(call)) {
        /* Removes Expect, so that nothing waits for "100 Continue". */
        strbuf_append(text, "Expect:", sizeof "Expect:");
        count++;
        /* CURLOPT_POSTFIELDS would add a Content-Type, which is not part of the signature. */
        if (headers == NULL || http_headers_get(headers, "Content-Type") == NULL) {
            strbuf_append(text, "Content-Type:", sizeof "Content-Type:");
            count++;
        }
    }
    for (size_t i = 0; headers != NULL && i < headers->count; i++, count++) {
        append_header(text, headers->items[i].name, headers->items[i].value);
    }
    return count;
}

/* libcurl takes a linked list. The nodes are the call's own, so that no line is allocated. */
static enum status build_lines(struct transport_call *call, const struct http_call *wanted) {
    if (wanted->headers != NULL && wanted->headers->count > HTTP_CALL_MAX_HEADERS) {
        return STATUS_TOO_LARGE;
    }
    size_t count = append_lines(&call->line_text, wanted);
    char *line = call->line_text.data;
    for (size_t i = 0; i < count && strbuf_status(&call->line_text) == STATUS_OK; i++) {
        call->lines[i].data = line;
        call->lines[i].next = i + 1 < count ? &call->lines[i + 1] : NULL;
        line += strlen(line) + 1;
    }
    return strbuf_status(&call->line_text);
}

static bool begins_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/*
 * Returns the length of a URL's "http://host:port". Returns 0 if no path follows, or a path that
 * may not be sent unchanged.
 */
static size_t origin_length(const char *url) {
    size_t scheme = begins_with(url, "http://")    ? strlen("http://")
                    : begins_with(url, "https://") ? strlen("https://")
                                                   : 0;
    size_t length = scheme == 0 ? 0 : scheme + strcspn(url + scheme, "/?#");
    const char *target = url + length;
    if (*target != '/') {
        return 0;
    }
    for (; *target != '\0'; target++) {
        if (*target <= ' ' || *target > '~' || *target == '#') {
            return 0;
        }
    }
    return length;
}

/*
 * Sets `call->origin` to the first `length` bytes of a URL (> 0). Most calls are reused for the
 * same host, and then nothing changes. Returns false if libcurl rejects the origin, or has no
 * memory.
 */
static bool set_origin(struct transport_call *call, const char *url, size_t length) {
    struct strbuf *text = &call->origin_text;
    if (text->length == length && memcmp(text->data, url, length) == 0) {
        return true;
    }
    strbuf_clear(text);
    strbuf_append(text, url, length);
    if (strbuf_status(text) == STATUS_OK &&
        curl_url_set(call->origin, CURLUPART_URL, text->data, 0) == CURLUE_OK) {
        return true;
    }
    strbuf_clear(text);
    return false;
}

/*
 * libcurl would parse the URL for each request and assemble it again. Instead it gets the origin,
 * which is parsed once, and the rest as the request's target. A URL that cannot be split in this
 * way goes to libcurl whole, which decides whether to accept it.
 */
static CURLcode set_url(struct transport_call *call, const char *url) {
    size_t length = origin_length(url);
    bool is_split = length > 0 && set_origin(call, url, length);
    CURLcode code =
        curl_easy_setopt(call->easy, CURLOPT_REQUEST_TARGET, is_split ? url + length : NULL);
    keep_first(&code, curl_easy_setopt(call->easy, CURLOPT_CURLU, is_split ? call->origin : NULL));
    if (!is_split) {
        keep_first(&code, curl_easy_setopt(call->easy, CURLOPT_URL, url));
    }
    return code;
}

static CURLcode set_request(struct transport_call *call, const struct http_call *wanted) {
    CURL *easy = call->easy;
    CURLcode code = set_url(call, wanted->url);
    /* Clears the method and body of the request before. */
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L));
    if (strcmp(wanted->method, "HEAD") == 0) {
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_NOBODY, 1L));
    } else if (sends_body(wanted)) {
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                           (curl_off_t)wanted->body_length));
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                           wanted->body_length > 0 ? wanted->body : ""));
    }
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, wanted->method));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->lines));
    return code;
}

enum status http_transport_call_fill(struct transport_call *call, const struct http_call *wanted) {
    enum status status = build_lines(call, wanted);
    if (status == STATUS_OK) {
        status = status_of(set_request(call, wanted));
    }
    call->reply.body.max_bytes = wanted->max_response_bytes;
    call->deadline_ms = clock_now_ms(call->sockets->clock) + wanted->timeout_ms;
    return status;
}

void http_transport_call_empty(struct transport_call *call) {
    strbuf_clear_wipe(&call->line_text); /* has Authorization */
    http_reply_clear(&call->reply);
    call->exchange = NULL;
    call->header_bytes = 0;
    call->headers_ended = call->was_sent = false;
    call->stop_status = STATUS_OK;
    call->curl_message[0] = '\0';
}
