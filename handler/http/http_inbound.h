/*
 * http_inbound.h - a request that the server has received, and its response.
 *
 * Rules   The server calls its handler once for each request, on the loop's thread. The handler
 *         must not block. It fills in the response and then calls http_inbound_answer once, on the
 *         same thread, before it returns or later.
 *         Until then the request and the response stay in place, even if the client disconnects.
 *         Afterwards both belong to the server, and may be freed.
 *         In between another thread may work on them, as long as only one thread does at a time.
 */
#ifndef HTTP_HTTP_INBOUND_H
#define HTTP_HTTP_INBOUND_H

#include "base/http_message.h"

struct http_inbound {
    struct http_request request;
    struct http_response response; /* empty, with status 200, when the handler is called */
    void (*answered)(struct http_inbound *inbound);
};

typedef void (*http_inbound_handler)(void *context, struct http_inbound *inbound);

/* Says that the response is complete. The server sends it, or drops it if the client is gone. */
static inline void http_inbound_answer(struct http_inbound *inbound) {
    inbound->answered(inbound);
}

#endif
