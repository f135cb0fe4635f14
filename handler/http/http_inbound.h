/*
 * http_inbound.h - a request that a server has in hand, and its answer.
 *
 * Rules   The server calls its handler once for each request, on the loop's thread. The handler
 *         must not block. It fills in the response and then calls http_inbound_answer once, on the
 *         same thread, before it returns or later.
 *         Until then request and response stay where they are, also when the client has gone.
 *         Afterwards both are the server's again, and may be gone.
 *         Another thread may work on them in between, as long as it is one at a time.
 */
#ifndef HTTP_HTTP_INBOUND_H
#define HTTP_HTTP_INBOUND_H

#include "base/http_message.h"

struct http_inbound {
    struct http_request request;
    struct http_response response; /* empty, status 200, when the handler gets it */
    void (*answered)(struct http_inbound *inbound);
};

typedef void (*http_inbound_handler)(void *context, struct http_inbound *inbound);

/* The response is complete. The server sends it, or drops it if the client has gone. */
static inline void http_inbound_answer(struct http_inbound *inbound) {
    inbound->answered(inbound);
}

#endif
