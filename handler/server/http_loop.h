/*
 * http_loop.h - the one thread that accepts connections, reads requests and writes answers, for all connections of a server.
 *
 * Its cost grows with what happens, not with what is open (epoll). Where descriptors run short, it leaves new connections in the
 * kernel's queue, where they wait without harm, and ends those that have been idle longest.
 *
 * Threads: any; its own does the work.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_HTTP_LOOP_H
#define SERVER_HTTP_LOOP_H

#include "server/http_connection.h"

struct http_loop;

/*
 * Serves the listening socket, which it owns from then on, in a thread of its own. Options and handler of *all are set; the rest is
 * filled in here. Its workers call `work` for each request.
 *
 * STATUS_NO_MEMORY, STATUS_NO_THREAD, STATUS_INTERNAL; the socket is still the caller's then
 */
enum status http_loop_start(struct http_loop **out, const struct http_connections *settings, int listener,
                            struct error *err) MUST_CHECK;

/* Waits for the handlers under way, then closes every connection, and frees. NULL is fine. */
void http_loop_stop(struct http_loop *loop);

#endif
