/*
 * http_transport_call.h - one HTTP call as libcurl has it: what is sent, what is taken in, why it was given up.
 *
 * A part of http_transport, for nobody else.
 *
 * Threads: the one that submits it builds it, the I/O thread owns it from then on.
 * Layer: storage.
 */
#ifndef STORAGE_HTTP_TRANSPORT_CALL_H
#define STORAGE_HTTP_TRANSPORT_CALL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/http_transport.h"

struct transport_call {
    struct transport_call *previous; /* in transport->open */
    struct transport_call *next;     /* in transport->submitted or ->open */
    CURL *easy;
    struct curl_slist *header_lines;
    struct http_call_group *group;
    http_transport_done done;
    void *context;
    const struct clock *clock;
    int64_t deadline_ms; /* nothing is sent from here on */
    struct http_reply reply;
    size_t header_bytes;
    bool headers_ended; /* the empty line behind them has come */
    bool sent;          /* libcurl has begun to send it */
    enum status status; /* why a callback of ours made libcurl give up; STATUS_OK: none did */
    const char *stopped_because;
    char detail[CURL_ERROR_SIZE];
};

/*
 * To be freed. `ca_file`: whom to trust; NULL: whom libcurl trusts. Copies all that it is given, but for the group and the clock,
 * which must live as long. STATUS_NO_MEMORY; STATUS_INTERNAL: libcurl takes no such call.
 */
enum status http_transport_call_new(struct transport_call **out, const struct http_call *wanted,
                                    const struct clock *clock, const char *ca_file, http_transport_done done,
                                    void *context);
void http_transport_call_free(struct transport_call *call);

#endif
