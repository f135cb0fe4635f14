/*
 * http_connection.h - one connection of the server's, from accept to close: a state machine that
 * never waits.
 *
 *   HEAD ──> BODY ──> IN_HAND ──> ANSWER ──> HEAD     the next request on the same connection
 *     └───────┴──── refused ───────┘  └────> LINGER ──> CLOSED
 *
 * Vocabulary   idle     in HEAD, before the first byte of a request. An idle connection costs a
 *                       descriptor and a few hundred bytes. It has no deadline: the client decides
 *                       when it ends.
 *              linger   the last answer has been sent, with "Connection: close". Input is read and
 *                       thrown away until the client closes.
 *              sweep    a task of the loop's, in which http_loop does what was put off
 *
 * Lingering    If a server closes while a request is coming in, Linux resets the connection, and
 *              the client may never read the answer. So the server closes first only after a long
 *              silence, or after DISCARD_MAX_BYTES.
 *              It calls shutdown() only if the client sent "Connection: close". Otherwise the host
 *              may already have sent its next request, and would take the FIN for a lost answer.
 *
 * Rules        A connection ends without an answer only if its client ends it, or takes no answer.
 *              Sockets are edge-triggered. A connection reads or writes until it would block, then
 *              waits for the next event. A read that does not fill its buffer has emptied the
 *              socket, so it waits then, too.
 *              While the handler has a request (IN_HAND), nothing is read, and the request does not
 *              change. If the client goes meanwhile, the connection finds out after the answer.
 */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include <sys/queue.h>

#include "http/event_loop.h"
#include "server/http_body.h"
#include "server/http_exchange.h"
#include "server/http_head.h"

enum http_connection_phase {
    HTTP_CONNECTION_HEAD,
    HTTP_CONNECTION_BODY,
    HTTP_CONNECTION_IN_HAND,
    HTTP_CONNECTION_ANSWER,
    HTTP_CONNECTION_LINGER,
    HTTP_CONNECTION_CLOSED
};

/* All of it belongs to http_connection.c. */
struct http_connection {
    struct server_exchange exchange; /* first, so that the connection is found by it */
    struct loop_source source;
    struct loop_timer deadline; /* of the phase */
    TAILQ_ENTRY(http_connection) entry;
    TAILQ_ENTRY(http_connection) idle_entry;
    TAILQ_ENTRY(http_connection) queued_entry;
    struct http_connections *all;
    enum http_connection_phase phase;
    /* Reading or writing need not block. */
    bool may_read;
    bool may_write;
    bool has_ended; /* the client sends no more, or the socket has failed */
    bool is_timed;  /* `deadline` is set */
    bool is_idle;
    bool is_queued;   /* the next sweep advances it */
    bool is_in_hand;  /* admission counts its request */
    bool is_called;   /* its handler is running */
    bool is_answered; /* the handler has answered, and the answer is not yet being sent */
    bool is_evicted;

    /* The request as it comes in. */
    struct http_head_reader reader;
    struct http_body framing;
    struct strbuf rest; /* bytes that came behind the request */

    size_t discarded_bytes; /* while it lingers */
};

TAILQ_HEAD(http_connection_list, http_connection);

/* What all connections of a server share. */
struct http_connections {
    struct server_shared shared;
    size_t max_buffered_bytes; /* of all bodies together */

    struct loop_task sweep; /* set by http_loop */
    bool is_sweep_posted;
    struct http_connection_list open;
    struct http_connection_list idle; /* the longest idle first */
    struct http_connection_list closed;
    /* For the next sweep: those that were answered, or had more to do than their share. */
    struct http_connection_list queued;
    size_t open_count;
    size_t evicted_count; /* of the open ones */
    size_t buffered_bytes;
};

/*
 * Takes a socket that has been accepted, and watches it. Returns false if that failed: then the
 * socket is still the caller's.
 */
bool http_connection_open(struct http_connections *all, int fd);

/* Closes a connection. The next sweep frees it, so the caller may still look at it. */
void http_connection_close(struct http_connection *connection);

/* Makes sure that there will be a sweep. It calls the next two, in this order. */
void http_connections_request_sweep(struct http_connections *all);
void http_connections_advance_queued(struct http_connections *all);
void http_connections_free_closed(struct http_connections *all);

/*
 * Ends the connection that has been idle longest, with a 503 for a request that may be on its way.
 * Returns false if none is idle.
 */
bool http_connection_evict(struct http_connections *all);

#endif
