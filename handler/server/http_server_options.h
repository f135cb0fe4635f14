/*
 * http_server_options.h - what may be chosen of an HTTP server, and the limits that may not.
 */
#ifndef SERVER_HTTP_SERVER_OPTIONS_H
#define SERVER_HTTP_SERVER_OPTIONS_H

#include <stddef.h>

struct http_request;
struct http_response;

enum {
    HTTP_SERVER_MAX_URL_BYTES = 8 * 1024,
    HTTP_SERVER_MAX_HEAD_BYTES = 64 * 1024,
    /* The host passes on up to 100 headers, and those of Azure's front ends and its own. */
    HTTP_SERVER_MAX_HEADERS = 200
};

struct http_server_options {
    int port;        /* 0 to 65535; 0: any free one */
    int max_in_hand; /* > 0: the most requests in hand at once */
    size_t max_body_bytes;
    size_t max_response_bytes;
    int request_timeout_ms; /* > 0: for a request to come, and for its answer to be taken */

    /*
     * Changes a refusal of the server's own before it goes out. A part of the request that is not
     * known is "". May be NULL.
     */
    void (*on_refusal)(void *context, const struct http_request *request,
                       struct http_response *response);
};

#endif
