/*
 * http_answer.h - an answer as it goes out, and what a server says by itself, in the API's error
 * shape.
 */
#ifndef SERVER_HTTP_ANSWER_H
#define SERVER_HTTP_ANSWER_H

#include <stdbool.h>

#include "base/http_message.h"

/* Why a server turns a request down. The connection ends with it. */
enum http_refusal {
    HTTP_REFUSAL_UNREADABLE, /* 400 BadRequest */
    HTTP_REFUSAL_AMBIGUOUS,  /* 400 BadRequest */
    HTTP_REFUSAL_BODY,       /* 400 BadRequest */
    HTTP_REFUSAL_SLOW,       /* 408 RequestTimeout */
    HTTP_REFUSAL_LONG_URL,   /* 414 UriTooLong */
    HTTP_REFUSAL_LARGE_HEAD, /* 431 RequestHeadersTooLarge */
    HTTP_REFUSAL_OWN_FAULT,  /* 500 InternalError */
    HTTP_REFUSAL_BUSY,       /* 503 TooManyRequests, with Retry-After */
    HTTP_REFUSAL_NO_MEMORY,  /* as above */
    HTTP_REFUSAL_STOPPING,   /* 503 Stopping, with Retry-After */
    HTTP_REFUSAL_VERSION,    /* 505 HttpVersionNotSupported */
};

/* Puts the refusal in place of what is there. */
void http_answer_refuse(struct http_response *response, enum http_refusal refusal);

/* Returns whether the answer can be sent (see http_server.h); tells the log if not. */
bool http_answer_is_sendable(const struct http_response *response);

/*
 * Whether a body goes out with the answer: not if it answers HEAD (`is_head`) or is a 204 or 304.
 */
bool http_answer_has_body(const struct http_response *response, bool is_head);

/*
 * Appends the answer's head: status line, `date` as Date unless the response has one, the headers but
 * those that frame a message, Content-Length unless it is a 204 or 304, and Connection.
 */
void http_answer_append_head(struct strbuf *out, const struct http_response *response,
                             const char *date, bool close);

#endif
