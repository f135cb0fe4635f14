/*
 * history_request.h - a request of a history, as HTTP.
 *
 * Threads: any.
 */
#ifndef CHECKER_HISTORY_REQUEST_H
#define CHECKER_HISTORY_REQUEST_H

#include "torture/history.h"

enum { HISTORY_PATH_BYTES = 160, HISTORY_BODY_BYTES = 512 };

struct history_request {
    const char *method;
    char path[HISTORY_PATH_BYTES];
    char body[HISTORY_BODY_BYTES];
    struct http_headers headers;
};

/* Of any kind but an operator's. To be cleaned up. */
void history_request_init(struct history_request *request, const struct history_record *asked);
void history_request_cleanup(struct history_request *request);

#endif
