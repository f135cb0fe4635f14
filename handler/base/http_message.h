/*
 * http_message.h - HTTP headers, requests and responses as plain data, for whoever serves or sends them.
 *
 * Threads: none of its own.
 */
#ifndef BASE_HTTP_MESSAGE_H
#define BASE_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/strbuf.h"

/* Both point into the list's text. */
struct http_header {
    char *name;
    char *value;
};

/*
 * A list of headers that remembers its failure as strbuf does. All names and values stand in one
 * text, which moves when it grows: what was looked up is valid until the next addition.
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
 * Both empty the list, forget a failure and wipe the text: Authorization may be in it. _clear keeps
 * the memory.
 */
void http_headers_clear(struct http_headers *headers);
void http_headers_cleanup(struct http_headers *headers);

/*
 * Copies name and value to the end of the list. They may not lie in the list already. After a
 * failure, later additions do nothing. `status` is then
 *
 * STATUS_INVALID_ARGUMENT   name or value holds a line break, with which one header could pass for
 *                           two, or a NUL
 * STATUS_NO_MEMORY
 */
void http_headers_add(struct http_headers *headers, const char *name, const char *value);
void http_headers_addf(struct http_headers *headers, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);
void http_headers_add_bytes(struct http_headers *headers, const char *name, size_t name_length,
                            const char *value, size_t value_length);

/* The same, but a header of that name that is there gets ", " and the value at its end (RFC 9110 section 5.3). */
void http_headers_join(struct http_headers *headers, const char *name, const char *value);

const char *http_headers_get(const struct http_headers *headers,
                             const char *name); /* first of that name, any case; NULL */

/* A header that may be sent only once. `is_repeated`: it was there on several lines, and `text` is the first. */
struct http_header_value {
    const char *text; /* NULL: none */
    bool is_repeated;
};

/* The header of that name, in any case. The text is borrowed. */
struct http_header_value http_headers_single(const struct http_headers *headers, const char *name);

/* A request that a server received. All borrowed for as long as its handler runs. */
struct http_request {
    const char *method; /* "GET" */
    const char *path;   /* as sent: still percent-encoded, without query */
    const char *query;  /* as sent, without '?'; "" if none */
    const struct http_headers *headers;
    const char *body; /* NUL-terminated for convenience; may hold NULs */
    size_t body_length;
    int body_too_large; /* the body was over the server's limit and is not here */
};

enum { HTTP_REASON_BYTES = 512 };

/* A response that a handler fills in. */
struct http_response {
    int status; /* 200 at first */
    char reason
        [HTTP_REASON_BYTES]; /* the status line's phrase; "": the usual one. Set with http_response_set_reason */
    struct http_headers headers;
    struct strbuf body;
};

void http_response_init(struct http_response *response, size_t max_body_bytes);
void http_response_cleanup(struct http_response *response);

/* Makes `text` the reason phrase: what is not printable ASCII becomes '?', and what is too long is cut. */
void http_response_set_reason(struct http_response *response, const char *text);

#endif
