/*
 * http_fake.h - an HTTP server on 127.0.0.1 that answers from a script, misbehaves on demand and
 * remembers what it was asked.
 *
 * Each request that has arrived whole takes the next answer of the script, in the order of arrival
 * over all connections; when the script is used up, the answer is empty, with the status of success
 * that storage has for such a request.
 * Rules        What should not happen to a test (no socket, a wait of more than 100 s) ends it with
 *              a message on stderr.
 * Threads: any; a thread accepts, and each connection has one.
 */
#ifndef SUPPORT_HTTP_FAKE_H
#define SUPPORT_HTTP_FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/http_message.h"

struct http_fake;

enum http_fake_behaviour {
    HTTP_FAKE_ANSWER, /* as it should be, and the connection stays open */
    HTTP_FAKE_CLOSE,  /* closes the connection instead of answering */
    HTTP_FAKE_CUT,    /* announces the whole body, sends half of it, closes */
    HTTP_FAKE_HANG,   /* answers only once http_fake_let_go is called */
};

/*
 * Zeroed but for what matters. Strings are copied. Unless it is foreign, an answer gets what
 * storage's own have: x-ms-request-id behind `headers`, and after a lease was acquired or renewed
 * its id.
 */
struct http_fake_answer {
    enum http_fake_behaviour behaviour;
    /* 0: the success that storage has for such a request; 200 for those that it does not know */
    int status;
    const char *code; /* x-ms-error-code; NULL: none */
    const char
        *headers;     /* whole lines, "Name: value\r\n..."; NULL: none. Content-Length is added */
    const char *body; /* NULL: none */
    const char *
        /* sent as it is before the answer: "HTTP/1.1 100 Continue\r\n\r\n"; NULL: nothing */
        interim;
    bool is_foreign; /* not storage's: it comes from something on the way */
    bool
        /* each '@' in headers and body becomes the request's first line and headers, on one line */
        echoes;
    bool close_after; /* closes the connection after the answer, without telling */
};

/* A request as it came. All of it lives as long as the fake. */
struct http_fake_request {
    const char *method;
    const char *target; /* path and query as sent */
    struct http_headers headers;
    const char *body; /* NUL-terminated */
    size_t body_length;
    int connection; /* 1, 2, ... in the order they were opened */
};

struct http_fake *http_fake_new(void);
void http_fake_free(struct http_fake *fake);

/* "http://127.0.0.1:PORT" */
const char *http_fake_url(const struct http_fake *fake);

/* Adds an answer to the script's end. */
void http_fake_push(struct http_fake *fake, const struct http_fake_answer *answer);

/* Waits until `count` requests in all have arrived. */
void http_fake_wait(struct http_fake *fake, size_t count);

/* How many have arrived, and request number `index` (0, ...) of them. */
size_t http_fake_count(struct http_fake *fake);
const struct http_fake_request *http_fake_request(struct http_fake *fake, size_t index);

/* Returns a header of request `index`; "" if it was not sent, so that both can be compared. */
const char *http_fake_sent(struct http_fake *fake, size_t index, const char *name);

/* Makes those who hang answer, and all that would hang later. */
void http_fake_let_go(struct http_fake *fake);

#endif
