/*
 * front_server.h - the host's own listener: a thread for each caller, and as many callers as there
 * are descriptors.
 *
 * Rules        A caller costs two descriptors, its own and one to the handler. While they are used
 *              up, new callers wait in the kernel's queue; none is turned away. A caller may be
 *              silent for 130 s between two requests, and its next head must come within 30 s
 *              (KestrelServerLimits).
 * Threads: the handler runs on the callers' threads, on all of them at once.
 */
#ifndef DEVHOST_FRONT_SERVER_H
#define DEVHOST_FRONT_SERVER_H

#include "base/status.h"
#include "devhost/caller_request.h"
#include "devhost/stream.h"

struct front_server;

/*
 * Answers a request. It may leave the request's body unread. It may leave the request unanswered:
 * the caller's connection is then reset, as Kestrel does with an answer that cannot be finished.
 */
typedef bool (*front_server_handler)(void *context, struct caller_request *request,
                                     struct stream *caller);

/*
 * Listens on 127.0.0.1:port (0: any free one). STATUS_UNAVAILABLE: the port is taken.
 * STATUS_NO_MEMORY, STATUS_INTERNAL.
 */
enum status front_server_start(struct front_server **out, int port, front_server_handler handler,
                               void *context, struct error *err) MUST_CHECK;

int front_server_port(const struct front_server *server);

/*
 * Raises the limit of open files as far as it may be, as .NET does at its start. Children inherit
 * it.
 */
void front_server_raise_limit(void);

/* Takes no more callers and ends those without a request in hand. */
void front_server_drain(struct front_server *server);

/*
 * Drains, waits `timeout_ms` for the answers in hand, then ends all connections, and frees. NULL is
 * fine.
 */
void front_server_stop(struct front_server *server, int64_t timeout_ms);

#endif
