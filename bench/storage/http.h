/*
 * http.h - the fake storage's HTTP: connections, requests, answers. One thread, one epoll.
 *
 * Rules        A request is answered by the service of the port that it came to. With a delay, a request takes effect after half of it
 *              and is answered after the other half, as over a network with that round trip.
 *              Requests of one connection are served one after the other.
 */
#ifndef BENCH_STORAGE_HTTP_H
#define BENCH_STORAGE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum { HTTP_MAX_HEADERS = 64 };

/* A piece of somebody else's text; not NUL-terminated. */
struct text {
    const char *data;
    size_t length;
};

bool http_text_is(struct text text, const char *other);
bool http_text_equal(struct text left, struct text right);
/* In any case. */
bool http_text_starts(struct text text, const char *prefix);
/* Takes the piece before the next `separator`, which is dropped, from `rest`; all of it where there is none. */
struct text http_text_cut(struct text *rest, char separator);
/* Decodes %XX into `out`, NUL-terminated; false where there is no room. */
bool http_percent_decode(struct text text, char *out, size_t out_bytes);

struct http_request {
    struct text method;
    struct text path; /* behind the account's name, with its slash, as it was sent */
    struct text query;
    struct text names[HTTP_MAX_HEADERS], values[HTTP_MAX_HEADERS];
    size_t header_count;
    struct text body;
};

/* Empty where the header is missing. */
struct text http_header(const struct http_request *request, const char *name);
/* The decoded query parameter; false: it is missing or too long. */
bool http_query(const struct http_request *request, const char *name, char *out, size_t out_bytes);

struct http_answer {
    int status;
    struct strbuf headers; /* whole lines, beyond those that every answer has */
    struct strbuf body;
};

typedef void (*http_service)(const struct http_request *request, struct http_answer *answer);

/* Milliseconds of a clock that does not jump, and since 1970. */
int64_t http_now_ms(void);
int64_t http_wall_ms(void);

/* Listens on free ports of 127.0.0.1, writes {"blob":PORT,"table":PORT} to stdout, and serves until it is killed. */
void http_serve(http_service blobs, http_service tables, int64_t delay_us) __attribute__((noreturn));

#endif
