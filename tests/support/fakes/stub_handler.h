/*
 * stub_handler.h - a custom handler of a test's own: it answers the pings of the host, and does
 * with everything else what the test says.
 *
 * Rules        There is one at a time. Each connection has a thread. What should not happen to a
 *              test ends it.
 * Threads: `serve` runs on many threads at once; the rest belongs to the test's.
 */
#ifndef SUPPORT_STUB_HANDLER_H
#define SUPPORT_STUB_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request as it arrived. */
struct stub_request {
    const char *head; /* request line and headers, a line each, with LF */
    const char *body; /* NUL-terminated; may hold NULs */
    size_t body_length;
    bool is_chunked;
    int fd; /* to be answered on */
};

/* Answers, or does not. Returns true if the connection may carry another request; else it ends. */
typedef bool (*stub_handler_serve)(void *context, const struct stub_request *request);

/* Listens on 127.0.0.1:port (0: any free one) and returns the port. */
int stub_handler_start(int port, stub_handler_serve serve, void *context);

/* Ends all connections and waits for their threads. */
void stub_handler_stop(void);

/* How many requests but pings came; those that were cut off count too. */
int stub_handler_count(void);

/* Waits until no more than `count` connections are open. */
void stub_handler_await_open(int count);

/* Writes a whole answer: "200 OK", more header lines with CRLF (may be ""), a body. */
bool stub_handler_answer(const struct stub_request *request, const char *status,
                         const char *headers, const char *body);

#endif
