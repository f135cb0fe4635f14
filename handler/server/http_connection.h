/*
 * http_connection.h - one connection of the server's, from accept to close: a state machine that never waits.
 *
 *   HEAD ──> BODY ──> IN_HAND ──> ANSWER ──> HEAD     the next request on the same connection
 *     └───────┴──── refused ───────┘  └────> LINGER ──> CLOSED
 *
 * Vocabulary   idle     at its HEAD, with no byte of a request yet. It costs a descriptor and a few hundred bytes, and has no
 *                       deadline: the client decides when it ends.
 *              linger   all has been said (Connection: close); what still comes is read and thrown away until the client
 *                       closes. A server that closes while a request or its body comes in makes Linux reset the connection, and
 *                       the client may never read the answer. So we close first only when it has been silent for long, or has
 *                       sent DISCARD_MAX_BYTES. We do not shut down our sending side either, unless the client asked for the
 *                       end: the host takes that for an end without an answer if its next request is on the way.
 * Rules        Nobody's connection ends without an answer, except by its client, or when that takes no answer.
 *              Sockets are edge-triggered: a connection reads or writes until it would wait, then waits for the next event.
 *              While a worker has a connection (IN_HAND) nothing else touches it.
 * Threads: the server's I/O thread, and http_connection_work a worker's.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include <sys/queue.h>

#include "base/timer_heap.h"
#include "server/admission.h"
#include "server/http_body.h"
#include "server/http_head.h"
#include "server/http_server.h"
#include "server/worker_pool.h"

enum http_connection_phase {
    HTTP_CONNECTION_HEAD,
    HTTP_CONNECTION_BODY,
    HTTP_CONNECTION_IN_HAND,
    HTTP_CONNECTION_ANSWER,
    HTTP_CONNECTION_LINGER,
    HTTP_CONNECTION_CLOSED
};

/* Everything but `job` and `timer` belongs to http_connection.c. */
struct http_connection {
    struct worker_job job;    /* first, so that one is found by the other */
    struct timer_entry timer; /* the deadline of its phase */
    TAILQ_ENTRY(http_connection) entry;
    TAILQ_ENTRY(http_connection) idle_entry;
    TAILQ_ENTRY(http_connection) unfinished_entry;
    struct http_connections *all;
    int fd;
    enum http_connection_phase phase;
    bool is_idle;
    bool is_unfinished;
    bool is_in_hand;
    bool is_evicted;

    /* The request. */
    struct http_head_reader reader;
    struct http_head head;
    struct http_headers headers;
    struct http_body framing;
    struct strbuf body;
    bool is_too_large;
    struct strbuf rest; /* came behind the request */

    /* The answer. */
    struct http_response response;
    struct strbuf out;
    size_t sent_bytes;
    bool ends;           /* the connection ends with it */
    bool client_ends_it; /* and the client has asked for that */
    size_t discarded_bytes;
};

TAILQ_HEAD(http_connection_list, http_connection);

/* What all connections of a server share. */
struct http_connections {
    struct http_server_options options;
    http_server_handler handler;
    void *context;
    int port;
    size_t max_buffered_bytes; /* of bodies, in all */
    struct admission *admission;
    struct worker_pool *workers;

    struct timer_heap timers;
    struct http_connection_list open;
    struct http_connection_list idle; /* the longest idle first */
    struct http_connection_list closed;
    struct http_connection_list unfinished; /* had their share; there may be more to read */
    size_t open_count;
    size_t evicted_count; /* of the open ones */
    size_t buffered_bytes;
};

/* Takes a socket that has been accepted. Returns NULL if there is no memory; the socket is the caller's then. */
struct http_connection *http_connection_open(struct http_connections *all, int fd);

/* Goes on as far as it can without waiting. */
void http_connection_step(struct http_connection *connection);

/* Calls the handler and makes the answer; on a worker. http_connection_answer sends it, on the I/O thread. */
void http_connection_work(struct http_connection *connection);
void http_connection_answer(struct http_connection *connection);

/* Its timer is due. */
void http_connection_expire(struct http_connection *connection);

/* Ends the connection that has been idle longest, with a 503 for a request that may be on its way. Returns whether there was one. */
bool http_connection_evict(struct http_connections *all);

/* Closes at once. Its memory is freed by http_connection_free_closed. */
void http_connection_close(struct http_connection *connection);
void http_connection_free_closed(struct http_connections *all);

#endif
