/*
 * http_connection.h - one connection of the server's, from accept to close: a state machine that
 * never waits.
 *
 *   HEAD ──> BODY ──> IN_HAND ──> ANSWER ──> HEAD     the next request on the same connection
 *     └───────┴──── refused ───────┘  └────> LINGER ──> CLOSED
 *
 * Vocabulary   idle     at its HEAD, with no byte of a request yet. It costs a descriptor and a few
 *                       hundred bytes, and has no deadline: the client decides when it ends.
 *              linger   all has been said (Connection: close); what still comes is read and thrown
 *                       away until the client closes. A server that closes while a request or its
 *                       body comes in makes Linux reset the connection, and the client may never
 *                       read the answer. So we close first only when it has been silent for long,
 *                       or has sent DISCARD_MAX_BYTES. We do not shut down our sending side either,
 *                       unless the client asked for the end: the host takes that for an end without
 *                       an answer if its next request is on the way.
 * Rules        A connection ends without an answer only if its client ends it, or takes no answer.
 *              Sockets are edge-triggered: a connection reads or writes until it would wait, then
 *              waits for the next event. A read that does not fill its buffer has emptied the
 *              socket, so the next one waits for an event, too.
 *              While the handler has a request (IN_HAND), nothing is read, and the request stays as
 *              it is. The end of a client that goes meanwhile is seen once the answer is there.
 *              What is left to be done later is done in a turn: a task of the loop's that http_loop
 *              runs.
 * Threads      The loop's.
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

/* Everything belongs to http_connection.c. */
struct http_connection {
    struct server_exchange exchange; /* first, so that the connection is found by it */
    struct loop_source source;
    struct loop_timer deadline; /* of its phase */
    TAILQ_ENTRY(http_connection) entry;
    TAILQ_ENTRY(http_connection) idle_entry;
    TAILQ_ENTRY(http_connection) queued_entry;
    struct http_connections *all;
    enum http_connection_phase phase;
    bool may_read;  /* there may be something to read */
    bool may_write; /* and room to write */
    bool has_ended; /* the client sends no more, or the socket has failed: reads on to the end */
    bool is_timed;  /* `deadline` is set */
    bool is_idle;
    bool is_queued; /* to be stepped in the next turn */
    bool is_in_hand;
    bool is_called; /* its handler is running */
    bool is_answered;
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

    struct loop_task turn; /* http_loop's */
    bool is_turn_posted;
    struct http_connection_list open;
    struct http_connection_list idle; /* the longest idle first */
    struct http_connection_list closed;
    /* To be stepped in the next turn: answered, or with more to do than their share. */
    struct http_connection_list queued;
    size_t open_count;
    size_t evicted_count; /* of the open ones */
    size_t buffered_bytes;
};

/*
 * Takes a socket that has been accepted, and watches it. Returns false if that failed; the socket
 * is the caller's then.
 */
bool http_connection_open(struct http_connections *all, int fd);

/* Closes it. It is freed in the next turn: whoever calls this may still look at it. */
void http_connection_close(struct http_connection *connection);

/* Makes sure that there will be a turn, which calls the next two. */
void http_connections_want_turn(struct http_connections *all);
void http_connections_step_queued(struct http_connections *all);
void http_connections_free_closed(struct http_connections *all);

/*
 * Ends the connection that has been idle longest, with a 503 for a request that may be on its way.
 * Returns whether there was one.
 */
bool http_connection_evict(struct http_connections *all);

#endif
