/*
 * http_answer.h - the head of an answer as it is sent, and the server's own refusals, which have
 * the API's error shape.
 */
#ifndef SERVER_HTTP_ANSWER_H
#define SERVER_HTTP_ANSWER_H

#include <stdbool.h>

#include "base/http_message.h"

/* Why a server refuses a request. The connection ends with the refusal. */
enum http_refusal {
    HTTP_REFUSAL_UNREADABLE, /* 400 BadRequest */
    HTTP_REFUSAL_AMBIGUOUS,  /* 400 BadRequest */
    HTTP_REFUSAL_BODY,       /* 400 BadRequest */
    HTTP_REFUSAL_SLOW,       /* 408 RequestTimeout */
    HTTP_REFUSAL_LONG_URL,   /* 414 UriTooLong */
    HTTP_REFUSAL_LARGE_HEAD, /* 431 RequestHeadersTooLarge */
    HTTP_REFUSAL_OWN_FAULT,  /* 500 InternalError */
    HTTP_REFUSAL_BUSY,       /* 503 TooManyRequests, with Retry-After */
    HTTP_REFUSAL_NO_MEMORY,  /* 503 TooManyRequests, with Retry-After */
    HTTP_REFUSAL_STOPPING,   /* 503 Stopping, with Retry-After */
    HTTP_REFUSAL_VERSION,    /* 505 HttpVersionNotSupported */
};

/* Replaces the response by the refusal. */
void http_answer_refuse(struct http_response *response, enum http_refusal refusal);

/* Returns true if the answer can be sent (http_server.h has the rules). Logs an error if not. */
bool http_answer_is_sendable(const struct http_response *response);

/* Returns true if the body is sent: not in answer to HEAD (`is_head`), and not with 204 or 304. */
bool http_answer_has_body(const struct http_response *response, bool is_head);

/*
 * Appends the answer's head: the status line, Date (`date`, unless the response has one), the
 * response's headers, Content-Length (not with 204 or 304), and Connection. Headers of the
 * response that frame a message are left out.
 */
void http_answer_append_head(struct strbuf *out, const struct http_response *response,
                             const char *date, bool close);

#endif
