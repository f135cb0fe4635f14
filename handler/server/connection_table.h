/*
 * connection_table.h - the open connections of a server that gives each a thread: what each is at, and an end for those who
 * take too long over it.
 *
 * Vocabulary   phase      what a connection is at. While it waits for its client: HEAD (silent, or no whole head yet), BODY, and
 *                         ANSWER (the client has yet to take it). IN_HAND: it waits for us, and has all the time in the world.
 *              crowded    more connections are open than the server has requests to serve at once
 * Rules        A phase that waits for the client has a deadline. Head and body of a new connection's first request have one in
 *              common; later a head has as long as silence may last, and its body begins anew.
 *              While it is crowded, who has kept us waiting longest for a head or a body is ended, until it is no more: silence is
 *              welcome while there is room. Everybody has CONNECTION_GRACE_MS first, so that of many who come at once nobody
 *              is ended with a request on its way. A request in hand, or its answer, never makes room.
 *              A connection is ended by shutting down its socket: the thread that waits there wakes at once. Only reading is
 *              shut down, so that a client can be told, and a request that has come meanwhile be served; of an ANSWER, both ways.
 *              No socket is shut down once its connection is closed and its number may be somebody else's.
 * Threads: any; a connection belongs to its own. The table has one thread itself, which does the ending.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_CONNECTION_TABLE_H
#define SERVER_CONNECTION_TABLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct connection;
struct connection_table;

enum { CONNECTION_GRACE_MS = 20 };

enum connection_phase { CONNECTION_HEAD, CONNECTION_BODY, CONNECTION_IN_HAND, CONNECTION_ANSWER };

enum connection_ending {
    CONNECTION_STAYS,
    CONNECTION_OVERDUE,    /* its phase lasted too long */
    CONNECTION_CROWDED_OUT /* it made room */
};

/* Who is at the ends of the connection that `owner` stands for? Called on any thread. False: cannot be told yet. */
typedef bool (*connection_ends)(const void *owner, struct sockaddr_in *peer, in_port_t *port);

struct connection_limits {
    int max_count;      /* that are open at once; > 0 */
    int crowd_count;    /* above this number it is crowded; > 0 */
    int64_t request_ms; /* for a request to come, and for its answer to be taken */
    int64_t silence_ms; /* between two requests, the second's head included */
};

/*
 * `find_ends` is asked about a connection, by the `owner` it was opened with, when it must be ended.
 *
 * STATUS_NO_MEMORY, STATUS_INTERNAL (no thread to be had, no /proc)
 */
enum status connection_table_new(struct connection_table **out, const struct connection_limits *limits,
                                 connection_ends find_ends, struct error *err) MUST_CHECK;

/* Once all connections are closed. NULL is fine. */
void connection_table_free(struct connection_table *table);

/* A new connection, at its HEAD. NULL: there are max_count already. */
struct connection *connection_table_open(struct connection_table *table, const void *owner);

/* On to a phase; to HEAD for the next request. */
void connection_table_move(struct connection_table *table, struct connection *connection, enum connection_phase phase);

/* As above, with `limit_ms` from now as the deadline. */
void connection_table_move_within(struct connection_table *table, struct connection *connection,
                                  enum connection_phase phase, int64_t limit_ms);

enum connection_phase connection_table_phase(const struct connection *connection);
enum connection_ending connection_table_ending(const struct connection *connection);
int connection_table_count(const struct connection_table *table);

/* Around the closing of its socket: what lies between must be short. `connection` is gone with the first; NULL is fine. */
void connection_table_begin_close(struct connection_table *table, struct connection *connection);
void connection_table_end_close(struct connection_table *table);

/* Ends reading on every socket of this process that is bound to `port`, those that listen and those not yet open here as well. */
void connection_table_shut_port(struct connection_table *table, int port);

#endif
