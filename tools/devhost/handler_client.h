/*
 * handler_client.h - calls to the handler, as .NET's SocketsHttpHandler makes them.
 *
 * Rules        There is a connection for each call under way, without limit; those that are free
 *              are used again, the newest first. One whose end has arrived is not used again. Head
 *              and body are two writes, and the whole body is sent before the answer is read: a
 *              handler that answers early and closes has not answered. Headers of the same name go
 *              out as one, joined with ", " (Cookie with "; ", User-Agent with " "). A call without
 *              a body whose connection ends without an answer is sent again, three times at most,
 *              where nothing says that it has a body (`is_repeatable`).
 *              Source: dotnet/runtime, HttpConnectionPool (MaxConnectionFailures,
 *              RetryOnConnectionFailure) and HttpConnection; what was measured stands in the
 *              repository's docs/devhost.md.
 * Threads: calls may be made from any thread, many at once.
 */
#ifndef DEVHOST_HANDLER_CLIENT_H
#define DEVHOST_HANDLER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"
#include "devhost/wire.h"

struct handler_client;
struct handler_connection;

enum handler_outcome {
    HANDLER_ANSWERED,
    HANDLER_UNREACHABLE, /* nothing listens */
    HANDLER_GONE,        /* the connection ended without an answer, or with one that is no HTTP */
    HANDLER_SILENT,      /* no answer in time */
    HANDLER_CALLER_GONE, /* the caller's connection, or its body, has ended */
};

/* Up to `size` bytes of a request's body; 0 at its end; -1: the caller is gone. */
typedef ssize_t (*handler_body_reader)(void *context, char *out, size_t size);

/* All borrowed. `headers` without Host and framing. */
struct handler_call {
    int port;
    const char *method;
    const char *target;
    const char *host; /* NULL: the handler's own address */
    const struct http_headers *headers;
    handler_body_reader read_body; /* NULL: no body */
    void *body_context;
    bool is_chunked;
    bool has_length; /* Content-Length is sent, also for 0 */
    uint64_t length;
    bool is_repeatable;
    int silence_ms;      /* how long the handler may say nothing */
    int64_t deadline_ms; /* of the whole call, on the system's clock; INT64_MAX: none */
    int watch_fd;        /* the call ends once this peer is gone; -1: none */
};

struct handler_answer {
    int status;
    char *reason;
    struct http_headers headers;
    struct body body;
    struct handler_connection *connection; /* the client's */
};

/* NULL: no memory. Free it after all calls have ended. */
struct handler_client *handler_client_new(void);
void handler_client_free(struct handler_client *client);

/* One call. Unless it is HANDLER_ANSWERED there is no answer to finish. */
enum handler_outcome handler_client_call(struct handler_client *client,
                                         const struct handler_call *call,
                                         struct handler_answer *out);

/* Gives the connection back, to be used again if the body was read to its end. */
void handler_client_finish(struct handler_client *client, struct handler_answer *answer);

#endif
