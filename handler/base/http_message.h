/*
 * http_message.h - HTTP headers, requests and responses as plain data, for servers and clients.
 */
#ifndef BASE_HTTP_MESSAGE_H
#define BASE_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/strbuf.h"

struct temp_file;

/* Both point into the text of the list. */
struct http_header {
    char *name;
    char *value;
};

/*
 * A list of headers that remembers its first failure, as a strbuf does. All names and values are in
 * one text. That text moves when it grows, so a pointer into it is valid until the next addition.
 */
struct http_headers {
    struct http_header *items;
    size_t count;
    size_t capacity;
    char *text; /* each name and value with its NUL */
    size_t text_length;
    size_t text_capacity;
    enum status status;
};

void http_headers_init(struct http_headers *headers);

/*
 * Both empty the list, forget a failure and wipe the text, which may hold an Authorization header.
 * http_headers_clear keeps the memory for new headers.
 */
void http_headers_clear(struct http_headers *headers);
void http_headers_cleanup(struct http_headers *headers);

/*
 * These append a header; name and value are copied, and may not lie in this list. After a failure,
 * later additions do nothing. `status` is then
 *
 * STATUS_INVALID_ARGUMENT   name or value holds a NUL or a line break, with which one header could
 *                           pass for two
 * STATUS_NO_MEMORY
 */
void http_headers_add(struct http_headers *headers, const char *name, const char *value);
void http_headers_addf(struct http_headers *headers, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);
void http_headers_add_bytes(struct http_headers *headers, const char *name, size_t name_length,
                            const char *value, size_t value_length);

/*
 * Adds a header as http_headers_add does. If the list already has one of that name, ", " and the
 * value are appended to it instead (RFC 9110 section 5.3).
 */
void http_headers_join(struct http_headers *headers, const char *name, const char *value);

/* Returns the value of the first header of that name, in any case, or NULL. */
const char *http_headers_get(const struct http_headers *headers, const char *name);

/* A header that a message may have only once. */
struct http_header_value {
    const char *text; /* of the first line with that name; NULL: there is none */
    bool is_repeated; /* other lines have the name, too */
};

/* Returns the header of that name, in any case. The text is borrowed. */
struct http_header_value http_headers_single(const struct http_headers *headers, const char *name);

/* A request that a server has received. All is borrowed for as long as its handler runs. */
struct http_request {
    const char *method; /* "GET" */
    const char *path;   /* as sent: percent-encoded, without query */
    const char *query;  /* as sent, without '?'; "" if none */
    const struct http_headers *headers;
    const char *body; /* ends with a NUL, and may hold others */
    size_t body_length;
    bool body_too_large; /* the body exceeded the server's limit and is not here */
};

enum { HTTP_REASON_BYTES = 512 };

/* A response that a handler fills in. */
struct http_response {
    int status; /* 200 at first */

    /* The status line's phrase, set with http_response_set_reason. "" means the usual one. */
    char reason[HTTP_REASON_BYTES];
    struct http_headers headers;
    struct strbuf body;

    /* The rest of a long body, which follows `body`. The response owns it. NULL: none. */
    struct temp_file *rest;
};

void http_response_init(struct http_response *response, size_t max_body_bytes);
void http_response_cleanup(struct http_response *response);

/*
 * Makes `text` the reason phrase, cut where it is too long. Each byte that is not printable ASCII
 * becomes '?'.
 */
void http_response_set_reason(struct http_response *response, const char *text);

#endif
